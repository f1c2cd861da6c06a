"""Predictions of students against the truth: confusion matrices of classes, scatter plots of targets."""

import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap

from mtpkd_cli.artifacts import read_parquet
from mtpkd_cli.datasets import TARGET_PREFIX
from mtpkd_cli.report.drawing import INK, SERIES, WIDTH_IN, Block, Panel, new_axes, panel_of, shortened
from mtpkd_cli.report.results import Results
from mtpkd_cli.training.predictions import PREDICTIONS

MOST_POINTS = 1500
MOST_NUMBERS = 10
# The benchmark's mark of a frame that is not to be scored; a row with it is left out of every metric too.


def agreement(results: Results) -> Block:
    """One panel per student (and target), test predictions of all folds and seeds pooled.

    Raises:
        ArtifactError: evaluation/predictions.parquet cannot be read.
    """
    table = read_parquet(results.run.evaluation / PREDICTIONS).to_pandas()
    predictions = {method: table[table["method"] == method] for method in results.students}
    predictions = {method: rows for method, rows in predictions.items() if len(rows)}
    if not predictions:
        return Block(absent="There are no test predictions of students.")
    if results.classification:
        return _confusions(results, predictions)
    return _scatters(results, predictions)


def _confusions(results: Results, predictions: dict[str, pd.DataFrame]) -> Block:
    names = [str(name) for name in results.summary.outputs]
    seeds = len({seed for _, seed in results.repetitions})
    panels = [_confusion(method, rows, names) for method, rows in predictions.items()]
    caption = (
        "Rows are the true class, columns the predicted one; each row adds up to 100 %, with the number of predictions "
        f"below, pooled over {len(results.repetitions)} folds x seeds"
        + (f" (so each test sample counts {seeds} times, once per seed)" if seeds > 1 else "")
        + ". Look at the diagonal: a dark one is right; a dark column is a class that is said too often."
    )
    return Block(caption, panels)


def _confusion(method: str, rows: pd.DataFrame, names: list[str]) -> Panel:
    predicted = np.stack(rows["scores"].to_list()).argmax(axis=1)
    counts = np.zeros((len(names), len(names)), int)
    np.add.at(counts, (rows["label"].to_numpy(), predicted), 1)
    support = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, support, out=np.zeros(counts.shape), where=support > 0)
    axes = new_axes(method, WIDTH_IN * 0.8, WIDTH_IN * 0.86)
    light_to_blue = LinearSegmentedColormap.from_list("share", ["#f3f6f9", "#08457e"])
    axes.imshow(shares, vmin=0, vmax=1, cmap=light_to_blue, interpolation="none")
    for (row, column), share in np.ndenumerate(shares) if len(names) <= MOST_NUMBERS else ():
        text = f"{share * 100:.0f} %\n({counts[row, column]})" if len(names) <= 5 else f"{share * 100:.0f}"
        colour = "#fdfdfe" if share > 0.62 else "#1f2429"  # fixed: the cell below keeps its colour in the dark too
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=8 if len(names) <= 5 else 6)
    ticks = [shortened(name, 12) for name in names]
    axes.set_xticks(range(len(names)), ticks, rotation=0 if len(names) < 4 else 60)
    axes.set_yticks(range(len(names)), ticks)
    axes.tick_params(length=0)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    return panel_of(axes, f"confusion-{method}", f"Confusion matrix of {method}")


def _scatters(results: Results, predictions: dict[str, pd.DataFrame]) -> Block:
    targets = [str(name) for name in results.summary.outputs]
    panels, pooled = [], 0
    for method, rows in predictions.items():
        true = rows[[TARGET_PREFIX + name for name in targets]].to_numpy(float)
        predicted = np.stack(rows["scores"].to_list())
        for column, target in enumerate(targets):
            kept = np.isfinite(true[:, column])
            pooled = max(pooled, int(kept.sum()))
            if kept.any():
                panels.append(_scatter(f"{method}: {target}", true[kept, column], predicted[kept, column]))
    if not panels:
        return Block(absent="No test sample has a target that counts.")
    some = f"{MOST_POINTS} of {pooled}, evenly spaced" if pooled > MOST_POINTS else f"{pooled}"
    caption = (
        f"Each point is one test prediction ({some} per panel, folds and seeds pooled), in target units. On the line, "
        "prediction and target are equal; a cloud that lies flatter than the line is a model that keeps to the mean."
    )
    return Block(caption, panels)


def _scatter(name: str, true: np.ndarray, predicted: np.ndarray) -> Panel:
    if len(true) > MOST_POINTS:
        chosen = np.linspace(0, len(true) - 1, MOST_POINTS).round().astype(int)
        true, predicted = true[chosen], predicted[chosen]
    axes = new_axes(name, WIDTH_IN * 0.8)
    axes.scatter(true, predicted, s=9, color=SERIES[0], alpha=0.5 if len(true) < 300 else 0.25, linewidth=0)
    ends = [float(min(true.min(), predicted.min())), float(max(true.max(), predicted.max()))]
    axes.plot(ends, ends, color=INK, linewidth=0.8)
    axes.set_xlabel("target (target units)")
    axes.set_ylabel("predicted (target units)")
    axes.grid()
    return panel_of(axes, f"scatter-{name}", f"Predictions against targets, {name}")
