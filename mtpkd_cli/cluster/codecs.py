"""Whether a video reader works here: a short H.264 clip with sound is made and decoded."""

import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np

FRAMES, RATE_HZ, SIDE = 12, 12, 64


def try_reader(reader: str) -> str:
    """Decodes a clip with "decord" or "av" and says what was read.

    Raises:
        ImportError: The library is not there.
        ValueError: It gives other frames than the clip has.
    """
    with tempfile.TemporaryDirectory(prefix="mtpkd-doctor-") as folder:
        path = Path(folder) / "clip.mp4"
        codec = _write_clip(path)
        brightness = {"decord": _by_decord, "av": _by_av}[reader](path)
    # Each frame is a little brighter than the one before it.
    if len(brightness) != FRAMES or not (np.diff(brightness) > 0).all():
        raise ValueError(f"{len(brightness)} of {FRAMES} frames were read, or not in their order")
    return f"decodes {codec}"


def _write_clip(path: Path) -> str:
    import av

    codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE_HZ)
        assert isinstance(stream, av.VideoStream)
        stream.width = stream.height = SIDE
        stream.pix_fmt, stream.time_base = "yuv420p", Fraction(1, RATE_HZ)
        for number in range(FRAMES):
            picture = np.full((SIDE, SIDE, 3), 40 + 12 * number, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return "H.264" if codec == "libx264" else codec


def _by_decord(path: Path) -> np.ndarray:
    import decord

    return np.array([frame.asnumpy().mean() for frame in decord.VideoReader(str(path))])


def _by_av(path: Path) -> np.ndarray:
    import av

    with av.open(str(path)) as container:
        return np.array([frame.to_ndarray(format="rgb24").mean() for frame in container.decode(video=0)])
