"""Encoders: one file each, a media segment -> (T, D) features and their times.

Legend: T time steps, D features. An encoder file has

    VERSION   int; raised when the same input would give other numbers, so that caches of older versions are stale
    READS     "pictures" or "sound", where it reads its medium by `iter_frames` or `read_audio`, and so damaged where
              that is asked for; left out elsewhere
    Config    its options, a `mtpkd_cli.config.Options`; units in the names
    encode    (Segment, Config) -> Features
    files     Config -> paths of what features depend on besides the media, e.g. weights; left out where there is none
    prepare   (function that shows the user a line) -> None: what is made once on a machine, before workers start; left
              out where there is none

Where Config has an option `device`, "cpu" or "cuda", a network runs there. What runs encoders over samples is
`mtpkd_cli.encoders.running`.

Encoder files are imported to read their options, so they import librosa, decord, av, cv2, neurokit2 and torch inside
their functions only.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mtpkd_cli.artifacts.quality import Quality
from mtpkd_cli.errors import DataError, StudyError
from mtpkd_cli.media.damage import Damage, apply_damage
from mtpkd_cli.media.reader_names import take_reader_names
from mtpkd_cli.registry import ENCODERS


@dataclass(frozen=True)
class Segment:
    """The part of a media file that one sample covers.

    Args:
        path: The media file.
        start_s: Start in the file's time, seconds from its first frame or row; None = its beginning.
        end_s: End in the same time; None = its end.
    """

    path: Path
    start_s: float | None = None
    end_s: float | None = None


@dataclass(frozen=True)
class Features:
    """What an encoder says about a segment.

    Args:
        values: (T, D) float32, finite, T >= 1; or uint8, for pixels.
        times_s: (T,) float64, centres of the steps in seconds from the segment's start, strictly increasing.
        names: D names of the columns.
        notes: Counts worth telling the user, e.g. {"steps_without_face": 3}; summed over samples and shown
            (of notes that begin with "largest_" the largest).
        quality: How much of the segment was measured, and what was not; `mtpkd_cli.artifacts.quality` has the rule of
            what follows from it.
    """

    values: np.ndarray
    times_s: np.ndarray
    names: tuple[str, ...]
    notes: dict[str, float] = field(default_factory=dict)
    quality: Quality = field(kw_only=True)


def prepare_encoder(encoder: str, options: dict[str, Any], say: Callable[[str], None] = lambda _: None) -> None:
    """Called before workers encode samples: makes what has to be made once on a machine, and shows a line about it.

    Raises:
        DataError: A file that the encoder reads for every sample, such as weights, is not there.
        StudyError: Its network is to run on a GPU, and there is none.
    """
    module = ENCODERS.load(encoder)
    for path in module.files(module.Config(**options)) if hasattr(module, "files") else []:
        if not path.exists():
            raise DataError(
                f"a file that the encoder '{encoder}' reads is not there",
                where=path,
                todo="put it there, or mend the encoder's options in study.toml",
            )
    if options_here(options) != options:
        raise StudyError(
            "this machine has no CUDA device that torch can use",
            where=f"option device of the encoder '{encoder}'",
            expected="cpu",
            todo="ask for a GPU, or set the option to cpu",
        )
    if hasattr(module, "prepare"):
        module.prepare(say)


def options_here(options: dict[str, Any]) -> dict[str, Any]:
    """An encoder's options as this machine can meet them: on the CPU where they ask for a GPU and there is none."""
    if options.get("device") != "cuda":
        return options
    import torch

    return options if torch.cuda.is_available() else options | {"device": "cpu"}


def encode_sample(
    encoder: str, options: dict[str, Any], segment: Segment, damage: Damage | None = None
) -> tuple[Features, str]:
    """Encodes one sample; runs in a worker process, so it stands where no more is imported than that needs.

    Args:
        encoder: Its name.
        options: Its options, as `Config` takes them.
        segment: The sample's part of its medium.
        damage: What the medium suffers before the encoder sees it; None = nothing.

    Returns:
        The features, and the libraries that read the medium.

    Raises:
        DataError: The medium cannot be read, or the encoder gave no step or values that are not finite.
    """
    module = ENCODERS.load(encoder)
    take_reader_names()  # what an earlier sample left behind when it failed
    with apply_damage(damage):
        features: Features = module.encode(segment, module.Config(**options))
    if not len(features.values):
        raise DataError(f"encoder '{encoder}' gave no time step", where=segment.path)
    if not np.isfinite(features.values).all():
        raise DataError(f"encoder '{encoder}' gave values that are not finite", where=segment.path)
    return features, take_reader_names()
