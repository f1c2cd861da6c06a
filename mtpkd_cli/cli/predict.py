"""Prediction on new media: from paths to a table on stdout and in a file."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from rich.table import Table

from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.cli.progress import Terminal
from mtpkd_cli.cli.show import print_json, wide_console
from mtpkd_cli.config import Study, read_study
from mtpkd_cli.deploy.choice import Chosen, check_encoders, choose, threshold_of
from mtpkd_cli.deploy.overlay import check_overlay, draw_overlay
from mtpkd_cli.deploy.predicting import Person, per_recording, predict_windows
from mtpkd_cli.deploy.reading import read_windows, windows_of
from mtpkd_cli.deploy.recordings import find_recordings
from mtpkd_cli.deploy.tables import check_output, plain_rows, write_table
from mtpkd_cli.deploy.windows import check_lengths
from mtpkd_cli.errors import DataError, StudyError, TooManyFailures, first_ten

MOST_ROWS = 40


@dataclass(frozen=True)
class Asked:
    """What `mtpkd predict` was asked for beside the media."""

    method: str | None
    fold: int | None
    seed: int | None
    average: bool
    window_s: float | None
    hop_s: float | None
    person: Person
    output: Path | None
    overlay: Path | None
    workers: int | None


def predict(folder: Path, media: list[str], asked: Asked, as_json: bool, quiet: bool) -> None:
    """Predicts, prints one row per recording, and writes what was asked for.

    Raises:
        DataError: Not one recording could be predicted.
        TooManyFailures: Some could not; all others are printed and written.
    """
    run = RunFolder(folder)
    study = read_study(run.study)
    hop_s = check_lengths(asked.window_s, asked.hop_s)
    if asked.output is not None:
        check_output(asked.output)
    students = choose(run, study, asked.method, asked.fold, asked.seed)
    students = students if asked.average else students[:1]
    threshold = threshold_of(run, study, students)
    encoders = check_encoders(run, study, study.prevalent)
    options = _one_medium(study, encoders)
    recordings = find_recordings(media, sys.stdin, options)
    if asked.overlay is not None:
        check_overlay(asked.overlay, recordings, options)
    extract = study.extract.with_workers(asked.workers)
    with Terminal(quiet) as terminal:
        terminal.note(_speaks(students, threshold))
        windows, unread = windows_of(recordings, asked.window_s, hop_s, options, extract)
        advance = terminal.progress("read windows", len(windows) * len(encoders))
        reads = read_windows(windows, encoders, extract, advance)
        table = predict_windows([*reads, *unread], students, study.network.normalise, asked.person, threshold)
        outputs = list(students[0].outputs)
        summary = per_recording(table, study.study.task, outputs, threshold)
        if asked.output is not None:
            write_table(asked.output, table, summary)
            terminal.note(f"wrote {asked.output}")
        failed = summary[summary["error"] != ""]
        if asked.overlay is not None and failed.empty:
            draw_overlay(asked.overlay, recordings[0], table, outputs, study.study.task)
            terminal.note(f"wrote {asked.overlay}")
    if as_json:
        content: dict[str, Any] = {"students": [student.name for student in students], "threshold": threshold}
        print_json(content | {"recordings": plain_rows(summary), "windows": plain_rows(table)})
    elif len(failed) < len(summary):
        _print(summary[summary["error"] == ""], outputs)
    _tell_failures(failed, len(summary))


def _one_medium(study: Study, encoders: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The options of the first encoder, where all modalities of the student are read from one medium."""
    media = {study.modalities[name].media or name for name in study.prevalent}
    if len(media) > 1:
        raise StudyError(
            f"the student sees several media ({', '.join(sorted(media))}), and MEDIA names one file per recording",
            where="study.toml [modalities]",
            expected="prevalent modalities of one medium, such as face and voice of a video",
        )
    options = [encoder["options"] for encoder in encoders.values()]
    # Of a video that is seen and heard, the pictures say how long it is.
    return next((own for own in options if "image_rate_hz" in own), options[0])


def _speaks(students: list[Chosen], threshold: float | None) -> str:
    who = f"student: {students[0].name}"
    if len(students) > 1:
        who = f"students: mean of {len(students)} of {students[0].method}"
    if threshold is None:
        return who
    return f"{who}; tuned: {students[0].outputs[1]} above {threshold:.3f}, the threshold of validation people"


def _print(summary: pd.DataFrame, outputs: list[str]) -> None:
    probabilities = "predicted" in summary
    columns = ["predicted", "confidence"] if probabilities else outputs
    columns = [*columns, "predicted_tuned"] if "predicted_tuned" in summary else columns
    table = Table("recording", "windows", *(name.removeprefix("predicted_") for name in columns))
    for row in summary.head(MOST_ROWS).to_dict("records"):
        cells = [f"{row[name]:.3f}" if isinstance(row[name], float) else str(row[name]) for name in columns]
        table.add_row(row["recording"], f"{row['windows']}/{row['of']}", *cells)
    wide_console().print(table)
    if len(summary) > MOST_ROWS:
        print(f"and {len(summary) - MOST_ROWS} more; -o FILE writes all of them")


def _tell_failures(failed: pd.DataFrame, total: int) -> None:
    if failed.empty:
        return
    told = first_ten([f"{row['recording']}: {row['error']}" for row in failed.to_dict("records")])
    if len(failed) == total:
        raise DataError(f"no prediction for {'the recording' if total == 1 else f'any of {total} recordings'}:\n{told}")
    raise TooManyFailures(f"no prediction for {len(failed)} of {total} recordings; the others are told above:\n{told}")
