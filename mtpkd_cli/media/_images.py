"""Reads a folder of numbered images, img_00001.jpg, img_00002.jpg ..., as a video.

Files other than images whose names end in a number are passed over. The number tells the time: number 1 (or 0, where
there is one) stands at the beginning. Images may be missing.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mtpkd_cli.media._video_request import Request, Stream, Unreadable, choose, fit

_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp"}
_NUMBER = re.compile(r"\d+$")


def read_images(request: Request) -> Iterator[Stream]:
    """Reads with OpenCV, turned upright as the flag in each image says.

    Raises:
        Unreadable: There are no numbered images, two have one number, they differ in size, or one cannot be decoded.
    """
    numbered = _numbered(request.path)
    numbers = np.array(sorted(numbered))
    times_s = (numbers - min(1, numbers[0])) / request.image_rate_hz
    length = float(times_s[-1]) + 1.0 / request.image_rate_hz
    wanted = choose(times_s, request)
    shape: tuple[int, ...] | None = None
    for first in range(0, max(1, len(wanted)), request.chunk):
        chosen = wanted[first : first + request.chunk]
        frames = []
        for number in numbers[chosen]:
            image = _decode(numbered[int(number)], request.max_side)
            shape = shape or image.shape
            if image.shape != shape:
                raise Unreadable(f"{numbered[int(number)].name} has another size than the images before")
            frames.append(image)
        stacked = np.stack(frames) if frames else np.empty((0, 0, 0, 3), np.uint8)
        yield Stream(stacked, times_s[chosen], request.image_rate_hz, length)


def _numbered(folder: Path) -> dict[int, Path]:
    image_of: dict[int, Path] = {}
    for path in folder.iterdir():
        match = _NUMBER.search(path.stem)
        if match is None or path.suffix.lower() not in _SUFFIXES:
            continue
        if int(match[0]) in image_of:
            raise Unreadable(f"{path.name} and {image_of[int(match[0])].name} have one number")
        image_of[int(match[0])] = path
    if not image_of:
        raise Unreadable("there are no numbered images in this folder")
    return image_of


def _decode(path: Path, max_side: int | None) -> np.ndarray:
    """(H, W, 3) uint8 RGB."""
    import cv2

    data = np.fromfile(path, np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if image is None:
        raise Unreadable(f"{path.name} is empty or damaged")
    size = fit(image.shape[1], image.shape[0], max_side)
    if size != image.shape[1::-1]:
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
