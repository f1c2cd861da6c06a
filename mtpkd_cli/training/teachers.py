"""Fitting a teacher, and its outputs for training samples that it has not learned from (cross-fitting)."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mtpkd_cli.errors import DataError
from mtpkd_cli.models import Output, Student, Teacher
from mtpkd_cli.models.losses import Term, task_loss
from mtpkd_cli.training.data import StudyData
from mtpkd_cli.training.fitting import History
from mtpkd_cli.training.loop import Terms, fit
from mtpkd_cli.training.resuming import NOT_KEPT, FitCheckpoint, Resuming
from mtpkd_cli.training.seeding import seeded
from mtpkd_cli.training.sides import Sides

CROSSFIT, MEMBERS = "crossfit.parquet", "members.parquet"
"""Files of a teacher's folder: the held-out logits of `crossfit`, and what all members predict of unlabelled rows."""

EVALUATION_BATCH = 512
ENOUGH_PEOPLE = 10
"""Validation people by whose word on a teacher's best epoch its members stop too; of fewer it is a coin."""


def fit_teacher(
    data: StudyData,
    modalities: list[str],
    train: Tensor,
    validation: Tensor,
    *,
    unlabelled: Tensor | None = None,
    outputs: int,
    sizes: Mapping[str, Any],
    options: Mapping[str, Any],
    seed: int,
    checkpoint: FitCheckpoint = NOT_KEPT,
) -> tuple[Teacher, History]:
    """Fits one teacher on training rows, stopping early on validation rows.

    Args:
        modalities: What the teacher sees; samples without any of them are left out.
        train: (n,) long rows of the training subjects, labelled.
        validation: (m,) long rows of the validation subjects, labelled.
        unlabelled: Rows that count where features are standardised, and nowhere else.
        outputs: Classes or targets C.
        sizes: Keyword arguments of `Teacher`: embedding, heads, dropout.
        options: Keyword arguments of `loop.fit`; with `stop_after` nothing is validated.
        checkpoint: Where the fit goes on after an interrupt.

    Returns:
        The teacher with its best weights, which answers in units of the targets, and the history.
    """
    # Of all training people, so that all teachers of a fold learn the same.
    scale = data.target_scale(train)
    present = data.present(modalities).cpu()
    learned, validated = train, validation
    train, validation = train[present[train]], validation[present[validation]]
    for side, rows, of_side in (("training", train, learned), ("validation", validation, validated)):
        if len(rows) == 0:
            people = sorted(set(data.samples["subject"].iloc[of_side.tolist()]))
            raise DataError(
                f"no {side} sample has {' or '.join(modalities)}; the {side} people are {', '.join(people[:10])}",
                todo="look at failures.parquet and quality.parquet in features/*; then leave those people out, or draw "
                "others: --set data.split_seed=N, or a larger data.validation_share",
            )
    targets = None if scale is None else scale.plain()
    with seeded(seed) as generator:
        teacher = Teacher(data.sizes(modalities), outputs, **sizes, targets=targets).to(data.labels.device)
        standard = train if unlabelled is None else torch.cat([train, unlabelled[present[unlabelled]]])
        teacher.trunk.fit_normalisers(data.batch(standard, modalities))
        data = data.with_standard_targets(scale)

        def step(rows: Tensor) -> Terms:
            output = teacher(data.batch(rows, modalities))
            return {"task": Term(task_loss(output.logits, data.labels[rows]), 1.0)}

        def validate() -> float:
            return task_loss(apply(teacher, data, modalities, validation).logits, data.labels[validation]).item()

        with teacher.standard_units():
            checked = None if options.get("stop_after") else validate
            history = fit(teacher, step, checked, train, generator=generator, checkpoint=checkpoint, **options)
    return teacher, history


@torch.no_grad()
def apply(model: Teacher | Student, data: StudyData, modalities: list[str], rows: Tensor) -> Output:
    """Applies a model to rows in evaluation mode, in batches that bound memory."""
    model.eval()
    parts = [model(data.batch(part, modalities)) for part in rows.split(EVALUATION_BATCH)]
    return Output(*(torch.cat(column) for column in zip(*parts, strict=True)))


class Crossfit(NamedTuple):
    """What the members of cross-fitting predict: each is a teacher fitted without the people that it is asked about.

    Args:
        held_out: (N, C) logits of a labelled training or validation recording by the member that held its person out;
            NaN where a row is none, or has none of the modalities.
        of_unlabelled: (K, n, C) logits of all members of the n unlabelled rows, of which none has learned.
    """

    held_out: Tensor
    of_unlabelled: Tensor


def crossfit(
    data: StudyData,
    modalities: list[str],
    sides: Sides,
    held_out: list[list[str]],
    seeds: list[int],
    *,
    resuming: Resuming,
    advance: Callable[[], None],
    **settings: Any,
) -> Crossfit:
    """Fits one teacher per inner fold and applies it to the subjects that were held out from it.

    All people whose labels are seen take part, those who validate too: with few of them each counts. A member stops
    where `stop_after` in the options says, so that who is held out has no say in it; without it, where few people
    validate, the held-out people say when. A part in which nobody has any of the modalities has no member.

    Args:
        sides: Of the outer fold.
        held_out: Subjects of each inner fold, a partition of the training and validation subjects.
        seeds: One seed per inner fold.
        resuming: Where each of the fits goes on after an interrupt.
        advance: Called after each inner fold.
        settings: outputs, sizes and options of `fit_teacher`.

    Returns:
        Logits; predictions in units of the targets, in regression.
    """
    logits = torch.full((len(data.samples), settings["outputs"]), torch.nan)
    present = data.present(modalities).cpu()
    subjects = data.samples["subject"]
    labelled, of_unlabelled = torch.cat([sides.labelled, sides.validation]), []
    labelled = labelled[present[labelled]]
    for number, (people, seed) in enumerate(zip(held_out, seeds, strict=True)):
        is_held = torch.from_numpy(subjects.isin(people).to_numpy(copy=True))[labelled]
        rest, rows = labelled[~is_held], labelled[is_held]
        if len(rows):
            teacher, _ = fit_teacher(
                data,
                modalities,
                rest,
                rows,
                unlabelled=sides.unlabelled,
                seed=seed,
                checkpoint=resuming.fit(f"inner fold {number}"),
                **settings,
            )
            logits[rows] = apply(teacher, data, modalities, rows).logits.cpu()
            of_unlabelled.append(logits_of(teacher, data, modalities, sides.unlabelled))
        advance()
    return Crossfit(logits, torch.stack(of_unlabelled))


def logits_of(teacher: Teacher, data: StudyData, modalities: list[str], rows: Tensor) -> Tensor:
    """(n, C) logits of some rows, NaN where a row has none of the modalities; on the CPU."""
    logits = torch.full((len(rows), len(data.outputs)), torch.nan)
    there = data.present(modalities).cpu()[rows]
    if there.any():
        logits[there] = apply(teacher, data, modalities, rows[there]).logits.cpu()
    return logits
