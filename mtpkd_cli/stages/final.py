"""The split of a student for use in the field: everybody trains or says when to stop, and nobody is left to test."""

from pathlib import Path

from mtpkd_cli.artifacts import read_parquet, write_json
from mtpkd_cli.config.study import DataSection
from mtpkd_cli.stages import Counts, Job
from mtpkd_cli.training.splits import final_fold, to_json


def build(out: Path, job: Job, *, samples: Path, data: DataSection) -> Counts:
    """Writes splits.json with one fold whose test side is empty.

    Args:
        data: Which people validate, and how many; nothing else of it is used.
    """
    fold = final_fold(read_parquet(samples).to_pandas(), data)
    settings = {"split": "final", "validation_share": data.validation_share, "seed": data.split_seed}
    write_json(out / "splits.json", to_json([fold], settings))
    without = f"{len(fold.unlabelled)} teach without a label, " if fold.unlabelled else ""
    job.reporter.note(
        f"final: {len(fold.train)} people train, {without}{len(fold.validation)} say when to stop, nobody is left to "
        "test it"
    )
    return {"subjects": len(fold.train) + len(fold.validation), "validation_subjects": len(fold.validation)}
