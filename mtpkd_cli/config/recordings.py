"""The sections of study.toml about recordings: where they are, what is read from them, and how."""

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from mtpkd_cli.config.options import Count, Options, Positive

READY_FEATURES = "table"
"""What stands for an encoder where a corpus brings its features ready made."""


class ExcludeSection(Options):
    """Samples and subjects that take no part; names that the corpus does not have are an error."""

    subjects: list[str] = Field([], description="all samples of these")
    samples: list[str] = Field([], description="these; a plain list under data.exclude is one of samples")
    file: str = Field("", description="text file of samples and subjects, one per line, relative to data.root")

    def __bool__(self) -> bool:
        return bool(self.subjects or self.samples or self.file)


def _of_samples(value: object) -> object:
    return {"samples": value} if isinstance(value, list) else value


class LabelBudget(Options):
    """How many of the labels on the training side are seen; the others are hidden, and nothing but all-labels reads
    them."""

    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    unit: Literal["subject", "sample"] = "subject"

    @property
    def hides(self) -> bool:
        """Whether any label is hidden."""
        return self.share < 1


ALL_LABELS = LabelBudget()
"""The budget that hides nothing."""


class DataSection(Options):
    """Where the recordings are and how subjects are split."""

    adapter: str = Field(description="a file of mtpkd_cli/datasets")
    root: str = Field(description="folder of the corpus; a relative path is taken from the run folder")
    split: Literal["group-kfold", "loso", "official"] = Field(
        "group-kfold", description="official: the sides that the corpus names, one fold"
    )
    folds: Annotated[int, Field(ge=2)] = Field(5, description="folds of group-kfold; every subject is tested once")
    validation_share: Annotated[float, Field(gt=0, lt=1)] = Field(0.25, description="of the training subjects")
    split_seed: Annotated[int, Field(ge=0)] = 0
    exclude: Annotated[ExcludeSection, BeforeValidator(_of_samples)] = Field(
        ExcludeSection(), description="samples and subjects that take no part"
    )
    unlabelled: Literal["refuse", "teach", "skip"] = Field(
        "refuse",
        description="recordings without a label: an error, what teachers teach the student with, or left out",
    )
    label_share: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0, description="share of the training and validation people whose labels are seen; the others' are hidden"
    )
    label_unit: Literal["subject", "sample"] = Field(
        "subject", description="whether label_share is of people, or of the samples of each person"
    )
    options: dict[str, Any] = Field({}, description="options of the adapter")

    @property
    def content(self) -> dict[str, Any]:
        """What the listing of samples depends on, as plain data: not where the corpus lies, since it may be moved.

        What is at its default and came later than the first version is left out, so that older runs stay as they are.
        """
        # What leaves unlabelled samples out lists what a corpus without them does.
        absent = {"exclude": not self.exclude, "unlabelled": self.unlabelled != "teach"}
        absent |= {"root": True, "label_share": True, "label_unit": True}
        return self.model_dump(mode="json", exclude={key for key, left_out in absent.items() if left_out})

    @property
    def labels(self) -> LabelBudget:
        """Which labels of the training side are seen."""
        return LabelBudget(share=self.label_share, unit=self.label_unit)

    @property
    def has_unlabelled(self) -> bool:
        """Whether recordings without labels may teach: those that have none, or those whose label is hidden."""
        return self.unlabelled == "teach" or self.labels.hides

    @property
    def planned_folds(self) -> int:
        """Folds before they are made; leave-one-subject-out then has as many as there are subjects."""
        return 1 if self.split == "official" else self.folds


class ModalitySection(Options):
    """One modality: which medium it is read from, by which encoder, and who has it."""

    role: Literal["prevalent", "privileged"]
    encoder: str = Field(READY_FEATURES, description="a file of mtpkd_cli/encoders, or 'table' for ready features")
    media: str = Field("", description="kind of medium in the samples table; empty = the modality's name")
    options: dict[str, Any] = Field({}, description="options of the encoder")


def _limit(value: object) -> object:
    # A count is a number to everyone but this program, which takes "1%" under the same key.
    text = str(value) if type(value) is int else value
    if isinstance(text, str) and not re.fullmatch(r"\d+|\d+(\.\d+)?%", text):
        raise ValueError("expected a count such as 3, or a share such as 1%")
    return text


class ExtractSection(Options):
    """How media are read, and what becomes of samples in which nothing was measured; none of this changes a feature."""

    workers: Annotated[int, Field(ge=0)] = Field(2, description="processes; 0 = in this one, without isolation")
    timeout_s: Positive = Field(120.0, description="time limit for one sample of one modality")
    memory_gb: Annotated[float, Field(ge=0)] = Field(4.0, description="memory limit of one worker; 0 = none")
    max_failures: Annotated[str, BeforeValidator(_limit)] = Field("1%", description="a count, or a share with %")
    unmeasured: Literal["refuse", "keep"] = Field(
        "refuse",
        description="samples in which nothing was measured (no face, no heart beat, silence): left out as if the "
        "modality were missing and listed in failures.parquet, or kept",
    )
    max_unmeasured: Annotated[str, BeforeValidator(_limit)] = Field(
        "20%", description="samples that may be refused so: a count, or a share with %"
    )
    part_samples: Count = Field(64, description="samples in a part file; bounds memory and work lost")

    def with_workers(self, workers: int | None) -> "ExtractSection":
        """Returns this section with another number of worker processes; None = unchanged."""
        return self if workers is None else self.model_copy(update={"workers": workers})

    @property
    def limits(self) -> dict[str, float]:
        """Keyword arguments of the pool: what one sample may take."""
        return {"timeout_s": self.timeout_s, "memory_gb": self.memory_gb}
