"""Windows over frames against the plainest way to find them."""

import numpy as np
import pytest

from mtpkd_cli.datasets._frame_windows import mean_targets, most_common_class, windows


@pytest.mark.parametrize("length", [1, 2, 5, 60])
@pytest.mark.parametrize("hop", [1, 2, 5])
@pytest.mark.parametrize("n_frames", [1, 2, 5, 7, 59, 61, 100])
def test_every_frame_is_in_a_window_of_the_length(n_frames: int, length: int, hop: int) -> None:
    spans = windows(n_frames, length, min(hop, length))
    covered = {frame for first, last in spans for frame in range(first, last + 1)}
    assert covered == set(range(1, n_frames + 1))
    assert set((spans[:, 1] - spans[:, 0] + 1).tolist()) == {min(length, n_frames)}
    assert (np.diff(spans[:, 0]) > 0).all()
    assert (np.diff(spans[:, 0]) <= min(hop, length)).all()
    assert set(np.diff(spans[:, 0])[:-1].tolist()) <= {min(hop, length)}


def test_labels_of_windows_are_those_of_their_valid_frames() -> None:
    rng = np.random.default_rng(1)
    spans = windows(43, 7, 3)
    values = rng.normal(size=(43, 2))
    values[rng.random(43) < 0.4] = np.nan
    values[:9], values[9] = np.nan, 0.3
    means = mean_targets(values, spans)
    assert np.isnan(means[0]).all()
    for (first, last), mean in zip(spans[1:], means[1:], strict=True):
        np.testing.assert_allclose(mean, np.nanmean(values[first - 1 : last], axis=0))
    classes = rng.integers(-1, 3, size=43)
    classes[:9], classes[9] = -1, 2
    labels = most_common_class(classes, spans, 3)
    assert labels[0] == -1
    for (first, last), label in zip(spans[1:], labels[1:], strict=True):
        in_window = classes[first - 1 : last]
        assert label == np.bincount(in_window[in_window >= 0], minlength=3).argmax()
