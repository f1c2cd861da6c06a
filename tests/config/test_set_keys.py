"""Setting keys of study.toml from the command line."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from mtpkd_cli.config import read_study, set_keys
from mtpkd_cli.errors import StudyError

TEXT = """\
# about this study
[study]
name = "s"        # its name

[data]
adapter = "biovid"
root = "corpus"
options = { levels = ["BL1", "PA4"], exclude_nonreactive = false }   # inline

[modalities.video]
role = "prevalent"
encoder = "face"

[modalities.eda]
role = "privileged"
encoder = "eda"
media = "biosignals"

[distill]
epochs = 7   # few
method = { kd = { temperature = 2.5 } }
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "study.toml"
    path.write_text(TEXT)
    return path


def _value(path: Path, key: str) -> Any:
    content: Any = tomllib.loads(path.read_text())
    for part in key.split("."):
        content = content[part]
    return content


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("distill.epochs=9", 9),
        ("distill.learning_rate=1e-4", 1e-4),
        ("distill.anchors=shared", "shared"),
        ('distill.anchors="shared"', "shared"),
        ("data.options.exclude_nonreactive=true", True),
        ('data.options.levels=["BL1","PA3"]', ["BL1", "PA3"]),
        ("data.root=a folder = with # signs", "a folder = with # signs"),
        ('data.root=quo"ted', 'quo"ted'),
        ("data.root=x\n[evil]\ny = 1", "x\n[evil]\ny = 1"),
        ("distill.method.kd.temperature=3.0", 3.0),
        ("distill.method.mt-pkdot.selection=soft", "soft"),
        ("align.epochs=3", 3),
        (" study.seeds = [0, 1]", [0, 1]),
        ("extract.max_failures=5", 5),
    ],
)
def test_a_value_is_written_with_its_type_and_comments_stay(path: Path, assignment: str, value: Any) -> None:
    key = assignment.split("=", maxsplit=1)[0].strip()
    [change] = set_keys(path, [assignment])
    assert change.startswith(f"{key} = ")
    assert _value(path, key) == value
    assert type(_value(path, key)) is type(value)
    for comment in ("# about this study", "# its name", "# inline", "# few"):
        assert comment in path.read_text()
    assert read_study(path)
    assert [p.name for p in path.parent.iterdir()] == ["study.toml"]


def test_the_change_tells_what_was(path: Path) -> None:
    assert set_keys(path, ["distill.epochs=9", "data.options.exclude_nonreactive=true"]) == [
        "distill.epochs = 9 (was 7)",
        "data.options.exclude_nonreactive = true (was false)",
    ]


def test_what_is_so_already_touches_nothing(path: Path) -> None:
    before = path.stat()
    same = ["distill.epochs=7", "data.root=corpus", "data.options.exclude_nonreactive=false", 'study.name="s"']
    assert set_keys(path, same) == []
    assert set_keys(path, []) == []
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


def test_a_new_modality_can_be_built_key_by_key(path: Path) -> None:
    set_keys(path, ["modalities.ecg.role=privileged", "modalities.ecg.encoder=ecg", "modalities.ecg.media=biosignals"])
    assert read_study(path).privileged == ["eda", "ecg"]


@pytest.mark.parametrize(
    "assignment",
    [
        "distill.epochs",
        "=3",
        "distill.epochs=0",
        "distill.epochs=3.5",
        "distill.epochs=many",
        "distill.epoch=3",
        "distill.epochs.deep=3",
        "study.name=",
        "distill..epochs=3",
        "modalities.video.role=privileged",
        "distill.method.kd.temperature=hot",
        "nonsense.key=1",
    ],
)
def test_a_bad_assignment_leaves_the_file_alone(path: Path, assignment: str) -> None:
    with pytest.raises(StudyError):
        set_keys(path, ["distill.epochs=8", assignment])
    assert path.read_text() == TEXT
    assert [p.name for p in path.parent.iterdir()] == ["study.toml"]


def test_an_option_of_an_encoder_can_be_set_without_saying_options(path: Path) -> None:
    changes = set_keys(path, ["modalities.video.face_model=/models/yunet.onnx", "modalities.video.rate_hz=5.0"])
    assert changes == ['modalities.video.face_model = "/models/yunet.onnx"', "modalities.video.rate_hz = 5.0"]
    assert read_study(path).modalities["video"].options == {"face_model": "/models/yunet.onnx", "rate_hz": 5.0}
    set_keys(path, ["modalities.video.options.rate_hz=6.0"])
    assert read_study(path).modalities["video"].options["rate_hz"] == 6.0
    # Keys of the section stay keys of the section, and what is neither is still unknown.
    set_keys(path, ["modalities.eda.media=eda"])
    with pytest.raises(StudyError, match=r"modalities\.video\.rate_hx: unknown key"):
        set_keys(path, ["modalities.video.rate_hx=5.0"])
    set_keys(path, ["modalities.video.encoder=clips", "modalities.video.crop_side_px=32"])
    assert read_study(path).modalities["video"].options["crop_side_px"] == 32
