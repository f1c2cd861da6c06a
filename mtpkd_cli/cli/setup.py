"""Commands that compute nothing: making a run folder, and showing what there is. They load no torch."""

import os
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from mtpkd_cli.artifacts import RunFolder, write_text
from mtpkd_cli.cli.console import print_json
from mtpkd_cli.cli.ready_features import ready_features_wanted, with_ready_features
from mtpkd_cli.cli.status import print_status
from mtpkd_cli.config import Study, read_study
from mtpkd_cli.config.presets import preset_help, preset_names, preset_text
from mtpkd_cli.config.reading import changed_text, parse_study
from mtpkd_cli.errors import DataError, StudyError, did_you_mean
from mtpkd_cli.library import status
from mtpkd_cli.pipeline import label_facts


def init_run(
    folder: Path,
    preset: str,
    data: Path,
    prevalent: list[str],
    assignments: list[str],
    unset: list[str],
    overwrite: bool,
) -> str:
    """Writes study.toml and returns what to do next.

    A relative corpus folder is stored relative to the run folder, so that both can be moved together.

    Args:
        prevalent: Modalities that the student sees, all others being privileged; empty = as the preset says.

    Raises:
        StudyError: There is no such preset, or a study.toml is already there.
        DataError: The corpus folder is not there.
    """
    run = RunFolder(folder)
    if not data.is_dir():
        raise DataError(f"the corpus folder {data} is not there", where="--data", expected="a folder that exists")
    if run.study.exists() and not overwrite:
        raise StudyError(
            "there is a study already", where=run.study, todo="edit it, choose another RUN, or add --overwrite"
        )
    root = str(data) if data.is_absolute() else os.path.relpath(data.resolve(), folder.resolve())
    text = preset_text(preset, _study_name(folder), root)
    if ready_features_wanted(text):
        text = with_ready_features(text, data, assignments)
    modalities = parse_study(text, where=f"preset {preset}").modalities
    for name in prevalent:
        if name not in modalities:
            raise StudyError(
                f"there is no modality '{name}'{did_you_mean(name, modalities)}",
                where="--prevalent",
                expected=", ".join(modalities),
            )
    roles = [f"modalities.{m}.role={'prevalent' if m in prevalent else 'privileged'}" for m in modalities]
    text, _ = changed_text(text, [*(roles if prevalent else []), *assignments], unset, where=f"preset {preset}")
    write_text(run.study, text)
    return f"wrote {run.study}{_order(run, parse_study(text, where=run.study))}; next: mtpkd run {folder}"


def _order(run: RunFolder, study: Study) -> str:
    """Of ordinal classes the order in which they would be learned, which is told before anything is."""
    if not study.study.ordinal:
        return ""
    from mtpkd_cli.stages.samples import classes_stated, list_samples
    from mtpkd_cli.training.conditions import order_of_classes

    try:
        _, classes = list_samples(run.data_root(study.data.root), study.study.task, study.data)
    except (DataError, StudyError) as err:
        return f"; the order of the classes is not known yet: {err.what.splitlines()[0]}"
    finding = order_of_classes(study.study.ordinal, classes, classes_stated(study.data))
    return f"; to mend first: {finding}" if finding else f"; classes, lowest first: {' < '.join(classes)}"


def show_status(folder: Path, json: bool) -> None:
    """Prints the state of every stage."""
    run = RunFolder(folder)
    study, entries = read_study(run.study), status(folder)
    listed = any(entry.unit == "." and entry.state == "done" for entry in entries)
    labels = label_facts(run, study.data.labels) if listed else None
    if json:
        units = [asdict(entry) for entry in entries]
        print_json({"study": study.study.name, "units": units, "labels": labels.plain() if labels else {}})
    else:
        print_status(entries, f"{study.study.name} in {folder}", labels.sentences if labels else [])


def list_presets() -> None:
    """Prints every preset with its help."""
    table = Table("preset", "what it is")
    for name in preset_names():
        table.add_row(name, preset_help(name))
    Console().print(table)


def _study_name(folder: Path) -> str:
    name = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "-" for c in folder.resolve().name).lstrip("_-")
    return name or "study"
