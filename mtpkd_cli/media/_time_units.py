"""Columns of times: numbers in any unit, time stamps or ISO text, as seconds since the first row.

Where nobody states the unit of numbers, it is the only one that gives a rate at which such a sensor records; Unix time
shows its unit by its size. Where several are left the user is asked, and a stated unit that gives an impossible rate is
an error that names the likely one.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from mtpkd_cli.errors import DataError
from mtpkd_cli.media._signal_tables import Stamp, as_float, column_of
from mtpkd_cli.media._stamp_smoothing import mean_step

NAMES = {
    1.0: "seconds",
    1e-3: "milliseconds",
    1e-6: "microseconds",
    1e-9: "nanoseconds",
    60.0: "minutes",
    3600.0: "hours",
    86_400.0: "days",
}
"""Units of time in seconds, and what notes call them."""

_FINE = (1.0, 1e-3, 1e-6, 1e-9)
# Taken where a column's name or an option says so, or where nothing finer is possible.
_COARSE = (60.0, 3600.0, 86_400.0)
_SPELT = {
    1.0: ("s", "sec", "secs", "second", "seconds"),
    1e-3: ("ms", "msec", "millisec", "millis", "milliseconds"),
    1e-6: ("us", "µs", "μs", "usec", "micros", "microseconds"),
    1e-9: ("ns", "nsec", "nanos", "nanoseconds"),
    60.0: ("min", "mins", "minutes"),
}
_UNIT_OF = {spelling: unit for unit, spellings in _SPELT.items() for spelling in spellings}
# "timestamp [ns]", "time (ms)", "time_ms", "ms"
_AT_THE_END = re.compile(r"(?:^|[\[({_\s.-])([a-zµμ]+)[\])}]?\s*$")
ANY_RATES_HZ = (0.01, 100_000.0)
"""Rates of a sensor of which nothing is known."""

# Where several units are possible, rates like these are what is recorded.
_USUAL_HZ = (1.0, 2500.0)
# Unix time from 2000 to 2100, seconds.
_EPOCH_S = (946_684_800.0, 4_102_444_800.0)
# How far a mean rate may be from the rate that the options state, before stamps are looked at closely.
_AGREEMENT = 1.5
_SHORTEST_S = 1.0
# In less, nothing slow is recorded: a sensor so many times slower than expected is as likely.
_TOO_SHORT_S, _SLOWER = 2.0, 10.0
_PANDAS_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_DAY_S = 86_400.0


@dataclass(frozen=True)
class Times:
    """A column of times.

    Args:
        ticks: (N,) float64, since the first row, in the column's unit; NaN where missing.
        first: The first row's own number.
        unit_s: Seconds per tick as the column's type states it; None = plain numbers.
    """

    ticks: np.ndarray
    first: float
    unit_s: float | None = None

    @cached_property
    def step(self) -> float:
        """Ticks from row to row, the least number there is where they cannot be told."""
        return max(mean_step(self.ticks), float(np.finfo(float).tiny))


@lru_cache(maxsize=8)
def times_in(stamp: Stamp, name: str) -> Times:
    """Reads a column of times.

    Raises:
        DataError: There is no such column, or a cell is no time.
    """
    import pyarrow as pa

    column, path = column_of(stamp, name), stamp[0]
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = kind.value_type
    if pa.types.is_timestamp(kind) or pa.types.is_duration(kind) or pa.types.is_time(kind):
        whole = column.cast(pa.int32()) if pa.types.is_time32(kind) else column
        return _midnights_passed(_of_integers(whole.cast(pa.int64()), _PANDAS_UNITS[kind.unit]), pa.types.is_time(kind))
    if pa.types.is_signed_integer(kind):
        return _of_integers(column.cast(pa.int64()), None)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _of_text(column, name, path)
    values = as_float(column, name, path)
    return Times(values - values[0], float(values[0]))


def unit_of(
    times: Times,
    name: str,
    path: Path,
    *,
    unit_s: float | None,
    rates_hz: tuple[float, float],
    sample_rate_hz: float | None,
    end_s: float | None,
) -> tuple[float, bool]:
    """Seconds per tick, and whether they are inferred: neither the options nor the column state them.

    Args:
        times: The column.
        name: Its name, which may end in a unit.
        path: Its file, for messages.
        unit_s: As the options state it; None = not.
        rates_hz: The least and the highest at which sensors of this kind record.
        sample_rate_hz: As the options state it, which counts more than `rates_hz`; None = not.
        end_s: Where a sample ends in this recording, which then lasts as long; None = not known.

    Raises:
        DataError: A stated unit is impossible, or the unit is not known.
    """
    if times.unit_s is not None:
        return times.unit_s, False
    step = times.step
    stated_s, source = (unit_s, f"time_unit_s = {unit_s:g}") if unit_s else (_unit_in(name), "the unit in its name")
    agreeing = [u for u in NAMES if sample_rate_hz and _agree(1 / (u * step), sample_rate_hz)]
    if stated_s is not None:
        likely = _likely(times, rates_hz, end_s)
        possible = rates_hz[0] <= 1 / (stated_s * step) <= rates_hz[1]
        agrees = bool(sample_rate_hz) and _agree(1 / (stated_s * step), sample_rate_hz or 0.0)
        dated = _epoch_unit(times, rates_hz)
        if agrees or (possible and dated in (None, stated_s)):
            return stated_s, False
        raise _impossible(name, path, 1 / (stated_s * step), source, rates_hz, [dated] if dated else likely)
    units = agreeing or _likely(times, rates_hz, end_s)
    if len(units) == 1:
        return units[0], True
    means = ", ".join(f"{1 / (u * step):.6g} rows per second if {u:g}" for u in units or _FINE)
    raise DataError(
        f"the unit of column '{name}' is not known: {means}",
        where=path,
        expected="a unit that alone gives {:g} to {:g} rows per second".format(*rates_hz),
        todo="set time_unit_s in the encoder's options: 1 for seconds, 1e-3 for milliseconds",
    )


def _likely(times: Times, rates_hz: tuple[float, float], end_s: float | None) -> list[float]:
    """Units that the stamps may be in, the only one where it is sure."""

    def within(bounds: tuple[float, float], units: Sequence[float]) -> list[float]:
        return [u for u in units if bounds[0] <= 1 / (u * times.step) <= bounds[1]]

    if (dated := _epoch_unit(times, rates_hz)) is not None:
        return [dated]
    units = within(rates_hz, _FINE) or within(rates_hz, _COARSE)
    units = within(_USUAL_HZ, units) or units
    length = times.step * len(times.ticks)
    least_s = max(_SHORTEST_S, 0.5 * (end_s or 0.0))
    if len(units) == 1 and length * units[0] < max(_TOO_SHORT_S, least_s):
        slower = [u for u in within((rates_hz[0] / _SLOWER, rates_hz[0]), _FINE) if length * u >= least_s]
        return units + slower
    return [u for u in units if length * u >= least_s] if len(units) > 1 else units


def _epoch_unit(times: Times, rates_hz: tuple[float, float]) -> float | None:
    """The unit in which the first stamp is a Unix time of our days, at a possible rate; None = it is none."""
    for unit in _FINE:
        dated = _EPOCH_S[0] <= times.first * unit <= _EPOCH_S[1]
        if dated and rates_hz[0] <= 1 / (unit * times.step) <= rates_hz[1]:
            return unit
    return None


def _impossible(
    name: str, path: Path, rate_hz: float, source: str, rates_hz: tuple[float, float], likely: Sequence[float]
) -> DataError:
    perhaps = " or ".join(f"{u:g}" for u in likely)
    return DataError(
        f"column '{name}' would mean {rate_hz:.6g} rows per second at {source}",
        where=path,
        expected="between {:g} and {:g}, or the rate that sample_rate_hz states".format(*rates_hz)
        + (", and a date of our days" if rates_hz[0] <= rate_hz <= rates_hz[1] else ""),
        todo=f"set time_unit_s{f', perhaps to {perhaps}' if perhaps else ''}; where that is the rate, sample_rate_hz",
    )


def _agree(rate_hz: float, stated_hz: float) -> bool:
    return 1 / _AGREEMENT <= rate_hz / stated_hz <= _AGREEMENT


def _unit_in(name: str) -> float | None:
    match = _AT_THE_END.search(name.strip().lower())
    return _UNIT_OF.get(match.group(1)) if match else None


def _of_integers(column: Any, unit_s: float | None) -> Times:
    """Integers less the first of them, before they become floats: nanoseconds of Unix time have no room in those."""
    present = np.asarray(column.is_valid())
    whole = column.fill_null(0).to_numpy()
    first = whole[int(np.argmax(present))] if present.any() else 0
    ticks = np.where(present, (whole - first).astype(float), np.nan)
    return Times(ticks, float(first), unit_s)


def _of_text(column: Any, name: str, path: Path) -> Times:
    """Numbers, ISO dates with times, or times of day."""
    import pandas as pd
    import pyarrow as pa

    texts = pd.Series(column.to_pylist(), dtype=object)
    with suppress(DataError):
        values = as_float(column, name, path)
        return Times(values - values[0], float(values[0]))
    try:
        if texts.dropna().astype(str).str.match(r"^\s*\d{1,3}:\d\d(:\d\d(\.\d+)?)?\s*$").all():
            ticks = pa.array(pd.to_timedelta(texts.str.strip()).to_numpy("timedelta64[ns]").view("int64"))
            return _midnights_passed(_of_integers(pa.chunked_array([ticks]), 1e-9), True)
        dates = pd.to_datetime(texts, format="ISO8601", utc=True).to_numpy("datetime64[ns]").view("int64")
    except (ValueError, OverflowError, TypeError) as err:
        raise DataError(
            f"column '{name}' holds no times, as {next(iter(texts.dropna()))!r}",
            where=path,
            expected="numbers, or stamps such as 2024-03-31T01:59:55.015 or 01:59:55.015",
            todo="write such stamps, or name another time_column",
        ) from err
    ticks = pa.array(dates, mask=np.asarray(texts.isna(), bool))
    return _of_integers(pa.chunked_array([ticks]), 1e-9)


def _midnights_passed(times: Times, of_day: bool) -> Times:
    """Times of day go on after midnight."""
    if not of_day or times.unit_s is None:
        return times
    day = _DAY_S / times.unit_s
    passed = np.cumsum(np.diff(times.ticks, prepend=0.0) < -day / 2)
    return Times(times.ticks + passed * day, times.first, times.unit_s)
