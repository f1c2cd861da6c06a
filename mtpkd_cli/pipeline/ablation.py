"""An ablation: one method with every combination of some options, each over the same teachers, bank and folds.

A cell of the grid is the study with some keys set, and a branch of the run folder where its students lie. All that is
not a student (features, teachers, alignment, bank) belongs to the run and is only read, so a cell costs one student per
fold and seed, and the run's students and its study.toml stay as they are.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from mtpkd_cli.artifacts import RunFolder, digest_of
from mtpkd_cli.artifacts.records import read_record
from mtpkd_cli.config import Study
from mtpkd_cli.config.methods import METHODS
from mtpkd_cli.config.reading import parse_study, with_keys
from mtpkd_cli.config.scoring import evaluated_section
from mtpkd_cli.errors import ArtifactError, StudyError
from mtpkd_cli.evaluation.ablation import ABLATION
from mtpkd_cli.pipeline.choice import Choice, check_choice
from mtpkd_cli.pipeline.doing import do_optional, do_stage
from mtpkd_cli.pipeline.grid import GRID, Grid, file_name_of, swept_values
from mtpkd_cli.pipeline.ingredients import students_of
from mtpkd_cli.pipeline.parallel import side_by_side
from mtpkd_cli.pipeline.states import States
from mtpkd_cli.pipeline.unit import Unit, artifact, place, value, value_as
from mtpkd_cli.pipeline.units import evaluation_unit, student_folders, units_of
from mtpkd_cli.stages import Job, Reporter


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


def cells_of(run: RunFolder, method: str, over: list[str], name: str) -> list[Cell]:
    """Makes the cells of an ablation, the first value of every key first.

    Raises:
        StudyError: A key or value is not allowed, the method does not read a key, or an earlier stage does.
    """
    METHODS.check(method, where="--method")
    grid, text = swept_values(over), run.study.read_text(encoding="utf-8")
    study = parse_study(text, where=run.study)
    # Only these: the options of the study's other methods are no concern of a cell.
    names = list(dict.fromkeys([study.evaluate.reference, method]))
    quoted = ", ".join(f'"{entry}"' for entry in names)
    text, _ = with_keys(text, [f"distill.methods=[{quoted}]"], where=run.study)
    reads_before = {unit.folder: unit.reads for unit in _before_students(units_of(run, study))}
    cells, seen = [], dict[str, Cell]()
    for values in (dict(zip(grid, combination, strict=True)) for combination in product(*grid.values())):
        assignments = [f"{key}={value}" for key, value in values.items()]
        changed, _ = with_keys(text, assignments, where=run.study, option="--over")
        cell_name = ",".join(f"{key.split('.')[-1]}={value}" for key, value in values.items())
        branch = RunFolder(run.root, f"ablation/{name}/{file_name_of(cell_name)}")
        cell = Cell(cell_name, values, branch, parse_study(changed, where=run.study))
        _check_not_drawn(cell, method)
        units = units_of(branch, cell.study)
        touched = [unit for unit in _before_students(units) if reads_before.get(unit.folder) != unit.reads]
        if touched:
            raise StudyError(
                f"{' '.join(assignments)} changes what {touched[0].stage} reads, not students alone",
                where="--over",
                todo="make a run folder of its own per value",
            )
        twin = seen.setdefault(digest_of(_students_of(units, method)[0].reads), cell)
        if twin is not cell:
            key = next(key for key, value in values.items() if twin.values[key] != value)
            raise StudyError(
                f"{key} = {twin.values[key]} and {values[key]} give the same student: {method} does not read {key}",
                where="--over",
                todo="mtpkd methods lists what each method reads",
            )
        cells.append(cell)
    return cells


def score_cells(run: RunFolder, study: Study, cells: list[Cell], method: str, name: str, job: Job) -> None:
    """Scores all cells, from the study's reference student where that one is up to date and from the first cell.

    Raises:
        ArtifactError: A student of a cell is missing or stale.
    """
    units = ablation_units(run, study, cells, method, name)
    if units[-1].arguments["reference"] is None:
        reference = study.evaluate.reference
        job.reporter.note(
            f"{reference} is not up to date, so there is no difference from it: mtpkd distill {run.root} "
            f"--method {reference}, then this command again"
        )
    students = [unit for unit in units if unit.stage == "distill"]
    # Scores are of numbers on disk, whatever computed them.
    do_optional(run, study, [unit for unit in units if unit not in students], replace(job, device="cpu"), students)


def ablation_units(run: RunFolder, study: Study, cells: list[Cell], method: str, name: str) -> list[Unit]:
    """Lists the units of an ablation: the cells' students, their scores, and the table, which comes last.

    Differences are taken from the study's reference student, where that one is up to date, and from the first cell.
    """
    students = [unit for cell in cells for unit in _students_of(units_of(cell.run, cell.study), method)]
    folders = {cell.name: student_folders(cell.run, cell.study, method) for cell in cells}
    reference = study.evaluate.reference if has_reference(run, study) else None
    if reference is not None:
        folders = {reference: student_folders(run, study, reference)} | folders
    first, place_of = cells[0].name, run.ablation(name)
    scores = _scores(run, study, name, place_of / "evaluation", folders, reference or first)
    from_first = scores if reference is None else _scores(run, study, name, place_of / "from-first", folders, first)
    ingredients = (
        value(method=method, reference=reference),
        value_as({"cells": [cell.values for cell in cells]}, values={cell.name: cell.values for cell in cells}),
        students_of(folders),
        artifact("evaluation", scores.folder, evaluation=scores.folder),
        artifact("from first", from_first.folder, from_first=from_first.folder),
        place(name=name),
    )
    table = Unit("ablate", "ablate", place_of, name, ingredients, files=(ABLATION,))
    return [*students, *({unit.folder: unit for unit in (scores, from_first)}.values()), table]


def has_reference(run: RunFolder, study: Study) -> bool:
    """Whether the study's reference student is up to date in every fold and seed."""
    units = units_of(run, study)
    states = States(run, study, units)
    return all(states.of(unit).kind == "done" for unit in _students_of(units, study.evaluate.reference))


def units_of_ablations(run: RunFolder, study: Study) -> Iterator[Unit]:
    """Units of all ablations of a run. One that the study as it is now does not allow is a unit that says why."""
    for name in run.ablations:
        path = run.ablation(name) / GRID
        if not path.exists():  # of an earlier version: what it is of is not known
            continue
        try:
            grid = read_record(path, Grid, "there is no grid", f"mtpkd ablate {run.root} --name {name} --over ...")
            cells = cells_of(run, grid.method, grid.over, name)
        except (ArtifactError, StudyError) as err:
            yield Unit("ablate", "ablate", path.parent, name, (), impossible=err.what)
            continue
        for unit in ablation_units(run, study, cells, grid.method, name):
            yield replace(unit, stage="ablate")


def _scores(
    run: RunFolder, study: Study, name: str, folder: Path, students: dict[str, dict[str, Path]], reference: str
) -> Unit:
    """Scores of an ablation's rows, as the study's evaluation scores its methods; teachers are left out."""
    section = evaluated_section(study).model_copy(update={"reference": reference})
    return evaluation_unit(run, study, folder, f"ablation {name}", students, [], section)


def _students_of(units: list[Unit], method: str) -> list[Unit]:
    return [unit for unit in units if unit.stage == "distill" and unit.name == method]


def train_cells(cells: list[Cell], method: str, choice: Choice, job: Job) -> int:
    """Trains the students of all cells that are not up to date; returns how many it trained.

    Repetitions of all cells are put side by side, so that a small grid keeps all processes busy.
    """
    units = units_of(cells[0].run, cells[0].study)
    of_method = Choice(choice.fold, choice.seed, method)
    check_choice(of_method, "distill", units)
    chosen = [unit for unit in units if unit.stage == "distill" and of_method.takes(unit)]
    calls = [(cell, Choice(unit.fold, unit.seed, method)) for cell in cells for unit in chosen]
    if job.jobs > 1 and len(calls) > 1:
        return side_by_side(_train, calls, job, "ablate, cells x folds x seeds")
    return sum(_train(*call, job) for call in calls)


def _train(cell: Cell, choice: Choice, job: Job) -> int:
    reporter = _CellReporter(cell.name, job.reporter)
    return do_stage(cell.run, cell.study, "distill", choice, replace(job, reporter=reporter))


@dataclass(frozen=True)
class _CellReporter:
    """A reporter that says which cell its lines are about."""

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


def _before_students(units: list[Unit]) -> list[Unit]:
    return [unit for unit in units if unit.stage not in ("distill", "evaluate")]
