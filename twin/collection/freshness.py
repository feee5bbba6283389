"""Age of information: how old the newest value is that the head end has of a meter, at any time (DOMAIN 5)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.collection.kpis import percentiles
from twin.collection.ledger import NEVER, Messages

LATE_S = 600.0  # R11: ten minutes


def freshness(rows: Messages, end_ns: int) -> dict[str, Any] | None:
    """Return how fresh a class's values are, from each meter's first value in the store to the end of reporting.

    Between two storings the age grows with time; when a newer value is stored it falls to that value's own age. Values
    that come after newer ones change nothing.

    Parameters
    ----------
    rows : (M,) ledger rows
        Messages of one class.
    end_ns : int
        Until when meters are looked at.

    Returns
    -------
    dict or None
        ``mean_s``; ``peak_s`` by percentile, over the moments before a newer value; ``older_than_10_min_share`` of the
        time. None where nothing was stored.
    """
    from_ns, until_ns, interval_ns = _spans(rows, end_ns)
    if not from_ns.size:
        return None
    young, old = (from_ns - interval_ns) / 1e9, (until_ns - interval_ns) / 1e9
    time_s = (old - young).sum()
    late_s = np.maximum(old - np.maximum(young, LATE_S), 0).sum()
    return {
        "mean_s": float((old**2 - young**2).sum() / 2 / time_s),
        "peak_s": percentiles(old, (50, 90, 99, 99.9)),
        "older_than_10_min_share": float(late_s / time_s),
    }


def _spans(rows: Messages, end_ns: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return from when until when each value was a meter's newest, and the end of its interval [ns]."""
    rows = rows[(rows["stored_ns"] != NEVER) & (rows["stored_ns"] < end_ns)]
    rows = rows[np.lexsort((rows["interval_ns"], rows["stored_ns"], rows["meter"]))]
    meter, interval_ns = rows["meter"].astype(np.int64), rows["interval_ns"]
    # The newest so far of each meter: a running maximum, kept apart by a step between meters larger than any time.
    apart = meter * (int(interval_ns.max(initial=0)) + 1)
    newest = np.maximum.accumulate(interval_ns + apart) - apart
    first = np.diff(meter, prepend=-1) != 0
    fresh = first | (np.diff(newest, prepend=NEVER) > 0)
    rows, meter, newest = rows[fresh], meter[fresh], newest[fresh]
    last = np.diff(meter, append=-1) != 0
    until_ns = np.where(last, end_ns, np.append(rows["stored_ns"][1:], end_ns)[: rows.size])
    lasting = until_ns > rows["stored_ns"]  # of several stored at once only the newest lasts
    return rows["stored_ns"][lasting], until_ns[lasting], newest[lasting]
