"""Which students are tried for a method: its options, its grid, and its guard."""

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

    The guard comes first: a student that knows of no teacher, which stays unless one that does is better.
    """
    options = method_options(study, method)
    given = {key for key in options if getattr(study.distill, key, None) is not None}
    given |= set(study.distill.method.get(method, {}))
    grid: Any = METHODS.constant(method, "GRID", ({},))
    varied = [options | {key: value for key, value in point.items() if key not in given} for point in grid]
    tried = [{"method": method, "options": point} for i, point in enumerate(varied) if point not in varied[:i]]
    guard: Any = METHODS.constant(method, "GUARD", None)
    return (
        [{"method": guard, "options": method_options(study, guard)}, *tried] if guard and study.distill.guard else tried
    )
