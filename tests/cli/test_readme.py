"""What the README tells people to type and to write is accepted by the program as it is now."""

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from mtpkd_cli.cli.stage_commands import app
from mtpkd_cli.config.methods import METHODS
from mtpkd_cli.config.reading import parse_study
from mtpkd_cli.registry import ENCODERS

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(
    r"^ *(mtpkd [^#>\n]+)", "\n".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL)), re.MULTILINE
)
COMMANDS += re.findall(r"^    (mtpkd [^#\n]+)$", README, re.MULTILINE)


def test_the_readme_has_commands() -> None:
    assert len(COMMANDS) >= 15


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_of_the_readme_parses(line: str) -> None:
    _, name, *arguments = shlex.split(line)
    group = typer.main.get_command(app)
    command = group.commands[name]  # type: ignore[attr-defined]
    with group.make_context("mtpkd", [name]) as context:
        command.make_context(name, arguments, parent=context)


def test_the_study_of_the_readme_is_a_study() -> None:
    [study] = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    assert parse_study(study, where="README").prevalent == ["video"]


def test_every_method_and_encoder_is_named() -> None:
    missing = [name for name in [*METHODS.names(), *ENCODERS.names()] if f"`{name}`" not in README]
    assert not missing
