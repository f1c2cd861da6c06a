"""An ablation: one method with every combination of some options, each over the same teachers, bank and folds.

A cell of the grid is the study with some keys set, and a branch of the run folder where its students lie. All that is
not a student (features, teachers, alignment, bank) is the run's own and is only read, so a cell costs one student per
fold and seed, and the run's own students and its study.toml stay as they are.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from mtpkd_cli.artifacts import RunFolder, digest_of
from mtpkd_cli.config import Study
from mtpkd_cli.config.methods import METHODS
from mtpkd_cli.config.reading import parse_study, with_keys
from mtpkd_cli.errors import StudyError
from mtpkd_cli.pipeline.choice import Choice, check_choice
from mtpkd_cli.pipeline.doing import do_stage
from mtpkd_cli.pipeline.parallel import side_by_side
from mtpkd_cli.pipeline.units import Unit, units_of
from mtpkd_cli.stages import Job, Reporter

SWEPT = ("distill", "student")
_CLOSING = {"[": "]", "{": "}", '"': '"', "'": "'"}


@dataclass(frozen=True)
class Cell:
    """One combination of values.

    Args:
        name: How it is called in tables and on disk.
        values: Swept key -> its value, as TOML text.
        run: The run folder, with a branch for the students of this cell.
        study: The study with these values.
    """

    name: str
    values: dict[str, str]
    run: RunFolder
    study: Study


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


def cells_of(run: RunFolder, method: str, over: list[str], name: str) -> list[Cell]:
    """Makes the cells of an ablation, the first value of every key first.

    Raises:
        StudyError: A key or value is not allowed, the method does not read a key, or an earlier stage does.
    """
    METHODS.check(method, where="--method")
    grid, text = swept_values(over), run.study.read_text(encoding="utf-8")
    study = parse_study(text, where=run.study)
    # Only these: what the other methods of the study are told is no concern of a cell.
    names = list(dict.fromkeys([study.evaluate.reference, method]))
    quoted = ", ".join(f'"{entry}"' for entry in names)
    text, _ = with_keys(text, [f"distill.methods=[{quoted}]"], where=run.study)
    before = {unit.folder: unit.reads for unit in _kept(units_of(run, study))}
    cells, seen = [], dict[str, Cell]()
    for values in (dict(zip(grid, combination, strict=True)) for combination in product(*grid.values())):
        assignments = [f"{key}={value}" for key, value in values.items()]
        changed, _ = with_keys(text, assignments, where=run.study, option="--over")
        called = ",".join(f"{key.split('.')[-1]}={value}" for key, value in values.items())
        branch = RunFolder(run.root, f"ablation/{name}/{_file_name(called)}")
        cell = Cell(called, values, branch, parse_study(changed, where=run.study))
        _check_not_drawn(cell, method)
        units = units_of(branch, cell.study)
        touched = [unit for unit in _kept(units) if before.get(unit.folder) != unit.reads]
        if touched:
            raise StudyError(
                f"{' '.join(assignments)} changes what {touched[0].stage} reads, not students alone",
                where="--over",
                todo="make a run folder of its own per value",
            )
        own = next(unit for unit in units if unit.stage == "distill" and unit.name == method)
        twin = seen.setdefault(digest_of(own.reads), cell)
        if twin is not cell:
            key = next(key for key, value in values.items() if twin.values[key] != value)
            raise StudyError(
                f"{key} = {twin.values[key]} and {values[key]} give the same student: {method} does not read {key}",
                where="--over",
                todo="mtpkd methods lists what each method reads",
            )
        cells.append(cell)
    return cells


def train_cells(cells: list[Cell], method: str, choice: Choice, job: Job) -> int:
    """Trains the students of all cells that are not up to date; returns how many it trained.

    Repetitions of all cells are put side by side, so that a small grid keeps all processes busy.
    """
    units = units_of(cells[0].run, cells[0].study)
    own = Choice(choice.fold, choice.seed, method)
    check_choice(own, "distill", units)
    chosen = [unit for unit in units if unit.stage == "distill" and own.takes(unit)]
    calls = [(cell, Choice(unit.fold, unit.seed, method)) for cell in cells for unit in chosen]
    if job.jobs > 1 and len(calls) > 1:
        return side_by_side(_train, calls, job, "ablate, cells x folds x seeds")
    return sum(_train(*call, job) for call in calls)


def _train(cell: Cell, choice: Choice, job: Job) -> int:
    return do_stage(cell.run, cell.study, "distill", choice, replace(job, reporter=_Named(cell.name, job.reporter)))


@dataclass(frozen=True)
class _Named:
    """A reporter that says of which cell it speaks."""

    cell: str
    reporter: Reporter

    def note(self, text: str) -> None:
        self.reporter.note(f"{self.cell}: {text}")

    def progress(self, label: str, total: int) -> Callable[[], None]:
        return self.reporter.progress(f"{self.cell}: {label}", total)


def _check_not_drawn(cell: Cell, method: str) -> None:
    """A cell that is called temperature = 4 must not keep a student of another temperature."""
    drawn: Any = METHODS.constant(method, "GRID", {})
    both = [key for key in cell.values if key.split(".")[-1] in drawn]
    if both and cell.study.distill.candidates > 1:
        raise StudyError(
            f"{both[0]} cannot be swept while distill.candidates = {cell.study.distill.candidates}: {method} tries "
            "values of its own for it",
            where="--over",
            todo="add --over distill.candidates=1",
        )


def _kept(units: list[Unit]) -> list[Unit]:
    return [unit for unit in units if unit.stage not in ("distill", "evaluate")]


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


def _file_name(called: str) -> str:
    """A folder's name for a cell: what it is called, where a file system takes that, else with a digest of it."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "_-+.=,") else "_" for c in called)
    return plain if plain == called else f"{plain}-{digest_of(called)[:8]}"
