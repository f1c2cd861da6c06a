"""A method as a student is fitted with it; a control's is put together from its method and its change of the lesson."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, cast

from mtpkd_cli.config.methods import METHODS
from mtpkd_cli.methods._lesson import Lesson
from mtpkd_cli.models.losses import Term, task_loss

Terms = Callable[..., dict[str, Term]]


@dataclass(frozen=True)
class Method:
    """What a student is fitted with.

    Args:
        tnet: "fitted" or "untrained": where the student's T-Net starts.
        terms: (Lesson, *, options with defaults) -> {name: Term}; the sum of weight x value is the loss.
    """

    tnet: str
    terms: Terms


def load_method(name: str) -> Method:
    """Imports a method, a control or the placebo of a method.

    Raises:
        StudyError: There is none of that name.
        ValueError: It is an imputation.
    """
    if METHODS.constant(name, "IMPUTE"):
        raise ValueError(f"{name} is an imputation: no student is fitted with it")
    module, method = METHODS.load(name), METHODS.control_of(name)
    if method is None:
        return Method(module.TNET, module.terms)
    loaded, fixed = load_method(method), cast(dict[str, Any], METHODS.constant(name, "FIXED", {}))
    return Method(loaded.tnet, _terms_of_changed(loaded.terms, module.changed, fixed))


def _terms_of_changed(terms: Terms, changed: Callable[[Lesson], Lesson], fixed: Mapping[str, Any]) -> Terms:
    """The terms of a changed lesson, and the task of the lesson as it is.

    Args:
        terms: The method's; its term "task" is the task loss.
        fixed: Options of the method that the caller does not choose.
    """

    @wraps(changed)
    def terms_of_changed(lesson: Lesson, **options: Any) -> dict[str, Term]:
        of_changed = terms(changed(lesson), **options, **fixed)
        task = of_changed["task"]._replace(value=task_loss(lesson.student.logits, lesson.labels))
        return of_changed | {"task": task}

    signature = inspect.signature(terms)
    kept = [parameter for key, parameter in signature.parameters.items() if key not in fixed]
    # What there is to choose can be asked of it, as of the terms of any method.
    terms_of_changed.__dict__["__signature__"] = signature.replace(parameters=kept)
    return terms_of_changed
