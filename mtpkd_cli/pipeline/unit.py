"""One folder of results, with all that it depends on."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtpkd_cli.artifacts.run_folder import repetition_name

STAGES = ("extract", "train-teachers", "align", "distill", "evaluate")


@dataclass(frozen=True)
class Unit:
    """One folder of results.

    Args:
        stage: The command that makes it.
        module: The file of mtpkd_cli/stages that builds it.
        folder: Where its manifest lies.
        name: Modality, teacher or method; selectable on the command line.
        reads: The parts of the study that it depends on, as plain data; they make it stale.
        inputs: Name -> folder of a unit whose results it reads.
        arguments: What its `build` is called with.
        fold: None where it serves all folds.
        seed: None where it serves all seeds.
        spares: Argument of `build` -> folder of a unit part of whose work is this one's too. It is given where that
            unit is done; where not, `build` does that part itself and the result is the same.
    """

    stage: str
    module: str
    folder: Path
    name: str
    reads: dict[str, Any]
    inputs: dict[str, Path]
    arguments: dict[str, Any]
    fold: int | None = None
    seed: int | None = None
    files: tuple[str, ...] = field(default=())
    spares: dict[str, Path] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """How it is called where people read it."""
        if self.fold is None or self.seed is None:
            return f"{self.stage} {self.name}"
        return f"{self.stage} {repetition_name(self.fold, self.seed)} {self.name}"

    @property
    def frozen(self) -> bool:
        """The samples and splits of a run are not replaced unasked: every result of the run rests on them."""
        return self.module == "samples"

    @property
    def resumable(self) -> bool:
        """It fills its folder bit by bit and continues there; the others replace their folder as a whole."""
        return self.module in ("samples", "extract")


def plain(sections: dict[str, Any]) -> dict[str, Any]:
    """Sections of a study as plain data, for `Unit.reads`."""
    return {name: section.model_dump(mode="json") for name, section in sections.items()}
