"""Embeddings of all teachers before and after alignment, in the plane of their two largest directions."""

import numpy as np
from matplotlib.axes import Axes

from mtpkd_cli.artifacts import read_parquet
from mtpkd_cli.evaluation.embeddings import embeddings_as_trained
from mtpkd_cli.report.drawing import SERIES, WIDTH_IN, Block, Panel, figure_of, new_axes, panel_of, shortened
from mtpkd_cli.report.results import Results

MOST_SAMPLES = 250
MARKS = "osD^vP*X"


def spaces(results: Results) -> Block:
    """Two panels of one fold's test samples: each teacher as trained, and as the bank holds it.

    Raises:
        ArtifactError: Features, a teacher or the bank of the first repetition cannot be read.
    """
    fold, seed = results.repetitions[0]
    names = list(results.study.teacher_modalities)
    banks = {name: read_parquet(results.run.bank(fold, seed) / f"{name}.parquet").to_pandas() for name in names}
    tables = {
        name: bank[(bank["part"] == "test") & bank["present"]].set_index("sample_id") for name, bank in banks.items()
    }
    shared = sorted(set.intersection(*(set(table.index) for table in tables.values())))
    if len(shared) < 3:
        return Block(absent="Fewer than three test samples were seen by all teachers.")
    shown = [shared[i] for i in np.unique(np.linspace(0, len(shared) - 1, MOST_SAMPLES).round().astype(int))]
    after = {name: np.stack(table.loc[shown, "embedding"].to_list()) for name, table in tables.items()}
    folders = {name: results.run.teacher(fold, seed, name) for name in names}
    before = embeddings_as_trained(results.run, folders, shown, results.study.network.normalise)
    labels = _labels(results, shown)
    panels = [
        _panel("before alignment", before, labels, results),
        _panel("after alignment", after, labels, results),
    ]
    marks = ", one mark per class" if results.classification else ""
    caption = (
        f"The {len(shown)} test samples of fold {fold}, seed {seed}, once per teacher (colour){marks}, on the two "
        "directions in which all of them together vary most (PCA, each panel its own; per cent of the variance on the "
        "axes). Before alignment every teacher has a space of its own and forms a cloud of its own; after it the "
        "clouds should lie over each other, and where the classes part they should part alike for all teachers."
    )
    return Block(caption, panels)


def _labels(results: Results, shown: list[str]) -> np.ndarray:
    if not results.classification:
        return np.zeros(len(shown), int)
    samples = read_parquet(results.run.samples, columns=["sample_id", "label"]).to_pandas().set_index("sample_id")
    return samples.loc[shown, "label"].to_numpy(int)


def _panel(title: str, clouds: dict[str, np.ndarray], labels: np.ndarray, results: Results) -> Panel:
    every = np.concatenate(list(clouds.values()))
    centre = every.mean(axis=0)
    _, spread, directions = np.linalg.svd(every - centre, full_matrices=False)
    shares = spread**2 / max(float((spread**2).sum()), 1e-12)
    axes = new_axes(title, WIDTH_IN * 0.95)
    for number, (name, cloud) in enumerate(clouds.items()):
        _cloud(axes, (cloud - centre) @ directions[:2].T, labels, SERIES[number % len(SERIES)], shortened(name, 18))
    outputs = results.summary.outputs
    for label in np.unique(labels) if results.classification else ():
        mark = MARKS[label % len(MARKS)]
        axes.scatter([], [], s=14, marker=mark, color=SERIES[-1], linewidth=0, label=shortened(str(outputs[label]), 14))
    axes.set_xlabel(f"first direction ({shares[0]:.0%} of the variance)")
    axes.set_ylabel(f"second direction ({shares[1]:.0%})")
    axes.grid()
    figure_of(axes).legend(loc="outside lower center", ncols=3, handlelength=1, columnspacing=1)
    return panel_of(axes, f"space-{title}", f"Embeddings of all teachers {title}")


def _cloud(axes: Axes, points: np.ndarray, labels: np.ndarray, colour: str, name: str) -> None:
    for number, label in enumerate(np.unique(labels)):
        of_class = points[labels == label]
        mark, shown = MARKS[label % len(MARKS)], name if number == 0 else None
        axes.scatter(
            of_class[:, 0], of_class[:, 1], s=12, marker=mark, color=colour, alpha=0.65, linewidth=0, label=shown
        )
