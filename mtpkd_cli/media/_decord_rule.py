"""Where decord is exact: the one rule, from the container and the packets of a file.

decord counts packets. It seeks to the key packet before the wanted frame and takes as many decoded frames as there are
packets between; where something is decoded and not shown, or shown and not counted, it answers with another moment.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np

from mtpkd_cli.media._mp4 import mp4_packets
from mtpkd_cli.media._packets import MOST_GAP_S, Packets, list_packets
from mtpkd_cli.media._video_request import Unreadable

_CONTAINERS = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm")
_CODECS = ("h264", "vp8", "vp9", "prores")


def exact_stamps(path: Path) -> np.ndarray:
    """Returns when the frames are presented, (N,) float64, increasing, seconds in the file's own time.

    Raises:
        Unreadable: decord would not be exact, or it cannot be known.
        OSError, av.FFmpegError, ValueError, RuntimeError: The file cannot be read.
    """
    state = path.stat()
    stamps_s, reason = _judged(path.absolute(), (state.st_mtime_ns, state.st_size))
    if reason:
        raise Unreadable(reason)
    return stamps_s


@lru_cache(maxsize=4)
def _judged(path: Path, _state: tuple[int, int]) -> tuple[np.ndarray, str]:
    # An mp4's tables say all of it in a thousandth of a second; of others, and of unusual mp4, the packets are listed.
    packets = mp4_packets(path) or list_packets(path).packets
    return np.sort(packets.stamps_s), inexact(packets)


def inexact(packets: Packets) -> str:
    """Why decord would not be exact; empty where it is."""
    stamps_s = np.sort(packets.stamps_s)
    reasons = {
        f"not for sure exact in {packets.container}": packets.container not in _CONTAINERS,
        f"not for sure exact for {packets.codec}": packets.codec not in _CODECS,
        "there are several picture streams": packets.pictures != 1,
        "an edit list leaves frames out": not packets.shown.all(),
        "not all frames have a time stamp": not np.isfinite(stamps_s).all(),
        "time stamps are negative": not stamps_s[0] >= 0,
        "time stamps do not increase as they should": not (
            (steps := np.diff(stamps_s)).size == 0 or (steps.min() > 0 and steps.max() < MOST_GAP_S)
        ),
        "key frames need frames before them": not packets.clean,
        "frames before a key frame are shown after it, or the reverse": not packets.closed,
    }
    return next((reason for reason, holds in reasons.items() if holds), "")
