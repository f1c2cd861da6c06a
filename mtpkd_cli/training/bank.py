"""The teacher bank: the outputs of every frozen teacher for every sample, one Parquet file per teacher.

Legend: K teachers, N samples, d embedding size, C classes or targets. Features are cached and teachers are frozen, so
this is a constant: distillation reads columns and never runs a teacher. In regression logits are predictions in
units of the targets; a fit takes them in standard deviations (`TeacherBank.with_standard_targets`).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from torch import Tensor

from mtpkd_cli.artifacts import read_parquet, write_parquet
from mtpkd_cli.methods import TeacherBank


def write_teacher(
    folder: Path, name: str, sample_ids: list[str], parts: list[str], columns: dict[str, Tensor], present: Tensor
) -> Path:
    """Writes the outputs of one teacher.

    Args:
        parts: train (labelled), unlabelled, validation or test, per sample.
        columns: embedding (N, d), logits (N, C), crossfit_logits (N, C).
        present: (N,) bool.
    """
    table = {"sample_id": pa.array(sample_ids), "part": pa.array(parts).dictionary_encode(), "present": present.numpy()}
    table |= {key: fixed_lists(torch.where(present[:, None], column, 0.0)) for key, column in columns.items()}
    path = folder / f"{name}.parquet"
    write_parquet(path, pa.table(table))
    return path


def read_bank(
    folder: Path, names: list[str], sample_ids: list[str], parts: list[str], sees: Sequence[str] = ()
) -> TeacherBank:
    """Reads the rows of some parts (train, unlabelled, validation, test) of some teachers; `sees` as in TeacherBank.

    Rows of other parts never leave the reader: they are filtered out while the file is read. Samples that the bank
    does not hold in these parts come back as absent.
    """
    columns: dict[str, list[Tensor]] = {"embedding": [], "logits": [], "crossfit_logits": [], "present": []}
    for name in names:
        table = read_parquet(folder / f"{name}.parquet", filters=[("part", "in", parts)])
        index = pd.Index(table.column("sample_id").to_pandas()).get_indexer(pd.Index(sample_ids))
        in_bank = torch.from_numpy(index >= 0)
        for key in ("embedding", "logits", "crossfit_logits"):
            values = tensor_of(table.column(key))[torch.from_numpy(index)]
            columns[key].append(torch.where(in_bank[:, None], values, 0.0))
        present = torch.from_numpy(table.column("present").to_numpy())[torch.from_numpy(index)]
        columns["present"].append(present & in_bank)
    embeddings, logits, crossfit_logits, seen = (torch.stack(column) for column in columns.values())
    return TeacherBank(names, embeddings, logits, crossfit_logits, seen, tuple(sees))


def tested_samples(folder: Path) -> list[str]:
    """The samples that a repetition tests, those among them that no teacher could read included."""
    return samples_of_part(folder, "test")


def samples_of_part(folder: Path, part: str) -> list[str]:
    """The samples of a part (as in `write_teacher`) of a repetition, whether a teacher could read them or not."""
    table = read_parquet(min(folder.glob("*.parquet")), columns=["sample_id"], filters=[("part", "==", part)])
    ids: list[str] = table.column("sample_id").to_pylist()
    return ids


def fixed_lists(values: Tensor) -> pa.Array:
    """(N, D) tensor -> Arrow column of N fixed-size lists of float32."""
    array = np.ascontiguousarray(values.numpy(), np.float32)
    return pa.FixedSizeListArray.from_arrays(pa.array(array.ravel()), array.shape[1])


def tensor_of(column: pa.ChunkedArray) -> Tensor:
    """Arrow column of N fixed-size lists -> (N, D) tensor."""
    lists = column.combine_chunks()
    flat = lists.flatten().to_numpy(zero_copy_only=False)
    return torch.from_numpy(flat.reshape(-1, lists.type.list_size).copy())
