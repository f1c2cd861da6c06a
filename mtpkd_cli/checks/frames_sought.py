"""Sought frames: of each kind of video, a few frames that are sought are those that a decode from the start gives."""

from contextlib import closing
from pathlib import Path

from mtpkd_cli.checks import CheckResult
from mtpkd_cli.config.study import ExtractSection
from mtpkd_cli.media.pool import Task, run_isolated
from mtpkd_cli.media.probe import Probe
from mtpkd_cli.media.seeking import seek_frames


def look_at_sought_frames(root: Path, name: str, probes: dict[str, Probe], extract: ExtractSection) -> CheckResult:
    """Compares one file of each kind: container, codec and reader.

    Args:
        root: The corpus folder.
        name: The modality.
        probes: Path -> what its medium holds.
        extract: Workers and their limits.
    """
    kinds: dict[str, str] = {}
    for path, medium in probes.items():
        if medium.codec:
            reader = "decord" if medium.by_decord else "PyAV"
            kinds.setdefault(f"{medium.codec} in {Path(path).suffix.lower()} by {reader}", path)
    problems, notes, n_frames = [], [], 0
    tasks = (Task(kind, (root / path,)) for kind, path in kinds.items())
    with closing(run_isolated(seek_frames, tasks, workers=extract.workers, **extract.limits)) as outcomes:
        for outcome in outcomes:
            path = kinds[outcome.key]
            if outcome.error is not None:
                notes.append(f"{path}: {outcome.error.splitlines()[0].replace(f'{root}/', '')}")
            elif (sought := outcome.value).off_s:
                problems.append(
                    f"{path}: pictures of {outcome.key} that are sought are {sought.off_s:+.3f} s from those of their "
                    "time in a decode from the start; re-encode these files"
                )
            else:
                n_frames += sought.frames
    agree = f"{n_frames} sought frames are those of a decode from the start: {', '.join(kinds)}" if n_frames else "none"
    return CheckResult(f"sought frames {name}", agree, problems, notes, {"kinds": kinds})
