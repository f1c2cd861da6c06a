"""The table of scores of single frames, of corpora that label each frame."""

from typing import Any

from mtpkd_cli.report.results import Results
from mtpkd_cli.report.scores import scale_of


def frame_table(results: Results) -> dict[str, Any] | None:
    """Caption, columns and one row per method: every score, and below it the difference from the reference."""
    found = results.summary.get("frames")
    if found is None:
        return None
    names = [name for name in results.metric_names if name in found["metrics"]]
    rows = []
    for method, row in found["methods"].items():
        cells = []
        for name in names:
            scale, difference = scale_of(results, name), row["differences"].get(name)
            cells.append(
                [
                    scale.with_interval(row["scores"][name], unit=scale.unit),
                    "" if difference is None else scale.with_interval(difference, signed=True),
                ]
            )
        rows.append({"method": method, "cells": cells})
    caption = (
        f"{found['frames']} labelled frames, each told by the mean of the windows that cover it; below a score, its "
        f"difference from {results.reference}. Intervals: {found['interval']}."
    )
    return {"caption": caption, "columns": [results.summary["metrics"][name]["label"] for name in names], "rows": rows}
