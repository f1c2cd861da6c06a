"""Where the results come from: what was read and what failed, versions, devices, timings and commands."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mtpkd_cli.artifacts import Manifest, read_manifest, read_parquet
from mtpkd_cli.artifacts.quality import Quality, reasons_in_words
from mtpkd_cli.errors import ArtifactError
from mtpkd_cli.pipeline import label_facts
from mtpkd_cli.report.results import Results

MOST_FAILURES = 10


def listing(results: Results) -> str:
    """How many samples of how many subjects were listed, what was mended or left out for it, and how many labels there
    are and are hidden; "" where unknown.
    """
    manifest = _manifest(results.run.root)
    if manifest is None or "samples" not in manifest.counts:
        return ""
    counts = manifest.counts
    notes = "".join(f"; {note}: {count:,}" for note, count in counts.get("notes", {}).items())
    told = [f"{counts['samples']:,} samples of {counts.get('subjects', 'unknown')} subjects{notes}"]
    try:
        labels = label_facts(results.run, results.study.data.labels)
    except ArtifactError:
        labels = None  # a damaged table: the stages refuse it with a message
    return ". ".join([*told, *(labels.sentences if labels else [])]) + "."


def extraction(results: Results) -> list[dict[str, Any]]:
    """One entry per modality: counts of its manifest, notes, and the first failures."""
    entries = []
    for name, modality in results.study.modalities.items():
        folder = results.run.features(name)
        manifest = _manifest(folder)
        counts = manifest.counts if manifest else {}
        notes = counts.get("notes", {})
        entries.append(
            {
                "name": name,
                "role": modality.role,
                "encoder": modality.encoder,
                "read": counts.get("samples"),
                "failed": counts.get("failed"),
                "unmeasured": counts.get("unmeasured"),
                "doubtful": counts.get("doubtful"),
                "quality": counts.get("quality"),
                "lacks": _lacks(folder / "quality.parquet"),
                "notes": "; ".join(f"{_words(note)}: {count:,.6g}" for note, count in notes.items() if count),
                "zero": ", ".join(_words(note) for note, count in notes.items() if not count),
                "failures": _failures(folder / "failures.parquet")
                if counts.get("failed") or counts.get("unmeasured")
                else [],
            }
        )
    return entries


def provenance(results: Results) -> dict[str, Any]:
    """Versions, devices, timings per stage, and the commands that make the run again."""
    manifests = list(_manifests(results))
    stages: dict[str, list[Manifest]] = {}
    for stage, manifest in manifests:
        stages.setdefault(stage, []).append(manifest)
    libraries: dict[str, set[str]] = {"mtpkd": {manifest.program for _, manifest in manifests}}
    for _, manifest in manifests:
        for library, version in manifest.libraries.items():
            libraries.setdefault(library, set()).add(version)
    return {
        "timings": [
            {
                "stage": stage,
                "units": len(of_stage),
                "seconds": sum(manifest.seconds for manifest in of_stage),
                "device": ", ".join(sorted({manifest.device for manifest in of_stage})),
            }
            for stage, of_stage in stages.items()
        ],
        "versions": {library: " and ".join(sorted(versions)) for library, versions in libraries.items() if versions},
        "evaluated": max((manifest.written for manifest in stages.get("evaluate", [])), default=""),
        "commands": [_command(stage, of_stage) for stage, of_stage in stages.items()],
        "study": _text(results.run.study),
    }


def study_comment(text: str) -> str:
    """The comment that opens a study.toml: what its author says it is."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# ").strip())
    return " ".join(lines)


def _manifests(results: Results) -> Iterator[tuple[str, Manifest]]:
    run = results.run
    folders = [("extract", run.root), *(("extract", run.features(name)) for name in results.study.modalities)]
    pairs = results.repetitions
    folders += [("train-teachers", run.teacher(*pair, name)) for pair in pairs for name in results.teachers]
    folders += [("align", folder) for pair in pairs for folder in (run.align(*pair), run.bank(*pair))]
    folders += [("distill", run.student(*pair, method)) for pair in pairs for method in results.students]
    folders += [("evaluate", run.evaluation)]
    for stage, folder in folders:
        manifest = _manifest(folder)
        if manifest is not None:
            yield stage, manifest


def _manifest(folder: Path) -> Manifest | None:
    try:
        return read_manifest(folder)
    except ArtifactError:
        # The stages refuse a damaged manifest with a message; here it only leaves its row out.
        return None


def _failures(path: Path) -> list[dict[str, Any]]:
    try:
        rows = read_parquet(path).slice(0, MOST_FAILURES).to_pylist()
    except ArtifactError:
        return []
    return [row | {"error": (str(row["error"]).splitlines() or [""])[0]} for row in rows]


def _lacks(path: Path) -> str:
    """What was not measured in samples that were refused or are doubtful, and how often."""
    try:
        rows = read_parquet(path).to_pylist()
    except ArtifactError:
        return ""
    qualities = [Quality(row["quality"], row["lacks"]) for row in rows]
    return reasons_in_words(quality for quality in qualities if quality.refused or quality.doubtful)


def _command(stage: str, manifests: list[Manifest]) -> str:
    devices = {manifest.device for manifest in manifests}
    chosen = (
        f" --device {devices.pop()}" if stage in ("train-teachers", "align", "distill") and len(devices) == 1 else ""
    )
    return f"mtpkd {stage} RUN{chosen}"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
