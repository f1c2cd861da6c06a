"""What a study demands of its corpus, known before any compute: one function per condition, facts -> findings.

`mtpkd check`, the start of every command that computes, and the stages themselves ask here. What cannot work is a
problem, with a change that mends it; a default that has to give way to the corpus, and what changes nothing, is a note.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from mtpkd_cli.config.study import TrainSection
from mtpkd_cli.errors import DataError, StudyError
from mtpkd_cli.training.batches import smallest_batch
from mtpkd_cli.training.descriptions import Adjustment
from mtpkd_cli.training.facts import Facts, Finding, MethodSettings
from mtpkd_cli.training.label_budget import missing_classes
from mtpkd_cli.training.label_conditions import labels_that_teach, least_label_share, with_label_share
from mtpkd_cli.training.seeding import derived_seed
from mtpkd_cli.training.splits import Fold, folds_of, inner_folds

_TRIED_SEEDS = 50


def fitted_anchors(method: MethodSettings, samples: int, batch_size: int) -> tuple[int | None, Finding | None]:
    """Returns the anchors per row that a method can have, and what is to be known of them.

    Args:
        method: The method.
        samples: That a student of it is fitted to.
        batch_size: As the study says.

    Returns:
        The number, None where the method takes no anchors; and a problem, a note where the default gives way, or None.
    """
    options = method.options
    weightless = "centroid_weight" in options and not (options["transport_weight"] or options["centroid_weight"])
    if "anchors_k" not in options or options.get("structure") == "fgw" or weightless:
        return None, None
    asked, batch = options["anchors_k"], smallest_batch(samples, batch_size)
    if asked < batch:
        return asked, None
    why = f"the smallest batch has {batch} samples ({samples} to train with), and anchors are other samples of it"
    larger = f"--set distill.batch_size={asked + 1}" if samples > asked else ""
    if "anchors_k" in method.fixed:
        todo = larger or f"leave {method.name} out of distill.methods: it needs {asked + 1} training samples per fold"
        return asked, Finding(f"{method.name} keeps {asked} anchors, as released, and {why}", todo, "study")
    if batch < 2:
        todo = "add training samples, or choose methods without anchors"
        return asked, Finding(f"{method.name} takes anchors, and {why}", todo, "corpus")
    if key := method.keys.get("anchors_k"):
        ways = [f"--set {key}={batch - 1}", larger, "leave the key out, and the default fits itself to the corpus"]
        return asked, Finding(f"{key} = {asked}, but {why}", ", or ".join(filter(None, ways)), "study")
    return batch - 1, Finding(f"{method.name}: anchors_k is {asked} by default, {batch - 1} are used: {why}")


def fitted_options(method: MethodSettings, samples: int, batch_size: int) -> tuple[dict[str, Any], list[Adjustment]]:
    """Returns a method's options as they fit these samples, and which defaults have given way.

    Raises:
        StudyError: The study states a value that cannot work.
    """
    anchors, finding = fitted_anchors(method, samples, batch_size)
    if finding is None:
        return dict(method.options), []
    if finding.kind != "note":
        raise StudyError(finding.text, where=method.keys.get("anchors_k", method.name), todo=finding.todo)
    asked = method.options["anchors_k"]
    adjusted = Adjustment(option="anchors_k", asked=asked, used=anchors, reason=finding.text)
    return dict(method.options) | {"anchors_k": anchors}, [adjusted]


def fitted_inner_folds(train: TrainSection, people: int) -> tuple[int, Finding | None]:
    """Returns how many inner folds so many training and validation people give, and what is to be known of it."""
    asked = train.crossfit_folds
    if asked <= people:
        return asked, None
    text = f"train.crossfit_folds = {asked}, but {people} people teach, and each inner fold holds somebody out"
    if "crossfit_folds" in train.model_fields_set:
        return asked, Finding(text, f"--set train.crossfit_folds={people}", "study")
    return people, Finding(f"{text}: {people} inner folds are used")


def order_of_classes(ordinal: bool, classes: list[str], stated: bool) -> Finding | None:
    """Whether an ordinal study has its classes in an order that means something: stated, or that of numbers."""
    if not ordinal or stated or len(classes) < 2 or _increase(classes):
        return None
    shown = " < ".join(classes)
    quoted = ", ".join(f'"{name}"' for name in classes)
    return Finding(
        f"study.ordinal = true, and nothing says in which order the classes are; by the alphabet it would be {shown}",
        f"name them, lowest first: --set 'data.options.classes=[{quoted}]' in your order",
        "corpus",
    )


def _increase(classes: list[str]) -> bool:
    """Whether the names are numbers that increase."""
    try:
        numbers = [float(name) for name in classes]
    except ValueError:
        return False
    return all(low < high for low, high in pairwise(numbers))


def _order(facts: Facts) -> Iterator[Finding]:
    finding = order_of_classes(facts.study.study.ordinal, facts.classes, facts.classes_stated)
    if finding:
        yield finding
    elif facts.study.study.ordinal:
        yield Finding(f"classes, lowest first: {' < '.join(facts.classes)}")


def _anchors(facts: Facts) -> Iterator[Finding]:
    """Anchors of every method against the smallest batch of every fold; the worst fold speaks."""
    giving_way: dict[str, list[str]] = {}
    for method in facts.methods:
        if fewest := min(facts.in_epoch(method.name), default=0):
            finding = fitted_anchors(method, fewest, facts.study.distill.batch_size)[1]
            if finding is not None and finding.kind != "note":
                yield finding
            elif finding is not None:
                giving_way.setdefault(finding.text.removeprefix(f"{method.name}: "), []).append(method.name)
    for text, names in giving_way.items():
        yield Finding(f"{', '.join(names)}: {text}")


def _batches(facts: Facts) -> Iterator[Finding]:
    """Batches against the samples that there are, and against methods that compare samples within a batch."""
    distill, fewest = facts.study.distill, min(facts.trained(), default=0)
    sections = {"train": facts.study.train, "align": facts.study.align, "distill": distill}
    # What listens to teachers, alignment among it, has those without a label too.
    listening = [min(facts.in_epoch(method.name), default=0) for method in facts.methods] or [fewest]
    there = {"train": fewest, "align": max(listening), "distill": max(listening)}
    large: dict[int, list[str]] = {}
    for name, one in sections.items():
        if there[name] and one.batch_size > there[name]:
            large.setdefault(there[name], []).append(f"{name}.batch_size = {one.batch_size}")
    for count, keys in large.items():
        yield Finding(f"{', '.join(keys)}: a fold trains with {count} samples, so all of them are one batch")
    for method in facts.methods:
        fewest = min(facts.in_epoch(method.name), default=0)
        batch = smallest_batch(fewest, distill.batch_size)
        if fewest and batch < method.least:
            todo = f"--set distill.batch_size={method.least}" if fewest >= method.least else "add training samples"
            what = "pairs" if method.least == 2 else "three samples at a time"
            text = f"{method.name} compares {what}, and the smallest batch has {batch} (distill.batch_size)"
            yield Finding(text, todo, "study")


def _inner_folds(facts: Facts) -> Iterator[Finding]:
    people = min((len(fold.train) + len(fold.validation) for fold in facts.seen_folds), default=0)
    if people and (finding := fitted_inner_folds(facts.study.train, people)[1]) is not None:
        yield finding


def _modalities(facts: Facts) -> Iterator[Finding]:
    """Sides of folds, inner ones too, on which nobody has what a teacher or the student sees."""
    lacking = list(lacking_modalities(facts))
    for text in lacking:
        yield Finding(text, kind="corpus")
    if lacking:
        yield Finding("these folds cannot be trained", working_folds(facts), "corpus")
    for number, fold in enumerate(facts.folds):
        if fold.test and not facts.seen(number, fold.test, facts.study.prevalent):
            seen = " or ".join(facts.study.prevalent)
            yield Finding(f"fold {number}: no test sample has {seen}: nobody is tested in it")


def lacking_modalities(facts: Facts) -> Iterator[str]:
    """Says of every side of a fold that trains or validates which teacher has nothing to see there."""
    study = facts.study
    for number, fold in enumerate(facts.seen_folds):
        for teacher, seen in study.teacher_modalities.items():
            names = " or ".join(seen)
            for side, people in (("training", fold.train), ("validation", fold.validation)):
                if not facts.seen(number, people, seen):
                    yield f"fold {number}: no sample of its {len(people)} {side} people has {names} (teacher {teacher})"
                    break
            else:
                yield from _inner_lacking(facts, number, fold, teacher, names)


def _inner_lacking(facts: Facts, number: int, fold: Fold, teacher: str, names: str) -> Iterator[str]:
    """Cross-fitting holds people out: the others must have what the teacher sees."""
    train, seen = facts.study.train, facts.study.teacher_modalities[teacher]
    people = [*fold.train, *fold.validation]
    parts = fitted_inner_folds(train, len(people))[0]
    for seed in facts.study.study.seeds:
        for held_out in inner_folds(people, parts, derived_seed(seed, number, "inner")):
            rest = [person for person in people if person not in set(held_out)]
            if not facts.seen(number, rest, seen):
                yield f"fold {number}, seed {seed}: without {', '.join(held_out[:3])} nobody who trains has {names}"
                return


def lacking_classes(facts: Facts) -> Iterator[str]:
    """Says of every fold which classes no training sample has, or none whose label is seen."""
    for number, side in enumerate(facts.sides if facts.classes else []):
        if absent := missing_classes(facts.samples, side.train, facts.classes):
            why = f", as data.label_share = {facts.study.data.label_share:g} hides labels" if side.hidden.any() else ""
            yield f"fold {number}: no train sample of {', '.join(absent)}{why}"


def _classes(facts: Facts) -> Iterator[Finding]:
    """Folds without a class, whatever labels are hidden."""
    yield from _class_findings(with_label_share(facts, 1.0))


def _seen_classes(facts: Facts) -> Iterator[Finding]:
    """Folds that a budget of labels leaves without a class."""
    if facts.study.data.labels.hides and not any(lacking_classes(with_label_share(facts, 1.0))):
        yield from _class_findings(facts)


def _class_findings(facts: Facts) -> Iterator[Finding]:
    lacking = list(lacking_classes(facts))
    for text in lacking:
        yield Finding(text, kind="corpus")
    if lacking:
        yield Finding("every class is to be learned in every fold", working_folds(facts), "corpus")


def working_folds(facts: Facts) -> str:
    """A change of [data] after which every fold has all that is learned in it; what else helps where none is near."""
    data, found = facts.study.data, ""
    if data.labels.hides and (share := least_label_share(facts, _is_whole)):
        return f"--set data.label_share={share:g} is the least share that works"
    if data.split != "official":
        changes: list[dict[str, Any]] = [{"split_seed": seed} for seed in range(_TRIED_SEEDS)]
        changes += [{"validation_share": share} for share in (0.2, 0.15, 0.1)]
        changes += [{"folds": folds} for folds in range(data.folds + 1, data.folds + 6) if data.split == "group-kfold"]
        found = next((_in_words(change) for change in changes if _fits(facts, change)), "")
    return found or "leave those classes or modalities out, or add people who have them"


def _is_whole(facts: Facts) -> bool:
    return not any(lacking_classes(facts)) and not any(lacking_modalities(facts))


def _in_words(change: dict[str, Any]) -> str:
    return "; ".join(f"--set data.{key}={value} gives folds that fit" for key, value in change.items())


def _fits(facts: Facts, change: dict[str, Any]) -> bool:
    try:
        folds = folds_of(facts.samples, facts.study.data.model_copy(update=change))
    except DataError:
        return False
    return _is_whole(replace(facts, folds=folds))


def _files(facts: Facts) -> Iterator[Finding]:
    for name, missing in facts.files.items():
        for what in missing:
            todo = f"put it there, or mend [modalities.{name}.options]"
            yield Finding(f"modalities.{name}: its encoder needs {what}", todo, "study")


@dataclass(frozen=True)
class Condition:
    """One condition.

    Args:
        stage: The stage that would fail.
        findings: Facts -> what it finds.
    """

    stage: str
    findings: Callable[[Facts], Iterator[Finding]]


CONDITIONS: dict[str, Condition] = {
    "order of classes": Condition("extract", _order),
    "encoders": Condition("extract", _files),
    "classes": Condition("extract", _classes),
    "modalities": Condition("train-teachers", _modalities),
    "classes that are seen": Condition("train-teachers", _seen_classes),
    "recordings": Condition("train-teachers", labels_that_teach),
    "inner folds": Condition("train-teachers", _inner_folds),
    "batches": Condition("distill", _batches),
    "anchors": Condition("distill", _anchors),
}
"""Name -> condition. What is known first comes first."""
