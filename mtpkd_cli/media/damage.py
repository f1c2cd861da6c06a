"""What recordings suffer in the field, done to decoded pictures and sound before anything else sees them.

A process reads one sample at a time, so the process is the place to keep what its medium suffers: within a block
of `apply_damage`, `iter_frames` and `read_audio` give damaged pictures and sound, and an encoder, its face search
included, meets them as it would in the field. Every kind draws by the seed of the sample alone, and at a worse level
the same places suffer, and more of them: curves over levels are smooth.
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtpkd_cli.media import _picture_damage as pictures
from mtpkd_cli.media import _sound_damage as sound

VERSION = 1
"""Raised when the same damage would give other pictures or sound, so that features of older versions are stale."""


@dataclass(frozen=True)
class Damage:
    """What one sample's medium suffers.

    Args:
        sense: "pictures" or "sound".
        kind: One of KINDS[sense].
        level: How badly, in the kind's unit.
        sample: Whose medium it is; names the draws.
    """

    sense: str
    kind: str
    level: float
    sample: str

    @property
    def generator(self) -> np.random.Generator:
        """Draws of this sample and kind, whatever the level."""
        digest = hashlib.sha256(f"{self.kind}/{self.sample}".encode()).digest()
        return np.random.default_rng(int.from_bytes(digest[:8], "little"))


@dataclass(frozen=True)
class Kind:
    """One way to suffer.

    Args:
        title: What happens, in a few words.
        label: What the axis says, with its unit.
        levels: From mild to severe; an undamaged medium is no level.
        none: What the axis says of an undamaged medium.
        factor: What a level is multiplied by where it is shown.
        begin: (level, draws) -> a function that changes the stream part by part; see the sense's module.
    """

    title: str
    label: str
    levels: tuple[float, ...]
    none: str
    factor: float
    begin: Callable[[float, np.random.Generator], Callable[..., Any]]


KINDS: dict[str, dict[str, Kind]] = {
    "pictures": {
        "frame-drop": Kind(
            "Frames are lost, the picture freezes",
            "frames lost (%)",
            (0.2, 0.4, 0.6, 0.8),
            "0",
            100,
            pictures.drop_frames,
        ),
        "fewer-frames": Kind(
            "Fewer frames", "one frame left of (frames)", (2.0, 4.0, 8.0, 16.0), "1", 1, pictures.keep_every_nth
        ),
        "blur": Kind("Blur", "Gaussian sd (% of picture height)", (0.005, 0.01, 0.02, 0.04), "0", 100, pictures.blur),
        "noise": Kind(
            "Noise", "sd per pixel (grey levels of 255)", (5.0, 10.0, 20.0, 40.0), "0", 1, pictures.add_noise
        ),
        "occlusion": Kind("Partly hidden", "picture hidden (%)", (0.05, 0.1, 0.2, 0.4), "0", 100, pictures.occlude),
    },
    "sound": {
        "noise": Kind("Noise", "signal-to-noise ratio (dB)", (30.0, 20.0, 10.0, 0.0), "none", 1, sound.add_noise),
        "dropouts": Kind(
            "Sound drops out", "20 ms packets lost (%)", (0.1, 0.2, 0.4, 0.6), "0", 100, sound.drop_packets
        ),
    },
}

_applied: list[Damage] = []


@contextmanager
def apply_damage(damage: Damage | None) -> Iterator[None]:
    """Damages what this process reads within the block; None = nothing."""
    before = _applied[:]
    _applied[:] = [] if damage is None else [damage]
    try:
        yield
    finally:
        _applied[:] = before


def change_of(sense: str) -> Callable[..., Any] | None:
    """How a stream that begins now is changed part by part, as the sense's module says; None = it is left alone."""
    for damage in _applied:
        if damage.sense == sense:
            return KINDS[sense][damage.kind].begin(damage.level, damage.generator)
    return None
