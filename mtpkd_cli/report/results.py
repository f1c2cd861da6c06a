"""What a report is made of: an evaluated run, read tolerantly, since a report of most of a run is worth having."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.config import Study, read_study
from mtpkd_cli.errors import ArtifactError
from mtpkd_cli.stages.evaluate import TEACHER_PREFIX
from mtpkd_cli.training.checkpoints import HISTORY, read_history

HEADLINES = {"classification": "balanced-accuracy", "regression": "ccc"}
PROPOSED = "mt-pkdot"

History = list[dict[str, Any]]


@dataclass(frozen=True)
class Results:
    """An evaluated run.

    Args:
        summary: The content of metrics.json.
    """

    run: RunFolder
    study: Study
    summary: dict[str, Any]

    @property
    def repetitions(self) -> list[tuple[int, int]]:
        """(fold, seed) of every repetition."""
        pairs = (tuple(int(part.split("-")[1]) for part in key.split("/")) for key in self.summary["repetitions"])
        return sorted((fold, seed) for fold, seed in pairs)

    @property
    def students(self) -> list[str]:
        """Methods, in the order of the study."""
        return [name for name in self.summary["methods"] if not name.startswith(TEACHER_PREFIX)]

    @property
    def teachers(self) -> list[str]:
        """Names of the teachers, without the prefix that they have in metrics.json."""
        rows = [name for name in self.summary["methods"] if name.startswith(TEACHER_PREFIX)]
        return [name.removeprefix(TEACHER_PREFIX) for name in rows]

    @property
    def reference(self) -> str:
        """The method that differences are taken from."""
        return str(self.summary["reference"])

    @property
    def proposed(self) -> str:
        """The method that the summary speaks of: MT-PKDOT, or the last one that is not the reference."""
        others = [name for name in self.students if name != self.reference]
        return PROPOSED if PROPOSED in others else (others or [self.reference])[-1]

    @property
    def metric_names(self) -> list[str]:
        """The headline metric first."""
        names, first = list(self.summary["metrics"]), HEADLINES[self.summary["task"]]
        return sorted(names, key=lambda name: name != first)

    @property
    def classification(self) -> bool:
        """Whether the outputs are classes; they are targets otherwise."""
        return bool(self.summary["task"] == "classification")

    def needs_privileged(self, teacher: str) -> bool:
        """Whether a teacher sees more than the student; one that the study no longer names counts as such."""
        seen = self.study.teacher_modalities.get(teacher)
        return seen is None or not set(seen) <= set(self.study.prevalent)

    def student_histories(self, method: str) -> list[History]:
        """One history per repetition that has it."""
        return _histories([self.run.student(fold, seed, method) for fold, seed in self.repetitions])

    def teacher_histories(self, teacher: str) -> list[History]:
        """One history per repetition that has it."""
        return _histories([self.run.teacher(fold, seed, teacher) for fold, seed in self.repetitions])


def read_results(run: RunFolder) -> Results:
    """Reads study and scores.

    Raises:
        ArtifactError: There are no scores; without them there is nothing to report.
        StudyError: study.toml is not a study.
    """
    path = run.evaluation / "metrics.json"
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as err:
        raise ArtifactError("there are no scores", where=path, todo=f"mtpkd evaluate {run.root}") from err
    return Results(run, read_study(run.study), summary)


def _histories(folders: list[Path]) -> list[History]:
    found = [read_history(folder / HISTORY) for folder in folders if (folder / HISTORY).is_file()]
    return [history for history in found if history]
