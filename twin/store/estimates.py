"""What the head end puts where no reading came, beside the readings, so that neither hides the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from teiden.errors import InputError
from twin.store import durable, parts
from twin.store.contents import keys
from twin.store.schema import SCHEMA, Mark, Series
from twin.store.sorting import partitions

FOLDER = "estimates"


class Estimates:
    """The estimates of a store, one file a series and day."""

    def __init__(self, root: Path):
        self._root = root

    def files(self) -> list[str]:
        """Return their paths inside the store, in order."""
        found = (self._root / FOLDER).glob("*/*/*.parquet")
        return sorted(path.relative_to(self._root).as_posix() for path in found)

    def keep(self, rows: pa.Table) -> None:
        """Keep estimates; of two of one key the newer stays.

        Raises
        ------
        InputError
            If a row is not marked estimated.
        """
        other = np.flatnonzero(rows["mark"].to_numpy() != Mark.ESTIMATED)
        if other.size:
            raise InputError(f"estimates: row {other[0]} is not marked estimated ({other.size:,} rows)")
        for (series, day), mine in partitions(rows):
            path = self._root / FOLDER / series.label / f"day={day}" / "estimates.parquet"
            before = pq.read_table(path, schema=SCHEMA, partitioning=None) if path.exists() else SCHEMA.empty_table()
            kept = before.filter(pa.array(~np.isin(keys(series, before), keys(series, mine))))
            together = parts.joined([kept, mine]).sort_by([("meter", "ascending"), ("interval_end_ns", "ascending")])
            durable.write(path, parts.filler(together))

    def between(self, series: Series, from_ns: int, to_ns: int) -> pa.Table:
        """Return estimates with from_ns < interval_end_ns <= to_ns."""
        held = [file for file in self.files() if file.split("/")[1] == series.label]
        rows = parts.joined([pq.read_table(self._root / file, schema=SCHEMA, partitioning=None) for file in held])
        end = rows["interval_end_ns"].to_numpy()
        return rows.filter(pa.array((end > from_ns) & (end <= to_ns)))
