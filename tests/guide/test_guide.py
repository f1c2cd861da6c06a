"""The guide: its pages are shown, and what they tell people to type does what they say."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mtpkd_cli.cli import app
from mtpkd_cli.errors import StudyError
from mtpkd_cli.guide import page, topics

README = Path(__file__).parents[2] / "README.md"


def test_pages_are_listed_and_shown_and_others_are_refused() -> None:
    listed = CliRunner().invoke(app, ["guide"])
    assert listed.exit_code == 0
    assert listed.stdout.splitlines() == [f"{name}: {title}" for name, title in topics().items()]
    for topic in topics():
        shown = CliRunner().invoke(app, ["guide", topic])
        assert shown.stdout.strip() == page(topic).strip()
    with pytest.raises(StudyError, match="did you mean 'notebook'"):
        page("notebok")


@pytest.mark.parametrize("text", [page("notebook"), README.read_text(encoding="utf-8")], ids=["notebook", "README"])
def test_what_is_said_of_notebooks_runs(
    text: str,
    finished: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    only: Callable[..., None],
) -> None:
    only()
    shutil.copytree(finished.root, tmp_path / "runs", dirs_exist_ok=True)
    (tmp_path / "runs" / "run").rename(tmp_path / "runs" / "demo")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert blocks
    names: dict[str, Any] = {}
    for block in blocks:
        exec(block, names)
    assert set(names["scores"]["method"]) >= {"kd", "mt-pkdot"}
    if "stale" in names:
        assert names["stale"] == []
        assert "auroc" not in capsys.readouterr().out  # the column was not asked for
