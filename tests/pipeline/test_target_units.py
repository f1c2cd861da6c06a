"""A regression knows no units: what is learned is the same in any of them, and what is told is in the person's."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtpkd_cli.artifacts import read_parquet
from mtpkd_cli.cli.tables import print_scores
from mtpkd_cli.errors import DataError
from mtpkd_cli.evaluation.summary import TRIVIAL, summary_of
from mtpkd_cli.report.numbers import csv_table, latex_table
from mtpkd_cli.report.results import read_results
from mtpkd_cli.report.scores import score_blocks, summary_sentences
from mtpkd_cli.training.splits import read_folds

METHODS = '["student-only", "kd", "mt-pkdot", "dkd", "zero-imputation"]'
STUDY = {
    'name = "tiny"': 'name = "tiny"\ntask = "regression"',
    'file = "table.parquet"': 'file = "table.parquet", targets = ["valence", "pain"]',
    '["student-only", "kd", "pkdot", "mt-pkdot"]': METHODS,
}
FACTOR = 64.0
"""A power of two, so that every number of a study in one unit is exactly that of the other."""


@pytest.fixture(scope="module")
def made(
    tmp_path_factory: pytest.TempPathFactory, make_tiny: Callable[..., Any], tiny_table: Callable[..., pd.DataFrame]
) -> Callable[[str, Callable[[pd.DataFrame], pd.DataFrame]], Any]:
    """(name, change of the table) -> a finished study of both targets."""

    def make(name: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Any:
        table = tiny_table().astype({"valence": np.float32})
        table["pain"] = (5 + 3 * table["eda__f0"]).astype(np.float32)
        tiny = make_tiny(tmp_path_factory.mktemp(name) / "study", change(table), STUDY)
        tiny.do()
        return tiny

    return make


@pytest.fixture(scope="module")
def plain(made: Callable[..., Any]) -> Any:
    return made("plain", lambda table: table)


def predictions_of(tiny: Any) -> pd.DataFrame:
    table = read_parquet(tiny.run.evaluation / "predictions.parquet").to_pandas()
    return table.sort_values(["method", "fold", "sample_id"]).reset_index(drop=True)


def scores(table: pd.DataFrame) -> np.ndarray:
    return np.stack(table["scores"].to_list())


def test_in_other_units_all_models_are_the_same_bits_and_all_outputs_in_those_units(
    plain: Any, made: Callable[..., Any]
) -> None:
    other = made("other", lambda table: table.assign(pain=FACTOR * table["pain"]))
    weights = sorted(path.relative_to(plain.run.root) for path in plain.run.root.rglob("*.safetensors"))
    assert len(weights) >= 20
    for path in weights:
        assert (other.run.root / path).read_bytes() == (plain.run.root / path).read_bytes(), path
    ours, theirs = (predictions_of(tiny) for tiny in (plain, other))
    assert np.array_equal(scores(ours) * [1, FACTOR], scores(theirs))
    for path in sorted(plain.run.root.rglob("bank/*.parquet")):
        banks = [pd.read_parquet(root / path.relative_to(plain.run.root)) for root in (plain.run.root, other.run.root)]
        for column in ("logits", "crossfit_logits"):
            known, scaled = (np.stack(bank[column].to_list()) for bank in banks)
            np.testing.assert_allclose(known * [1, FACTOR], scaled, rtol=1e-6)
    ours, theirs = (
        json.loads((tiny.run.evaluation / "metrics.json").read_text())["methods"] for tiny in (plain, other)
    )
    for method, row in ours.items():
        in_other = theirs[method]
        assert in_other["scores"]["ccc"]["value"] == pytest.approx(row["scores"]["ccc"]["value"])
        pain, scaled = (one["targets"]["pain"]["rmse"]["concatenated"] for one in (row, in_other))
        for key in ("value", "low", "high"):
            assert scaled[key] == pytest.approx(FACTOR * pain[key])


def test_every_model_keeps_mean_and_deviation_of_the_training_people_and_answers_in_their_units(plain: Any) -> None:
    samples, folds = pd.read_parquet(plain.run.samples), read_folds(plain.run.splits)
    for number, fold in enumerate(folds):
        targets = samples.loc[samples["subject"].isin(fold.train), ["target_valence", "target_pain"]].astype(float)
        folders = [plain.run.teacher(number, 0, name) for name in ("face", "eda", "joint")]
        folders += [plain.run.student(number, 0, name) for name in ("student-only", "mt-pkdot", "zero-imputation")]
        for folder in folders:
            stored = json.loads((folder / "model.json").read_text())["arguments"]["targets"]
            assert stored["mean"] == pytest.approx(targets.mean().to_list())
            assert stored["scale"] == pytest.approx(targets.std(ddof=0).to_list())
    # After two epochs predictions lie about the mean: those of targets in other units would lie about zero.
    predicted = scores(predictions_of(plain)).mean(axis=0)
    assert np.abs(predicted - samples[["target_valence", "target_pain"]].mean()).max() < 1.5
    bank = pd.concat(pd.read_parquet(path) for path in plain.run.bank(0, 0).glob("*.parquet"))
    for column in ("logits", "crossfit_logits"):
        assert np.stack(bank[column].to_list()).mean(axis=0) == pytest.approx(predicted, abs=1.5)


def test_labels_of_test_people_change_nothing_that_is_learned(plain: Any, made: Callable[..., Any]) -> None:
    tested = read_folds(plain.run.splits)[0].test

    def change(table: pd.DataFrame) -> pd.DataFrame:
        far = table["subject"].isin(tested)
        return table.assign(pain=table["pain"].where(~far, 1000 - table["pain"]))

    other = made("far", change)
    ours, theirs = (predictions_of(tiny).query("fold == 0") for tiny in (plain, other))
    assert np.array_equal(scores(ours), scores(theirs))


def test_models_that_learned_targets_in_units_of_the_corpus_are_stale(plain: Any, tmp_path: Path) -> None:
    old = plain.copy(tmp_path / "old")
    assert old.undone() == set()
    labels = {
        "train-teachers fold-0/seed-0 face": old.run.teacher(0, 0, "face"),
        "align fold-0/seed-0 align": old.run.align(0, 0),
        "distill fold-0/seed-0 kd": old.run.student(0, 0, "kd"),
    }
    for label, folder in labels.items():
        manifest = folder / "manifest.json"
        as_made = manifest.read_text()
        content = json.loads(as_made)
        assert content["study"].pop("targets") == "standardised"
        manifest.write_text(json.dumps(content))
        assert old.states()[label].reason == 'targets was null, is "standardised"'
        manifest.write_text(as_made)


def test_the_mean_of_the_training_people_is_scored_beside_the_models(plain: Any) -> None:
    samples, folds = pd.read_parquet(plain.run.samples), read_folds(plain.run.splits)
    errors = []
    for fold in folds:
        train, test = (
            samples.loc[samples["subject"].isin(people), ["target_valence", "target_pain"]].astype(float)
            for people in (fold.train, fold.test)
        )
        errors.append(np.sqrt(((test - train.mean()) ** 2).mean()).mean())
    summary = summary_of(plain.run)
    trivial = summary.rows[TRIVIAL]
    assert trivial.scores["rmse"].value == pytest.approx(np.mean(errors))
    assert trivial.scores["ccc"].value == 0
    assert trivial.scores["pcc"].value is None
    assert trivial.scored == len(samples)
    assert TRIVIAL not in summary.methods
    assert f"{TRIVIAL},rmse,{trivial.scores['rmse'].value}," in csv_table(summary)
    assert TRIVIAL in latex_table(summary)
    results = read_results(plain.run)
    error = f"{trivial.scores['rmse'].value:.3f} RMSE"
    sentence = f"Predicting the mean of the training people for everybody would reach 0.000 CCC, {error}."
    assert sentence in summary_sentences(results)
    assert [row["name"] for row in score_blocks(results)[-1]["rows"]] == [TRIVIAL]


def test_the_trivial_line_stands_on_the_terminal(plain: Any, capsys: pytest.CaptureFixture[str]) -> None:
    print_scores(summary_of(plain.run))
    lines = capsys.readouterr().out.splitlines()
    (line,) = [line for line in lines if TRIVIAL in line]
    assert f"{summary_of(plain.run).rows[TRIVIAL].scores['rmse'].value:.3f}" in line


def test_a_mark_among_ratings_is_refused_and_a_rating_of_minus_five_is_one(
    tmp_path: Path, make_tiny: Callable[..., Any], tiny_table: Callable[..., pd.DataFrame]
) -> None:
    table = tiny_table()
    table["valence"] = np.tanh(table["valence"])
    table["pain"] = np.round(5 * table["valence"])
    table.loc[3, "pain"] = -5.0
    make_tiny(tmp_path / "ratings", table, STUDY).do("extract")
    table.loc[3, "valence"] = -5.0
    with pytest.raises(DataError, match=r"target valence is -5 in 1 samples, e.g. .*, and within -1 to 1 elsewhere"):
        make_tiny(tmp_path / "marked", table, STUDY).do("extract")
