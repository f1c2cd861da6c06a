"""Thousands of clips and many features, of which a linear model learns more before a network knows them by heart."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from mtpkd_cli.config.study import ModelSection, TrainSection
from mtpkd_cli.models.losses import task_loss
from mtpkd_cli.training.data import StudyData
from mtpkd_cli.training.teachers import apply, fit_teacher

TRAIN, VALIDATION, TEST = torch.arange(0, 2000), torch.arange(2000, 2400), torch.arange(2400, 4400)
FEATURES, CLASSES = 120, 6
MODALITIES = ["face", "voice"]


def _data(seed: int) -> StudyData:
    """Two modalities of one step; six classes are drawn from a softmax that is linear in all features."""
    generator = torch.Generator().manual_seed(seed)
    n = len(TRAIN) + len(VALIDATION) + len(TEST)
    values = torch.randn(n, 2 * FEATURES, generator=generator)
    weights = torch.randn(2 * FEATURES, CLASSES, generator=generator) / (2 * FEATURES) ** 0.5
    labels = torch.multinomial((3 * values @ weights).softmax(1), 1, generator=generator)[:, 0]
    samples = pd.DataFrame({"subject": [str(i) for i in range(n)], "label": labels.numpy()})
    there = torch.ones(n, 1, dtype=torch.bool)
    parts = {name: (part[:, None], there) for name, part in zip(MODALITIES, values.chunk(2, dim=1), strict=True)}
    return StudyData(samples, labels, parts)


def _logistic_regression(data: StudyData) -> float:
    """Test loss of the best of four strengths, as validation says."""
    values = torch.cat([data.sequences[name][0][:, 0] for name in MODALITIES], dim=1)

    def loss(model: LogisticRegression, rows: torch.Tensor) -> float:
        return task_loss(torch.from_numpy(model.predict_log_proba(values[rows])), data.labels[rows]).item()

    strengths = (0.001, 0.01, 0.1, 1.0)
    models = [LogisticRegression(C=c, max_iter=1000).fit(values[TRAIN], data.labels[TRAIN]) for c in strengths]
    return loss(min(models, key=lambda model: loss(model, VALIDATION)), TEST)


def _teacher(data: StudyData, **model: float) -> float:
    teacher, _ = fit_teacher(
        data, MODALITIES, TRAIN, VALIDATION, outputs=CLASSES, sizes=ModelSection(**model).sizes,
        options=TrainSection(batch_size=128).model_dump(exclude={"crossfit_folds"}), seed=0,
    )  # fmt: skip
    return task_loss(apply(teacher, data, MODALITIES, TEST).logits, data.labels[TEST]).item()


@pytest.mark.slow
def test_stochastic_depth_lets_the_linear_part_learn_on() -> None:
    """Where attention is always heard, a teacher is six times as far behind logistic regression."""
    behind = []
    for seed in range(2):
        data = _data(seed)
        best = _logistic_regression(data)
        behind.append([_teacher(data) - best, _teacher(data, stochastic_depth=0.0) - best])
    default, always_heard = np.mean(behind, axis=0)
    assert default < 0.4 * always_heard
