"""Prediction on media: the stored test predictions again, windows, outputs, and the errors where it cannot be."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.deploy.apply import _predictions, per_recording

Call = Callable[..., Any]


@pytest.fixture(scope="session")
def copied(media_run: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run on another machine: no corpus, no features, no teachers, no bank."""
    root = tmp_path_factory.mktemp("elsewhere") / "run"
    ignored = shutil.ignore_patterns("part-*.parquet", "teachers", "bank", "align", "evaluation")
    shutil.copytree(media_run.root, root, ignore=ignored)
    return root


def test_a_clip_is_predicted_as_evaluation_has_stored_it(
    media_run: RunFolder, copied: Path, clips: list[Path], here: Call, tmp_path: Path
) -> None:
    stored = pd.read_parquet(media_run.student(1, 0, "kd") / "predictions.parquet")
    stored = stored[stored["part"] == "test"].set_index("sample_id")
    tested = [clip for clip in clips if clip.stem in stored.index]
    out = tmp_path / "out.parquet"
    done = here(
        "predict", copied, *tested, "--method", "kd", "--fold", 1, "--seed", 0, "--workers", 0, "-o", out, "--json"
    )
    assert done.returncode == 0, done.stderr
    table = pd.read_parquet(out)
    assert len(tested) >= 4
    assert table["level"].tolist() == ["window"] * len(tested) + ["recording"] * len(tested)
    for level in ("window", "recording"):
        rows = table[table["level"] == level]
        probabilities = rows[["p_BL1", "p_PA4"]].to_numpy()
        expected = np.stack(stored.loc[[Path(name).stem for name in rows["recording"]], "scores"])
        np.testing.assert_allclose(probabilities, expected, atol=1e-5)
        np.testing.assert_allclose(rows["confidence"], probabilities.max(1))
        assert rows["predicted"].tolist() == [("BL1", "PA4")[c] for c in probabilities.argmax(1)]
    printed = json.loads(done.stdout)
    # At the threshold of the validation people both say the same as the evaluation, whichever that threshold is.
    evaluated = pd.read_parquet(media_run.evaluation / "predictions.parquet").query("method == 'kd' and seed == 0")
    tuned = evaluated[evaluated["fold"] == 1].set_index("sample_id")["predicted_tuned"]
    summary = json.loads((media_run.evaluation / "metrics.json").read_text())
    assert printed["threshold"] == summary["methods"]["kd"]["thresholds"]["fold-1/seed-0"]
    for rows in (table[table["level"] == "window"], table[table["level"] == "recording"]):
        expected_tuned = [("BL1", "PA4")[tuned[Path(name).stem]] for name in rows["recording"]]
        assert rows["predicted_tuned"].tolist() == expected_tuned
    assert printed["students"][0].startswith("kd, fold 1, seed 0")
    assert [row["recording"] for row in printed["recordings"]] == [str(clip) for clip in tested]


def test_the_mean_of_all_students_answers_at_one_threshold(
    media_run: RunFolder, copied: Path, clips: list[Path], here: Call
) -> None:
    """Two folds and two seeds: the mean of what the four say, at the threshold of their pooled validation."""
    arguments = ("predict", copied, *clips[:3], "--method", "kd", "--workers", 0, "-q", "--json")
    every = [json.loads(here(*arguments, "--fold", fold, "--seed", seed).stdout) for fold in (0, 1) for seed in (0, 1)]
    mean = json.loads(here(*arguments).stdout)
    assert [len(one["students"]) for one in every] == [1] * 4
    assert len(mean["students"]) == 4
    alone = np.array([[row["p_PA4"] for row in one["recordings"]] for one in every])
    together = np.array([row["p_PA4"] for row in mean["recordings"]])
    np.testing.assert_allclose(together, alone.mean(0), atol=1e-6)
    samples = pd.read_parquet(media_run.samples).set_index("sample_id")["label"]
    tables = [pd.read_parquet(folder / "predictions.parquet") for _, _, folder in media_run.students("kd")]
    pooled = pd.concat(tables).query("part == 'validation'")
    p, is_pain = np.stack(pooled["scores"])[:, 1].astype(float), samples[pooled["sample_id"]].to_numpy() == 1

    def balanced(threshold: float) -> float:
        return ((p[is_pain] > threshold).mean() + (p[~is_pain] <= threshold).mean()) / 2

    steps = np.sort(p)
    best = max(balanced(threshold) for threshold in [0.5, *((steps[1:] + steps[:-1]) / 2)])
    assert balanced(mean["threshold"]) == pytest.approx(best)
    tuned = [row["predicted_tuned"] for row in mean["recordings"]]
    assert tuned == [("BL1", "PA4")[int(value > mean["threshold"])] for value in together]
    differ = sum(row["predicted"] != row["predicted_tuned"] for row in mean["recordings"])
    assert mean["columns"]["predicted_tuned"].endswith(f"It differs from predicted in {differ} of 3 recordings")
    shown = here(*arguments[:-2])
    assert "predicted: the class with the largest of the mean of 4 students' probabilities." in shown.stdout
    assert f"tuned: PA4 above {mean['threshold']:.3f}, the threshold with the best balanced" in shown.stdout


def test_a_final_student_predicts_and_says_that_nobody_has_tested_it(
    media_run: RunFolder, clips: list[Path], here: Call, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(media_run.root, run)
    none = here("predict", run, clips[0], "--final", "--workers", 0)
    assert (none.returncode, f"mtpkd final {run}" in none.stderr) == (3, True)
    made = here("final", run, "--method", "kd", "--device", "cpu", "-q")
    assert made.returncode == 0, made.stderr
    done = here("predict", run, clips[0], "--final", "--workers", 0)
    assert done.returncode == 0, done.stderr
    assert "It has no test score of its own".lower() in done.stdout.lower()
    assert "student: kd, final: fitted to all people" in done.stderr


def test_windows_files_and_the_mean_of_all_students(
    copied: Path, clips: list[Path], here: Call, tmp_path: Path
) -> None:
    arguments = ["predict", copied, clips[0], "--window", 2, "--hop", 1.5, "--average", "--workers", 0]
    for suffix in ("csv", "jsonl"):
        done = here(*arguments, "-o", tmp_path / f"out.{suffix}")
        assert done.returncode == 0, done.stderr
    assert "mean of 4" in done.stderr
    table = pd.read_csv(tmp_path / "out.csv")
    windows, recording = table[table["level"] == "window"], table[table["level"] == "recording"].iloc[0]
    assert windows["start_s"].tolist() == [0.0, 1.5, 3.0]
    assert windows["end_s"].tolist() == [2.0, 3.5, 5.0]
    assert recording["windows"] == recording["of"] == 3
    assert recording["p_PA4"] == pytest.approx(windows["p_PA4"].mean())
    assert (windows["spread"] >= 0).all()
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line["p_PA4"] for line in lines] == pytest.approx(table["p_PA4"])


@pytest.mark.parametrize("lacking", ["samples.parquet", "fold-*/seed-*/students/*/predictions.parquet"])
def test_what_is_said_at_the_threshold_is_left_out_where_nothing_tells_it(
    lacking: str, copied: Path, clips: list[Path], here: Call, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(copied, bare)
    for path in list(bare.glob(lacking)):
        path.unlink()
    arguments = (clips[0], "--workers", 0, "--json", "-q")
    without, whole = (json.loads(here("predict", run, *arguments).stdout) for run in (bare, copied))
    assert without["threshold"] is None
    assert set(whole["windows"][0]) - set(without["windows"][0]) == {"predicted_tuned"}
    assert without["windows"][0]["predicted"] == whole["windows"][0]["predicted"]


@pytest.mark.parametrize(("threshold", "expected"), [(0.2, ["b", "b"]), (0.35, ["a", "b"]), (0.6, ["a", "a"])])
def test_the_threshold_is_for_the_second_class(threshold: float, expected: list[str]) -> None:
    """Of one student, of the mean of two (probabilities .3 and .5), and of a recording: the mean of its windows."""
    probabilities = np.array([[[0.8, 0.2], [0.4, 0.6]], [[0.6, 0.4], [0.6, 0.4]]])
    predictions = pd.DataFrame(_predictions(probabilities, "classification", ["a", "b"], threshold))
    assert predictions["predicted_tuned"].tolist() == expected
    assert predictions["predicted"].tolist() == ["a", "a"]
    windows = predictions.assign(recording="r", doubt="", error="")
    of_recording = per_recording(windows, "classification", ["a", "b"], threshold)
    assert of_recording["predicted_tuned"].tolist() == ["b" if threshold < 0.4 else "a"]


def test_folders_patterns_and_lists_name_recordings(copied: Path, clips: list[Path], here: Call) -> None:
    folder = clips[0].parent
    inside = sorted(map(str, folder.glob("*.mp4")))
    for media in ([folder], [f"{folder}/*.mp4"], [folder, inside[0]], ["-"]):
        listed = "\n".join(inside) + "\n"
        done = here("predict", copied, *media, "--json", "-q", "--workers", 0, "--window", 1, "--hop", 9, listed=listed)
        assert [row["recording"] for row in json.loads(done.stdout)["recordings"]] == inside


def test_what_is_not_there_is_told_before_anything_is_read(copied: Path, here: Call, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = here("predict", copied, tmp_path / "no.mp4", tmp_path / "empty", tmp_path / "*.avi")
    assert done.returncode == 2
    assert "no.mp4: there is no such file or folder" in done.stderr
    assert "empty: the folder holds no file of these kinds" in done.stderr
    assert "*.avi: nothing matches" in done.stderr


def test_a_video_without_a_face_has_no_prediction(copied: Path, clips: list[Path], here: Call, tmp_path: Path) -> None:
    blank = _video(tmp_path / "blank.mp4", lambda t: np.full((96, 96, 3), 90 + 10 * (t % 2), np.uint8))
    done = here("predict", copied, blank, "--workers", 0)
    assert done.returncode == 4
    assert "nothing was measured: the picture is blank" in done.stderr
    (tmp_path / "text.mp4").write_text("not a video")
    out = tmp_path / "out.csv"
    done = here("predict", copied, clips[0], blank, tmp_path / "text.mp4", "-o", out, "--workers", 0)
    assert done.returncode == 5
    assert "no prediction for 2 of 3 recordings" in done.stderr
    table = pd.read_csv(out).query("level == 'recording'")
    assert table["predicted"].notna().tolist() == [True, False, False]
    assert table["error"].notna().tolist() == [False, True, True]


def test_another_encoder_than_the_students_is_refused(
    copied: Path, clips: list[Path], here: Call, tmp_path: Path
) -> None:
    changed = tmp_path / "run"
    shutil.copytree(copied, changed)
    study = changed / "study.toml"
    study.write_text(study.read_text().replace("rate_hz = 5.0", "rate_hz = 4.0"))
    done = here("predict", changed, clips[0])
    assert done.returncode == 3
    assert "rate_hz was 5.0, is 4.0" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "out.xlsx"], "expected: a name that ends in .parquet, .csv, .jsonl"),
        (["--hop", "1"], "a hop without a window"),
        (["--window", "0"], "expected: seconds, more than 0"),
        (["--method", "kds"], "did you mean 'kd'?"),
        (["--overlay", "out.avi"], "a name that ends in .mp4"),
    ],
)
def test_wrong_use_is_told(copied: Path, clips: list[Path], here: Call, arguments: list[str], message: str) -> None:
    done = here("predict", copied, clips[0], *arguments)
    assert done.returncode == 2
    assert message in done.stderr


def test_the_overlay_shows_the_video_with_the_prediction(
    copied: Path, clips: list[Path], here: Call, tmp_path: Path
) -> None:
    from mtpkd_cli.media.video import read_frames

    out = tmp_path / "seen.mp4"
    done = here("predict", copied, clips[0], "--window", 2.5, "--overlay", out, "--workers", 0)
    assert done.returncode == 0, done.stderr
    before, after = read_frames(clips[0]), read_frames(out)
    assert after.frames.shape == before.frames.shape
    np.testing.assert_allclose(after.times_s, before.times_s, atol=2e-3)
    rows = before.frames.shape[1] // 2
    changed = np.abs(after.frames.astype(int) - before.frames).mean(axis=(0, 2, 3))
    assert changed[:rows].mean() < 4 < changed[-rows // 3 :].mean()


def test_a_student_of_ready_features_reads_no_media(tiny: Any, clips: list[Path], here: Call) -> None:
    done = here("predict", tiny.run.root, clips[0])
    assert done.returncode == 2
    assert "brought ready-made" in done.stderr


def _video(path: Path, picture: Callable[[int], np.ndarray], frames: int = 20) -> Path:
    import av

    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=10)
        stream.height, stream.width = picture(0).shape[:2]
        stream.pix_fmt = "yuv420p"
        for t in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(t), format="rgb24")))
        container.mux(stream.encode())
    return path


def test_the_command_leaves_with_the_exit_code_of_the_error(
    copied: Path, mtpkd: Callable[..., "subprocess.CompletedProcess[str]"], tmp_path: Path
) -> None:
    (tmp_path / "text.mp4").write_text("not a video")
    done = mtpkd("predict", copied, tmp_path / "text.mp4", "--workers", 1)
    assert (done.returncode, done.stdout) == (4, "")
    assert "error: no prediction for the recording" in done.stderr
    assert "Traceback" not in done.stderr
