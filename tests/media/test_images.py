"""Folders of numbered images read as videos."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from mtpkd_cli.errors import DataError
from mtpkd_cli.media.video import iter_frames, read_frames


def _folder(root: Path, numbers: list[int], height: int = 58, width: int = 74) -> Path:
    """Image n is grey of value 40 + 2 n, and red in its left half."""
    root.mkdir(parents=True, exist_ok=True)
    for n in numbers:
        image = np.full((height, width, 3), 40 + 2 * n, np.uint8)
        image[:, : width // 2, 2] = 255
        cv2.imwrite(str(root / f"img_{n:05d}.png"), image)
    return root


def _numbers(frames: np.ndarray) -> list[int]:
    return np.round((frames[:, :, -5:].mean(axis=(1, 2, 3)) - 40) / 2).astype(int).tolist()


def test_images_come_in_the_order_of_their_numbers_with_their_times_and_colours(tmp_path: Path) -> None:
    video = read_frames(_folder(tmp_path / "clip", [*range(1, 38)]))
    assert _numbers(video.frames) == list(range(1, 38))
    assert video.frames.shape == (37, 58, 74, 3)
    assert video.frames.dtype == np.uint8
    assert (video.frames[:, :, 0, 0] == 255).all()
    np.testing.assert_allclose(video.times_s, np.arange(37) / 25)
    assert (video.native_rate_hz, video.length_s, video.reader) == (25, 37 / 25, "images")


def test_missing_images_leave_a_gap_in_time(tmp_path: Path) -> None:
    video = read_frames(_folder(tmp_path / "clip", [3, 4, 7]), image_rate_hz=10.0)
    assert _numbers(video.frames) == [3, 4, 7]
    np.testing.assert_allclose(video.times_s, [0.2, 0.3, 0.6])
    assert video.length_s == pytest.approx(0.7)


def test_numbers_may_begin_at_zero(tmp_path: Path) -> None:
    np.testing.assert_allclose(read_frames(_folder(tmp_path / "clip", [0, 1, 2])).times_s, [0, 0.04, 0.08])


def test_a_part_at_a_rate_is_the_same_in_any_chunks(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "clip", [*range(1, 51)])
    whole = read_frames(folder, start_s=0.4, end_s=1.2, rate_hz=5.0)
    assert _numbers(whole.frames) == [11, 16, 21, 26]
    parts = list(iter_frames(folder, start_s=0.4, end_s=1.2, rate_hz=5.0, chunk=3))
    assert [len(part.frames) for part in parts] == [3, 1]
    np.testing.assert_array_equal(np.concatenate([part.frames for part in parts]), whole.frames)


def test_images_are_sampled_down_to_the_longest_side_and_never_up(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "clip", [1, 2], height=60, width=90)
    assert read_frames(folder, max_side=45).frames.shape == (2, 30, 45, 3)
    assert read_frames(folder, max_side=450).frames.shape == (2, 60, 90, 3)


def test_other_files_are_passed_over(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "clip", [1, 2])
    for name in ("notes1.txt", "face.png", ".DS_Store"):
        (folder / name).touch()
    assert len(read_frames(folder).frames) == 2


def test_a_folder_that_is_no_video_is_an_error_that_says_why(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="there are no numbered images"):
        read_frames(tmp_path / "empty")
    folder = _folder(tmp_path / "clip", [1, 2, 3])
    with pytest.raises(DataError, match="holds no frame"):
        read_frames(folder, start_s=5.0)
    (folder / "img_00003.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"img_00003\.png is empty or damaged"):
        read_frames(folder)
    (folder / "img_00003.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"img_00003\.png is empty or damaged"):
        read_frames(folder)
    _folder(folder, [3], height=40)
    with pytest.raises(DataError, match=r"img_00003\.png has another size"):
        read_frames(folder)
    (folder / "face_3.png").write_bytes((folder / "img_00001.png").read_bytes())
    with pytest.raises(DataError, match="have one number"):
        read_frames(folder)
