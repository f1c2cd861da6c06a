"""The Aff-Wild2 reader on trees in the corpus's own layout."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtpkd_cli.datasets import SAMPLE_COLUMNS, is_labelled, media_of
from mtpkd_cli.datasets.affwild2 import Config, classes, frames, samples
from mtpkd_cli.errors import DataError

HEADERS = {"VA": "valence,arousal", "EXPR": "Neutral,Anger,Disgust,Fear,Happiness,Sadness,Surprise,Other"}
TOPS = {"VA": "VA_Estimation_Challenge", "EXPR": "EXPR_Recognition_Challenge"}
# Windows of 4 frames, a new one every 2.
SHORT = {"rate_hz": 2.0, "window_s": 2.0, "hop_s": 1.0}


def _labels(root: Path, side: str, video: str, lines: Sequence[str], challenge: str = "VA") -> None:
    path = root / TOPS[challenge] / side / f"{video}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([HEADERS[challenge], *lines]) + "\n")


def _touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Three videos, one of them with two people; 7, 3 and twice 5 frames."""
    _labels(tmp_path, "Train_Set", "10-a", [f"0.{i},-0.{i}" for i in range(1, 8)])
    _labels(tmp_path, "Train_Set", "video2", ["-5,-5", "0.5,-5.0", "-5.0,0.5"])
    _labels(tmp_path, "Validation_Set", "video9_left", ["1,-1", "0.5,-5", "-5,-5", "0,0", "0.25,0.75"])
    _labels(tmp_path, "Validation_Set", "video9_right", ["-5,-5"] * 4 + ["0.5,0.5"])
    _touch(tmp_path, "batch1/10-a.mp4", "batch2/video9.avi", "batch2/notes.txt", "batch3/video2.mp4")
    _touch(tmp_path, *(f"cropped_aligned/10-a/{i:05d}.jpg" for i in (1, 2, 7)))
    _touch(tmp_path, "cropped_aligned/video9_left/00003.jpg", "cropped_aligned/video9_right/00001.jpg")
    _touch(tmp_path, "cropped_aligned/video9_left/.DS_Store", "cropped_aligned/.DS_Store")
    return tmp_path


def test_windows_are_samples_and_those_without_a_frame_that_counts_have_no_label(corpus: Path) -> None:
    table = samples(corpus, Config(**SHORT))
    assert list(table.columns) == [
        *SAMPLE_COLUMNS, "split", "first_frame", "last_frame", "target_valence", "target_arousal", "media_crops",
        "media_video",
    ]  # fmt: skip
    spans = list(zip(table["recording"], table["first_frame"], table["last_frame"], strict=True))
    # 7 frames: 1-4, 3-6 and one that ends with the recording. video2 has no frame that counts. video9_right only its
    # last.
    assert spans == [
        ("10-a", 1, 4), ("10-a", 3, 6), ("10-a", 4, 7), ("video2", 1, 3),
        ("video9_left", 1, 4), ("video9_left", 2, 5), ("video9_right", 1, 4), ("video9_right", 2, 5),
    ]  # fmt: skip
    assert list(is_labelled(table)) == [True, True, True, False, True, True, False, True]
    assert table.loc[[3, 6], ["target_valence", "target_arousal"]].isna().all(axis=None)
    assert list(table["sample_id"]) == sorted(table["sample_id"])
    assert table["sample_id"][0] == "10-a-000001"
    assert list(table["start_s"]) == [0, 1, 1.5, 0, 0, 0.5, 0, 0.5]
    assert list(table["end_s"]) == [2, 3, 3.5, 1.5, 2, 2.5, 2, 2.5]
    assert list(table["split"]) == ["train"] * 4 + ["test"] * 4
    assert list(table["subject"]) == ["10-a"] * 3 + ["video2"] + ["video9"] * 4
    table = table[is_labelled(table)]
    np.testing.assert_allclose(table["target_valence"], [0.25, 0.45, 0.55, 0.5, 0.125, 0.5])
    np.testing.assert_allclose(table["target_arousal"], [-0.25, -0.45, -0.55, -0.5, 0.375, 0.5])
    assert classes(corpus, Config(**SHORT)) == ()


def test_two_people_have_crops_of_their_own_and_share_the_raw_video(corpus: Path) -> None:
    table = samples(corpus, Config(**SHORT)).query("recording != 'video2'")
    assert list(table["media_video"]) == ["batch1/10-a.mp4"] * 3 + ["batch2/video9.avi"] * 4
    # Frames 3 to 6 of 10-a have no crop, nor have frames 2 to 5 of the right person.
    assert list(table["media_crops"]) == [
        "cropped_aligned/10-a", "", "cropped_aligned/10-a", "cropped_aligned/video9_left",
        "cropped_aligned/video9_left", "cropped_aligned/video9_right", "",
    ]  # fmt: skip
    apart = samples(corpus, Config(**SHORT, separate_people=True))
    assert list(apart["subject"][4:]) == ["video9_left", "video9_left", "video9_right", "video9_right"]


def test_either_kind_of_media_is_enough(corpus: Path) -> None:
    import shutil

    shutil.rmtree(corpus / "cropped_aligned")
    assert "media_crops" not in samples(corpus, Config(**SHORT))
    (corpus / "batch1/10-a.mp4").unlink()
    assert list(samples(corpus, Config(**SHORT))["media_video"][:3]) == ["", "", ""]
    for batch in ("batch1", "batch2", "batch3"):
        shutil.rmtree(corpus / batch)
    with pytest.raises(DataError, match="there are no media"):
        samples(corpus, Config(**SHORT))
    _touch(corpus, "faces/10-a/00001.jpg")
    assert samples(corpus, Config(**SHORT, crops="faces"))["media_crops"][0] == "faces/10-a"


def test_frames_are_told_with_those_that_do_not_count(corpus: Path) -> None:
    table = frames(corpus, Config(**SHORT))
    assert list(table.columns) == ["recording", "frame", "valid", "target_valence", "target_arousal"]
    left = table[table["recording"] == "video9_left"].reset_index(drop=True)
    assert list(left["frame"]) == [1, 2, 3, 4, 5]
    assert list(left["valid"]) == [True, False, False, True, True]
    np.testing.assert_array_equal(left["target_arousal"], np.float32([-1, np.nan, np.nan, 0, 0.75]))
    assert not table.loc[table["recording"] == "video2", "valid"].any()
    assert len(table) == 7 + 3 + 5 + 5


def test_expressions_are_those_of_most_frames(tmp_path: Path) -> None:
    _labels(tmp_path, "Train_Set", "a", ["-1", "4", "4", "0", "0", "7", "7"], "EXPR")
    _labels(tmp_path, "Validation_Set", "b", ["-1", "-1", "6"], "EXPR")
    _touch(tmp_path, "batch1/a.mp4", "batch1/b.mp4")
    config = Config(challenge="EXPR", **SHORT)
    table = samples(tmp_path, config)
    assert list(table["label"]) == [4, 0, 0, 6]  # two of each: the lower
    assert table["label"].dtype == np.int64
    assert classes(tmp_path, config)[4] == "Happiness"
    assert list(frames(tmp_path, config)["label"]) == [-1, 4, 4, 0, 0, 7, 7, -1, -1, 6]


def test_a_choice_of_expressions_masks_the_others(tmp_path: Path) -> None:
    _labels(tmp_path, "Train_Set", "a", ["-1", "4", "4", "0", "0", "7", "7"], "EXPR")
    _labels(tmp_path, "Validation_Set", "b", ["7", "7", "7"], "EXPR")
    _touch(tmp_path, "batch1/a.mp4", "batch1/b.mp4")
    config = Config(challenge="EXPR", expressions=["Happiness", "Neutral"], **SHORT)
    assert classes(tmp_path, config) == ("Happiness", "Neutral")
    assert list(samples(tmp_path, config)["label"]) == [0, 1, 1, -1]
    assert list(frames(tmp_path, config)["label"]) == [-1, 0, 0, 1, 1, -1, -1, -1, -1, -1]
    assert list(frames(tmp_path, config)["valid"]) == [False] + [True] * 4 + [False] * 5


def test_raw_videos_of_another_rate_have_windows_of_the_same_length(corpus: Path) -> None:
    (corpus / "rates.csv").write_text("video,rate_hz\nvideo9,1\n")
    table = samples(corpus, Config(**SHORT, rates="rates.csv"))
    rows = table[(table["recording"] == "video9_left") & is_labelled(table)]
    assert list(zip(rows["first_frame"], rows["last_frame"], strict=True)) == [(1, 2), (3, 4), (4, 5)]
    raw, crops = media_of(table, "v", "video"), media_of(table, "v", "crops")
    at = rows.index[2]
    assert (raw.loc[at, "start_s"], raw.loc[at, "end_s"]) == (3, 5)
    assert (crops.loc[at, "start_s"], crops.loc[at, "end_s"]) == (1.5, 2.5)
    assert (raw.loc[0, "start_s"], crops.loc[0, "end_s"]) == (0, 2)
    (corpus / "rates.csv").write_text("video,rate_hz\nvideo9,0\n")
    with pytest.raises(DataError, match="not above 0"):
        samples(corpus, Config(**SHORT, rates="rates.csv"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("arousal,valence\n0,0\n", "10-a.txt: the header is 'arousal,valence'"),
        ("", "10-a.txt: the header is ''"),
        ("valence,arousal\n", "10-a.txt: there is no frame below the header"),
        ("valence,arousal\n0,0\n\n0,1\n", "10-a.txt: line 3 is empty"),
        ("valence,arousal\n0,0\n0.5,1.5\n-4,0\n", "10-a.txt: 2 lines are no labels, the first line 3: '0.5,1.5'"),
        ("valence,arousal\n0,0\nnan,0\n", "10-a.txt: 1 lines are no labels, the first line 3: 'nan,0'"),
        ("valence,arousal\n0,0\n0,x\n", "10-a.txt: could not convert string 'x'"),
        ("valence,arousal\n0\n1\n", "10-a.txt: a line has 1 values"),
        (b"\xff\xfe\x00", "10-a.txt: 'utf-8' codec can't decode"),
    ],
)
def test_damaged_labels_are_told_all_at_once(corpus: Path, text: str | bytes, message: str) -> None:
    path = corpus / TOPS["VA"] / "Train_Set" / "10-a.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    _labels(corpus, "Validation_Set", "bad", ["2,2"])
    _labels(corpus, "Validation_Set", "video2", ["0,0"])
    with pytest.raises(DataError) as caught:
        samples(corpus, Config(**SHORT))
    assert message in str(caught.value)
    assert "bad.txt: 1 lines are no labels" in str(caught.value)
    if "10-a" in message and not isinstance(text, bytes):
        assert "video2: labelled in Train_Set and in Validation_Set" in str(caught.value)


def test_windows_line_ends_and_a_missing_last_line_end_are_read(corpus: Path) -> None:
    before = frames(corpus, Config(**SHORT))
    for path in corpus.rglob("*.txt"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().rstrip(b"\n").replace(b"\n", b"\r\n"))
    pd.testing.assert_frame_equal(frames(corpus, Config(**SHORT)), before)


def test_missing_folders_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"0 folders of labels are there \(none\)"):
        samples(tmp_path, Config())
    _labels(tmp_path / "labels", "Train_Set", "a", ["0,0"])
    with pytest.raises(DataError, match="Validation_Set: no label file"):
        samples(tmp_path, Config(annotations="labels"))
    (tmp_path / "labels" / "VA_old").mkdir()
    with pytest.raises(DataError, match="2 folders of labels"):
        samples(tmp_path, Config(annotations="labels"))


def test_a_corpus_without_a_label_that_counts_is_told(tmp_path: Path) -> None:
    for side in ("Train_Set", "Validation_Set"):
        _labels(tmp_path, side, side, ["-5,-5"] * 3)
    _touch(tmp_path, "batch1/Train_Set.mp4")
    with pytest.raises(DataError, match="no frame has a label that counts"):
        samples(tmp_path, Config())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hop_s": 3.0}, "frames would be lost"),
        ({"expressions": ["Neutral", "Hapiness"]}, "'Hapiness' is no expression; did you mean 'Happiness'"),
        ({"expressions": ["Neutral", "Neutral"]}, "listed twice"),
        ({"challenge": "AU"}, "VA"),
        ({"rate_hz": 0.0}, "greater than 0"),
    ],
)
def test_options_that_make_no_study_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Config(**options)
