"""Prediction on new media: from paths to tables of windows and recordings, and an overlay."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.config import Study, read_study
from mtpkd_cli.deploy.apply import Person, per_recording, predict_windows
from mtpkd_cli.deploy.choice import ChosenStudent, check_encoders, choose, threshold_of
from mtpkd_cli.deploy.overlay import check_overlay, draw_overlay
from mtpkd_cli.deploy.reading import read_windows, windows_of
from mtpkd_cli.deploy.recordings import find_recordings
from mtpkd_cli.deploy.tables import check_output, write_table
from mtpkd_cli.deploy.windows import check_lengths
from mtpkd_cli.encoders.running import ResolvedEncoder
from mtpkd_cli.errors import StudyError
from mtpkd_cli.stages import Reporter


@dataclass(frozen=True)
class PredictOptions:
    """How new media are predicted.

    Args:
        method: Student of this method; None = the one with the least validation loss that is no control.
        fold: Student of this fold only.
        seed: Student of this seed only.
        average: Mean over the students of all folds and seeds that fit.
        window_s: Length of a window; None = a recording is one window.
        hop_s: From window to window; None = a window.
        person: Whose the recordings are, where features are standardised per person.
        output: Write windows and recordings there.
        overlay: Draw the prediction over the video there.
        workers: Worker processes; None = as the study says.
    """

    method: str | None = None
    fold: int | None = None
    seed: int | None = None
    average: bool = False
    window_s: float | None = None
    hop_s: float | None = None
    person: Person = "each"
    output: Path | None = None
    overlay: Path | None = None
    workers: int | None = None


@dataclass(frozen=True)
class Prediction:
    """What students predict.

    Args:
        windows: One row per window, with the columns of `predict_windows`.
        recordings: One row per recording, with the columns of `per_recording`; `error` says why one has no prediction.
        students: Who predicts.
        threshold: Probability above which it is the second of two classes, by validation people; None = no such.
    """

    windows: pd.DataFrame
    recordings: pd.DataFrame
    students: list[ChosenStudent]
    threshold: float | None

    @property
    def outputs(self) -> list[str]:
        """Names of the classes or targets."""
        return list(self.students[0].outputs)

    @property
    def failed(self) -> pd.DataFrame:
        """Recordings without a prediction."""
        return self.recordings[self.recordings["error"] != ""]


def predict_media(run: RunFolder, media: list[str], options: PredictOptions, reporter: Reporter) -> Prediction:
    """Predicts, and writes what was asked for.

    Args:
        media: Files, folders, patterns, or "-" for a list on standard input.

    Raises:
        StudyError: Media are not there, an option is wrong, or the student sees several media.
        ArtifactError: There is no finished student.
    """
    study = read_study(run.study)
    hop_s = check_lengths(options.window_s, options.hop_s)
    if options.output is not None:
        check_output(options.output)
    students = choose(run, study, options.method, options.fold, options.seed)
    students = students if options.average else students[:1]
    threshold = threshold_of(run, study, students)
    encoders = check_encoders(run, study, study.prevalent)
    encoder_options = _one_medium(study, encoders)
    recordings = find_recordings(media, sys.stdin, encoder_options)
    if options.overlay is not None:
        check_overlay(options.overlay, recordings, encoder_options)
    extract = study.extract.with_workers(options.workers)
    reporter.note(_students_in_words(students, threshold))
    windows, unread = windows_of(recordings, options.window_s, hop_s, encoder_options, extract)
    advance = reporter.progress("read windows", len(windows) * len(encoders))
    encoded = read_windows(windows, encoders, extract, advance)
    table = predict_windows([*encoded, *unread], students, study.network.normalise, options.person, threshold)
    outputs = list(students[0].outputs)
    prediction = Prediction(table, per_recording(table, study.study.task, outputs, threshold), students, threshold)
    if options.output is not None:
        write_table(options.output, table, prediction.recordings)
        reporter.note(f"wrote {options.output}")
    if options.overlay is not None and prediction.failed.empty:
        draw_overlay(options.overlay, recordings[0], table, outputs, study.study.task)
        reporter.note(f"wrote {options.overlay}")
    return prediction


def _one_medium(study: Study, encoders: dict[str, ResolvedEncoder]) -> dict[str, Any]:
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
    return next((one for one in options if "image_rate_hz" in one), options[0])


def _students_in_words(students: list[ChosenStudent], threshold: float | None) -> str:
    who = f"student: {students[0].name}"
    if len(students) > 1:
        who = f"students: mean of {len(students)} of {students[0].method}"
    if threshold is None:
        return who
    return f"{who}; tuned: {students[0].outputs[1]} above {threshold:.3f}, the threshold of validation people"
