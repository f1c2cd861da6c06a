"""Stamps that scatter about an even rate, smoothed by lines of stamp on row.

They scatter where values come through Bluetooth or an operating system, where a packet has one stamp, and where stamps
are rounded to the second. They are told from real intervals by their second differences over 1 and over 16 rows: errors
of single stamps make both equally large, whereas intervals that are real add up like a random walk, to four times as
much. Lines are broken where packets are lost. Where the mean rate itself changes, a local line follows it, or the
stamps are believed after all where they scatter little.

References:
    Kothe et al., "The Lab Streaming Layer for synchronized multimodal recording", Imaging Neuroscience 3, 2025, and its
    reader pyxdf: stamps are regressed on the row's number in segments between breaks.

Legend: N rows; P packets, each known by its last row; b seconds per row.
"""

import numpy as np

# Rows closer than this share of the mean interval came in one packet.
_PACKED = 0.25
_FEWEST_PACKETS = 5
_LAG, _NOISE_RATIO, _QUIET = 16, 2.0, 0.02
_LAG_SHARES, _AGREEING = (64, 16, 4), 1.2
_NEIGHBOURS, _FEWEST_NEIGHBOURS = 8, 3
# What is later than both is looked at as a lost packet.
_LATE_DEVIATIONS, _LATE_ROWS = 4.0, 1.5
_LATE_KEPT = 0.6
_PASSES = 3
_TREND_S = 2.0
# Stamps that scatter by less, about a rate that changes, are better believed than smoothed: intervals, twice over.
_BELIEVED = 0.8
_SCATTER_LEFT = 4 / 1.65


def smooth(times: np.ndarray) -> tuple[np.ndarray, float] | None:
    """Smoothed times (N,), strictly rising, and seconds per row where the rate is stable, 0 where it changes.

    None = the stamps do not scatter about even rows.
    """
    n = len(times)
    b = mean_step(times)
    # A packet ends where the next row comes later than at once; of the first and last nobody knows how much is there.
    ends = np.flatnonzero(np.append(np.diff(times) > _PACKED * b, True)) if b > 0 else np.zeros(0, int)
    if len(ends) < _FEWEST_PACKETS:
        return None
    per_packet = n / len(ends)
    packed = per_packet >= 2
    scatter = np.inf if packed else _scatter(ends * b, times[ends], b)
    if scatter == 0:
        return None
    index = _index_with_gaps(n, ends, times[ends], b, per_packet)
    inner = ends[1:-1]
    line = np.polynomial.Polynomial.fit(index[inner], times[inner], 1)
    step = float(line.deriv()(0.0))
    residual = times[inner] - line(index[inner])
    width = max(_NEIGHBOURS, round(_TREND_S / (b * per_packet))) | 1
    if _is_stable(residual, width, step * (per_packet if packed else 1.0)):
        return step * index + float(line(0.0)), step
    believed = scatter <= _BELIEVED * b and (np.diff(times) > 0).all()
    if believed:
        return None
    # No wider than leaves a quarter of an interval of the scatter, since a change of rate is blurred by the width.
    needed = (_SCATTER_LEFT * _bend(residual, 1) / b) ** 2
    width = int(np.clip(needed, _NEIGHBOURS, width)) | 1
    return _along_trend(index, inner, line(index[inner]), residual, width)


def _along_trend(
    index: np.ndarray, inner: np.ndarray, on_line: np.ndarray, residual: np.ndarray, width: int
) -> tuple[np.ndarray, float] | None:
    """Times (N,) by lines of stamp on row over `width` packets each; None = they do not rise."""
    from scipy.signal import savgol_filter

    if len(inner) < 2 * width:
        width = max(3, (len(inner) // 2) | 1)
    x, anchors = index[inner], on_line + savgol_filter(residual, width, 1, mode="interp")
    if not (np.diff(anchors) > 0).all():
        return None
    placed = np.interp(index, x, anchors)
    # Beyond the first and last packet that is whole, rows follow at the rate beside them.
    k = min(width, len(x) - 1)
    before, after = index < x[0], index > x[-1]
    placed[before] = anchors[0] + (index[before] - x[0]) * (anchors[k] - anchors[0]) / (x[k] - x[0])
    placed[after] = anchors[-1] + (index[after] - x[-1]) * (anchors[-1] - anchors[-1 - k]) / (x[-1] - x[-1 - k])
    return placed, 0.0


def _index_with_gaps(n: int, ends: np.ndarray, stamps: np.ndarray, b: float, per_packet: float) -> np.ndarray:
    """(N,) the row's number, counting rows that were lost between packets; the slope is mended in between."""
    lost = _lost_rows(ends, stamps, b, per_packet)
    for _ in range(_PASSES if lost else 0):
        stretch = np.zeros(len(ends), int)
        for after, _count in lost:
            stretch[after + 1 :] += 1
        sizes = np.bincount(stretch)
        x, y = (v - (np.bincount(stretch, v) / sizes)[stretch] for v in (ends.astype(float), stamps))
        b = float(x @ y) / float(x @ x)
        lost = _lost_rows(ends, stamps, b, per_packet)
    index = np.arange(n, dtype=float)
    for after, count in lost:
        index[ends[after] + 1 :] += count
    return index


def _scatter(even: np.ndarray, stamps: np.ndarray, b: float) -> float:
    """How far stamps (P,) scatter about even ones, in second differences; 0 where these add up as real intervals do."""
    residual = stamps - even
    lag = min(_LAG, (len(stamps) - 1) // 4)
    if lag < 4:
        return 0.0
    near, far = (
        float(np.median(np.abs(residual[2 * m :] - 2 * residual[m:-m] + residual[: -2 * m]))) for m in (1, lag)
    )
    return near if near > _QUIET * b and far <= _NOISE_RATIO * near else 0.0


def _bend(residual: np.ndarray, lag: int) -> float:
    """Median of the second differences of (P,) over `lag`: 1.65 deviations of independent errors."""
    if len(residual) <= 2 * lag:
        return 0.0
    return float(np.median(np.abs(residual[2 * lag :] - 2 * residual[lag:-lag] + residual[: -2 * lag])))


def _lost_rows(ends: np.ndarray, stamps: np.ndarray, b: float, per_packet: float) -> list[tuple[int, int]]:
    """Numbers of packets after which rows are lost, and how many: stamps come late there and stay late."""
    residual = stamps - b * ends
    late = np.diff(residual)
    deviation = 1.4826 * float(np.median(np.abs(late - np.median(late))))
    packet_s = per_packet * b if per_packet >= 2 else 0.0
    limit = max(_LATE_DEVIATIONS * deviation, _LATE_ROWS * b, 0.5 * packet_s)
    # The last packet may be a part of one: it comes late by up to a packet without any loss.
    whole = residual[:-1] if packet_s else residual
    lost = []
    for j in np.flatnonzero(late > limit):
        before, after = residual[max(0, j + 1 - _NEIGHBOURS) : j + 1], whole[j + 1 : j + 1 + _NEIGHBOURS]
        shift = float(np.median(after) - np.median(before)) if len(after) else float(late[j]) - packet_s
        sure = late[j] > 2 * limit + (0.0 if len(after) else packet_s)
        if shift >= _LATE_KEPT * late[j] and (sure or min(len(before), len(after)) >= _FEWEST_NEIGHBOURS):
            lost.append((int(j), max(1, round(shift / b))))
    return lost


def _is_stable(residual: np.ndarray, width: int, tolerance: float) -> bool:
    """Whether residuals (P,) of a line stay about zero in the mean of every `width` of them."""
    from scipy.ndimage import uniform_filter1d

    width = min(width, len(residual))
    trend = uniform_filter1d(residual, width, mode="nearest")
    deviation = 1.4826 * float(np.median(np.abs(residual - trend)))
    return bool(np.abs(trend).max() <= max(0.5 * tolerance, 4.5 * deviation / np.sqrt(width)))


def mean_step(times: np.ndarray) -> float:
    """Seconds (or ticks) per row, robust against packets of equal stamps and against gaps; 0 = not to be told.

    It is the median over pairs of rows that are far enough apart for half of them to agree: near pairs rarely straddle
    a gap, but may lie within one packet. NaN are left out.
    """
    n, step = len(times), 0.0
    for share in _LAG_SHARES:
        lag = max(1, n // share)
        spans = times[lag:] - times[:-lag]
        spans = np.abs(spans[np.isfinite(spans)])
        if not spans.size:
            continue
        low, middle, high = np.quantile(spans, [0.25, 0.5, 0.75])
        step = float(middle) / lag
        if high <= _AGREEING * low:
            break
    return step
