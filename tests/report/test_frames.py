"""The report's table of single frames."""

import json
from dataclasses import replace
from typing import Any

from mtpkd_cli.evaluation.summary import Summary
from mtpkd_cli.report.results import read_results
from mtpkd_cli.report.tables import frame_table


def test_methods_have_scores_and_differences_and_other_corpora_no_table(finished: Any) -> None:
    results = read_results(finished.run)
    assert frame_table(results) is None
    summary = json.loads((finished.run.evaluation / "metrics.json").read_text())
    score, none = {"value": 0.5, "low": 0.25, "high": 0.75}, {"value": None, "low": None, "high": None}
    summary["frames"] = {
        "frames": 81,
        "interval": "95 % of something",
        "metrics": ["macro-f1"],
        "methods": {
            "student-only": {"scored": 81, "unscored": 0, "scores": {"macro-f1": score}, "differences": {}},
            "kd": {"scored": 80, "unscored": 1, "scores": {"macro-f1": none}, "differences": {"macro-f1": score}},
        },
    }
    table = frame_table(replace(results, summary=Summary.model_validate(summary)))
    assert table is not None
    assert table["columns"] == ["macro F1"]
    assert table["caption"].startswith("81 labelled frames")
    assert table["rows"] == [
        {"method": "student-only", "cells": [["50.0\u00a0%\u00a0[25.0,\u00a075.0]", ""]]},
        {"method": "kd", "cells": [["n/a\u00a0%", "+50.0\u00a0[+25.0,\u00a0+75.0]"]]},
    ]
