"""Arrays of features on disk: one .npz per modality, which NumPy reads without pickle.

    ids        (N,) names of the samples, text or whole numbers, each once
    features   (N, D) one step per sample, or (N, T, D); NaN = missing, a step of nothing else is no step
    times_s    optional, (T,) or (N, T): seconds from the sample's start
    names      optional, (D,) text

The features may lie under another name where they are the only array of two or three dimensions beside times_s.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mtpkd_cli.errors import DataError, did_you_mean, first_ten

_SAVE = "np.savez(FILE, ids=np.array(ids, dtype=str), features=features)"
_KNOWN = ("ids", "times_s", "names")


@dataclass(frozen=True)
class Arrays:
    """The features of one modality.

    Args:
        ids: (N,) str.
        values: (N, T, D) float32; NaN = missing.
        times_s: (N, T) float64, or None where the file has none.
        names: D names.
    """

    ids: np.ndarray
    values: np.ndarray
    times_s: np.ndarray | None
    names: tuple[str, ...]

    @property
    def steps(self) -> np.ndarray:
        """(N, T) bool: steps with a value."""
        return ~np.isnan(self.values).all(axis=2)


def read_arrays(path: Path) -> Arrays:
    """Reads the file of one modality.

    Raises:
        DataError: There is no such file, or it is not as above; all that is wrong at once.
    """
    if not path.is_file():
        near = did_you_mean(path.name, [p.name for p in path.parent.iterdir()]) if path.parent.is_dir() else ""
        raise DataError(f"there is no such file{near}", where=path, todo="correct data.options.arrays or data.root")
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            content = {name: file[name] for name in file.files}
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as err:
        raise DataError(f"the arrays cannot be read: {err}", where=path, expected=_SAVE) from err
    problems: list[str] = []
    ids, values = _ids(content, problems), _features(content, problems)
    if ids is not None and values is not None and len(ids) != len(values):
        problems.append(f"{len(ids)} ids and {len(values)} rows of features")
    times, names = _times(content, values, problems), _names(content, values, problems)
    if problems or ids is None or values is None:
        raise DataError(f"the arrays cannot be used\n{first_ten(problems)}", where=path, expected=_SAVE)
    return Arrays(ids, values, times, names)


def _ids(content: dict[str, np.ndarray], problems: list[str]) -> np.ndarray | None:
    ids = content.get("ids")
    if ids is None or ids.ndim != 1 or ids.dtype.kind not in "USiu":
        received = (
            f"found {', '.join(content) or 'nothing'}" if ids is None else f"ids are {ids.dtype} of shape {ids.shape}"
        )
        problems.append(f"there is no array ids of text or whole numbers, (N,): {received}")
        return None
    names = np.char.decode(ids, "utf-8") if ids.dtype.kind == "S" else ids.astype(str)
    distinct, counts = np.unique(names, return_counts=True)
    problems += [f"id '{name}' stands {count} times" for name, count in zip(distinct, counts, strict=True) if count > 1]
    return names


def _features(content: dict[str, np.ndarray], problems: list[str]) -> np.ndarray | None:
    name = "features"
    if name not in content:
        others = [key for key, array in content.items() if key not in _KNOWN and array.ndim in (2, 3)]
        if len(others) != 1:
            problems.append(f"there is no array features; of two or three dimensions are {', '.join(others) or 'none'}")
            return None
        [name] = others
    array = content[name]
    if array.ndim not in (2, 3) or array.dtype.kind not in "fiu" or 0 in array.shape:
        problems.append(f"{name} is {array.dtype} of shape {array.shape}, expected numbers (N, D) or (N, T, D)")
        return None
    values = array.astype(np.float32) if array.ndim == 3 else array[:, None].astype(np.float32)
    if infinite := int(np.isinf(values).any(axis=(1, 2)).sum()):
        problems.append(f"{name}: {infinite} rows hold infinite values; a missing value is NaN")
    return values


def _times(content: dict[str, np.ndarray], values: np.ndarray | None, problems: list[str]) -> np.ndarray | None:
    times = content.get("times_s")
    if times is None or values is None:
        return None
    if times.dtype.kind not in "fiu" or times.shape not in (values.shape[1:2], values.shape[:2]):
        problems.append(f"times_s is {times.dtype} of shape {times.shape}, expected (T,) or (N, T) as features")
        return None
    every = np.broadcast_to(times.astype(np.float64), values.shape[:2])
    if not np.isfinite(every[~np.isnan(values).all(axis=2)]).all():
        problems.append("times_s is not finite at a step that has features")
    return every


def _names(content: dict[str, np.ndarray], values: np.ndarray | None, problems: list[str]) -> tuple[str, ...]:
    names = content.get("names")
    if values is None or names is None:
        return tuple(f"f{j}" for j in range(0 if values is None else values.shape[2]))
    if names.shape != values.shape[2:] or names.dtype.kind != "U":
        problems.append(f"names is {names.dtype} of shape {names.shape}, expected text ({values.shape[2]},)")
    return tuple(names.astype(str).ravel())
