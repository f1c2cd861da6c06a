"""Alignment of one fold and seed: adapters and heads, the tuned joint teacher, and the T-Net."""

from pathlib import Path

import torch
from torch import Tensor

from mtpkd_cli.artifacts import write_json
from mtpkd_cli.config.recordings import ALL_LABELS, LabelBudget
from mtpkd_cli.config.study import AlignSection, ModelSection
from mtpkd_cli.models import Teacher, TNet
from mtpkd_cli.stages import Counts, Job
from mtpkd_cli.training.alignment import ALIGNMENT_WEIGHTS, TNET_WEIGHTS, Alignment, fit_alignment, fit_tnet
from mtpkd_cli.training.checkpoints import load_model, save_history, save_weights
from mtpkd_cli.training.data import read_fold
from mtpkd_cli.training.resuming import Resuming
from mtpkd_cli.training.seeding import derived_seed, seeded
from mtpkd_cli.training.sides import Sides
from mtpkd_cli.training.teachers import apply


def build(
    out: Path,
    job: Job,
    *,
    samples: Path,
    splits: Path,
    features: dict[str, Path],
    teachers: dict[str, Path],
    prevalent_teacher: str,
    privileged_teachers: list[str],
    fold: int,
    seed: int,
    model: ModelSection,
    align: AlignSection,
    labels: LabelBudget = ALL_LABELS,
) -> Counts:
    """Fits adapters, heads and T-Net; writes them with their histories. Recordings without a label take part in all
    terms but those of the task.

    Args:
        teachers: Teacher -> folder of its model.
        prevalent_teacher: Sees what the student will see; its embedding is the T-Net's input.
        privileged_teachers: One unimodal teacher per privileged modality; the T-Net's targets.
        labels: How many labels are seen.
    """
    data, sides = read_fold(samples, splits, fold, features, job.device, model.normalise, labels)
    loaded = {name: load_model(folder, Teacher)[0].to(job.device) for name, folder in teachers.items()}
    seen = {name: teacher.trunk.modalities for name, teacher in loaded.items()}
    present = {name: data.present(modalities) for name, modalities in seen.items()}
    rows = _rows(sides, present[align.joint])
    embeddings = {
        name: apply(teacher, data, seen[name], torch.arange(len(data.samples))).embedding
        for name, teacher in loaded.items()
    }
    others = [name for name in loaded if name != align.joint]
    options = align.model_dump(
        include={"epochs", "batch_size", "learning_rate", "weight_decay", "warmup_share", "patience", "ema_decay"}
    )
    advance = job.reporter.progress(f"fold {fold} seed {seed} align", 2)
    with seeded(derived_seed(seed, fold, "align", "init")):
        alignment = Alignment(
            loaded[align.joint],
            others,
            embedding=model.embedding,
            outputs=len(data.outputs),
            adapter=align.adapter,
            head=model.sizes["head"],
        ).to(job.device)
        tnet = TNet(model.embedding, len(privileged_teachers)).to(job.device)
    resuming = Resuming(job.last)
    history = fit_alignment(
        data,
        alignment,
        seen[align.joint],
        {n: embeddings[n] for n in others},
        present,
        rows,
        loss=align.loss,
        align_weight=align.align_weight,
        joint_learning_rate=align.joint_learning_rate,
        options=options,
        seed=derived_seed(seed, fold, "align"),
        checkpoint=resuming.fit("alignment"),
    )
    advance()
    tnet_history = fit_tnet(
        tnet,
        embeddings[prevalent_teacher],
        torch.stack([embeddings[name] for name in privileged_teachers], dim=1),
        torch.stack([present[name] for name in privileged_teachers], dim=1),
        _rows(sides, present[prevalent_teacher]),
        loss=align.tnet_loss,
        options=options,
        seed=derived_seed(seed, fold, "tnet"),
        checkpoint=resuming.fit("T-Net"),
    )
    advance()
    save_weights(out / ALIGNMENT_WEIGHTS, alignment)
    save_weights(out / TNET_WEIGHTS, tnet)
    write_json(out / "align.json", {"adapted": others, "joint": align.joint, "hallucinated": privileged_teachers})
    save_history(out / "history.jsonl", history)
    save_history(out / "tnet_history.jsonl", tnet_history)
    return {"epochs": len(history), "tnet_epochs": len(tnet_history)}


def _rows(sides: Sides, present: Tensor) -> tuple[Tensor, Tensor]:
    """Training and validation rows of the samples that are there for a teacher."""
    there = sides.having(present)
    return there.training, there.validation
