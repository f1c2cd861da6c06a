"""What a method's file may have, and what a control has of its method."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mtpkd_cli import registry
from mtpkd_cli.config.methods import METHODS
from mtpkd_cli.errors import MtpkdError, StudyError

METHOD = '"""A method."""\n\nTNET = "untrained"\n'
CONTROL = '"""A control."""\n\nCONTROL_OF = "method"\n'
TERMS = """
def terms(lesson, *, weight: float = 0.5, kind: str = "rows"):
    raise AssertionError("nobody calls it")
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Writes the file of a method; such files alone are then the methods."""
    files: dict[str, Path] = {}
    monkeypatch.setattr(registry, "_files", lambda *_: files)

    def write_file(name: str, text: str) -> Path:
        files[name] = tmp_path / f"{name}.py"
        files[name].write_text(text)
        return files[name]

    return write_file


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (METHOD + 'GUARDS = "student-only"\n', "- line 4: GUARDS; did you mean 'GUARD'?\n"),
        (METHOD + 'GRIDS: dict[str, tuple] = {"weight": (1.0, 2.0)}\n', "- line 4: GRIDS; did you mean 'GRID'?\n"),
        (METHOD + "TAUHGT, STEPS = False, 3\n", "- line 4: TAUHGT; did you mean 'TAUGHT'?\n  - line 4: STEPS\n"),
        (METHOD + 'CONTROLS_OF = "kd"\n', "- line 4: CONTROLS_OF; did you mean 'CONTROL_OF'?\n"),
        (METHOD + "FIXED = {}\n", "no method has a constant of this name:\n  - line 4: FIXED\n"),
        (CONTROL + "GRID = {}\n", "no control has a constant of this name:\n  - line 4: GRID\n"),
        ('"""Zeros."""\nIMPUTE = "zero"\nTNET = "fitted"\n', "no imputation has a constant of this name:\n  - line 3"),
    ],
)
def test_a_constant_that_no_such_file_may_have_is_refused(
    write: Callable[[str, str], Path], text: str, message: str
) -> None:
    path = write("method", text + TERMS)
    for read in (METHODS.help, METHODS.options, METHODS.control_of, METHODS.load):
        with pytest.raises(MtpkdError) as caught:
            read("method")
        assert message in str(caught.value)
        assert f"where: {path}\n" in str(caught.value)
        assert "begin it with _" in str(caught.value)


def test_private_constants_types_and_functions_are_the_files_business(write: Callable[[str, str], Path]) -> None:
    write("method", METHOD + "_LEAST = 1e-6\nPairs = list[tuple[int, int]]\nGRID: dict = {'weight': (1.0,)}\n" + TERMS)
    assert METHODS.options("method") == {"weight": 0.5, "kind": "rows"}
    assert METHODS.constant("method", "GRID") == {"weight": (1.0,)}


def test_a_control_has_what_its_method_has_but_for_what_it_fixes(write: Callable[[str, str], Path]) -> None:
    grid = "GRID = {'weight': (1.0, 2.0), 'kind': ('rows', 'clouds')}\n"
    write("method", METHOD + 'GUARD = "alone"\n' + grid + TERMS)
    write("whole", CONTROL)
    write("narrow", CONTROL + 'FIXED = {"kind": "clouds"}\n')
    write("lone", METHOD + TERMS)
    write("placebo", '"""Control: lone with rows permuted."""\nCONTROL_OF = "lone"\n')
    for control in ("whole", "method-placebo"):
        assert METHODS.control_of(control) == "method"
        assert METHODS.options(control) == METHODS.options("method")
        for constant in ("TNET", "GUARD", "GRID"):
            assert METHODS.constant(control, constant) == METHODS.constant("method", constant)
    assert METHODS.options("narrow") == {"weight": 0.5}
    assert METHODS.constant("narrow", "GRID") == {"weight": (1.0, 2.0)}
    assert METHODS.constant("narrow", "GUARD") == "alone"
    assert METHODS.document("method-placebo") == "Control: method with rows permuted."
    assert METHODS.with_placebo() == ["method"]
    assert METHODS.placebo_of("lone") == "placebo"
    with pytest.raises(StudyError, match="narrow has no placebo"):
        METHODS.check("narrow-placebo")


def test_a_control_of_a_method_that_there_is_not_is_refused(write: Callable[[str, str], Path]) -> None:
    path = write("control", CONTROL.replace("method", "methd"))
    write("method", METHOD + TERMS)
    with pytest.raises(StudyError, match="no method 'methd'; did you mean 'method'") as caught:
        METHODS.options("control")
    assert caught.value.where == f"{path}: CONTROL_OF"


def test_what_no_file_may_have_cannot_be_asked_for() -> None:
    with pytest.raises(ValueError, match="CONTROL is not a constant of any method"):
        METHODS.constant("kd", "CONTROL", False)
