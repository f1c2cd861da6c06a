"""What somebody has asked of a learning curve over labels: shares and methods, kept in RUN/curve."""

from collections.abc import Sequence

from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.artifacts.records import Record, read_record, write_record
from mtpkd_cli.artifacts.run_folder import share_name
from mtpkd_cli.config import Study
from mtpkd_cli.config.methods import METHODS
from mtpkd_cli.errors import ArtifactError, StudyError, did_you_mean

REQUEST = "request.json"
USUAL_SHARES = (0.05, 0.1, 0.25, 0.5, 1.0)
_ASK_FIRST = "ask for it first, without --fold and --seed; with --plan nothing is computed yet"
REFERENCE, UPPER = "student-only", "all-labels"
"""The student of labelled recordings alone, in whose labels others are valued; and the one that knows hidden labels."""
CONTROLS = ("self", "placebo")
"""Controls that a curve has whatever the study lists: self-training, and teachers who speak of other samples."""


class CurveRequest(Record):
    """What a curve is of; from it `status` knows what there is to do.

    Args:
        shares: Of the labels, fewest first.
        methods: Beside the reference; empty = those of the study, two controls, and the one that knows hidden labels.
    """

    shares: list[float]
    methods: list[str]


def parse_shares(text: str) -> list[float]:
    """Reads "0.05,0.1,1".

    Raises:
        StudyError: One is no number.
    """
    try:
        return [float(part) for part in text.split(",")]
    except ValueError as err:
        raise StudyError(
            f"'{text}' is no list of shares", where="--label-shares", expected="for example 0.05,0.1,0.25,0.5,1"
        ) from err


def request_of(run: RunFolder, shares: Sequence[float], methods: Sequence[str]) -> CurveRequest:
    """What is asked for: as given, else as it was asked for before, else the usual shares and methods.

    Raises:
        StudyError: A share is no share or comes twice, or there is no such method.
    """
    before = read_request(run)
    asked = sorted(shares) or (before.shares if before else list(USUAL_SHARES))
    if wrong := [share for share in asked if not 0 < share <= 1]:
        raise StudyError(f"{wrong[0]:g} is no share", where="--label-shares", expected="numbers above 0, up to 1")
    names = [share_name(share) for share in asked]
    if twice := [share for share, name in zip(asked, names, strict=True) if names.count(name) > 1]:
        raise StudyError(f"{twice[0]:g} is named twice", where="--label-shares")
    for method in methods:
        METHODS.check(method, where="--method")
    return CurveRequest(shares=asked, methods=list(dict.fromkeys(methods)) or (before.methods if before else []))


def write_request(run: RunFolder, request: CurveRequest) -> None:
    """Keeps what is asked for."""
    run.curve.mkdir(parents=True, exist_ok=True)
    write_record(run.curve / REQUEST, request)


def read_request(run: RunFolder) -> CurveRequest | None:
    """What was asked for; None where nothing was."""
    if not (run.curve / REQUEST).exists():
        return None
    try:
        return read_record(run.curve / REQUEST, CurveRequest, "nobody has asked", f"mtpkd curve {run.root}")
    except ArtifactError:  # of a later version, or damaged: what it asks for is not known
        return None


def methods_of(request: CurveRequest, study: Study) -> list[str]:
    """The methods of a curve, the reference among them."""
    methods = request.methods or [*study.distill.methods, *CONTROLS, UPPER]
    return list(dict.fromkeys([*([] if REFERENCE in methods else [REFERENCE]), *methods]))


def methods_at(share: float, request: CurveRequest, study: Study) -> list[str]:
    """Those of one share: where no label is hidden, who knows hidden labels is the reference once more."""
    methods = methods_of(request, study)
    return [name for name in methods if name != UPPER or share < 1 or name in study.distill.methods]


def check_chosen(request: CurveRequest, study: Study, shares: Sequence[float], methods: Sequence[str]) -> None:
    """Checks that what is chosen is part of what was asked for, so that nothing mistyped is left out in silence.

    Raises:
        StudyError: It is not.
    """
    known = [share_name(share) for share in request.shares]
    for share in shares:
        if share_name(share) not in known:
            shown = ", ".join(f"{one:g}" for one in request.shares)
            raise StudyError(
                f"the curve has no share {share:g}", where="--label-shares", expected=f"among {shown}", todo=_ASK_FIRST
            )
    names = methods_of(request, study)
    for method in methods:
        if method not in names:
            near = did_you_mean(method, names)
            raise StudyError(
                f"the curve has no method '{method}'{near}",
                where="--method",
                expected=", ".join(names),
                todo=_ASK_FIRST,
            )
