"""Classical models: what scikit-learn reaches on the features of each teacher and of the student alone, beside them."""

from itertools import product
from pathlib import Path

from mtpkd_cli import interruption
from mtpkd_cli.artifacts import read_parquet
from mtpkd_cli.artifacts.records import write_record
from mtpkd_cli.artifacts.run_folder import repetition_name
from mtpkd_cli.config.recordings import ALL_LABELS, LabelBudget
from mtpkd_cli.config.scoring import headline_of
from mtpkd_cli.config.study import EvaluateSection, ModelSection
from mtpkd_cli.evaluation.classical import (
    CLASSICAL,
    MODELS,
    ClassicalScores,
    compare_with_classical,
    pool_features,
    predict_classical,
)
from mtpkd_cli.evaluation.comparison import Draws, metrics_of
from mtpkd_cli.evaluation.frame_scores import subjects_of
from mtpkd_cli.evaluation.predictions import (
    Predictions,
    read_student_predictions,
    read_teacher_predictions,
    with_labels,
)
from mtpkd_cli.evaluation.summary import TEACHER_PREFIX
from mtpkd_cli.registry import METRICS
from mtpkd_cli.stages import Counts, Job
from mtpkd_cli.training.bank import tested_samples
from mtpkd_cli.training.data import outputs_of, read_data
from mtpkd_cli.training.sides import read_every_side


def build(
    out: Path,
    job: Job,
    *,
    samples: Path,
    splits: Path,
    features: dict[str, Path],
    banks: dict[str, Path],
    students: dict[str, Path],
    teachers: dict[str, list[str]],
    prevalent: list[str],
    seeds: list[int],
    task: str,
    model: ModelSection,
    evaluate: EvaluateSection,
    balanced: bool,
    labels: LabelBudget = ALL_LABELS,
) -> Counts:
    """Fits the models on what each network sees; writes classical.json.

    Args:
        features: Modality -> folder of its cache.
        banks: "fold/seed" -> folder of the teacher bank.
        students: "fold/seed" -> folder of the reference's student.
        teachers: Teacher -> modalities that it sees.
        prevalent: What the student sees.
        evaluate: Metrics, of which the headline is used, reference, resamples and permutations.
        balanced: Whether classes count alike, however frequent they are.
        labels: How many labels are seen.

    Raises:
        ArtifactError: A student, a teacher or the features cannot be read.
        DataError: A fold's people have nothing to learn from.
    """
    table = read_parquet(samples).to_pandas()
    sides = read_every_side(table, splits, labels)
    outputs = outputs_of(table)
    metric = headline_of(metrics_of(evaluate.metrics, len(outputs)), task)
    binary = task == "classification" and len(outputs) == 2
    data = read_data(samples, features, "cpu", model.normalise)
    subjects = subjects_of(table, {key: tested_samples(folder) for key, folder in banks.items()})
    limits = {"resamples": evaluate.resamples, "permutations": evaluate.permutations, "seed": evaluate.bootstrap_seed}
    draws = Draws.of(subjects, **limits)
    networks = {TEACHER_PREFIX + name: seen for name, seen in teachers.items()} | {evaluate.reference: prevalent}
    advance = job.reporter.progress("classical", len(networks))
    rows = []
    # The student alone and the teacher of its modalities have the same rivals.
    rivals: dict[tuple[str, ...], dict[str, Predictions]] = {}
    for network, seen in networks.items():
        if tuple(seen) not in rivals:
            inputs = pool_features(data, seen)
            rivals[tuple(seen)] = {}
            for name in MODELS[task]:
                tables = {}
                for fold, seed in product(range(len(sides)), seeds):
                    interruption.check()
                    tables[repetition_name(fold, seed)] = predict_classical(
                        name, data, inputs, sides[fold], seed, balanced=balanced
                    )
                rivals[tuple(seen)][name] = with_labels(tables, table, binary)
        if network == evaluate.reference:
            tables = {key: read_student_predictions(folder) for key, folder in students.items()}
        else:
            file = f"{network.removeprefix(TEACHER_PREFIX)}.parquet"
            tables = {key: read_teacher_predictions(folder / file, task, balanced) for key, folder in banks.items()}
        predictions = {network: with_labels(tables, table, binary)} | rivals[tuple(seen)]
        rows.append(compare_with_classical(network, predictions, seen, metric, draws))
        advance()
    label = METRICS.load(metric).LABEL
    write_record(out / CLASSICAL, ClassicalScores(metric=metric, label=label, test=draws.test_in_words, rows=rows))
    return {"networks": len(networks), "models": len(MODELS[task])}
