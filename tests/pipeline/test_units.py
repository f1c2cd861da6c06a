"""Units state each ingredient once: what a stage is called with, what makes it stale and what it reads all follow."""

import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest

from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.config.methods import METHODS
from mtpkd_cli.config.options import Options
from mtpkd_cli.config.reading import parse_study
from mtpkd_cli.pipeline.ablation import ablation_units, cells_of
from mtpkd_cli.pipeline.curve import shares_of, table_unit
from mtpkd_cli.pipeline.curve_request import CurveRequest
from mtpkd_cli.pipeline.final import final_units
from mtpkd_cli.pipeline.optional_units import classical_unit, corrupt_unit, transfer_unit
from mtpkd_cli.pipeline.unit import OPTIONAL_STAGES, STAGES, Ingredient, Unit, section, value, value_as
from mtpkd_cli.pipeline.units import units_of

STUDY = """\
[study]
name = "every-unit"
[data]
adapter = "{adapter}"
root = "data"
[modalities.video]
role = "prevalent"
encoder = "face"
[modalities.eda]
role = "privileged"
encoder = "{encoder}"
[distill]
methods = [{methods}]
"""


def _units(tmp_path: Path) -> list[Unit]:
    """Every kind of unit there is: of media, ready features and frames, of every method, and all optional ones."""
    run = RunFolder(tmp_path)
    methods = ", ".join(f'"{name}"' for name in [*METHODS.names(), "kd-placebo"])
    run.study.write_text(STUDY.format(adapter="biovid", encoder="eda", methods=methods))
    units = []
    for adapter, encoder in (("biovid", "eda"), ("affwild2", "table")):
        study = parse_study(STUDY.format(adapter=adapter, encoder=encoder, methods=methods), where=run.study)
        units += [
            *units_of(run, study),
            transfer_unit(run, study),
            classical_unit(run, study),
            corrupt_unit(run, study, 7),
        ]
    study = parse_study(run.study.read_text(), where=run.study)
    cells = cells_of(run, "mt-pkdot", ["distill.anchors=least,most"], "x")
    request = CurveRequest(shares=[0.5, 1.0], methods=["kd"])
    shares = shares_of(run, study, request)
    units += [
        *(unit for one in shares for unit in [*one.fits, one.evaluation]),
        table_unit(run, study, request, shares),
    ]
    return [*units, *ablation_units(run, study, cells, "mt-pkdot", "x"), *final_units(run, study, ["mt-pkdot"])]


def test_every_argument_of_every_stage_is_an_ingredient_of_its_unit(tmp_path: Path) -> None:
    units = _units(tmp_path)
    stages = {
        path.stem for path in Path(inspect.getfile(importlib.import_module("mtpkd_cli.stages"))).parent.glob("*.py")
    }
    assert {unit.module for unit in units} == stages - {"__init__"}
    assert {unit.stage for unit in units} == {*STAGES, *OPTIONAL_STAGES}
    wrong = []
    for unit in units:
        build = inspect.signature(importlib.import_module(f"mtpkd_cli.stages.{unit.module}").build).parameters
        asked = {name for name, one in build.items() if one.kind is one.KEYWORD_ONLY}
        needed = {name for name in asked if build[name].default is inspect.Parameter.empty}
        passed = {*unit.arguments, *unit.spares}
        if needed - passed or passed - asked:
            wrong.append(f"{unit.label}: lacks {needed - passed}, has {passed - asked} too much")
    assert not wrong, "\n".join(wrong)


def test_what_is_passed_is_hashed_is_read_or_says_where_the_result_lies(tmp_path: Path) -> None:
    """An argument that is none of these could change a result without anyone's being told."""
    silent: dict[str, set[str]] = {}
    for unit in _units(tmp_path):
        for one in unit.ingredients:
            if not one.hashed and not one.inputs:
                silent.setdefault(unit.module, set()).update(one.passed)
    assert silent == {
        "samples": {"ordinal"},  # told, or refused: no table is another one by it
        "import_features": {"name"},
        "extract": {"name", "extract"},  # limits of time and memory
        # A budget of labels that hides none is what older results were made with.
        "train_teachers": {"name", "fold", "labels"},
        "align": {"fold", "labels"},
        "bank": {"fold", "labels"},
        # Who has settled the options that are hashed, and what follows from hashed sections.
        "distill": {"fold", "method", "settings", "labels", "balanced"},
        "impute": {"fold", "method", "labels"},
        "transfer": {"labels"},
        "classical": {"labels"},
        "corrupt": {"extract", "damaged", "labels"},  # limits, and where features are kept
        "ablate": {"name"},
    }


def test_a_section_a_value_and_a_value_in_another_form_become_one_table() -> None:
    class Section(Options):
        a: int = 1

    unit = Unit(
        "x", "x", Path(), "x",
        (
            section(own=Section(a=2)), value(seed=3), value_as({"teachers": {"joint": ["face"]}}, modalities=["face"]),
            value_as({"teachers": {"other": ["eda"]}}), Ingredient({"bank": Path("b")}, {}, {"bank": Path("b")}),
        ),
    )  # fmt: skip
    assert unit.reads == {"own": {"a": 2}, "seed": 3, "teachers": {"joint": ["face"], "other": ["eda"]}}
    assert unit.inputs == {"bank": Path("b")}
    assert unit.arguments == {"own": Section(a=2), "seed": 3, "modalities": ["face"], "bank": Path("b")}


@pytest.mark.parametrize(
    "ingredients", [(value(seed=1), value(seed=1)), (value(a={"b": 1}), value_as({"a": {"b": 2}}))]
)
def test_nothing_is_stated_twice(ingredients: Any) -> None:
    with pytest.raises(ValueError, match="stated twice"):
        _ = Unit("x", "x", Path(), "x", ingredients).reads
