"""What a report is made of: an evaluated run, read tolerantly, since a report of most of a run is worth having."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.config import Study, read_study
from mtpkd_cli.config.methods import PROPOSED
from mtpkd_cli.evaluation.summary import Summary, summary_of
from mtpkd_cli.pipeline import State, States, units_of
from mtpkd_cli.pipeline.curve import units_of_curve
from mtpkd_cli.pipeline.optional_units import classical_unit, corrupt_unit_as_made, transfer_unit
from mtpkd_cli.training.checkpoints import HISTORY, read_history
from mtpkd_cli.training.fitting import History


@dataclass(frozen=True)
class Results:
    """An evaluated run.

    Args:
        summary: Its scores.
    """

    run: RunFolder
    study: Study
    summary: Summary

    @property
    def repetitions(self) -> list[tuple[int, int]]:
        """(fold, seed) of every repetition."""
        return self.summary.pairs

    @property
    def students(self) -> list[str]:
        """Methods, in the order of the study."""
        return self.summary.students

    @property
    def teachers(self) -> list[str]:
        """Names of the teachers, without the prefix that they have in metrics.json."""
        return self.summary.teachers

    @property
    def reference(self) -> str:
        """The method that differences are taken from."""
        return self.summary.reference

    @property
    def proposed(self) -> str:
        """The method that the summary speaks of: MT-PKDOT, or the last one that is not the reference."""
        others = [name for name in self.students if name != self.reference]
        return PROPOSED if PROPOSED in others else (others or [self.reference])[-1]

    @property
    def metric_names(self) -> list[str]:
        """The headline metric first."""
        return self.summary.metric_names

    @property
    def classification(self) -> bool:
        """Whether the outputs are classes; they are targets otherwise."""
        return bool(self.summary.task == "classification")

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

    @cached_property
    def optional_states(self) -> dict[str, State]:
        """Stage of an optional result -> whether it is there, and of the study and the models as they are."""
        makers = (transfer_unit, classical_unit, corrupt_unit_as_made)
        units = [make(self.run, self.study) for make in makers]
        curve = units_of_curve(self.run, self.study)
        states = States(self.run, self.study, [*units_of(self.run, self.study), *units, *curve])
        return {"curve": State("missing")} | {unit.stage: states.of(unit) for unit in [*units, *curve[-1:]]}


def read_results(run: RunFolder) -> Results:
    """Reads study and scores.

    Raises:
        ArtifactError: There are no scores; without them there is nothing to report.
        StudyError: study.toml is not a study.
    """
    return Results(run, read_study(run.study), summary_of(run))


def _histories(folders: list[Path]) -> list[History]:
    histories = [read_history(folder / HISTORY) for folder in folders if (folder / HISTORY).is_file()]
    return [history for history in histories if history]
