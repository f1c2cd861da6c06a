"""Similarity matrices: how samples relate in the teacher's embedding, and in those of its students."""

from pathlib import Path

import numpy as np
import pandas as pd

from mtpkd_cli.artifacts import read_parquet
from mtpkd_cli.datasets import TARGET_PREFIX
from mtpkd_cli.errors import ArtifactError
from mtpkd_cli.evaluation.summary import TEACHER_PREFIX
from mtpkd_cli.report.drawing import INK, MINUS, PAPER, WIDTH_IN, Block, Panel, figure_of, new_axes, panel_of, shortened
from mtpkd_cli.report.results import Results
from mtpkd_cli.training.predictions import PREDICTIONS

MOST_ROWS = 200


def similarity_matrices(results: Results) -> Block:
    """Draws cosine similarities of one fold's test samples: the joint teacher's, then each student's.

    Raises:
        ArtifactError: The first repetition has no bank, or it cannot be read.
    """
    fold, seed = results.repetitions[0]
    joint = results.study.align.joint
    clouds = {TEACHER_PREFIX + joint: _embeddings(results.run.bank(fold, seed) / f"{joint}.parquet")}
    for method in results.students:
        path = results.run.student(fold, seed, method) / PREDICTIONS
        if path.is_file():
            clouds[method] = _embeddings(path)
    samples, by = _sorted_samples(results)
    shared = [name for name in samples.index if all(name in cloud.index for cloud in clouds.values())]
    if len(shared) < 3:
        return Block(absent="Fewer than three test samples were seen by teacher and students alike.")
    if len(shared) > MOST_ROWS:
        shown = [shared[i] for i in np.linspace(0, len(shared) - 1, MOST_ROWS).round().astype(int)]
    else:
        shown = shared
    order = samples.loc[shown, by]
    matrices = {name: _cosines(np.stack(cloud.loc[shown].to_list())) for name, cloud in clouds.items()}
    teacher = next(iter(matrices.values()))
    ticks = _class_ticks(order, results) if results.classification else {}
    panels = [_panel(name, matrix, teacher, ticks, by) for name, matrix in matrices.items()]
    return Block(_caption(results, len(shown), len(shared), f"fold {fold}, seed {seed}", by), panels)


def _embeddings(path: Path) -> pd.Series:
    table = read_parquet(path, filters=[("part", "==", "test")]).to_pandas()
    if "present" in table:
        table = table[table["present"]]
    return table.set_index("sample_id")["embedding"]


def _sorted_samples(results: Results) -> tuple[pd.DataFrame, str]:
    samples = read_parquet(results.run.samples).to_pandas()
    targets = [column for column in samples if str(column).startswith(TARGET_PREFIX)]
    by = "label" if results.classification else (targets or [""])[0]
    if by not in samples:
        raise ArtifactError("the samples table has no labels", where=results.run.samples)
    return samples.sort_values([by, "subject", "sample_id"]).set_index("sample_id"), by


def _cosines(rows: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = np.divide(rows, length, out=np.zeros(rows.shape), where=length > 0)
    cosines: np.ndarray = unit @ unit.T
    return cosines


def _class_ticks(order: pd.Series, results: Results) -> dict[str, tuple[int, int]]:
    """Class name -> its first and last row (exclusive)."""
    labels = order.to_numpy()
    names = results.summary.outputs
    ticks = {}
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        if label < len(names):
            ticks[str(names[label])] = (int(rows[0]), int(rows[-1]) + 1)
    return ticks


def _panel(name: str, matrix: np.ndarray, teacher: np.ndarray, ticks: dict[str, tuple[int, int]], by: str) -> Panel:
    off_diagonal = ~np.eye(len(matrix), dtype=bool)
    title = name
    if matrix is not teacher:
        pair = matrix[off_diagonal], teacher[off_diagonal]
        flat = min(values.std() for values in pair) == 0
        title += "" if flat else f", r = {np.corrcoef(*pair)[0, 1]:.2f}".replace("-", MINUS)
    axes = new_axes(title, WIDTH_IN * 0.86)
    image = axes.imshow(matrix, vmin=-1, vmax=1, cmap="RdBu_r", interpolation="none")
    for _, end in list(ticks.values())[:-1]:
        axes.axhline(end - 0.5, color=PAPER, linewidth=2)
        axes.axvline(end - 0.5, color=PAPER, linewidth=2)
        axes.axhline(end - 0.5, color=INK, linewidth=0.7)
        axes.axvline(end - 0.5, color=INK, linewidth=0.7)
    if ticks:
        middles = [(first + end - 1) / 2 for first, end in ticks.values()]
        shown = [shortened(name, 10) for name in ticks]
        axes.set_xticks(middles, shown, rotation=0 if len(ticks) < 4 else 60)
        axes.set_yticks(middles, shown)
        axes.tick_params(length=0)
    what = "class" if ticks else by.removeprefix(TARGET_PREFIX)
    axes.set_xlabel(f"test samples, sorted by {what}")
    axes.set_ylabel("test samples, same order")
    figure_of(axes).colorbar(image, ax=axes, label="cosine similarity", shrink=0.85)
    return panel_of(axes, f"similarity-{name}", f"Similarity matrix of {name}")


def _caption(results: Results, shown: int, shared: int, where: str, by: str) -> str:
    some = (
        f"{shown} of {shared} test samples, evenly spaced in that order," if shown < shared else f"{shown} test samples"
    )
    sought = (
        "blocks along the diagonal, red within a class and blue between classes, mean that the embedding tells the "
        "classes apart; smaller squares are subjects who resemble themselves, since a class is sorted by subject"
        if results.classification
        else f"a red band along the diagonal means that the embedding follows {by.removeprefix(TARGET_PREFIX)}"
    )
    return (
        f"Cosine similarity of the embeddings of {some} of {where}, one colour scale for all panels: {sought}. r is "
        "the correlation of a student's similarities with the teacher's, off the diagonal; structure distillation asks "
        "for a high one. One repetition, so read differences of r as an illustration."
    )
