"""Which students are tried for a method: its own, and where the study asks for it, its guard's."""

from typing import Any

from mtpkd_cli.config import Study
from mtpkd_cli.registry import METHODS


def method_options(study: Study, method: str) -> dict[str, Any]:
    """Returns a method's options: its own defaults, then shared keys of [distill], then its own table."""
    defaults = METHODS.keywords(method, "terms")
    shared = {key: value for key in defaults if (value := getattr(study.distill, key, None)) is not None}
    return defaults | shared | study.distill.method.get(method, {})


def candidates_of(study: Study, method: str) -> list[dict[str, Any]]:
    """Returns the students that are tried for a method, as method and options; the first is kept in case of a tie.

    The guard comes first: a student that knows of no teacher, which stays unless the one that does is better on the
    validation subjects.
    """
    guard = METHODS.constant(method, "GUARD")
    names = [guard, method] if study.distill.guard and isinstance(guard, str) else [method]
    return [{"method": name, "options": method_options(study, name)} for name in names]
