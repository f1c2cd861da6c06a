"""Windows of media -> features, in isolated processes: a broken file costs its own windows, and they say why."""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mtpkd_cli.artifacts.feature_ledgers import readable
from mtpkd_cli.artifacts.quality import Quality
from mtpkd_cli.config.study import ExtractSection
from mtpkd_cli.deploy.windows import Media, Window, lay_windows
from mtpkd_cli.encoders import Features, options_here
from mtpkd_cli.encoders.running import ResolvedEncoder, Sample, encode_samples
from mtpkd_cli.media.length import length_s
from mtpkd_cli.media.pool import Task, run_isolated


@dataclass
class EncodedWindow:
    """A window and its features, or why it has none.

    Args:
        window: The window.
        features: Modality -> features; a modality whose encoder failed is not there.
        errors: Modality -> why its encoder failed, or why it was refused.
        qualities: Modality -> how much of the window was measured, where it could be read.
    """

    window: Window
    features: dict[str, Features] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    qualities: dict[str, Quality] = field(default_factory=dict)

    @property
    def doubt(self) -> str:
        """What is doubtful of its prediction: modalities that were measured in part, or not at all; "" = nothing."""
        doubts = {name: self.qualities[name].doubt for name in self.features if name in self.qualities}
        # What is predicted from the others alone is no prediction by all that the student knows.
        lost = {name: error.splitlines()[0] for name, error in self.errors.items()} if self.features else {}
        said = [f"{name}: {text}" for name, text in (doubts | lost).items() if text]
        return "; ".join(said)


def windows_of(
    recordings: list[Path],
    window_s: float | None,
    hop_s: float | None,
    options: dict[str, Any],
    extract: ExtractSection,
) -> tuple[list[Window], list[EncodedWindow]]:
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
                unread.append(EncodedWindow(Window(path, 0), errors={"length": readable(outcome.error)}))
    return windows, unread


def windows_of_media(
    recordings: list[Media],
    window_s: float | None,
    hop_s: float | None,
    options: Mapping[str, dict[str, Any]],
    extract: ExtractSection,
) -> tuple[list[Window], list[EncodedWindow]]:
    """As `windows_of`, over recordings of several media: a recording lasts while all its media do.

    Args:
        window_s: None = what all media of a recording have in common is one window.
        options: Medium -> options of the encoder that reads it.
    """
    files = [(n, medium, path) for n, one in enumerate(recordings) for medium, path in one.files.items()]
    tasks = (Task(f"{n} {medium}", (path, options[medium])) for n, medium, path in files)
    lengths: list[dict[str, float]] = [{} for _ in recordings]
    errors: list[dict[str, str]] = [{} for _ in recordings]
    with closing(run_isolated(length_s, tasks, workers=extract.workers, **extract.limits)) as outcomes:
        for (n, medium, _), outcome in zip(files, outcomes, strict=True):
            if outcome.error is None:
                lengths[n][medium] = outcome.value - recordings[n].starts_s.get(medium, 0.0)
            else:
                errors[n][f"length of {medium}"] = readable(outcome.error)
    windows: list[Window] = []
    unread = []
    for one, known, failed in zip(recordings, lengths, errors, strict=True):
        common = min(known.values(), default=0.0)
        if not failed and common <= 0:
            failed["length"] = "its media have no moment in common"
        if failed:
            unread.append(EncodedWindow(Window(one.path, 0, media=one), errors=failed))
        else:
            laid = lay_windows(one.path, common, window_s or common, hop_s or common)
            windows += [replace(window, media=one) for window in laid]
    return windows, unread


def read_windows(
    windows: list[Window],
    encoders: dict[str, ResolvedEncoder],
    extract: ExtractSection,
    advance: Callable[[], None],
    media: Mapping[str, str] | None = None,
) -> list[EncodedWindow]:
    """Encodes every window by the encoder of every modality; `media` says which medium each is read from.

    A window in which nothing was measured (no face, no heart beat, silence) is an error: its features describe
    something else.
    """
    encoded_windows = [EncodedWindow(window) for window in windows]
    for name, encoder in encoders.items():
        options = options_here(encoder["options"])  # trained beside a GPU, applied wherever people are
        medium = (media or {}).get(name, name)
        samples = [Sample(str(i), *window.part(medium)) for i, window in enumerate(windows)]
        encoding = encode_samples(
            samples,
            encoder["name"],
            options,
            root=None,
            workers=extract.workers,
            limits=extract.limits,
            unmeasured="refuse",
            advance=advance,
        )
        for window, sample in zip(encoded_windows, encoding, strict=True):
            if sample.features is not None:
                window.features[name] = sample.features
            if sample.quality is not None:
                window.qualities[name] = sample.quality
            if sample.failure is not None:
                window.errors[name] = sample.failure.error
    return encoded_windows


def padded(windows: list[EncodedWindow], modality: str, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns values (N, T, D) float32 and mask (N, T) bool of one modality; a window without it has an empty row."""
    lengths = [len(encoded.features[modality].values) for encoded in windows if modality in encoded.features]
    steps = max(lengths, default=1)
    values, mask = np.zeros((len(windows), steps, size), np.float32), np.zeros((len(windows), steps), bool)
    for row, encoded in enumerate(windows):
        if modality in encoded.features:
            features = encoded.features[modality].values
            values[row, : len(features)], mask[row, : len(features)] = features, True
    return values, mask
