"""Learning curves over labels: a share is a branch of the run, the study's own share is the run, and all goes on."""

import importlib
import json
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mtpkd_cli
from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.errors import ArtifactError, DataError, StudyError
from mtpkd_cli.evaluation.curve import read_curve
from mtpkd_cli.evaluation.summary import read_summary, summary_of
from mtpkd_cli.pipeline.curve import shares_of, table_unit
from mtpkd_cli.pipeline.curve_request import (
    CurveRequest,
    methods_at,
    methods_of,
    parse_shares,
    read_request,
    request_of,
)
from mtpkd_cli.pipeline.label_shares import usable_shares
from mtpkd_cli.pipeline.parallel import Collected
from mtpkd_cli.report import write_report
from mtpkd_cli.stages import Job

SHARES = (0.5, 1.0)
# Of one fold and seed: three teachers, alignment, bank, student-only and kd.
PER_REPETITION = 7


@pytest.fixture(scope="session")
def curved(made_once: Callable[..., Path], finished: Any) -> Any:
    """The finished study with a curve of two shares and one method; not to be written into."""

    def make(folder: Path) -> None:
        tiny = finished.copy(folder / "study")
        mtpkd_cli.curve(tiny.run.root, SHARES, methods=["kd"], device="cpu", jobs=1)

    return type(finished)(made_once("curved", make) / "study")


@pytest.fixture
def curve(curved: Any, tmp_path: Path) -> Any:
    """A copy of it."""
    return curved.copy(tmp_path / "copy")


@pytest.fixture(autouse=True)
def _few_figures(only: Callable[..., None]) -> None:
    only("label_curve")


def _of_run(tiny: Any) -> dict[str, Any]:
    """What the run holds beside the curve and the report."""
    return {
        name: content
        for name, content in tiny.artifacts().items()
        if not name.startswith(("curve/", "evaluation/report", "evaluation/figures", "evaluation/tables"))
    }


def _entries(tiny: Any) -> dict[str, Any]:
    return {entry.unit: entry for entry in mtpkd_cli.status(tiny.run.root) if entry.stage == "curve"}


def test_a_share_has_teachers_bank_and_students_and_the_run_stays_as_it_is(curved: Any, finished: Any) -> None:
    assert _of_run(curved) == _of_run(finished)
    assert curved.undone() == set()
    place = curved.run.root / "curve" / "share-0.5"
    made = {path.parent.relative_to(place).as_posix() for path in place.rglob("manifest.json")}
    names = ("teachers/face", "teachers/eda", "teachers/joint", "align", "bank", "students/student-only", "students/kd")
    assert made == {"evaluation", *(f"fold-{fold}/seed-0/{name}" for fold in (0, 1) for name in names)}
    # At the study's own share nothing is fitted a second time.
    assert not list((curved.run.root / "curve" / "share-1").glob("fold-*"))
    entries = _entries(curved)
    assert {entry.state for entry in entries.values()} == {"done"}
    assert len(entries) == 2 * PER_REPETITION + 2 + 1


def test_the_record_holds_scores_of_the_evaluations_and_whose_labels_were_seen(curved: Any) -> None:
    curve = read_curve(curved.run)
    assert json.loads((curved.run.root / "curve" / "curve.json").read_text()) == curve.plain()
    # Twelve people, six of them tested; of the other six two validate. A half of both: two and one.
    assert [(one.share, one.people, one.samples) for one in curve.shares] == [(0.5, 3, 18), (1, 6, 36)]
    half, whole = curve.shares
    study = summary_of(curved.run)
    assert curve.metric == study.headline == "balanced-accuracy"
    for method in ("student-only", "kd"):
        assert whole.methods[method].score == study.methods[method].scores[curve.metric]
    scores = read_summary(curved.run.share(0.5).evaluation)
    for name, point in half.methods.items():
        assert point.score == scores.methods[name].scores[curve.metric]
    assert half.methods["student-only"].difference is None
    gain = half.methods["kd"].score.value - half.methods["student-only"].score.value
    assert half.methods["kd"].difference.value == pytest.approx(gain)
    assert half.methods["kd"].worth is not None
    assert whole.methods["kd"].worth is None  # the curve ends here
    # The scores are those of the share's own predictions of the run's test people.
    right = []
    labels = pd.read_parquet(curved.run.samples).set_index("sample_id")["label"]
    for fold in (0, 1):
        table = pd.read_parquet(curved.run.share(0.5).student(fold, 0, "kd") / "predictions.parquet")
        test = table[table["part"] == "test"]
        truth = labels[test["sample_id"]].to_numpy()
        hits = np.stack(test["scores"]).argmax(1) == truth
        right.append(np.mean([hits[truth == label].mean() for label in (0, 1)]))
    assert half.methods["kd"].score.value == pytest.approx(np.mean(right))


def test_labels_that_are_hidden_change_teachers_and_students(curved: Any) -> None:
    seen = pd.read_parquet(curved.run.share(0.5).bank(0, 0) / "joint.parquet")["part"].value_counts()
    assert {part: int(seen[part]) for part in ("train", "unlabelled", "validation", "test")} == {
        "train": 12,
        "unlabelled": 18,
        "validation": 6,
        "test": 36,
    }
    for name in ("teacher", "student"):
        folder = "face" if name == "teacher" else "student-only"
        weights = [
            getattr(run, name)(0, 0, folder) / "model.safetensors" for run in (curved.run, curved.run.share(0.5))
        ]
        assert weights[0].read_bytes() != weights[1].read_bytes()


def _predict(curve: Any, share: float, method: str, right_of_three: int) -> None:
    """Puts predictions in place of a student's: of three samples of each class and person so many are right."""
    samples = pd.read_parquet(curve.run.samples)
    nth = samples.groupby(["subject", "label"]).cumcount()
    label = np.where(nth < right_of_three, samples["label"], 1 - samples["label"])
    scores = pd.Series(list(np.eye(2, dtype=np.float32)[label]), index=samples["sample_id"])
    request = CurveRequest(shares=list(SHARES), methods=["kd"])
    (one,) = [one for one in shares_of(curve.run, curve.study, request) if one.share == share]
    for unit in one.fits:
        if unit.arguments.get("method") == method:
            path = unit.folder / "predictions.parquet"
            table = pd.read_parquet(path)
            table["scores"] = scores[table["sample_id"]].to_list()
            table.to_parquet(path)


@pytest.mark.parametrize(
    ("reference", "taught", "worth", "sentence"),
    [
        # Half-way between both scores: half-way between the logarithms of 3 and 6.
        ((1, 3), 2, 18**0.5, "are worth those of 4.2 (95 % interval 4.2 to 4.2)"),
        ((1, 2), 3, "more", "are worth those of more than 6 (95 % interval more than 6 to more than 6)"),
        ((1, 2), 1, 3, None),
        ((1, 2), 0, "fewer", None),
    ],
)
def test_predictions_whose_worth_is_known_give_the_sentence_with_it(
    curve: Any, reference: tuple[int, int], taught: int, worth: Any, sentence: str | None
) -> None:
    _predict(curve, 0.5, "student-only", reference[0])
    _predict(curve, 1.0, "student-only", reference[1])
    _predict(curve, 0.5, "kd", taught)
    _predict(curve, 1.0, "kd", 3)
    request = CurveRequest(shares=list(SHARES), methods=["kd"])
    shares, job = shares_of(curve.run, curve.study, request), Job(Collected())
    for unit in [*(one.evaluation for one in shares), table_unit(curve.run, curve.study, request, shares)]:
        shutil.rmtree(unit.folder / "frames", ignore_errors=True)
        importlib.import_module(f"mtpkd_cli.stages.{unit.module}").build(unit.folder, job, **unit.arguments)
    half = read_curve(curve.run).shares[0]
    assert half.methods["kd"].score.value == pytest.approx(taught / 3)
    value = half.methods["kd"].worth.value
    assert value == (worth if isinstance(worth, str) else pytest.approx(worth))
    expected = [] if sentence is None else [f"kd: with unlabelled recordings, labels of 3 people {sentence}"]
    assert read_curve(curve.run).sentences == expected


def test_without_options_it_goes_on_with_what_was_asked_for(tiny: Any) -> None:
    assert _entries(tiny) == {}
    assert mtpkd_cli.curve(tiny.run.root, SHARES, methods=["kd"], folds=[1], device="cpu", jobs=1) is None
    states = {entry.unit: entry.state for entry in _entries(tiny).values()}
    done = {unit for unit, state in states.items() if state == "done"}
    assert len(done) == PER_REPETITION
    assert all(unit.startswith("curve/share-0.5/fold-1/seed-0/") for unit in done)
    assert len(states) == 2 * PER_REPETITION + 2 + 1
    reporter = Collected()
    curve = mtpkd_cli.curve(tiny.run.root, device="cpu", jobs=1, reporter=reporter)
    assert f"curve: {PER_REPETITION} teachers, banks and students made" in reporter.notes
    assert any(note.startswith("wrote ") for note in reporter.notes)
    assert [one.share for one in curve.shares] == list(SHARES)
    reporter = Collected()
    assert mtpkd_cli.curve(tiny.run.root, device="cpu", jobs=1, reporter=reporter) == curve
    assert "curve: nothing to train" in reporter.notes
    assert not any("done in" in note for note in reporter.notes)


@pytest.mark.slow
def test_a_curve_that_is_killed_goes_on_and_is_what_it_would_have_been(tiny: Any, curved: Any, commands: Any) -> None:
    call = ["curve", tiny.run.root, "--label-shares", "0.5,1", "--method", "kd", "--device", "cpu", "--jobs", 1]
    running = commands.start(*call, figures=["label_curve"])
    first = tiny.run.share(0.5).teacher(0, 0, "eda") / "manifest.json"
    until = time.monotonic() + 60
    while not first.exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    running.signal(signal.SIGKILL)
    assert running.end().returncode != 0
    assert not (tiny.run.root / "curve" / "curve.json").exists()
    done = commands.run(*call, figures=["label_curve"])
    assert done.returncode == 0, done.stderr
    assert "teacher face: up to date" in done.stderr
    ours, theirs = ({k: v for k, v in one.artifacts().items() if k.startswith("curve/")} for one in (tiny, curved))
    assert ours == theirs


def test_what_a_stage_tells_says_of_which_share_it_is(tmp_path: Path, make_tiny: Callable[..., Any]) -> None:
    # Sixteen anchors are the default, and batches are of eight or so.
    tiny = make_tiny(tmp_path / "s", study={"anchors_k = 5": "batch_size = 8"})
    tiny.do("extract")
    reporter = Collected()
    mtpkd_cli.curve(tiny.run.root, [0.5], methods=["pkdot"], folds=[0], device="cpu", jobs=1, reporter=reporter)
    told = [note for note in reporter.notes if "fold 0 seed 0: " in note and "anchors" in note]
    assert told
    assert all(note.startswith("share-0.5: fold 0 seed 0: ") for note in told)


def test_inner_folds_that_a_share_has_no_people_for_are_told_before_anything_is_computed(tiny: Any) -> None:
    tiny.put("train.crossfit_folds=4")
    with pytest.raises(StudyError, match=r"share 0.5: train.crossfit_folds = 4, but 3 people"):
        mtpkd_cli.curve(tiny.run.root, SHARES, methods=["kd"], device="cpu", jobs=1)
    assert not tiny.run.curve.exists()


def test_what_is_asked_for_last_is_the_curve_and_what_is_made_is_kept(curve: Any) -> None:
    reporter = Collected()
    scores = mtpkd_cli.curve(curve.run.root, [1.0], device="cpu", jobs=1, reporter=reporter)
    assert [list(one.methods) for one in scores.shares] == [["student-only", "kd"]]
    assert (scores.shares[0].methods["kd"].worth, scores.sentences) == (None, [])
    assert "curve: nothing to train" in reporter.notes
    assert read_request(curve.run) == CurveRequest(shares=[1.0], methods=["kd"])
    reporter = Collected()
    mtpkd_cli.curve(curve.run.root, SHARES, methods=["kd", "pkdot"], device="cpu", jobs=1, reporter=reporter)
    assert "curve: 2 teachers, banks and students made" in reporter.notes  # pkdot of one share, two folds


def test_a_curve_is_stale_where_what_it_read_has_changed(curve: Any) -> None:
    curve.put("distill.learning_rate=0.002")
    entries = _entries(curve)
    stale = {unit for unit, entry in entries.items() if entry.state == "stale"}
    place = "curve/share-0.5"
    students = {f"{place}/fold-{fold}/seed-0/students/{m}" for fold in (0, 1) for m in ("student-only", "kd")}
    assert stale == {"curve", f"{place}/evaluation", "curve/share-1/evaluation", *students}
    assert "learning_rate was 0.001, is 0.002" in entries[f"{place}/fold-0/seed-0/students/kd"].reason
    reporter = Collected()
    mtpkd_cli.run(curve.run.root, device="cpu", jobs=1, reporter=reporter)
    assert any(f"mtpkd curve {curve.run.root}" in note and "stale" in note for note in reporter.notes)
    page = (curve.run.evaluation / "report.html").read_text()
    assert "Measured before something changed" in page
    curve.put("distill.learning_rate=0.001")
    curve.put("evaluate.resamples=200")
    assert {unit for unit, entry in _entries(curve).items() if entry.state == "stale"} == {
        "curve",
        f"{place}/evaluation",
        "curve/share-1/evaluation",
    }


def test_a_request_that_the_study_does_not_allow_any_more_says_so(curve: Any) -> None:
    request = CurveRequest(shares=list(SHARES), methods=["nothing"])
    (curve.run.root / "curve" / "request.json").write_text(json.dumps(request.plain()))
    (entry,) = _entries(curve).values()
    assert entry.state == "stale"
    assert "nothing" in entry.reason


def test_the_usual_curve_has_the_study_s_methods_its_controls_and_the_upper_line(finished: Any) -> None:
    request = request_of(finished.run, [], [])
    assert request.shares == [0.05, 0.1, 0.25, 0.5, 1.0]
    usual = ["student-only", "kd", "pkdot", "mt-pkdot", "self", "placebo", "all-labels"]
    assert methods_of(request, finished.study) == methods_at(0.5, request, finished.study) == usual
    assert methods_at(1.0, request, finished.study) == usual[:-1]  # hides nothing: it is student-only
    named = request_of(finished.run, [0.5], ["kd"])
    assert methods_of(named, finished.study) == ["student-only", "kd"]
    # Of six people on the training side the small shares all see three.
    notes: list[str] = []
    assert usable_shares(finished.run, finished.study, request.shares, notes.append) == [0.05, 1.0]
    assert [note.split(":")[1] for note in notes] == [f" share {share} is left out" for share in (0.1, 0.25, 0.5)]


def test_a_share_without_a_class_is_told_before_anything_is_computed(
    tmp_path: Path, make_tiny: Callable[..., Any], tiny_table: Callable[..., pd.DataFrame]
) -> None:
    table = tiny_table(12, 6)
    table["label"] = (table["subject"] > "p05").astype(int)  # each person shows one class
    tiny = make_tiny(tmp_path / "s", table=table)
    tiny.do("extract")
    with pytest.raises(DataError, match=r"share 0.5, fold \d: no training recording of [01] has a label") as caught:
        mtpkd_cli.curve(tiny.run.root, SHARES, methods=["kd"], device="cpu", jobs=1)
    assert caught.value.exit_code == 4
    assert not tiny.run.curve.exists()
    notes: list[str] = []
    assert usable_shares(tiny.run, tiny.study, SHARES, notes.append) == [1.0]
    assert "share 0.5 is left out" in notes[0]


def test_usual_shares_that_were_asked_for_before_there_were_samples_are_left_out_too(
    tmp_path: Path, make_tiny: Callable[..., Any]
) -> None:
    tiny, notes = make_tiny(tmp_path / "s"), Collected()
    with pytest.raises(ArtifactError, match="mtpkd extract"):
        mtpkd_cli.curve(tiny.run.root, device="cpu", jobs=1)
    tiny.do("extract")
    mtpkd_cli.curve(tiny.run.root, plan=True, device="cpu", jobs=1, reporter=notes)
    request = read_request(tiny.run)
    assert request is not None
    assert request.shares == usable_shares(tiny.run, tiny.study, request.shares, None)
    assert any("share 0.1 is left out" in note for note in notes.notes)


def test_methods_that_the_study_does_not_list_are_added_at_its_own_share(finished: Any) -> None:
    request = CurveRequest(shares=[0.5, 1.0], methods=["mt-pkdot", "self"])
    half, whole = shares_of(finished.run, finished.study, request)
    run = finished.run
    students = {unit.name: unit for unit in whole.fits if unit.module == "distill" and unit.fold == 0}
    assert set(students) == {"student-only", "mt-pkdot", "share-1 student self"}
    assert students["mt-pkdot"].folder == run.student(0, 0, "mt-pkdot")
    added = students["share-1 student self"]
    assert added.folder == run.root / "curve/share-1/fold-0/seed-0/students/self"
    assert added.spares == {"guard": run.student(0, 0, "student-only")}  # not fitted a second time
    assert run.bank(0, 0) in added.inputs.values()
    assert {unit.folder for unit in half.fits if unit.name.endswith("bank")} == {
        run.share(0.5).bank(f, 0) for f in (0, 1)
    }
    assert added.reads | {"distill": None} == students["mt-pkdot"].reads | {"distill": None}


def test_where_the_study_has_the_curve_s_methods_its_evaluation_is_the_curve_s(finished: Any) -> None:
    request = CurveRequest(shares=[1.0], methods=["mt-pkdot", "pkdot", "kd"])
    (whole,) = shares_of(finished.run, finished.study, request)
    assert (whole.evaluation.stage, whole.evaluation.folder) == ("evaluate", finished.run.evaluation)


def test_a_share_of_the_study_itself_is_the_run_s(tiny: Any) -> None:
    tiny.put("data.label_share=0.5")
    request = CurveRequest(shares=[0.5, 1.0], methods=["kd"])
    half, whole = shares_of(tiny.run, tiny.study, request)
    assert (half.is_studied, whole.is_studied) == (True, False)
    assert {unit.folder for unit in half.fits if unit.name == "kd"} == {tiny.run.student(f, 0, "kd") for f in (0, 1)}
    assert whole.study.data.label_share == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label_shares": [0.0, 0.5]}, "0 is no share"),
        ({"label_shares": [0.5, 1.5]}, "1.5 is no share"),
        ({"label_shares": [0.5, 0.5]}, "0.5 is named twice"),
        ({"label_shares": [0.05, 0.1, 1]}, "shares 0.05 and 0.1 see the same labels in every fold, of 3 people"),
        ({"methods": ["kdd"]}, "did you mean 'kd'"),
        ({"folds": [5]}, "no fold 5"),
        ({"folds": [0], "label_shares": [0.25]}, "no share 0.25"),
        ({"folds": [0], "label_shares": [0.25]}, "to do: ask for it first, without --fold and --seed"),
        ({"folds": [0], "methods": ["pkdot"]}, "no method 'pkdot'"),
        ({"seeds": [3]}, "no seed 3"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_asked_for(curve: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError) as caught:
        mtpkd_cli.curve(curve.run.root, **{"label_shares": [], "device": "cpu", "jobs": 1} | options)
    assert message in str(caught.value)
    assert read_request(curve.run) == CurveRequest(shares=list(SHARES), methods=["kd"])


def test_shares_are_read_from_one_argument() -> None:
    assert parse_shares("0.05, 0.1,1") == [0.05, 0.1, 1.0]
    with pytest.raises(StudyError, match="no list of shares"):
        parse_shares("0.05;0.1")


def test_an_empty_list_of_shares_is_none(curve: Any, mtpkd: Callable[..., Any]) -> None:
    result = mtpkd("curve", curve.run.root, "--label-shares", "", "--plan")
    assert result.returncode == 2
    assert "'' is no list of shares" in result.stderr


def test_without_samples_it_says_which_command_makes_them(tmp_path: Path, make_tiny: Callable[..., Any]) -> None:
    tiny = make_tiny(tmp_path / "s")
    with pytest.raises(ArtifactError, match="mtpkd extract") as caught:
        mtpkd_cli.curve(tiny.run.root, SHARES, methods=["kd"], device="cpu", jobs=1)
    assert caught.value.exit_code == 3


def test_what_the_run_lacks_at_its_own_share_is_made(tmp_path: Path, make_tiny: Callable[..., Any]) -> None:
    tiny = make_tiny(tmp_path / "s", study={'["student-only", "kd", "pkdot", "mt-pkdot"]': '["student-only", "kd"]'})
    tiny.do("extract")
    reporter = Collected()
    curve = mtpkd_cli.curve(tiny.run.root, [1.0], methods=["kd"], device="cpu", jobs=1, reporter=reporter)
    assert [list(one.methods) for one in curve.shares] == [["student-only", "kd"]]
    assert tiny.undone() == set()
    assert (tiny.run.evaluation / "report.html").exists()


def test_a_regression_and_shares_of_samples_have_curves_too(tmp_path: Path, make_tiny: Callable[..., Any]) -> None:
    changes = {
        'name = "tiny"': 'name = "tiny"\ntask = "regression"',
        'file = "table.parquet"': 'file = "table.parquet", targets = ["valence"]',
        "folds = 2\noptions": 'folds = 2\nlabel_unit = "sample"\noptions',
        '["student-only", "kd", "pkdot", "mt-pkdot"]': '["student-only", "kd"]',
        "resamples = 100": 'resamples = 100\nmetrics = ["rmse"]',
    }
    tiny = make_tiny(tmp_path / "s", study=changes)
    tiny.do("extract")
    curve = mtpkd_cli.curve(tiny.run.root, [0.5, 1.0], methods=["kd", "all-labels"], device="cpu", jobs=1)
    assert (curve.greater_is_better, curve.label_unit) == (False, "sample")
    # Six people on the training side, three of six samples each.
    assert [(one.people, one.samples) for one in curve.shares] == [(6, 18), (6, 36)]
    half, whole = curve.shares
    assert set(half.methods) == {"student-only", "kd", "all-labels"}
    assert set(whole.methods) == {"student-only", "kd"}
    worth = half.methods["kd"].worth
    better = half.methods["kd"].score.value < half.methods["student-only"].score.value
    expected = worth.value == "more" or (isinstance(worth.value, float) and worth.value > 18)
    assert expected == better
    assert half.methods["all-labels"].worth is None


def test_the_report_draws_the_curve_and_says_what_it_says(curved: Any, tiny: Any) -> None:
    page = (curved.run.evaluation / "report.html").read_text()
    assert 'aria-label="Scores over labelled people: student-only, kd"' in page
    assert (curved.run.evaluation / "figures" / "labels.svg").exists()
    assert read_curve(curved.run).sentences or "it can be said how many labels it is worth" in page
    assert "mtpkd curve RUN does it" in write_report(tiny.run).read_text()


@pytest.mark.slow
def test_the_command_prints_a_table_of_eighty_columns_and_json(curve: Any, mtpkd: Callable[..., Any]) -> None:
    call = ["curve", curve.run.root, "--device", "cpu"]
    added = mtpkd(*call, "--method", "kd", "--method", "all-labels", "--jobs", 2, figures=["label_curve"])
    assert added.returncode == 0, added.stderr
    lines = added.stdout.splitlines()
    rows = [line.split()[:4] for line in lines if line.split()[:1] in (["0.5"], ["1"])]
    assert rows == [
        ["0.5", "3", "18", "student-only"],
        ["0.5", "3", "18", "kd"],
        ["0.5", "3", "18", "all-labels"],
        ["1", "6", "36", "student-only"],
        ["1", "6", "36", "kd"],
    ]
    table = curve.run.root / "curve" / "curve.json"
    assert lines[-1] == f"table: {table}"
    assert max(len(line.rstrip()) for line in lines if line[:1] in "01s ") <= 80
    again = mtpkd(*call, "--json", "-q")
    assert (again.returncode, again.stderr) == (0, "")
    assert json.loads(again.stdout) == json.loads(table.read_text())
    assert RunFolder(curve.run.root).curve == table.parent
    planned = mtpkd(*call, "--label-shares", "0.25,0.5,1", "--plan")
    assert (planned.returncode, planned.stdout) == (2, "")  # 0.25 of so few people is 0.5
    planned = mtpkd(*call, "--method", "pkdot", "--plan")
    assert (planned.returncode, planned.stdout) == (0, ""), planned.stderr
    assert "mtpkd slurm" in planned.stderr
    assert _entries(curve)["curve/share-0.5/fold-0/seed-0/students/pkdot"].state == "missing"
