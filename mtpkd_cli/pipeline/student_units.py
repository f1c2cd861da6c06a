"""The students of one fold and seed: distilled ones, and joint teachers with imputed input, scored like them."""

from collections.abc import Iterator
from typing import Any

from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.config import Study
from mtpkd_cli.config.methods import METHODS
from mtpkd_cli.config.study import FitOptions
from mtpkd_cli.pipeline.candidates import candidates_of
from mtpkd_cli.pipeline.unit import Unit, plain


def student_units(run: RunFolder, study: Study, fold: int, seed: int, teachers: list[str]) -> Iterator[Unit]:
    """Lists the students of one repetition, one per method.

    Args:
        teachers: Names in the bank, the joint one last.
    """
    features = {m: run.features(m) for m in study.prevalent}
    start = run.teacher(fold, seed, study.prevalent_teacher)
    align, bank = run.align(fold, seed), run.bank(fold, seed)
    fit = FitOptions(**{key: getattr(study.distill, key) for key in FitOptions.model_fields})
    sections = {"model": study.network, "student": study.student}
    inputs = {"samples": run.root, "bank": bank, "align": align, f"teachers/{study.prevalent_teacher}": start}
    inputs |= {f"features/{m}": path for m, path in features.items()}
    for method in study.distill.methods:
        if impute := METHODS.constant(method, "IMPUTE"):
            yield _imputation(run, study, fold, seed, method, str(impute))
            continue
        candidates = candidates_of(study, method)
        own: dict[str, Any] = {"teachers": teachers, "sees": [study.sees(name) for name in teachers]}
        own |= {"privileged": len(study.privileged), "task": study.study.task}
        reads = plain(sections) | own | {"distill": fit.model_dump(mode="json") | {method: candidates}, "seed": seed}
        arguments = (
            sections
            | own
            | {
                "samples": run.samples,
                "splits": run.splits,
                "features": features,
                "prevalent_teacher": start,
                "alignment": align,
                "bank": bank,
                "fold": fold,
                "seed": seed,
                "method": method,
                "candidates": candidates,
                "fit": fit,
            }
        )
        folder = run.student(fold, seed, method)
        # The guard's students are those of another method of the study: fitted once, where that method comes first.
        guard = str(candidates[0]["method"])
        spares = {"guard": run.student(fold, seed, guard)} if guard != method and guard in study.distill.methods else {}
        yield Unit("distill", "distill", folder, method, reads, inputs, arguments, fold, seed, spares=spares)


def _imputation(run: RunFolder, study: Study, fold: int, seed: int, method: str, impute: str) -> Unit:
    joint = study.align.joint
    seen, teacher, align = study.teacher_modalities[joint], run.teacher(fold, seed, joint), run.align(fold, seed)
    features = {m: run.features(m) for m in seen}
    own = {"prevalent": study.prevalent, "impute": impute, "task": study.study.task}
    inputs = {"samples": run.root, "align": align, f"teachers/{joint}": teacher}
    inputs |= {f"features/{m}": path for m, path in features.items()}
    arguments = own | {"samples": run.samples, "splits": run.splits, "features": features, "teacher": teacher}
    arguments |= {"alignment": align, "fold": fold, "method": method, "model": study.network}
    reads = plain({"model": study.network}) | own | {"teachers": {joint: seen}}
    return Unit("distill", "impute", run.student(fold, seed, method), method, reads, inputs, arguments, fold, seed)
