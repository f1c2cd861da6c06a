"""Teachers and the student alone against scikit-learn's models of the same features, folds and subjects."""

from typing import Any

from mtpkd_cli import interruption, metrics
from mtpkd_cli.artifacts import RunFolder, read_parquet, write_json
from mtpkd_cli.artifacts.run_folder import repetition_name
from mtpkd_cli.config import Study
from mtpkd_cli.evaluation.classical import MODELS, Pooled, classical_rows, pooled
from mtpkd_cli.evaluation.comparison import Draws
from mtpkd_cli.evaluation.frame_scores import subjects_of
from mtpkd_cli.evaluation.predictions import Scored, scored, student_rows, teacher_rows
from mtpkd_cli.pipeline.measured import classical_file, made_of
from mtpkd_cli.registry import METRICS
from mtpkd_cli.stages import TEACHER_PREFIX, Job
from mtpkd_cli.training.bank import tested_samples
from mtpkd_cli.training.data import StudyData, outputs_of, read_data
from mtpkd_cli.training.splits import Fold, read_folds


def classical_scores(run: RunFolder, study: Study, metric: str, job: Job) -> dict[str, Any]:
    """Fits the models on what each network sees; writes classical/classical.json and returns its content.

    Args:
        metric: What they are compared by.

    Raises:
        ArtifactError: A student, a teacher or the features are not there.
    """
    table, task = read_parquet(run.samples).to_pandas(), study.study.task
    binary = task == "classification" and len(outputs_of(table)) == 2
    folds = read_folds(run.splits)
    keys = [(fold, seed) for fold in range(len(folds)) for seed in study.study.seeds]
    data = read_data(run.samples, {name: run.features(name) for name in study.modalities}, "cpu", study.model.normalise)
    subjects = subjects_of(table, {repetition_name(*key): tested_samples(run.bank(*key)) for key in keys})
    limits = study.evaluate
    draws = Draws.of(subjects, resamples=limits.resamples, permutations=limits.permutations, seed=limits.bootstrap_seed)
    networks = {TEACHER_PREFIX + name: seen for name, seen in study.teacher_modalities.items()}
    networks |= {study.evaluate.reference: study.prevalent}
    advance = job.reporter.progress("classical", len(networks))
    rows: list[dict[str, Any]] = []
    # The student alone and the teacher of its modalities have the same rivals.
    rivals: dict[tuple[str, ...], dict[str, Scored]] = {}
    for network, seen in networks.items():
        if tuple(seen) not in rivals:
            inputs = pooled(data, seen)
            said_by = {model: _model_rows(model, data, inputs, folds, keys) for model in MODELS[task]}
            rivals[tuple(seen)] = {model: scored(said, table, binary) for model, said in said_by.items()}
        said = {network: scored(_network_rows(run, study, network, keys), table, binary)} | rivals[tuple(seen)]
        rows.append({"network": network, "modalities": seen} | _compared(said, network, metric, draws))
        advance()
    content = {"metric": metric, "label": METRICS.load(metric).LABEL, "test": draws.test_in_words, "rows": rows}
    content["made_of"] = made_of(run, study, metric)
    write_json(classical_file(run), content)
    return content


def _network_rows(run: RunFolder, study: Study, network: str, keys: list[tuple[int, int]]) -> dict[str, Any]:
    if not network.startswith(TEACHER_PREFIX):
        return {repetition_name(*key): student_rows(run.student(*key, network)) for key in keys}
    name = network.removeprefix(TEACHER_PREFIX)
    return {repetition_name(*key): teacher_rows(run.bank(*key) / f"{name}.parquet", study.study.task) for key in keys}


def _model_rows(
    model: str, data: StudyData, seen: Pooled, folds: list[Fold], keys: list[tuple[int, int]]
) -> dict[str, Any]:
    rows = {}
    for fold, seed in keys:
        interruption.check()
        rows[repetition_name(fold, seed)] = classical_rows(model, data, seen, folds[fold], seed)
    return rows


def _compared(said: dict[str, Scored], network: str, metric: str, draws: Draws) -> dict[str, Any]:
    """Scores of a network and its rivals, and the network minus each of them."""
    module = METRICS.load(metric)
    parts = {name: own.given(getattr(module, "THRESHOLD", None)) for name, own in said.items()}
    resampled = {
        name: metrics.resampled_scores(module.metric, [part for _, part in keyed.values()], *draws.bootstrap)
        for name, keyed in parts.items()
    }
    rivals = {}
    for rival in [name for name in said if name != network]:
        pair = {name: parts[name] for name in (network, rival)}
        found = metrics.versus(
            module.metric, pair, resampled, rival, family=[network], subjects=draws.subjects, swaps=draws.swaps,
            ranked=getattr(module, "ORDER_ONLY", False),
        )  # fmt: skip
        rivals[rival] = {"score": _estimate(resampled[rival]), "difference": metrics.plain_versus(found[network])}
    return {"score": _estimate(resampled[network]), "rivals": rivals}


def _estimate(found: metrics.Resampled) -> dict[str, Any]:
    return metrics.plain_estimate(metrics.interval(found.values, found.point))
