"""What teachers know that the student's modalities do not show: a diagnosis before any student is trained.

It reads what each teacher predicts for labelled recordings of people from whom it has not learned, and the labels of
these; nothing of a test person enters it. Cross-fitting stops by the people held out, which flatters teachers a little.
Likelihood is in nats per recording above what the frequencies of the classes, or the mean of the target, give: the
information of a teacher about the label, as far as its predictions hold it.

Legend: N recordings, C classes or targets, S people, R resamples.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from mtpkd_cli import interruption, metrics
from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.artifacts.records import Record, read_record
from mtpkd_cli.errors import DataError
from mtpkd_cli.evaluation.held_out import HeldOut, People
from mtpkd_cli.evaluation.label_noise import LabelNoise, label_noise
from mtpkd_cli.evaluation.summary import Estimate
from mtpkd_cli.registry import METRICS

TRANSFER = "transfer.json"


class Agreement(Record):
    """A teacher beside the prevalent one, recording by recording.

    Args:
        same: Share of recordings for which both predict the same class; classification only.
        teacher_right: Share for which the teacher is right and the prevalent one is wrong; classification only.
        prevalent_right: The other way round; classification only.
        correlation: Of both predictions, mean over targets; regression only.
        error_correlation: Of both errors: 1 = they err alike, 0 = each errs for itself; regression only.
    """

    same: Estimate | None = None
    teacher_right: Estimate | None = None
    prevalent_right: Estimate | None = None
    correlation: Estimate | None = None
    error_correlation: Estimate | None = None


class TeacherDiagnosis(Record):
    """One teacher, on recordings that it has not learned from; all beside the prevalent teacher is of recordings that
    both have predictions of.

    Args:
        name: The teacher.
        modalities: That it sees.
        recordings: Labelled recordings that it has predictions of, over all folds and seeds, each once.
        skill: In the headline metric.
        likelihood: Nats per recording (and target) above what knows no recording.
        gap: Its skill minus that of the prevalent teacher, which is the modality gap.
        beyond: Nats that it adds to the prevalent teacher.
        shared: Share of its likelihood that the prevalent teacher has too, 0 to 1; None where it has none to share.
        agreement: With the prevalent teacher.
    """

    name: str
    modalities: list[str]
    recordings: int
    skill: Estimate
    likelihood: Estimate
    gap: Estimate | None = None
    beyond: Estimate | None = None
    shared: Estimate | None = None
    agreement: Agreement | None = None


class TransferDiagnosis(Record):
    """What transfer.json holds.

    Args:
        metric: The headline metric.
        label: How it is printed.
        prevalent: The teacher that sees what the student sees.
        people: With labels on the training side, over all folds.
        labelled: Labelled recordings of a repetition that are not tested, their mean.
        unlabelled: Recordings of a repetition that have no label, or whose label is hidden, their mean.
        repetitions: "fold-I/seed-S" of each.
        interval: What the intervals are, in words.
        teachers: The prevalent one first.
        noise: How doubtful the labels seem.
    """

    task: str
    metric: str
    label: str
    greater_is_better: bool
    prevalent: str
    people: int
    labelled: float
    unlabelled: float
    repetitions: list[str]
    interval: str
    teachers: list[TeacherDiagnosis]
    noise: LabelNoise

    @property
    def agreement_heads(self) -> dict[str, str]:
        """Fields of `Agreement` that it has -> how they are printed."""
        if self.task == "classification":
            right = {"teacher_right": "only it right", "prevalent_right": f"only {self.prevalent} right"}
            return {"same": "same class"} | right
        return {"correlation": "correlation", "error_correlation": "of errors"}


def diagnose(
    repetitions: Mapping[str, HeldOut],
    teachers: Mapping[str, list[str]],
    prevalent: str,
    *,
    task: str,
    metric: str,
    independent: Sequence[str],
    ordinal: bool,
    unlabelled: Sequence[int],
    resamples: int,
    seed: int,
    advance: Callable[[], None] = lambda: None,
) -> TransferDiagnosis:
    """Diagnoses every teacher, and the labels.

    Args:
        repetitions: "fold/seed" -> held-out predictions.
        teachers: Teacher -> modalities that it sees.
        prevalent: The teacher that sees what the student sees.
        metric: The headline metric, one without a threshold.
        independent: Teachers that see nothing of what the student sees.
        ordinal: Whether the classes have an order.
        unlabelled: Recordings without a seen label of each repetition.
        resamples: Bootstrap resamples of the people.
        seed: Of these.
        advance: Called after each teacher.

    Raises:
        DataError: Labels of fewer than two people are seen, so nothing can be judged by other people.
    """
    held_out = list(repetitions.values())
    names = sorted(set(np.concatenate([one.people for one in held_out]).tolist()))
    if min(len(set(one.people.tolist())) for one in held_out) < 2:
        raise DataError(
            "a repetition has labels of one person only: nothing is judged by other people",
            expected="two or more", todo="a larger data.label_share, or more labelled people",
        )  # fmt: skip
    people = People(names, metrics.bootstrap_weights(len(names), resamples, seed))
    module = METRICS.load(metric)
    order = [prevalent, *(name for name in teachers if name != prevalent)]
    rows = []
    for name in order:
        interruption.check()
        rows.append(_diagnose_teacher(name, teachers[name], prevalent, held_out, people, metric))
        advance()
    skills = {row.name: row.likelihood.value or 0.0 for row in rows}
    second = max(independent, key=lambda name: skills[name], default=None)
    return TransferDiagnosis(
        task=task, metric=metric, label=module.LABEL, greater_is_better=module.GREATER_IS_BETTER, prevalent=prevalent,
        people=len(names), labelled=float(np.mean([len(one.labels) for one in held_out])),
        unlabelled=float(np.mean(unlabelled)), repetitions=list(repetitions),
        interval=f"95 % percentile bootstrap over {len(names)} labelled people, {resamples} resamples",
        teachers=rows, noise=label_noise(held_out, people, prevalent, second, ordinal),
    )  # fmt: skip


def _diagnose_teacher(
    name: str, modalities: list[str], prevalent: str, held_out: Sequence[HeldOut], people: People, metric: str
) -> TeacherDiagnosis:
    module = METRICS.load(metric)
    pooled = getattr(module, "POOLED", False)

    def scored(teacher: str, seen: list[np.ndarray]) -> metrics.Resampled:
        parts = [
            metrics.Part(one.labels[rows], one.scores(teacher, rows), one.people[rows])
            for one, rows in zip(held_out, seen, strict=True)
            if rows.any()
        ]
        return people.resampled(module.metric, parts, pooled)

    def nats(teachers: Sequence[str], seen: list[np.ndarray]) -> metrics.Resampled:
        pairs = [(one, rows) for one, rows in zip(held_out, seen, strict=True) if rows.any()]
        gains = [one.log_likelihood(teachers, rows) - one.log_likelihood([], rows) for one, rows in pairs]
        return people.mean(gains, [one.people[rows] for one, rows in pairs])

    seen = [one.known(name) for one in held_out]
    if not any(rows.any() for rows in seen):
        raise DataError(
            f"teacher '{name}' has held-out predictions of no labelled recording",
            expected=f"labelled recordings with {' or '.join(modalities)}",
            todo="look at failures.parquet in features/*, or label recordings that have it",
        )
    recordings = set(np.concatenate([one.recordings[rows] for one, rows in zip(held_out, seen, strict=True)]).tolist())
    row = {
        "name": name,
        "modalities": modalities,
        "recordings": len(recordings),
        "skill": Estimate.of(scored(name, seen).estimate),
        "likelihood": Estimate.of(nats([name], seen).estimate),
    }
    both = [one.known(name, prevalent) for one in held_out]
    if name == prevalent or not any(rows.any() for rows in both):
        return TeacherDiagnosis(**row)
    theirs, base = scored(name, both), scored(prevalent, both)
    alone, without, together = nats([name], both), nats([prevalent], both), nats([prevalent, name], both)
    return TeacherDiagnosis(
        **row,
        gap=Estimate.of(metrics.difference(base.point, base.values, theirs.point, theirs.values)),
        beyond=Estimate.of(metrics.difference(without.point, without.values, together.point, together.values)),
        shared=_shared(alone, without, together),
        agreement=_agreement(name, prevalent, held_out, both, people),
    )


def _shared(alone: metrics.Resampled, prevalent: metrics.Resampled, together: metrics.Resampled) -> Estimate | None:
    """1 - (what the teacher adds) / (what it has alone), within 0 and 1; None where it has no skill beyond chance."""
    if not alone.estimate.low > 0:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(alone.values > 0, 1 - (together.values - prevalent.values) / alone.values, np.nan)
    point = 1 - (together.point - prevalent.point) / alone.point
    return Estimate.of(metrics.interval(share.clip(0, 1), float(np.clip(point, 0, 1))))


def _agreement(
    name: str, prevalent: str, held_out: Sequence[HeldOut], both: Sequence[np.ndarray], people: People
) -> Agreement:
    pairs = [(one, rows) for one, rows in zip(held_out, both, strict=True) if rows.any()]
    of = [one.people[rows] for one, rows in pairs]
    predicted = [(one.scores(name, rows), one.scores(prevalent, rows), one.labels[rows]) for one, rows in pairs]
    if pairs[0][0].of_classes:
        right = [(a.argmax(1) == y, b.argmax(1) == y, a.argmax(1) == b.argmax(1)) for a, b, y in predicted]
        columns = {
            "same": [same for _, _, same in right],
            "teacher_right": [a & ~b for a, b, _ in right],
            "prevalent_right": [b & ~a for a, b, _ in right],
        }
        return Agreement(
            **{
                key: Estimate.of(people.mean([x.astype(float) for x in one], of).estimate)
                for key, one in columns.items()
            }
        )
    correlated = METRICS.load("pcc").metric
    alike = [metrics.Part(a, b, who) for (a, b, _), who in zip(predicted, of, strict=True)]
    errors = [metrics.Part(a - y, b - y, who) for (a, b, y), who in zip(predicted, of, strict=True)]
    return Agreement(
        correlation=Estimate.of(people.resampled(correlated, alike).estimate),
        error_correlation=Estimate.of(people.resampled(correlated, errors).estimate),
    )


def read_transfer(run: RunFolder) -> TransferDiagnosis:
    """Reads the diagnosis of a run; raises ArtifactError where there is none."""
    todo = f"mtpkd transfer {run.root}"
    return read_record(run.transfer / TRANSFER, TransferDiagnosis, "there is no diagnosis of transfer", todo)
