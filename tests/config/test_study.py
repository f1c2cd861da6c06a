"""Reading study.toml: every shipped study, every way to get it wrong, and no option that nothing reads."""

import ast
import typing
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import mtpkd_cli
from mtpkd_cli.artifacts import RunFolder, digest_of
from mtpkd_cli.config import Study, read_study
from mtpkd_cli.config import study as sections
from mtpkd_cli.config.methods import METHODS
from mtpkd_cli.config.presets import preset_help, preset_names, preset_text
from mtpkd_cli.config.reading import parse_study
from mtpkd_cli.errors import StudyError
from mtpkd_cli.pipeline import units_of

MINIMAL = """\
[study]
name = "s"
[data]
adapter = "biovid"
root = "corpus"
[modalities.video]
role = "prevalent"
encoder = "face"
[modalities.eda]
role = "privileged"
encoder = "eda"
media = "biosignals"
"""


def _error(text: str) -> str:
    with pytest.raises(StudyError) as caught:
        parse_study(text, where="study.toml")
    assert caught.value.exit_code == 2
    return str(caught.value)


@pytest.mark.parametrize("preset", preset_names())
def test_every_preset_is_a_study_once_its_places_are_filled(preset: str) -> None:
    text = preset_text(preset, "my-study", "a corpus")
    text = text.replace("@FILE@", "t.csv").replace(
        "@MODALITIES@", '[modalities.a]\nrole = "prevalent"\n[modalities.b]\nrole = "privileged"'
    )
    assert "@" not in text
    study = parse_study(text, where=preset)
    assert (study.study.name, study.data.root) == ("my-study", "a corpus")
    assert len(preset_help(preset)) > 20


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(StudyError, match="did you mean 'sample'"):
        preset_text("sampel", "s", "c")


@pytest.mark.parametrize("root", ['with "quotes"', "with 'apostrophe'", "ünï cödé", "a#b"])
def test_a_corpus_folder_of_any_name_survives_the_preset(root: str) -> None:
    assert parse_study(preset_text("sample", "s", root), where="sample").data.root == root


def test_the_sample_study_is_short() -> None:
    assert len(preset_text("sample", "s", "c").splitlines()) <= 40


@pytest.mark.parametrize(
    ("addition", "expected"),
    [
        ("[distil]\nepochs = 3", "distil: unknown key; did you mean 'distill'?"),
        ("[distill]\nepoch = 3", "distill.epoch: unknown key; did you mean 'epochs'?"),
        ("[modalities.ecg]\nrole = 'privileged'\nencodr = 'ecg'", "ecg.encodr: unknown key; did you mean 'encoder'?"),
        ("[teachers.a]\nmodalites = ['eda']", "teachers.a.modalites: unknown key; did you mean 'modalities'?"),
        ("[distill.method.kd]\ntemprature = 2.0", "kd.temprature: unknown key; did you mean 'temperature'?"),
        ("[distill.method.kdd]\ntemperature = 2.0", "there is no method 'kdd'; did you mean 'kd'?"),
        ("[distill]\nmethods = ['mt_pkdot']", "there is no method 'mt_pkdot'; did you mean 'mt-pkdot'?"),
        ("[modalities.x]\nrole = 'privileged'\nencoder = 'aduio'", "no encoder 'aduio'; did you mean 'audio'?"),
        ("[modalities.x]\nrole = 'privileged'\nencoder = 'tabel'", "no encoder 'tabel'; did you mean 'table'?"),
        ("[evaluate]\nmetrics = ['acuracy']", "there is no metric 'acuracy'; did you mean 'accuracy'?"),
        ("[teachers.joint]\nmodalities = ['video', 'ead']", "there is no modality 'ead'; did you mean 'eda'?"),
        ("[align]\njoint = 'all'", "evaluate"),
    ],
)
def test_a_wrong_name_is_told_with_the_nearest_right_one(addition: str, expected: str) -> None:
    if addition.startswith("[align]"):
        # The joint teacher is called as align.joint says; with named teachers it has to be one of them.
        teachers = "[teachers.video]\nmodalities=['video']\n[teachers.eda]\nmodalities=['eda']\n"
        assert "align.joint: there is no teacher 'all'" in _error(MINIMAL + teachers + addition)
        return
    assert expected in _error(MINIMAL + addition)


def test_an_unknown_adapter_is_told_with_the_nearest_one() -> None:
    assert "there is no dataset 'biovd'; did you mean 'biovid'?" in _error(MINIMAL.replace('"biovid"', '"biovd"'))


@pytest.mark.parametrize(
    ("section", "entry"),
    [
        ("data", "folds = 1"),
        ("data", "validation_share = 0.0"),
        ("data", "validation_share = 1.0"),
        ("data", "split = 'random'"),
        ("study", "seeds = []"),
        ("study", "seeds = [-1]"),
        ("study", "task = 'ranking'"),
        ("extract", "workers = -1"),
        ("extract", "timeout_s = 0"),
        ("extract", "timeout_s = inf"),
        ("extract", "max_failures = 'some'"),
        ("extract", "max_failures = '2.5'"),
        ("extract", "max_failures = -1"),
        ("extract", "part_samples = 0"),
        ("model", "dropout = 1.0"),
        ("model", "stochastic_depth = 1.0"),
        ("model", "heads = 0"),
        ("model", "heads = 3"),
        ("train", "learning_rate = nan"),
        ("train", "learning_rate = 0"),
        ("train", "epochs = 2.0"),
        ("train", "epochs = true"),
        ("train", "batch_size = 1"),
        ("align", "align_weight = 1.5"),
        ("align", "loss = 'l1'"),
        ("distill", "anchors_k = 0"),
        ("distill", "epsilon = 0.0"),
        ("distill", "anchors = 'lots'"),
        ("evaluate", "resamples = 10"),
        ("evaluate", "bootstrap_seed = -1"),
    ],
)
def test_a_value_out_of_bounds_names_its_key_and_itself(section: str, entry: str) -> None:
    text = MINIMAL.replace(f"[{section}]", f"[{section}]\n{entry}")
    text = text if text != MINIMAL else f"{MINIMAL}[{section}]\n{entry}\n"
    key, _, value = entry.partition(" = ")
    message = _error(text)
    assert f"{section}.{key}" in message or (section == "model" and key in message)
    assert value.strip("'[]").removesuffix(".0").lower()[:3] in message.lower()


def test_a_count_of_failures_may_be_a_number() -> None:
    assert parse_study(MINIMAL + "[extract]\nmax_failures = 3", "s").extract.max_failures == "3"


def test_another_number_of_workers_changes_nothing_else() -> None:
    section = sections.ExtractSection(workers=3, timeout_s=7, part_samples=5)
    assert section.with_workers(None) == section
    assert section.with_workers(0) == sections.ExtractSection(workers=0, timeout_s=7, part_samples=5)
    assert section.workers == 3


def test_all_problems_are_told_at_once() -> None:
    message = _error(MINIMAL.replace('name = "s"', 'nam = "s"') + "[model]\nhead = 2\n[distill]\nepochs = 0\n")
    for expected in ("study.name: required", "study.nam: unknown", "model.head: unknown", "distill.epochs: received 0"):
        assert expected in message
    assert "4 entries are not allowed" in message


def test_all_contradictions_between_sections_are_told_at_once() -> None:
    wrong = "[distill]\nmethods = ['kd', 'kd']\n[evaluate]\nreference = 'pkdot'\nmetrics = ['ccc', 'rsme']\n"
    message = _error(MINIMAL.replace('"prevalent"', '"privileged"') + wrong)
    assert "none has role = 'prevalent'" in message
    assert "names an entry twice" in message
    assert "evaluate.reference: 'pkdot' is not among" in message
    assert "'ccc' is not for study.task = 'classification'" in message
    assert "there is no metric 'rsme'; did you mean 'rmse'?" in message


def test_a_study_without_privileged_modalities_has_nothing_to_distil() -> None:
    assert "nothing to distil" in _error(MINIMAL.replace('"privileged"', '"prevalent"'))


def test_a_seed_that_stands_twice_is_refused() -> None:
    assert "study.seeds" in _error(MINIMAL.replace('name = "s"', 'name = "s"\nseeds = [1, 1]'))


@pytest.mark.parametrize(
    "key", ["outputs = 'crosfit'", "anchors = 'lots'", "anchors_k = 0", "task_weight = -1.0", "selection = 'joint'"]
)
def test_the_table_of_one_method_takes_no_value_that_the_shared_key_refuses(key: str) -> None:
    assert f"distill.method.mt-pkdot.{key.split(maxsplit=1)[0]}" in _error(
        f"{MINIMAL}[distill.method.mt-pkdot]\n{key}\n"
    )


def test_an_option_of_a_method_has_the_type_of_its_default() -> None:
    assert "kd.temperature: received 'warm'" in _error(f"{MINIMAL}[distill.method.kd]\ntemperature = 'warm'\n")
    assert parse_study(f"{MINIMAL}[distill.method.kd]\ntemperature = 3\n", "s")


def test_an_option_of_an_encoder_is_checked_before_anything_runs(tmp_path: Path) -> None:
    study = parse_study(f"{MINIMAL}options = {{ step = 1.0 }}\n", "s")
    with pytest.raises(StudyError, match=r"step: unknown key; did you mean 'step_s'") as caught:
        units_of(RunFolder(tmp_path), study)
    assert "modalities.eda.options" in str(caught.value)


def test_what_is_no_toml_is_told_with_its_line() -> None:
    assert "line 2" in _error("[study]\nname = s")


@pytest.mark.parametrize("content", [None, b"\xff\xfe", "folder", "file"])
def test_a_study_that_cannot_be_read_is_an_error_of_usage(tmp_path: Path, content: object) -> None:
    path = tmp_path / "run" / "study.toml"
    if content == "file":
        path.parent.write_text("")
    elif content == "folder":
        path.mkdir(parents=True)
    elif isinstance(content, bytes):
        path.parent.mkdir()
        path.write_bytes(content)
    with pytest.raises(StudyError):
        read_study(path)


def test_teachers_are_one_per_modality_and_the_joint_one_unless_named() -> None:
    two = parse_study(MINIMAL + "[modalities.ir]\nrole = 'prevalent'\nencoder = 'face'\nmedia = 'video'\n", "s")
    assert two.teacher_modalities == {
        "video": ["video"],
        "eda": ["eda"],
        "ir": ["ir"],
        "video+ir": ["video", "ir"],
        "joint": ["video", "eda", "ir"],
    }
    assert (two.prevalent_teacher, two.unimodal_teacher("eda")) == ("video+ir", "eda")


def _sections() -> list[type[BaseModel]]:
    models = [value for value in vars(sections).values() if isinstance(value, type) and issubclass(value, BaseModel)]
    return [model for model in models if model.__module__ == sections.__name__ and model is not Study]


def test_every_option_is_read_by_some_code() -> None:
    """No dead option: each is an attribute, an argument or a keyword somewhere outside the room of configuration."""
    package = Path(mtpkd_cli.__file__).parent
    names: set[str] = set()
    for path in package.rglob("*.py"):
        if path.relative_to(package).parts[0] == "config":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute):
                names.add(node.attr)
            elif isinstance(node, ast.arg):
                names.add(node.arg)
    for path in (package / "config").glob("*.py"):
        # Properties of Study hand on what they read.
        names |= {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
    unread = {
        f"{model.__name__}.{field}" for model in _sections() for field in model.model_fields if field not in names
    }
    assert not unread


def _other(field: Any, value: Any) -> Any:
    """Another allowed value of an option."""
    if typing.get_origin(field.annotation) is typing.Literal:
        return next((choice for choice in typing.get_args(field.annotation) if choice != value), None)
    if value is None:
        inner = typing.get_args(field.annotation)[0]
        inner = inner if typing.get_origin(inner) is not typing.Annotated else typing.get_args(inner)[0]
        choices = (
            typing.get_args(inner) if typing.get_origin(inner) is typing.Literal else (3 if inner is int else 0.5,)
        )
        return choices[-1]
    if isinstance(value, BaseModel):
        return value.model_copy(update={next(iter(type(value).model_fields)): ["kd"]})
    if isinstance(value, str):
        # Both strings name one of several: the joint teacher, which may have any name, and the reference method.
        return "kd"
    if isinstance(value, bool | float):
        return not value if isinstance(value, bool) else value * 0.5 or 0.5
    return (value[:-1] or [*value, 7]) if isinstance(value, list) else value + 2


# Neither says what a result is: names, places, and how media are read.
NEUTRAL = {"study.name", "data.root", "data.adapter", "data.options", "distill.method", "evaluate.metrics"}
NEUTRAL |= {"data.label_unit"}  # of what data.label_share is, which counts where it hides something


def test_every_option_is_part_of_what_makes_some_result_stale(tmp_path: Path) -> None:
    """An option that no unit counts as read could be changed without anything being made again."""
    methods, neutral = METHODS.names(), set(NEUTRAL)
    study = parse_study(f"{MINIMAL}[distill]\nmethods = {methods}\n", "s")

    def fingerprint(changed: Study) -> str:
        return digest_of([[unit.label, unit.reads] for unit in units_of(RunFolder(tmp_path), changed)])

    before, dead = fingerprint(study), []
    for name in ("study", "data", "model", "train", "align", "student", "distill", "evaluate"):
        section = getattr(study, name)
        for key, field in type(section).model_fields.items():
            if f"{name}.{key}" in neutral:
                continue
            value = _other(field, getattr(section, key))
            assert value is not None, f"{name}.{key} has one value only"
            if fingerprint(study.model_copy(update={name: section.model_copy(update={key: value})})) == before:
                dead.append(f"{name}.{key}")
    assert not dead
