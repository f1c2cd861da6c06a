"""Windows over a recording, by hand."""

from pathlib import Path

import pytest

from mtpkd_cli.deploy.windows import check_lengths, lay_windows
from mtpkd_cli.errors import StudyError

CLIP = Path("clip.mp4")


@pytest.mark.parametrize(
    ("length", "window", "hop", "expected"),
    [
        (4.9, 2.0, 2.0, [(0, 2), (2, 4)]),  # less than half a window is left
        (5.1, 2.0, 2.0, [(0, 2), (2, 4), (4, 5.1)]),
        (5.0, 2.0, 1.5, [(0, 2), (1.5, 3.5), (3, 5)]),
        (1.2, 2.0, 1.0, [(0, 1.2)]),
        (2.0, 2.0, 0.5, [(0, 2)]),
        (4.0, 1.0, 3.0, [(0, 1), (3, 4)]),
    ],
)
def test_windows_by_hand(length: float, window: float, hop: float, expected: list[tuple[float, float]]) -> None:
    windows = [(w.start_s, w.end_s) for w in lay_windows(CLIP, length, window, hop)]
    assert windows == [pytest.approx(pair) for pair in expected]


def test_many_hops_do_not_drift() -> None:
    windows = lay_windows(CLIP, 1000.0, 1.0, 0.1)
    assert windows[-1].end_s == pytest.approx(1000.0, abs=1e-9)
    assert [w.number for w in windows] == list(range(9991))


def test_a_hop_needs_a_window_and_both_are_positive() -> None:
    assert check_lengths(2.0, None) == 2.0
    assert check_lengths(None, None) is None
    for pair in ((None, 1.0), (0.0, None), (1.0, -1.0)):
        with pytest.raises(StudyError):
            check_lengths(*pair)
