"""Finding faces in one frame by YuNet, a small network whose file the user brings (OpenCV's model zoo, ONNX).

More robust than the cascade against turned heads and poor light. The square is put around the eyes and the mouth, so
that facial regions lie where they lie in the cascade's square. A box is (x, y, side): the centre and side of a square.

References:
    Wu et al., "YuNet: a tiny millisecond-level face detector", Machine Intelligence Research 20, 2023.
"""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from mtpkd_cli.errors import DataError

_PICTURE_PX, _LEAST_SCORE = 320, 0.6
# In the cascade's square: the distance of the eyes, that of eyes and mouth, and how far the eyes are above the centre.
_EYES, _EYES_TO_MOUTH, _EYES_ABOVE = 0.42, 0.43, 0.115


class YuNet:
    """YuNet, loaded from a file.

    Args:
        path: The ONNX file.

    Raises:
        DataError: There is no such file, or OpenCV cannot read it as this network.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise DataError("there is no such face model", where=path, todo="set the encoder's option face_model")
        self._path, state = path, path.stat()
        self._network = self._checked(lambda: _network(path, (state.st_mtime_ns, state.st_size)))

    def near(self, frame: np.ndarray, box: np.ndarray, *, far: bool = False) -> np.ndarray:
        """As `anywhere`: it sees the whole picture at once."""
        del box, far
        return self.anywhere(frame, 0.0)

    def anywhere(self, frame: np.ndarray, least_share: float) -> np.ndarray:
        """(H, W, 3) uint8 RGB, or (H, W) grey -> (n, 3) boxes, whatever their size."""
        import cv2

        del least_share

        scale = min(1.0, _PICTURE_PX / max(frame.shape[:2]))
        size = [max(1, round(side * scale)) for side in frame.shape[1::-1]]
        picture = cv2.resize(frame, size, interpolation=cv2.INTER_AREA) if scale < 1 else frame
        picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR if picture.ndim == 2 else cv2.COLOR_RGB2BGR)
        self._network.setInputSize(size)
        _, faces = self._checked(lambda: self._network.detect(picture))
        return squares(np.empty((0, 15)) if faces is None else faces.astype(float)) / scale

    def _checked(self, call: Callable[[], Any]) -> Any:
        import cv2

        try:
            return call()
        except cv2.error as err:
            raise self._unusable(err) from err

    def _unusable(self, err: Exception) -> DataError:
        return DataError(
            f"OpenCV cannot use this face model: {str(err).strip().splitlines()[-1]}",
            where=self._path,
            expected="YuNet of OpenCV's model zoo, version 2023mar, as ONNX",
            todo="download the file again, or leave face_model out",
        )


@lru_cache(maxsize=1)
def _network(path: Path, _state: tuple[int, int]) -> Any:
    import cv2

    return cv2.FaceDetectorYN.create(str(path), "", (_PICTURE_PX,) * 2, _LEAST_SCORE)


def squares(faces: np.ndarray) -> np.ndarray:
    """(n, 15) faces as YuNet gives them (box, right eye, left eye, nose, mouth corners, score) -> (n, 3) boxes."""
    points = faces[:, 4:14].reshape(-1, 5, 2)
    eyes, mouth = points[:, :2].mean(axis=1), points[:, 3:].mean(axis=1)
    apart = np.linalg.norm(points[:, 0] - points[:, 1], axis=1) / _EYES
    below = np.linalg.norm(mouth - eyes, axis=1) / _EYES_TO_MOUTH
    # A turned head brings the eyes together, a bowed one eyes and mouth.
    side = np.maximum(apart, below)
    return np.column_stack([(eyes[:, 0] + mouth[:, 0]) / 2, eyes[:, 1] + _EYES_ABOVE * side, side])
