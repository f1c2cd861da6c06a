"""What a run has logged, handed to an experiment tracker: losses of every epoch, scores of every method.

The histories and metrics.json stay the truth; they are copied into a tracker afterwards, as often as one likes: what
it has of a unit is replaced (TensorBoard) or left alone (MLflow).
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mtpkd_cli.artifacts import RunFolder, read_manifest, replaced_folder
from mtpkd_cli.config import Study
from mtpkd_cli.errors import ArtifactError, StudyError
from mtpkd_cli.evaluation.summary import summary_of
from mtpkd_cli.training.checkpoints import HISTORY, read_history

Tracker = Literal["tensorboard", "mlflow"]
UNIT, DIGEST = "mtpkd.unit", "mtpkd.digest"
# A server takes so many numbers at a time.
BATCH = 1000


@dataclass(frozen=True)
class TrackedUnit:
    """One model, or the evaluation.

    Args:
        unit: The unit's folder within the run, e.g. fold-0/seed-0/students/kd.
        digest: Of its manifest; another one where the unit was made anew.
        values: (name, epoch, value).
    """

    unit: str
    digest: str
    values: list[tuple[str, int, float]]


def tracked_units(run: RunFolder) -> Iterator[TrackedUnit]:
    """Everything that is finished and has numbers: teachers, alignment, students, and the evaluation last."""
    for path in run.repeated_files(HISTORY):
        folder, manifest = path.parent, read_manifest(path.parent)
        if manifest is not None:
            values = [item for epoch, entry in enumerate(read_history(path)) for item in _flat(entry, epoch)]
            yield TrackedUnit(run.relative(folder), manifest.digest, values)
    manifest = read_manifest(run.evaluation)
    if manifest is not None:
        scores = [
            (f"{metric}/{method}", 0, score.value)
            for method, row in summary_of(run).methods.items()
            for metric, score in row.scores.items()
            if score.value is not None
        ]
        yield TrackedUnit(run.relative(run.evaluation), manifest.digest, scores)


def track(run: RunFolder, study: Study, tracker: Tracker, where: str | None) -> tuple[int, str]:
    """Copies all that is there into a tracker; returns how many units it copied, and where.

    Args:
        where: A folder (TensorBoard; None = RUN/tracking/tensorboard) or the address of a server or database (MLflow;
            None = MLFLOW_TRACKING_URI).

    Raises:
        StudyError: The tracker is not installed, or there is no address.
        ArtifactError: Nothing of the run is finished, or the tracker refuses.
    """
    units = list(tracked_units(run))
    if not units:
        raise ArtifactError("nothing is finished that could be tracked", where=run.root, todo=f"mtpkd run {run.root}")
    if tracker == "tensorboard":
        folder = Path(where) if where else run.tracking / tracker
        return _tensorboard(units, folder), str(folder)
    address = where or os.environ.get("MLFLOW_TRACKING_URI")
    if not address:
        expected = "--where ADDRESS or the variable MLFLOW_TRACKING_URI"
        raise StudyError("MLflow has no address", where="--where", expected=expected)
    return _mlflow(units, study.study.name, address), address


def _flat(entry: Mapping[str, Any], epoch: int, prefix: str = "") -> Iterator[tuple[str, int, float]]:
    for name, value in entry.items():
        if isinstance(value, dict):
            yield from _flat(value, epoch, f"{prefix}{name}/")
        elif isinstance(value, int | float) and not isinstance(value, bool) and name != "epoch":
            yield f"{prefix}{name}", epoch, float(value)


def _tensorboard(units: list[TrackedUnit], folder: Path) -> int:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as err:
        raise _lacking("tensorboard") from err
    if folder.exists() and not (folder / ".mtpkd").is_file():
        raise StudyError("there is something else already", where=folder, todo="name another folder by --where")
    with replaced_folder(folder) as place:
        (place / ".mtpkd").touch()
        for unit in units:
            writer: Any = SummaryWriter(str(place / unit.unit))
            for name, epoch, value in unit.values:
                writer.add_scalar(name, value, epoch)
            writer.close()
    return len(units)


def _mlflow(units: list[TrackedUnit], study: str, address: str) -> int:
    try:
        from mlflow import MlflowClient
        from mlflow.entities import Metric, RunTag
        from mlflow.exceptions import MlflowException
    except ImportError as err:
        raise _lacking("mlflow") from err
    copied = 0
    try:
        client = MlflowClient(address)
        experiment = client.get_experiment_by_name(study)
        number = experiment.experiment_id if experiment else client.create_experiment(study)
        for unit in units:
            same = f"tags.`{UNIT}` = '{unit.unit}' and tags.`{DIGEST}` = '{unit.digest}'"
            if client.search_runs([number], same):
                continue
            made = client.create_run(number, run_name=unit.unit).info.run_id
            values = [Metric(_allowed(name), value, 0, epoch) for name, epoch, value in unit.values]
            for first in range(0, len(values), BATCH):
                client.log_batch(made, metrics=values[first : first + BATCH])
            # The tags last: a run that was cut off is copied anew.
            client.log_batch(made, tags=[RunTag(UNIT, unit.unit), RunTag(DIGEST, unit.digest)])
            client.set_terminated(made)
            copied += 1
    except MlflowException as err:
        raise ArtifactError(f"MLflow refuses: {str(err).splitlines()[0]}", where=address) from err
    return copied


def _allowed(name: str) -> str:
    """MLflow takes letters, digits, and some signs."""
    return "".join(letter if letter.isalnum() or letter in "_-./ " else "_" for letter in name)


def _lacking(name: str) -> StudyError:
    return StudyError(f"'{name}' is not installed", where="--to", todo="pip install 'mtpkd[track]'")
