"""Models of pooled features: scikit-learn's answers, chosen by validation subjects, blind to test subjects."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mtpkd_cli.config.recordings import ALL_LABELS
from mtpkd_cli.errors import DataError
from mtpkd_cli.evaluation.classical import MODELS, pool_features, predict_classical
from mtpkd_cli.training.data import StudyData
from mtpkd_cli.training.sides import Sides, sides_of
from mtpkd_cli.training.splits import Fold

PEOPLE, EACH, STEPS, SIZE = 12, 10, 4, 3
FOLD = Fold([str(i) for i in range(6)], [str(i) for i in range(6, 9)], [str(i) for i in range(9, 12)])


def _sides(data: StudyData) -> Sides:
    return sides_of(data.samples, FOLD, 0, ALL_LABELS)


def _data(task: str = "classification") -> StudyData:
    generator = torch.Generator().manual_seed(0)
    n = PEOPLE * EACH
    values = torch.randn(n, STEPS, SIZE, generator=generator)
    mask = torch.arange(STEPS) < torch.randint(1, STEPS + 1, (n, 1), generator=generator)
    samples = pd.DataFrame({"sample_id": [f"s{i}" for i in range(n)], "subject": [str(i // EACH) for i in range(n)]})
    labels = torch.arange(n) % 3
    values[:, :, 0] += labels[:, None]
    values[3, 0, 1], mask[3] = torch.nan, True
    mask[7] = False
    if task == "regression":
        labels = torch.stack([values[:, 0, 0].nan_to_num(), 2 * labels.float()], dim=1)
        labels[0, 0] = labels[1, 1] = torch.nan
        samples[["target_a", "target_b"]] = labels.numpy()
    else:
        samples["label"] = labels.numpy()
        samples["label_name"] = [f"class {i}" for i in labels.tolist()]
    return StudyData(samples, labels, {"face": (values, mask)})


def test_pooled_features_are_means_and_deviations_of_the_cells_that_exist() -> None:
    data = _data()
    values, mask = data.sequences["face"]
    pooled = pool_features(data, ["face"]).values
    for i in (0, 3, 20):
        cells = values[i][mask[i]].double().numpy()
        expected = np.concatenate([np.nanmean(cells, axis=0), np.nanstd(cells, axis=0)])
        np.testing.assert_allclose(pooled[i], expected, atol=1e-9)
    assert np.isnan(pooled[7]).all()


def test_logistic_regression_is_scikit_learns_with_the_strength_that_validation_subjects_choose() -> None:
    data = _data()
    rows = predict_classical("logistic regression", data, pool_features(data, ["face"]), _sides(data), seed=0)
    inputs, labels = pool_features(data, ["face"]).values, data.labels.numpy()
    there = ~np.isnan(inputs).any(1)
    side = {name: data.samples["subject"].isin(getattr(FOLD, name)).to_numpy() for name in ("train", "validation")}
    tried = []
    for strength in (1e-3, 1e-2, 1e-1, 1.0, 10.0):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=5000))
        model.fit(inputs[side["train"] & there], labels[side["train"] & there])
        tried.append((log_loss(labels[side["validation"]], model.predict_proba(inputs[side["validation"]])), model))
    best = min(tried, key=lambda pair: pair[0])[1]
    test = rows[rows["part"] == "test"]
    assert list(test["sample_id"]) == [f"s{i}" for i in range(90, 120)]
    np.testing.assert_allclose(np.stack(test["scores"]), best.predict_proba(inputs[90:120]), atol=1e-5)


@pytest.mark.parametrize("model", MODELS["classification"])
def test_what_test_subjects_are_changes_nothing_for_others(model: str) -> None:
    before, after = (
        predict_classical(model, data, pool_features(data, ["face"]), _sides(data), seed=1)
        for data in (_data(), _other_test_people())
    )
    chosen = before["part"] == "validation"
    np.testing.assert_array_equal(np.stack(before.loc[chosen, "scores"]), np.stack(after.loc[chosen, "scores"]))
    assert (np.stack(before.loc[~chosen, "scores"]) != np.stack(after.loc[~chosen, "scores"])).any()


def _other_test_people() -> StudyData:
    data = _data()
    data.sequences["face"][0][90:] *= -3
    data.labels[90:] = data.labels[90:].flip(0)
    return data


@pytest.mark.parametrize("model", MODELS["regression"])
def test_targets_are_learned_and_masked_ones_left_out(model: str) -> None:
    data = _data("regression")
    rows = predict_classical(model, data, pool_features(data, ["face"]), _sides(data), seed=0)
    predicted = np.stack(rows.loc[rows["part"] == "test", "scores"])
    assert predicted.shape == (30, 2)
    assert np.corrcoef(predicted[:, 1], data.labels[90:, 1])[0, 1] > 0.6


def test_a_class_that_training_subjects_lack_has_probability_zero() -> None:
    data = _data()
    data.labels[:60] = data.labels[:60].clamp(max=1)
    rows = predict_classical("logistic regression", data, pool_features(data, ["face"]), _sides(data), seed=0)
    scores = np.stack(rows["scores"])
    assert (scores[:, 2] == 0).all()
    np.testing.assert_allclose(scores.sum(1), 1, atol=1e-6)


def test_parts_that_teach_nothing_are_refused_with_the_modality_and_the_part() -> None:
    data = _data()
    data.sequences["face"][1][60:90] = False
    with pytest.raises(DataError, match="the validation subjects of a fold have no sample with face"):
        predict_classical("random forest", data, pool_features(data, ["face"]), _sides(data), seed=0)
    data = _data()
    data.labels[:60] = 1
    with pytest.raises(DataError, match="samples with face of a fold's training subjects are of one class"):
        predict_classical(
            "logistic regression",
            data,
            pool_features(data, ["face"]),
            sides_of(data.samples, FOLD, 0, ALL_LABELS),
            seed=0,
        )
