"""Predictions on stdout: one row per recording, and what failed."""

import sys
from typing import Any

import pandas as pd
from rich.table import Table

from mtpkd_cli.cli.console import print_json, wide_console
from mtpkd_cli.deploy.apply import QUALITY_PREFIX
from mtpkd_cli.deploy.prediction import Prediction
from mtpkd_cli.deploy.tables import plain_rows
from mtpkd_cli.errors import DataError, TooManyFailures, first_ten

MOST_ROWS = 40


def print_prediction(prediction: Prediction, as_json: bool) -> None:
    """Prints one row per recording.

    Raises:
        DataError: Not one recording could be predicted.
        TooManyFailures: Some could not; all others are printed.
    """
    recordings, failed = prediction.recordings, prediction.failed
    if as_json:
        about = {
            "students": [student.name for student in prediction.students],
            "threshold": prediction.threshold,
            "columns": prediction.answers,
        }
        rows = {name: _nested(table) for name, table in (("recordings", recordings), ("windows", prediction.windows))}
        print_json(about | rows)
    elif len(failed) < len(recordings):
        _print(recordings[recordings["error"] == ""], prediction.outputs)
        for column, text in prediction.answers.items():
            print(f"{column.removeprefix('predicted_')}: {text}.")
        if prediction.students[0].final:
            print("The student was fitted to all people: it has no test score of its own.")
    _tell_doubts(recordings)
    _tell_failures(failed, len(recordings))


def _print(recordings: pd.DataFrame, outputs: list[str]) -> None:
    probabilities = "predicted" in recordings
    columns = ["predicted", "confidence"] if probabilities else outputs
    columns = [*columns, "predicted_tuned"] if "predicted_tuned" in recordings else columns
    qualities = [name for name in recordings if name.startswith(QUALITY_PREFIX)]
    titles = [name.removeprefix("predicted_") for name in columns]
    table = Table("recording", "windows", *titles, *(name.replace("_", " ", 1) for name in qualities))
    for row in recordings.head(MOST_ROWS).to_dict("records"):
        cells = [f"{row[name]:.3f}" if isinstance(row[name], float) else str(row[name]) for name in columns]
        shares = ["-" if pd.isna(row[name]) else f"{row[name]:.2f}" for name in qualities]
        table.add_row(row["recording"], f"{row['windows']}/{row['of']}", *cells, *shares)
    wide_console().print(table)
    if len(recordings) > MOST_ROWS:
        print(f"and {len(recordings) - MOST_ROWS} more; -o FILE writes all of them")


def _nested(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain data, the qualities of the modalities as one entry."""
    rows = plain_rows(table)
    for row in rows:
        names = [name for name in row if name.startswith(QUALITY_PREFIX)]
        row["quality"] = {name.removeprefix(QUALITY_PREFIX): row.pop(name) for name in names}
    return rows


def _tell_doubts(recordings: pd.DataFrame) -> None:
    """Beside the predictions, on stderr, whatever the form of the results."""
    doubts = [f"{row['recording']}: {row['doubt']}" for row in recordings.to_dict("records") if row["doubt"]]
    if doubts:
        print(f"doubtful, {len(doubts)} of {len(recordings)} recordings:\n{first_ten(doubts)}", file=sys.stderr)


def _tell_failures(failed: pd.DataFrame, total: int) -> None:
    if failed.empty:
        return
    failures = first_ten([f"{row['recording']}: {row['error']}" for row in failed.to_dict("records")])
    if len(failed) == total:
        raise DataError(
            f"no prediction for {'the recording' if total == 1 else f'any of {total} recordings'}:\n{failures}"
        )
    raise TooManyFailures(
        f"no prediction for {len(failed)} of {total} recordings; the others are told above:\n{failures}"
    )
