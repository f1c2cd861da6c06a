"""Which units of a stage are meant: those of some folds, seeds and names."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from mtpkd_cli.errors import StudyError, did_you_mean
from mtpkd_cli.pipeline.units import Unit


@dataclass(frozen=True)
class Choice:
    """The units of one or of several folds, seeds and names; None = of all."""

    fold: int | tuple[int, ...] | None = None
    seed: int | tuple[int, ...] | None = None
    name: str | tuple[str, ...] | None = None

    @classmethod
    def among(
        cls, folds: Sequence[int] | None, seeds: Sequence[int] | None, names: Sequence[str] | None = None
    ) -> "Choice":
        """The units of several folds, seeds and names; nothing given = all."""
        return cls(tuple(folds or ()) or None, tuple(seeds or ()) or None, tuple(names or ()) or None)

    def __str__(self) -> str:
        given = {"fold": self.fold, "seed": self.seed, "name": self.name}
        return ", ".join(f"{key} {value}" for key, value in given.items() if value is not None) or "unit"

    def takes(self, unit: Unit) -> bool:
        """Whether a unit is meant. Units that serve all folds or seeds always are."""
        by_number = unit.fold is None or (_among(unit.fold, self.fold) and _among(unit.seed, self.seed))
        return by_number and (_among(unit.name, self.name) or unit.module == "samples")

    def each(self) -> Iterator["Choice"]:
        """Every combination of one fold, seed and name."""
        parts: list[tuple[Any, ...]] = [_several(part) for part in (self.fold, self.seed, self.name)]
        yield from (Choice(*one) for one in product(*parts))


def check_choice(choice: Choice, stage: str, units: list[Unit]) -> None:
    """Checks that every part of a choice names a unit, so that nothing mistyped is left out in silence.

    Raises:
        StudyError: There is no such unit in the stage.
    """
    of_stage = [unit for unit in units if unit.stage == stage and unit.module != "samples"]
    for one in choice.each():
        if not any(one.takes(unit) for unit in of_stage):
            known = sorted({f"fold {u.fold}, seed {u.seed}, {u.name}" for u in of_stage})
            names = {u.name for u in of_stage}
            near = "" if one.name is None or one.name in names else did_you_mean(str(one.name), names)
            raise StudyError(f"{stage}: there is no {one}{near}", expected="one of: " + "; ".join(known[:10]))


def _among(value: Any, chosen: Any) -> bool:
    return chosen is None or value in _several(chosen)


def _several(chosen: Any) -> tuple[Any, ...]:
    return chosen if isinstance(chosen, tuple) else (chosen,)
