"""The study of a table of ready features: its modalities are read off the table's columns."""

from pathlib import Path

from mtpkd_cli.datasets.features import modalities_of
from mtpkd_cli.errors import DataError

_FILE, _MODALITIES = "@FILE@", "@MODALITIES@"


def ready_features_wanted(text: str) -> bool:
    """Whether a preset is to be completed from a table."""
    return _MODALITIES in text


def with_ready_features(text: str, folder: Path) -> str:
    """Fills in the table's name and one section per prefix of its columns, the first one prevalent.

    Raises:
        DataError: The folder does not hold exactly one table with feature columns.
    """
    tables = {
        path: names for path in sorted([*folder.glob("*.parquet"), *folder.glob("*.csv")]) if (names := _names(path))
    }
    if len(tables) != 1:
        found = ", ".join(path.name for path in tables) or "none"
        raise DataError(
            f"{len(tables)} tables of features are there ({found})",
            where=folder,
            expected="exactly one .parquet or .csv file with columns like eda__mean",
            todo="give the table a folder of its own",
        )
    [(table, names)] = tables.items()
    roles = ["prevalent", *["privileged"] * (len(names) - 1)]
    sections = [
        f'[modalities.{name}]\nrole = "{role}"\nencoder = "table"\n' for name, role in zip(names, roles, strict=True)
    ]
    return text.replace(_FILE, table.name).replace(_MODALITIES, "\n".join(sections).rstrip())


def _names(path: Path) -> list[str]:
    """Modalities of a table; none where it has no feature columns."""
    try:
        return list(modalities_of(path))
    except DataError:
        return []
