"""Which samples have a label: one reader of the fact, for classes and for targets."""

import numpy as np
import pandas as pd
import pytest

from mtpkd_cli.datasets import is_labelled


@pytest.mark.parametrize(
    "columns",
    [
        {"label": [0, -1, 2]},
        {"label": [1.0, np.nan, 0.0]},
        {"target_pain": [1.5, np.nan, 0.0]},
        {"target_pain": [np.nan, np.nan, 0.0], "target_stress": [-1.0, np.nan, np.nan]},
    ],
)
def test_a_sample_with_a_class_or_any_target_is_labelled(columns: dict[str, list[float]]) -> None:
    samples = pd.DataFrame({"sample_id": list("abc"), "subject": list("xyz"), **columns}, index=[5, 1, 3])
    assert is_labelled(samples).tolist() == [True, False, True]
    assert is_labelled(samples).dtype == bool
    assert is_labelled(samples.iloc[:0]).tolist() == []
