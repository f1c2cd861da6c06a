"""Windows over a recording: the stretches that a student predicts, each encoded by itself, as samples are."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mtpkd_cli.errors import StudyError

# A remainder shorter than this share of a window is left out, since a student knows whole windows.
LEAST_SHARE = 0.5
_TOLERANCE_S = 1e-6


@dataclass(frozen=True)
class Media:
    """The files of what was recorded at one time by several media.

    Args:
        files: Medium -> its file.
        starts_s: Medium -> second of its own clock at which the recording begins; left out = 0.
    """

    files: Mapping[str, Path]
    starts_s: Mapping[str, float] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """By which the recording is called: its first file."""
        return next(iter(self.files.values()))


@dataclass(frozen=True)
class Window:
    """A stretch of a recording; None = its beginning or end.

    Args:
        recording: Its file, or the first of several.
        number: From 0 within its recording.
        media: Its files, where there are several media.
    """

    recording: Path
    number: int
    start_s: float | None = None
    end_s: float | None = None
    media: Media | None = None

    def part(self, medium: str) -> tuple[str, float | None, float | None]:
        """File ("" = the recording lacks it), start and end of the stretch by the clock of a medium."""
        if self.media is None:
            return str(self.recording), self.start_s, self.end_s
        begins = self.media.starts_s.get(medium, 0.0)
        start, end = (None if at is None else begins + at for at in (self.start_s, self.end_s))
        return str(self.media.files.get(medium, "")), start, end


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
