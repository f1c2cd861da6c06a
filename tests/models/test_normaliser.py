"""Normaliser: statistics of what it was fitted to, kept in the weights; missing cells, constants and artefacts."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from mtpkd_cli.models import Normaliser
from mtpkd_cli.training.data import StudyData
from mtpkd_cli.training.teachers import fit_teacher

N, T, D = 11, 3, 5


def training_values() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(N, T, D, generator=generator) * torch.tensor([1.0, 100.0, 1e-3, 1.0, 1.0]) + 7.0
    mask = torch.rand(N, T, generator=generator) < 0.7
    values[~mask] = 1e6  # absent steps must not count
    values[:, :, 3] = 0.1  # constant
    values[4, :, 0] = torch.nan  # missing cells
    return values, mask


def fitted() -> Normaliser:
    normaliser = Normaliser(D)
    normaliser.fit(*training_values())
    return normaliser


def test_mean_and_scale_are_those_of_the_existing_cells() -> None:
    values, mask = training_values()
    rows = values[mask].double().numpy()
    spread = np.nanstd(rows, axis=0)
    spread[3] = 1.0
    normaliser = fitted()
    np.testing.assert_allclose(normaliser.mean.numpy(), np.nanmean(rows, axis=0), rtol=1e-6)
    np.testing.assert_allclose(normaliser.scale.numpy(), spread, rtol=1e-5)


def test_training_rows_come_out_with_mean_zero_and_deviation_one() -> None:
    values, mask = training_values()
    normal = fitted()(values)[mask].numpy()
    np.testing.assert_allclose(normal.mean(0), 0, atol=2e-3)
    np.testing.assert_allclose(normal[:, [1, 2, 4]].std(0), 1, atol=2e-3)


def test_a_missing_cell_becomes_the_training_mean() -> None:
    normaliser = fitted()
    cells = torch.full((1, 1, D), torch.nan)
    torch.testing.assert_close(normaliser(cells), normaliser(normaliser.mean.expand(1, 1, D)))
    assert (normaliser(cells) == 0).all()


def test_a_constant_feature_stays_near_zero_and_is_not_blown_up() -> None:
    values, mask = training_values()
    assert fitted()(values)[mask][:, 3].abs().max() < 1e-6


def test_a_feature_without_any_cell_is_zero() -> None:
    normaliser = Normaliser(2)
    normaliser.fit(torch.full((3, 2, 2), torch.nan), torch.ones(3, 2, dtype=torch.bool))
    assert (normaliser(torch.full((3, 2, 2), torch.nan)) == 0).all()
    assert normaliser.scale.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(("artefact", "clipped"), [(1e12, 8.0), (-1e12, -8.0), (torch.inf, 8.0), (-torch.inf, -8.0)])
def test_artefacts_are_clipped_at_eight_deviations(artefact: float, clipped: float) -> None:
    assert (fitted()(torch.full((1, 1, D), artefact)) == clipped).all()


def test_statistics_travel_with_the_weights() -> None:
    other = Normaliser(D)
    other.load_state_dict(fitted().state_dict())
    assert set(other.state_dict()) == {"mean", "scale"}
    assert torch.equal(other.mean, fitted().mean)
    assert torch.equal(other.scale, fitted().scale)
    assert not list(other.parameters())


def test_a_teacher_is_normalised_by_its_training_rows_alone() -> None:
    generator = torch.Generator().manual_seed(3)
    values = torch.randn(N, T, D, generator=generator)
    values[7:] += 50.0  # validation and test subjects differ
    mask = torch.ones(N, T, dtype=torch.bool)
    mask[2] = False  # lacks the modality
    data = StudyData(
        pd.DataFrame({"subject": [str(i) for i in range(N)]}), torch.arange(N) % 2, {"face": (values, mask)}
    )
    options = {"epochs": 1, "batch_size": 4, "learning_rate": 1e-3, "weight_decay": 0.0}
    options |= {"warmup_share": 0.1, "patience": 1}
    train, validation = torch.arange(7), torch.arange(7, 9)
    sizes = {"embedding": 6, "heads": 2, "dropout": 0.0}
    teacher, _ = fit_teacher(data, ["face"], train, validation, outputs=2, sizes=sizes, options=options, seed=0)
    rows = values[[0, 1, 3, 4, 5, 6]].reshape(-1, D).double().numpy()
    normaliser = teacher.trunk.encoders[0].normaliser
    np.testing.assert_allclose(normaliser.mean.numpy(), rows.mean(0), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(normaliser.scale.numpy(), rows.std(0), rtol=1e-5)
