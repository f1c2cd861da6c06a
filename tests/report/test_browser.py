"""The page in a real browser: no message on its console, so nothing was refused, missing or malformed."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mtpkd_cli.report import page as whole
from mtpkd_cli.report import write_report
from mtpkd_cli.report.drawing import Block

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium or google-chrome on the PATH")


def _load(page: Path, profile: Path) -> tuple[str, list[str]]:
    """The document as the browser understood it, and what it said on the console."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    options += ["--enable-logging=stderr", "--window-size=390,844", f"--user-data-dir={profile}"]
    command = [str(BROWSER), *options, "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def test_a_browser_shows_all_figures_without_a_word_on_its_console(tiny: Any, tmp_path: Path) -> None:
    dom, console = _load(write_report(tiny.run), tmp_path / "profile")
    assert console == []
    assert dom.count("<svg ") == len(list((tiny.run.evaluation / "figures").glob("*.svg")))


def test_what_a_page_tries_to_load_would_be_refused_and_heard(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole, "FIGURES", {name: lambda _results: Block(absent="not drawn") for name in whole.FIGURES})
    source = write_report(tiny.run).read_text()
    page = tmp_path / "worse.html"
    page.write_text(source.replace("<main>", '<main><img src="x.png"><script>document.title = "ran"</script>', 1))
    dom, console = _load(page, tmp_path / "profile")
    assert len([line for line in console if "Content Security Policy" in line]) == 2
    assert "<title>ran" not in dom
