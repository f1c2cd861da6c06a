"""Other labels, and samples left out: media that say the same are not read again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtpkd_cli import library
from mtpkd_cli.artifacts import MANIFEST, read_manifest, read_parquet
from mtpkd_cli.config import read_study
from mtpkd_cli.errors import ArtifactError, StudyError
from mtpkd_cli.pipeline import States, units_of
from mtpkd_cli.stages import Extraction

PEOPLE, EACH = 7, 4
STUDY = """\
[study]
name = "labels"
[data]
adapter = "table"
root = "../data"
folds = 2
options = { media = ["physio"] }
[modalities.eda]
role = "prevalent"
encoder = "signal"
media = "physio"
options = { column = "eda", time_unit_s = 1.0 }
[modalities.ecg]
role = "privileged"
encoder = "signal"
media = "physio"
options = { column = "ecg", time_unit_s = 1.0 }
[extract]
part_samples = 5
workers = 0
"""


class Corpus:
    """A run folder of recordings that are read, with its features extracted."""

    def __init__(self, root: Path) -> None:
        from mtpkd_cli.artifacts import RunFolder

        self.data, self.run = root / "data", RunFolder(root / "run")
        self.data.mkdir(parents=True)
        self.run.root.mkdir()
        rng = np.random.default_rng(4)
        rows = []
        for i in range(PEOPLE * EACH):
            name = f"s{i:02d}"
            rows.append((name, f"p{i // EACH}", ["calm", "pain"][i % 2], ["low", "low", "high", "high"][i % 4]))
            pd.DataFrame(
                {"time": np.arange(64) / 16, "eda": rng.normal(size=64).round(3), "ecg": rng.normal(size=64).round(3)}
            ).to_csv(self.data / f"{name}.csv", index=False)
        self.table = pd.DataFrame(rows, columns=["sample_id", "subject", "label", "arousal"])
        self.table["physio"] = self.table["sample_id"] + ".csv"
        self.write()
        self.run.study.write_text(STUDY)
        self.do()

    def write(self) -> None:
        self.table.to_csv(self.data / "samples.csv", index=False)

    def do(self, *assignments: str, **options: Any) -> int:
        return library.do_stages(
            self.run.root, ["extract"], set=assignments, extraction=Extraction(workers=0), **options
        )["extract"]

    def poison(self, *names: str) -> None:
        """What is left of these media has their sizes and cannot be read."""
        for name in names or self.table["sample_id"]:
            path = self.data / f"{name}.csv"
            path.write_bytes(b"\xff" * path.stat().st_size)

    def states(self) -> dict[str, str]:
        study = read_study(self.run.study)
        units = units_of(self.run, study)
        states = States(self.run, study, units)
        return {unit.label: states.of(unit).kind for unit in units if unit.stage == "extract"}

    def features(self) -> dict[str, bytes]:
        return {
            self.run.relative(path): path.read_bytes()
            for path in sorted(self.run.root.glob("features/*/*"))
            if path.name != MANIFEST
        }


@pytest.fixture
def corpus(made_once: Callable[..., Path], tmp_path: Path) -> Corpus:
    import copy
    import shutil

    from mtpkd_cli.artifacts import RunFolder

    made: list[Corpus] = []
    folder = made_once("other-labels", lambda place: made.append(Corpus(place / "corpus")))
    shutil.copytree(folder / "corpus", tmp_path, dirs_exist_ok=True)
    mine = copy.copy(made[0]) if made else object.__new__(Corpus)
    mine.data, mine.run = tmp_path / "data", RunFolder(tmp_path / "run")
    mine.table = pd.read_csv(mine.data / "samples.csv")
    return mine


@pytest.mark.parametrize(
    "assignment",
    [
        "data.options.label_column=arousal",
        'data.options.classes=["pain", "calm"]',
        'data.options.split_column="arousal"',
    ],
)
def test_another_column_of_labels_reads_no_media(corpus: Corpus, assignment: str) -> None:
    if "split" in assignment:
        sides = {"p0": "train", "p1": "train", "p2": "train", "p3": "train", "p4": "test", "p5": "test", "p6": "test"}
        corpus.table["side"] = corpus.table["subject"].map(sides)
        corpus.write()
        assignment = "data.options.split_column=side"
    before, study = corpus.features(), corpus.run.study.read_bytes()
    corpus.poison()
    with pytest.raises(ArtifactError, match="frozen") as caught:
        corpus.do(assignment)
    assert f"mtpkd extract {corpus.run.root} --overwrite" in str(caught.value)
    assert corpus.run.study.read_bytes() == study
    assert corpus.do(assignment, overwrite=True) == 1
    assert corpus.states() == {"extract samples": "done", "extract eda": "done", "extract ecg": "done"}
    assert corpus.features() == before
    if "label_column" in assignment:
        samples = read_parquet(corpus.run.samples).to_pandas()
        assert set(samples["label_name"]) == {"low", "high"}


def test_other_labels_in_the_file_make_no_features_stale(corpus: Corpus) -> None:
    corpus.table["label"] = corpus.table["label"].iloc[::-1].to_numpy()
    corpus.write()
    corpus.poison()
    manifest = read_manifest(corpus.run.features("eda"))
    assert corpus.do(overwrite=True) == 1
    assert corpus.states()["extract eda"] == "done"
    assert read_manifest(corpus.run.features("eda")) == manifest


def test_another_time_of_a_sample_is_read(corpus: Corpus) -> None:
    corpus.table["start_s"] = [1.0, *[0.0] * (len(corpus.table) - 1)]
    corpus.write()
    assert corpus.do(overwrite=True) == 3
    assert read_manifest(corpus.run.features("eda")).counts["samples"] == PEOPLE * EACH


def test_overwrite_reads_all_media_where_the_samples_fit(corpus: Corpus) -> None:
    corpus.poison("s07")
    with pytest.raises(Exception, match="1 of 28 samples could not be read"):
        corpus.do(overwrite=True)


@pytest.mark.parametrize(
    "form",
    ['data.exclude=["s07"]', 'data.exclude.samples=["s07"]', "data.exclude.file=out.txt"],
)
def test_a_sample_left_out_reads_the_media_of_its_part_alone(corpus: Corpus, form: str) -> None:
    (corpus.data / "out.txt").write_text("# damaged\n\n  s07 \n")
    corpus.poison(*(f"s{i:02d}" for i in range(PEOPLE * EACH) if not 5 <= i < 10 or i == 7))
    assert corpus.do(form, overwrite=True) == 3
    manifest = read_manifest(corpus.run.features("eda"))
    assert (manifest.counts["samples"], manifest.counts["failed"]) == (27, 0)
    listing = read_manifest(corpus.run.root).counts
    assert (listing["samples"], listing["subjects"]) == (27, PEOPLE)
    assert listing["notes"]["samples excluded by data.exclude"] == 1
    samples = read_parquet(corpus.run.samples).to_pandas()
    assert "s07" not in set(samples["sample_id"])
    assert samples.attrs["excluded"] == ["s07"]
    assert corpus.do() == 0


def test_a_part_all_of_whose_samples_are_left_out_moves_no_other(corpus: Corpus) -> None:
    names = [f"s{i:02d}" for i in range(5, 10)]
    corpus.poison()
    before = corpus.features()
    assert corpus.do(f"data.exclude.samples={names}", overwrite=True) == 3
    after = corpus.features()
    kept = {name for name in before if "part-" in name and "part-00001" not in name}
    assert {name for name in after if "part-" in name} == kept
    assert all(after[name] == before[name] for name in kept)


def test_people_left_out_are_counted_and_in_no_fold(corpus: Corpus) -> None:
    corpus.do('data.exclude.subjects=["p1"]', overwrite=True)
    listing = read_manifest(corpus.run.root).counts
    assert listing["notes"] == {"samples excluded by data.exclude": 4, "subjects excluded with all samples": 1}
    assert '"p1"' not in corpus.run.splits.read_text()
    [result] = [one for one in library.check(corpus.run.root, trial=0, workers=0) if one.concern == "corpus"]
    assert result.found == "24 samples of 6 subjects"
    assert result.notes == ["samples excluded by data.exclude: 4", "subjects excluded with all samples: 1"]


def test_a_class_all_of_whose_samples_are_left_out_is_none(corpus: Corpus) -> None:
    corpus.table["label"] = ["calm", "pain", "calm", "other"] * PEOPLE
    corpus.table["label"] = corpus.table["label"].where(corpus.table["sample_id"] != "s01", "pain")
    corpus.write()
    others = corpus.table.loc[corpus.table["label"] == "other", "sample_id"].tolist()
    corpus.do(f"data.exclude.samples={others}", overwrite=True)
    assert read_manifest(corpus.run.root).counts["classes"] == {"calm": 14, "pain": 7}


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ('data.exclude.samples=["s7"]', r"data.exclude.samples: there is no sample 's7'; did you mean 's"),
        ('data.exclude.subjects=["P1", "p2", "p99"]', r"there is no subject 'P1'; did you mean 'p1'"),
        ("data.exclude.file=gone.txt", "there is no such file of names"),
        ("data.exclude.file=names.txt", r"names.txt line 2: there is no sample or subject 's0x'"),
        ('data.exclude.subjects=["p0", "p1", "p2", "p3", "p4", "p5", "p6"]', "nothing is left"),
        ('data.exclude.subject=["p0"]', r"data.exclude.subject: unknown key; did you mean 'subjects'"),
    ],
)
def test_names_that_match_nothing_are_told_with_near_ones(corpus: Corpus, assignment: str, message: str) -> None:
    (corpus.data / "names.txt").write_text("s01\ns0x\n")
    before = corpus.run.study.read_bytes()
    with pytest.raises(StudyError, match=message):
        corpus.do(assignment, overwrite=True)
    assert corpus.run.study.read_bytes() == before


def test_what_was_left_out_is_shown_by_status_and_extraction(corpus: Corpus, mtpkd: Callable[..., Any]) -> None:
    done = mtpkd("extract", corpus.run.root, "--overwrite", "--set", 'data.exclude=["s03"]')
    assert done.returncode == 0, done.stderr
    assert "samples excluded by data.exclude 1" in done.stderr
    shown = mtpkd("status", corpus.run.root).stdout
    assert "27 samples of 7 subjects; samples excluded by data.exclude: 1" in shown
