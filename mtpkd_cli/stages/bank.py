"""The teacher bank of one fold and seed: every aligned teacher applied once to every sample."""

from pathlib import Path

import torch
from torch import Tensor

from mtpkd_cli import interruption
from mtpkd_cli.artifacts import read_parquet
from mtpkd_cli.config.study import AlignSection, ModelSection
from mtpkd_cli.models import Teacher
from mtpkd_cli.stages import Counts, Job
from mtpkd_cli.training.alignment import ALIGNMENT_WEIGHTS, Alignment
from mtpkd_cli.training.bank import tensor_of, write_teacher
from mtpkd_cli.training.calibration import fit_temperature
from mtpkd_cli.training.checkpoints import load_model, load_weights
from mtpkd_cli.training.data import outputs_of, read_data
from mtpkd_cli.training.splits import Fold, read_folds
from mtpkd_cli.training.teachers import CROSSFIT, apply


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
) -> Counts:
    """Writes one Parquet file per teacher: aligned embedding, logits and cross-fitted logits, calibrated, per sample.

    In regression logits are predictions in units of the targets, like all that lies on disk.

    Args:
        teachers: Teacher -> folder with its model and crossfit.parquet.
        alignment: Folder of the alignment.
    """
    data = read_data(samples, features, job.device, model.normalise)
    part = parts_of(data.samples["subject"].tolist(), read_folds(splits)[fold])
    loaded = {name: load_model(folder, Teacher)[0].to(job.device) for name, folder in teachers.items()}
    others = [name for name in loaded if name != align.joint]
    aligned = Alignment(
        loaded[align.joint],
        others,
        embedding=model.embedding,
        outputs=len(outputs_of(data.samples)),
        adapter=align.adapter,
        head=model.sizes["head"],
    ).to(job.device)
    rows = torch.arange(len(data.samples))
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
    is_train = torch.tensor([name == "train" for name in part])[:, None]
    ids = data.samples["sample_id"].tolist()
    temperatures = {}
    for name, (embedding, device_logits) in outputs.items():
        interruption.check()
        logits = device_logits.cpu()
        crossfit = tensor_of(read_parquet(teachers[name] / CROSSFIT).column("logits"))
        columns = {"embedding": embedding.cpu(), "logits": logits}
        held_out = is_train[:, 0] & crossfit.isfinite().all(1)
        labels = data.labels.cpu()[held_out]
        temperatures[name] = fit_temperature(crossfit[held_out], labels) if align.calibrate else 1.0
        columns["crossfit_logits"] = torch.where(is_train, crossfit.nan_to_num(0.0) / temperatures[name], logits)
        write_teacher(out, name, ids, part, columns, data.present(loaded[name].trunk.modalities).cpu())
    return {"teachers": list(outputs), "samples": len(ids), "temperatures": temperatures}


def parts_of(subjects: list[str], fold: Fold) -> list[str]:
    """Returns train, validation or test for each subject of the list."""
    side = {s: name for name in ("train", "validation", "test") for s in getattr(fold, name)}
    return [side[subject] for subject in subjects]
