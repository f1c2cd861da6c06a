"""Windows of media -> features, in isolated processes: a broken file costs its own windows and is told."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mtpkd_cli.artifacts.feature_ledgers import readable
from mtpkd_cli.config.study import ExtractSection
from mtpkd_cli.deploy.windows import Window, lay_windows
from mtpkd_cli.encoders import Features, options_here, unseen_shares
from mtpkd_cli.encoders.running import Sample, encode_samples
from mtpkd_cli.media.length import length_s
from mtpkd_cli.media.pool import Task, run_isolated


@dataclass
class Read:
    """A window and what was read of it.

    Args:
        features: Modality -> what its encoder says; one that failed is not there.
        errors: Modality -> why not.
    """

    window: Window
    features: dict[str, Features] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def unseen(self) -> float | None:
        """The largest share of steps of which an encoder saw nothing (no face); None where none of them says."""
        shares = [share for features in self.features.values() for _, share in unseen_shares(features)]
        return max(shares, default=None)


def windows_of(
    recordings: list[Path],
    window_s: float | None,
    hop_s: float | None,
    options: dict[str, Any],
    extract: ExtractSection,
) -> tuple[list[Window], list[Read]]:
    """Lays windows over the recordings; returns them, and the recordings whose length cannot be read.

    Args:
        window_s: None = every recording is one window.
        options: Of the encoder that reads them.
    """
    if window_s is None or hop_s is None:
        return [Window(path, 0) for path in recordings], []
    windows: list[Window] = []
    unread = []
    tasks = (Task(str(number), (path, options)) for number, path in enumerate(recordings))
    with closing(run_isolated(length_s, tasks, workers=extract.workers, **extract.limits)) as outcomes:
        for path, outcome in zip(recordings, outcomes, strict=True):
            if outcome.error is None:
                windows += lay_windows(path, outcome.value, window_s, hop_s)
            else:
                unread.append(Read(Window(path, 0), errors={"length": readable(outcome.error)}))
    return windows, unread


def read_windows(
    windows: list[Window], encoders: dict[str, dict[str, Any]], extract: ExtractSection, advance: Callable[[], None]
) -> list[Read]:
    """Encodes every window by the encoder of every modality.

    A window in which an encoder looked for something (a face) and never found it is an error: its features describe
    something else.
    """
    result = [Read(window) for window in windows]
    for name, encoder in encoders.items():
        options = options_here(encoder["options"])  # trained beside a GPU, applied wherever people are
        samples = [Sample(str(i), str(w.recording), w.start_s, w.end_s) for i, w in enumerate(windows)]
        encoding = encode_samples(
            samples,
            encoder["name"],
            options,
            root=None,
            workers=extract.workers,
            limits=extract.limits,
            must_detect=True,
            advance=advance,
        )
        for read, encoded in zip(result, encoding, strict=True):
            if encoded.features is not None:
                read.features[name] = encoded.features
            if encoded.failure is not None:
                read.errors[name] = encoded.failure.error
    return result


def padded(reads: list[Read], modality: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns values (N, T, D) float32 and mask (N, T) bool of one modality; a window without it has an empty row."""
    steps = max((len(read.features[modality].values) for read in reads if modality in read.features), default=1)
    values, mask = np.zeros((len(reads), steps, size), np.float32), np.zeros((len(reads), steps), bool)
    for row, read in enumerate(reads):
        if modality in read.features:
            own = read.features[modality].values
            values[row, : len(own)], mask[row, : len(own)] = own, True
    return values, mask
