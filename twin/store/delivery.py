"""What retailers get: each interval's values sixty minutes after its end (R50), and bills (R49)."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from twin.store.completeness import NEVER, ages_ns
from twin.store.gaps import interval_ends, places
from twin.store.schema import HOUR_NS, Mark, Series

DELIVERED = ("meter", "interval_end_ns", "import_wh", "export_wh", "mark")


def delivered(readings: pa.Table, after_ns: int = HOUR_NS) -> pa.Table:
    """Return what is sent out ``after_ns`` after each interval's end: the values stored by then."""
    in_time = pc.less_equal(pc.subtract(readings["stored_ns"], readings["interval_end_ns"]), after_ns)
    has = pc.not_equal(readings["mark"], int(Mark.NO_DATA))
    return readings.filter(pc.and_(in_time, has)).select(list(DELIVERED))


def by_retailer(
    readings: pa.Table,
    series: Series,
    meters: np.ndarray,
    retailer: np.ndarray,
    from_ns: int,
    to_ns: int,
    after_ns: int = HOUR_NS,
) -> pa.Table:
    """Return for each interval and retailer what was complete in time, what came late and what never came.

    Parameters
    ----------
    readings : pyarrow.Table
        Readings of ``series``.
    meters : (M,) integer
        Meters that owe readings, distinct and rising.
    retailer : (M,) integer
        The retailer of each.

    Returns
    -------
    pyarrow.Table
        ``interval_end_ns, retailer, expected, in_time, late, missing``; in_time + late + missing = expected.
    """
    ages = ages_ns(readings, series, meters, from_ns, to_ns)
    ends = interval_ends(series, from_ns, to_ns)
    names, which = np.unique(retailer, return_inverse=True)
    counts = {}
    cell = which[:, None] * ends.size + np.arange(ends.size)
    for name, of in (("in_time", ages <= after_ns), ("missing", ages == NEVER)):
        counts[name] = np.bincount(cell[of], minlength=names.size * ends.size).reshape(names.size, ends.size)
    expected = np.repeat(np.bincount(which, minlength=names.size)[:, None], ends.size, axis=1)
    columns = {
        "interval_end_ns": np.broadcast_to(ends, expected.shape),
        "retailer": np.broadcast_to(names[:, None], expected.shape),
        "expected": expected,
        "in_time": counts["in_time"],
        "late": expected - counts["in_time"] - counts["missing"],
        "missing": counts["missing"],
    }
    return pa.table({name: pa.array(column.T.ravel()) for name, column in columns.items()})


def bills(
    readings: pa.Table,
    estimates: pa.Table,
    series: Series,
    meters: np.ndarray,
    retailer: np.ndarray,
    from_ns: int,
    to_ns: int,
) -> pa.Table:
    """Return for each retailer how many meters can be billed over a time, and from what.

    Parameters
    ----------
    readings, estimates : pyarrow.Table
        Of ``Store.readings`` and ``Estimates.between``, of ``series``.
    meters, retailer : (M,) integer
        Meters, distinct and rising, and the retailer of each.

    Returns
    -------
    pyarrow.Table
        ``retailer, meters, measured, estimated, open``: every value came; some are estimates; some are neither.
    """
    missing = ages_ns(readings, series, meters, from_ns, to_ns) == NEVER
    row, column, _ = places(estimates, meters, interval_ends(series, from_ns, to_ns))
    still = missing.copy()
    still[row, column] = False
    names, which = np.unique(retailer, return_inverse=True)
    opened, measured = still.any(axis=1), ~missing.any(axis=1)
    kinds = {
        "meters": np.ones(meters.size, bool),
        "measured": measured,
        "estimated": ~measured & ~opened,
        "open": opened,
    }
    counts = {name: np.bincount(which[of], minlength=names.size) for name, of in kinds.items()}
    return pa.table({"retailer": names} | counts)
