"""The figures of each class of pooled predictions, against scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics as oracle

from mtpkd_cli import metrics
from mtpkd_cli.evaluation.figures import class_figures


def test_figures_of_classes_are_scikit_learns_over_all_parts() -> None:
    rng = np.random.default_rng(7)
    drawn = [(rng.integers(0, 3, n), rng.dirichlet(np.ones(4), n)) for n in (13, 8)]
    parts = [metrics.Part(labels, scores, np.full(len(labels), "a")) for labels, scores in drawn]
    figures = class_figures(parts, ["a", "b", "c", "never"])
    labels, predicted = np.concatenate([p.labels for p in parts]), np.concatenate([p.scores.argmax(1) for p in parts])
    assert figures["confusion"] == oracle.confusion_matrix(labels, predicted, labels=range(4)).tolist()
    expected = oracle.precision_recall_fscore_support(labels, predicted, labels=range(4), zero_division=0)
    for row, precision, recall, f1, support in zip(figures["classes"], *expected, strict=True):
        assert row.support == support
        assert (row.precision or 0, row.recall or 0, row.f1 or 0) == pytest.approx((precision, recall, f1))
    assert figures["classes"][3].recall is None
    bins = figures["reliability"].bins
    assert sum(one.samples for one in bins) == 21
    error = sum(one.samples * abs(one.accuracy - one.confidence) for one in bins) / 21
    assert figures["reliability"].ece == pytest.approx(error)
