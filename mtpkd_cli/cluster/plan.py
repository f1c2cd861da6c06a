"""What is left of a study as batch jobs: extraction in shards, an array over fold x seed per stage, evaluation."""

from dataclasses import dataclass, field

from mtpkd_cli.artifacts import RunFolder, read_parquet
from mtpkd_cli.config import Study
from mtpkd_cli.pipeline import STAGES, States, Unit, units_of

ON_GPU = ("train-teachers", "align", "distill")
"""Stages that compute with torch and gain from a GPU."""


@dataclass(frozen=True)
class BatchJob:
    """One sbatch file.

    Args:
        name: The file's name, without its ending.
        stage: The command that its tasks call.
        repetitions: (fold, seed) of each task of an array; empty where the job serves all folds and seeds.
        shards: Tasks of an array over shards, 1 = no array.
        after: Names of the jobs that must have succeeded before.
    """

    name: str
    stage: str
    repetitions: list[tuple[int, int]] = field(default_factory=list)
    shards: int = 1
    after: tuple[str, ...] = ()

    @property
    def tasks(self) -> int:
        """How many tasks it has."""
        return len(self.repetitions) or self.shards


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
                min(shards, array_limit, _parts(run, study, units_left)),
                before,
            )
            for number, piece in enumerate(pieces, start=1)
        ]
        jobs += made
        before = tuple(job.name for job in made)
    return jobs


def _parts(run: RunFolder, study: Study, units: list[Unit]) -> int:
    """Part files of the largest modality that is to be extracted; 1 where no media are read."""
    if not any(unit.module == "extract" for unit in units):
        return 1
    samples = read_parquet(run.samples, columns=["sample_id"]).num_rows
    return max(1, -(-samples // study.extract.part_samples))
