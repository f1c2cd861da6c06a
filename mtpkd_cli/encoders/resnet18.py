"""ResNet-18: what a network for pictures, trained on ImageNet, faces or by you, sees in each frame; mean per step.

Reads a video of one person and a file of weights in torchvision's layout, from torchvision or of a network that you
trained; nothing is downloaded. A step is the mean over its frames, 512 numbers.

References:
    He et al., "Deep residual learning for image recognition", CVPR 2016.
"""

import numpy as np
from pydantic import Field

from mtpkd_cli.encoders import Features, Segment
from mtpkd_cli.encoders._networks import (
    PICTURE_COLOURS,
    NetworkOptions,
    encode_windows,
    network_of,
    normalise,
    weights_of,
)

VERSION = 4
READS = "pictures"
files = weights_of


class Config(NetworkOptions):
    """Options of the encoder."""

    step_frames: int = Field(5, ge=1, le=128, description="Frames whose mean is a step; 5 of 10 per second are 0.5 s.")


def encode(segment: Segment, config: Config) -> Features:
    """Encodes a segment; see `encode_windows` for what it returns.

    Raises:
        DataError: See `mtpkd_cli.media.video.iter_frames` and `mtpkd_cli.models.stored_weights.load_weights`.
    """
    import torch

    network = network_of("resnet18", config)

    def run(pixels: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            features: np.ndarray = (
                network.features(normalise(pixels, PICTURE_COLOURS, config.device)).mean(0).cpu().numpy()
            )
            return features

    step = config.step_frames
    return encode_windows(segment, config, window=step, hop=step, run=run, name="resnet18", pad=False)
