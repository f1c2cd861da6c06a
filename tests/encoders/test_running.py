"""The loop that encodes samples: every sample has features or a failure that says where, whoever asks."""

import ast
import multiprocessing
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pandas as pd
import pytest
import soundfile

import mtpkd_cli
from mtpkd_cli.artifacts.feature_parts import Failure, part_about, read_part_files
from mtpkd_cli.artifacts.quality import MEASURED, Quality
from mtpkd_cli.encoders import Features, Segment, face, logmel, signal
from mtpkd_cli.encoders.running import EncodedSample, Sample, encode_samples, samples_of, write_encoded
from mtpkd_cli.errors import DataError, Interrupted, StorageError, StudyError
from mtpkd_cli.media.damage import Damage, apply_damage
from mtpkd_cli.registry import ENCODERS

LIMITS = {"timeout_s": 60.0, "memory_gb": 0.0}
SOUND = logmel.Config().model_dump(mode="json")
TABLE = signal.Config(column="gsr", rate_hz=8.0, time_unit_s=1.0).model_dump(mode="json")
FACE = face.Config(rate_hz=2.0, frame_side_px=64, crop_side_px=48).model_dump(mode="json")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A sound and a table of three seconds, a broken file of either kind, and a clip without a face."""
    root = tmp_path / "corpus"
    root.mkdir()
    soundfile.write(root / "whole.wav", 0.3 * np.sin(np.arange(48_000) * 0.1), 16_000)
    (root / "broken.wav").write_bytes((root / "whole.wav").read_bytes()[:30])
    times = np.arange(96) / 32
    pd.DataFrame({"time": times, "gsr": 2 + np.sin(times)}).to_csv(root / "whole.csv", index=False)
    (root / "broken.csv").write_text("time,\x1b[31mred\n0,1\n")
    with av.open(str(root / "grey.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(10):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 3), 128, np.uint8))))
        container.mux(stream.encode())
    return root


def _encode(samples: list[Sample], encoder: str, options: dict[str, Any], **more: Any) -> list[EncodedSample]:
    return list(
        encode_samples(
            samples, encoder, options, **({"root": None, "workers": 0, "limits": LIMITS, "unmeasured": "refuse"} | more)
        )
    )


def _samples(suffix: str) -> list[Sample]:
    """Whole, a stretch of it, broken, no file, a stretch after the end, and whole again."""
    whole, broken = f"whole.{suffix}", f"broken.{suffix}"
    rows = [("a", whole), ("b", whole, 0.5, 2.0), ("c", broken), ("d", ""), ("e", whole, 7.0, 8.0), ("f", whole)]
    return [Sample(*row) for row in rows]  # type: ignore[arg-type]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(("suffix", "encoder", "options"), [("wav", "logmel", SOUND), ("csv", "signal", TABLE)])
def test_every_sample_has_features_or_a_failure_in_their_order(
    corpus: Path, suffix: str, encoder: str, options: dict[str, Any], workers: int
) -> None:
    counted: list[int] = []
    samples = _samples(suffix)
    encoded = _encode(samples, encoder, options, root=corpus, workers=workers, advance=lambda: counted.append(1))
    assert [one.sample for one in encoded] == samples
    assert len(counted) == 6
    failures = {one.sample.sample_id: one.failure for one in encoded if one.failure is not None}
    assert [one.sample.sample_id for one in encoded if one.features is not None] == ["a", "b", "f"]
    assert {sample: failure[:4] for sample, failure in failures.items()} == {
        "c": ("c", f"broken.{suffix}", "read", "raised"),
        "d": ("d", "", "list", "missing"),
        "e": ("e", f"whole.{suffix}", "read", "raised"),
    }
    assert f"broken.{suffix}" in failures["c"].error
    assert not [failure for failure in failures.values() if str(corpus) in failure.error or "\x1b" in failure.error]
    module = {"logmel": logmel, "signal": signal}[encoder]
    direct: Features = module.encode(Segment(corpus / f"whole.{suffix}", 0.5, 2.0), module.Config(**options))
    stretch = encoded[1]
    assert stretch.features is not None
    np.testing.assert_array_equal(stretch.features.values, direct.values)
    assert stretch.features.names == direct.names
    assert stretch.reader == {"wav": "soundfile", "csv": "pyarrow"}[suffix]
    assert stretch.seconds > 0


def test_without_a_folder_of_the_corpus_paths_stand_for_themselves(corpus: Path) -> None:
    path = corpus / "broken.csv"
    [one] = _encode([Sample("0", str(path))], "signal", TABLE)
    assert one.failure is not None
    assert (one.failure.media, one.failure.stage) == (str(path), "read")
    assert str(path) in one.failure.error


def test_a_worker_that_is_stopped_is_the_stage_that_failed(corpus: Path) -> None:
    limits = {"timeout_s": 0.001, "memory_gb": 0.0}
    [one] = _encode([Sample("a", "whole.wav")], "logmel", SOUND, root=corpus, workers=1, limits=limits)
    assert one.failure is not None
    assert (one.failure.stage, one.failure.kind) == ("worker", "timeout")


def test_an_encoder_that_gives_nothing_it_can_vouch_for_is_the_stage_that_failed(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = Features(np.array([[1.0, np.nan]]), np.zeros(1), ("a", "b"), quality=MEASURED)
    monkeypatch.setattr(signal, "encode", lambda *_: features)
    [one] = _encode([Sample("a", "whole.csv")], "signal", TABLE, root=corpus)
    assert one.failure is not None
    assert (one.failure.stage, one.failure.kind) == ("encode", "raised")
    assert "not finite" in one.failure.error


def test_a_clip_in_which_nothing_was_measured_is_refused_or_kept(corpus: Path) -> None:
    samples = [Sample("a", "grey.mp4")]
    [one] = _encode(samples, "face", FACE, root=corpus, unmeasured="keep")
    assert one.features is not None
    assert one.quality == one.features.quality == Quality(0.0, "the picture is blank")
    [one] = _encode(samples, "face", FACE, root=corpus)
    assert one.features is None
    assert one.quality == Quality(0.0, "the picture is blank")
    assert one.failure is not None
    assert (one.failure.stage, one.failure.kind, one.failure.unmeasured) == ("encode", "not measured", True)
    assert one.failure.error == "nothing was measured: the picture is blank\n  where: grey.mp4"
    [one] = _encode([Sample("0", str(corpus / "grey.mp4"))], "face", FACE)
    assert one.failure is not None
    assert one.failure.error == "nothing was measured: the picture is blank"


def test_a_medium_suffers_for_its_sample_alone(corpus: Path) -> None:
    damage = Damage("sound", "noise", 0.0, "b")
    damaged = Sample("b", "whole.wav", damage=damage)
    samples = [Sample("a", "whole.wav"), damaged, Sample("c", "whole.wav")]
    before, during, after = _encode(samples, "logmel", SOUND, root=corpus)
    assert before.features is not None
    assert during.features is not None
    assert after.features is not None
    np.testing.assert_array_equal(before.features.values, after.features.values)
    with apply_damage(damage):
        direct = logmel.encode(Segment(corpus / "whole.wav"), logmel.Config())
    np.testing.assert_array_equal(during.features.values, direct.values)
    assert (during.features.values != before.features.values).any()


def test_a_medium_that_has_vanished_is_no_failure_of_its_sample(corpus: Path) -> None:
    gone = Sample("b", "gone.wav")
    _, one = _encode([Sample("a", "whole.wav", was_there=True), gone], "logmel", SOUND, root=corpus)
    assert one.failure is not None
    assert one.failure.stage == "read"
    with pytest.raises(StorageError, match="a medium has vanished"):
        _encode([replace(gone, was_there=True)], "logmel", SOUND, root=corpus)


def test_an_encoder_is_prepared_before_the_first_sample_and_only_where_there_is_one(tmp_path: Path) -> None:
    options = {"weights": str(tmp_path / "weights.pth")}
    assert _encode([], "resnet18", options) == []
    with pytest.raises(DataError, match="a file that the encoder 'resnet18' reads is not there"):
        encode_samples(
            [Sample("a", "a.mp4")], "resnet18", options, root=tmp_path, workers=0, limits=LIMITS, unmeasured="refuse"
        )


def test_who_leaves_the_loop_early_leaves_no_worker_behind(corpus: Path) -> None:
    samples = [Sample(str(number), "whole.csv") for number in range(9)]
    before = set(multiprocessing.active_children())
    encoding = encode_samples(samples, "signal", TABLE, root=corpus, workers=1, limits=LIMITS, unmeasured="refuse")
    with closing(encoding):
        assert next(encoding).failure is None
        assert set(multiprocessing.active_children()) > before
    assert set(multiprocessing.active_children()) <= before

    def interrupted() -> None:
        raise Interrupted("stopped by SIGTERM")

    with pytest.raises(Interrupted):
        _encode(samples, "signal", TABLE, root=corpus, workers=1, advance=interrupted)
    assert set(multiprocessing.active_children()) <= before


def test_rows_of_a_table_are_samples_and_an_empty_time_is_none() -> None:
    table = pd.DataFrame({"media": ["x", ""], "sample_id": ["a", "b"], "start_s": [0.5, np.nan], "end_s": [np.nan, 2]})
    assert samples_of(table) == [Sample("a", "x", 0.5, None), Sample("b", "", None, 2.0)]


def _made(sample: str, names: str, reader: str = "someone") -> EncodedSample:
    values = np.full((3, len(names)), ord(sample), np.float32)
    features = Features(values, np.arange(3.0), tuple(names), {"steps": 3}, quality=MEASURED)
    return EncodedSample(Sample(sample, f"{sample}.wav"), features, reader=reader, quality=features.quality)


def test_a_part_keeps_what_was_read_and_who_failed(tmp_path: Path) -> None:
    path, failed = tmp_path / "part.parquet", Failure("c", "c.wav", "read", "raised", "broken", 0.25)
    encoded = [_made("a", "uvw"), EncodedSample(Sample("c", "c.wav"), failure=failed), _made("b", "uvw", "other")]
    write_encoded(path, "k", encoded)
    about = part_about(path)
    assert about is not None
    assert (about.key, about.names, about.failures) == ("k", ("u", "v", "w"), (failed,))
    assert (about.notes, about.readers) == ({"steps": 6}, {"a": "someone", "b": "other"})
    rows, steps, values = read_part_files([path], ["b", "c", "a"], path)
    assert rows.tolist() == [2, 2, 2, 0, 0, 0]
    assert steps.tolist() == [0, 1, 2] * 2
    assert values[:, 0].tolist() == [ord("a")] * 3 + [ord("b")] * 3
    write_encoded(path, "k", encoded, readers=False)
    assert part_about(path) == replace(about, readers={})


def test_features_of_other_names_than_their_neighbours_are_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "part.parquet"
    write_encoded(path, "k", [_made("a", "uv"), _made("b", "uvw"), _made("c", "uvw")])
    about = part_about(path)
    assert about is not None
    assert about.names == ("u", "v", "w")
    error = "it gave 2 features, of other names than the 3 of its neighbours"
    assert about.failures == (Failure("a", "a.wav", "encode", "other features", error, 0.0),)
    assert (about.notes, list(about.readers), list(about.qualities)) == ({"steps": 6}, ["b", "c"], ["b", "c"])
    write_encoded(path, "k", [])
    assert part_about(path) == replace(about, names=(), failures=(), notes={}, readers={}, qualities={})


def test_the_loop_is_no_encoder_and_the_only_one_that_runs_them() -> None:
    assert "running" not in ENCODERS.names()
    with pytest.raises(StudyError, match="there is no encoder 'running'"):
        ENCODERS.check("running")
    package = Path(mtpkd_cli.__file__).parent
    names = {path: ast.walk(ast.parse(path.read_text(encoding="utf-8"))) for path in package.rglob("*.py")}
    users = {p.name for p, nodes in names.items() if any(getattr(n, "id", "") == "encode_sample" for n in nodes)}
    assert users == {"running.py"}
