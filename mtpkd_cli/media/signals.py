"""Reading signals: a column of a CSV or Parquet table as evenly sampled values.

Where there is a column of times its stamps place the values: jitter is smoothed, uneven rows are resampled, and what
cannot be placed is refused. Short gaps are interpolated and counted, long ones are an error; nothing is repaired
silently.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from mtpkd_cli.errors import DataError
from mtpkd_cli.media._even_grid import fill_even, resample_uneven
from mtpkd_cli.media._placement import Placement, place_rows
from mtpkd_cli.media._signal_tables import Stamp, numbers, repeated_rows, series_column, stamp, table
from mtpkd_cli.media._time_units import ANY_RATES_HZ, NAMES, times_in, unit_of
from mtpkd_cli.media.reader_names import note_reader

_RATE_TOLERANCE = 0.02
# What a recording may lack at a sample's end before that is told: stamps and lengths are rounded.
_END_TOLERANCE_ROWS = 1.5


@dataclass(frozen=True)
class Signal:
    """An evenly sampled signal.

    Args:
        values: (N,) float64, finite, in the file's unit.
        rate_hz: Rate of the values.
        n_interpolated: How many of them stand for missing or lost rows and were interpolated.
        n_trimmed: Rows beyond the wanted number that were left off at the end.
        n_padded: Values at the end that repeat the last one, up to the wanted number.
        past_end_s: Seconds of the wanted part that lie after the recording's end.
        recording_s: Length of the whole recording.
        placing: What was done to place rows in time, as encoders count it, e.g. {"stamps_smoothed": 3840}.
    """

    values: np.ndarray
    rate_hz: float
    n_interpolated: int = 0
    n_trimmed: int = 0
    n_padded: int = 0
    past_end_s: float = 0.0
    recording_s: float = 0.0
    placing: Mapping[str, float] = field(default_factory=dict)

    @property
    def notes(self) -> dict[str, float]:
        """What was done to the rows, as encoders count it."""
        done = {
            "rows_trimmed": float(self.n_trimmed),
            "rows_padded": float(self.n_padded),
            "seconds_past_end": round(self.past_end_s, 3),
            **self.placing,
        }
        return {"interpolated_rows": float(self.n_interpolated)} | {key: n for key, n in done.items() if n}


def with_rows(signal: Signal, rows: int, off: int, where: str) -> Signal:
    """The signal with exactly this many values: trimmed at its end, or its last value repeated.

    Args:
        signal: A whole clip.
        rows: Values wanted.
        off: By how many it may differ.
        where: File and column, for messages.

    Raises:
        DataError: It differs by more.
    """
    more = len(signal.values) - rows
    if abs(more) > off:
        raise DataError(
            f"the clip has {len(signal.values)} rows",
            where=where,
            expected=f"{rows}, give or take {off}",
            todo="copy the file again, leave this sample out by data.exclude, or change the options rows and rows_off",
        )
    padded = np.pad(signal.values[:rows], (0, max(0, -more)), mode="edge")
    return replace(signal, values=padded, n_trimmed=max(0, more), n_padded=max(0, -more))


def read_signal(
    path: Path,
    column: str,
    sample_rate_hz: float | None = None,
    *,
    time_column: str | None = None,
    time_unit_s: float | None = None,
    rates_hz: tuple[float, float] = ANY_RATES_HZ,
    start_s: float | None = None,
    end_s: float | None = None,
) -> Signal:
    """Reads a column of a table or a part of it.

    Args:
        path: A CSV (tab, semicolon or comma) or Parquet table with named columns, or a file of the Empatica E4.
        column: Name of the signal's column.
        sample_rate_hz: Rate; needed where there is no time column, checked against it where there is one.
        time_column: Name of the column of times; None = rows are evenly spaced.
        time_unit_s: Seconds per unit of the time column, e.g. 1e-6 for microseconds; None = the column's type or name
            states it, or it is inferred from the rates that are possible.
        rates_hz: The least and the highest at which sensors of this kind record.
        start_s: Start, seconds from the first row; None = the first row.
        end_s: End in the same time, exclusive; None = the last row.

    Raises:
        DataError: The file or column is missing or not numeric, rows cannot be placed by their times, the unit of
            times is impossible or not known, the rates disagree, no row lies in the segment, or more is missing than
            `_even_grid` allows at a time or of all rows.
    """
    key = stamp(path)
    opened = table(key)
    values = numbers(key, column)
    note_reader("pyarrow")
    if opened.stated_hz or time_column is None:
        rate_hz = opened.stated_hz or sample_rate_hz
        if rate_hz is None:
            todo = "set sample_rate_hz or time_column in the encoder's options"
            raise DataError("the signal's rate is not known", where=path, expected="a rate or a time column", todo=todo)
        placed = Placement(np.arange(len(values)), np.arange(len(values)) / rate_hz, rate_hz, rate_hz, True)
        stated = f"the {opened.device} file states"
    else:
        placed = _placed_by_times(key, time_column, time_unit_s, rates_hz, sample_rate_hz, end_s)
        stated = f"column '{time_column}' has"
    if sample_rate_hz is not None:
        placed = _at_rate(placed, sample_rate_hz, stated, path)
    fill = fill_even if placed.even else resample_uneven
    filled, n_interpolated = fill(placed, values, start_s, end_s, f"{path}, column '{column}'")
    recording_s = float(placed.times_s[-1]) + 1 / placed.slowest_hz
    past_end_s = 0.0 if end_s is None else end_s - recording_s
    share = min(1.0, len(filled) / (placed.rate_hz * recording_s))
    return Signal(
        filled,
        float(placed.rate_hz),
        n_interpolated,
        past_end_s=past_end_s if past_end_s * placed.slowest_hz > _END_TOLERANCE_ROWS else 0.0,
        recording_s=recording_s,
        placing=_of_part(placed.notes, share) | ({"read_as_empatica_e4": 1.0} if opened.device else {}),
    )


def named_signal(
    path: Path,
    options: Mapping[str, Any],
    start_s: float | None = None,
    end_s: float | None = None,
) -> Signal:
    """Reads the signal that an encoder's options name: column, rates, time_column ("" = none) and time_unit_s.

    Raises:
        DataError: See `read_signal`.
    """
    return read_signal(
        path,
        options["column"],
        options["sample_rate_hz"],
        time_column=options["time_column"] or None,
        time_unit_s=options["time_unit_s"],
        rates_hz=tuple(options.get("rates_hz", ANY_RATES_HZ)),
        start_s=start_s,
        end_s=end_s,
    )


def _placed_by_times(
    key: Stamp,
    name: str,
    time_unit_s: float | None,
    rates_hz: tuple[float, float],
    sample_rate_hz: float | None,
    end_s: float | None,
) -> Placement:
    """Rows placed by a column of times; notes say in which unit they were taken where nobody states it."""
    times, path = times_in(key, name), key[0]
    if len(times.ticks) < 2:
        raise DataError("one row has no rate", where=path, expected="two rows or more")
    if not np.ptp(times.ticks) > 0:  # constant, or missing
        return _placed(key, name, 1.0)
    unit_s, inferred = unit_of(
        times, name, path, unit_s=time_unit_s, rates_hz=rates_hz, sample_rate_hz=sample_rate_hz, end_s=end_s
    )
    placed = _placed(key, name, unit_s)
    if not inferred:
        return placed
    return replace(placed, notes=placed.notes | {f"times_taken_as_{NAMES[unit_s]}": 1.0})


def _of_part(notes: Mapping[str, float], share: float) -> dict[str, float]:
    """Counts of rows (stamps_..., rows_...) of a part of the recording; other notes hold for every part."""
    counts = ("rows_", "stamps_")
    return {key: float(round(n * share)) if key.startswith(counts) else n for key, n in notes.items()}


@lru_cache(maxsize=8)
def _placed(key: Stamp, name: str, unit_s: float) -> Placement:
    times_s = times_in(key, name).ticks * unit_s
    if np.ptp(times_s) > 0 and (series := series_column(key, times_s)):
        raise DataError(
            f"column '{series}' tells rows of equal '{name}' apart: the table holds several series",
            where=key[0],
            expected="one series per table, each in columns of its own",
            todo=f"write a table for each '{series}'",
        )
    return place_rows(times_s, partial(repeated_rows, key), name, str(key[0]))


def _at_rate(placed: Placement, sample_rate_hz: float, stated: str, path: Path) -> Placement:
    """The rows where the options state their rate: it must be theirs, and is taken where it moves none of them."""
    low_hz, high_hz = placed.slowest_hz * (1 - _RATE_TOLERANCE), placed.rate_hz * (1 + _RATE_TOLERANCE)
    if not low_hz <= sample_rate_hz <= high_hz:
        raise DataError(
            f"{stated} {placed.rate_hz:.6g} rows per second, sample_rate_hz is {sample_rate_hz:g}",
            where=path,
            expected=f"rates within {_RATE_TOLERANCE:.0%}",
            todo="correct sample_rate_hz or time_unit_s, or leave sample_rate_hz out",
        )
    moved_s = float(placed.times_s[-1]) * abs(placed.rate_hz / sample_rate_hz - 1)
    if not placed.even or moved_s > 0.5 / sample_rate_hz:
        return placed
    return replace(placed, rate_hz=sample_rate_hz, slowest_hz=sample_rate_hz)
