"""Which shares of the labels a corpus has: known from the samples and the splits before anything is computed."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd

from mtpkd_cli.artifacts import RunFolder, digest_of, read_parquet
from mtpkd_cli.config import Study
from mtpkd_cli.config.recordings import LabelBudget
from mtpkd_cli.datasets import is_labelled
from mtpkd_cli.errors import DataError, MtpkdError, StudyError
from mtpkd_cli.training.conditions import fitted_inner_folds
from mtpkd_cli.training.label_budget import missing_classes, seen_labels
from mtpkd_cli.training.splits import Fold, class_names_of, read_folds


def usable_shares(
    run: RunFolder, study: Study, shares: Sequence[float], leave_out: Callable[[str], None] | None
) -> list[float]:
    """Shares that see labels which no smaller one sees, and of every class some in every fold.

    Of few people several shares are the same, and a small one may have people of one class alone.

    Args:
        leave_out: Told of each share that is left out; None = such a share is an error.

    Raises:
        StudyError: Two shares are the same, or inner folds that the study states are too many, and that is an error.
        DataError: A share lacks a class, and that is an error.
    """
    if not (run.samples.is_file() and run.splits.is_file()):
        return list(shares)
    samples, folds = read_parquet(run.samples).to_pandas(), read_folds(run.splits)
    kept = dict[str, float]()
    for share in shares:
        budget = LabelBudget(share=share, unit=study.data.label_unit)
        seen = [seen_labels(samples, fold, number, budget) for number, fold in enumerate(folds)]
        people = np.mean([len(fold.train) + len(fold.validation) for fold, _ in seen])
        error: MtpkdError | None = None
        _, finding = fitted_inner_folds(study.train, min(len(fold.train) + len(fold.validation) for fold, _ in seen))
        if finding is not None and finding.kind != "note":
            error = StudyError(f"share {share:g}: {finding.text}", where="train.crossfit_folds", todo=finding.todo)
        elif lacking := next(_lacking(samples, seen), None):
            error = DataError(
                f"share {share:g}, {lacking} has a label that is seen, of {people:.3g} people",
                where="--label-shares",
                expected="every class among the labels of every fold",
                todo="leave this share out, or take a larger one",
            )
        elif twin := kept.get(labels := digest_of([np.flatnonzero(rows).tolist() for _, rows in seen])):
            same = f"shares {twin:g} and {share:g} see the same labels in every fold, of {people:.3g} people"
            error = StudyError(same, where="--label-shares", todo="leave one of them out")
        if error is None:
            kept[labels] = share
        elif leave_out is None:
            raise error
        else:
            leave_out(f"curve: share {share:g} is left out: {error.what}")
    return list(kept.values())


def _lacking(samples: pd.DataFrame, seen: list[tuple[Fold, np.ndarray]]) -> Iterator[str]:
    """Fold by fold the classes of which no label teaches."""
    classes = class_names_of(samples[is_labelled(samples)])
    for number, (fold, rows) in enumerate(seen):
        train = samples["subject"].isin(fold.train).to_numpy()
        if missing := missing_classes(samples, rows & train, classes):
            yield f"fold {number}: no training recording of {', '.join(missing)}"
