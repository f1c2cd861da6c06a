"""scikit-learn's models on pooled features: what a network of the same modalities and folds has to reach.

Legend: N samples, D features of a modality, C classes or targets.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from mtpkd_cli import metrics
from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.artifacts.records import Record, read_record
from mtpkd_cli.errors import DataError
from mtpkd_cli.evaluation.comparison import Draws
from mtpkd_cli.evaluation.predictions import Predictions
from mtpkd_cli.evaluation.summary import Difference, Estimate
from mtpkd_cli.models.class_balance import balanced_probabilities
from mtpkd_cli.models.losses import task_loss, valid_targets
from mtpkd_cli.models.targets import TargetUnits
from mtpkd_cli.registry import METRICS
from mtpkd_cli.training.data import StudyData, outputs_of
from mtpkd_cli.training.sides import Sides

CLASSICAL = "classical.json"
_STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
_LEAVES = (2, 10)
_TREES = 100

MODELS = {
    "classification": ("logistic regression", "random forest"),
    "regression": ("ridge regression", "random forest"),
}
"""Task -> names of the models."""


class RivalScores(Record):
    """A model beside a network: its score, and the network minus it."""

    score: Estimate
    difference: Difference


class NetworkRow(Record):
    """A network and its rivals.

    Args:
        network: "teacher NAME", or the method whose student it is.
        modalities: What all of them see.
        rivals: Model -> its scores.
    """

    network: str
    modalities: list[str]
    score: Estimate
    rivals: dict[str, RivalScores]


class ClassicalScores(Record):
    """What classical.json holds.

    Args:
        metric: That they are compared by.
        label: How it is printed.
        test: The test behind p, in words.
    """

    metric: str
    label: str
    test: str
    rows: list[NetworkRow]


class PooledFeatures(NamedTuple):
    """What the models see of all samples.

    Args:
        values: (N, 2 sum D) mean and standard deviation of every feature over the steps that exist, else NaN.
        present: (N,) bool, samples that have any of the modalities.
        modalities: Their names.
    """

    values: np.ndarray
    present: np.ndarray
    modalities: Sequence[str]


def pool_features(data: StudyData, modalities: Sequence[str]) -> PooledFeatures:
    """Pools the features of some modalities over time."""
    columns = []
    for name in modalities:
        values, mask = data.sequences[name]
        steps = torch.where(mask.unsqueeze(-1), values, torch.nan).double()
        known = ~steps.isnan()
        count = known.sum(1)
        mean = steps.nansum(1) / count  # 0 / 0 is NaN: missing
        spread = (torch.where(known, steps - mean.unsqueeze(1), 0.0).square().sum(1) / count).sqrt()
        columns += [mean, spread]
    present = data.present(list(modalities)).cpu().numpy()
    return PooledFeatures(torch.cat(columns, dim=1).cpu().numpy(), present, modalities)


def predict_classical(
    model: str, data: StudyData, seen: PooledFeatures, sides: Sides, seed: int, *, balanced: bool = False
) -> pd.DataFrame:
    """Fits a model on training subjects, chooses its strength by validation subjects, and predicts.

    Args:
        model: One of `MODELS` of the task.
        sides: Of the fold; labels that are hidden there are not learned from.
        seen: What it sees; samples with no modality are left out, a missing one is the training mean.
        seed: Of the forest's draws.
        balanced: Classes count alike, as in networks: by what the model says of the training side.

    Returns:
        sample_id, part (validation or test) and scores (C,) float32: probabilities, or predictions in regression.

    Raises:
        DataError: Training or validation subjects have nothing of what it sees, or training subjects one class only.
    """
    there = sides.having(torch.from_numpy(seen.present))
    rows = {part: of_part.numpy() for part, of_part in there.parts.items()}
    inputs, labels, outputs = seen.values, data.labels.cpu(), len(outputs_of(data.samples))
    train, validation = (rows[part] for part in ("train", "validation"))
    if labels.ndim == 2:
        train = train[valid_targets(labels[train]).all(1).numpy()]
    _refuse_what_teaches_nothing(seen, {"training": labels[train], "validation": labels[validation]})
    # As networks do: of targets in other units a forest would hardly see the one that varies less.
    scale = data.target_scale(sides.labelled)
    labels = labels if scale is None else scale.standardised(labels)
    best, lowest = None, np.inf
    for candidate in _candidates(model, seed, labels.ndim == 1):
        candidate.fit(inputs[train], labels.numpy()[train])
        scores = torch.from_numpy(_scores(candidate, inputs[validation], outputs))
        # Of classes the loss takes logits, and the softmax of log p is p.
        loss = task_loss(scores.clamp(min=1e-6).log() if labels.ndim == 1 else scores, labels[validation]).item()
        if best is None or loss < lowest:
            best, lowest = candidate, loss
    frames, trained = [], torch.from_numpy(_scores(best, inputs[there.training.numpy()], outputs))
    for part in ("validation", "test"):
        predicted = _scores(best, inputs[rows[part]], outputs) if len(rows[part]) else np.zeros((0, outputs))
        if balanced:
            predicted = balanced_probabilities(torch.from_numpy(predicted), trained).numpy()
        predicted = TargetUnits(scale)(torch.from_numpy(predicted)).numpy()
        names = data.samples["sample_id"].to_numpy()[rows[part]]
        frames.append(pd.DataFrame({"sample_id": names, "part": part, "scores": list(predicted.astype(np.float32))}))
    return pd.concat(frames, ignore_index=True)


def compare_with_classical(
    network: str, predictions: Mapping[str, Predictions], modalities: list[str], metric: str, draws: Draws
) -> NetworkRow:
    """Compares a network with the models that see what it sees.

    Args:
        network: Its name among the predictions; all others are models.
        predictions: Name -> predictions of the same folds and seeds.
        metric: By which they are compared.
    """
    module = METRICS.load(metric)
    pooled = getattr(module, "POOLED", False)
    parts = {name: one.for_metric(getattr(module, "THRESHOLD", None)) for name, one in predictions.items()}
    resampled = {
        name: metrics.resampled_scores(
            module.metric, [part for _, part in repetitions.values()], *draws.bootstrap, pooled=pooled
        )
        for name, repetitions in parts.items()
    }
    scores = {name: Estimate.of(one.estimate) for name, one in resampled.items()}
    rivals = {}
    for rival in (name for name in predictions if name != network):
        versus = metrics.versus(
            module.metric, {name: parts[name] for name in (network, rival)}, resampled, rival, family=[network],
            subjects=draws.subjects, swaps=draws.swaps, ranked=getattr(module, "ORDER_ONLY", False), pooled=pooled,
        )  # fmt: skip
        rivals[rival] = RivalScores(score=scores[rival], difference=Difference.against(versus[network]))
    return NetworkRow(network=network, modalities=modalities, score=scores[network], rivals=rivals)


def read_classical(run: RunFolder) -> ClassicalScores:
    """Reads what has been measured; raises ArtifactError where nothing has."""
    todo = f"mtpkd evaluate {run.root} --classical"
    return read_record(run.classical / CLASSICAL, ClassicalScores, "no classical models were fitted", todo)


def _refuse_what_teaches_nothing(seen: PooledFeatures, labels: dict[str, torch.Tensor]) -> None:
    names, todo = ", ".join(seen.modalities), "run `mtpkd check`; fewer folds leave more subjects to each part"
    for part, there in labels.items():
        if not len(there):
            raise DataError(f"the {part} subjects of a fold have no sample with {names} and a label", todo=todo)
    if labels["training"].ndim == 1 and len(labels["training"].unique()) < 2:
        raise DataError(f"all samples with {names} of a fold's training subjects are of one class", todo=todo)


def _candidates(model: str, seed: int, of_classes: bool) -> list[Any]:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if model == "logistic regression":
        models: list[Any] = [LogisticRegression(C=strength, max_iter=5000) for strength in _STRENGTHS]
    elif model == "ridge regression":
        models = [Ridge(1 / strength) for strength in _STRENGTHS]
    else:
        kind = RandomForestClassifier if of_classes else RandomForestRegressor
        models = [kind(_TREES, min_samples_leaf=leaf, random_state=seed) for leaf in _LEAVES]
    return [make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler(), model) for model in models]


def _scores(fitted: Any, inputs: np.ndarray, outputs: int) -> np.ndarray:
    """(N, C): probabilities of all classes, those that training did not have being 0, or predictions."""
    if not hasattr(fitted, "predict_proba"):
        predicted: np.ndarray = np.reshape(fitted.predict(inputs), (len(inputs), outputs))
        return predicted
    scores = np.zeros((len(inputs), outputs))
    scores[:, fitted.classes_] = fitted.predict_proba(inputs)
    return scores
