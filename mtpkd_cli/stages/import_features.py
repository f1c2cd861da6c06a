"""Features that a corpus brings ready made -> the same part files that extraction writes."""

from pathlib import Path

import numpy as np

from mtpkd_cli.artifacts import read_parquet, write_parquet
from mtpkd_cli.artifacts.feature_parts import PartAbout, part_files, part_table
from mtpkd_cli.config import parse_options
from mtpkd_cli.config.study import DataSection
from mtpkd_cli.errors import DataError, StudyError
from mtpkd_cli.registry import DATASETS
from mtpkd_cli.stages import Counts, Job


def build(out: Path, job: Job, *, samples: Path, name: str, data: DataSection) -> Counts:
    """Copies one modality's ready features; samples without it are counted, not an error.

    Raises:
        StudyError: The dataset brings no ready features.
        DataError: The corpus is not there, or nobody has this modality.
    """
    dataset = DATASETS.load(data.adapter)
    if not hasattr(dataset, "feature_table"):
        raise StudyError(
            f"dataset '{data.adapter}' brings no ready features",
            where=f"modalities.{name}.encoder = 'table'",
            todo="name an encoder for this modality",
        )
    if job.extraction.root is None:
        raise DataError("the corpus folder is not there", where="data.root", todo="mend data.root")
    config = parse_options(dataset.Config, data.options, where="study.toml [data.options]")
    ids = read_parquet(samples, columns=["sample_id"]).column("sample_id").to_pylist()
    table = dataset.feature_table(job.extraction.root, config, name)
    of_samples = table["sample_id"].isin(ids)
    strangers = table.loc[~of_samples, "sample_id"].nunique()
    table = table[of_samples]
    groups = table.groupby("sample_id", sort=True)
    sequences = {sample: (group["t_s"].to_numpy(), np.stack(list(group["features"]))) for sample, group in groups}
    if not sequences:
        raise DataError(
            f"not one sample has a value of '{name}'", where=job.extraction.root, todo="leave this modality out"
        )
    for left_over in part_files(out):
        left_over.unlink()
    about = PartAbout(key="", names=tuple(table.attrs.get("names", ())))
    write_parquet(out / "part-00000.parquet", part_table(sequences, about))
    notes = {"samples_without_it": len(ids) - len(sequences), **({"ids_of_no_sample": strangers} if strangers else {})}
    return {"samples": len(sequences), "failed": 0, "notes": notes}
