"""What the encoders of short clips by residual networks share: options and the run of a window."""

from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from mtpkd_cli.encoders import Features, Segment
from mtpkd_cli.encoders._networks import CLIP_COLOURS, NetworkOptions, encode_windows, network_of, normalise


class ClipNetworkOptions(NetworkOptions):
    """Options of R3D-18 and R(2+1)D-18."""

    rate_hz: float = Field(15.0, gt=0, le=120, description="Frames read per second; Kinetics weights saw 15.")
    window_frames: int = Field(16, ge=1, le=128, description="Frames that the network sees at a time.")
    hop_frames: int = Field(8, ge=1, le=128, description="Frames from the start of a window to that of the next.")

    @model_validator(mode="after")
    def _no_gaps(self) -> Self:
        if self.hop_frames > self.window_frames:
            raise ValueError(
                f"hop_frames = {self.hop_frames} leaves gaps between windows of {self.window_frames} frames"
            )
        return self


def encode_clips(segment: Segment, config: ClipNetworkOptions, kind: Literal["r3d18", "r2plus1d18"]) -> Features:
    """Encodes the windows of a segment.

    Raises:
        DataError: See `mtpkd_cli.media.video.iter_frames` and `mtpkd_cli.models.stored_weights.load_weights`.
    """
    import torch

    network = network_of(kind, config)

    def run(pixels: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            clip = normalise(pixels, CLIP_COLOURS, config.device).transpose(0, 1)[None]
            features: np.ndarray = network.features(clip)[0].cpu().numpy()
            return features

    return encode_windows(segment, config, window=config.window_frames, hop=config.hop_frames, run=run, name=kind)
