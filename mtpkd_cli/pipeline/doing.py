"""Doing what is left of a stage, unit by unit, each committed once it is made."""

import importlib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mtpkd_cli import __version__, interruption
from mtpkd_cli.artifacts import (
    MANIFEST,
    Manifest,
    RunFolder,
    digest_of,
    read_manifest,
    replaced_folder,
    write_manifest,
)
from mtpkd_cli.artifacts.last_checkpoint import LastCheckpoint
from mtpkd_cli.artifacts.quality import UNMEASURED
from mtpkd_cli.artifacts.tasks import task
from mtpkd_cli.config import Study
from mtpkd_cli.errors import ArtifactError, Busy
from mtpkd_cli.pipeline.choice import Choice, check_choice
from mtpkd_cli.pipeline.parallel import all_busy, side_by_side
from mtpkd_cli.pipeline.states import State, States
from mtpkd_cli.pipeline.units import Unit, units_of
from mtpkd_cli.stages import Job
from mtpkd_cli.storage import writing

SAMPLES_WAIT_S = 600.0


def do_stage(run: RunFolder, study: Study, stage: str, choice: Choice, job: Job) -> int:
    """Makes the chosen units of a stage that are not done; says of each why, or that it is up to date.

    Returns:
        How many units were made.

    Raises:
        ArtifactError: A unit of an earlier stage is missing or stale.
        Busy: Another process makes some of the units; all others were made.
        StudyError: The choice names no unit.
    """
    made = 0
    units = units_of(run, study)
    check_choice(choice, stage, units)
    chosen = [unit for unit in units if unit.stage == stage and choice.takes(unit)]
    repetitions = sorted({(unit.fold, unit.seed) for unit in chosen if unit.fold is not None})
    if job.jobs > 1 and len(repetitions) > 1:
        calls = [(run, study, stage, Choice(fold, seed, choice.name)) for fold, seed in repetitions]
        return side_by_side(do_stage, calls, job, f"{stage}, folds x seeds")
    states, busy = States(run, study, units), dict[Path, Busy]()
    for unit in chosen:
        interruption.check()
        waits_for = next((busy[folder] for folder in unit.inputs.values() if folder in busy), None)
        if waits_for is not None:
            busy[unit.folder] = waits_for
        elif _up_to_date(unit, states.of(unit), job):
            job.reporter.note(f"{unit.label}: up to date")
            LastCheckpoint(run.last_checkpoint(unit.folder), "").remove()  # of a run killed after all was done
        elif unit.module == "import_features" and job.extraction.shard is not None and job.extraction.shard.number > 1:
            job.reporter.note(f"{unit.label}: ready features, left to shard 1")
        else:
            replaced = unit.frozen and job.overwrite and states.of(unit).kind == "stale"
            try:
                made += make_alone(run, unit, states, job)
                if replaced:
                    # What was meant is the listing: media are read again where it says something else of them.
                    job = replace(job, overwrite=False)
                    job.reporter.note(f"{stage}: features that still hold are kept; --overwrite again reads all media")
            except Busy as err:
                busy[unit.folder] = err
                job.reporter.note(f"{unit.label}: left out, {err.what}")
    if busy:
        raise all_busy(list(dict.fromkeys(busy.values())), stage)
    return made


def do_optional(run: RunFolder, study: Study, units: list[Unit], job: Job, students: Sequence[Unit] = ()) -> int:
    """Makes results that are no part of `run`, those that are not up to date, each after those that it reads.

    Args:
        units: Of optional stages; what they read are units of the study, of each other, or `students`.
        students: Units of students that are not listed in the study, such as those of an ablation.

    Returns:
        How many were made.

    Raises:
        ArtifactError: An input is missing or stale.
        Busy: Another process makes one of them.
    """
    states, made = States(run, study, [*units_of(run, study), *students, *units]), 0
    for unit in units:
        if _up_to_date(unit, states.of(unit), job):
            job.reporter.note(f"{unit.label}: up to date")
        else:
            made += make_alone(run, unit, states, job)
    return made


def make_alone(run: RunFolder, unit: Unit, states: States, job: Job) -> bool:
    """Makes one unit that is not up to date, while no other process does.

    Returns:
        Whether it was made; False where another process has made it just now.

    Raises:
        Busy: Another process makes it. The listing of samples, which is short, is waited for.
        ArtifactError: An input is missing or stale.
    """
    shard = job.extraction.shard.share if job.extraction.shard is not None and unit.module == "extract" else ""
    wait_s = SAMPLES_WAIT_S if unit.frozen else 0.0
    about = {"stage": unit.stage, "fold": unit.fold, "seed": unit.seed}
    with task(run, unit.folder, unit.label, about, shard=shard, wait_s=wait_s):
        states.forget(unit)
        state = states.of(unit)
        if _up_to_date(unit, state, job):
            job.reporter.note(f"{unit.label}: up to date, another process has made it")
            return False
        make_unit(run, unit, state, states, job)
        states.forget(unit)
    return True


def make_unit(run: RunFolder, unit: Unit, state: State, states: States, job: Job) -> None:
    """Makes one unit, whatever its state, and commits it; raises ArtifactError where an input is missing or stale."""
    if unit.frozen and state.kind == "stale" and not job.overwrite:
        raise frozen_samples(run, state.reason)
    inputs = states.inputs_now(unit)
    if state.kind == "stale":
        job.reporter.note(f"{unit.label}: made again, {state.reason}")
    if unit.fold is not None:
        _set_threads(job.threads)
        job = replace(job, last=_last_checkpoint(run, unit, inputs, job))
    module = importlib.import_module(f"mtpkd_cli.stages.{unit.module}")
    begun = time.monotonic()
    spared = {name: path for name, path in unit.spares.items() if states.of(states.maker[path]).kind == "done"}
    with _place(unit) as out:
        counts = module.build(out, job, **unit.arguments, **spared)
        if counts is None:  # parts are left to other shards: no manifest, not done
            return
        files = [out / name for name in unit.files] or [p for p in out.rglob("*") if p.is_file() and p.name[0] != "."]
        manifest = Manifest(unit.reads, inputs, {}, counts, time.monotonic() - begun, job.device)
        write_manifest(out, [path for path in files if path.name != MANIFEST], manifest)
    if job.last is not None:
        job.last.remove()
    job.reporter.note(f"{unit.label}: done in {time.monotonic() - begun:.1f} s{_in_words(counts)}")


def frozen_samples(run: RunFolder, reason: str) -> ArtifactError:
    """The error for a listing of samples and splits that no longer fits; `reason` says what differs."""
    return ArtifactError(
        f"the samples and splits of this run are frozen, and they no longer fit: {reason}",
        where=run.splits,
        expected="the study and the corpus that they were made from",
        todo=f"undo that change, begin a new run, or take it with mtpkd extract {run.root} --overwrite (and the same "
        "--set, if it was one); features of media that are the same are kept",
    )


def _up_to_date(unit: Unit, state: State, job: Job) -> bool:
    return state.kind == "done" and not job.overwrite and not (job.extraction.retry_failed and _has_failures(unit))


def _last_checkpoint(run: RunFolder, unit: Unit, inputs: dict[str, str], job: Job) -> LastCheckpoint:
    made_of = [unit.label, unit.reads, inputs, job.device, __version__, version("torch")]
    path, tell = run.last_checkpoint(unit.folder), job.reporter.note
    return LastCheckpoint(path, digest_of(made_of), lambda text: tell(f"{unit.label}: {text}"))


def _has_failures(unit: Unit) -> bool:
    manifest = read_manifest(unit.folder)
    return manifest is not None and bool(manifest.counts.get("failed"))


def _in_words(counts: dict[str, Any]) -> str:
    """What a person should know of a result at once: how many samples, how many failed, and what was noted of them."""
    shown = {"samples": "samples", "failed": "failed", "subjects": "subjects"}
    shown |= {"unmeasured": UNMEASURED, "doubtful": "doubtful"}
    numbers = {
        **{words: counts[key] for key, words in shown.items() if key in counts},
        **counts.get("notes", {}),
    }
    parts = [f"{key.replace('_', ' ')} {number:g}" for key, number in numbers.items() if number]
    return f" ({', '.join(parts)})" if parts else ""


def _set_threads(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)


@contextmanager
def _place(unit: Unit) -> Iterator[Path]:
    if not unit.in_place:
        with replaced_folder(unit.folder) as out:
            yield out
        return
    with writing(unit.folder):
        unit.folder.mkdir(parents=True, exist_ok=True)
        if not unit.frozen:
            (unit.folder / MANIFEST).unlink(missing_ok=True)
    yield unit.folder
