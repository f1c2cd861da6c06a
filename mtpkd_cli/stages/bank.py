"""The teacher bank of one fold and seed: every aligned teacher applied once to every sample that has a side."""

import math
from pathlib import Path

import torch
from torch import Tensor

from mtpkd_cli import interruption
from mtpkd_cli.artifacts import read_parquet
from mtpkd_cli.config.recordings import ALL_LABELS, LabelBudget
from mtpkd_cli.config.study import AlignSection, ModelSection
from mtpkd_cli.models import Teacher
from mtpkd_cli.models.calibration import fit_temperature
from mtpkd_cli.stages import Counts, Job
from mtpkd_cli.training.alignment import ALIGNMENT_WEIGHTS, Alignment
from mtpkd_cli.training.bank import tensor_of, write_teacher
from mtpkd_cli.training.checkpoints import load_model, load_weights
from mtpkd_cli.training.data import read_fold
from mtpkd_cli.training.teachers import CROSSFIT, MEMBERS, apply


def build(
    out: Path,
    job: Job,
    *,
    samples: Path,
    splits: Path,
    features: dict[str, Path],
    teachers: dict[str, Path],
    alignment: Path,
    fold: int,
    model: ModelSection,
    align: AlignSection,
    labels: LabelBudget = ALL_LABELS,
) -> Counts:
    """Writes one Parquet file per teacher: aligned embedding, logits and cross-fitted logits, calibrated, per sample.

    In regression logits are predictions in units of the targets, like all that lies on disk. The cross-fitted ones of a
    training or validation recording are of the member that held its person out, those of a recording without a label
    the mean of all members: none has learned from it.

    Args:
        teachers: Teacher -> folder with its model, crossfit.parquet and, maybe, members.parquet.
        alignment: Folder of the alignment.
        labels: How many labels are seen.
    """
    data, sides = read_fold(samples, splits, fold, features, job.device, model.normalise, labels)
    rows = torch.cat(list(sides.parts.values()))
    part = [name for name, of_part in sides.parts.items() for _ in range(len(of_part))]
    loaded = {name: load_model(folder, Teacher)[0].to(job.device) for name, folder in teachers.items()}
    others = [name for name in loaded if name != align.joint]
    aligned = Alignment(
        loaded[align.joint],
        others,
        embedding=model.embedding,
        outputs=len(data.outputs),
        adapter=align.adapter,
        head=model.sizes["head"],
    ).to(job.device)
    # The adapters were fitted to the teachers as trained; only the joint one was tuned on the way.
    raw = {name: apply(loaded[name], data, loaded[name].trunk.modalities, rows).embedding for name in others}
    load_weights(alignment / ALIGNMENT_WEIGHTS, aligned)
    aligned.eval()
    with torch.no_grad():
        adapted: dict[str, tuple[Tensor, Tensor]] = aligned(raw)
        # Like the joint teacher's own, what the adapters' heads predict is kept in units of the targets.
        outputs = {name: (embedding, aligned.joint.units(logits)) for name, (embedding, logits) in adapted.items()}
    joint = apply(aligned.joint, data, aligned.joint.trunk.modalities, rows)
    outputs[align.joint] = (joint.embedding, joint.logits)
    ids = data.samples["sample_id"].iloc[rows.numpy()].tolist()
    true, is_unlabelled = data.labels.cpu()[rows], torch.tensor([name == "unlabelled" for name in part])
    temperatures = {}
    for name, (embedding, device_logits) in outputs.items():
        interruption.check()
        logits, present = device_logits.cpu(), data.present(loaded[name].trunk.modalities).cpu()[rows]
        held_out = tensor_of(read_parquet(teachers[name] / CROSSFIT).column("logits"))[rows]
        known = held_out.isfinite().all(1)
        temperature = fit_temperature(held_out[known], true[known]) if align.calibrate else 1.0
        crossfit = torch.where(known[:, None], held_out / temperature, logits)
        if len(sides.unlabelled):
            crossfit[is_unlabelled] = _mean_of_members(teachers[name] / MEMBERS, temperature, true.is_floating_point())
        columns = {"embedding": embedding.cpu(), "logits": logits, "crossfit_logits": crossfit}
        write_teacher(out, name, ids, part, columns, present)
        temperatures[name] = temperature
    return {"teachers": list(outputs), "samples": len(ids), "temperatures": temperatures}


def _mean_of_members(path: Path, temperature: float, regression: bool) -> Tensor:
    """(n, C) log of the mean of the members' calibrated probabilities, or the mean of their predictions."""
    table = read_parquet(path)
    members = torch.stack([tensor_of(table.column(name)) for name in table.column_names if name != "sample_id"])
    if regression:
        return members.mean(0)
    return torch.log_softmax(members / temperature, dim=-1).logsumexp(0) - math.log(len(members))
