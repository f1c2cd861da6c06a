"""By which metrics a study is scored, and by which one it is judged."""

from collections.abc import Sequence

from mtpkd_cli.config.study import EvaluateSection, Study
from mtpkd_cli.registry import METRICS

_HEADLINES = {"classification": "balanced-accuracy", "regression": "ccc"}


def fitting_metrics(study: Study) -> list[str]:
    """Names of the metrics that can score a study, which are its usual ones."""
    tasks = [study.study.task, *(["ordinal"] if study.study.ordinal else [])]
    return [name for name in METRICS.names() if METRICS.constant(name, "TASK") in tasks]


def evaluated_section(study: Study) -> EvaluateSection:
    """The section of evaluation with the metrics that it has in this study."""
    return study.evaluate.model_copy(update={"metrics": study.evaluate.metrics or fitting_metrics(study)})


def headline_of(names: Sequence[str], task: str) -> str:
    """The metric that a study is judged by: the usual one of its task where it is asked for, else the first."""
    usual = _HEADLINES[task]
    return usual if usual in names else names[0]


def headline_without_threshold(names: Sequence[str], task: str) -> str:
    """The same of predictions for which no validation subject chooses a threshold."""
    plain = [name for name in names if METRICS.constant(name, "THRESHOLD") is None]
    return headline_of(plain, task) if plain else _HEADLINES[task]
