"""scikit-learn's models on pooled features: what a network of the same modalities and folds has to reach.

Legend: N samples, D features of a modality, C classes or targets.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from mtpkd_cli.errors import DataError
from mtpkd_cli.models.losses import task_loss, valid_targets
from mtpkd_cli.training.data import StudyData, outputs_of
from mtpkd_cli.training.splits import Fold

_STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
_LEAVES = (2, 10)
_TREES = 100

MODELS = {
    "classification": ("logistic regression", "random forest"),
    "regression": ("ridge regression", "random forest"),
}
"""Task -> names of the models."""


class Pooled(NamedTuple):
    """What the models see of all samples.

    Args:
        values: (N, 2 sum D) mean and standard deviation of every feature over the steps that exist, else NaN.
        present: (N,) bool, samples that have any of the modalities.
        modalities: Their names.
    """

    values: np.ndarray
    present: np.ndarray
    modalities: Sequence[str]


def pooled(data: StudyData, modalities: Sequence[str]) -> Pooled:
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
    return Pooled(torch.cat(columns, dim=1).cpu().numpy(), present, modalities)


def classical_rows(model: str, data: StudyData, seen: Pooled, fold: Fold, seed: int) -> pd.DataFrame:
    """Fits a model on training subjects, chooses its strength by validation subjects, and lets it answer.

    Args:
        model: One of `MODELS` of the task.
        seen: What it sees; samples with no modality are left out, a missing one is the training mean.
        seed: Of the forest's draws.

    Returns:
        sample_id, part (validation or test) and scores (C,) float32: probabilities, or predictions in regression.

    Raises:
        DataError: Training or validation subjects have nothing of what it sees, or training subjects one class only.
    """
    rows = {part: data.rows(getattr(fold, part)).numpy() for part in ("train", "validation", "test")}
    rows = {part: own[seen.present[own]] for part, own in rows.items()}
    inputs, labels, outputs = seen.values, data.labels.cpu(), len(outputs_of(data.samples))
    train, validation = (rows[part] for part in ("train", "validation"))
    if labels.ndim == 2:
        train = train[valid_targets(labels[train]).all(1).numpy()]
    _refuse_what_teaches_nothing(seen, {"training": labels[train], "validation": labels[validation]})
    best, lowest = None, np.inf
    for candidate in _candidates(model, seed, labels.ndim == 1):
        candidate.fit(inputs[train], labels.numpy()[train])
        said = torch.from_numpy(_scores(candidate, inputs[validation], outputs))
        # Of classes the loss takes logits, and the softmax of log p is p.
        loss = task_loss(said.clamp(min=1e-6).log() if labels.ndim == 1 else said, labels[validation]).item()
        if best is None or loss < lowest:
            best, lowest = candidate, loss
    frames = []
    for part in ("validation", "test"):
        said_of = _scores(best, inputs[rows[part]], outputs) if len(rows[part]) else np.zeros((0, outputs))
        names = data.samples["sample_id"].to_numpy()[rows[part]]
        frames.append(pd.DataFrame({"sample_id": names, "part": part, "scores": list(said_of.astype(np.float32))}))
    return pd.concat(frames, ignore_index=True)


def _refuse_what_teaches_nothing(seen: Pooled, labels: dict[str, torch.Tensor]) -> None:
    names, todo = ", ".join(seen.modalities), "run `mtpkd check`; fewer folds leave more subjects to each part"
    for part, own in labels.items():
        if not len(own):
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
        said: np.ndarray = np.reshape(fitted.predict(inputs), (len(inputs), outputs))
        return said
    scores = np.zeros((len(inputs), outputs))
    scores[:, fitted.classes_] = fitted.predict_proba(inputs)
    return scores
