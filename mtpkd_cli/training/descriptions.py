"""The description of a fitted model beside its weights: model.json, read without loading any weights."""

from pathlib import Path
from typing import Any

from pydantic import Field

from mtpkd_cli.artifacts.records import Record, read_record

DESCRIPTION = "model.json"


class Candidate(Record):
    """One student that is tried for a method.

    Args:
        method: Whose loss it is fitted with: that of the method itself, or of its guard.
        options: Of that loss.
        fit: Learning rate and weight decay, where they are tried.
        sizes: Of the network, where they are tried.
    """

    method: str
    options: dict[str, Any]
    fit: dict[str, Any] = Field(default_factory=dict)
    sizes: dict[str, Any] = Field(default_factory=dict)


class TriedCandidate(Candidate):
    """A candidate after its fit.

    Args:
        validation_loss: At its best temperature; None where nothing was fitted.
    """

    validation_loss: float | None = None

    @property
    def candidate(self) -> Candidate:
        """As it was before the fit."""
        return Candidate(**self.model_dump(exclude={"validation_loss"}, exclude_unset=True))


class Adjustment(Record):
    """A default that gave way, since the corpus is smaller than what it is for.

    Args:
        option: Of the method.
        asked: Its default.
        used: What was used.
        reason: Why, in words.
    """

    option: str
    asked: Any
    used: Any
    reason: str


class LearnedRecordings(Record):
    """How many recordings have taught a student: with their label, and without one."""

    labelled: int
    unlabelled: int


class Description(Record):
    """A fitted model.

    Args:
        kind: Name of its class.
        arguments: Keyword arguments that build it again; in regression `targets` among them, mean and scale of the
            training people's targets, by which the model answers in units of the targets.
        task: "classification" or "regression".
        outputs: Names of the C classes or targets.
        modalities: What it sees.
        method: Of a student.
        chosen: Of a student, the candidate that was kept.
        tried: Of a student, all candidates.
        adjusted: Of a student, defaults of its method that gave way to the size of the corpus.
        recordings: Of a student, what it has learned from; None of one that an earlier version fitted.
    """

    kind: str
    arguments: dict[str, Any]
    task: str
    outputs: list[str]
    modalities: list[str]
    method: str | None = None
    chosen: Candidate | None = None
    tried: list[TriedCandidate] = Field(default_factory=list)
    adjusted: list[Adjustment] = Field(default_factory=list)
    recordings: LearnedRecordings | None = None

    @property
    def fell_back(self) -> bool:
        """Whether the guard kept a student of another method."""
        return self.chosen is not None and self.chosen.method != self.method

    @property
    def least_loss(self) -> float | None:
        """The least validation loss of what was tried; None where nothing was fitted."""
        return min((t.validation_loss for t in self.tried if t.validation_loss is not None), default=None)


def read_description(folder: Path) -> Description:
    """Reads a model's description; raises ArtifactError where the folder holds none."""
    return read_record(
        folder / DESCRIPTION, Description, "this is not a model", "run the stage again, with --overwrite"
    )
