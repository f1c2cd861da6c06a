"""The final student: one method fitted to all people, for use in the field; teachers, alignment and bank with it.

Nobody is left to test it. The people who validate (data.validation_share of all, as in the folds) choose the epoch, the
candidate and whether the guard keeps a student that knows no teacher, as they do in the folds; all others train.
"""

from dataclasses import replace

from mtpkd_cli.artifacts import RunFolder
from mtpkd_cli.artifacts.records import Record, read_record, write_record
from mtpkd_cli.config import Study
from mtpkd_cli.errors import ArtifactError, StudyError, did_you_mean
from mtpkd_cli.pipeline.ingredients import samples_of
from mtpkd_cli.pipeline.unit import Unit, value_as
from mtpkd_cli.pipeline.units import units_of_repetition

REQUEST = "final.json"


class FinalRequest(Record):
    """Which methods' final students somebody has asked for, kept beside them: from it `status` knows what is to do."""

    methods: list[str]


def final_units(run: RunFolder, study: Study, methods: list[str]) -> list[Unit]:
    """Lists the units of the final students of some methods: their split, teachers, alignment, bank, the students.

    Raises:
        StudyError: The study has no such method.
    """
    for method in methods:
        if method not in study.distill.methods:
            known = study.distill.methods
            near = did_you_mean(method, known)
            raise StudyError(f"the study has no method '{method}'{near}", where="--method", expected=", ".join(known))
    data = {key: getattr(study.data, key) for key in ("split", "validation_share", "split_seed")}
    ingredients = (samples_of(run), value_as({"data": data}, data=study.data))
    folder = run.final.splits.parent
    # For the field everything counts that somebody has labelled: labels are hidden to learn what they are worth.
    study = study.model_copy(update={"data": study.data.model_copy(update={"label_share": 1.0})})
    units = [Unit("final", "final", folder, "splits", ingredients, files=("splits.json",))]
    for unit in units_of_repetition(run.final, study, 0, study.study.seeds[0]):
        if unit.stage != "distill" or unit.name in methods:
            what = {"train-teachers": "teacher ", "distill": "student "}.get(unit.stage, "")
            units.append(replace(unit, stage="final", name=what + unit.name, spares={}))
    return units


def write_request(run: RunFolder, methods: list[str]) -> None:
    """Adds methods to those whose final students somebody has asked for."""
    folder = run.final.splits.parent
    folder.mkdir(parents=True, exist_ok=True)
    write_record(folder / REQUEST, FinalRequest(methods=list(dict.fromkeys([*_requested(run), *methods]))))


def units_of_final(run: RunFolder, study: Study) -> list[Unit]:
    """Units of the final students that somebody has asked for; of methods that the study has no more, one says so."""
    methods = _requested(run)
    if not methods:
        return []
    known = [method for method in methods if method in study.distill.methods]
    units = final_units(run, study, known) if known else []
    for method in (method for method in methods if method not in known):
        folder = run.final.student(0, study.study.seeds[0], method)
        reason = f"the study has no method '{method}' any more"
        units.append(Unit("final", "distill", folder, f"student {method}", (), impossible=reason))
    return units


def _requested(run: RunFolder) -> list[str]:
    path = run.final.splits.parent / REQUEST
    if not path.exists():
        return []
    try:
        return read_record(path, FinalRequest, "nobody has asked", f"mtpkd final {run.root}").methods
    except ArtifactError:  # of a later version, or damaged: what it asks for is not known
        return []
