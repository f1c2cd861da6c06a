"""Before a command computes: the facts of a study and its corpus, and the conditions that they do not meet."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from mtpkd_cli.artifacts import RunFolder, read_parquet
from mtpkd_cli.config import Study, parse_options
from mtpkd_cli.config.methods import METHODS
from mtpkd_cli.config.recordings import READY_FEATURES, ModalitySection
from mtpkd_cli.datasets import media_of
from mtpkd_cli.errors import DataError, StudyError, first_ten
from mtpkd_cli.pipeline.candidates import candidates_of, method_settings
from mtpkd_cli.registry import ENCODERS
from mtpkd_cli.stages import Reporter
from mtpkd_cli.stages.samples import classes_stated, list_samples
from mtpkd_cli.training.conditions import CONDITIONS
from mtpkd_cli.training.facts import Facts, Finding
from mtpkd_cli.training.splits import Fold, class_names_of, folds_of, read_folds


def facts_of(
    study: Study,
    samples: pd.DataFrame,
    classes: list[str],
    folds: list[Fold],
    *,
    methods: Sequence[str] = (),
    features: RunFolder | None = None,
) -> Facts:
    """Puts together what conditions read.

    Args:
        study: The study.
        samples: The samples table.
        classes: Names in index order; empty in regression.
        folds: The folds.
        methods: Of these alone; empty = of all of the study.
        features: The run whose features are made: a sample that failed has none. None = none are made yet.
    """
    present = {}
    for name, modality in study.modalities.items():
        table = media_of(samples, name, modality.media or name)
        present[name] = (table["media"] != "").to_numpy()
        ledger = None if features is None else features.features(name) / "failures.parquet"
        if ledger is not None and ledger.is_file():
            failed = read_parquet(ledger, columns=["sample_id"]).to_pandas()["sample_id"]
            present[name] = present[name] & ~table["sample_id"].isin(failed).to_numpy()
    of = [name for name in methods if name in study.distill.methods] or study.distill.methods
    trained = [name for name in of if not METHODS.constant(name, "IMPUTE")]
    names = dict.fromkeys(one.method for name in trained for one in candidates_of(study, name))
    return Facts(
        study=study,
        samples=samples,
        classes=classes,
        classes_stated=classes_stated(study.data),
        folds=folds,
        present=present,
        methods=[method_settings(study, name) for name in names],
        files={name: list(_missing(name, modality)) for name, modality in study.modalities.items()},
    )


def check_start(
    run: RunFolder, study: Study, stages: Sequence[str], reporter: Reporter, *, methods: Sequence[str] = ()
) -> None:
    """Tells what a command will stumble over, before it computes anything.

    Args:
        stages: What is to be done. What only a later stage stumbles over is told and stops nothing.
        methods: Students of these alone; empty = of all.

    Raises:
        StudyError: A key cannot work with this corpus; all problems at once.
        DataError: The corpus cannot be used as the study says, or cannot be listed.
    """
    if not set(stages) & {condition.stage for condition in CONDITIONS.values()}:
        return
    facts = _facts_now(run, study, extracted="extract" not in stages, methods=methods)
    if facts is None:
        return
    problems: list[Finding] = []
    for condition in CONDITIONS.values():
        for finding in condition.findings(facts):
            if finding.kind != "note" and condition.stage in stages:
                problems.append(finding)
            elif condition.stage in stages or (finding.kind != "note" and condition.stage == "distill"):
                reporter.note(str(finding))
    if problems:
        kind = DataError if any(finding.kind == "corpus" for finding in problems) else StudyError
        raise kind(
            f"{len(problems)} of the conditions of this study are not met:\n{first_ten(list(map(str, problems)))}",
            where=run.study,
            todo="mend these; mtpkd check looks over the whole study"
            + (f" (folds are made anew by mtpkd extract {run.root} --overwrite)" if run.splits.is_file() else ""),
        )


def findings_of(facts: Facts) -> Iterator[tuple[str, Finding]]:
    """Name of the condition, and what it finds."""
    for name, condition in CONDITIONS.items():
        yield from ((name, finding) for finding in condition.findings(facts))


def _facts_now(run: RunFolder, study: Study, *, extracted: bool, methods: Sequence[str]) -> Facts | None:
    """The facts of the samples that are listed, or else of the corpus; None where neither can be reached."""
    features = run if extracted else None
    if run.samples.is_file() and run.splits.is_file():
        samples = read_parquet(run.samples).to_pandas()
        folds = read_folds(run.splits)
        return facts_of(study, samples, class_names_of(samples), folds, methods=methods, features=features)
    root = run.data_root(study.data.root)
    if not root.is_dir():
        return None
    samples, classes = list_samples(root, study.study.task, study.data)
    return facts_of(study, samples, classes, folds_of(samples, study.data), methods=methods)


def _missing(name: str, modality: ModalitySection) -> Iterator[str]:
    """What an encoder needs besides the media and is not there."""
    if modality.encoder == READY_FEATURES:
        return
    module = ENCODERS.load(modality.encoder)
    config = parse_options(module.Config, modality.options, where=f"study.toml [modalities.{name}.options]")
    files: list[Path] = module.files(config) if hasattr(module, "files") else []
    yield from (f"a file that is not there: {path}" for path in files if not path.exists())
