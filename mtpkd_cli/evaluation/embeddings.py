"""Embeddings of teachers as they were trained, before alignment; the bank holds those after it."""

from pathlib import Path

import numpy as np
import torch

from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.models import Teacher
from mtpkd_cli.training.checkpoints import load_model
from mtpkd_cli.training.data import read_data
from mtpkd_cli.training.teachers import apply


def embeddings_as_trained(
    run: RunFolder, teachers: dict[str, Path], sample_ids: list[str], normalise: str
) -> dict[str, np.ndarray]:
    """Applies teachers to some samples.

    Args:
        teachers: Teacher -> folder of its model.
        sample_ids: N samples that all of them can see.
        normalise: As the study says.

    Returns:
        Teacher -> (N, d) embeddings.

    Raises:
        ArtifactError: Features or a teacher cannot be read.
    """
    models = {name: load_model(folder, Teacher)[0] for name, folder in teachers.items()}
    modalities = dict.fromkeys(name for model in models.values() for name in model.trunk.modalities)
    data = read_data(run.samples, {name: run.features(name) for name in modalities}, "cpu", normalise)
    row_of = {sample: row for row, sample in enumerate(data.samples["sample_id"])}
    rows = torch.tensor([row_of[sample] for sample in sample_ids])
    return {name: apply(model, data, model.trunk.modalities, rows).embedding.numpy() for name, model in models.items()}
