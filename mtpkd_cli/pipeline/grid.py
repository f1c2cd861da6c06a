"""The grid of an ablation: which keys take which values, read from the command line and kept in its folder."""

import re
from collections.abc import Iterator

from mtpkd_cli.artifacts import RunFolder, digest_of
from mtpkd_cli.artifacts.records import Record, write_record
from mtpkd_cli.errors import StudyError

GRID = "grid.json"
SWEPT = ("distill", "student")
_CLOSING = {"[": "]", "{": "}", '"': '"', "'": "'"}


class Grid(Record):
    """What an ablation is of, kept in its folder: from it `status` knows what there is to do.

    Args:
        method: Whose options are varied.
        over: `KEY=V1,V2,...` arguments.
    """

    method: str
    over: list[str]


def swept_values(over: list[str]) -> dict[str, list[str]]:
    """Reads `KEY=V1,V2,...` arguments; commas within brackets and quotes belong to the value.

    Raises:
        StudyError: One is not of that form, a key or a value comes twice, or the key is none of a student's.
    """
    grid: dict[str, list[str]] = {}
    for argument in over:
        key, equals, text = (part.strip() for part in argument.partition("="))
        values = list(_split(text))
        if not equals or not key or not all(values):
            raise StudyError(f"--over '{argument}' is not KEY=V1,V2", expected="--over distill.anchors=least,most")
        if key in grid or len(set(values)) < len(values):
            raise StudyError(f"--over '{argument}' names a {'key' if key in grid else 'value'} twice")
        section = key.split(".")[0]
        if section not in SWEPT or key == "distill.methods":
            reason = (
                "an ablation is of one method, which --method names"
                if key == "distill.methods"
                else "only students are trained anew; teachers, bank and folds stay, so that cells can be compared"
            )
            raise StudyError(
                f"{key} cannot be swept: {reason}",
                where="--over",
                expected="keys of [distill] and [student]",
                todo=f"for [{section}], make a run folder of its own per value",
            )
        grid[key] = values
    return grid


def ablation_name(method: str, over: list[str], name: str | None) -> str:
    """The folder of an ablation in RUN/ablation: as it is given, or after method and keys.

    Raises:
        StudyError: It is no name for a folder.
    """
    keys = [key.split(".")[-1] for key in swept_values(over)]
    name = name or f"{method}-by-{'-'.join(keys)}"
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_+-]*", name):
        raise StudyError(f"'{name}' is no name for a folder", where="--name", expected="letters, digits, _ + -")
    return name


def write_grid(run: RunFolder, name: str, method: str, over: list[str]) -> None:
    """Says in the ablation's folder what it is of."""
    folder = run.ablation(name)
    folder.mkdir(parents=True, exist_ok=True)
    write_record(folder / GRID, Grid(method=method, over=over))


def file_name_of(called: str) -> str:
    """A folder's name for a cell: what it is called, where a file system takes that, else with a digest of it."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "_-+.=,") else "_" for c in called)
    return plain if plain == called else f"{plain}-{digest_of(called)[:8]}"


def _split(text: str) -> Iterator[str]:
    """Splits at commas that stand in no bracket and no quote."""
    awaited: list[str] = []
    part = ""
    for character in text:
        if character == "," and not awaited:
            yield part.strip()
            part = ""
            continue
        part += character
        if awaited and character == awaited[-1]:
            awaited.pop()
        elif character in _CLOSING and not (awaited and awaited[-1] in "\"'"):
            awaited.append(_CLOSING[character])
    yield part.strip()
