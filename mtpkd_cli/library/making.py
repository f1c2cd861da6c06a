"""Verbs that compute: the stages, `run`, evaluation with its optional results, ablation."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.artifacts.logs import logged
from mtpkd_cli.config import Study, parse_options, read_study
from mtpkd_cli.library.jobs import job_of
from mtpkd_cli.library.reporting import Silent, StrPath
from mtpkd_cli.library.setting import setting
from mtpkd_cli.stages import Extraction, Reporter

if TYPE_CHECKING:
    from mtpkd_cli.evaluation.ablation import AblationScores
    from mtpkd_cli.evaluation.classical import ClassicalScores
    from mtpkd_cli.evaluation.robustness import RobustnessScores
    from mtpkd_cli.evaluation.summary import Summary


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation gives.

    Args:
        summary: Scores, differences, tests.
        report: The page that shows them.
        classical: Networks beside scikit-learn's models, where they were asked for.
        robustness: Scores of damaged recordings, where they were asked for.
    """

    summary: "Summary"
    report: Path
    classical: "ClassicalScores | None" = None
    robustness: "RobustnessScores | None" = None


def do_stages(
    folder: StrPath,
    stages: Sequence[str],
    *,
    set: Sequence[str] = (),
    unset: Sequence[str] = (),
    folds: Sequence[int] = (),
    seeds: Sequence[int] = (),
    names: Sequence[str] = (),
    device: str = "auto",
    threads: int = 1,
    jobs: int | None = None,
    overwrite: bool = False,
    extraction: Extraction | None = None,
    reporter: Reporter | None = None,
) -> dict[str, int]:
    """Does what is left of some stages, in the order that is given.

    Args:
        stages: Of extract, train-teachers, align, distill, evaluate.
        set: "KEY=VALUE" for study.toml, first of all; taken back where the command fails by it.
        unset: Keys that are taken out of study.toml, and so have their defaults again.
        folds: Of these only; empty = all.
        seeds: Of these only; empty = all.
        names: Of these modalities, teachers or methods only; empty = all.
        device: "auto", "cpu" or "cuda", for stages that train.
        threads: Threads of torch on the CPU.
        jobs: Repetitions side by side; None = as processors allow, at most 4.
        overwrite: Make again what is up to date.
        extraction: Of stages that open the corpus; its root is the study's. None = as the study says.

    Returns:
        Stage -> how many units were made.
    """
    from mtpkd_cli.config.study import ExtractSection
    from mtpkd_cli.pipeline import Choice, do_stage
    from mtpkd_cli.pipeline.candidates import passed_by
    from mtpkd_cli.pipeline.start import check_start

    choice, reporter = Choice.among(folds, seeds, names), reporter or Silent()
    extraction = extraction or Extraction()
    run, made = RunFolder(Path(folder)), dict[str, int]()
    with (
        logged(run.logs if run.study.exists() else None, stages[0] if len(stages) == 1 else "run"),
        setting(run, set, unset, overwrite=overwrite, reporter=reporter) as now,
    ):
        study = now.study
        if extraction.max_failures is not None:
            parse_options(ExtractSection, {"max_failures": extraction.max_failures}, where="--max-failures")
        for line in passed_by(study) if "distill" in stages else ():
            reporter.note(line)
        of_students = tuple(names) if list(stages) == ["distill"] else ()
        check_start(run, study, stages, reporter, methods=of_students)
        for stage in stages:
            now.stage = stage
            on = "cpu" if stage in ("extract", "evaluate") else device
            job = job_of(run, study, reporter, on, threads, jobs, overwrite, extraction)
            made[stage] = do_stage(run, study, stage, choice, job)
            reporter.note(f"{stage}: {made[stage]} made" if made[stage] else f"{stage}: nothing to do")
            if stage == "evaluate":
                _tell_stale(run, study, reporter)
                if made[stage] or not _report_of(run).exists():
                    _write_report(run, reporter)
    return made


def extract(folder: StrPath, *, reporter: Reporter | None = None, **options: Any) -> int:
    """Reads media and writes features; takes what `do_stages` takes. Returns how many modalities were made."""
    return do_stages(folder, ["extract"], reporter=reporter, **options)["extract"]


def run(folder: StrPath, *, final: bool = False, reporter: Reporter | None = None, **options: Any) -> "Summary":
    """Does all stages that are not done, in their order; takes what `do_stages` takes. Returns the scores.

    Args:
        final: Also fit one student to all people, as `fit_final` does.
    """
    from mtpkd_cli.evaluation.summary import summary_of
    from mtpkd_cli.pipeline import STAGES

    do_stages(folder, STAGES, reporter=reporter, **options)
    if final:
        given = {key: options[key] for key in ("device", "threads") if key in options}
        fit_final(folder, reporter=reporter, **given)
    return summary_of(RunFolder(Path(folder)))


def fit_final(
    folder: StrPath,
    *,
    method: str | None = None,
    device: str = "auto",
    threads: int = 1,
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> Path:
    """Fits one student to all people, for use in the field, with teachers, alignment and bank of its own.

    data.validation_share of the people say when to stop, as in the folds, and all others train. Nobody is left to test
    it, so it has no test score: those of the same method's students in the folds are what is known of it.

    Args:
        method: None = the one with the least mean validation loss over the folds that is no control.

    Returns:
        The student's folder.
    """
    from mtpkd_cli.deploy.choice import choose
    from mtpkd_cli.pipeline import do_optional
    from mtpkd_cli.pipeline.final import final_units, write_request

    reporter, run = reporter or Silent(), RunFolder(Path(folder))
    study = read_study(run.study)
    chosen = method or choose(run, study)[0].method
    units = final_units(run, study, [chosen])
    with logged(run.logs, "final"):
        job = job_of(run, study, reporter, device, threads, 1, overwrite, Extraction())
        write_request(run, [chosen])
        if study.data.labels.hides:
            reporter.note(f"final: data.label_share = {study.data.label_share:g} hides nothing here: all labels count")
        made = do_optional(run, study, units, job)
        reporter.note(f"final: {made} made, the student of {chosen} in {units[-1].folder}")
    return units[-1].folder


def evaluate(
    folder: StrPath,
    *,
    classical: bool = False,
    corrupt: bool = False,
    corrupt_samples: int | None = None,
    workers: int | None = None,
    set: Sequence[str] = (),
    unset: Sequence[str] = (),
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> Evaluation:
    """Scores the test predictions of all methods, and writes the report.

    Args:
        classical: Also fit scikit-learn's models to the same features.
        corrupt: Also score test samples that have been made worse.
        corrupt_samples: At most so many of those; None = all.
        workers: Processes that encode them; None = as the study says.
        set: "KEY=VALUE" for study.toml, first of all.
        unset: Keys that are taken out of study.toml.
        overwrite: Make again what is up to date.
    """
    from mtpkd_cli.evaluation.classical import read_classical
    from mtpkd_cli.evaluation.robustness import read_robustness
    from mtpkd_cli.evaluation.summary import summary_of
    from mtpkd_cli.pipeline import do_optional
    from mtpkd_cli.pipeline.optional_units import classical_unit, corrupt_unit

    reporter, run = reporter or Silent(), RunFolder(Path(folder))
    do_stages(folder, ["evaluate"], set=set, unset=unset, overwrite=overwrite, reporter=reporter)
    study = read_study(run.study)
    units = [corrupt_unit(run, study, corrupt_samples)] if corrupt else []
    units += [classical_unit(run, study)] if classical else []
    for unit in units:
        with logged(run.logs, unit.stage):
            job = job_of(run, study, reporter, "cpu", 1, 1, overwrite, Extraction(workers=workers))
            if do_optional(run, study, [unit], job):
                _write_report(run, reporter)
    return Evaluation(
        summary_of(run),
        _report_of(run),
        read_classical(run) if classical else None,
        read_robustness(run) if corrupt else None,
    )


def ablate(
    folder: StrPath,
    over: Sequence[str],
    *,
    method: str = "mt-pkdot",
    name: str | None = None,
    folds: Sequence[int] = (),
    seeds: Sequence[int] = (),
    device: str = "auto",
    threads: int = 1,
    jobs: int | None = None,
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> "AblationScores | None":
    """Trains a grid of options of one method over the same bank and folds, and scores it.

    Args:
        over: "KEY=V1,V2,..." of sections distill and student; every combination is trained.
        name: Folder in RUN/ablation; None = method and keys.
        folds: Of these only: students are trained and nothing is scored.
        seeds: Of these only: students are trained and nothing is scored.

    Returns:
        The table; None where nothing was scored.
    """
    from mtpkd_cli.evaluation.ablation import read_ablation
    from mtpkd_cli.pipeline.ablation import cells_of, score_cells, train_cells
    from mtpkd_cli.pipeline.choice import Choice
    from mtpkd_cli.pipeline.grid import ablation_name, write_grid
    from mtpkd_cli.pipeline.start import check_start

    reporter, run = reporter or Silent(), RunFolder(Path(folder))
    study, called = read_study(run.study), ablation_name(method, list(over), name)
    cells = cells_of(run, method, list(over), called)
    with logged(run.logs, "ablate"):
        job = job_of(run, study, reporter, device, threads, jobs, overwrite, Extraction())
        for cell in cells:
            check_start(run, cell.study, ["distill"], reporter, methods=[method])
        write_grid(run, called, method, list(over))
        made = train_cells(cells, method, Choice.among(folds, seeds), job)
        reporter.note(f"ablate: {made} students trained, {len(cells)} cells" if made else "ablate: nothing to train")
        if folds or seeds:
            reporter.note("ablate: scored once it is run without --fold and --seed")
            return None
        score_cells(run, study, cells, method, called, job)
    return read_ablation(run, called)


def _tell_stale(run: RunFolder, study: Study, reporter: Reporter) -> None:
    """Says which optional results are of other scores than those that the run has now."""
    from mtpkd_cli.pipeline import States, units_of
    from mtpkd_cli.pipeline.curve import units_of_curve
    from mtpkd_cli.pipeline.optional_units import optional_units

    others, curve = optional_units(run, study), units_of_curve(run, study)
    if others or curve:
        states = States(run, study, [*units_of(run, study), *others, *curve])
        # Of a curve its table stands for all that it is made of.
        for unit in [*others, *curve[-1:]]:
            if (state := states.of(unit)).kind == "stale":
                alone = unit.stage in ("final", "transfer", "curve")
                again = f"{unit.stage} {run.root}" if alone else f"evaluate {run.root} --{unit.stage}"
                reporter.note(f"{unit.label}: stale, {state.reason}; mtpkd {again}")


def _report_of(run: RunFolder) -> Path:
    return run.evaluation / "report.html"


def _write_report(run: RunFolder, reporter: Reporter) -> None:
    from mtpkd_cli.report import write_report

    reporter.note(f"wrote {write_report(run, reporter.progress)}")
