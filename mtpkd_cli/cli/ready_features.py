"""The study of a table of ready features: its modalities are read off the table's columns.

Beside the table a second one may lie that has no column of labels: that of recordings without a label.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from mtpkd_cli.config.recordings import READY_FEATURES
from mtpkd_cli.datasets.features import Config, modalities_of
from mtpkd_cli.errors import DataError, first_ten
from mtpkd_cli.media.wide_tables import column_names

_FILE, _MODALITIES = "@FILE@", "@MODALITIES@"
# A line of the preset, which gives way to the .npz files that are there.
_ARRAYS = '# arrays = { video = "video.npz" }     # one .npz file per modality, of one step or several'
_UNLABELLED = (
    '# unlabelled_file = "more.parquet"     # second table, without labels: say in data.unlabelled what becomes of it'
)


def ready_features_wanted(text: str) -> bool:
    """Whether a preset is to be completed from a table."""
    return _MODALITIES in text


def with_ready_features(text: str, folder: Path, assignments: Sequence[str] = ()) -> str:
    """Fills in the tables' names, the .npz files and one section per modality, the first one prevalent.

    Args:
        text: The preset.
        folder: Of the corpus.
        assignments: "KEY=VALUE" each, what is set beside; tables and columns of labels may be named there.

    Raises:
        DataError: It is not plain which table is which: the folder holds several with labels, or none.
    """
    asked = {key.strip(): value.strip().strip("\"'") for key, _, value in (one.partition("=") for one in assignments)}
    arrays = sorted(folder.glob("*.npz"))
    unreadable: list[str] = []
    every = {path: _names(path, unreadable) for path in sorted([*folder.glob("*.parquet"), *folder.glob("*.csv")])}
    tables = every if arrays else {path: names for path, names in every.items() if names}
    if (file := folder / asked.get("data.options.file", "")) in tables:
        tables = {file: tables[file]}
    second = folder / asked.get("data.options.unlabelled_file", "")
    tables = {path: names for path, names in tables.items() if path != second}
    outcomes = re.findall(r"[^][,\s\"']+", asked.get("data.options.targets", ""))
    outcomes = outcomes or [asked.get("data.options.label_column", Config.model_fields["label_column"].default)]
    unlabelled = None if second.is_file() or len(tables) != 2 else _unlabelled_one(tables, outcomes)
    tables = {path: names for path, names in tables.items() if path != unlabelled}
    if len(tables) != 1:
        listed = ", ".join(path.name for path in tables) or "none"
        raise DataError(
            f"{len(tables)} tables of {'samples' if arrays else 'features'} are there ({listed})"
            + (f"\n{first_ten(unreadable)}" if unreadable else ""),
            where=folder,
            expected="one .parquet or .csv file with labels, and columns like eda__mean or .npz files beside it",
            todo="give the table a folder of its own, or name it: --set data.options.file=TABLE, and a second table of "
            "recordings without labels: --set data.options.unlabelled_file=TABLE",
        )
    [(table, columns)] = tables.items()
    names = [*(path.stem for path in arrays), *columns]
    arrays_listed = ", ".join(f'{path.stem} = "{path.name}"' for path in arrays)
    roles = ["prevalent", *["privileged"] * (len(names) - 1)]
    sections = [
        f'[modalities.{name}]\nrole = "{role}"\nencoder = "{READY_FEATURES}"\n'
        for name, role in zip(names, roles, strict=True)
    ]
    filled = text.replace(_FILE, table.name).replace(_MODALITIES, "\n".join(sections).rstrip())
    if unlabelled is not None:
        filled = filled.replace(_UNLABELLED, f'unlabelled_file = "{unlabelled.name}"')
    return filled.replace(_ARRAYS, f"arrays = {{ {arrays_listed} }}") if arrays else filled


def _unlabelled_one(tables: dict[Path, list[str]], outcomes: list[str]) -> Path | None:
    """Of two tables the one without a column of labels, where the other has one and both hold the same modalities."""
    with_labels = [path for path in tables if set(outcomes) & set(column_names(path))]
    others = [path for path in tables if path not in with_labels]
    if len(with_labels) != 1 or len(others) != 1:
        return None
    shared = not tables[with_labels[0]] or set(tables[with_labels[0]]) & set(tables[others[0]])
    people = {Config.model_fields[name].default for name in ("sample_column", "subject_column")}
    return others[0] if shared and people <= set(column_names(others[0])) else None


def _names(path: Path, unreadable: list[str]) -> list[str]:
    """Modalities of a table; none where it has no feature columns, or cannot be read, which is said."""
    try:
        return list(modalities_of(path))
    except DataError as err:
        unreadable.append(f"{path.name}: {err.what}")
        return []
