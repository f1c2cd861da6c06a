"""What a study leaves out, of samples and of labelled frames."""

import numpy as np
import pandas as pd

from mtpkd_cli.training.exclusion import frames_of_kept


def test_frames_of_no_sample_that_is_left_do_not_count() -> None:
    frames = pd.DataFrame(
        {
            "recording": ["a"] * 6 + ["b"] * 4 + ["c"] * 3,
            "frame": [*range(1, 7), *range(1, 5), *range(1, 4)],
            "valid": [True, True, False, True, True, True, *[True] * 7],
            "label": np.arange(13),
        }
    )
    left = pd.DataFrame({"recording": ["c", "a", "a"], "first_frame": [1, 2, 3], "last_frame": [3, 4, 5]})
    kept = frames_of_kept(frames, left)
    assert list(kept["recording"]) == ["a"] * 6 + ["c"] * 3
    assert list(kept["valid"]) == [False, True, False, True, True, False, True, True, True]
    assert list(kept["label"]) == [*range(6), *range(10, 13)]
