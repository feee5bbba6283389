"""What a retailer is sent of a day: the values that were there in time, and the daily records of R5."""

from __future__ import annotations

from datetime import date, datetime, time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
import pyarrow.parquet as pq

from teiden.errors import InputError
from teiden.files import written_whole
from twin.metering.calendar import DAY_NS, JST, simulated_ns
from twin.metering.readings import Readings, from_table
from twin.metering.record import daily_records, day_of
from twin.store.delivery import delivered
from twin.store.schema import Series
from twin.store.store import Store

VALUES, RECORDS = "values.parquet", "records.bin"


BILLED = (Series.HALF_HOUR, Series.QUARTER_HOUR)
"""What customers are billed on: R8, and R9 once it is in force."""


def send_day(
    store: Store, day: date, out: Path, after_ns: int, meters: list[int], series: Series = Series.HALF_HOUR
) -> tuple[int, int]:
    """Write a day's values as they were sent out after a time, and the record of each meter and direction.

    Parameters
    ----------
    store : Store
    day : date
        In Japan.
    out : Path
        Folder; gets ``values.parquet`` and ``records.bin``, the records of R5 one after the other by meter, forward
        before reverse, from all that the store holds.
    after_ns : int
        What was stored by then after its interval's end is among the values [ns].
    meters : list of int
        Only these; all if empty.
    series : Series
        One of `BILLED`. A record has half hours either way.

    Returns
    -------
    (int, int)
        Values and records written.

    Raises
    ------
    InputError
        If the store holds none of the series of that day, or of that day of one of these meters.
    """
    midnight_ns = simulated_ns(datetime.combine(day, time(), JST))
    chosen = np.unique(np.array(meters, np.int64)) if meters else None
    readings = store.readings(series, midnight_ns, midnight_ns + DAY_NS, chosen)
    if not readings.num_rows:
        whom = f"of meter {', '.join(map(str, meters))} " if meters else ""
        raise InputError(f"{store.root}: no {_plural(series)} {whom}on {day}; {_days_held(store, series)}")
    if chosen is not None:
        _check_there(store, chosen, readings["meter"].to_numpy(), day, series)
    readings = readings.sort_by([("meter", "ascending"), ("interval_end_ns", "ascending")])
    sent = delivered(readings, after_ns)
    records = _records(from_table(readings), day, series)
    with written_whole(out / VALUES) as beside:
        pq.write_table(sent, beside)
    with written_whole(out / RECORDS) as beside:
        beside.write_bytes(b"".join(records))
    return sent.num_rows, len(records)


def _records(readings: Readings, day: date, series: Series) -> list[bytes]:
    """Return both records of each meter; readings by meter."""
    meters, first = np.unique(readings.meter, return_index=True)
    cuts = [*first.tolist(), len(readings)]
    found = []
    for place, meter in enumerate(meters.tolist()):
        own = readings.take(slice(cuts[place], cuts[place + 1]))
        found += [record.to_bytes() for record in daily_records(own, meter, day, series)]
    return found


def _check_there(
    store: Store, wanted: npt.NDArray[np.int64], there: npt.NDArray[np.uint32], day: date, series: Series
) -> None:
    absent = np.setdiff1d(wanted, there)
    if absent.size:
        named = ", ".join(map(str, absent[:5]))
        raise InputError(f"{store.root}: no {_plural(series)} of meter {named} on {day} "
                         f"({absent.size} of {wanted.size} meters asked for)")  # fmt: skip


def _days_held(store: Store, series: Series) -> str:
    """Return what the store has instead: other days, or the other series."""
    held = store.readings(series, -1, np.iinfo(np.int64).max)
    if held.num_rows:
        ends = pc.min_max(held["interval_end_ns"]).as_py()
        return f"it holds {day_of(ends['min'])} to {day_of(ends['max'])}"
    others = [other for other in BILLED if store.readings(other, -1, np.iinfo(np.int64).max).num_rows]
    asked = "".join(f", but {_plural(other)}: ask for series {other.label}" for other in others)
    return f"it holds none at all{asked}"


def _plural(series: Series) -> str:
    return series.label.replace("_", " ") + "s"
