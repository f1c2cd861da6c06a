"""What stands on a terminal of 80 columns: no line is cut within a word, by whatever command."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from mtpkd_cli.cli.console import paragraphs, wrapped
from mtpkd_cli.config.methods import METHODS

ROOT = Path(__file__).parents[2]


def _shown(*arguments: object) -> list[str]:
    """Lines that a command writes to a real terminal of 80 columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "NO_COLOR")}
    command = [sys.executable, "-m", "mtpkd_cli", *map(str, arguments)]
    child = subprocess.Popen(command, stdout=theirs, stderr=theirs, cwd=ROOT, env=environment | {"TERM": "dumb"})
    os.close(theirs)
    text = b""
    while True:
        try:
            read = os.read(ours, 65536)
        except OSError:  # Linux: the last writer has left
            break
        if not read:
            break
        text += read
    os.close(ours)
    assert child.wait(60) == 0, text.decode()
    return text.decode().splitlines()


def test_what_a_file_says_of_a_method_is_broken_between_words() -> None:
    lines = _shown("methods", "mt-pkdot")
    assert max(map(len, lines)) <= 80
    assert " ".join(METHODS.document("mt-pkdot").split()) in " ".join(" ".join(lines).split())


@pytest.mark.parametrize("command", ["curve", "transfer", "slurm"])
def test_a_paragraph_of_help_fills_its_lines(command: str) -> None:
    """None ends before the next word would not fit any more, as where lines of the docstring are kept."""
    prose = [line.rstrip() for line in _shown(command, "--help") if line[:1] not in ("│", "╭", "╰")]
    following = [(line, after) for line, after in pairwise(prose) if line and after]
    assert following
    for line, after in following:
        assert len(line) + 1 + len(after.split()[0]) > 79, (line, after)


def test_notes_of_a_check_and_of_a_status_are_broken_between_words(tiny: Any) -> None:
    tiny.put("train.batch_size=128", "data.label_share=0.6")
    lines = _shown("check", tiny.run.root, "--quiet")
    assert max(map(len, lines)) <= 80
    assert "train.batch_size = 128: a fold trains with" in " ".join(" ".join(lines).split())


def test_names_of_classes_in_brackets_are_shown_by_a_check(
    make_tiny: Callable[..., Any], tmp_path: Path, tiny_table: Callable[..., Any]
) -> None:
    table = tiny_table()
    table["label"] = table["label"].map({0: "[bold]", 1: "[pain]"})
    tiny = make_tiny(tmp_path / "study", table)
    text = " ".join(" ".join(_shown("check", tiny.run.root, "--quiet")).replace("│", " ").split())
    assert "[bold] 36, [pain] 36" in text
    assert text.count("[bold]") == 1 + 2 * 3  # of each of two folds three sides


def test_only_what_is_too_wide_is_broken_and_lines_that_are_set_in_stay_lines() -> None:
    text = "a b c\nd e\n  f = g\n\nh"
    assert wrapped(text, 5 + 2) == text
    assert paragraphs(text) == "a b c d e\n  f = g\n\nh"
    assert wrapped(f"{text} {'i' * 12}", 8) == f"a b c d\ne\n  f = g\n\nh\n{'i' * 12}"
