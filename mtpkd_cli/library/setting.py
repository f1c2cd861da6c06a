"""Settings given with a command: judged before study.toml is written, and taken back where the command fails by them.

A command that fails for another reason, such as an interrupt, a full disk, or a stage that reads nothing of what was
set, leaves them: the same command then goes on.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.config import Study, read_study
from mtpkd_cli.config.reading import changed_text, parse_study, study_text, write_study
from mtpkd_cli.errors import ArtifactError, Busy, Interrupted, MachineError, StorageError, StudyError
from mtpkd_cli.stages import Reporter

_NOT_BY_SETTING = (Busy, Interrupted, MachineError, StorageError)


@dataclass
class Setting:
    """The study of a command, which may have changed it.

    Args:
        study: As it is now.
        before: As it was; None where nothing was to be changed.
        stage: The stage that the command is at, None before the first.
    """

    study: Study
    before: Study | None = None
    stage: str | None = None


@contextmanager
def setting(
    run: RunFolder, assignments: Sequence[str], unset: Sequence[str], *, overwrite: bool, reporter: Reporter
) -> Iterator[Setting]:
    """Around a command: changes study.toml, and puts it back where the command fails for a reason of the change.

    Args:
        run: The run folder.
        assignments: "KEY=VALUE" each.
        unset: Keys to take out.
        overwrite: Whether the command replaces a listing of samples that no longer fits.
        reporter: Where to tell what has changed.

    Raises:
        StudyError: A change is no study, or the corpus lacks what it names; nothing is written then.
        DataError: The corpus cannot be used so; nothing is written then.
        ArtifactError: The samples of the run are frozen and would no longer fit; nothing is written then.
    """
    before = read_study(run.study)
    if not assignments and not unset:
        yield Setting(before)
        return
    content = run.study.read_bytes()
    text, changes = changed_text(study_text(run.study), assignments, unset, where=run.study)
    now = Setting(parse_study(text, where=run.study), before)
    try:
        _check_with_corpus(run, now.study, before, overwrite)
    except Exception:
        reporter.note(f"{run.study} is left as it was: {'; '.join(changes)} cannot be")
        raise
    if text != study_text(run.study):
        write_study(run.study, text.encode())
    for change in changes:
        reporter.note(f"{run.study}: {change}")
    try:
        yield now
    except Exception as err:
        if _by_setting(run, now, err) and run.study.read_bytes() == text.encode():
            write_study(run.study, content)
            reporter.note(f"{run.study} is as it was before: {'; '.join(changes)} is taken back")
        raise


def _check_with_corpus(run: RunFolder, study: Study, before: Study, overwrite: bool) -> None:
    """Lists the corpus anew where the change concerns the listing or the media, and sees whether the run takes it."""
    from mtpkd_cli.config.recordings import READY_FEATURES
    from mtpkd_cli.datasets import media_of
    from mtpkd_cli.pipeline import States, units_of
    from mtpkd_cli.pipeline.doing import frozen_samples
    from mtpkd_cli.stages.samples import list_samples
    from mtpkd_cli.training.splits import check_folds, folds_of

    units = units_of(run, study)  # options of encoders and candidates are judged here
    if (study.data, study.study.task, study.modalities) == (before.data, before.study.task, before.modalities):
        return
    root, root_before = run.data_root(study.data.root), run.data_root(before.data.root)
    if not root.is_dir() and root == root_before:
        return  # a run on a machine without the corpus
    samples, classes = list_samples(root, study.study.task, study.data)
    check_folds(folds_of(samples, study.data), samples, classes)
    for name, modality in study.modalities.items():
        if modality.encoder != READY_FEATURES:
            media_of(samples, name, modality.media or name)
    listing = next(unit for unit in units if unit.module == "samples")
    state = States(run, study, units).of(listing)
    units_before = units_of(run, before)
    was = States(run, before, units_before).of(next(unit for unit in units_before if unit.module == "samples"))
    if state.kind == "stale" and was.kind != "stale" and not overwrite:
        raise frozen_samples(run, state.reason)


def _by_setting(run: RunFolder, now: Setting, err: Exception) -> bool:
    """Whether what failed reads what was set."""
    if isinstance(err, _NOT_BY_SETTING) or now.before is None:
        return False
    if now.stage is None or isinstance(err, StudyError):
        return True
    from mtpkd_cli.pipeline import STAGES, units_of

    # An artifact that does not fit is of an earlier stage, or the frozen listing.
    at = STAGES.index(now.stage)
    concerned = STAGES[: max(at, 1)] if isinstance(err, ArtifactError) else STAGES[at : at + 1]
    return _ingredients(units_of(run, now.study), concerned) != _ingredients(units_of(run, now.before), concerned)


def _ingredients(units: Sequence[Any], stages: Sequence[str]) -> dict[Path, Any]:
    return {unit.folder: (unit.reads, unit.arguments) for unit in units if unit.stage in stages}
