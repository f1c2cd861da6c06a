"""Frame scores against the plainest way to find them: a loop over frames, and a bootstrap that expands every draw."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtpkd_cli import metrics
from mtpkd_cli.artifacts import read_parquet, write_parquet
from mtpkd_cli.config.study import EvaluateSection
from mtpkd_cli.evaluation.frame_rows import class_rows, covering_mean, target_rows
from mtpkd_cli.evaluation.frame_scores import score_frames
from mtpkd_cli.evaluation.predictions import with_labels
from mtpkd_cli.registry import METRICS

RECORDINGS = {"v1": 23, "v2_left": 9, "v2_right": 14, "v3": 5, "v4": 31}
LENGTH, HOP = 5, 3


def _corpus(task: str, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Samples and frames of five recordings of four subjects; v1 is a training one."""
    windows, frames = [], []
    for recording, n in RECORDINGS.items():
        starts = [*range(1, n - LENGTH + 1, HOP), n - LENGTH + 1]
        windows += [(f"{recording}-{s}", recording, s, s + LENGTH - 1) for s in starts]
        table = pd.DataFrame({"recording": recording, "frame": np.arange(1, n + 1, dtype=np.int32)})
        table["valid"] = rng.random(n) > 0.2
        if task == "regression":
            values = np.where(table["valid"].to_numpy()[:, None], rng.uniform(-1, 1, (n, 2)), np.nan)
            table[["target_a", "target_b"]] = values.astype(np.float32)
        else:
            table["label"] = np.where(table["valid"], rng.integers(0, 3, n), -1)
        frames.append(table)
    samples = pd.DataFrame(windows, columns=["sample_id", "recording", "first_frame", "last_frame"])
    samples["subject"] = samples["recording"].str.split("_").str[0]
    if task == "regression":
        samples["target_a"] = samples["target_b"] = 0.0
    else:
        samples["label"] = np.arange(len(samples)) % 3
        samples["label_name"] = [f"c{i}" for i in samples["label"]]
    return samples, pd.concat(frames, ignore_index=True)


def _said(samples: pd.DataFrame, columns: int, rng: np.random.Generator) -> pd.DataFrame:
    scores = rng.normal(size=(len(samples), columns))
    if columns == 3:
        scores = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return pd.DataFrame(
        {"sample_id": samples["sample_id"].to_numpy(), "part": "test", "scores": list(scores.astype(np.float32))}
    )


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_frames_are_scored_by_the_mean_of_their_windows(task: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    samples, frames = _corpus(task, rng)
    write_parquet(tmp_path / "frames.parquet", frames)
    test = samples[samples["recording"] != "v1"]
    columns = 2 if task == "regression" else 3
    names = [n for n in METRICS.names() if METRICS.constant(n, "TASK") == task and not METRICS.constant(n, "THRESHOLD")]
    parts = {
        # One window of v4 could not be read: frames that only it covers are counted as unscored.
        "ref": {"fold-0/seed-0": _said(test, columns, rng), "fold-0/seed-1": _said(test, columns, rng)},
        "kd": {
            "fold-0/seed-0": _said(test[test["sample_id"] != "v4-1"], columns, rng),
            "fold-0/seed-1": pd.DataFrame({"part": []}),
        },
    }
    tested = {key: test["sample_id"].tolist() for key in parts["ref"]}
    evaluate = EvaluateSection(reference="ref", resamples=100)
    predictions = {method: with_labels(by_key, samples, binary=False) for method, by_key in parts.items()}
    summary = score_frames(
        tmp_path / "out", tmp_path / "frames.parquet", samples, predictions, tested, names, evaluate
    ).plain()
    json.dumps(summary, allow_nan=False)
    tested_frames = frames[frames["recording"] != "v1"].reset_index(drop=True)
    assert summary["frames"] == tested_frames["valid"].sum()
    draws = metrics.bootstrap_weights(3, 100, 0)
    values = {}
    for method, by_key in parts.items():
        expected_parts, written = [], read_parquet(tmp_path / "out" / f"{method}.parquet").to_pandas()
        for seed, rows in enumerate(rows for rows in by_key.values() if len(rows)):
            scores = _plain_means(tested_frames, samples, rows)
            mine = written[written["seed"] == seed]
            assert list(mine["recording"]) == list(tested_frames["recording"])
            np.testing.assert_allclose(mine.filter(like="score_"), scores, atol=1e-6)
            use = tested_frames["valid"].to_numpy() & ~np.isnan(scores[:, 0])
            labels = (
                tested_frames.loc[use, "label"]
                if task == "classification"
                else tested_frames.loc[use, ["target_a", "target_b"]]
            )
            people = tested_frames.loc[use, "recording"].str.split("_").str[0].to_numpy()
            expected_parts.append(metrics.Part(labels.to_numpy(), scores[use], people))
        row = summary["methods"][method]
        assert row["scored"] == sum(len(part.labels) for part in expected_parts)
        assert row["scored"] + row["unscored"] == tested_frames["valid"].sum() * len(expected_parts)
        for name in names:
            module, drawn = METRICS.load(name), (["v2", "v3", "v4"], draws)
            pooled = getattr(module, "POOLED", False)
            expected = metrics.resampled_scores(module.metric, expected_parts, *drawn, pooled=pooled)
            values[method, name] = expected
            assert row["scores"][name]["value"] == pytest.approx(expected.point, abs=1e-9)
            ends = metrics.interval(expected.values, expected.point)
            assert (row["scores"][name]["low"], row["scores"][name]["high"]) == pytest.approx((ends.low, ends.high))
    if task == "regression":
        for target in ("a", "b"):
            assert set(summary["methods"]["kd"]["targets"][target]) == set(names)
        by_target = [summary["methods"]["ref"]["targets"][target]["ccc"]["value"] for target in ("a", "b")]
        assert np.mean(by_target) == pytest.approx(summary["methods"]["ref"]["scores"]["ccc"]["value"])
    assert summary["methods"]["kd"]["unscored"] > 0
    assert summary["methods"]["ref"]["differences"] == {}
    for name in names:
        base, other = values["ref", name], values["kd", name]
        ends = metrics.difference(base.point, base.values, other.point, other.values)
        row = summary["methods"]["kd"]["differences"][name]
        assert (row["value"], row["low"], row["high"]) == pytest.approx((ends.value, ends.low, ends.high))


def _plain_means(frames: pd.DataFrame, samples: pd.DataFrame, rows: pd.DataFrame) -> np.ndarray:
    windows = samples.merge(rows, on="sample_id")
    means = []
    for frame in frames.itertuples():
        over = windows[
            (windows["recording"] == frame.recording)
            & (windows["first_frame"] <= frame.frame)
            & (windows["last_frame"] >= frame.frame)
        ]
        nothing = np.full(len(rows["scores"].iloc[0]), np.nan)
        means.append(np.mean(np.stack(over["scores"].to_list()).astype(float), axis=0) if len(over) else nothing)
    return np.stack(means)


def test_a_window_that_is_alone_gives_its_own_scores_exactly() -> None:
    scores = np.float64([[0.1, 0.7], [0.3, -0.2], [1e-3, 5]])
    means = covering_mean(scores, np.array([[0, 1], [4, 4], [2, 3]]), 6)
    np.testing.assert_allclose(means, [*[scores[0]] * 2, *[scores[2]] * 2, scores[1], [np.nan] * 2], atol=1e-15)


def test_rows_stand_for_runs_of_frames_and_nobody_is_joined_with_another() -> None:
    labels, people = np.array([1, 1, 0, 0, 0, 1]), np.array([0, 0, 0, 1, 1, 1])
    rows = class_rows(labels, np.full((6, 2), 0.5), people)
    assert (rows.labels.tolist(), rows.counts.tolist(), rows.people.tolist()) == (
        [1, 0, 0, 1],
        [2, 1, 2, 1],
        [0, 0, 1, 1],
    )


def test_three_rows_have_the_moments_of_all_frames_of_a_person() -> None:
    rng = np.random.default_rng(6)
    people = rng.permutation(np.repeat([0, 2, 5, 7], [1, 2, 40, 9]))
    labels, scores = rng.normal(3, 1, size=(52, 2)), rng.normal(-2, 5, size=(52, 2))
    labels[people == 7], scores[people == 7] = 0.1, 0.7
    rows = target_rows(labels, scores, people)
    for person in np.unique(people):
        one, all_ = rows.people == person, people == person
        assert rows.counts[one].sum() == pytest.approx(all_.sum())
        for c in range(2):
            x, y, n = rows.scores[one, c], rows.labels[one, c], rows.counts[one]
            a, b = scores[all_, c], labels[all_, c]
            for few, many in ((x, a), (y, b), (x * x, a * a), (y * y, b * b), (x * y, a * b)):
                assert (few * n).sum() == pytest.approx(many.sum(), abs=1e-9)
    assert set(rows.labels[rows.people == 7].ravel()) == {0.1}
    assert set(rows.scores[rows.people == 7].ravel()) == {0.7}


@pytest.mark.parametrize("name", [n for n in METRICS.names() if METRICS.constant(n, "TASK") == "regression"])
def test_metrics_that_say_so_depend_on_moments_alone(name: str) -> None:
    """Otherwise joined rows would give other values."""
    rng = np.random.default_rng(2)
    labels, scores = rng.normal(size=(60, 2)), np.repeat(rng.normal(size=(6, 2)), 10, axis=0)
    rows = target_rows(labels, scores, np.zeros(60, int))
    metric = METRICS.load(name).metric
    same = metric(labels, scores)[0] == pytest.approx(metric(rows.labels, rows.scores, rows.counts[None])[0], abs=1e-12)
    assert same == bool(METRICS.constant(name, "MOMENTS"))
