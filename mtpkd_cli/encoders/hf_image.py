"""Face frames by a transformers model of pictures: DINOv2, ViT and the like; one vector per frame, mean per step.

Reads a video of one person, and a model (see `_hf`). Frames are the square around the face, scaled and standardised as
the model's folder says.

References:
    Oquab et al., "DINOv2: learning robust visual features without supervision", TMLR 2024.
"""

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from mtpkd_cli.encoders import Features, Segment
from mtpkd_cli.encoders._faces import CropOptions, face_files
from mtpkd_cli.encoders._hf import HfOptions, hidden_states, load_model, model_files, settings_of
from mtpkd_cli.encoders._networks import colours_of, encode_windows, normalise

VERSION = 4
READS = "pictures"


class Config(HfOptions, CropOptions):
    """Options of the encoder."""

    crop_side_px: int = Field(224, ge=16, le=512, description="Side of the crops.")
    pool: Literal["first", "mean"] = Field("first", description="The first token (class), or the mean of all.")
    step_frames: int = Field(5, ge=1, le=128, description="Frames whose mean is a step; 5 of 10 per second are 0.5 s.")


def files(config: Config) -> list[Path]:
    """The files that features depend on besides the media: the model's and the face model."""
    return [*model_files(config), *face_files(config)]


def encode(segment: Segment, config: Config) -> Features:
    """Encodes a segment; see `encode_windows` for what it returns.

    Raises:
        DataError: See `mtpkd_cli.media.video.iter_frames` and `load_model`.
    """
    model, colours = load_model(config), colours_of(settings_of(config))

    def run(pixels: np.ndarray) -> np.ndarray:
        states = hidden_states(model, normalise(pixels, colours, config.device), config.layer)
        pooled: np.ndarray = (states[:, 0] if config.pool == "first" else states.mean(dim=1)).mean(0).cpu().numpy()
        return pooled

    step = config.step_frames
    return encode_windows(segment, config, window=step, hop=step, run=run, name="hf", pad=False)
