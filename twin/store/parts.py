"""Parts: the Parquet files of one series, day and block of meters, sorted by meter, never changed once written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from teiden.errors import PartFailed
from twin.store.schema import SCHEMA, Series, day_of

BLOCK_BITS = 17  # 131,072 meters: a day of half hours is at most 6.3 M rows, some 400 MB while it is merged
ROW_GROUP = 1 << 17  # readings between two entries of the zone map


@dataclass(frozen=True)
class Part:
    """One file and what is in it.

    ``first`` and ``last`` are the numbers of the log's batches it was made from; they are part of its name.
    """

    folder: str  # readings | conflicts
    series: Series
    day: int
    block: int
    first: int
    last: int
    rows: int

    @property
    def file(self) -> str:
        """Return the path inside the store."""
        name = f"{self.block:05d}-{self.first:012d}-{self.last:012d}.parquet"
        return f"{self.folder}/{self.series.label}/day={self.day}/{name}"


def joined(tables: list[pa.Table]) -> pa.Table:
    """Return tables one below the other, in one chunk; an empty one for none."""
    return pa.concat_tables([SCHEMA.empty_table(), *tables]).combine_chunks()


def cut(folder: str, rows: pa.Table, first: int, last: int) -> list[tuple[Part, pa.Table]]:
    """Cut readings into parts, each sorted by meter and interval."""
    if not rows.num_rows:
        return []
    meter, end = rows["meter"].to_numpy(), rows["interval_end_ns"].to_numpy()
    series, day, block = rows["series"].to_numpy(), day_of(end), meter >> BLOCK_BITS
    order = np.lexsort((end, meter, day, series))  # block is the upper bits of meter
    heads = np.stack([series[order].astype(np.int64), day[order], block[order].astype(np.int64)])
    starts = np.flatnonzero(np.any(heads[:, 1:] != heads[:, :-1], axis=0)) + 1
    bounds = [0, *starts.tolist(), len(order)]
    found = []
    for start, stop in pairwise(bounds):
        at = (int(heads[0, start]), int(heads[1, start]), int(heads[2, start]))
        part = Part(folder, Series(at[0]), at[1], at[2], first, last, stop - start)
        found.append((part, rows.take(pa.array(order[start:stop]))))
    return found


def filler(rows: pa.Table) -> Callable[[Path], None]:
    """Return what writes readings as Parquet: registers and times as deltas, pages with checksums."""

    def fill(path: Path) -> None:
        pq.write_table(
            rows,
            path,
            compression="zstd",
            use_dictionary=False,
            column_encoding={name: "DELTA_BINARY_PACKED" for name in SCHEMA.names if name not in ("series", "mark")},
            row_group_size=ROW_GROUP,
            write_page_checksum=True,
        )

    return fill


def read(
    root: Path, parts: Iterable[Part], wanted: pc.Expression | None = None, columns: Sequence[str] = SCHEMA.names
) -> pa.Table:
    """Return the readings of parts that meet a condition, all columns or some.

    Raises
    ------
    PartFailed
        If a file is gone or damaged.
    """
    tables = [SCHEMA.empty_table().select(columns)]
    for part in parts:
        path = root / part.file
        try:
            tables.append(
                pq.read_table(
                    path,
                    columns=list(columns),
                    schema=SCHEMA,
                    filters=wanted,
                    partitioning=None,
                    page_checksum_verification=True,
                )
            )
        except (OSError, pa.ArrowException) as error:
            raise PartFailed(f"{path}: {part.rows:,} stored readings cannot be read: {error}") from error
    return pa.concat_tables(tables).combine_chunks()
