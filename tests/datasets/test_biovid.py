"""The BioVid reader on trees in the corpus's own layout."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtpkd_cli.datasets import MEDIA_PREFIX, SAMPLE_COLUMNS
from mtpkd_cli.datasets.biovid import LEVELS, Config, classes, samples
from mtpkd_cli.errors import DataError

# Trials are not 1..20 and differ by level; the third subject is one of the non-reactive.
SUBJECTS = ("071309_w_21", "080314_w_25", "082315_w_60")
TRIALS = {"BL1": (81, 97, 100), "PA1": (3, 5), "PA2": (12,), "PA3": (21,), "PA4": (7, 19)}
NAMES = [f"{s}-{v}-{t:03d}" for s in SUBJECTS for v, trials in TRIALS.items() for t in trials]


# Of a person with labels, and of one without any.
UNLABELLED = ["071309_w_21-003", "071309_w_21-081", "099999_m_30-001"]


def _biosignals(path: Path, n_rows: int = 2816) -> None:
    t = np.arange(n_rows) / 512
    columns = ("gsr", "ecg", "emg_trapezius", "emg_corrugator", "emg_zygomaticus")
    table = pd.DataFrame(
        {"time": np.rint(t * 1e6).astype(int)} | {c: np.sin((i + 1) * t) for i, c in enumerate(columns)}
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, sep="\t", index=False)


def _tree(root: Path, *, listing: bool = True, biosignals: str = "biosignals_filtered") -> Path:
    for name in NAMES:
        subject = name.split("-")[0]
        video = root / "video" / subject / f"{name}.mp4"
        signal = root / biosignals / subject / f"{name}_bio.csv"
        for path in (video, signal):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    if listing:
        rows = [
            (1 + SUBJECTS.index(n.split("-")[0]), n.split("-")[0], LEVELS.index(n.split("-")[1]), n.split("-")[1], i, n)
            for i, n in enumerate(NAMES, start=1)
        ]
        header = ["subject_id", "subject_name", "class_id", "class_name", "sample_id", "sample_name"]
        (root / "starting_point").mkdir()
        pd.DataFrame(rows, columns=header).to_csv(root / "starting_point" / "samples.csv", sep="\t", index=False)
    return root


@pytest.mark.parametrize("listing", [True, False])
def test_the_table_is_as_agreed_with_and_without_the_listing(tmp_path: Path, listing: bool) -> None:
    table = samples(_tree(tmp_path, listing=listing), Config())
    media = [f"{MEDIA_PREFIX}video", f"{MEDIA_PREFIX}biosignals"]
    assert list(table.columns) == [*SAMPLE_COLUMNS, "label", *media]
    assert list(table["sample_id"]) == sorted(n for n in NAMES if "BL1" in n or "PA4" in n)
    assert table["sample_id"].is_unique
    assert set(table["subject"]) == set(SUBJECTS)
    assert list(table["recording"]) == list(table["sample_id"])
    assert table[["start_s", "end_s"]].isna().all(axis=None)
    assert table["label"].dtype == np.int64
    assert dict(table["label"].value_counts()) == {0: 9, 1: 6}
    for column in media:
        assert all((tmp_path / cell).is_file() for cell in table[column])
    row = table.set_index("sample_id").loc["080314_w_25-PA4-019"]
    assert row["media_video"] == "video/080314_w_25/080314_w_25-PA4-019.mp4"
    assert row["media_biosignals"] == "biosignals_filtered/080314_w_25/080314_w_25-PA4-019_bio.csv"


def _unlabelled_files(root: Path, names: list[str] = UNLABELLED) -> None:
    for name in names:
        subject = name.split("-")[0]
        for path in (
            root / "video" / subject / f"{name}.mp4",
            root / "biosignals_filtered" / subject / f"{name}_bio.csv",
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()


def _list_more(root: Path, rows: list[str]) -> None:
    """Adds rows to the listing, cells parted by blanks, "-" for an empty one."""
    listing = root / "starting_point" / "samples.csv"
    more = ["\t".join("" if cell == "-" else cell for cell in row.split()) for row in rows]
    listing.write_text(listing.read_text() + "\n".join(more) + "\n")


@pytest.mark.parametrize("listing", ["none", "of labelled windows", "of all"])
def test_windows_without_a_level_have_no_label_whoever_lists_them(tmp_path: Path, listing: str) -> None:
    _unlabelled_files(_tree(tmp_path, listing=listing != "none"))
    if listing == "of all":
        _list_more(tmp_path, [f"9 {name.split('-')[0]} - - 99 {name}" for name in UNLABELLED])
    table = samples(tmp_path, Config())
    labelled = samples(_tree(tmp_path / "without", listing=listing != "none"), Config())
    assert table.loc[table["label"] == -1, "sample_id"].tolist() == UNLABELLED
    assert table["sample_id"].is_monotonic_increasing
    assert table["label"].dtype == np.int64
    rest = table[table["label"] >= 0].reset_index(drop=True)
    pd.testing.assert_frame_equal(rest, labelled, check_flags=False)
    row = table.set_index("sample_id").loc["099999_m_30-001"]
    assert row["subject"] == "099999_m_30"
    assert row["media_video"] == "video/099999_m_30/099999_m_30-001.mp4"
    assert row["media_biosignals"] == "biosignals_filtered/099999_m_30/099999_m_30-001_bio.csv"
    assert table.attrs["notes"] == {}


def test_people_left_out_take_their_windows_without_a_level_with_them(tmp_path: Path) -> None:
    _unlabelled_files(_tree(tmp_path), ["080314_w_25-001", "082315_w_60-001"])
    chosen = samples(tmp_path, Config(subjects=["080314_w_25"]))
    assert chosen.loc[chosen["label"] == -1, "sample_id"].tolist() == ["080314_w_25-001"]
    reactive = samples(tmp_path, Config(exclude_nonreactive=True))
    assert reactive.loc[reactive["label"] == -1, "sample_id"].tolist() == ["080314_w_25-001"]


def test_windows_without_a_level_are_no_level(tmp_path: Path) -> None:
    _unlabelled_files(_tree(tmp_path, listing=False))
    for path in tmp_path.rglob("*-PA4-*"):
        path.unlink()
    with pytest.raises(DataError, match="level PA4 has no window, found BL1, PA1, PA2, PA3"):
        samples(tmp_path, Config())


@pytest.mark.parametrize("written", ["", "NA", "nan", "floats"])
def test_an_empty_class_takes_the_label_away_and_is_counted(tmp_path: Path, written: str) -> None:
    listing = _tree(tmp_path) / "starting_point" / "samples.csv"
    table = pd.read_csv(listing, sep="\t", dtype={} if written == "floats" else str)
    hidden = table["subject_name"].eq("080314_w_25") & table["class_name"].isin(["BL1", "PA2"])
    table.loc[hidden, ["class_id", "class_name"]] = None
    table.to_csv(listing, sep="\t", index=False, na_rep="" if written == "floats" else written)
    assert ("\t4.0\tPA4\t" in listing.read_text()) == (written == "floats")
    result = samples(tmp_path, Config())
    # A window of PA2 was not asked for; without a label nobody knows that.
    names = [name for name in NAMES if "080314_w_25-BL1" in name or "080314_w_25-PA2" in name]
    assert result.loc[result["label"] == -1, "sample_id"].tolist() == names
    assert dict(result["label"].value_counts()) == {0: 6, 1: 6, -1: 4}
    assert list(result.attrs["notes"].values()) == [4]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("9 099999_m_30 0 BL1 99 099999_m_30-001", "class 0 disagree with sample name '099999_m_30-001'"),
        ("9 099999_m_30 - BL1 99 099999_m_30-001", "'099999_m_30-001' has no class, though it is named BL1"),
        ("9 071309_w_21 - - 99 099999_m_30-001", "subject '071309_w_21' and class  disagree"),
        ("9 080314_w_25 5 - 99 080314_w_25-PA4-019", "class 5 disagree with sample name '080314_w_25-PA4-019'"),
        ("9 080314_w_25 - - 99 080314_w_25-PA4-019", "'080314_w_25-PA4-019' is listed twice"),
    ],
)
def test_rows_that_half_say_a_class_are_refused(tmp_path: Path, row: str, message: str) -> None:
    _list_more(_tree(tmp_path), [row])
    with pytest.raises(DataError, match=f"row {len(NAMES) + 2}: .*{message}"):
        samples(tmp_path, Config())


def test_class_indices_follow_the_order_of_the_levels(tmp_path: Path) -> None:
    config = Config(levels=["PA4", "PA2", "BL1"])
    table = samples(_tree(tmp_path), config)
    assert classes(tmp_path, config) == ("PA4", "PA2", "BL1")
    for name, label in zip(table["sample_id"], table["label"], strict=True):
        assert classes(tmp_path, config)[label] == name.split("-")[1]


def test_all_five_levels_give_all_windows(tmp_path: Path) -> None:
    assert len(samples(_tree(tmp_path), Config(levels=list(LEVELS)))) == len(NAMES)


def test_non_reactive_subjects_are_left_out_only_on_request(tmp_path: Path) -> None:
    _tree(tmp_path)
    assert "082315_w_60" in set(samples(tmp_path, Config())["subject"])
    assert "082315_w_60" not in set(samples(tmp_path, Config(exclude_nonreactive=True))["subject"])


def test_subjects_can_be_chosen(tmp_path: Path) -> None:
    table = samples(_tree(tmp_path), Config(subjects=["080314_w_25"]))
    assert set(table["subject"]) == {"080314_w_25"}
    assert len(table) == 5


def test_raw_biosignals_are_read_on_request(tmp_path: Path) -> None:
    _tree(tmp_path, biosignals="biosignals_raw")
    table = samples(tmp_path, Config(biosignals="biosignals_raw"))
    assert table["media_biosignals"].str.startswith("biosignals_raw/").all()


def test_an_absent_file_leaves_its_cell_empty(tmp_path: Path) -> None:
    _tree(tmp_path)
    (tmp_path / "video/071309_w_21/071309_w_21-BL1-081.mp4").unlink()
    table = samples(tmp_path, Config()).set_index("sample_id")
    assert table.loc["071309_w_21-BL1-081", "media_video"] == ""
    assert table.loc["071309_w_21-BL1-081", "media_biosignals"] != ""
    assert (table["media_video"] == "").sum() == 1


def test_without_the_listing_a_window_with_either_file_is_a_sample(tmp_path: Path) -> None:
    _tree(tmp_path, listing=False)
    (tmp_path / "video/071309_w_21/071309_w_21-BL1-081.mp4").unlink()
    (tmp_path / "video/071309_w_21/notes.txt").touch()
    (tmp_path / "video/071309_w_21/080314_w_25-BL1-555.mp4").touch()
    table = samples(tmp_path, Config())
    assert len(table) == 15
    assert (table["media_video"] == "").sum() == 1


def test_a_missing_root_names_both_missing_folders(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        samples(tmp_path / "nowhere", Config())
    message = str(caught.value)
    assert f"{tmp_path / 'nowhere' / 'video'}: no such folder" in message
    assert f"{tmp_path / 'nowhere' / 'biosignals_filtered'}: no such folder" in message
    assert "data.root" in message


def test_a_kind_of_which_every_file_is_missing_and_a_level_without_windows_are_told_at_once(tmp_path: Path) -> None:
    _tree(tmp_path, listing=False)
    for path in [*tmp_path.rglob("*.mp4"), *tmp_path.rglob("*-PA4-*")]:
        path.unlink(missing_ok=True)
    with pytest.raises(DataError) as caught:
        samples(tmp_path, Config())
    message = str(caught.value)
    assert "level PA4 has no window, found BL1, PA1, PA2, PA3" in message
    assert "video: none of the 9 windows is here, expected video/<subject>/<sample>.mp4" in message


def test_an_unknown_subject_is_an_error_that_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'071309_w_12' has no window; did you mean '071309_w_21'"):
        samples(_tree(tmp_path), Config(subjects=["071309_w_12", "080314_w_25"]))


def test_when_only_non_reactive_subjects_are_asked_for_and_excluded_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no window is left"):
        samples(_tree(tmp_path), Config(subjects=["082315_w_60"], exclude_nonreactive=True))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("071309_w_21-BL1-081", "071309_w_21_BL1_081", "row 2: sample name '071309_w_21_BL1_081' is not like"),
        ("071309_w_21-BL1-081", "071309_w_21-BL1-097", "row 3: sample '071309_w_21-BL1-097' is listed twice"),
        ("\t0\tBL1\t1\t", "\t4\tBL1\t1\t", "row 2: subject '071309_w_21' and class 4 disagree"),
        ("\t", ",", "the listing has 1 columns"),
    ],
)
def test_a_damaged_listing_is_an_error_that_names_its_rows(tmp_path: Path, old: str, new: str, message: str) -> None:
    listing = _tree(tmp_path) / "starting_point" / "samples.csv"
    listing.write_text(listing.read_text().replace(old, new))
    with pytest.raises(DataError, match=message):
        samples(tmp_path, Config())


@pytest.mark.parametrize(
    "options", [{"levels": ["BL1"]}, {"levels": ["BL1", "PA5"]}, {"levels": ["BL1", "BL1"]}, {"biosignals": "raw"}]
)
def test_options_that_make_no_task_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        Config(**options)


@pytest.mark.parametrize("n_rows", [2814, 2816, 2817])
def test_the_corpus_files_give_eleven_steps_for_every_encoder_of_signals(tmp_path: Path, n_rows: int) -> None:
    from mtpkd_cli.encoders import Segment, ecg, eda, emg

    _biosignals(tmp_path / "s_bio.csv", n_rows)
    for encoder in (eda, ecg, emg):
        assert encoder.encode(Segment(tmp_path / "s_bio.csv"), encoder.Config()).values.shape[0] == 11


def _images(root: Path, names: list[str], n_images: int = 3) -> Path:
    """The corpus as MT-PKDOT's authors re-organised it."""
    for name in names:
        number = str(LEVELS.index(name.split("-")[1]))
        (root / number / name).mkdir(parents=True)
        for i in range(1, n_images + 1):
            (root / number / name / f"img_{i:05d}.jpg").touch()
        _biosignals(root / "physio" / number / f"{name}_bio.csv", n_rows=9)
    return root


def test_the_layout_of_images_gives_the_same_samples(tmp_path: Path) -> None:
    names = [name for name in NAMES if "BL1" in name or "PA4" in name]
    table = samples(_images(tmp_path / "images", names), Config())
    handed_out = samples(_tree(tmp_path / "corpus"), Config())
    media = [f"{MEDIA_PREFIX}video", f"{MEDIA_PREFIX}biosignals"]
    pd.testing.assert_frame_equal(table.drop(columns=media), handed_out.drop(columns=media))
    row = table.set_index("sample_id").loc["080314_w_25-PA4-019"]
    assert row["media_video"] == "4/080314_w_25-PA4-019"
    assert row["media_biosignals"] == "physio/4/080314_w_25-PA4-019_bio.csv"
    assert all((tmp_path / "images" / cell).exists() for column in media for cell in table[column])


def test_in_the_layout_of_images_absent_files_leave_their_cells_empty(tmp_path: Path) -> None:
    _images(tmp_path, NAMES)
    (tmp_path / "physio/0/071309_w_21-BL1-081_bio.csv").unlink()
    (tmp_path / "4/notes").mkdir()
    (tmp_path / "0/071309_w_21-BL1-999").touch()
    table = samples(tmp_path, Config(levels=list(LEVELS))).set_index("sample_id")
    assert len(table) == len(NAMES)
    assert table.loc["071309_w_21-BL1-081", "media_biosignals"] == ""
    assert table.loc["071309_w_21-BL1-081", "media_video"] != ""


def test_in_the_layout_of_images_wrong_folders_are_told_at_once(tmp_path: Path) -> None:
    _images(tmp_path, NAMES)
    (tmp_path / "0/071309_w_21-BL1-081").rename(tmp_path / "4/071309_w_21-BL1-081")
    (tmp_path / "physio").rename(tmp_path / "physiology")
    with pytest.raises(DataError) as caught:
        samples(tmp_path, Config())
    assert "071309_w_21-BL1-081: BL1 in the folder of class 4, which is PA4" in str(caught.value)
    assert "physio: no such folder" in str(caught.value)


def test_a_window_of_images_is_encoded_like_a_video(tmp_path: Path) -> None:
    import cv2

    from mtpkd_cli.encoders import Segment, face

    folder = tmp_path / "0" / "071309_w_21-BL1-081"
    folder.mkdir(parents=True)
    for i in range(1, 76):
        cv2.imwrite(str(folder / f"img_{i:05d}.jpg"), np.full((96, 96, 3), 40 + i, np.uint8))
    features = face.encode(Segment(folder), face.Config())
    assert len(features.values) == 6
    assert features.notes["steps_without_frames"] == 0
    assert len(face.encode(Segment(folder), face.Config(image_rate_hz=15.0)).values) == 10


def test_in_the_layout_of_images_windows_without_a_label_have_a_folder(tmp_path: Path) -> None:
    _images(tmp_path, NAMES)
    for name in UNLABELLED:
        (tmp_path / "unlabelled" / name).mkdir(parents=True)
        _biosignals(tmp_path / "physio" / "unlabelled" / f"{name}_bio.csv", n_rows=9)
    table = samples(tmp_path, Config()).set_index("sample_id")
    assert table.index[table["label"] == -1].tolist() == UNLABELLED
    row = table.loc["099999_m_30-001"]
    assert row["media_video"] == "unlabelled/099999_m_30-001"
    assert row["media_biosignals"] == "physio/unlabelled/099999_m_30-001_bio.csv"
    (tmp_path / "unlabelled/071309_w_21-003").rename(tmp_path / "0/071309_w_21-003")
    (tmp_path / "4/080314_w_25-PA4-019").rename(tmp_path / "unlabelled/080314_w_25-PA4-019")
    with pytest.raises(DataError) as caught:
        samples(tmp_path, Config())
    assert "071309_w_21-003: no level in the name, and in the folder of class 0, which is BL1" in str(caught.value)
    assert "080314_w_25-PA4-019: PA4 in the folder of windows without a label" in str(caught.value)
