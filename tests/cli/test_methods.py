"""`mtpkd methods`: formula, source and options of every method, as its file has them."""

import pytest
from typer.testing import CliRunner

from mtpkd_cli.cli import app
from mtpkd_cli.config.methods import METHODS
from mtpkd_cli.errors import StudyError

NO_SOURCE = {"student-only", "all-labels", "tnet-only"}


@pytest.fixture(scope="module")
def listed() -> dict[str, str]:
    """Method -> the lines under its name, in one line."""
    lines = CliRunner().invoke(app, ["methods"]).stdout.splitlines()
    texts, name = dict[str, str](), ""
    for line in lines:
        if line.startswith(" "):
            texts[name] = f"{texts[name]} {line.strip()}".strip()
        else:
            name = line
            texts[name] = ""
    return texts


def test_every_method_tells_what_it_is_its_formula_source_and_options(listed: dict[str, str]) -> None:
    assert list(listed) == [*METHODS.names(), "NAME-placebo"]
    assert f"NAME is {', '.join(METHODS.with_placebo())}; options" in listed.pop("NAME-placebo")
    for name, text in listed.items():
        assert text.startswith(METHODS.help(name))
        assert "L = " in text
        assert ("Source: " in text) == (name not in NO_SOURCE)
        assert all(f"{key} = {value!r}" in text for key, value in METHODS.options(name).items())


def test_a_formula_ends_with_its_sentence_and_a_title_does_not_end_one(listed: dict[str, str]) -> None:
    assert "L = (1 - w) task + w t^2 KL(softmax(z_J / t) || softmax(z_S / t)) Source: Hinton" in listed["kd"]
    assert '"FitNets: Hints for Thin Deep Nets", ICLR 2015, arXiv 1412.6550 task_weight' in listed["fitnet"]
    assert "0.8 task + 0.2 OT(clouds" in listed["mt-pkdot-released"]
    assert "Furlanello et al., " in listed["self"]


@pytest.mark.parametrize("name", [*METHODS.names(), "kd-placebo"])
def test_one_method_tells_all_that_its_file_says(name: str) -> None:
    shown = CliRunner().invoke(app, ["methods", name]).stdout
    assert METHODS.document(name) in shown
    assert all(f"\n  {key} = {value!r}\n" in shown for key, value in METHODS.options(name).items())
    assert ("Nothing is trained" in shown) == name.endswith("-imputation")


def test_a_method_that_is_none_is_told_the_nearest() -> None:
    raised = CliRunner().invoke(app, ["methods", "mt-pkdt"]).exception
    assert isinstance(raised, StudyError)
    assert "did you mean 'mt-pkdot'" in str(raised)
