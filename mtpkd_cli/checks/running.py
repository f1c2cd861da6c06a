"""All concerns of a study in their order; a problem of one never hides the problems of another."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from mtpkd_cli import interruption
from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.checks import CheckResult
from mtpkd_cli.checks.conditions import look_at_conditions
from mtpkd_cli.checks.cost import look_at_cost
from mtpkd_cli.checks.duplicates import look_for_duplicates
from mtpkd_cli.checks.folds import look_at_folds
from mtpkd_cli.checks.frame_rates import look_at_frame_rates
from mtpkd_cli.checks.frames_sought import look_at_sought_frames
from mtpkd_cli.checks.labels import look_at_labels
from mtpkd_cli.checks.leakage import look_for_leakage
from mtpkd_cli.checks.lengths import look_at_lengths
from mtpkd_cli.checks.media import Modality, look_at_media
from mtpkd_cli.config import Study
from mtpkd_cli.config.recordings import READY_FEATURES
from mtpkd_cli.config.study import ExtractSection
from mtpkd_cli.datasets import MEDIA_PREFIX, media_of
from mtpkd_cli.encoders.running import resolved_encoder
from mtpkd_cli.errors import DataError
from mtpkd_cli.media.probe import Probe
from mtpkd_cli.media.wide_tables import NOTES
from mtpkd_cli.pipeline.start import facts_of
from mtpkd_cli.stages import Reporter
from mtpkd_cli.stages.samples import list_frames, list_samples


def check_study(
    run: RunFolder, study: Study, reporter: Reporter, *, trial: int = 4, workers: int | None = None
) -> list[CheckResult]:
    """Looks over a study and its corpus; computes nothing that is kept and writes nothing.

    Args:
        run: The run folder; only its place matters, for a relative data.root.
        study: The study.
        reporter: Where to tell progress.
        trial: Samples of each modality to encode for the cost; 0 = none.
        workers: Processes that open media, None = extract.workers.

    Returns:
        One result per concern. Where the corpus has no samples table there is the one that says why.

    Raises:
        StudyError: The study names a medium that the corpus has not.
    """
    root = run.data_root(study.data.root)
    try:
        samples, classes = list_samples(root, study.study.task, study.data)
        frames = list_frames(root, study.data, samples)
    except DataError as err:
        return [CheckResult("corpus", "no samples", [str(err)])]
    counts = {"samples": len(samples), "subjects": int(samples["subject"].nunique())}
    notes = samples.attrs.get(NOTES, {})
    corpus = f"{counts['samples']} samples of {counts['subjects']} subjects"
    mended = [f"{note}: {count}" for note, count in notes.items()]
    results = [CheckResult("corpus", corpus, notes=mended, facts={**counts, **({"notes": notes} if notes else {})})]
    ready = {name for name, modality in study.modalities.items() if modality.encoder == READY_FEATURES}
    results.append(look_at_labels(samples, classes, frames, ready))
    result, folds = look_at_folds(samples, classes, study.data)
    results.append(result)
    if folds:
        results.append(look_at_conditions(facts_of(study, samples, classes, folds)))
    extract = study.extract.with_workers(workers)
    modalities = [_modality(study, name, samples) for name in study.modalities if name not in ready]
    opened = [_media(root, modality, samples, extract, reporter, trial > 0) for modality in modalities]
    results += [result for looked_at, _ in opened for result in looked_at]
    measured = [(modality, probes) for modality, (_, probes) in zip(modalities, opened, strict=True)]
    if (lengths := look_at_lengths(measured)) is not None:
        results.append(lengths)
    results += [_ready(name, samples) for name in study.modalities if name in ready]
    paths = sorted(set().union(*(modality.table["media"] for modality in modalities)) - {""})
    result, copies = look_for_duplicates(root, paths, reporter.progress("check duplicates", len(paths)))
    results.append(result)
    results.append(look_for_leakage(samples, folds, copies, ready))
    for modality in modalities if trial else []:
        interruption.check()
        if (modality.table["media"] != "").any():
            results.append(look_at_cost(root, modality, extract, trial))
    return results


def _modality(study: Study, name: str, samples: pd.DataFrame) -> Modality:
    section = study.modalities[name]
    medium = section.media or name
    encoder = resolved_encoder(name, section)
    return Modality(name, medium, media_of(samples, name, medium), encoder["name"], encoder["options"])


def _media(
    root: Path, modality: Modality, samples: pd.DataFrame, extract: ExtractSection, reporter: Reporter, trial: bool
) -> tuple[list[CheckResult], dict[str, Probe]]:
    n_files = modality.table.loc[modality.table["media"] != "", "media"].nunique()
    advance: Callable[[], None] = reporter.progress(f"check {modality.name}", n_files)
    result, probes = look_at_media(root, modality, extract, advance)
    results = [result]
    if trial and any(medium.codec for medium in probes.values()) and modality.reads == "picture":
        results.append(look_at_sought_frames(root, modality.name, probes, extract))
    if "first_frame" in samples and modality.reads == "picture":
        results.append(look_at_frame_rates(samples, modality, probes))
    return results, probes


def _ready(name: str, samples: pd.DataFrame) -> CheckResult:
    """A modality of ready features: its reader has read the table; missing values are counted."""
    absent = int((samples[MEDIA_PREFIX + name] == "").sum()) if MEDIA_PREFIX + name in samples else len(samples)
    notes = [f"{absent} of {len(samples)} samples have no value; they are taken as missing"] if absent else []
    problems = [f"not one sample has a value of '{name}'"] if absent == len(samples) else []
    return CheckResult(f"features {name}", f"{len(samples) - absent} samples", problems, notes if not problems else [])
