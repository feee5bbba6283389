"""Sort a batch's readings into new ones, duplicates and conflicts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from twin.store.contents import Contents, Partition, keys
from twin.store.presence import slot_of
from twin.store.receipt import Receipt
from twin.store.schema import DUE_NS, VALUE, Series, day_of


@dataclass(frozen=True)
class Sorted:
    """A batch's readings of one series and day."""

    at: Partition
    stored: pa.Table
    conflicts: pa.Table
    receipt: Receipt


def sort_batch(contents: Contents, readings: pa.Table) -> list[Sorted]:
    """Sort a checked batch against what is stored; nothing is changed."""
    return [_sort_partition(contents, at, rows) for at, rows in partitions(readings)]


def partitions(readings: pa.Table) -> Iterator[tuple[Partition, pa.Table]]:
    """Yield the readings of each series and day, in order of arrival."""
    series, day = readings["series"].to_numpy(), day_of(readings["interval_end_ns"].to_numpy())
    for number in np.unique(series):
        of_series = series == number
        for which in np.unique(day[of_series]):
            mine = of_series & (day == which)
            rows = readings if mine.all() else readings.filter(pa.array(mine)).combine_chunks()
            yield (Series(int(number)), int(which)), rows


def _sort_partition(contents: Contents, at: Partition, rows: pa.Table) -> Sorted:
    """Sort readings of one partition: the first of a key that is not there is new, the others are compared with it."""
    series, _ = at
    key = keys(series, rows)
    first = _first_of_key(key)
    slot = slot_of(series, rows["interval_end_ns"].to_numpy())
    fresh = first & ~contents.presence(*at).contains(rows["meter"].to_numpy(), slot)
    if fresh.all():
        return Sorted(at, rows, rows.slice(0, 0), Receipt(rows.num_rows, late=_late(series, rows)))
    stored, again = rows.filter(pa.array(fresh)), rows.filter(pa.array(~fresh))
    known = pa.concat_tables([contents.with_keys_of(*at, again), stored])
    conflicts = again.filter(pa.array(~_same_value(series, again, known))).combine_chunks()
    receipt = Receipt(stored.num_rows, again.num_rows - conflicts.num_rows, conflicts.num_rows, _late(series, stored))
    return Sorted(at, stored.combine_chunks(), conflicts, receipt)


def _first_of_key(key: np.ndarray) -> np.ndarray:
    """Return (N,) bool: no earlier row has this key."""
    order = np.argsort(key, kind="stable")
    first = np.ones(key.size, bool)
    first[order[1:]] = key[order[1:]] != key[order[:-1]]
    return first


def _same_value(series: Series, rows: pa.Table, known: pa.Table) -> np.ndarray:
    """Return (N,) bool: does each row say what the known reading of its key says? Every key is known."""
    known_key = keys(series, known)
    order = np.argsort(known_key)
    partner = known.take(pa.array(order[np.searchsorted(known_key[order], keys(series, rows))]))
    same = np.ones(rows.num_rows, bool)
    for name in VALUE:
        mine, other = rows[name], partner[name]
        equal = pc.fill_null(pc.equal(mine, other), False)
        same &= pc.or_(equal, pc.and_(pc.is_null(mine), pc.is_null(other))).to_numpy()
    return same


def _late(series: Series, rows: pa.Table) -> int:
    """Return how many readings came later than their series is due."""
    return int(np.count_nonzero(rows["stored_ns"].to_numpy() - rows["interval_end_ns"].to_numpy() > DUE_NS[series]))
