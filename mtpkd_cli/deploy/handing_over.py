"""A student to hand over: the model, how to make its features, an example that applies it, and its model card."""

from collections import Counter
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from mtpkd_cli import __version__
from mtpkd_cli.artifacts import RunFolder, read_parquet, replaced_folder, write_json, write_text
from mtpkd_cli.artifacts.feature_parts import part_about, part_files
from mtpkd_cli.config import Study
from mtpkd_cli.config.recordings import READY_FEATURES
from mtpkd_cli.deploy.choice import Chosen, check_encoders, threshold_of
from mtpkd_cli.deploy.exporting import CHECKS, FILES, Format, export_student, input_names
from mtpkd_cli.errors import ArtifactError, StudyError
from mtpkd_cli.evaluation.summary import Estimate, Summary, summary_of
from mtpkd_cli.models import Student
from mtpkd_cli.training.checkpoints import load_model

EXAMPLE = "predict_onnx.py"


def hand_over(run: RunFolder, study: Study, chosen: Chosen, kind: Format, folder: Path) -> float:
    """Writes the folder and returns the largest difference from the torch student that the check found.

    Raises:
        StudyError: The folder holds something else than an earlier export.
        NumericalError: The exported model says something else than the student.
    """
    if folder.exists() and not (folder.is_dir() and (folder / "features.json").is_file()):
        raise StudyError("there is something else already", where=folder, todo="name another folder by --output")
    student, about = load_model(chosen.folder, Student)
    sizes: dict[str, int] = about.arguments["features"]
    ready = [name for name in sizes if study.modalities[name].encoder == READY_FEATURES]
    encoders = check_encoders(run, study, [name for name in sizes if name not in ready])
    with replaced_folder(folder) as place:
        worst = export_student(place / FILES[kind], student, sizes, about.task == "classification", kind)
        described = {
            "mtpkd": __version__,
            "study": study.study.name,
            "student": {
                "method": chosen.method,
                "taught_by": about.chosen.method if about.chosen else chosen.method,
                "fold": chosen.fold,
                "seed": chosen.seed,
            },
            "task": about.task,
            "outputs": about.outputs,
            "threshold": threshold_of(run, study, [chosen]),
            "normalise": study.network.normalise,
            "modalities": {
                name: {"size": size, "encoder": encoders.get(name), "names": _names(run, name)}
                for name, size in sizes.items()
            },
            "model": {"file": FILES[kind], "inputs": input_names(sizes), "outputs": ["scores", "embedding"]},
            "checked": {"samples": CHECKS, "largest_difference": worst},
        }
        write_json(place / "features.json", described)
        write_text(place / "MODEL_CARD.md", model_card(run, study, chosen, described))
        if kind == "onnx":
            write_text(place / EXAMPLE, Path(__file__).with_name(EXAMPLE).read_text(encoding="utf-8"))
    return worst


def model_card(run: RunFolder, study: Study, chosen: Chosen, described: dict[str, Any]) -> str:
    """What a stranger must know of the student, in Markdown; what the run folder no longer holds is said to lack.

    Args:
        described: The content of features.json.
    """
    environment = Environment(
        loader=PackageLoader(__package__, "."), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals |= {"cell": _cell, "share": _share}
    summary = _summary(run)
    content = environment.get_template("model_card.md").render(
        study=study, chosen=chosen, about=described, summary=summary, data=_data(run)
    )
    return content.rstrip() + "\n"


def _names(run: RunFolder, modality: str) -> list[str]:
    """Names of the features; () where the run folder was copied without them."""
    abouts = (part_about(path) for path in part_files(run.features(modality)))
    return list(next((about.names for about in abouts if about is not None and about.names), ()))


def _summary(run: RunFolder) -> Summary | None:
    try:
        return summary_of(run)
    except ArtifactError:
        return None  # not evaluated, or copied without: the card says so


def _data(run: RunFolder) -> dict[str, Any] | None:
    if not run.samples.is_file():
        return None
    table = read_parquet(run.samples).to_pandas()
    counts = {"samples": len(table), "subjects": table["subject"].nunique()}
    classes = Counter(table["label_name"]) if "label_name" in table else {}
    return counts | {"classes": {str(name): count for name, count in sorted(classes.items())}}


def _cell(estimate: Estimate) -> str:
    """A value and its interval."""
    if estimate.value is None:
        return "not defined"
    interval = "" if estimate.low is None else f" [{estimate.low:.3f}, {estimate.high:.3f}]"
    return f"{estimate.value:.3f}{interval}"


def _share(value: float | None) -> str:
    return "not defined" if value is None else f"{100 * value:.1f} %"
