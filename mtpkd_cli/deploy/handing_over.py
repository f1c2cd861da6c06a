"""A student to hand over: the model, how to make its features, an example that applies it, and its model card."""

from collections import Counter
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from mtpkd_cli import __version__
from mtpkd_cli.artifacts import RunFolder, read_parquet, replaced_folder, write_text
from mtpkd_cli.artifacts.feature_parts import part_about, part_files
from mtpkd_cli.artifacts.records import Record, write_record
from mtpkd_cli.config import Study
from mtpkd_cli.config.recordings import ALL_LABELS, READY_FEATURES
from mtpkd_cli.datasets import is_labelled
from mtpkd_cli.deploy.choice import ChosenStudent, check_encoders, threshold_of
from mtpkd_cli.deploy.exporting import CHECKS, FILES, Format, export_student, input_names
from mtpkd_cli.errors import ArtifactError, StudyError
from mtpkd_cli.evaluation.summary import Estimate, Summary, summary_of
from mtpkd_cli.models import Student
from mtpkd_cli.pipeline import label_facts
from mtpkd_cli.training.checkpoints import load_model
from mtpkd_cli.training.descriptions import LearnedRecordings

EXAMPLE, DESCRIPTION = "predict_onnx.py", "features.json"


class ExportedStudent(Record):
    """Which student an export holds; `taught_by` is the method whose student the guard kept.

    Args:
        fold: None of a final student, which was fitted to all people.
        test_score: Whose the scores in the model card are.
    """

    method: str
    taught_by: str
    fold: int | None
    seed: int
    final: bool
    test_score: str


class ExportedModality(Record):
    """What the model reads of one modality: `size` features per step, their encoder (None = ready features), names."""

    size: int
    encoder: dict[str, Any] | None
    names: list[str]


class ExportedModel(Record):
    """The file of the model, and the names of its inputs and outputs in their order."""

    file: str
    inputs: list[str]
    outputs: list[str]


class ExportCheck(Record):
    """The comparison with the torch student: over how many samples, and the largest difference."""

    samples: int
    largest_difference: float


class ExportDescription(Record):
    """The content of features.json: how an exported student is applied by another program.

    Args:
        mtpkd: Version of the program that wrote it.
        study: The study's name.
        student: Which student it is.
        task: classification or regression.
        outputs: Names of the classes or targets.
        threshold: Probability above which it is the second of two classes; None = no such.
        normalise: "subject" where features are standardised per person.
        modalities: Modality -> what the model reads of it.
        model: The model's file.
        checked: How it was compared with the torch student.
    """

    mtpkd: str
    study: str
    student: ExportedStudent
    task: str
    outputs: list[str]
    threshold: float | None
    normalise: str
    modalities: dict[str, ExportedModality]
    model: ExportedModel
    checked: ExportCheck


def hand_over(run: RunFolder, study: Study, chosen: ChosenStudent, kind: Format, folder: Path) -> float:
    """Writes the folder and returns the largest difference from the torch student that the check found.

    Raises:
        StudyError: The folder holds something else than an earlier export.
        NumericalError: The exported model gives other scores than the student.
    """
    if folder.exists() and not (folder.is_dir() and (folder / DESCRIPTION).is_file()):
        raise StudyError("there is something else already", where=folder, todo="name another folder by --output")
    student, about = load_model(chosen.folder, Student)
    sizes: dict[str, int] = about.arguments["features"]
    ready = [name for name in sizes if study.modalities[name].encoder == READY_FEATURES]
    encoders = check_encoders(run, study, [name for name in sizes if name not in ready])
    with replaced_folder(folder) as place:
        worst = export_student(place / FILES[kind], student, sizes, about.task == "classification", kind)
        taught_by = about.chosen.method if about.chosen else chosen.method
        description = ExportDescription(
            mtpkd=__version__,
            study=study.study.name,
            student=_exported_student(chosen, taught_by),
            task=about.task,
            outputs=about.outputs,
            threshold=threshold_of(run, study, [chosen]),
            normalise=study.network.normalise,
            modalities={
                name: ExportedModality(size=size, encoder=encoders.get(name), names=_names(run, name))
                for name, size in sizes.items()
            },
            model=ExportedModel(file=FILES[kind], inputs=input_names(sizes), outputs=["scores", "embedding"]),
            checked=ExportCheck(samples=CHECKS, largest_difference=worst),
        )
        write_record(place / DESCRIPTION, description)
        write_text(place / "MODEL_CARD.md", model_card(run, study, chosen, description, about.recordings))
        if kind == "onnx":
            write_text(place / EXAMPLE, Path(__file__).with_name(EXAMPLE).read_text(encoding="utf-8"))
    return worst


def _exported_student(chosen: ChosenStudent, taught_by: str) -> ExportedStudent:
    students = "its method's students in the folds"
    return ExportedStudent(
        method=chosen.method,
        taught_by=taught_by,
        fold=None if chosen.final else chosen.fold,
        seed=chosen.seed,
        final=chosen.final,
        test_score=f"none of its own: those of {students} are what is known" if chosen.final else f"of {students}",
    )


def model_card(
    run: RunFolder,
    study: Study,
    chosen: ChosenStudent,
    description: ExportDescription,
    recordings: LearnedRecordings | None,
) -> str:
    """What a stranger must know of the student, in Markdown; it names what the run folder no longer holds."""
    environment = Environment(
        loader=PackageLoader(__package__, "."), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals |= {"cell": _cell, "share": _share}
    summary = _summary(run)
    content = environment.get_template("model_card.md").render(
        study=study,
        chosen=chosen,
        about=description,
        summary=summary,
        recordings=recordings,
        data=_data(run, study, chosen),
    )
    return content.rstrip() + "\n"


def _names(run: RunFolder, modality: str) -> list[str]:
    """Names of the features; [] where the run folder was copied without them."""
    abouts = (part_about(path) for path in part_files(run.features(modality)))
    return list(next((about.names for about in abouts if about is not None and about.names), ()))


def _summary(run: RunFolder) -> Summary | None:
    try:
        return summary_of(run)
    except ArtifactError:
        return None  # not evaluated, or copied without: the card says so


def _data(run: RunFolder, study: Study, chosen: ChosenStudent) -> dict[str, Any] | None:
    if not run.samples.is_file():
        return None
    table = read_parquet(run.samples).to_pandas()
    counts = {"samples": len(table), "subjects": table["subject"].nunique()}
    classes = Counter(table.loc[is_labelled(table), "label_name"]) if "label_name" in table else {}
    # A final student learns from every label that there is.
    seen = (run.final, ALL_LABELS) if chosen.final else (run, study.data.labels)
    labels = label_facts(*seen)
    told = {"classes": {str(name): count for name, count in sorted(classes.items())}}
    return counts | told | {"labels": labels.sentences if labels else []}


def _cell(estimate: Estimate) -> str:
    """A value and its interval."""
    if estimate.value is None:
        return "not defined"
    interval = "" if estimate.low is None else f" [{estimate.low:.3f}, {estimate.high:.3f}]"
    return f"{estimate.value:.3f}{interval}"


def _share(value: float | None) -> str:
    return "not defined" if value is None else f"{100 * value:.1f} %"
