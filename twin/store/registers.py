"""Registers of many meters over time, as one grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from teiden.errors import InputError
from twin.store.gaps import interval_ends, places
from twin.store.schema import Series


@dataclass(frozen=True)
class Registers:
    """One register of M meters at T interval ends.

    Attributes
    ----------
    wh : (M, T) int64
        Register [Wh]; 0 where not known.
    known : (M, T) bool
        Whether a reading carries it.
    """

    wh: np.ndarray
    known: np.ndarray


def registers(readings: pa.Table, meters: np.ndarray, ends: np.ndarray, column: str) -> Registers:
    """Return ``import_wh`` or ``export_wh`` of readings of one series on the grid of meters and interval ends."""
    row, at, number = places(readings, meters, ends)
    values = readings[column].take(pa.array(number))
    carried = values.is_valid().to_numpy()
    found = Registers(np.zeros((meters.size, ends.size), np.int64), np.zeros((meters.size, ends.size), bool))
    found.known[row, at] = carried
    found.wh[row, at] = values.fill_null(0).to_numpy()
    return found


def ends_of(series: Series, from_ns: int, to_ns: int) -> np.ndarray:
    """Return interval ends of a series that has registers.

    Raises
    ------
    InputError
        If it has none to estimate from.
    """
    if series not in (Series.HALF_HOUR, Series.QUARTER_HOUR):
        raise InputError(f"series {series.label}: expected half_hour or quarter_hour; others are not estimated")
    return interval_ends(series, from_ns, to_ns)
