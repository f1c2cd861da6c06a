"""What one section of a study demands of another."""

from collections.abc import Iterator

from mtpkd_cli.config.study import Study
from mtpkd_cli.errors import StudyError, did_you_mean
from mtpkd_cli.registry import DATASETS, ENCODERS, METHODS, METRICS, Registry

READY_FEATURES = "table"


def problems_across_sections(study: Study) -> list[str]:
    """Returns every contradiction between sections and every name that no file stands for, one line each."""
    return [*_roles(study), *_teachers(study), *_names(study), *_methods(study)]


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
    encoders = [
        (f"modalities.{name}.encoder", ENCODERS, modality.encoder)
        for name, modality in study.modalities.items()
        if modality.encoder != READY_FEATURES
    ]
    for where, registry, name in [("data.adapter", DATASETS, study.data.adapter), *encoders, *methods, *metrics]:
        yield from _unknown(registry, name, where)


def _unknown(registry: Registry, name: str, where: str) -> Iterator[str]:
    try:
        registry.check(name)
    except StudyError as err:
        yield f"{where}: {err.what} (known: {err.expected})"


def _methods(study: Study) -> Iterator[str]:
    distill = study.distill
    if len(set(distill.methods)) < len(distill.methods):
        yield f"distill.methods: {distill.methods} names a method twice"
    if study.evaluate.reference not in distill.methods:
        yield f"evaluate.reference: '{study.evaluate.reference}' is not among distill.methods {distill.methods}"
    for name, options in distill.method.items():
        if name not in METHODS.names():
            yield f"distill.method.{name}: there is no method '{name}'{did_you_mean(name, METHODS.names())}"
            continue
        known = METHODS.keywords(name, "terms")
        for key, value in options.items():
            if key not in known:
                yield f"distill.method.{name}.{key}: unknown key{did_you_mean(key, known)} (known: {', '.join(known)})"
            elif type(value) is not type(known[key]) and not (isinstance(known[key], float) and type(value) is int):
                yield f"distill.method.{name}.{key}: received {value!r}; expected a value like {known[key]!r}"
