"""The one loop that encodes samples: stretches of media -> features, or where and why a sample failed.

Extraction, the damage of test media, prediction and the trial of `mtpkd check` all run encoders here, in isolated
processes: a broken file costs its own samples. What becomes of a part's samples is written here too.
"""

from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict

import pandas as pd

from mtpkd_cli.artifacts.feature_ledgers import readable, sum_of_notes
from mtpkd_cli.artifacts.feature_parts import Failure, FailureStage, PartAbout, write_part
from mtpkd_cli.artifacts.quality import UNMEASURED, Quality
from mtpkd_cli.config import parse_options
from mtpkd_cli.config.study import ModalitySection
from mtpkd_cli.encoders import Features, Segment, encode_sample, prepare_encoder
from mtpkd_cli.errors import DataError
from mtpkd_cli.media.damage import Damage
from mtpkd_cli.media.pool import Outcome, Task, run_isolated
from mtpkd_cli.media.state import check_there, files_state, seconds_or_none
from mtpkd_cli.registry import ENCODERS


@dataclass(frozen=True)
class Sample:
    """A sample that is to be encoded.

    Args:
        sample_id: Its name.
        medium: Its file, relative to the corpus folder where there is one; "" = the corpus lists none.
        start_s: Start in the file's time; None = its beginning.
        end_s: End in the same time; None = its end.
        damage: What the medium suffers before the encoder sees it; None = nothing.
        was_there: Its medium was there when the run began. That it has vanished since is no failure of the sample.
    """

    sample_id: str
    medium: str
    start_s: float | None = None
    end_s: float | None = None
    damage: Damage | None = None
    was_there: bool = False

    def path(self, root: Path | None) -> Path:
        """Where the medium lies, given the corpus folder."""
        return Path(self.medium) if root is None else root / self.medium


@dataclass(frozen=True)
class EncodedSample:
    """What became of a sample: it has either features or a failure.

    Args:
        sample: The sample.
        features: What the encoder gave; None where it failed.
        failure: Where and why it failed; None where it did not.
        reader: The library that read its medium, "" where the encoder does not say.
        seconds: Wall time in the worker; 0 where there is no telling.
        quality: How much of it was measured; None where it could not be read.
    """

    sample: Sample
    features: Features | None = None
    failure: Failure | None = None
    reader: str = ""
    seconds: float = 0.0
    quality: Quality | None = None


class ResolvedEncoder(TypedDict):
    """An encoder with all that its features depend on, as manifests hold it.

    Args:
        name: Its name.
        version: Of its code.
        options: All its options, defaults filled in.
        files: State of the files that it reads, such as weights; left out where it reads none.
    """

    name: str
    version: int
    options: dict[str, Any]
    files: NotRequired[Any]


def samples_of(table: pd.DataFrame) -> list[Sample]:
    """Returns the samples of a table with columns sample_id, start_s, end_s and media."""
    rows = zip(*(table[column] for column in ("sample_id", "media", "start_s", "end_s")), strict=True)
    return [Sample(name, medium, seconds_or_none(start), seconds_or_none(end)) for name, medium, start, end in rows]


def encode_samples(
    samples: Sequence[Sample],
    encoder: str,
    options: dict[str, Any],
    *,
    root: Path | None,
    workers: int,
    limits: Mapping[str, float],
    unmeasured: Literal["refuse", "keep"],
    advance: Callable[[], None] = lambda: None,
    say: Callable[[str], None] = lambda _: None,
) -> Generator[EncodedSample, None, None]:
    """Prepares the encoder, where there is a sample at all, and encodes the samples in one pool of processes.

    Whoever may leave the loop early closes it, which stops the workers at once. Of workers and limits `run_isolated`
    tells more.

    Args:
        samples: The samples.
        encoder: Its name.
        options: All its options.
        root: The corpus folder, which errors then leave out of paths: an artifact holds no path of the machine that
            made it. None = the media's paths stand for themselves.
        workers: Number of processes; 0 = in this one.
        limits: `timeout_s` and `memory_gb` of one sample.
        unmeasured: What becomes of a sample in which nothing was measured: "refuse" = it has failed, since its features
            describe something else; "keep" = its quality says so.
        advance: Called once per sample.
        say: Tells the user a line of what is made once before the first sample.

    Yields:
        What became of each sample, in their order.

    Raises:
        DataError: A file that the encoder reads for every sample, such as weights, is not there.
        StudyError: The encoder is to run on a GPU, and there is none.
        StorageError: A medium that was there has vanished.
    """
    if samples:
        prepare_encoder(encoder, options, say)
    segments = ((s, Segment(s.path(root), s.start_s, s.end_s)) for s in samples if s.medium)
    tasks = (Task(s.sample_id, (encoder, options, segment, s.damage)) for s, segment in segments)
    outcomes = run_isolated(encode_sample, tasks, workers=workers, **limits)
    return _encoded(samples, outcomes, root, unmeasured == "refuse", advance)


def write_encoded(path: Path, key: str, encoded: Sequence[EncodedSample], *, readers: bool = True) -> None:
    """Writes what became of the samples of one part file.

    A sample whose features have other names than those of most of its neighbours has failed as well.

    Args:
        path: The part file.
        key: Digest of the encoder, its options, and the media of the samples.
        encoded: All samples of the part.
        readers: Keep who read each medium, for the ledger of a modality.
    """
    failures = [one.failure for one in encoded if one.failure is not None]
    read = {one.sample.sample_id: (one, one.features) for one in encoded if one.features is not None}
    counted = Counter(features.names for _, features in read.values())
    names = max(counted, key=counted.__getitem__, default=())
    for sample, (one, features) in list(read.items()):
        if features.names != names:
            error = f"it gave {len(features.names)} features, of other names than the {len(names)} of its neighbours"
            failures.append(Failure(sample, one.sample.medium, "encode", "other features", error, 0.0))
            del read[sample]
    notes = sum_of_notes(features.notes for _, features in read.values())
    read_by = {sample: one.reader for sample, (one, _) in read.items()} if readers else {}
    sequences = {sample: (features.times_s, features.values) for sample, (_, features) in read.items()}
    refused = {failure.sample_id for failure in failures if failure.unmeasured}
    measured = {one.sample.sample_id: one.quality for one in encoded if one.quality is not None}
    measured = {sample: quality for sample, quality in measured.items() if sample in read or sample in refused}
    write_part(path, sequences, PartAbout(key, names, tuple(failures), notes, read_by, measured))


def resolved_encoder(name: str, modality: ModalitySection) -> ResolvedEncoder:
    """Returns name, version, all options, defaults filled in, and the state of the files that an encoder reads."""
    module = ENCODERS.load(modality.encoder)
    config = parse_options(module.Config, modality.options, where=f"study.toml [modalities.{name}.options]")
    resolved: ResolvedEncoder = {
        "name": modality.encoder,
        "version": module.VERSION,
        "options": config.model_dump(mode="json"),
    }
    if hasattr(module, "files"):
        resolved["files"] = files_state(module.files(config))
    return resolved


def _encoded(
    samples: Sequence[Sample],
    outcomes: Generator[Outcome, None, None],
    root: Path | None,
    refuse: bool,
    advance: Callable[[], None],
) -> Generator[EncodedSample, None, None]:
    with closing(outcomes):
        for sample in samples:
            one = _of_outcome(sample, next(outcomes), root, refuse) if sample.medium else _not_listed(sample)
            if one.failure is not None and sample.was_there:
                check_there(sample.path(root))
            advance()
            yield one


def _not_listed(sample: Sample) -> EncodedSample:
    failure = Failure(sample.sample_id, "", "list", "missing", "the corpus lists no file", 0.0)
    return EncodedSample(sample, failure=failure)


def _of_outcome(sample: Sample, outcome: Outcome, root: Path | None, refuse: bool) -> EncodedSample:
    seconds, quality = outcome.seconds or 0.0, None
    stage: FailureStage
    if outcome.error is not None:
        stage, kind, error = _stage(outcome), str(outcome.error_kind), outcome.error
    else:
        features, reader = outcome.value
        quality = features.quality
        if not (quality.refused and refuse):
            return EncodedSample(sample, features, reader=reader, seconds=seconds, quality=quality)
        # Whoever gives no folder names the media beside their errors.
        where = None if root is None else sample.medium
        stage, kind, error = "encode", UNMEASURED, str(DataError(quality.reason, where=where))
    error = readable(error if root is None else error.replace(f"{root}/", ""))
    failure = Failure(sample.sample_id, sample.medium, stage, kind, error, round(seconds, 2))
    return EncodedSample(sample, failure=failure, seconds=seconds, quality=quality)


def _stage(outcome: Outcome) -> FailureStage:
    """Where a sample failed: "read" its medium, "encode" it, or "worker": the process ended before it reported."""
    if outcome.error_kind != "raised":
        return "worker"
    return "read" if outcome.module.startswith("mtpkd_cli.media.") else "encode"
