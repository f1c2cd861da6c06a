"""Arrays of features on disk: one .npz per modality, which NumPy reads without pickle.

    ids        (N,) names of the samples, text or whole numbers, each once
    features   (N, D) one step per sample, or (N, T, D); NaN = missing, a step of nothing else is no step
    lengths    optional, (N,): steps that a sample has, where the others fill the array up
    mask       optional, (N, T): not 0 where a step counts
    times_s    optional, (T,) or (N, T): seconds from the sample's start
    names      optional, (D,) text

The features may lie under another name where they are the only array of two or three dimensions beside times_s and
mask, and lengths under one that ends in lengths. What else a file holds is not read, and named.
"""

import re
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mtpkd_cli.datasets._array_steps import lengths_of, masked, times_of, zeros_at_ends
from mtpkd_cli.errors import DataError, did_you_mean, first_ten
from mtpkd_cli.media.wide_tables import one_form
from mtpkd_cli.storage import reading

_SAVE = "np.savez(FILE, ids=np.array(ids, dtype=str), features=features)"
_KNOWN = ("ids", "times_s", "names", "mask")
_LENGTHS = re.compile(r"(?:.*_)?(?:lengths?|lens?)", re.IGNORECASE)


@dataclass(frozen=True)
class Arrays:
    """The features of one modality.

    Args:
        ids: (N,) str.
        values: (N, T, D) float32; NaN = missing.
        times_s: (N, T) float64, or None where the file has none.
        names: D names.
        notes: What should be known of the file -> how often.
    """

    ids: np.ndarray
    values: np.ndarray
    times_s: np.ndarray | None
    names: tuple[str, ...]
    notes: dict[str, int] = field(default_factory=dict)

    @property
    def steps(self) -> np.ndarray:
        """(N, T) bool: steps with a value."""
        return ~np.isnan(self.values).all(axis=2)


def read_arrays(path: Path) -> Arrays:
    """Reads the file of one modality.

    Raises:
        DataError: There is no such file, or it is not as above; all that is wrong at once.
    """
    problems: list[str] = []
    content, unreadable = _content(path)
    ids, (name, values) = _ids(content, unreadable, problems), _features(content, unreadable, problems)
    notes: Counter[str] = Counter()
    used = {"ids", name, "names", "times_s", "mask"}
    if ids is not None and values is not None:
        if len(ids) != len(values):
            problems.append(f"{len(ids)} ids and {len(values)} rows of features")
        used |= _leave_out_filling(content, unreadable, values, path.name, problems, notes)
    times, names = times_of(content, values, problems), _names(content, values, problems)
    if problems or ids is None or values is None:
        raise DataError(f"the arrays cannot be used\n{first_ten(problems)}", where=path, expected=_SAVE)
    if unread := sorted({*content, *unreadable} - used):
        notes[f"arrays in {path.name} that are not read ({', '.join(unread)})"] += len(unread)
    return Arrays(ids, values, times, names, {note: count for note, count in notes.items() if count})


def _content(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays by name, and why those cannot be read that hold Python's objects."""
    with reading(path, "the arrays", expected=_SAVE, todo="correct data.options.arrays or data.root"):
        there = path.is_file()
        near = did_you_mean(path.name, [p.name for p in path.parent.iterdir()]) if path.parent.is_dir() else ""
    if not there:
        raise DataError(f"there is no such file{near}", where=path, todo="correct data.options.arrays or data.root")
    content, unreadable = {}, {}
    with reading(path, "the arrays", expected=_SAVE, todo="write the file anew, or copy it again"):
        if not zipfile.is_zipfile(path):
            raise ValueError("this is no .npz file, which is a zip file of arrays")
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            for name in file.files:
                try:
                    array = file[name]
                    # An entry that is no array of NumPy comes as bytes.
                    if isinstance(array, np.ndarray):
                        content[name] = array
                    else:
                        unreadable[name] = "it is no array of NumPy"
                except ValueError as err:
                    if "allow_pickle" not in str(err):
                        raise
                    unreadable[name] = str(err)
    return content, unreadable


def _ids(content: dict[str, np.ndarray], unreadable: dict[str, str], problems: list[str]) -> np.ndarray | None:
    ids = content.get("ids")
    if "ids" in unreadable:
        problems.append(f"ids cannot be read: {unreadable['ids']}; np.array(ids, dtype=str) makes text of them")
        return None
    if ids is None or ids.ndim != 1 or ids.dtype.kind not in "USiu":
        received = (
            f"found {', '.join(content) or 'nothing'}" if ids is None else f"ids are {ids.dtype} of shape {ids.shape}"
        )
        problems.append(f"there is no array ids of text or whole numbers, (N,): {received}")
        return None
    try:
        texts = np.char.decode(ids, "utf-8") if ids.dtype.kind == "S" else ids.astype(str)
    except UnicodeDecodeError as err:
        problems.append(f"ids are bytes that are no UTF-8 text: {err.reason}")
        return None
    names = np.array([one_form(str(name).strip()) for name in texts], dtype=str)
    distinct, counts = np.unique(names, return_counts=True)
    problems += [f"id '{name}' stands {count} times" for name, count in zip(distinct, counts, strict=True) if count > 1]
    return names


def _features(
    content: dict[str, np.ndarray], unreadable: dict[str, str], problems: list[str]
) -> tuple[str, np.ndarray | None]:
    """Name of the array of features, and its values (N, T, D) float32."""
    name = "features"
    if name in unreadable:
        problems.append(f"features cannot be read: {unreadable[name]}; give it one number type, short samples with NaN")
        return name, None
    if name not in content:
        others = [key for key, array in content.items() if key not in _KNOWN and array.ndim in (2, 3)]
        if len(others) != 1:
            problems.append(f"there is no array features; of two or three dimensions are {', '.join(others) or 'none'}")
            return name, None
        [name] = others
    array = content[name]
    if array.ndim not in (2, 3) or array.dtype.kind not in "fiu" or 0 in array.shape:
        problems.append(f"{name} is {array.dtype} of shape {array.shape}, expected numbers (N, D) or (N, T, D)")
        return name, None
    with np.errstate(over="ignore"):
        values = np.array(array if array.ndim == 3 else array[:, None], dtype=np.float32)
    if infinite := int(np.isinf(values).any(axis=(1, 2)).sum()):
        problems.append(f"{name}: {infinite} rows hold infinite values; a missing value is NaN")
    return name, values


def _leave_out_filling(
    content: dict[str, np.ndarray],
    unreadable: dict[str, str],
    values: np.ndarray,
    file: str,
    problems: list[str],
    notes: Counter[str],
) -> set[str]:
    """Makes NaN of steps that fill a sample up, as lengths and mask say; returns the name of the array of lengths."""
    every = [key for key in content if _LENGTHS.fullmatch(key)]
    problems += [
        f"{key} cannot be read: {reason}; give it one number type"
        for key, reason in unreadable.items()
        if _LENGTHS.fullmatch(key) or key == "mask"
    ]
    name = "lengths" if "lengths" in every else every[0] if len(every) == 1 else ""
    counts = masked(content.get("mask"), values.shape[:2], problems)
    if name and (lengths := lengths_of(content[name], name, values.shape[:2], problems)) is not None:
        by_length = np.arange(values.shape[1]) < lengths[:, None]
        counts = by_length if counts is None else by_length & counts
    if counts is None:
        if (ends := zeros_at_ends(values)) and not problems:
            notes[f"samples in {file} that end in steps of zeros, which are read: give lengths where they fill up"] += (
                ends
            )
        return set()
    left_out = ~counts & ~np.isnan(values).all(axis=2)
    held = left_out & (np.nan_to_num(values) != 0).any(axis=2)
    if counts.any() and held.any() and not (np.nan_to_num(values[counts]) != 0).any():
        problems.append("mask or lengths leave out every step that holds values, and keep zeros: is the mask reversed?")
    notes[f"steps in {file} left out by lengths or mask"] += int(left_out.sum())
    notes[f"steps in {file} left out by lengths or mask though they hold values"] += int(held.sum())
    values[~counts] = np.nan
    return {name}


def _names(content: dict[str, np.ndarray], values: np.ndarray | None, problems: list[str]) -> tuple[str, ...]:
    names = content.get("names")
    if values is None or names is None:
        return tuple(f"f{j}" for j in range(0 if values is None else values.shape[2]))
    if names.shape != values.shape[2:] or names.dtype.kind != "U":
        problems.append(f"names is {names.dtype} of shape {names.shape}, expected text ({values.shape[2]},)")
    return tuple(names.astype(str).ravel())
