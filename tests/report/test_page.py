"""The page as a whole: it parses, loads nothing, says what metrics.json says, and outlives missing artifacts."""

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pyarrow as pa
import pytest

from mtpkd_cli.artifacts import write_parquet
from mtpkd_cli.errors import ArtifactError
from mtpkd_cli.report import matrices, write_report
from mtpkd_cli.report import page as whole

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Tags in order, attributes, text outside styles, and whether every element was closed in its turn."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.figures: list[dict[str, int]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.close()
        assert not self._open

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "figure":
            self.figures.append({"svg": 0, "caption": 0})
        if tag == "svg":
            self.figures[-1]["svg"] += 1

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.words.append(data)
        if self._open and self._open[-1] == "figcaption":
            self.figures[-1]["caption"] += len(data.strip())

    def values(self, *names: str) -> list[str]:
        return [value for _, name, value in self.attributes if name in names]


@pytest.fixture(scope="module")
def page(reported: Any) -> Page:
    return Page(reported.run.evaluation / "report.html")


@pytest.fixture(scope="module")
def regression(make_tiny: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    changes = {
        'name = "tiny"          # no more than that': 'name = "r"\ntask = "regression"',
        'options = { file = "table.parquet" }': 'options = { file = "table.parquet", targets = ["valence"] }',
    }
    study = make_tiny(tmp_path_factory.mktemp("regression") / "study", study=changes)
    study.do()
    return study


def _edit(study: Any, change: Callable[[dict[str, Any]], None]) -> None:
    path = study.run.evaluation / "metrics.json"
    summary = json.loads(path.read_text())
    change(summary)
    path.write_text(json.dumps(summary))


def test_every_figure_has_drawings_and_a_caption(page: Page) -> None:
    assert len(page.figures) == len(whole.FIGURES) - 2  # what --corrupt measures and the curve were not asked for
    assert "Not measured: mtpkd curve RUN does it." in page.text
    assert "Not measured: mtpkd evaluate RUN --corrupt does it." in page.text
    assert all(figure["svg"] >= 1 and figure["caption"] > 80 for figure in page.figures)


def test_ids_are_unique_and_every_reference_within_the_page_is_met(page: Page) -> None:
    ids = Counter(page.values("id"))
    assert max(ids.values()) == 1
    wanted = {value[1:] for value in page.values("href", "xlink:href") if value.startswith("#")}
    wanted |= set(re.findall(r"url\(#([^)]+)\)", page.source)) | set(page.values("aria-describedby"))
    assert wanted <= set(ids)


def test_nothing_is_loaded_and_nothing_runs(page: Page) -> None:
    links = page.values("src", "href", "xlink:href", "srcset", "data", "action")
    assert [link[:40] for link in links if not link.startswith(("#", "data:"))] == []
    assert not re.search(r"url\((?!#)|@import", page.source)
    assert not set(page.tags) & {"script", "iframe", "object", "embed", "form"}
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert any("default-src 'none'" in value for value in page.values("content"))


def test_the_numbers_of_metrics_json_are_in_the_page(finished: Any, page: Page) -> None:
    summary = json.loads((finished.run.evaluation / "metrics.json").read_text())
    for method, row in summary["methods"].items():
        assert method in page.text
        for score in row["scores"].values():
            shown = [f"{100 * score[key]:.1f}" for key in ("value", "low", "high")]
            assert f"{shown[0]} [{shown[1]},\u00a0{shown[2]}]".replace("\u00a0", " ") in page.text


def test_teachers_that_need_privileged_modalities_stand_apart(page: Page) -> None:
    fair, needing = page.text.split("need privileged modalities at test time")
    assert "teacher face" in fair
    assert re.match(r" teacher eda .* teacher joint face, eda ", needing)


def test_provenance_names_commands_versions_and_the_study(finished: Any, page: Page) -> None:
    for text in ("mtpkd distill RUN --device cpu", "torch", "numpy", "mtpkd run RUN"):
        assert text in page.text
    assert re.sub(r"\s+", " ", finished.run.study.read_text()).strip() in page.text
    assert page.text.strip().startswith("tiny \u2013 mtpkd report mtpkd report tiny a tiny study")


@pytest.mark.slow
def test_the_page_says_what_was_listed(page: Page) -> None:
    assert "72 samples of 12 subjects" in page.text


def test_the_same_run_gives_the_same_bytes(
    finished: Any, tmp_path: Path, only: Callable[..., None], thinned: Callable[[Any], list[Any]]
) -> None:
    def contents(study: Any) -> dict[str, bytes]:
        write_report(study.run)
        files = [study.run.evaluation / "report.html", *(study.run.evaluation / "figures").iterdir()]
        return {path.name: path.read_bytes() for path in files}

    only(*thinned(whole.FIGURES))
    one, other = (contents(finished.copy(tmp_path / name)) for name in ("one", "other"))
    assert len(one) > 2
    assert one == other


def test_every_figure_lies_beside_the_page_as_svg_of_its_own(reported: Any, page: Page) -> None:
    files = list((reported.run.evaluation / "figures").glob("*.svg"))
    assert len(files) == page.tags["svg"]
    pdfs = list((reported.run.evaluation / "figures").glob("*.pdf"))
    assert {path.stem for path in pdfs} == {path.stem for path in files}
    assert all(path.read_bytes().startswith(b"%PDF") for path in pdfs)
    assert all(ElementTree.parse(path).getroot().tag.endswith("svg") for path in files)
    assert {"differences.svg", "similarity-mt-pkdot.svg", "confusion-kd.svg"} <= {path.name for path in files}


def test_figures_of_an_earlier_report_do_not_stay(tiny: Any, only: Callable[..., None]) -> None:
    only("forest")
    left_over = tiny.run.evaluation / "figures" / "of-a-method-that-is-gone.svg"
    left_over.parent.mkdir()
    left_over.write_text("")
    write_report(tiny.run)
    assert sorted(path.name for path in left_over.parent.iterdir()) == ["differences.pdf", "differences.svg"]


def test_every_section_that_is_drawn_is_told(tiny: Any, only: Callable[..., None]) -> None:
    only("forest")
    calls: list[object] = []

    def begin(label: str, total: int) -> Callable[[], None]:
        calls.append((label, total))
        return lambda: calls.append("one more")

    write_report(tiny.run, begin)
    assert calls == [("report", len(whole.FIGURES))] + ["one more"] * len(whole.FIGURES)


@pytest.mark.slow
def test_the_text_of_strangers_stays_text(tiny: Any, only: Callable[..., None]) -> None:
    only("matrices", "agreement")
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    tiny.run.study.write_text(f"# {evil}\n{tiny.run.study.read_text()}")
    _edit(tiny, lambda summary: summary.update(outputs=[evil, r"$\x{ 顔"]))
    features = tiny.run.features("eda")
    manifest = json.loads((features / "manifest.json").read_text())
    manifest["counts"] |= {"failed": 1, "notes": {evil: 2}}
    (features / "manifest.json").write_text(json.dumps(manifest))
    rows = {
        "sample_id": [evil],
        "media": [evil],
        "kind": ["decode"],
        "error": [f"{evil}\nsecond line"],
        "seconds": [0.1],
    }
    write_parquet(features / "failures.parquet", pa.table(rows))
    page = Page(write_report(tiny.run))
    assert not set(page.tags) & {"script", "img"}
    assert page.text.count(evil) >= 4
    assert r"$\x{ 顔" in page.text
    assert "second line" not in page.text


@pytest.mark.parametrize(
    ("lost", "figure", "sentence"),
    [
        ("evaluation/predictions.parquet", "agreement", "evaluation/predictions.parquet is missing"),
        ("fold-0/seed-0/bank", "matrices", "fold-0/seed-0/bank/joint.parquet is missing"),
        ("*/*/students/*/history.jsonl", "selection", "No method of this study selects"),
        ("*/*/*/*/history.jsonl", "teacher_curves", "no learning curves"),
        ("**/manifest.json", "forest", "No manifests lie in the run folder"),
        ("samples.parquet", "matrices", "samples.parquet is missing"),
    ],
)
def test_a_missing_artifact_leaves_its_section_out_with_a_sentence(
    tiny: Any, only: Callable[..., None], lost: str, figure: str, sentence: str
) -> None:
    only(figure)
    files = list(tiny.run.root.glob(lost))
    assert files
    for path in files:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    page = Page(write_report(tiny.run))
    assert sentence in page.text
    assert str(tiny.root) not in page.source
    assert all(figure["svg"] and figure["caption"] for figure in page.figures)


def test_without_scores_there_is_no_report(tiny: Any) -> None:
    (tiny.run.evaluation / "metrics.json").unlink()
    with pytest.raises(ArtifactError, match="no scores"):
        write_report(tiny.run)


def test_undefined_scores_are_said_to_be_undefined(tiny: Any, only: Callable[..., None]) -> None:
    only("forest")

    def forget(summary: dict[str, Any]) -> None:
        nothing = {"value": None, "low": None, "high": None}
        for row in summary["methods"].values():
            row["scores"] = {name: nothing | {"undefined_parts": 2} for name in row["scores"]}
            row["differences"] = {name: nothing for name in row["differences"]}

    _edit(tiny, forget)
    page = Page(write_report(tiny.run))
    assert "mt-pkdot reaches n/a" in page.text
    assert "undefined in 2 of 2 repetitions" in page.text
    assert "No method has a defined difference from student-only." in page.text


@pytest.mark.slow
def test_one_fold_is_enough(tiny: Any, only: Callable[..., None]) -> None:
    only("student_curves", "matrices")
    _edit(tiny, lambda summary: summary.update(repetitions=["fold-1/seed-0"]))
    page = Page(write_report(tiny.run))
    assert "One repetition (fold x seed); dots mark" in page.text
    assert "fold 1, seed 0" in page.text


def test_many_teachers_are_drawn_and_the_last_ones_together(tiny: Any, only: Callable[..., None]) -> None:
    only("selection")
    for fold in (0, 1):
        path = tiny.run.student(fold, 0, "mt-pkdot") / "history.jsonl"
        entries = [json.loads(line) for line in path.read_text().splitlines()]
        for entry in entries:
            # Where the guard kept a student that knows no teacher there is no share of its own.
            entry["train"] = {f"share_t{i}": 0.01 * i for i in range(14)}
        path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    assert "7 others" in Page(write_report(tiny.run)).text


def test_what_was_kept_of_several_tried_students_is_told(tiny: Any, only: Callable[..., None]) -> None:
    only("student_curves", "selection")
    weights = [{"transport_weight": value, "epsilon": 0.01} for value in (0.2, 0.5)]
    guard = {"method": "student-only", "options": {}}
    tried = [guard, *({"method": "mt-pkdot", "options": options} for options in weights)]
    for fold, chosen in ((0, tried[0]), (1, tried[2])):
        path = tiny.run.student(fold, 0, "mt-pkdot") / "model.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"chosen": chosen, "tried": tried}))
    # Of a student that knows no teacher there are no shares; whom the guard keeps in this tiny study is chance.
    for fold, shares in ((0, {}), (1, {"share_face": 0.4, "share_joint": 0.6})):
        path = tiny.run.student(fold, 0, "mt-pkdot") / "history.jsonl"
        entries = [json.loads(line) | {"train": {"total": 1.0} | shares} for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    text = Page(write_report(tiny.run)).text
    assert "of 2 repetitions: the student of student-only in 1, transport_weight = 0.5 in 1." in text
    assert "of what it heard, in the repetitions that kept it: 1 of 2" in text


def test_large_similarity_matrices_are_thinned_and_say_so(
    tiny: Any, only: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    only("matrices")
    monkeypatch.setattr(matrices, "MOST_ROWS", 20)
    assert "embeddings of 20 of 36 test samples, evenly spaced" in Page(write_report(tiny.run)).text


@pytest.mark.slow
def test_a_regression_study_has_scatter_plots_and_no_confusion(regression: Any, only: Callable[..., None]) -> None:
    only("forest", "matrices", "agreement")
    page = Page(write_report(regression.run))
    summary = json.loads((regression.run.evaluation / "metrics.json").read_text())
    score = summary["methods"]["mt-pkdot"]["scores"]["ccc"]["value"]
    assert f"mt-pkdot reaches {score:.3f}".replace("-0", "\u22120") in page.text
    targets = summary["methods"]["mt-pkdot"]["targets"]["valence"]
    assert targets["ccc"]["concatenated"]["value"] == pytest.approx(score)
    # A ready sample is a recording of its own here, and one sample has no correlation.
    assert targets["ccc"]["by_recording"]["value"] is None
    assert "recordings of a fold put together" in page.text
    assert " CCC over 12 subjects" in page.text
    assert "Confusion" not in page.text
    assert "sorted by valence" in page.text
    assert "lower is better" in page.text
    files = {path.name for path in (regression.run.evaluation / "figures").iterdir()}
    assert {"scatter-mt-pkdot-valence.svg", "similarity-kd.svg"} <= files
