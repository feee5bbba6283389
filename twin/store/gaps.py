"""What is not there: intervals that meters owe and that no reading answers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from teiden.errors import InputError
from twin.store.schema import INTERVAL_NS, Series


def interval_ends(series: Series, from_ns: int, to_ns: int) -> np.ndarray:
    """Return (T,) int64, the ends of the intervals with from_ns < end <= to_ns."""
    step = INTERVAL_NS[series]
    return np.arange(from_ns // step + 1, to_ns // step + 1, dtype=np.int64) * step


def places(readings: pa.Table, meters: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return row, column and reading number of those readings that lie in the grid of meters and interval ends.

    Parameters
    ----------
    readings : pyarrow.Table
        (N,) readings of one series.
    meters : (M,) integer
        Distinct meters, rising.
    ends : (T,) int64
        Interval ends, rising [ns].
    """
    if np.any(np.diff(meters.astype(np.int64)) <= 0):
        raise InputError("meters are expected to be distinct and to rise")
    row, of_these = _among(meters, readings["meter"].to_numpy())
    column, in_time = _among(ends, readings["interval_end_ns"].to_numpy())
    inside = of_these & in_time
    return row[inside], column[inside], np.flatnonzero(inside)


def _among(rising: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the place of each value among rising ones and whether it is one; by division if they are even."""
    if not rising.size:
        return np.zeros(values.size, np.int64), np.zeros(values.size, bool)
    first, last = int(rising[0]), int(rising[-1])
    step = (last - first) // max(rising.size - 1, 1) or 1
    if np.array_equal(rising, np.arange(first, first + rising.size * step, step)):
        place = (values.astype(np.int64) - first) // step
        return place, (place >= 0) & (place < rising.size) & (place * step + first == values)
    place = np.minimum(np.searchsorted(rising, values), rising.size - 1)
    return place, rising[place] == values


def absent(readings: pa.Table, series: Series, meters: np.ndarray, from_ns: int, to_ns: int) -> pa.Table:
    """Return (meter, series, interval_end_ns) of every interval of these meters that has no reading."""
    meters, ends = np.unique(meters), interval_ends(series, from_ns, to_ns)
    there = np.zeros((meters.size, ends.size), bool)
    row, column, _ = places(readings, meters, ends)
    there[row, column] = True
    row, column = np.nonzero(~there)
    return pa.table(
        {
            "meter": pa.array(meters[row], pa.uint32()),
            "series": pa.array(np.full(row.size, series), pa.uint8()),
            "interval_end_ns": pa.array(ends[column], pa.int64()),
        }
    )
