"""scikit-learn's models on pooled features: what a network of the same modalities and folds has to reach.

Legend: N samples, D features of a modality, C classes or targets.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

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


def pooled(data: StudyData, modalities: Sequence[str]) -> np.ndarray:
    """Mean and standard deviation of every feature over the existing steps, (N, 2 sum D); NaN where nothing exists."""
    columns = []
    for name in modalities:
        values, mask = data.sequences[name]
        steps = torch.where(mask.unsqueeze(-1), values, torch.nan).double()
        known = ~steps.isnan()
        count = known.sum(1)
        mean = steps.nansum(1) / count  # 0 / 0 is NaN: missing
        spread = (torch.where(known, steps - mean.unsqueeze(1), 0.0).square().sum(1) / count).sqrt()
        columns += [mean, spread]
    return torch.cat(columns, dim=1).cpu().numpy()


def classical_rows(model: str, data: StudyData, modalities: Sequence[str], fold: Fold, seed: int) -> pd.DataFrame:
    """Fits a model on training subjects, chooses its strength by validation subjects, and lets it answer.

    Args:
        model: One of `MODELS` of the task.
        modalities: What it sees; samples with none of them are left out, a missing one is the training mean.
        seed: Of the forest's draws.

    Returns:
        sample_id, part (validation or test) and scores (C,) float32: probabilities, or predictions in regression.
    """
    present = data.present(list(modalities)).cpu().numpy()
    rows = {part: data.rows(getattr(fold, part)).numpy() for part in ("train", "validation", "test")}
    rows = {part: own[present[own]] for part, own in rows.items()}
    inputs, labels, outputs = pooled(data, modalities), data.labels.cpu(), len(outputs_of(data.samples))
    train, validation = (rows[part] for part in ("train", "validation"))
    if labels.ndim == 2:
        train = train[valid_targets(labels[train]).all(1).numpy()]
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
