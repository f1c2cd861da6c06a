"""`mtpkd transfer`: between teachers and students; it reads no label but those that teachers learned from."""

import inspect
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from mtpkd_cli import library
from mtpkd_cli.artifacts import RunFolder, read_parquet
from mtpkd_cli.evaluation.transfer import read_transfer
from mtpkd_cli.pipeline.optional_units import transfer_unit
from mtpkd_cli.stages import Job, transfer
from mtpkd_cli.training.sides import read_sides

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def taught(
    made_once: Callable[..., Path], make_tiny: Callable[..., Any], tiny_table: Callable[..., pd.DataFrame]
) -> Any:
    """A study of which half the labels are hidden and whose teachers are trained; not to be written into."""

    def make(folder: Path) -> None:
        tiny = make_tiny(folder / "study", tiny_table(16, 8))
        tiny.put("data.label_share=0.6", "train.epochs=4")
        tiny.do("extract", "train-teachers")

    made = made_once("taught", make) / "study"
    return lambda to: _copied(made, to)


def _copied(made: Path, to: Path) -> RunFolder:
    import shutil

    shutil.copytree(made, to)
    return RunFolder(to / "run")


def test_it_stands_between_teachers_and_students(taught: Any, tmp_path: Path, mtpkd: Run) -> None:
    run = taught(tmp_path / "a")
    done = mtpkd("transfer", run.root, "--quiet")
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    diagnosis = read_transfer(run)
    assert [row.name for row in diagnosis.teachers] == ["face", "eda", "joint"]
    for text in ("minus face", "nats beyond it", "share face has", "Labels: ", "Nats: ", "No gain"):
        assert text in done.stdout
    machine = mtpkd("transfer", run.root, "--json", "--quiet")
    assert json.loads(machine.stdout) == json.loads((run.transfer / "transfer.json").read_text())
    [row] = [row for row in library.status(run.root) if row.stage == "transfer"]
    assert (row.state, row.counts["teachers"]) == ("done", 3)
    assert "up to date" in mtpkd("transfer", run.root).stderr
    with_intervals = [row for row in diagnosis.teachers if row.skill.low is not None and row.skill.high is not None]
    assert all(row.skill.low <= row.skill.value <= row.skill.high for row in with_intervals)  # type: ignore[operator]
    assert diagnosis.unlabelled > 0


def test_without_teachers_it_says_which_command_makes_them(
    make_tiny: Callable[..., Any], tmp_path: Path, mtpkd: Run
) -> None:
    tiny = make_tiny(tmp_path / "study")
    tiny.do("extract")
    done = mtpkd("transfer", tiny.run.root)
    assert done.returncode == 3
    assert f"mtpkd train-teachers {tiny.run.root}" in done.stderr.replace("\n", " ").replace("  ", " ")
    assert not tiny.run.transfer.exists()


def test_no_label_is_read_but_those_that_teachers_learned_from(taught: Any, tmp_path: Path) -> None:
    run = taught(tmp_path / "a")
    study = library.read_study(run.root)
    unit = transfer_unit(run, study)
    crossfits = {key: of for key, of in unit.arguments["crossfits"].items() if key.startswith("fold-0/")}
    arguments = unit.arguments | {"crossfits": crossfits}
    before = _built(arguments, tmp_path / "before")
    table = read_parquet(run.samples).to_pandas()
    sides = read_sides(table, run.splits, 0, study.data.labels)
    learned = np.zeros(len(table), bool)
    learned[torch.cat([sides.labelled, sides.validation]).numpy()] = True
    assert 0 < learned.sum() < len(table) / 2  # half the people are tested, and some labels are hidden
    poisoned = table.copy()
    poisoned.loc[~learned, "label"] = 1 - poisoned.loc[~learned, "label"]
    path = tmp_path / "poisoned.parquet"
    poisoned.to_parquet(path)
    assert _built(arguments | {"samples": path}, tmp_path / "after") == before
    poisoned.loc[learned, "label"] = 1 - poisoned.loc[learned, "label"]
    poisoned.to_parquet(path)
    assert _built(arguments | {"samples": path}, tmp_path / "other") != before


def _built(arguments: dict[str, Any], out: Path) -> str:
    class Silent:
        def note(self, text: str) -> None: ...

        def progress(self, label: str, total: int) -> Callable[[], None]:
            del label, total
            return lambda: None

    out.mkdir()
    assert {
        name for name, one in inspect.signature(transfer.build).parameters.items() if one.kind is one.KEYWORD_ONLY
    } == {*arguments}
    transfer.build(out, Job(Silent()), **arguments)
    return (out / "transfer.json").read_text()


def test_it_is_stale_with_its_reason_and_the_report_shows_it_once_it_is_there(
    tiny: Any, only: Callable[..., None]
) -> None:
    only()
    library.evaluate(tiny.run.root)
    report = tiny.run.evaluation / "report.html"
    assert report.exists()
    assert 'id="transfer"' not in report.read_text()
    diagnosis = library.transfer(tiny.run.root)
    section = report.read_text().partition('id="transfer"')[2].partition("</section>")[0]
    for row in diagnosis.teachers:
        assert f'<th scope="row">{row.name}<span class="note">' in section
        assert f"{100 * (row.skill.value or 0):.1f}" in section
    # No table is wider than a page: who is held out, and who stands beside the prevalent one.
    tables = [table.split("<tr>")[1:] for table in section.split("<table")[1:]]
    assert [len(rows) - 1 for rows in tables] == [len(diagnosis.teachers), len(diagnosis.teachers) - 1]
    assert [rows[0].count('<th scope="col">') for rows in tables] == [4, 6]
    assert all(row.count("<td>") == rows[0].count("<th") - 1 for rows in tables for row in rows[1:])
    tiny.put("evaluate.resamples=150")
    [row] = [row for row in library.status(tiny.run.root) if row.stage == "transfer"]
    assert (row.state, row.reason) == ("stale", "evaluate.resamples was 100, is 150")
    library.evaluate(tiny.run.root)
    section = report.read_text().partition('id="transfer"')[2].partition("</section>")[0]
    assert "evaluate.resamples was 100, is 150" in section
    assert "<table" not in section
    assert library.transfer(tiny.run.root).interval.endswith("150 resamples")


def test_targets_are_diagnosed_too(make_tiny: Callable[..., Any], tmp_path: Path, mtpkd: Run) -> None:
    table = 'options = { file = "table.parquet"'
    changed = {
        'name = "tiny"': 'name = "tiny"\ntask = "regression"',
        f"{table} }}": f'{table}, targets = ["valence"] }}',
    }
    tiny = make_tiny(tmp_path / "study", study=changed)
    tiny.do("extract", "train-teachers")
    done = mtpkd("transfer", tiny.run.root, "--quiet")
    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80
    heart = read_transfer(tiny.run).teachers[1]
    assert heart.agreement is not None
    assert heart.agreement.correlation is not None
    assert heart.agreement.same is None
    assert "CCC" in done.stdout


def test_a_threshold_that_validation_chooses_is_no_metric_of_it(finished: Any, tmp_path: Path) -> None:
    tiny = finished.copy(tmp_path / "copy")
    tiny.put('evaluate.metrics=["balanced-accuracy-tuned", "auroc"]')
    assert transfer_unit(tiny.run, tiny.study).arguments["metric"] == "auroc"
    tiny.put('evaluate.metrics=["balanced-accuracy-tuned"]')
    assert transfer_unit(tiny.run, tiny.study).arguments["metric"] == "balanced-accuracy"
