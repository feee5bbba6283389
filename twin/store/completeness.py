"""How much of what meters owe is there, when, and where it is not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from teiden.errors import InputError
from twin.store.gaps import interval_ends, places
from twin.store.schema import HOUR_NS, SECOND_NS, Mark, Series

NEVER = np.iinfo(np.int64).max


def ages_ns(readings: pa.Table, series: Series, meters: np.ndarray, from_ns: int, to_ns: int) -> np.ndarray:
    """Return (M, T) int64: how long after its interval's end each value was stored [ns]; ``NEVER``: it was not.

    A ``no_data`` reading brings no value.
    """
    ends = interval_ends(series, from_ns, to_ns)
    ages = np.full((meters.size, ends.size), NEVER)
    row, column, number = places(readings, meters, ends)
    has = readings["mark"].to_numpy()[number] != Mark.NO_DATA
    row, column, number = row[has], column[has], number[has]
    ages[row, column] = readings["stored_ns"].to_numpy()[number] - ends[column]
    return ages


def completeness(ages: np.ndarray, group: np.ndarray, at_s: Sequence[float]) -> pa.Table:
    """Return what share is there by an age: of all, of the 1 % worst groups and of the worst one.

    Parameters
    ----------
    ages : (M, T) int64
        Of ``ages_ns``.
    group : (M,) integer
        What each meter belongs to, such as its concentrator.
    at_s : sequence of float
        Ages after the interval's end [s].

    Returns
    -------
    pyarrow.Table
        ``age_s, expected, present, share, share_worst_percent, share_worst``; ``share_worst_percent`` is the 1st
        percentile over groups, a group's own share standing for itself (no interpolation).
    """
    _check_groups(ages, group)
    names, which = np.unique(group, return_inverse=True)
    owed = np.bincount(which, minlength=names.size) * ages.shape[1]
    rows = []
    for age_s in at_s:
        there = np.bincount(which, (ages <= round(age_s * SECOND_NS)).sum(axis=1), minlength=names.size)
        shares = there / owed
        rows.append(
            {
                "age_s": float(age_s),
                "expected": int(owed.sum()),
                "present": int(there.sum()),
                "share": there.sum() / owed.sum(),
                "share_worst_percent": float(np.percentile(shares, 1, method="lower")),
                "share_worst": float(shares.min()),
            }
        )
    return pa.Table.from_pylist(rows)


def age_of_share_s(ages: np.ndarray, share: float) -> float | None:
    """Return by what age this share of all values is there [s]; None: never."""
    needed = int(np.ceil(share * ages.size))
    age = np.partition(ages.ravel(), needed - 1)[needed - 1]
    return None if age == NEVER else float(age) / SECOND_NS


def missing_map(
    ages: np.ndarray, group: np.ndarray, series: Series, from_ns: int, to_ns: int, within_ns: int = HOUR_NS
) -> pa.Table:
    """Return for each group and interval how many values were not there within an age.

    Returns
    -------
    pyarrow.Table
        ``group, interval_end_ns, expected, missing``, by group and interval.
    """
    _check_groups(ages, group)
    ends = interval_ends(series, from_ns, to_ns)
    names, which = np.unique(group, return_inverse=True)
    missing = np.zeros((names.size, ends.size), np.int64)
    np.add.at(missing, which, ages > within_ns)
    expected = np.repeat(np.bincount(which), ends.size)
    return pa.table(
        {
            "group": np.repeat(names, ends.size),
            "interval_end_ns": np.tile(ends, names.size),
            "expected": expected,
            "missing": missing.ravel(),
        }
    )


def _check_groups(ages: np.ndarray, group: np.ndarray) -> None:
    """Refuse nothing to count, or groups that are not one a meter."""
    if not ages.size:
        raise InputError("completeness: no meter owes any interval here; widen the time or name meters")
    if group.shape != ages.shape[:1]:
        raise InputError(f"completeness: {group.size} groups for {ages.shape[0]} meters; expected one a meter")
