"""Damaged recordings: students as the prevalent modalities suffer, the joint teacher as privileged ones go missing.

Where the media of a prevalent modality are there, pictures or sound are damaged and encoded anew; its features are
damaged where they are not, or where an encoder reads something else.
"""

from pathlib import Path

from mtpkd_cli import interruption
from mtpkd_cli.artifacts.records import write_record
from mtpkd_cli.artifacts.run_folder import repetition_name
from mtpkd_cli.config.recordings import ALL_LABELS, LabelBudget
from mtpkd_cli.config.scoring import headline_of
from mtpkd_cli.config.study import EvaluateSection, ExtractSection, ModalitySection, ModelSection
from mtpkd_cli.evaluation.comparison import metrics_of
from mtpkd_cli.evaluation.damaged_features import feature_scenes, missing_scene, score_features, score_teacher
from mtpkd_cli.evaluation.damaged_media import DamagePass, media_scenes
from mtpkd_cli.evaluation.robustness import CORRUPTION, Bench, RobustnessScores, chosen_rows, testable_rows
from mtpkd_cli.stages import Counts, Job
from mtpkd_cli.training.data import outputs_of, read_data
from mtpkd_cli.training.sides import read_every_side


def build(
    out: Path,
    job: Job,
    *,
    samples: Path,
    splits: Path,
    features: dict[str, Path],
    students: dict[str, dict[str, Path]],
    teachers: dict[str, Path],
    joint: str,
    modalities: dict[str, ModalitySection],
    privileged: list[str],
    damaged: dict[str, Path],
    seeds: list[int],
    task: str,
    model: ModelSection,
    extract: ExtractSection,
    evaluate: EvaluateSection,
    at_most: int | None,
    labels: LabelBudget = ALL_LABELS,
) -> Counts:
    """Scores test samples that have been made worse; writes corruption.json.

    Every method sees the same damage of a sample. A sample that cannot be encoded any more is scored as one that was
    not seen: by the shares of the classes among training samples, or the mean of the targets.

    Args:
        features: Modality that the joint teacher sees -> folder of its cache.
        students: Method that is no control -> "fold/seed" -> folder of the student.
        teachers: "fold/seed" -> folder of the joint teacher as trained.
        joint: Its name.
        modalities: Prevalent modality -> its section.
        privileged: Those that the joint teacher sees beside.
        damaged: Prevalent modality -> folder in which its features of damaged media are kept.
        evaluate: Metrics, of which the headline is used, and the seed of draws.
        at_most: Try so many test samples, drawn evenly over subjects and classes; None = all.
        labels: How many labels are seen.

    Raises:
        ArtifactError: A student, a teacher or the features cannot be read.
        StorageError: Media have vanished meanwhile.
    """
    data, prevalent = read_data(samples, features, "cpu"), list(modalities)
    sides = read_every_side(data.samples, splits, labels)
    metric = headline_of(metrics_of(evaluate.metrics, len(outputs_of(data.samples))), task)
    by_person = model.normalise == "subject"
    chosen = chosen_rows(data, sides, prevalent, at_most, whole_people=by_person, seed=evaluate.bootstrap_seed)
    bench = Bench(data, sides, seeds, prevalent, model.normalise, students, chosen)
    extract, note, progress = extract.with_workers(job.extraction.workers), job.reporter.note, job.reporter.progress
    plan = DamagePass(modalities, damaged, extract, job.extraction.root, job.overwrite, note, progress)
    scenes, media = media_scenes(bench, plan)
    rest = [name for name in prevalent if media[name].reason]
    by_features, missing = feature_scenes(rest) if rest else [], missing_scene(privileged)
    advance = job.reporter.progress("corrupt features", len(bench.pairs))
    for pair in bench.pairs:
        interruption.check()
        score_features(bench, by_features, pair)
        score_teacher(bench, missing, pair, joint, teachers[repetition_name(*pair)])
        advance()
    subjects = sorted(bench.tried.samples["subject"].unique())
    scores = RobustnessScores(
        metric=metric,
        samples=len(chosen),
        all_samples=len(testable_rows(data, sides, prevalent)),
        subjects=len(subjects),
        steps=max(int(bench.tried.sequences[name][1].sum(1).median()) for name in rest or prevalent),
        media=media,
        kinds=[
            scene.damage_curves(metric, subjects, evaluate.bootstrap_seed)
            for scene in [*scenes, *by_features, missing]
            if scene.curves
        ],
    )
    write_record(out / CORRUPTION, scores)
    return {"samples": len(chosen), "kinds": len(scores.kinds)}
