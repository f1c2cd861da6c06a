"""Pictures and sound damaged: test samples encoded anew at every kind and level, and scored, the others being whole.

Features of damaged media are kept in RUN/damaged as long as they hold. A file there carries a key over the encoder, its
options, the damage and the media of its samples: a second call reads what is there, an interrupted one goes on with the
next level.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from mtpkd_cli import interruption
from mtpkd_cli.artifacts import digest_of, quality
from mtpkd_cli.artifacts.feature_parts import PartAbout, held_parts, read_part_files
from mtpkd_cli.artifacts.quality import mean_share
from mtpkd_cli.config.study import ExtractSection, ModalitySection
from mtpkd_cli.datasets import media_of
from mtpkd_cli.encoders.running import encode_samples, resolved_encoder, samples_of, write_encoded
from mtpkd_cli.evaluation.robustness import Bench, DamagedMedium, Scene
from mtpkd_cli.media.damage import KINDS, VERSION, Damage
from mtpkd_cli.media.state import media_state
from mtpkd_cli.registry import ENCODERS
from mtpkd_cli.training.data import padded


@dataclass(frozen=True)
class EncodedLevel:
    """One modality's samples at one level of one kind of damage.

    Args:
        kind: "" = undamaged.
        level: In the kind's unit; 0 where undamaged.
        path: The part file with their features.
        about: The record in that file: the samples that failed, and counts.
    """

    kind: str
    level: float
    path: Path
    about: PartAbout

    @property
    def failures(self) -> dict[str, str]:
        """sample_id -> why it has no features."""
        return {failure.sample_id: failure.error for failure in self.about.failures}


@dataclass(frozen=True)
class DamagePass:
    """How media are damaged and read.

    Args:
        modalities: Prevalent modality -> its section.
        damaged: Prevalent modality -> folder in which features of damaged media are kept.
        extract: Workers, and limits of time and memory.
        root: The corpus folder; None = there is none.
        overwrite: Encode again what is there.
        note: Tells people a line.
        progress: Begins a count; the returned function adds one.
    """

    modalities: dict[str, ModalitySection]
    damaged: dict[str, Path]
    extract: ExtractSection
    root: Path | None
    overwrite: bool
    note: Callable[[str], None]
    progress: Callable[[str, int], Callable[[], None]]


def sense_of(modality: ModalitySection) -> str:
    """The kind of media that can be damaged before the modality's encoder sees them; "" = features only."""
    known = modality.encoder in ENCODERS.names()
    return str(ENCODERS.constant(modality.encoder, "READS", "")) if known else ""


def missing_media(root: Path | None, table: pd.DataFrame) -> str:
    """Why the media of samples (as `media_of` lists them) cannot be damaged: they are not there; "" = they are."""
    if root is None or not root.is_dir():
        return f"the corpus folder is not there (data.root: {root})"
    gone = [medium for medium in table["media"].unique() if not medium or not (root / medium).exists()]
    return f"{len(gone)} of {table['media'].nunique()} media files are not there, the first: {gone[0]}" if gone else ""


def encode_levels(name: str, modality: ModalitySection, samples: pd.DataFrame, plan: DamagePass) -> list[EncodedLevel]:
    """Encodes samples undamaged and at every kind and level that their medium can suffer.

    Args:
        name: The modality.
        samples: Rows of the samples table whose media are there.

    Returns:
        The undamaged ones first, then kind by kind, from mild to severe.

    Raises:
        StorageError: A medium has vanished meanwhile.
    """
    assert plan.root is not None
    folder = plan.damaged[name]
    table = media_of(samples, name, modality.media or name)
    encoder, sense = resolved_encoder(name, modality), sense_of(modality)
    state = media_state(plan.root, table)
    levels = [("", 0.0), *((kind, level) for kind, about in KINDS[sense].items() for level in about.levels)]
    files = [folder / (f"{kind}-{level:g}.parquet" if kind else "undamaged.parquet") for kind, level in levels]
    keys = [digest_of([VERSION, quality.VERSION, encoder, sense, kind, level, state]) for kind, level in levels]
    held = held_parts(files, keys)
    todo = [i for i, about in enumerate(held) if about is None or plan.overwrite]
    whole = [replace(sample, was_there=True) for sample in samples_of(table)]
    damaged = [
        replace(sample, damage=Damage(sense, *levels[i], sample.sample_id) if levels[i][0] else None)
        for i in todo
        for sample in whole
    ]
    # One loop, and so one pool, for all levels: a worker loads its libraries once.
    encoding = encode_samples(
        damaged,
        encoder["name"],
        encoder["options"],
        root=plan.root,
        workers=plan.extract.workers,
        limits=plan.extract.limits,
        unmeasured="refuse",  # as a prediction does
        advance=plan.progress(f"corrupt {name}", len(damaged)),
        say=plan.note,
    )
    with closing(encoding):
        for i in todo:
            write_encoded(files[i], keys[i], list(islice(encoding, len(table))), readers=False)
    for left_over in set(folder.glob("*.parquet")) - set(files):  # of levels that are tried no more
        left_over.unlink(missing_ok=True)
    abouts = held_parts(files, keys)
    return [
        EncodedLevel(*level, path, about) for level, path, about in zip(levels, files, abouts, strict=True) if about
    ]


def media_scenes(bench: Bench, plan: DamagePass) -> tuple[list[Scene], dict[str, DamagedMedium]]:
    """Damages the media of every prevalent modality that has some, one at a time, and scores all students.

    Returns:
        The scenes, and prevalent modality -> what was done to it.
    """
    scenes: list[Scene] = []
    media: dict[str, DamagedMedium] = {}
    for name, modality in plan.modalities.items():
        encoded, reason = _encoded(bench, name, plan)
        if reason:
            media[name] = DamagedMedium(sense=sense_of(modality), reason=reason)
            plan.note(f"{name}: features are damaged, not media: {reason}")
            continue
        ids, whole = bench.tried.samples["sample_id"].tolist(), bench.tried.sequences[name]
        there = whole[1].any(1)
        kept = torch.tensor([sample in encoded[0].failures for sample in ids])
        same = _same(_sequences(encoded[0], ids, whole), whole) & there & ~kept
        total, other = int(there.sum()), int((there & ~kept & ~same).sum())
        media[name] = DamagedMedium(
            sense=sense_of(modality),
            reason="",
            encoded=total,
            same=int(same.sum()),
            kept=int(kept.sum()),
        )
        if other:
            plan.note(
                f"{name}: {other} of {total} samples give other features than the cache when undamaged; "
                "media or libraries have changed since extraction: mtpkd extract RUN --overwrite"
            )
        scenes += _score_levels(bench, name, sense_of(modality), encoded, ids, kept, plan)
    return scenes, media


def _encoded(bench: Bench, name: str, plan: DamagePass) -> tuple[list[EncodedLevel], str]:
    """All levels of one modality; or why there are none."""
    modality = plan.modalities[name]
    if not sense_of(modality):
        return [], f"encoder '{modality.encoder}' reads neither pictures nor sound"
    samples = bench.tried.samples[bench.tried.sequences[name][1].any(1).numpy()]
    if reason := missing_media(plan.root, media_of(samples, name, modality.media or name)):
        return [], reason
    encoded = encode_levels(name, modality, samples, plan)
    undamaged = encoded[0]
    if not undamaged.about.names:
        first = next(iter(undamaged.failures.values()), "there is none")
        return [], f"not one sample can be encoded here: {first.splitlines()[0]}"
    return encoded, ""


def _score_levels(
    bench: Bench,
    name: str,
    sense: str,
    encoded: list[EncodedLevel],
    ids: list[str],
    kept: Tensor,
    plan: DamagePass,
) -> list[Scene]:
    undamaged = encoded[0]
    scenes = []
    advance = plan.progress(f"score damaged {name}", len(encoded))
    origin = Scene("", sense, [name], "", "", [None], [""])
    bench.score(origin, 0, bench.tried.sequences)
    advance()
    for kind, about in KINDS[sense].items():
        ticks = [about.none, *(f"{about.factor * level:g}" for level in about.levels)]
        none = float(about.none) / about.factor if about.none != "none" else None
        scene = Scene(kind, sense, [name], about.title, about.label, [none, *about.levels], ticks)
        scene.failed, scene.unmeasured = [0.0], [_unmeasured_share(undamaged)]
        for method, parts in origin.curves.items():
            scene.curves[method] = [parts[0], *([] for _ in about.levels)]
        for number, level in enumerate((one for one in encoded if one.kind == kind), start=1):
            interruption.check()
            failed = torch.tensor([sample in level.failures for sample in ids]) & ~kept
            whole = bench.tried.sequences[name]
            bench.score(scene, number, bench.tried.sequences | {name: _sequences(level, ids, whole, kept)})
            scene.failed.append(float(failed.sum()) / len(ids))
            scene.unmeasured.append(_unmeasured_share(level))
            advance()
        scenes.append(scene)
    return scenes


def _sequences(
    level: EncodedLevel, ids: list[str], whole: tuple[Tensor, Tensor], kept: Tensor | None = None
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
    for filled, damaged, cached in zip(result, (values, mask), whole, strict=True):
        filled[:, : damaged.shape[1]] = damaged
        filled[kept] = 0
        filled[kept, : cached.shape[1]] = cached[kept]
    return result


def _same(one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> Tensor:
    """(N,) bool: rows of which both hold the same steps, bit for bit."""
    (a, a_mask), (b, b_mask) = one, other
    lengths = a_mask.sum(1) == b_mask.sum(1)
    shared = min(a.shape[1], b.shape[1])
    inside = (a_mask[:, :shared] & b_mask[:, :shared]).unsqueeze(-1)
    differs = ((a[:, :shared] != b[:, :shared]) & inside).flatten(1).any(1)
    return lengths & ~differs


def _unmeasured_share(level: EncodedLevel) -> float | None:
    """Share of the time of encoded samples in which nothing was measured (no face, no sound); None without samples."""
    failures = level.failures
    mean = mean_share(of_sample for sample, of_sample in level.about.qualities.items() if sample not in failures)
    return None if mean is None else 1.0 - mean
