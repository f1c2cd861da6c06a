"""What one section of a study demands of another."""

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from mtpkd_cli.config.methods import METHODS
from mtpkd_cli.config.recordings import READY_FEATURES
from mtpkd_cli.config.scoring import fitting_metrics
from mtpkd_cli.config.study import DistillSection, Study
from mtpkd_cli.errors import StudyError, did_you_mean
from mtpkd_cli.registry import DATASETS, ENCODERS, METRICS, Registry


def problems_across_sections(study: Study) -> list[str]:
    """Returns every contradiction between sections and every name that no file stands for, one line each."""
    return [*_once(study), *_roles(study), *_teachers(study), *_names(study), *_task(study), *_methods(study)]


def _once(study: Study) -> Iterator[str]:
    lists: dict[str, list[Any]] = {
        "study.seeds": study.study.seeds,
        "distill.methods": study.distill.methods,
        "evaluate.metrics": study.evaluate.metrics,
    }
    for key, names in lists.items():
        if len(set(names)) < len(names):
            yield f"{key}: {names} names an entry twice"


def _roles(study: Study) -> Iterator[str]:
    if not study.prevalent:
        yield "modalities: none has role = 'prevalent'; the student needs one"
    if not study.privileged:
        yield "modalities: none has role = 'privileged'; there is nothing to distil"


def _teachers(study: Study) -> Iterator[str]:
    seen = study.teacher_modalities
    for teacher, modalities in seen.items():
        for modality in modalities:
            if modality not in study.modalities:
                yield (
                    f"teachers.{teacher}.modalities: there is no modality '{modality}'"
                    f"{did_you_mean(modality, study.modalities)}"
                )
        if len(set(modalities)) < len(modalities):
            yield f"teachers.{teacher}.modalities: {modalities} names a modality twice"
    if study.align.joint not in seen:
        yield f"align.joint: there is no teacher '{study.align.joint}'{did_you_mean(study.align.joint, seen)}"
    sets = [sorted(modalities) for modalities in seen.values()]
    if study.prevalent and sorted(study.prevalent) not in sets:
        yield f"teachers: none sees exactly the prevalent {study.prevalent}; the student starts from it"
    for modality in study.privileged:
        if [modality] not in sets:
            yield f"teachers: none sees the privileged '{modality}' alone; the T-Net needs its embedding"


def _names(study: Study) -> Iterator[str]:
    metrics = [(f"evaluate.metrics: {name}", METRICS, name) for name in study.evaluate.metrics]
    methods = [("distill.methods", METHODS, name) for name in study.distill.methods]
    encoders = [*ENCODERS.names(), READY_FEATURES]
    for name, modality in study.modalities.items():
        if modality.encoder not in encoders:
            yield (
                f"modalities.{name}.encoder: there is no encoder '{modality.encoder}'"
                f"{did_you_mean(modality.encoder, encoders)} (known: {', '.join(encoders)})"
            )
    for where, registry, name in [("data.adapter", DATASETS, study.data.adapter), *methods, *metrics]:
        yield from _unknown(registry, name, where)


def _task(study: Study) -> Iterator[str]:
    task, fitting = study.study.task, fitting_metrics(study)
    if task == "regression" and (study.study.ordinal or study.model.classifier == "ordinal"):
        key = "study.ordinal = true" if study.study.ordinal else "model.classifier = 'ordinal'"
        yield f"{key}: a regression has no classes that could have an order"
    for key, neutral in {"sharpening": 1.0, "confidence": 0.0}.items():
        if task == "regression" and getattr(study.distill, key) != neutral:
            yield f"distill.{key}: a regression has no class probabilities, of which this is"
    for name in (name for name in study.evaluate.metrics if name in METRICS.names()):
        if METRICS.constant(name, "TASK") == "ordinal" and not study.study.ordinal:
            yield f"evaluate.metrics: '{name}' is for classes in an order, which study.ordinal = true says"
        elif name not in fitting:
            yield f"evaluate.metrics: '{name}' is not for study.task = '{task}' (for it: {', '.join(fitting)})"


def _unknown(registry: Registry, name: str, where: str) -> Iterator[str]:
    try:
        registry.check(name)
    except StudyError as err:
        yield f"{where}: {err.what} (known: {err.expected})"


def _methods(study: Study) -> Iterator[str]:
    distill = study.distill
    if study.evaluate.reference not in distill.methods:
        yield f"evaluate.reference: '{study.evaluate.reference}' is not among distill.methods {distill.methods}"
    for name, options in distill.method.items():
        if (method := METHODS.method_of(name)) != name and method in METHODS.names():
            yield f"distill.method.{name}: a placebo has the options of its method: distill.method.{method}"
            continue
        if name not in METHODS.names():
            yield f"distill.method.{name}: there is no method '{name}'{did_you_mean(name, METHODS.names())}"
            continue
        known, released = METHODS.options(name), METHODS.released(name)
        for key, value in options.items():
            if key not in known:
                yield f"distill.method.{name}.{key}: unknown key{did_you_mean(key, known)} (known: {', '.join(known)})"
            elif type(value) is not type(known[key]) and not (isinstance(known[key], float) and type(value) is int):
                yield f"distill.method.{name}.{key}: received {value!r}; expected a value like {known[key]!r}"
            elif isinstance(value, int | float) and value < 0:
                yield f"distill.method.{name}.{key}: received {value!r}; expected 0 or more"
            elif key in released and value not in released[key]:
                values = " or ".join(map(repr, released[key]))
                yield f"distill.method.{name}.{key}: received {value!r}; expected {values}, as released"
            elif key in DistillSection.model_fields:
                yield from _bounds(f"distill.method.{name}.{key}", key, value)


def _bounds(where: str, key: str, value: object) -> Iterator[str]:
    """The table of one method takes no value that the shared key would refuse."""
    try:
        DistillSection.model_validate({key: value})
    except ValidationError as err:
        yield f"{where}: received {value!r}: {err.errors()[0]['msg']}"
