"""The page in a real browser: no message on its console, so nothing was refused, missing or malformed."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mtpkd_cli.report import write_report

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium or google-chrome on the PATH")


def _load(page: Path, profile: Path, *more: str) -> tuple[str, list[str]]:
    """The document as the browser understood it, and what it said on the console."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    options += ["--enable-logging=stderr", "--window-size=390,844", f"--user-data-dir={profile}", *more]
    command = [str(BROWSER), *options, "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.fixture
def report(reported: Any) -> Path:
    """The whole page, with its figures/ beside it."""
    page: Path = reported.run.evaluation / "report.html"
    return page


def test_a_browser_shows_all_figures_without_a_word_on_its_console(report: Path, tmp_path: Path) -> None:
    dom, console = _load(report, tmp_path / "profile")
    assert console == []
    assert dom.count("<svg ") == len(list((report.parent / "figures").glob("*.svg")))


@pytest.mark.parametrize(("number", "colours"), [("0", "dark"), ("1", "light")])
def test_a_phone_never_scrolls_the_page_sideways(report: Path, tmp_path: Path, number: str, colours: str) -> None:
    """390 px wide, whatever the least width of the browser's own window: the page stands in a frame of that width."""
    sizes = "[document.documentElement.scrollWidth, innerWidth, matchMedia('(prefers-color-scheme: dark)').matches]"
    script = f"<script>addEventListener('load', () => parent.postMessage({sizes}.join(' '), '*'))</script>"
    source = report.read_text()
    assert source.count('http-equiv="Content-Security-Policy"') == 1
    source = source.replace('http-equiv="Content-Security-Policy"', "", 1)  # it would refuse the script that measures
    (tmp_path / "page.html").write_text(source.replace("</body>", f"{script}</body>", 1))
    frame = tmp_path / "frame.html"
    frame.write_text(
        "<script>addEventListener('message', (event) => { document.title = event.data })</script>"
        '<iframe src="page.html" style="width:390px;height:844px;border:0"></iframe>'
    )
    dom, _ = _load(frame, tmp_path / "profile", f"--blink-settings=preferredColorScheme={number}")
    title = re.search(r"<title>(\d+) (\d+) (true|false)", dom)
    assert title is not None
    assert title[3] == ("true" if colours == "dark" else "false")
    assert int(title[2]) == 390
    assert int(title[1]) <= 390


def test_what_a_page_tries_to_load_would_be_refused_and_heard(
    tiny: Any, tmp_path: Path, only: Callable[..., None]
) -> None:
    only()
    source = write_report(tiny.run).read_text()
    page = tmp_path / "worse.html"
    page.write_text(source.replace("<main>", '<main><img src="x.png"><script>document.title = "ran"</script>', 1))
    dom, console = _load(page, tmp_path / "profile")
    assert len([line for line in console if "Content Security Policy" in line]) == 2
    assert "<title>ran" not in dom
