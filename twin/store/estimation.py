"""Estimates for half hours that did not come.

The rule. Between two known registers the energy is known: it is spread over the missing intervals as the same meter
used energy in the same intervals seven days before, or else one day before; where neither is known throughout, evenly.
After the last known register the energies of seven days before, or else of one day before, are added, up to the first
interval for which neither is known. A register that fell across the gap is not estimated: validation reports it. A last
known register from before the earliest day looked at is not found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from twin.store.gaps import interval_ends, places
from twin.store.registers import Registers, ends_of, registers
from twin.store.schema import DAY_NS, INTERVAL_NS, MEASURED, SCHEMA, Mark, Series
from twin.store.store import Store

SHAPE_DAYS = (7, 1)  # the same day of the week, then yesterday; assumed
METERS_AT_ONCE = 10_000  # some 100 MB for a week and a day of half hours


def estimate(
    store: Store,
    series: Series,
    meters: np.ndarray,
    from_ns: int,
    to_ns: int,
    shape_days: Sequence[int] = SHAPE_DAYS,
) -> pa.Table:
    """Return readings marked estimated for what is missing of from_ns < interval_end_ns <= to_ns, known at ``to_ns``.

    Parameters
    ----------
    store : Store
        Only its readings are used, never earlier estimates.
    series : Series
        ``HALF_HOUR`` or ``QUARTER_HOUR``.
    meters : (M,) integer
        Meters that owe readings.
    shape_days : sequence of int
        How many days before to look for the shape, in order of preference.

    Raises
    ------
    InputError
        If the series has no registers.
    """
    meters = np.unique(meters)
    made = [SCHEMA.empty_table()]
    for start in range(0, meters.size, METERS_AT_ONCE):
        some = meters[start : start + METERS_AT_ONCE]
        readings = store.readings(series, from_ns - looked_back_ns(series, shape_days), to_ns, some)
        made.append(estimates_from(readings, series, some, from_ns, to_ns, shape_days))
    return pa.concat_tables(made)


def looked_back_ns(series: Series, shape_days: Sequence[int] = SHAPE_DAYS) -> int:
    """Return from how long before what is missing readings are looked at [ns]."""
    return max(shape_days, default=0) * DAY_NS + INTERVAL_NS[series]  # the first energy needs the register before it


def estimates_from(
    readings: pa.Table,
    series: Series,
    meters: np.ndarray,
    from_ns: int,
    to_ns: int,
    shape_days: Sequence[int] = SHAPE_DAYS,
) -> pa.Table:
    """Return what `estimate` does, from readings (N,) that go back as far as `looked_back_ns`; meters (M,) rise."""
    ends = ends_of(series, from_ns - looked_back_ns(series, shape_days), to_ns)
    lacking = _lacking(readings, series, meters, from_ns, to_ns)
    some = readings.filter(pc.is_in(readings["meter"], pa.array(lacking.astype(np.uint32))))
    imported, exported = (
        _filled(registers(some, lacking, ends, name), [days * DAY_NS // INTERVAL_NS[series] for days in shape_days])
        for name in ("import_wh", "export_wh")
    )
    row, at = np.nonzero(imported.known & (ends > from_ns))
    return _rows(series, lacking[row], ends[at], imported.wh[row, at], exported, (row, at), to_ns)


def _lacking(readings: pa.Table, series: Series, meters: np.ndarray, from_ns: int, to_ns: int) -> np.ndarray:
    """Return the meters of which a register is missing; nearly everybody lacks nothing."""
    ends = interval_ends(series, from_ns, to_ns)
    row, _, number = places(readings, meters, ends)
    carried = readings["import_wh"].is_valid().to_numpy()[number]
    return meters[np.bincount(row[carried], minlength=meters.size) < ends.size]


def _rows(
    series: Series,
    meter: np.ndarray,
    end: np.ndarray,
    import_wh: np.ndarray,
    exported: Registers,
    where: tuple[np.ndarray, np.ndarray],
    now_ns: int,
) -> pa.Table:
    """Return estimates as readings."""
    size = meter.size
    columns = {
        "meter": meter,
        "series": np.full(size, series),
        "interval_end_ns": end,
        "import_wh": import_wh,
        "export_wh": pa.array(exported.wh[where], mask=~exported.known[where]),
        "mark": np.full(size, Mark.ESTIMATED),
        "received_ns": np.full(size, now_ns),
        "stored_ns": np.full(size, now_ns),
    } | {name: pa.nulls(size) for name in MEASURED[2:]}
    return pa.table([pa.array(columns[field.name]).cast(field.type) for field in SCHEMA], schema=SCHEMA)


def _filled(found: Registers, shifts: Sequence[int]) -> Registers:
    """Return the estimates alone: the register where it is not known but can be said."""
    if not found.known.any():
        return Registers(found.wh, np.zeros_like(found.known))
    shape, shaped = _shape(found, shifts)
    gap = _gaps(found.known)
    closed = _closed(found, gap, shape, shaped)
    opened = _open(found, gap, shape, shaped)
    return Registers(np.where(closed.known, closed.wh, opened.wh), closed.known | opened.known)


def _shape(found: Registers, shifts: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return (M, T) the energy of the same interval some days before [Wh], and whether it is known."""
    energy = np.diff(found.wh, axis=1, prepend=0)
    usable = found.known & np.roll(found.known, 1, axis=1) & (energy >= 0)
    usable[:, 0] = False
    shape, shaped = np.zeros_like(found.wh), np.zeros_like(found.known)
    for shift in shifts:
        if shift < found.wh.shape[1]:
            earlier = np.zeros_like(shaped)
            earlier[:, shift:] = usable[:, :-shift]
            take = earlier & ~shaped
            shape[:, shift:][take[:, shift:]] = energy[:, :-shift][take[:, shift:]]
            shaped |= take
    return shape, shaped


@dataclass(frozen=True)
class _Gaps:
    """Column of the last known register before and the first after each place; ``missing``: a gap with one before."""

    before: np.ndarray
    after: np.ndarray
    missing: np.ndarray
    closes: np.ndarray


def _gaps(known: np.ndarray) -> _Gaps:
    """Return where gaps lie."""
    size = known.shape[1]
    column = np.broadcast_to(np.arange(size), known.shape)
    before = np.maximum.accumulate(np.where(known, column, -1), axis=1)
    after = np.minimum.accumulate(np.where(known, column, size)[:, ::-1], axis=1)[:, ::-1]
    missing = ~known & (before >= 0)
    return _Gaps(np.maximum(before, 0), np.minimum(after, size - 1), missing, missing & (after < size))


def _closed(found: Registers, gap: _Gaps, shape: np.ndarray, shaped: np.ndarray) -> Registers:
    """Return estimates between two known registers."""
    low, high = (np.take_along_axis(found.wh, at, axis=1) for at in (gap.before, gap.after))
    part, whole = _since(shape, gap.before), _between(shape, gap)
    as_shaped = (_between(~shaped, gap) == 0) & (whole > 0)
    steps = np.arange(found.wh.shape[1]) - gap.before
    part = np.where(as_shaped, part, steps)
    whole = np.where(as_shaped, whole, gap.after - gap.before)
    known = gap.closes & (high >= low)
    # Whole numbers throughout: a home's energy over a gap times its shape's stays far below 2^63 [Wh2].
    return Registers(low + (high - low) * part // np.maximum(whole, 1), known)


def _open(found: Registers, gap: _Gaps, shape: np.ndarray, shaped: np.ndarray) -> Registers:
    """Return estimates after the last known register."""
    known = gap.missing & ~gap.closes & (_since(~shaped, gap.before) == 0)
    return Registers(np.take_along_axis(found.wh, gap.before, axis=1) + _since(shape, gap.before), known)


def _since(values: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Return the sum from after ``before`` up to each place."""
    sums = np.cumsum(values, axis=1, dtype=np.int64)
    return sums - np.take_along_axis(sums, before, axis=1)


def _between(values: np.ndarray, gap: _Gaps) -> np.ndarray:
    """Return the sum from after the gap's beginning up to its end."""
    sums = np.cumsum(values, axis=1, dtype=np.int64)
    return np.take_along_axis(sums, gap.after, axis=1) - np.take_along_axis(sums, gap.before, axis=1)
