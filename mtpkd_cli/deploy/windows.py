"""Windows over a recording: the stretches that a student predicts, each encoded by itself, as samples are."""

from dataclasses import dataclass
from pathlib import Path

from mtpkd_cli.errors import StudyError

# A remainder shorter than this share of a window is left out, since a student knows whole windows.
LEAST_SHARE = 0.5
_TOLERANCE_S = 1e-6


@dataclass(frozen=True)
class Window:
    """A stretch of a recording; None = its beginning or end.

    Args:
        number: From 0 within its recording.
    """

    recording: Path
    number: int
    start_s: float | None = None
    end_s: float | None = None


def lay_windows(recording: Path, length_s: float, window_s: float, hop_s: float) -> list[Window]:
    """Lays windows of `window_s` every `hop_s` from the beginning.

    A recording that is shorter than a window is one window. What is left at the end is one more, shorter window where
    it lasts at least half a window and no whole window reaches the end.
    """
    if length_s <= window_s + _TOLERANCE_S:
        return [Window(recording, 0, 0.0, length_s)]
    windows: list[Window] = []
    start = 0.0
    while start + window_s <= length_s + _TOLERANCE_S:
        windows.append(Window(recording, len(windows), start, start + window_s))
        # By multiplication, since a sum of many hops drifts.
        start = len(windows) * hop_s
    reached = windows[-1].end_s or 0.0
    if reached < length_s - _TOLERANCE_S and length_s - start >= LEAST_SHARE * window_s:
        windows.append(Window(recording, len(windows), start, length_s))
    return windows


def check_lengths(window_s: float | None, hop_s: float | None) -> float | None:
    """Returns the hop, which is a window where none is given.

    Raises:
        StudyError: A length is not positive, or there is a hop without a window.
    """
    if window_s is None and hop_s is not None:
        raise StudyError("a hop without a window", where="--hop", expected="--window too")
    for name, value in (("--window", window_s), ("--hop", hop_s)):
        if value is not None and not value > 0:
            raise StudyError(f"received {value:g}", where=name, expected="seconds, more than 0")
    return hop_s or window_s
