"""The study of a table of ready features: its modalities are read off the table's columns."""

from pathlib import Path

from mtpkd_cli.config.recordings import READY_FEATURES
from mtpkd_cli.datasets.features import modalities_of
from mtpkd_cli.errors import DataError, first_ten

_FILE, _MODALITIES = "@FILE@", "@MODALITIES@"
# A line of the preset, which gives way to the .npz files that are there.
_ARRAYS = '# arrays = { video = "video.npz" }     # one .npz file per modality, of one step or several'


def ready_features_wanted(text: str) -> bool:
    """Whether a preset is to be completed from a table."""
    return _MODALITIES in text


def with_ready_features(text: str, folder: Path) -> str:
    """Fills in the table's name, the .npz files and one section per modality, the first one prevalent.

    Raises:
        DataError: The folder does not hold exactly one table with feature columns, or one table and .npz files.
    """
    arrays = sorted(folder.glob("*.npz"))
    unreadable: list[str] = []
    every = {path: _names(path, unreadable) for path in sorted([*folder.glob("*.parquet"), *folder.glob("*.csv")])}
    tables = every if arrays else {path: names for path, names in every.items() if names}
    if len(tables) != 1:
        listed = ", ".join(path.name for path in tables) or "none"
        raise DataError(
            f"{len(tables)} tables of {'samples' if arrays else 'features'} are there ({listed})"
            + (f"\n{first_ten(unreadable)}" if unreadable else ""),
            where=folder,
            expected="exactly one .parquet or .csv file, with columns like eda__mean or .npz files beside it",
            todo="give the table a folder of its own",
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
    return filled.replace(_ARRAYS, f"arrays = {{ {arrays_listed} }}") if arrays else filled


def _names(path: Path, unreadable: list[str]) -> list[str]:
    """Modalities of a table; none where it has no feature columns, or cannot be read, which is said."""
    try:
        return list(modalities_of(path))
    except DataError as err:
        unreadable.append(f"{path.name}: {err.what}")
        return []
