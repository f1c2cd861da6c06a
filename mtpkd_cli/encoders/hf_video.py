"""Face clips by a transformers model of video: VideoMAE, TimeSformer, ViViT and the like; one vector per window.

Reads a video of one person, and a model (see `_hf`). Frames are the square around the face, standardised as the model's
folder says; windows have as many frames as the model was made for.

References:
    Tong et al., "VideoMAE: masked autoencoders are data-efficient learners for self-supervised video", NeurIPS 2022.
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

    crop_side_px: int = Field(224, ge=16, le=512, description="Side of the crops; the model's picture size.")
    pool: Literal["first", "mean"] = Field("mean", description="The first token (class), or the mean of all.")
    overlap: float = Field(0.5, ge=0, lt=1, description="Share of a window that the next one sees again.")


def files(config: Config) -> list[Path]:
    """The files that features depend on besides the media: the model's and the face model."""
    return [*model_files(config), *face_files(config)]


def encode(segment: Segment, config: Config) -> Features:
    """Encodes a segment; see `encode_windows` for what it returns.

    Raises:
        DataError: See `mtpkd_cli.media.video.iter_frames` and `load_model`.
    """
    model, colours = load_model(config), colours_of(settings_of(config))
    window = int(getattr(model.config, "num_frames", getattr(model.config, "frames_per_clip", 16)))

    def run(pixels: np.ndarray) -> np.ndarray:
        states = hidden_states(model, normalise(pixels, colours, config.device)[None], config.layer)[0]
        pooled: np.ndarray = (states[0] if config.pool == "first" else states.mean(dim=0)).cpu().numpy()
        return pooled

    hop = max(1, round(window * (1 - config.overlap)))
    return encode_windows(segment, config, window=window, hop=hop, run=run, name="hf")
