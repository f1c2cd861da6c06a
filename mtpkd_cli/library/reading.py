"""Verbs that read and use what a run holds: study, status, scores, predictions, comparison, prediction, export."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.config import Study
from mtpkd_cli.config import read_study as read_study_file
from mtpkd_cli.errors import StudyError
from mtpkd_cli.library.reporting import Silent, StrPath
from mtpkd_cli.stages import Reporter

if TYPE_CHECKING:
    import pandas as pd

    from mtpkd_cli.checks import CheckResult
    from mtpkd_cli.deploy.choice import ChosenStudent
    from mtpkd_cli.deploy.prediction import Prediction
    from mtpkd_cli.evaluation.summary import Summary
    from mtpkd_cli.pipeline import UnitStatus


@dataclass(frozen=True)
class Exported:
    """A student that was handed over.

    Args:
        student: Which.
        folder: Where it lies.
        largest_difference: From the torch student, over the samples that it was checked on.
    """

    student: "ChosenStudent"
    folder: Path
    largest_difference: float


def read_study(folder: StrPath) -> Study:
    """Reads the study of a run folder; raises StudyError where study.toml is none."""
    return read_study_file(RunFolder(Path(folder)).study)


def check(
    folder: StrPath, *, trial: int = 4, workers: int | None = None, reporter: Reporter | None = None
) -> "list[CheckResult]":
    """Looks over a study before any compute: media, labels, folds, leakage, copies, time and size. Writes nothing.

    Args:
        trial: Samples of each modality to encode, for time and size; 0 = none.
        workers: Processes that open media; None = as the study says.

    Returns:
        One entry per concern, with its problems and notes.
    """
    from mtpkd_cli.checks.running import check_study

    run = RunFolder(Path(folder))
    return check_study(run, read_study_file(run.study), reporter or Silent(), trial=trial, workers=workers)


def status(folder: StrPath) -> "list[UnitStatus]":
    """What is done, being done, failed, stale (and why) or missing: one entry per unit."""
    from mtpkd_cli.pipeline import status_of

    run = RunFolder(Path(folder))
    return status_of(run, read_study_file(run.study))


def read_scores(folder: StrPath) -> "pd.DataFrame":
    """Reads the scores of an evaluated run.

    Returns:
        One row per method and metric: value, low and high of the score, and the differences from the reference, from
        the best control and from the method's placebo, each with its interval, p and corrected p; NaN where there is
        none. Numbers are as the metrics give them, shares between 0 and 1.
    """
    import pandas as pd

    from mtpkd_cli.evaluation.summary import score_rows, summary_of

    table = pd.DataFrame(score_rows(summary_of(RunFolder(Path(folder)))))
    names = ("method", "metric", "reference", "control", "placebo")
    return table.astype({column: float for column in table if column not in names})


def read_predictions(folder: StrPath) -> "pd.DataFrame":
    """Reads the test predictions of an evaluated run.

    Returns:
        One row per method, fold, seed and test sample: scores (C probabilities or targets), of classes the
        predicted one and its probability, and the sample's row of the samples table.
    """
    import pandas as pd

    from mtpkd_cli.artifacts import read_parquet
    from mtpkd_cli.training.predictions import PREDICTIONS

    table: pd.DataFrame = read_parquet(RunFolder(Path(folder)).evaluation / PREDICTIONS).to_pandas()
    return table


def predict(
    folder: StrPath, media: Sequence[StrPath] = (), *, reporter: Reporter | None = None, **options: Any
) -> "Prediction":
    """Predicts on new recordings; nothing of the corpus is needed.

    Args:
        media: Files, folders, patterns; of several media per recording the option `files` or `list` says which.
        options: Fields of `mtpkd_cli.deploy.prediction.PredictOptions`.
    """
    from mtpkd_cli.deploy.prediction import PredictOptions, predict_media

    paths = [os.fspath(path) for path in media]
    return predict_media(RunFolder(Path(folder)), paths, PredictOptions(**options), reporter or Silent())


def export(
    folder: StrPath,
    format: str = "onnx",
    *,
    output: StrPath | None = None,
    method: str | None = None,
    fold: int | None = None,
    seed: int | None = None,
    final: bool = False,
) -> Exported:
    """Writes one student as "onnx" or "torchscript", checked, with an example and a model card.

    Args:
        output: Folder; None = RUN/export/METHOD-FORMAT.
        method: Of this one; None = the least validation loss, no control.
        final: The student that was fitted to all people, and has no test score of its own.
    """
    from mtpkd_cli.deploy.choice import choose
    from mtpkd_cli.deploy.exporting import FILES
    from mtpkd_cli.deploy.handing_over import hand_over

    if format not in FILES:
        raise StudyError(f"there is no format '{format}'", where="--format", expected=", ".join(FILES))
    run = RunFolder(Path(folder))
    study = read_study_file(run.study)
    chosen = choose(run, study, method, fold, seed, final=final)[0]
    place = run.export(f"{chosen.method}-final" if final else chosen.method, format) if output is None else Path(output)
    return Exported(chosen, place, hand_over(run, study, chosen, format, place))  # type: ignore[arg-type]


def compare(
    folders: Sequence[StrPath],
    methods: Sequence[str] = (),
    reference: str | None = None,
    *,
    different_splits: bool = False,
    output: StrPath | None = None,
) -> "Summary":
    """Compares students of several runs, or of one, from one reference.

    Args:
        methods: Which of them; empty = all.
        reference: "RUN: METHOD" or a method of the first run; None = the reference of the first run.
        different_splits: Compare runs that are split differently, seed by seed.
        output: Folder for JSON, CSV, LaTeX, SVG and PDF.
    """
    from mtpkd_cli.evaluation.runs import compare_runs, read_evaluated
    from mtpkd_cli.report.comparison import check_place, write_comparison

    if output is not None:
        check_place(Path(output))
    runs = read_evaluated([Path(folder) for folder in folders])
    summary = compare_runs(runs, methods, reference, different_splits=different_splits)
    if output is not None:
        write_comparison(Path(output), summary)
    return summary
