"""A student's predictions of samples that it has not learned from, as the table that evaluation reads."""

from collections.abc import Mapping

import pandas as pd
import torch
from torch import Tensor

from mtpkd_cli.models import Output, Student
from mtpkd_cli.training.data import StudyData
from mtpkd_cli.training.teachers import apply

PREDICTIONS = "predictions.parquet"


def predictions_of(data: StudyData, network: Student, parts: Mapping[str, Tensor]) -> pd.DataFrame:
    """Applies a student to the rows of every part (validation, test).

    Returns:
        Columns sample_id, subject, recording, part, scores (probabilities, or predicted targets) and embedding.
    """
    tables = []
    for part, rows in parts.items():
        output: Output = apply(network, data, network.trunk.modalities, rows)
        logits = output.logits.cpu()
        scores = logits if data.labels.is_floating_point() else torch.softmax(logits, dim=1)
        table = data.samples.iloc[rows.numpy()][["sample_id", "subject", "recording"]].reset_index(drop=True)
        columns = {"scores": list(scores.numpy()), "embedding": list(output.embedding.cpu().numpy())}
        tables.append(table.assign(part=part, **columns))
    return pd.concat(tables, ignore_index=True)
