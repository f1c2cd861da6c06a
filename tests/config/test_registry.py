"""The registry reads a member's constants from its syntax, without importing it, and parses it once."""

import ast
from typing import Any

import pytest

from mtpkd_cli import registry
from mtpkd_cli.config.methods import METHODS


def test_a_file_is_parsed_once_however_often_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[Any] = []
    parse = ast.parse
    monkeypatch.setattr(ast, "parse", lambda source, *more: parsed.append(source) or parse(source, *more))
    registry.syntax_of.cache_clear()
    for _ in range(3):
        for name in METHODS.names():
            METHODS.constant(name, "GRID", {})
            METHODS.help(name)
    assert len(parsed) == len(METHODS.names())


def test_who_changes_what_it_was_told_changes_no_later_answer() -> None:
    METHODS.options("kd")["temperature"] = -1
    grid = METHODS.constant("kd", "GRID")
    assert isinstance(grid, dict)
    grid.clear()
    assert METHODS.options("kd")["temperature"] != -1
    assert METHODS.constant("kd", "GRID")
