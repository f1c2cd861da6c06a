"""Where the media of Aff-Wild2 lie: raw videos in `batch*/`, crops in `cropped_aligned/<video>/00001.jpg ...`.

Two people in one video are labelled as `<video>_left` and `<video>_right`: each has crops of its own, and both share
the raw video and its sound.
"""

import os
import re
from pathlib import Path

import numpy as np

from mtpkd_cli.media.wide_tables import one_form

_VIDEO_SUFFIXES = {".mp4", ".avi", ".mov", ".mkv", ".webm"}
_IMAGE = re.compile(r"^(\d+)\.(?:jpe?g|png|bmp)$", re.IGNORECASE)
_PERSON = re.compile(r"_(?:left|right)$")


def shared_name(video: str) -> str:
    """The name of the raw video that a labelled video is taken from."""
    return _PERSON.sub("", video)


def raw_videos(root: Path) -> dict[str, str]:
    """Name of a raw video -> its path relative to the root, with forward slashes."""
    videos: dict[str, str] = {}
    for folder in sorted(path for path in root.glob("batch*") if path.is_dir()):
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in _VIDEO_SUFFIXES:
                videos.setdefault(one_form(path.stem), f"{folder.name}/{path.name}")
    return videos


def raw_video_of(video: str, raw: dict[str, str]) -> str:
    """Path of the raw video of a labelled one, "" where it is not there."""
    return raw.get(video, raw.get(shared_name(video), ""))


def crop_numbers(folder: Path) -> np.ndarray:
    """Sorted numbers of the frames that have a crop, (K,) int; none where there is no such folder."""
    if not folder.is_dir():
        return np.empty(0, np.int64)
    with os.scandir(folder) as entries:
        matches = (_IMAGE.match(entry.name) for entry in entries)
        return np.array(sorted(int(match[1]) for match in matches if match), np.int64)
