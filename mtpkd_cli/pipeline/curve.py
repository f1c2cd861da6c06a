"""A learning curve over labels: the study once per share of the labels, each with teachers, bank and students anew.

A share is the study with another data.label_share, and a branch of the run folder. Samples, splits and features are
the run's: which labels are hidden is no part of them. At the share that the study has itself, what the run has is the
curve's too; only methods that the study does not list are added.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.artifacts.run_folder import share_name
from mtpkd_cli.config import Study
from mtpkd_cli.config.methods import METHODS, PROPOSED
from mtpkd_cli.config.reading import parse_study, study_text, with_keys
from mtpkd_cli.config.scoring import evaluated_section
from mtpkd_cli.errors import StudyError
from mtpkd_cli.evaluation.curve import CURVE
from mtpkd_cli.pipeline.curve_request import (
    CONTROLS,
    REFERENCE,
    UPPER,
    CurveRequest,
    methods_at,
    methods_of,
    read_request,
)
from mtpkd_cli.pipeline.doing import do_optional
from mtpkd_cli.pipeline.ingredients import samples_of
from mtpkd_cli.pipeline.parallel import side_by_side
from mtpkd_cli.pipeline.states import States
from mtpkd_cli.pipeline.unit import Ingredient, Unit, artifacts, value
from mtpkd_cli.pipeline.units import (
    bank_folders,
    evaluation_unit,
    repetitions_of,
    student_folders,
    units_of,
    units_of_repetition,
)
from mtpkd_cli.stages import Job, Reporter

STAGE = "curve"
FITTED = ("train-teachers", "align", "distill")
"""Stages of the study whose units a share has of its own."""


@dataclass(frozen=True)
class ShareOfCurve:
    """One share of the labels.

    Args:
        share: Of the labels.
        run: The run folder with the branch of this share; at the study's own share teachers and bank are the run's.
        study: The study with this share, the curve's methods and its reference.
        fits: Units of teachers, alignment, bank and students; at the study's own share most are the run's.
        evaluation: The unit of their scores; at the study's own share it may be the run's.
    """

    share: float
    run: RunFolder
    study: Study
    fits: list[Unit]
    evaluation: Unit

    @property
    def repetitions(self) -> list[tuple[int, int]]:
        """(fold, seed) of every repetition, in their order."""
        return list(dict.fromkeys((unit.fold, unit.seed) for unit in self.fits))  # type: ignore[misc]

    @property
    def is_studied(self) -> bool:
        """Whether it is the share that the study has itself, whose teachers are the run's."""
        return not self.run.teaching


@dataclass(frozen=True)
class Chosen:
    """Which of a curve's students are meant; nothing given = all."""

    shares: tuple[str, ...] = ()
    folds: tuple[int, ...] = ()
    seeds: tuple[int, ...] = ()
    methods: tuple[str, ...] = ()

    def of(self, share: ShareOfCurve) -> list[Unit]:
        """The units of a share that are meant; teachers, alignment and bank are needed by every student."""
        if self.shares and share_name(share.share) not in self.shares:
            return []
        return [
            unit
            for unit in share.fits
            if (not self.folds or unit.fold in self.folds)
            and (not self.seeds or unit.seed in self.seeds)
            and (not self.methods or unit.arguments.get("method", self.methods[0]) in self.methods)
        ]


def shares_of(run: RunFolder, study: Study, request: CurveRequest) -> list[ShareOfCurve]:
    """The shares of a curve, fewest labels first.

    Raises:
        StudyError: The study with a share or with the curve's methods is none.
    """
    return [_share_of(run, study, share, methods_at(share, request, study)) for share in request.shares]


def _share_of(run: RunFolder, study: Study, share: float, methods: list[str]) -> ShareOfCurve:
    quoted = ", ".join(f'"{name}"' for name in methods)
    keys = [f"data.label_share={share!r}", f"distill.methods=[{quoted}]", f"evaluate.reference={REFERENCE}"]
    text, _ = with_keys(study_text(run.study), keys, where=run.study)
    changed = parse_study(text, where=run.study)
    if share_name(share) == share_name(study.data.label_share):
        return _studied_share(run, study, share, changed)
    place = run.share(share)
    fits = [unit for pair in repetitions_of(place, changed) for unit in units_of_repetition(place, changed, *pair)]
    students = {name: student_folders(place, changed, name) for name in methods}
    return ShareOfCurve(
        share, place, changed, [_named(unit, share) for unit in fits], _scores(place, changed, share, students)
    )


def _studied_share(run: RunFolder, study: Study, share: float, changed: Study) -> ShareOfCurve:
    """The share that the study has: its students and their scores are the run's, others are added."""
    place, listed = replace(run.share(share), teaching=""), study.distill.methods
    fits = []
    for fold, seed in repetitions_of(run, study):
        moved = {place.student(fold, seed, name): run.student(fold, seed, name) for name in listed}
        for unit in units_of_repetition(place, changed, fold, seed):
            spares = {key: moved.get(path, path) for key, path in unit.spares.items()}
            is_of_run = unit.stage != "distill" or unit.folder in moved
            placed = replace(unit, folder=moved.get(unit.folder, unit.folder), spares=spares)
            fits.append(placed if is_of_run else _named(placed, share))
    methods = changed.distill.methods
    if sorted(methods) == sorted(listed) and study.evaluate.reference == REFERENCE:
        evaluation = next(unit for unit in units_of(run, study) if unit.stage == "evaluate")
    else:
        students = {name: student_folders(run if name in listed else place, changed, name) for name in methods}
        evaluation = _scores(place, changed, share, students)
    return ShareOfCurve(share, place, changed, fits, evaluation)


def _named(unit: Unit, share: float) -> Unit:
    what = {"train-teachers": "teacher ", "distill": "student "}.get(unit.stage, "")
    return replace(unit, stage=STAGE, name=f"{share_name(share)} {what}{unit.name}")


def _scores(run: RunFolder, study: Study, share: float, students: dict[str, dict[str, Path]]) -> Unit:
    name, teachers = f"{share_name(share)} scores", list(study.teacher_modalities)
    unit = evaluation_unit(run, study, run.evaluation, name, students, teachers, evaluated_section(study))
    return replace(unit, stage=STAGE)


def table_unit(run: RunFolder, study: Study, request: CurveRequest, shares: list[ShareOfCurve]) -> Unit:
    """The unit of the curve itself: scores of all shares put together, and how many labels they are worth."""
    methods, evaluate = methods_of(request, study), evaluated_section(study)
    judged = [name for name in methods if name not in (REFERENCE, UPPER) and METHODS.control_of(name) is None]
    spoken_of = [PROPOSED] if PROPOSED in judged else judged
    banks = {share_name(one.share): bank_folders(one.run, one.study) for one in shares}
    ingredients = (
        samples_of(run),
        value(
            shares={share_name(one.share): one.share for one in shares},
            label_unit=study.data.label_unit,
            methods=methods,
            reference=REFERENCE,
            upper=UPPER,
            spoken_of=[*spoken_of, *(name for name in CONTROLS[:1] if name in methods)],
            resamples=evaluate.resamples,
            bootstrap_seed=evaluate.bootstrap_seed,
        ),
        artifacts("{}/scores", evaluations={share_name(one.share): one.evaluation.folder for one in shares}),
        Ingredient({"banks": banks}, {}, {f"{s}/{key}/bank": f for s, of in banks.items() for key, f in of.items()}),
    )
    return Unit(STAGE, "curve", run.curve, STAGE, ingredients, files=(CURVE,))


def units_of_curve(run: RunFolder, study: Study) -> list[Unit]:
    """Units of the curve that somebody has asked for, the table last; those that the run has anyway are left out."""
    request = read_request(run)
    if request is None:
        return []
    try:
        shares = shares_of(run, study, request)
    except StudyError as err:
        return [Unit(STAGE, "curve", run.curve, STAGE, (), impossible=err.what)]
    units = [unit for one in shares for unit in [*one.fits, one.evaluation] if unit.stage == STAGE]
    return [*units, table_unit(run, study, request, shares)]


def train_curve(run: RunFolder, study: Study, request: CurveRequest, chosen: Chosen, job: Job) -> int:
    """Trains all chosen teachers and students that are not up to date; returns how many units it made.

    Repetitions of all shares are put side by side.

    Raises:
        ArtifactError: Samples or features are missing or stale.
        Busy: Another process makes some of the units.
        StudyError: There is no such fold or seed.
    """
    shares = shares_of(run, study, request)
    _check_repetitions(shares, chosen)
    if job.jobs == 1:
        made = 0
        for one in shares:
            reporter = _ShareReporter(share_name(one.share), job.reporter)
            made += _fit(run, study, chosen.of(one), shares, replace(job, reporter=reporter))
        return made
    states = States(run, study, [*units_of(run, study), *_fits(shares)])
    calls = [
        (run, study, request, replace(chosen, shares=(share_name(one.share),), folds=(fold,), seeds=(seed,)))
        for one in shares
        for fold, seed in one.repetitions
        if any(
            (unit.fold, unit.seed) == (fold, seed) and (job.overwrite or states.of(unit).kind != "done")
            for unit in chosen.of(one)
        )
    ]
    return side_by_side(train_curve, calls, job, "curve, shares x folds x seeds") if calls else 0


def score_curve(run: RunFolder, study: Study, request: CurveRequest, job: Job) -> int:
    """Scores all shares and puts the table together; returns how many units it made.

    Raises:
        ArtifactError: A student is missing or stale.
    """
    shares = shares_of(run, study, request)
    units = [*(one.evaluation for one in shares), table_unit(run, study, request, shares)]
    # Scores are of numbers on disk, whatever computed them.
    return _fit(run, study, units, shares, replace(job, device="cpu"))


def _fit(run: RunFolder, study: Study, units: list[Unit], shares: list[ShareOfCurve], job: Job) -> int:
    """Makes units that are not up to date, those of the run first; these are not overwritten."""
    made = 0
    for of_curve in (False, True):
        if some := [unit for unit in units if (unit.stage == STAGE) == of_curve]:
            made += do_optional(run, study, some, replace(job, overwrite=job.overwrite and of_curve), _fits(shares))
    return made


@dataclass(frozen=True)
class _ShareReporter:
    """A reporter that says which share its lines are about, where they do not say so themselves."""

    share: str
    reporter: Reporter

    def note(self, text: str) -> None:
        self.reporter.note(text if self.share in text else f"{self.share}: {text}")

    def progress(self, label: str, total: int) -> Callable[[], None]:
        return self.reporter.progress(f"{self.share}: {label}", total)


def _fits(shares: Sequence[ShareOfCurve]) -> list[Unit]:
    return [unit for one in shares for unit in one.fits]


def _check_repetitions(shares: Sequence[ShareOfCurve], chosen: Chosen) -> None:
    known = sorted({pair for one in shares for pair in one.repetitions})
    for number, option, numbers in ((0, "--fold", chosen.folds), (1, "--seed", chosen.seeds)):
        there = sorted({pair[number] for pair in known})
        if wrong := [one for one in numbers if one not in there]:
            expected = ", ".join(map(str, there))
            raise StudyError(f"the curve has no {option[2:]} {wrong[0]}", where=option, expected=f"among {expected}")
