"""R(2+1)D-18: what a network for actions with space and time apart sees in short windows of face video.

Reads a video of one person and a file of weights in torchvision's layout, from torchvision or of a network that you
trained; nothing is downloaded. A step is a window of frames, 512 numbers. It costs about 40 GFLOP per window: a GPU
helps.

References:
    Tran et al., "A closer look at spatiotemporal convolutions for action recognition", CVPR 2018.
"""

from mtpkd_cli.encoders import Features, Segment
from mtpkd_cli.encoders._clip_networks import ClipNetworkOptions, encode_clips
from mtpkd_cli.encoders._networks import weights_of

VERSION = 4
READS = "pictures"
files = weights_of


class Config(ClipNetworkOptions):
    """Options of the encoder."""


def encode(segment: Segment, config: Config) -> Features:
    """Encodes a segment; see `encode_windows` and `encode_clips` for what it returns and raises."""
    return encode_clips(segment, config, "r2plus1d18")
