"""Predictions on stdout: one row per recording, and what failed."""

import pandas as pd
from rich.table import Table

from mtpkd_cli.cli.console import print_json, wide_console
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
        print_json(about | {"recordings": plain_rows(recordings), "windows": plain_rows(prediction.windows)})
    elif len(failed) < len(recordings):
        _print(recordings[recordings["error"] == ""], prediction.outputs)
        for column, text in prediction.answers.items():
            print(f"{column.removeprefix('predicted_')}: {text}.")
        if prediction.students[0].final:
            print("The student was fitted to all people: it has no test score of its own.")
    _tell_failures(failed, len(recordings))


def _print(recordings: pd.DataFrame, outputs: list[str]) -> None:
    probabilities = "predicted" in recordings
    columns = ["predicted", "confidence"] if probabilities else outputs
    columns = [*columns, "predicted_tuned"] if "predicted_tuned" in recordings else columns
    table = Table("recording", "windows", *(name.removeprefix("predicted_") for name in columns))
    for row in recordings.head(MOST_ROWS).to_dict("records"):
        cells = [f"{row[name]:.3f}" if isinstance(row[name], float) else str(row[name]) for name in columns]
        table.add_row(row["recording"], f"{row['windows']}/{row['of']}", *cells)
    wide_console().print(table)
    if len(recordings) > MOST_ROWS:
        print(f"and {len(recordings) - MOST_ROWS} more; -o FILE writes all of them")


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
