"""The scores of an ablation: every cell beside the study's own reference student, with intervals over subjects."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from mtpkd_cli.artifacts import RunFolder, read_manifest, write_json
from mtpkd_cli.artifacts.run_folder import repetition_name
from mtpkd_cli.config import Study
from mtpkd_cli.pipeline.ablation import Cell
from mtpkd_cli.pipeline.doing import make_alone
from mtpkd_cli.pipeline.states import States
from mtpkd_cli.pipeline.units import Unit, units_of
from mtpkd_cli.stages import Job

SUMMARY = "ablation.json"


def score_cells(run: RunFolder, study: Study, cells: list[Cell], method: str, name: str, job: Job) -> dict[str, Any]:
    """Scores all cells, writes the ablation's ablation.json and returns what it holds.

    Differences are taken from the study's reference student, where that one is up to date, and from the first cell.

    Raises:
        ArtifactError: A student of a cell is missing or stale.
    """
    units = units_of(run, study)
    reference = study.evaluate.reference
    own = {cell.name: _students(units_of(cell.run, cell.study), method) for cell in cells}
    baseline = {reference: _students(units, reference)}
    states = States(run, study, [*units, *(unit for rows in own.values() for unit in rows)])
    has_baseline = all(states.of(unit).kind == "done" for unit in baseline[reference])
    if not has_baseline:
        job.reporter.note(
            f"{reference} is not up to date, so there is no difference from it: mtpkd distill {run.root} "
            f"--method {reference}, then this command again"
        )
    compared, first = (baseline if has_baseline else {}) | own, cells[0].name
    folder = run.ablation(name)
    summary = _evaluated(run, study, units, compared, reference if has_baseline else first, folder / "evaluation", job)
    from_first = summary
    if has_baseline:
        from_first = _evaluated(run, study, units, compared, first, folder / "from-first", job)
    content = {
        "name": name,
        "method": method,
        "over": {key: list(dict.fromkeys(cell.values[key] for cell in cells)) for key in cells[0].values},
        "reference": reference if has_baseline else None,
        "first": first,
        **{key: summary[key] for key in ("task", "subjects", "samples", "repetitions", "interval", "metrics")},
        "cells": [
            {
                "cell": row,
                "values": next((cell.values for cell in cells if cell.name == row), {}),
                "scores": summary["methods"][row]["scores"],
                "from_reference": summary["methods"][row]["differences"] if has_baseline else {},
                "from_first": from_first["methods"][row]["differences"],
                "fell_back": sum(_fell_back(unit) for unit in rows),
            }
            for row, rows in compared.items()
        ],
    }
    write_json(folder / SUMMARY, content)
    return content


def _students(units: list[Unit], method: str) -> list[Unit]:
    return [unit for unit in units if unit.stage == "distill" and unit.name == method]


def _fell_back(unit: Unit) -> bool:
    """Whether the guard kept a student that knows no teacher."""
    manifest = read_manifest(unit.folder)
    return manifest is not None and bool(manifest.counts.get("fell_back"))


def _evaluated(
    run: RunFolder,
    study: Study,
    units: list[Unit],
    compared: dict[str, list[Unit]],
    reference: str,
    folder: Path,
    job: Job,
) -> dict[str, Any]:
    """Scores rows of students as the study's evaluation scores its methods; teachers are left out."""
    usual = next(unit for unit in units if unit.stage == "evaluate")
    section = study.evaluate.model_copy(update={"reference": reference})
    students = {
        row: {repetition_name(unit.fold or 0, unit.seed or 0): unit.folder for unit in rows}
        for row, rows in compared.items()
    }
    own = {"evaluate": section.model_dump(mode="json"), "methods": list(compared), "teachers": {}}
    inputs = {name: path for name, path in usual.inputs.items() if "/students/" not in name} | {
        f"{key}/students/{row}": path for row, paths in students.items() for key, path in paths.items()
    }
    unit = replace(
        usual,
        name=f"ablation {folder.parent.name}",
        folder=folder,
        reads=usual.reads | own,
        inputs=inputs,
        arguments=usual.arguments | {"students": students, "teachers": {}, "evaluate": section},
    )
    states = States(run, study, [*units, *(unit for rows in compared.values() for unit in rows), unit])
    if states.of(unit).kind != "done" or job.overwrite:
        make_alone(run, unit, states, job)
    content: dict[str, Any] = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return content
