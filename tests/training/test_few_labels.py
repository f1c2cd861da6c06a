"""Few labels and many recordings without: what the teachers must add, and what they may not take away.

A latent z decides the label. The camera has a weak view of it, spread over a few of many features, so that a student
needs labels to find it; a body signal has a view of its own, whose strength is planted: 0 is noise. With few labels a
teacher that sees the body tells the student of recordings that nobody labelled; with all labels it has less to say.
"""

import argparse
import json
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from mtpkd_cli.artifacts import RunFolder, read_parquet
from mtpkd_cli.config import read_study
from mtpkd_cli.pipeline import Choice, do_stage
from mtpkd_cli.pipeline.parallel import Collected
from mtpkd_cli.stages import Extraction, Job

pytestmark = pytest.mark.slow

SETS = range(300, 303)
SUBJECTS, SAMPLES_EACH = 60, 10
FEATURES, TELLING, WEAK = 60, 6, 0.5
FEW, SOME, ALL = 0.1, 0.3, 1.0
NOISE, FAIR, STRONG = 0.0, 1.0, 3.0
CONDITIONS = [(FEW, NOISE), (FEW, FAIR), (FEW, STRONG), (SOME, STRONG), (ALL, STRONG)]
METHODS = ["student-only", "mt-pkdot", "self"]
STUDY = """
[study]
name = "few"
seeds = [0]

[data]
adapter = "features"
root = "data"
folds = 2
label_share = {share}
options = {{ file = "table.parquet" }}

[modalities.camera]
role = "prevalent"

[modalities.body]
role = "privileged"

[model]
embedding = 16

[train]
epochs = 20
learning_rate = 0.005
crossfit_folds = 2

[align]
epochs = 6
learning_rate = 0.005

[student]
kind = "mlp"

[distill]
methods = {methods}
epochs = 20
learning_rate = 0.005
"""


def areas(root: Path, seed: int, share: float, strength: float) -> dict[str, float]:
    """Plants one set and does one fold of it; method -> area under the curve on the test people.

    "the best" is the area of the camera's telling features, added up: what no student of the camera can beat but by
    chance.
    """
    rng, n = np.random.default_rng(seed), SUBJECTS * SAMPLES_EACH
    z = rng.normal(size=n)
    camera, body = rng.normal(size=(n, FEATURES)), rng.normal(size=(n, 3))
    camera[:, :TELLING] += WEAK * z[:, None]
    body[:, 0] += strength * z
    table = pd.DataFrame({"sample_id": [f"s{i:04d}" for i in range(n)], "label": (z > 0).astype(int)})
    table["subject"] = [f"p{i // SAMPLES_EACH:02d}" for i in range(n)]
    for name, values in {"camera": camera, "body": body}.items():
        for j, column in enumerate(values.T):
            table[f"{name}__f{j}"] = column
    (root / "data").mkdir(parents=True)
    table.to_parquet(root / "data" / "table.parquet")
    run = RunFolder(root)
    run.study.write_text(STUDY.format(share=share, methods=json.dumps(METHODS)))
    for stage in ("extract", "train-teachers", "align", "distill"):
        job = Job(Collected(), extraction=Extraction(root=root / "data"))
        do_stage(run, read_study(run.study), stage, Choice(fold=0), job)
    result = {}
    for method in METHODS:
        rows = read_parquet(run.student(0, 0, method) / "predictions.parquet").to_pandas()
        rows = rows[rows["part"] == "test"].merge(table.reset_index(), on="sample_id", suffixes=("", "_planted"))
        result[method] = float(roc_auc_score(rows["label"], [scores[1] for scores in rows["scores"]]))
        result["the best"] = float(roc_auc_score(rows["label"], camera[rows["index"], :TELLING].sum(1)))
    return result


def areas_of_sets(root: Path, sets: Iterable[int], share: float, strength: float) -> pd.DataFrame:
    """One row per set, one column per method."""
    return pd.DataFrame([areas(root / f"{share}-{strength}-{seed}", seed, share, strength) for seed in sets])


@pytest.fixture(scope="module")
def by_condition(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[float, float], pd.DataFrame]:
    """(share of labels, strength of the body's view) -> areas of the sets."""
    root = tmp_path_factory.mktemp("few")
    return {condition: areas_of_sets(root, SETS, *condition) for condition in CONDITIONS}


def gains(table: pd.DataFrame, method: str = "mt-pkdot", over: str = "student-only") -> pd.Series:
    """What a method gains over another one, set by set: people, recordings and first weights are the same."""
    return table[method] - table[over]


def test_the_student_alone_learns_more_from_more_labels(by_condition: dict[tuple[float, float], pd.DataFrame]) -> None:
    curve = [by_condition[share, STRONG]["student-only"] for share in (FEW, SOME, ALL)]
    assert curve[0].mean() + 0.03 < curve[1].mean() < curve[2].mean() - 0.01
    best = by_condition[ALL, STRONG]["the best"]
    assert (curve[2] < best + 0.02).all()
    assert (curve[0] > 0.5).all()


def test_the_fewer_the_labels_the_more_the_taught_student_is_above(
    by_condition: dict[tuple[float, float], pd.DataFrame],
) -> None:
    few, some, every = (gains(by_condition[share, STRONG]) for share in (FEW, SOME, ALL))
    assert (few > 0).all()
    assert few.mean() > some.mean() > every.mean()
    few_labels, all_labels = by_condition[FEW, STRONG], by_condition[ALL, STRONG]
    recovered = few.mean() / (all_labels["student-only"] - few_labels["student-only"]).mean()
    assert recovered > 0.5
    assert -0.01 < every.mean() < few.mean() / 2
    assert (few_labels["mt-pkdot"] < few_labels["the best"] + 0.02).all()


def test_the_gain_grows_with_what_the_teacher_knows(by_condition: dict[tuple[float, float], pd.DataFrame]) -> None:
    noise, fair, strong = (gains(by_condition[FEW, strength]).mean() for strength in (NOISE, FAIR, STRONG))
    assert noise < fair < strong


def test_worthless_signals_take_nothing_away(by_condition: dict[tuple[float, float], pd.DataFrame]) -> None:
    lost = -gains(by_condition[FEW, NOISE])
    assert lost.mean() < max(0.01, float(stats.sem(lost)))


def test_a_student_that_teaches_itself_gains_less_than_one_whose_teacher_feels_the_body(
    by_condition: dict[tuple[float, float], pd.DataFrame],
) -> None:
    over_self = gains(by_condition[FEW, STRONG], over="self")
    assert over_self.mean() > 0.02
    # Of noise there is nothing to be had that the camera's own teacher does not know.
    assert gains(by_condition[FEW, NOISE], over="self").mean() < over_self.mean() / 2


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=20)
    parser.add_argument("--first", type=int, default=400)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for labels, view in CONDITIONS:
            sets = range(arguments.first, arguments.first + arguments.sets)
            planted = areas_of_sets(Path(folder), sets, labels, view)
            means = ", ".join(f"{name} {area:.3f}" for name, area in planted.mean().items())
            for other in ("student-only", "self"):
                gain = gains(planted, over=other)
                half = stats.t.ppf(0.975, len(gain) - 1) * stats.sem(gain)
                means += f"; mt-pkdot - {other}: {gain.mean():+.3f} +- {half:.3f}"
            print(f"labels of {labels:.0%} of the people, body {view:g}: {means}", flush=True)
