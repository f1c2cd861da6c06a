"""The prediction drawn over the video: each moment shows the mean of the windows that it lies in. Without sound."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtpkd_cli import interruption
from mtpkd_cli.artifacts.process import this_process
from mtpkd_cli.errors import DataError, StudyError
from mtpkd_cli.media.video import iter_frames

TICKS = 90_000
INK, PAPER, BAR = (250, 250, 250), (20, 24, 28), (90, 170, 230)


def check_overlay(path: Path, recordings: list[Path], options: dict[str, Any]) -> None:
    """Raises StudyError unless there is one recording that has pictures, and the file's name ends in .mp4."""
    if path.suffix.lower() != ".mp4":
        raise StudyError(f"received {path.name}", where="--overlay", expected="a name that ends in .mp4")
    if len(recordings) != 1:
        raise StudyError(f"there are {len(recordings)} recordings", where="--overlay", expected="one")
    if "column" in options:
        raise StudyError("the student reads signals, which have no pictures", where="--overlay", expected="a video")


def draw_overlay(path: Path, recording: Path, windows: pd.DataFrame, outputs: list[str], task: str) -> None:
    """Writes an H.264 video of the recording with the prediction of each moment.

    Args:
        windows: Of `predict_windows`, of this recording alone.
        outputs: Names of the C classes or targets.

    Raises:
        DataError: The recording has no pictures, or they cannot be encoded.
    """
    import av

    names = [f"p_{name}" for name in outputs] if task == "classification" else outputs
    starts = windows["start_s"].fillna(0.0).to_numpy(float)
    ends = windows["end_s"].fillna(np.inf).to_numpy(float)
    values = windows[names].to_numpy(float)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.stem}.{this_process()}.mp4")
    try:
        with av.open(str(beside), "w") as container:
            stream: Any = None
            for frame, time_s in _frames(recording):
                if stream is None:
                    stream = container.add_stream("libx264", rate=30, options={"crf": "20"})
                    stream.height, stream.width = frame.shape[0], frame.shape[1]
                    stream.pix_fmt = "yuv420p"
                    stream.codec_context.time_base = Fraction(1, TICKS)
                of_moment = values[(starts <= time_s) & (time_s < ends)]
                _draw(frame, of_moment[~np.isnan(of_moment).any(axis=1)], outputs, task)
                picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
                picture.pts, picture.time_base = round(time_s * TICKS), Fraction(1, TICKS)
                container.mux(stream.encode(picture))
            container.mux(stream.encode())
        beside.replace(path)
    except av.FFmpegError as err:
        raise DataError(f"the overlay cannot be written: {err}", where=path) from err
    finally:
        beside.unlink(missing_ok=True)


def _frames(recording: Path) -> Iterator[tuple[np.ndarray, float]]:
    """Frames of even sides, which H.264 needs, writable, with their times in seconds."""
    for chunk in iter_frames(recording, chunk=32):
        interruption.check()
        for frame, time_s in zip(chunk.frames, chunk.times_s, strict=True):
            odd = [(0, side % 2) for side in frame.shape[:2]]
            yield np.ascontiguousarray(np.pad(frame, [*odd, (0, 0)], mode="edge")), float(time_s)


def _draw(frame: np.ndarray, values: np.ndarray, outputs: list[str], task: str) -> None:
    """Draws a line per class (a bar as long as its probability) or per target (its value) into (H, W, 3), in place."""
    import cv2

    height, width = frame.shape[:2]
    scale = max(0.3, height / 900)
    line, left = int(34 * scale) + 2, int(12 * scale) + 1
    mean = values.mean(axis=0) if len(values) else np.full(len(outputs), np.nan)
    shown = np.argsort(-mean)[:5] if task == "classification" else np.arange(min(5, len(outputs)))
    top = max(0, height - line * len(shown) - left)
    frame[top:] = (0.35 * frame[top:] + 0.65 * np.array(PAPER)).astype(np.uint8)
    for row, c in enumerate(shown):
        y = top + line * (row + 1) - int(8 * scale)
        known = not np.isnan(mean[c])
        if known and task == "classification":
            length = int((width - 2 * left) * mean[c])
            cv2.rectangle(frame, (left, y + int(4 * scale)), (left + length, y + int(4 * scale) + 1), BAR, -1)
        value = f"{mean[c]:.0%}" if task == "classification" else f"{mean[c]:+.2f}"
        # OpenCV's letters are ASCII.
        name = outputs[c].encode("ascii", "replace").decode()
        text = f"{name}: {value if known else 'no prediction'}"
        cv2.putText(frame, text, (left, y), cv2.FONT_HERSHEY_SIMPLEX, scale, INK, 1, cv2.LINE_AA)
