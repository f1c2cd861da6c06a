"""One folder of results and its ingredients, each stated once: a section of the study, a value, or an artifact.

What makes the result stale, which folders it reads and what its stage is called with all follow from the ingredients.
"""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from mtpkd_cli.artifacts.run_folder import repetition_name
from mtpkd_cli.config.options import Options

STAGES = ("extract", "train-teachers", "align", "distill", "evaluate")
OPTIONAL_STAGES = ("transfer", "classical", "corrupt", "ablate", "final", "curve")
"""What `transfer`, `evaluate --classical`, `evaluate --corrupt`, `ablate`, `final` and `curve` make; no part of `run`."""

LISTING = "listing of the samples"
"""What features read of the samples table, its names, media and times, as an input in a manifest."""


@dataclass(frozen=True)
class Ingredient:
    """One thing that a result is made of.

    Args:
        passed: Argument of the stage's `build` -> what it is called with.
        hashed: Plain data of the study that makes the result stale, by its place in the manifest's `study`.
        inputs: Name in the manifest's `inputs` -> folder of the unit whose results are read.
    """

    passed: dict[str, Any] = field(default_factory=dict)
    hashed: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, Path] = field(default_factory=dict)


def section(**sections: Options) -> Ingredient:
    """Sections of the study, passed and hashed under their names."""
    return Ingredient(sections, {name: one.model_dump(mode="json") for name, one in sections.items()})


def value(**values: Any) -> Ingredient:
    """Plain values, passed and hashed under their names."""
    return Ingredient(values, values)


def value_as(hashed: dict[str, Any], **passed: Any) -> Ingredient:
    """Values that the manifest holds in another form, or at another place, than `build` takes them."""
    return Ingredient(passed, hashed)


def place(**values: Any) -> Ingredient:
    """What says where the result lies or how it is called: passed, and no part of what it is made of."""
    return Ingredient(values)


def artifact(name: str, folder: Path, **passed: Path | None) -> Ingredient:
    """The results of one unit.

    Args:
        name: In the manifest's inputs.
        folder: Of the unit.
        passed: Argument -> the folder, or files in it.
    """
    return Ingredient(dict(passed), {}, {name: folder})


def artifacts(pattern: str, **folders: dict[str, Path]) -> Ingredient:
    """The results of several units, passed as one argument: key -> folder.

    Args:
        pattern: Name of each in the manifest's inputs, {} being its key.
    """
    inputs = {pattern.format(key): path for one in folders.values() for key, path in one.items()}
    return Ingredient(dict(folders), {}, inputs)


@dataclass(frozen=True)
class Unit:
    """One folder of results.

    Args:
        stage: The command that makes it.
        module: The file of mtpkd_cli/stages that builds it.
        folder: Where its manifest lies.
        name: Modality, teacher or method; selectable on the command line.
        ingredients: All that the result is made of.
        fold: None where it serves all folds.
        seed: None where it serves all seeds.
        files: What it writes where its folder holds other things too; empty = all that lies there.
        spares: Argument of `build` -> folder of a unit part of whose work is this one's too. It is given where that
            unit is done; where not, `build` does that part itself and the result is the same.
        impossible: Why the study as it is now cannot make it any more; "" = it can.
    """

    stage: str
    module: str
    folder: Path
    name: str
    ingredients: tuple[Ingredient, ...]
    fold: int | None = None
    seed: int | None = None
    files: tuple[str, ...] = ()
    spares: dict[str, Path] = field(default_factory=dict)
    impossible: str = ""

    @cached_property
    def reads(self) -> dict[str, Any]:
        """The parts of the study that it depends on, as plain data; they make it stale."""
        reads: dict[str, Any] = {}
        for one in self.ingredients:
            _merge(reads, one.hashed)
        return reads

    @cached_property
    def inputs(self) -> dict[str, Path]:
        """Name -> folder of a unit whose results it reads."""
        return {name: path for one in self.ingredients for name, path in one.inputs.items()}

    @cached_property
    def arguments(self) -> dict[str, Any]:
        """What its `build` is called with, beside the folder and the job."""
        return {name: given for one in self.ingredients for name, given in one.passed.items()}

    @property
    def label(self) -> str:
        """How it is called where people read it."""
        if self.fold is None or self.seed is None or self.stage == "final":
            return self.stage if self.name == self.stage else f"{self.stage} {self.name}"
        return f"{self.stage} {repetition_name(self.fold, self.seed)} {self.name}"

    @property
    def frozen(self) -> bool:
        """The samples and splits of a run are not replaced unasked: every result of the run rests on them."""
        return self.module == "samples"

    @property
    def in_place(self) -> bool:
        """It fills its folder bit by bit, or shares it with others; all other units replace theirs as a whole."""
        return self.module in ("samples", "extract", "ablate", "final", "curve")


def _merge(whole: dict[str, Any], part: dict[str, Any]) -> None:
    """Adds a part; tables of the same name are joined, and nothing is stated twice."""
    for key, one in part.items():
        if isinstance(one, dict) and isinstance(whole.get(key), dict):
            whole[key] = dict(whole[key])
            _merge(whole[key], one)
        elif key in whole:
            raise ValueError(f"'{key}' is stated twice")
        else:
            whole[key] = one
