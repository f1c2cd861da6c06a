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
from mtpkd_cli.deploy.reading import read_windows, windows_of, windows_of_media
from mtpkd_cli.deploy.recordings import find_recordings
from mtpkd_cli.deploy.several_media import media_of_list, media_of_words
from mtpkd_cli.deploy.tables import check_output, write_table
from mtpkd_cli.deploy.windows import Media, check_lengths
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
        average: Mean over all students that fit; without a fold and a seed it is the mean in any case, with one of them
            the student with the least validation loss.
        final: The student that was fitted to all people, which has no test score of its own.
        files: "MEDIUM=FILE", where the student sees several media.
        list: CSV of recordings with one column per medium.
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
    final: bool = False
    files: tuple[str, ...] = ()
    list: Path | None = None
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
    def answers(self) -> dict[str, str]:
        """Which column says what, in a sentence each; of targets none is needed."""
        if "predicted" not in self.recordings:
            return {}
        who = "the student's" if len(self.students) == 1 else f"the mean of {len(self.students)} students'"
        answers = {"predicted": f"the class with the largest of {who} probabilities"}
        if self.threshold is None or "predicted_tuned" not in self.recordings:
            return answers
        done = self.recordings[self.recordings["error"] == ""]
        differ = int((done["predicted"] != done["predicted_tuned"]).sum())
        return answers | {
            "predicted_tuned": f"{self.outputs[1]} above {self.threshold:.3f}, the threshold with the best balanced "
            f"accuracy on validation people, by students that had not learned from them; where classes are unequally "
            f"frequent it is the one to report. It differs from predicted in {differ} of {len(done)} recordings"
        }

    @property
    def failed(self) -> pd.DataFrame:
        """Recordings without a prediction."""
        return self.recordings[self.recordings["error"] != ""]


def predict_media(run: RunFolder, media: list[str], options: PredictOptions, reporter: Reporter) -> Prediction:
    """Predicts, and writes what was asked for.

    Args:
        media: Files, folders, patterns, or "-" for a list on standard input; empty where the options name the files.

    Raises:
        StudyError: Media are not there, or an option is wrong.
        ArtifactError: There is no finished student.
    """
    study = read_study(run.study)
    hop_s = check_lengths(options.window_s, options.hop_s)
    if options.output is not None:
        check_output(options.output)
    students = choose(run, study, options.method, options.fold, options.seed, final=options.final)
    if (options.final or options.fold is not None or options.seed is not None) and not options.average:
        students = students[:1]
    threshold = threshold_of(run, study, students)
    encoders = check_encoders(run, study, study.prevalent)
    readers = _readers(study, encoders)
    recordings = _recordings(media, options, readers)
    if options.overlay is not None:
        check_overlay(options.overlay, [one.path for one in recordings], _told_by(readers)[1])
    extract = study.extract.with_workers(options.workers)
    reporter.note(_students_in_words(students, threshold))
    if len(readers) == 1:
        paths = [one.path for one in recordings]
        windows, unread = windows_of(paths, options.window_s, hop_s, _told_by(readers)[1], extract)
    else:
        windows, unread = windows_of_media(recordings, options.window_s, hop_s, readers, extract)
    advance = reporter.progress("read windows", len(windows) * len(encoders))
    encoded = read_windows(windows, encoders, extract, advance, _media(study))
    table = predict_windows([*encoded, *unread], students, study.network.normalise, options.person, threshold)
    outputs = list(students[0].outputs)
    prediction = Prediction(table, per_recording(table, study.study.task, outputs, threshold), students, threshold)
    if options.output is not None:
        write_table(options.output, table, prediction.recordings)
        reporter.note(f"wrote {options.output}")
    if options.overlay is not None and prediction.failed.empty:
        draw_overlay(options.overlay, recordings[0].files[_told_by(readers)[0]], table, outputs, study.study.task)
        reporter.note(f"wrote {options.overlay}")
    return prediction


def _media(study: Study) -> dict[str, str]:
    """Prevalent modality -> the medium that it is read from."""
    return {name: study.modalities[name].media or name for name in study.prevalent}


def _readers(study: Study, encoders: dict[str, ResolvedEncoder]) -> dict[str, dict[str, Any]]:
    """Medium that the student sees -> options of the encoder that says how long it is."""
    readers: dict[str, dict[str, Any]] = {}
    for name, medium in _media(study).items():
        options = encoders[name]["options"]
        # Of a video that is seen and heard, the pictures say how long it is.
        if medium not in readers or "image_rate_hz" in options:
            readers[medium] = options
    return readers


def _told_by(readers: dict[str, dict[str, Any]]) -> tuple[str, dict[str, Any]]:
    """The medium with pictures, or the first one, and options of its encoder."""
    return next(((name, one) for name, one in readers.items() if "image_rate_hz" in one), next(iter(readers.items())))


def _recordings(media: list[str], options: PredictOptions, readers: dict[str, dict[str, Any]]) -> list[Media]:
    """The recordings that were given: as files of the one medium, or as files or a list of several media."""
    given = {"MEDIA": bool(media), "--media": bool(options.files), "--list": options.list is not None}
    if sum(given.values()) != 1:
        named = " and ".join(name for name, there in given.items() if there) or "none of them"
        raise StudyError(f"received {named}", where="recordings", expected=f"one of {', '.join(given)}")
    if options.list is not None:
        return media_of_list(options.list, list(readers))
    if options.files:
        return media_of_words(options.files, list(readers))
    if len(readers) > 1:
        raise StudyError(
            f"the student sees several media ({', '.join(sorted(readers))}), and MEDIA names one file per recording",
            where="MEDIA",
            expected=" ".join(f"--media {medium}=FILE" for medium in readers),
            todo="name a file per medium, or --list FILE.csv with one column per medium for many recordings",
        )
    (medium, encoder_options), *_ = readers.items()
    return [Media({medium: path}) for path in find_recordings(media, sys.stdin, encoder_options)]


def _students_in_words(students: list[ChosenStudent], threshold: float | None) -> str:
    who = f"student: {students[0].name}"
    if len(students) > 1:
        who = f"students: mean of {len(students)} of {students[0].method}, of other folds and seeds each"
    if threshold is None:
        return who
    return f"{who}; tuned: {students[0].outputs[1]} above {threshold:.3f}, the threshold of validation people"
