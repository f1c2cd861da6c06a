"""Sound by a transformers model: wav2vec2, HuBERT, WavLM and the like; hidden states, mean per step.

Reads an audio file or the audio track of a video, and a model (see `_hf`). Long sound goes through the model in blocks,
so memory does not grow with it; a block does not hear the others.

References:
    Baevski et al., "wav2vec 2.0", NeurIPS 2020. Hsu et al., "HuBERT", TASLP 29, 2021. Chen et al., "WavLM", JSTSP 2022.
"""

import numpy as np
from pydantic import Field

from mtpkd_cli.encoders import Features, Segment
from mtpkd_cli.encoders._hf import HfOptions, hidden_states, load_model, model_files, settings_of

VERSION = 1
READS = "sound"
files = model_files

_LEAST_S = 0.1


class Config(HfOptions):
    """Options of the encoder."""

    step_s: float = Field(0.5, gt=0, description="Length of a step of the features in seconds.")
    block_s: float = Field(20.0, ge=1, description="Sound that the model hears at a time in seconds.")
    channel: int | None = Field(None, ge=1, description="Channel that is heard, from 1; none = the mean of all.")


def encode(segment: Segment, config: Config) -> Features:
    """Encodes a segment of sound.

    Returns:
        Features with T = duration / step_s, rounded up; a step is the mean of the states whose frames are centred in
        it, and repeats the one before where there is none. Notes count seconds without sound (lead, gaps and missing
        end), clips that are short (padded with silence) or silent throughout.

    Raises:
        DataError: See `mtpkd_cli.media.audio.read_audio` and `load_model`.
    """
    from mtpkd_cli.encoders._sound_quality import sound_quality
    from mtpkd_cli.media.audio import read_audio

    model, settings = load_model(config), settings_of(config)
    rate = int(settings.get("sampling_rate", 16_000))
    audio = read_audio(segment.path, rate, segment.start_s, segment.end_s, config.channel)
    n = len(audio.samples)
    n_steps = max(1, int(np.ceil(n / rate / config.step_s - 1e-9)))
    block = round(config.block_s * rate)
    sums: np.ndarray = np.zeros((n_steps, 1))
    counts = np.zeros(n_steps)
    for first in range(0, n, block):
        part = audio.samples[first : first + block]
        states = _states(model, part, config, rate, normalise=bool(settings.get("do_normalize", True)))
        # Frames are evenly spread over a block, whatever the model's strides are.
        centres_s = (first + (np.arange(len(states)) + 0.5) * len(part) / len(states)) / rate
        step = (centres_s / config.step_s).astype(int).clip(max=n_steps - 1)
        table = np.zeros((n_steps, states.shape[1]))
        np.add.at(table, step, states)
        sums, counts = sums + table, counts + np.bincount(step, minlength=n_steps)
    known = np.flatnonzero(counts)
    nearest = (np.searchsorted(known, np.arange(n_steps), side="right") - 1).clip(min=0)
    values = (sums / np.maximum(counts, 1)[:, None])[known[nearest]].astype(np.float32)
    notes = {
        "seconds_without_sound": audio.silent_s,
        "short": float(n < _LEAST_S * rate),
        "silent": float(not audio.samples.any()),
    }
    quality = sound_quality(audio, segment, round(_LEAST_S * rate))
    names = tuple(f"hf_{i}" for i in range(values.shape[1]))
    return Features(values, (np.arange(n_steps) + 0.5) * config.step_s, names, notes, quality=quality)


def _states(model: object, samples: np.ndarray, config: Config, rate: int, *, normalise: bool) -> np.ndarray:
    """(N,) float32 -> (frames, D); padded with silence to `_LEAST_S`, below which models have no frame."""
    import torch

    padded = np.pad(samples, (0, max(0, round(_LEAST_S * rate) - len(samples))))
    if normalise:
        # As the feature extractor of transformers does it.
        padded = (padded - padded.mean()) / np.sqrt(padded.var() + 1e-7)
    given = torch.from_numpy(padded.astype(np.float32))[None].to(config.device)
    states: np.ndarray = hidden_states(model, given, config.layer)[0].float().cpu().numpy()
    return states
