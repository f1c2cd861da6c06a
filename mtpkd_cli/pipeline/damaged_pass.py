"""Scores where pictures and sound themselves are damaged, one prevalent modality at a time, the others being whole."""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from mtpkd_cli import interruption
from mtpkd_cli.artifacts.feature_parts import read_part_files
from mtpkd_cli.datasets import media_of
from mtpkd_cli.media.damage import KINDS
from mtpkd_cli.pipeline.damaged_media import Encoded, encode_levels, missing_media, sense_of
from mtpkd_cli.pipeline.damaged_scores import Bench, Scene
from mtpkd_cli.stages import Job
from mtpkd_cli.training.data import padded

_UNSEEN = re.compile(r"(?P<of>\w+)_without_(?!frames)(?P<what>\w+)")


def media_scenes(bench: Bench, job: Job) -> tuple[list[Scene], dict[str, Any]]:
    """Damages the media of every prevalent modality that has some, and scores all students.

    Returns:
        The scenes, and per prevalent modality what was read: its sense, why its media could not be damaged ("" = they
        were), how many samples were encoded, how many of those give the cache's features bit for bit when undamaged,
        and how many cannot be encoded undamaged either; these keep the features of the cache at every level.
    """
    scenes: list[Scene] = []
    about: dict[str, Any] = {}
    for name in bench.study.prevalent:
        encoded, reason = _encoded(bench, name, job)
        about[name] = {"sense": sense_of(bench.study.modalities[name]), "reason": reason}
        if reason:
            job.reporter.note(f"{name}: features are damaged, not media: {reason}")
            continue
        ids, whole = bench.tried.samples["sample_id"].tolist(), bench.tried.sequences[name]
        there = whole[1].any(1)
        kept = torch.tensor([sample in encoded[0].failures for sample in ids])
        same = _same(_sequences(encoded[0], ids, whole), whole) & there & ~kept
        total, other = int(there.sum()), int((there & ~kept & ~same).sum())
        looks_for = next((found["what"] for found, _ in _lookups(encoded[0].about.notes or {})), "")
        about[name] |= {"looks_for": looks_for, "encoded": total, "same": int(same.sum()), "kept": int(kept.sum())}
        if other:
            job.reporter.note(
                f"{name}: {other} of {total} samples give other features than the cache when undamaged; "
                "media or libraries have changed since extraction: mtpkd extract RUN --overwrite"
            )
        scenes += _scored(bench, name, encoded, ids, kept, job)
    return scenes, about


def _encoded(bench: Bench, name: str, job: Job) -> tuple[list[Encoded], str]:
    """All levels of one modality; or why there are none."""
    modality = bench.study.modalities[name]
    if not sense_of(modality):
        return [], f"encoder '{modality.encoder}' reads neither pictures nor sound"
    samples = bench.tried.samples[bench.tried.sequences[name][1].any(1).numpy()]
    if reason := missing_media(job.root, media_of(samples, name, modality.media or name)):
        return [], reason
    encoded = encode_levels(bench.run.damaged(name), name, modality, samples, bench.study.extract, job)
    undamaged = encoded[0]
    if not undamaged.about.names:
        first = next(iter(undamaged.failures.values()), "there is none")
        return [], f"not one sample can be encoded here: {first.splitlines()[0]}"
    return encoded, ""


def _scored(bench: Bench, name: str, encoded: list[Encoded], ids: list[str], kept: Tensor, job: Job) -> list[Scene]:
    modality = bench.study.modalities[name]
    sense, undamaged = sense_of(modality), encoded[0]
    scenes = []
    advance = job.reporter.progress(f"score damaged {name}", len(encoded))
    origin = Scene("", sense, [name], "", "", [None], [""])
    bench.score(origin, 0, bench.tried.sequences)
    advance()
    for kind, about in KINDS[sense].items():
        ticks = [about.none, *(f"{about.factor * level:g}" for level in about.levels)]
        none = float(about.none) / about.factor if about.none != "none" else None
        scene = Scene(kind, sense, [name], about.title, about.label, [none, *about.levels], ticks)
        scene.failed, scene.unseen = [0.0], [_unseen(undamaged)]
        for method, parts in origin.curves.items():
            scene.curves[method] = [parts[0], *([] for _ in about.levels)]
        own = [level for level in encoded if level.kind == kind]
        for number, level in enumerate(own, start=1):
            interruption.check()
            failed = torch.tensor([sample in level.failures for sample in ids]) & ~kept
            whole = bench.tried.sequences[name]
            bench.score(scene, number, bench.tried.sequences | {name: _sequences(level, ids, whole, kept)})
            scene.failed.append(float(failed.sum()) / len(ids))
            scene.unseen.append(_unseen(level))
            advance()
        scenes.append(scene)
    return scenes


def _sequences(
    level: Encoded, ids: list[str], whole: tuple[Tensor, Tensor], kept: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Values (N, T, D) and mask (N, T) of a level; rows that are `kept` as extracted."""
    if level.about.names:
        values, mask = padded(*read_part_files([level.path], ids, level.path), len(ids))
    else:
        values, mask = torch.zeros_like(whole[0][:, :1]), torch.zeros_like(whole[1][:, :1])
    if kept is None or not kept.any():
        return values, mask
    steps = max(values.shape[1], whole[0].shape[1])
    result = torch.zeros(len(ids), steps, whole[0].shape[2]), torch.zeros(len(ids), steps, dtype=torch.bool)
    for own, damaged, cached in zip(result, (values, mask), whole, strict=True):
        own[:, : damaged.shape[1]] = damaged
        own[kept] = 0
        own[kept, : cached.shape[1]] = cached[kept]
    return result


def _same(one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> Tensor:
    """(N,) bool: rows of which both hold the same steps, bit for bit."""
    (a, a_mask), (b, b_mask) = one, other
    lengths = a_mask.sum(1) == b_mask.sum(1)
    shared = min(a.shape[1], b.shape[1])
    inside = (a_mask[:, :shared] & b_mask[:, :shared]).unsqueeze(-1)
    differs = ((a[:, :shared] != b[:, :shared]) & inside).flatten(1).any(1)
    return lengths & ~differs


def _unseen(level: Encoded) -> float | None:
    """Share of the steps of encoded samples in which what the encoder looks for (a face) was not found."""
    notes = level.about.notes or {}
    shares = [count / notes[found["of"]] for found, count in _lookups(notes) if notes.get(found["of"])]
    return shares[0] if shares else None


def _lookups(notes: Mapping[str, float]) -> list[tuple[re.Match[str], float]]:
    return [(found, count) for note, count in notes.items() if (found := _UNSEEN.fullmatch(note))]
