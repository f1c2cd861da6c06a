"""How scores fall as recordings get worse: students as the prevalent modalities suffer, and the joint teacher as
privileged ones go missing.

Where the media of a prevalent modality are there, pictures or sound are damaged and encoded anew; its features are
damaged where they are not, or where an encoder reads something else. No student is trained anew: recordings turn out
worse than those of the study.
"""

from typing import Any

from mtpkd_cli import interruption, metrics
from mtpkd_cli.artifacts import RunFolder, write_json
from mtpkd_cli.config import Study
from mtpkd_cli.pipeline.damaged_features import feature_scenes, missing_scene, score_features, score_teacher
from mtpkd_cli.pipeline.damaged_pass import media_scenes
from mtpkd_cli.pipeline.damaged_scores import Bench, Scene, chosen_rows
from mtpkd_cli.pipeline.measured import corruption_file, made_of
from mtpkd_cli.registry import METRICS
from mtpkd_cli.stages import Job
from mtpkd_cli.training.data import read_data
from mtpkd_cli.training.splits import read_folds

RESAMPLES = 500


def corrupted_scores(run: RunFolder, study: Study, metric: str, job: Job, at_most: int | None = None) -> dict[str, Any]:
    """Scores test samples that have been made worse; writes corruption/corruption.json and returns its content.

    Every method sees the same damage of a sample. A sample that cannot be encoded any more is scored as one that was
    not seen: by the shares of the classes among training samples, or the mean of the targets.

    Args:
        at_most: Try so many test samples, drawn evenly over subjects and classes; None = all.

    Raises:
        ArtifactError: A student, a teacher or the features are not there.
        StorageError: Media have vanished meanwhile.
    """
    seen = study.teacher_modalities[study.align.joint]
    data = read_data(run.samples, {name: run.features(name) for name in seen}, "cpu")
    folds = read_folds(run.splits)
    bench = Bench(run, study, data, chosen_rows(study, data, folds, at_most))
    scenes, media = media_scenes(bench, job)
    rest = [name for name in study.prevalent if media[name]["reason"]]
    by_features, missing = feature_scenes(rest) if rest else [], missing_scene(bench)
    advance = job.reporter.progress("corrupt features", len(bench.pairs))
    for pair in bench.pairs:
        interruption.check()
        score_features(bench, by_features, pair)
        score_teacher(bench, missing, pair)
        advance()
    subjects = sorted(bench.tried.samples["subject"].unique())
    content = {
        "metric": metric,
        "samples": len(bench.chosen),
        "all_samples": len(chosen_rows(study, data, folds, None)),
        "subjects": len(subjects),
        "steps": max(int(bench.tried.sequences[name][1].sum(1).median()) for name in rest or study.prevalent),
        "made_of": made_of(run, study, metric),
        "media": media,
        "kinds": [_row(scene, metric, subjects, study) for scene in [*scenes, *by_features, missing] if scene.curves],
    }
    write_json(corruption_file(run), content)
    return content


def _row(scene: Scene, metric: str, subjects: list[str], study: Study) -> dict[str, Any]:
    """A scene as corruption.json tells it."""
    draws = metrics.bootstrap_weights(len(subjects), RESAMPLES, study.evaluate.bootstrap_seed)
    score = METRICS.load(metric).metric
    methods: dict[str, Any] = {}
    for name, by_level in scene.curves.items():
        scores = [metrics.resampled_scores(score, parts, subjects, draws) for parts in by_level]
        methods[name] = [metrics.plain_estimate(metrics.interval(found.values, found.point)) for found in scores]
    return {
        "kind": scene.kind,
        "on": scene.on,
        "modalities": scene.modalities,
        "title": scene.title,
        "label": scene.label,
        "unit": scene.label[scene.label.rindex("(") + 1 : -1],
        "levels": scene.levels,
        "ticks": scene.ticks,
        "methods": methods,
        "failed": scene.failed,
        "unseen": scene.unseen,
    }
