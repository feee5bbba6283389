"""What is in the store now: parts on disk, the log's readings in memory, and which keys there are."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from twin.store import parts as parts_of
from twin.store.parts import BLOCK_BITS, Part
from twin.store.presence import Presence, slot_of
from twin.store.schema import KEY, SCHEMA, Series, day_of

PRESENCE_BYTES = 512 << 20  # days whose keys are held; the least used are dropped and read again when needed
Partition = tuple[Series, int]  # series and day


def keys(series: Series, rows: pa.Table) -> np.ndarray:
    """Return (N,) int64, one number a key within a series and day."""
    return (rows["meter"].to_numpy().astype(np.int64) << 11) | slot_of(series, rows["interval_end_ns"].to_numpy())


@dataclass(frozen=True)
class _Run:
    """Readings of the log and their keys, in rising order."""

    rows: pa.Table
    order: np.ndarray
    keys: np.ndarray

    @classmethod
    def of(cls, series: Series, rows: pa.Table) -> _Run:
        key = keys(series, rows)
        order = np.argsort(key)
        return cls(rows, order, key[order])

    def with_keys(self, wanted: np.ndarray) -> pa.Table:
        """Return the readings whose key is one of ``wanted``, rising."""
        first, last = np.searchsorted(wanted, (self.keys[0], self.keys[-1] + 1))
        some = wanted[first:last]
        at = np.searchsorted(self.keys, some)
        return self.rows.take(pa.array(self.order[at[self.keys[at] == some]]))

    def near(self, wanted: np.ndarray) -> bool:
        """Return whether any of the keys may be here."""
        return bool(self.keys[0] <= wanted[-1] and wanted[0] <= self.keys[-1])


class Contents:
    """Readings of parts and log, found by key and by time.

    Parameters
    ----------
    root : Path
        The store.
    parts : list of Part
        Its parts of readings.
    """

    def __init__(self, root: Path, parts: list[Part]):
        self._root = root
        self._presence: OrderedDict[Partition, Presence] = OrderedDict()
        self._parts: dict[Partition, list[Part]] = defaultdict(list)
        self._tail: dict[Partition, list[_Run]] = defaultdict(list)
        self.tail_rows = 0
        self.replace_parts(parts)

    def replace_parts(self, parts: list[Part]) -> None:
        """Take the parts of a new manifest; which keys there are does not change by it."""
        self._parts.clear()
        for part in parts:
            self._parts[part.series, part.day].append(part)

    def tail(self) -> pa.Table:
        """Return the log's readings."""
        return parts_of.joined([run.rows for held in self._tail.values() for run in held])

    def clear_tail(self) -> None:
        """Forget the log's readings; they are in parts now."""
        self._tail.clear()
        self.tail_rows = 0

    def add(self, series: Series, day: int, rows: pa.Table) -> None:
        """Take readings of one partition, one or more, whose keys are new."""
        self._tail[series, day].append(_Run.of(series, rows))
        self.tail_rows += rows.num_rows
        if (series, day) in self._presence:
            self._mark(self._presence[series, day], series, rows)

    def presence(self, series: Series, day: int) -> Presence:
        """Return which keys of a partition there are."""
        at = (series, day)
        if at not in self._presence:
            found = Presence(series)
            for part in self._parts.get(at, ()):
                self._mark(found, series, parts_of.read(self._root, [part], columns=KEY))
            for run in self._tail.get(at, ()):
                self._mark(found, series, run.rows)
            self._presence[at] = found
            self._drop_least_used()
        self._presence.move_to_end(at)
        return self._presence[at]

    @staticmethod
    def _mark(presence: Presence, series: Series, rows: pa.Table) -> None:
        """Set the keys of readings."""
        presence.add(rows["meter"].to_numpy(), slot_of(series, rows["interval_end_ns"].to_numpy()))

    def _drop_least_used(self) -> None:
        """Keep the days held within their memory, the newest always."""
        while len(self._presence) > 1 and sum(held.nbytes for held in self._presence.values()) > PRESENCE_BYTES:
            self._presence.popitem(last=False)

    def with_keys_of(self, series: Series, day: int, rows: pa.Table) -> pa.Table:
        """Return the stored readings of one partition with a key in ``rows``: the log's, and of parts if need be."""
        wanted = np.unique(keys(series, rows))
        found = [run.with_keys(wanted) for run in self._tail.get((series, day), ()) if run.near(wanted)]
        if sum(table.num_rows for table in found) < wanted.size:
            meters = np.unique(rows["meter"].to_numpy())
            blocks = set(np.unique(meters >> BLOCK_BITS).tolist())
            parts = [part for part in self._parts.get((series, day), ()) if part.block in blocks]
            table = parts_of.read(self._root, parts, pc.field("meter").isin(pa.array(meters)))
            found.append(table.filter(pa.array(np.isin(keys(series, table), wanted))))
        return parts_of.joined(found)

    def between(self, series: Series, from_ns: int, to_ns: int, meters: np.ndarray | None) -> pa.Table:
        """Return readings with from_ns < interval_end_ns <= to_ns, sorted by meter and interval."""
        if to_ns <= from_ns:
            return SCHEMA.empty_table()
        wanted = (pc.field("interval_end_ns") > from_ns) & (pc.field("interval_end_ns") <= to_ns)
        if meters is not None:
            wanted &= _of_meters(np.unique(meters).astype(np.uint32))
        first, last = day_of(np.array([from_ns + 1, to_ns])).tolist()
        asked = {at for at in {*self._parts, *self._tail} if at[0] == series and first <= at[1] <= last}
        parts = [part for at in asked for part in self._parts.get(at, ())]
        tail = [run.rows.filter(wanted) for at in asked for run in self._tail.get(at, ())]
        found = [parts_of.read(self._root, parts, wanted), *tail]
        rows = parts_of.joined(found)
        return rows if _in_order(rows) else rows.take(pa.array(_order(rows)))


def _of_meters(meters: np.ndarray) -> pc.Expression:
    """Return the condition that a reading is of one of these meters (M,), ascending.

    With bounds, by which row groups are skipped: Arrow skips none for a list.
    """
    listed = pc.field("meter").isin(pa.array(meters))
    if not meters.size:
        return listed
    inside = (pc.field("meter") >= int(meters[0])) & (pc.field("meter") <= int(meters[-1]))
    return inside if int(meters[-1]) - int(meters[0]) + 1 == meters.size else inside & listed


def _order(rows: pa.Table) -> np.ndarray:
    """Return (N,) the order by meter and interval; of sorted parts as one number each, runs for a merge sort."""
    meter, end = rows["meter"].to_numpy().astype(np.int64), rows["interval_end_ns"].to_numpy()
    span = int(end.max()) - int(end.min()) + 1
    least, most = int(meter.min()), int(meter.max())
    if (most - least + 1) * span >= 1 << 63:
        return np.lexsort((end, meter))
    return np.argsort((meter - least) * span + (end - int(end.min())), kind="stable")


def _in_order(rows: pa.Table) -> bool:
    """Return whether readings are sorted by meter and interval already, as those of one part are."""
    meter, end = rows["meter"].to_numpy(), rows["interval_end_ns"].to_numpy()
    return bool(((meter[1:] > meter[:-1]) | ((meter[1:] == meter[:-1]) & (end[1:] >= end[:-1]))).all())
