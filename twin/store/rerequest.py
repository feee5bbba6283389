"""What to ask meters for again, while they still have it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from twin.store.schema import DAY_NS, HOUR_NS, INTERVAL_NS, Series

# How long a meter keeps an interval: R13 45 days, R12 60 minutes; five minutes, gas and water are assumed (R14 says
# only "as long as the transfer takes, and for collection after a disaster").
KEPT_NS = {
    Series.HALF_HOUR: 45 * DAY_NS,
    Series.QUARTER_HOUR: 45 * DAY_NS,
    Series.FIVE_MINUTE: 7 * DAY_NS,
    Series.ONE_MINUTE: HOUR_NS,
    Series.GAS: 45 * DAY_NS,
    Series.WATER: 45 * DAY_NS,
}

REQUESTS = pa.schema(
    [
        ("meter", pa.uint32()),
        ("series", pa.uint8()),
        ("from_ns", pa.int64()),  # asked for: from_ns < interval_end_ns <= to_ns
        ("to_ns", pa.int64()),
        ("intervals", pa.int64()),
        ("expires_ns", pa.int64()),  # when the meter overwrites the first of them
        ("expired", pa.bool_()),  # too late: to be estimated
    ]
)


def rerequests(
    missing: pa.Table,
    now_ns: int,
    kept_ns: Mapping[Series, int] = KEPT_NS,
    step_ns: Mapping[Series, int] = INTERVAL_NS,
) -> pa.Table:
    """Return runs of missing intervals to ask for, those that expire first on top, and those that have expired.

    Parameters
    ----------
    missing : pyarrow.Table
        (N,) of ``Store.missing``.
    now_ns : int
        Time of asking.
    kept_ns : mapping of Series to int
        How long a meter keeps an interval after its end.
    step_ns : mapping of Series to int
        What is asked for as one: an interval, or a message of several.
    """
    rows = missing.sort_by([(name, "ascending") for name in ("series", "meter", "interval_end_ns")])
    meter, series, end = (rows[name].to_numpy() for name in ("meter", "series", "interval_end_ns"))
    step = np.array([step_ns.get(known, 0) for known in Series])[series]
    expires = end + np.array([kept_ns.get(known, 0) for known in Series])[series]
    expired = expires <= now_ns
    heads = np.ones(end.size, bool)
    heads[1:] = (
        (meter[1:] != meter[:-1])
        | (series[1:] != series[:-1])
        | (end[1:] - end[:-1] != step[1:])
        | (expired[1:] != expired[:-1])
    )
    first = np.flatnonzero(heads)
    last = np.append(first[1:], end.size)[: first.size] - 1
    columns = [meter[first], series[first], end[first] - step[first], end[last], last - first + 1, expires[first]]
    found = pa.table([pa.array(column) for column in [*columns, expired[first]]], names=REQUESTS.names).cast(REQUESTS)
    return found.sort_by([(name, "ascending") for name in ("expires_ns", "series", "meter")])
