"""Media: every file opens in a process of its own, holds what its encoder reads, and is as long as its samples say."""

from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtpkd_cli.artifacts.feature_ledgers import LARGEST
from mtpkd_cli.checks import CheckResult
from mtpkd_cli.config.study import ExtractSection
from mtpkd_cli.media.pool import Outcome, Task, run_isolated
from mtpkd_cli.media.probe import Probe, probe
from mtpkd_cli.media.signals import named_signal, with_rows
from mtpkd_cli.media.state import seconds_or_none

PICTURE_HZ, SOUND_HZ = (1.0, 240.0), (4000.0, 400_000.0)
# A segment may pass the end of its file by this much: containers round, and encoders count what is missing.
PAST_END_S = 0.5
# A whole recording of a body's signal that lasts less was read at a wrong rate.
SHORTEST_SIGNAL_S = 0.5
_LITTLE_H = 0.1


@dataclass(frozen=True)
class Modality:
    """One modality of a study, as far as its media are concerned.

    Args:
        name: Its name.
        medium: Kind of medium in the samples table.
        table: sample_id, start_s, end_s and media of all samples.
        encoder: Name of the encoder.
        options: All its options.
    """

    name: str
    medium: str
    table: pd.DataFrame
    encoder: str
    options: dict[str, Any]

    @property
    def reads(self) -> str:
        """What the encoder reads: "signal", "picture" or "sound", as its options show."""
        if "column" in self.options:
            return "signal"
        return "picture" if "image_rate_hz" in self.options else "sound"


def open_medium(path: Path, options: dict[str, Any], segments: list[tuple[float, float]]) -> Probe:
    """Opens one medium; runs in a worker process. Of a signal, the parts of these samples are read."""
    if "column" not in options:
        return probe(path, options.get("image_rate_hz", 25.0), sound_only="image_rate_hz" not in options)
    for start_s, end_s in segments:
        signal = named_signal(path, options, seconds_or_none(start_s), seconds_or_none(end_s))
        if options["rows"] and np.isnan((start_s, end_s)).all():
            with_rows(signal, options["rows"], options["rows_off"], str(path))
    return Probe(signal.recording_s, sound_hz=signal.rate_hz, notes=dict(signal.placing))


def look_at_media(
    root: Path, modality: Modality, extract: ExtractSection, advance: Callable[[], None]
) -> tuple[CheckResult, dict[str, Probe]]:
    """Opens all media of one modality; gives rates and length of each too.

    Args:
        root: The corpus folder.
        modality: The modality.
        extract: Workers and their limits.
        advance: Called once per file.
    """
    there = modality.table[modality.table["media"] != ""]
    groups = {path: rows[["start_s", "end_s"]].to_numpy() for path, rows in there.groupby("media")}
    tasks = (Task(path, (root / path, modality.options, _ends(parts))) for path, parts in groups.items())
    opened: dict[str, Outcome] = {}
    with closing(run_isolated(open_medium, tasks, workers=extract.workers, **extract.limits)) as outcomes:
        for outcome in outcomes:
            opened[outcome.key] = outcome
            advance()
    problems, notes, probes = [], [], {}
    for path, outcome in opened.items():
        if outcome.error is not None:
            problems.append(f"{path}: {_one_line(outcome.error, root)}")
        else:
            probes[path] = outcome.value
            problems += [f"{path}: {text}" for text in _wrong(outcome.value, groups[path], modality.reads)]
    if absent := len(modality.table) - len(there):
        notes.append(f"{absent} of {len(modality.table)} samples have no file; they are taken as missing")
    notes += _unusual(probes, groups, modality)
    notes += _treated(probes)
    rates = Counter(_rate(medium, modality.reads) for medium in probes.values())
    hours = sum(medium.length_s for medium in probes.values()) / 3600
    summary = f"{len(probes)} of {len(opened)} files open, {_length(hours)}, {_listed(rates)}"
    facts = {"files": len(opened), "open": len(probes), "hours": round(hours, 4), "rates_hz": dict(rates)}
    return CheckResult(f"media {modality.name}", summary, problems, notes, facts), probes


def _ends(parts: np.ndarray) -> list[tuple[float, float]]:
    """The first and the last segment of a file."""
    order = np.argsort(np.nan_to_num(parts[:, 0]))
    return [tuple(parts[i]) for i in dict.fromkeys((order[0], order[-1]))]


def _wrong(medium: Probe, parts: np.ndarray, reads: str) -> list[str]:
    """What extraction would fail at."""
    if reads != "signal" and not _rate(medium, reads):
        return [f"there is no {reads} in it"]
    length_s, starts = medium.length_s, np.nan_to_num(parts[:, 0])
    problems = [] if medium.tail_read else [f"it ends before the {length_s:.2f} s that it states: it is cut short"]
    if reads == "signal" and length_s < SHORTEST_SIGNAL_S and np.isnan(parts[:, 1]).any():
        problems.append(
            f"it lasts {length_s:.2g} s at {medium.sound_hz:.6g} Hz: are time_unit_s and sample_rate_hz right?"
        )
    if length_s and (late := starts >= length_s).any():
        problems.append(f"{late.sum()} samples begin after its {length_s:.2f} s, e.g. at {starts[late][0]:.2f} s")
    return problems


def _unusual(probes: dict[str, Probe], groups: dict[str, np.ndarray], modality: Modality) -> list[str]:
    """What would be read, and perhaps should not."""
    notes, reads = [], modality.reads
    low, high = {"picture": PICTURE_HZ, "sound": SOUND_HZ}.get(reads) or modality.options["rates_hz"]
    whole = {path: medium.length_s for path, medium in probes.items() if np.isnan(groups[path]).any()}
    usual = float(np.median(list(whole.values()))) if whole else 0.0
    for path, medium in probes.items():
        rate = _rate(medium, reads)
        if rate and not low <= rate <= high:
            notes.append(f"{path}: {rate:g} {reads} values per second")
        if medium.lost:
            notes.append(
                f"{path}: {medium.lost} frames at its beginning cannot be decoded, as in a cut between key frames; its "
                "time is counted from the first that can"
            )
        if medium.sound_tracks > 1:
            notes.append(f"{path}: it has {medium.sound_tracks} tracks of sound; only the default one is read")
        if not medium.length_s:
            notes.append(f"{path}: it does not say how long it is")
        elif (past := np.nan_to_num(groups[path][:, 1]) - medium.length_s).max() > PAST_END_S:
            notes.append(f"{path}: samples end up to {past.max():.2f} s after its {medium.length_s:.2f} s")
        elif path in whole and not usual / 2 <= medium.length_s <= usual * 2:
            notes.append(f"{path}: it lasts {medium.length_s:.2f} s, the usual one {usual:.2f} s")
    return notes


def _treated(probes: dict[str, Probe]) -> list[str]:
    """What was done to files in order to read them, e.g. "stamps smoothed: 3 of 24 files"."""
    treated = Counter(note for medium in probes.values() for note in medium.notes)
    return [
        f"{note.replace('_', ' ')}: {n} of {len(probes)} files{_largest(note, probes)}" for note, n in treated.items()
    ]


def _largest(note: str, probes: dict[str, Probe]) -> str:
    """How large a note that is no count gets."""
    largest = max(medium.notes.get(note, 0.0) for medium in probes.values())
    return f", up to {largest:g}" if note.startswith(LARGEST) else ""


def _rate(medium: Probe, reads: str) -> float:
    return round(medium.picture_hz if reads == "picture" else medium.sound_hz, 3)


def _length(hours: float) -> str:
    """Seconds where there is little: a wrong unit of time shows as an hour that lasts 4 s."""
    return f"{hours:.2f} h" if hours >= _LITTLE_H else f"{3600 * hours:.3g} s"


def _listed(rates: Counter[float]) -> str:
    shown = [f"{rate:g} Hz" + (f" ({count})" if len(rates) > 1 else "") for rate, count in rates.most_common(4)]
    return ", ".join(shown) + (" ..." if len(rates) > 4 else "")


def _one_line(error: str, root: Path) -> str:
    return error.splitlines()[0].replace(f"{root}/", "")
