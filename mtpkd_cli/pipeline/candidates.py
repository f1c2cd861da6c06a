"""Which students are tried for a method: the study's settings, others drawn from its grid, and those of its guard.

Every method has the same number of tries, student-only included. Try 0 is what the study says; the others are drawn
from the student's grid below and the grid of the method (`GRID`). A draw depends on the number of the try and the name
of the option alone, so that all methods try the same students. Validation subjects choose among the tries.
"""

import random
from collections.abc import Mapping, Sequence
from typing import Any, cast

from mtpkd_cli.config import Study
from mtpkd_cli.config.methods import METHODS
from mtpkd_cli.training.descriptions import Candidate
from mtpkd_cli.training.facts import MethodSettings

STUDENT_GRID: dict[str, tuple[float, ...]] = {
    "learning_rate": (0.3, 1.0, 3.0),
    "weight_decay": (1.0, 10.0, 100.0),
    "dropout": (1.0, 2.0),
}
"""Factors on what the study says."""

MOST_DROPOUT = 0.6


def method_options(study: Study, method: str) -> dict[str, Any]:
    """Returns a method's options: its defaults, those for recordings without a label where there may be some, then
    shared keys of [distill], then the method's table of the study.

    A control is another method but for one thing, so it takes that method's table first, and then the control's. What
    a publication has settled is no shared key's to change.
    """
    defaults, released = METHODS.options(method), METHODS.released(method)
    if study.data.has_unlabelled:
        defaults = defaults | METHODS.with_unlabelled(method)
    shared = {key: value for key, value in _shared(study, method).items() if key not in released}
    tables = [study.distill.method.get(name, {}) for name in (METHODS.control_of(method), method) if name]
    of_tables = {key: value for table in tables for key, value in table.items() if key in defaults}
    return defaults | shared | of_tables


def method_settings(study: Study, method: str) -> MethodSettings:
    """Returns a method's options, the key that states each of them, and those that no study changes."""
    released = METHODS.released(method)
    keys = {key: f"distill.{key}" for key in _shared(study, method) if key not in released}
    for name in filter(None, (METHODS.control_of(method), method)):
        keys |= {key: f"distill.method.{name}.{key}" for key in study.distill.method.get(name, {})}
    fixed = frozenset(key for key, values in released.items() if len(values) == 1)
    least = METHODS.constant(method, "LEAST", 1)
    return MethodSettings(method, method_options(study, method), keys, fixed, cast(int, least))


def passed_by(study: Study) -> list[str]:
    """Returns one line per key of [distill] that a method of the study does not take, since its value is released."""
    lines = []
    for method in study.distill.methods:
        released, options = METHODS.released(method), method_options(study, method)
        lines += [
            f"{method} keeps {key} = {options[key]}, as released: distill.{key} = {value} does not reach it"
            for key, value in _shared(study, method).items()
            if key in released and value != options[key]
        ]
    return lines


def candidates_of(study: Study, method: str) -> list[Candidate]:
    """Returns the students that are tried for a method, as method, options, fit and sizes; the first of equals is kept.

    The guard's come first: students that know of no teacher, one of which stays unless one that does is better on the
    validation subjects.
    """
    guard = METHODS.constant(method, "GUARD")
    names = [guard, method] if study.distill.guard and isinstance(guard, str) else [method]
    return [_candidate(study, name, number) for name in names for number in range(study.distill.candidates)]


def _shared(study: Study, method: str) -> dict[str, Any]:
    """The keys of [distill] that are set for all methods and that this one has."""
    values = {key: getattr(study.distill, key, None) for key in METHODS.options(method)}
    return {key: value for key, value in values.items() if value is not None}


def _candidate(study: Study, method: str, number: int) -> Candidate:
    options = method_options(study, method)
    drawn = _drawn(STUDENT_GRID, number)
    fit = {
        "learning_rate": study.distill.learning_rate * drawn.get("learning_rate", 1.0),
        "weight_decay": study.distill.weight_decay * drawn.get("weight_decay", 1.0),
    }
    dropout = study.model.dropout
    sizes = {"dropout": max(dropout, min(MOST_DROPOUT, dropout * drawn.get("dropout", 1.0)))}
    grid = cast(Mapping[str, Sequence[Any]], METHODS.constant(method, "GRID", {}))
    return Candidate(method=method, options=options | _drawn(grid, number), fit=fit, sizes=sizes)


def _drawn(grid: Mapping[str, Sequence[Any]], number: int) -> dict[str, Any]:
    """One value per key for try `number`; none for try 0, which is what the study says."""
    return {key: random.Random(f"{number}/{key}").choice(values) for key, values in grid.items()} if number else {}
