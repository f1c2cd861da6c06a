"""Windows over frames against the plainest way to find them."""

from itertools import product

import numpy as np

from mtpkd_cli.datasets._frame_windows import mean_targets, most_common_class, windows


def _wrong_windows(n_frames: int, length: int, hop: int) -> list[str]:
    spans = windows(n_frames, length, hop)
    hops = np.diff(spans[:, 0])
    rules = {
        "every frame is covered": {n for first, last in spans for n in range(first, last + 1)}
        == set(range(1, n_frames + 1)),
        "all have the length": set((spans[:, 1] - spans[:, 0] + 1).tolist()) == {min(length, n_frames)},
        "each begins after the one before": (hops > 0).all(),
        "none begins later than a hop": (hops <= hop).all(),
        "all but the last begin a hop later": set(hops[:-1].tolist()) <= {hop},
    }
    return [f"{n_frames} frames, length {length}, hop {hop}: not {rule}" for rule, kept in rules.items() if not kept]


def test_every_frame_is_in_a_window_of_the_length() -> None:
    cases = product((1, 2, 5, 7, 59, 61, 100), (1, 2, 5, 60), (1, 2, 5))
    wrong = [line for n_frames, length, hop in cases for line in _wrong_windows(n_frames, length, min(hop, length))]
    assert not wrong, "\n".join(wrong)


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
