"""A student that sees a video and a signal in another file: files by medium, lists, clocks that begin apart."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mtpkd_cli
from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.config import set_keys
from mtpkd_cli.deploy.several_media import media_of_list, media_of_words
from mtpkd_cli.deploy.windows import Media, Window
from mtpkd_cli.errors import StudyError

Call = Callable[..., Any]
SEEN = ["video", "physio"]


def test_words_are_paired_in_their_order(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.mp4", "a=1.csv", "b.mp4", "b.csv")]
    for file in files:
        file.touch()
    words = [f"video={files[0]}", f"physio={files[1]}", f"video={files[2]}", f"physio={files[3]}"]
    first, second = media_of_words(words, SEEN)
    assert (dict(first.files), dict(second.files)) == (
        {"video": files[0], "physio": files[1]}, {"video": files[2], "physio": files[3]},
    )  # fmt: skip
    assert first.path == files[0]
    for wrong, message in (
        (words[:3], "there are 2 of video, 1 of physio"),
        ([f"vidio={files[0]}"], "did you mean 'video'"),
        (["a.mp4"], "expected: --media video=FILE --media physio=FILE"),
        ([f"video={files[0]}", "physio=no.csv"], "physio: no.csv"),
        (words + words[:2], "is in two recordings"),
    ):
        with pytest.raises(StudyError) as caught:
            media_of_words(wrong, SEEN)
        assert message in str(caught.value)


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_a_list_names_files_and_where_each_clock_begins(tmp_path: Path, delimiter: str) -> None:
    for name in ("a.mp4", "a.csv", "b.mp4"):
        (tmp_path / name).touch()
    rows = [["video", "physio", "start_s_physio"], ["a.mp4", "a.csv", "2.5"], ["b.mp4", "", ""]]
    path = tmp_path / "list.csv"
    path.write_text("\n".join(delimiter.join(row) for row in rows), encoding="utf-8-sig")
    first, second = media_of_list(path, SEEN)
    assert first == Media({"video": tmp_path / "a.mp4", "physio": tmp_path / "a.csv"}, {"physio": 2.5})
    assert second == Media({"video": tmp_path / "b.mp4"})
    window = Window(first.path, 0, 1.0, 3.0, first)
    assert window.part("video") == (str(tmp_path / "a.mp4"), 1.0, 3.0)
    assert window.part("physio") == (str(tmp_path / "a.csv"), 3.5, 5.5)
    assert Window(second.path, 0, 1.0, 3.0, second).part("physio")[0] == ""
    for rows_, message in (
        (rows[1:], "no column video or physio"),
        ([rows[0], ["a.mp4", "a.csv", "-1"]], "row 1: start_s_physio is '-1'"),
        ([rows[0], ["", "", ""]], "row 1 names no file"),
        ([rows[0], ["no.mp4", "a.csv", ""]], "no.mp4"),
    ):
        path.write_text("\n".join(delimiter.join(row) for row in rows_))
        with pytest.raises(StudyError) as caught:
            media_of_list(path, SEEN)
        assert message in str(caught.value)


@pytest.fixture(scope="session")
def two_media(made_once: Callable[..., Path], media_run: RunFolder, make_tiny: Callable[..., Any]) -> RunFolder:
    """A run whose student sees the face and the skin, which lie in two files."""

    def make(folder: Path) -> None:
        tiny = make_tiny(folder / "study")
        text = media_run.study.read_text()
        text = text.replace('[modalities.eda]\nrole = "privileged"', '[modalities.eda]\nrole = "prevalent"')
        text += '\n[modalities.ecg]\nrole = "privileged"\nencoder = "ecg"\nmedia = "biosignals"\n'
        tiny.run.study.write_text(text)
        corpus = media_run.root.parent / "taken-away"
        set_keys(
            tiny.run.study,
            [
                f"data.root={corpus}",
                'distill.methods=["student-only"]',
                "study.seeds=[0]",
                'modalities.ecg.options={column="ecg"}',
            ],
        )
        tiny.do("extract", "train-teachers", "align", "distill", workers=0)

    return RunFolder(made_once("two-media", make) / "study" / "run")


def _pairs(run: RunFolder) -> list[tuple[Path, Path]]:
    corpus = run.data_root(mtpkd_cli.read_study(run.root).data.root)
    clips = sorted((corpus / "video").rglob("*.mp4"))
    return [(clip, corpus / "biosignals_filtered" / clip.parent.name / f"{clip.stem}_bio.csv") for clip in clips]


def test_two_files_are_predicted_as_training_saw_them(two_media: RunFolder, here: Call, tmp_path: Path) -> None:
    """Of the whole clip both files are as long as each other, so the stored test predictions come again."""
    stored = pd.read_parquet(two_media.student(0, 0, "student-only") / "predictions.parquet").set_index("sample_id")
    tested = [pair for pair in _pairs(two_media) if pair[0].stem in stored[stored["part"] == "test"].index][:2]
    words = [
        part for clip, signal in tested for part in ("--media", f"video={clip}", "--media", f"biosignals={signal}")
    ]
    done = here("predict", two_media.root, *words, "--fold", 0, "--workers", 0, "--json", "-q")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["recordings"]
    assert [row["recording"] for row in rows] == [str(clip) for clip, _ in tested]
    for row, (clip, _) in zip(rows, tested, strict=True):
        np.testing.assert_allclose([row["p_BL1"], row["p_PA4"]], stored.loc[clip.stem, "scores"], atol=2e-3)
    listed = tmp_path / "list.csv"
    listed.write_text("video,biosignals\n" + "\n".join(f"{clip},{signal}" for clip, signal in tested))
    again = here("predict", two_media.root, "--list", listed, "--fold", 0, "--workers", 0, "--json", "-q")
    assert json.loads(again.stdout)["recordings"] == rows


def test_windows_end_with_the_shortest_file_and_a_late_clock_is_read_late(
    two_media: RunFolder, here: Call, tmp_path: Path
) -> None:
    """The signal is cut to 4 s and begins at its second 1: 3 s are common, two windows of 1.5 s."""
    clip, signal = _pairs(two_media)[0]
    table = pd.read_csv(signal, sep="\t")
    short = tmp_path / "short.csv"
    table.iloc[: 4 * 128].to_csv(short, sep="\t", index=False)
    listed = tmp_path / "list.csv"
    listed.write_text(f"video,biosignals,start_s_biosignals\n{clip},{short},1\n")
    done = here("predict", two_media.root, "--list", listed, "--window", 1.5, "--workers", 0, "--json", "-q")
    assert done.returncode == 0, done.stderr
    windows = json.loads(done.stdout)["windows"]
    assert [(row["start_s"], row["end_s"]) for row in windows] == [(0.0, 1.5), (1.5, pytest.approx(3.0, abs=0.02))]


def test_one_file_for_a_student_of_two_media_is_refused_with_the_command(two_media: RunFolder, here: Call) -> None:
    clip, signal = _pairs(two_media)[0]
    done = here("predict", two_media.root, clip)
    assert done.returncode == 2
    assert "--media video=FILE --media biosignals=FILE" in done.stderr
    both = here("predict", two_media.root, clip, "--media", f"video={clip}", "--media", f"biosignals={signal}")
    assert both.returncode == 2
    assert "received MEDIA and --media" in both.stderr
