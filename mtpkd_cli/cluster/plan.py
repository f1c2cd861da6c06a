"""What is left of a study as batch jobs: extraction in shards, an array over fold x seed per stage, evaluation.

Of a curve over labels that was asked for, arrays over share x fold x seed, and then its scores.
"""

from dataclasses import dataclass, field

from mtpkd_cli.artifacts import RunFolder, read_parquet
from mtpkd_cli.config import Study
from mtpkd_cli.pipeline import STAGES, States, Unit, units_of
from mtpkd_cli.pipeline.curve_request import read_request

ON_GPU = ("train-teachers", "align", "distill", "curve")
"""Stages whose arrays compute with torch and gain from a GPU."""


@dataclass(frozen=True)
class BatchJob:
    """One sbatch file.

    Args:
        name: The file's name, without its ending.
        stage: The command that its tasks call.
        repetitions: (fold, seed) of each task of an array; empty where the job serves all folds and seeds.
        shares: Share of the labels of each of these tasks, where the array is of a curve.
        shards: Tasks of an array over shards, 1 = no array.
        after: Names of the jobs that must have succeeded before.
    """

    name: str
    stage: str
    repetitions: list[tuple[int, int]] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    shards: int = 1
    after: tuple[str, ...] = ()

    @property
    def tasks(self) -> int:
        """How many tasks it has."""
        return len(self.repetitions) or self.shards

    @property
    def trains(self) -> bool:
        """Whether its tasks fit networks."""
        return self.stage in ON_GPU and bool(self.repetitions)


def plan_jobs(run: RunFolder, study: Study, shards: int, array_limit: int) -> list[BatchJob]:
    """Plans batch jobs for all that is not done; nothing where all is.

    Args:
        run: The run folder; its samples are listed.
        study: The study.
        shards: Tasks over which extraction is spread, where there are as many part files.
        array_limit: Most tasks of one array; what is more goes into further arrays of the stage.
    """
    units = units_of(run, study)
    states = States(run, study, units)
    undone = [unit for unit in units if states.of(unit).kind != "done"]
    jobs: list[BatchJob] = []
    before: tuple[str, ...] = ()
    for stage in STAGES:
        units_left = [unit for unit in undone if unit.stage == stage]
        if not units_left:
            continue
        repetitions = sorted({(u.fold, u.seed) for u in units_left if u.fold is not None and u.seed is not None})
        pieces = [repetitions[i : i + array_limit] for i in range(0, len(repetitions), array_limit)] or [[]]
        made = [
            BatchJob(
                stage if len(pieces) == 1 else f"{stage}-{number}",
                stage,
                piece,
                shards=min(shards, array_limit, _parts(run, study, units_left)),
                after=before,
            )
            for number, piece in enumerate(pieces, start=1)
        ]
        jobs += made
        before = tuple(job.name for job in made)
    return [*jobs, *_curve_jobs(run, study, jobs, array_limit)]


def _curve_jobs(run: RunFolder, study: Study, jobs: list[BatchJob], array_limit: int) -> list[BatchJob]:
    """Jobs for what is left of a curve that was asked for, beside those of the study.

    Other shares wait for features alone; what is added at the study's own share reads the run's teachers and banks, and
    may use its students.
    """
    request = read_request(run)
    if request is None:
        return []
    from mtpkd_cli.pipeline.curve import shares_of, table_unit  # loads what scores; rarely asked for

    curve = shares_of(run, study, request)
    fits, table = [unit for one in curve for unit in one.fits], table_unit(run, study, request, curve)
    scores = [*(one.evaluation for one in curve), table]
    states = States(run, study, [*units_of(run, study), *fits, *scores])
    extracted = _names(jobs, "extract")
    distilled = next((names for stage in ("distill", "align") if (names := _names(jobs, stage))), extracted)
    made: list[BatchJob] = []
    for name, is_studied, after in (("curve", False, extracted), ("curve-study", True, distilled)):
        tasks = [
            (one.share, pair)
            for one in curve
            if one.is_studied == is_studied
            for pair in one.repetitions
            if any(
                unit.stage == "curve" and (unit.fold, unit.seed) == pair and states.of(unit).kind != "done"
                for unit in one.fits
            )
        ]
        pieces = [tasks[i : i + array_limit] for i in range(0, len(tasks), array_limit)]
        made += [
            BatchJob(
                name if len(pieces) == 1 else f"{name}-{number}",
                "curve",
                [pair for _, pair in piece],
                [share for share, _ in piece],
                after=after,
            )
            for number, piece in enumerate(pieces, start=1)
        ]
    if not made and all(states.of(unit).kind == "done" for unit in scores):
        return []
    before = (*(job.name for job in made), *(distilled if not _names(jobs, "evaluate") else _names(jobs, "evaluate")))
    return [*made, BatchJob("curve-scores", "curve", after=before)]


def _names(jobs: list[BatchJob], stage: str) -> tuple[str, ...]:
    return tuple(job.name for job in jobs if job.stage == stage)


def _parts(run: RunFolder, study: Study, units: list[Unit]) -> int:
    """Part files of the largest modality that is to be extracted; 1 where no media are read."""
    if not any(unit.module == "extract" for unit in units):
        return 1
    samples = read_parquet(run.samples, columns=["sample_id"]).num_rows
    return max(1, -(-samples // study.extract.part_samples))
