"""The write-ahead log: one Arrow file a batch, on disk before the batch is acknowledged.

A segment holds the stored readings of its batch, then its conflicts, and in its metadata the batch's name, fingerprint
and counts by series. Segments are numbered without gaps; those the manifest has taken over are dropped.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from teiden.errors import PartFailed
from twin.store import durable
from twin.store.receipt import Receipt
from twin.store.schema import SCHEMA, Series

FOLDER = "log"


@dataclass(frozen=True)
class Segment:
    """One batch as the log keeps it."""

    number: int
    batch_id: str
    fingerprint: str
    counts: dict[Series, Receipt]
    stored: pa.Table
    conflicts: pa.Table

    @property
    def receipt(self) -> Receipt:
        """Return the receipt of the whole batch."""
        return sum(self.counts.values(), Receipt())


def fingerprint(readings: pa.Table) -> str:
    """Return a hash of a batch's content, whatever chunks it came in."""
    digest = hashlib.blake2b(digest_size=16)
    for column in readings.columns:
        if column.null_count:
            digest.update(np.packbits(column.is_valid().to_numpy()).data)
            column = column.fill_null(0)
        digest.update(np.ascontiguousarray(column.to_numpy()).data)
    return digest.hexdigest()


def path_of(root: Path, number: int) -> Path:
    """Return the file of a segment."""
    return root / FOLDER / f"{number:012d}.arrow"


def append(root: Path, segment: Segment) -> None:
    """Write a segment; it is durable when this returns."""
    counts = {series.label: asdict(receipt) for series, receipt in segment.counts.items()}
    head = {"batch_id": segment.batch_id, "fingerprint": segment.fingerprint, "counts": counts}
    schema = SCHEMA.with_metadata({"batch": json.dumps(head)})

    def fill(path: Path) -> None:
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, schema) as writer:
            for rows in (segment.stored, segment.conflicts):
                writer.write_batch(_one_batch(rows))

    durable.write(path_of(root, segment.number), fill)


def _one_batch(rows: pa.Table) -> pa.RecordBatch:
    """Return a table as exactly one record batch."""
    return pa.RecordBatch.from_arrays([column.combine_chunks() for column in rows.columns], schema=SCHEMA)


def read(path: Path) -> Segment:
    """Read a segment.

    Raises
    ------
    PartFailed
        If the file is damaged; a kill never leaves it so.
    """
    try:
        with pa.OSFile(str(path), "rb") as file:
            reader = pa.ipc.open_file(file)
            head = json.loads(reader.schema.metadata[b"batch"])
            stored, conflicts = (
                pa.Table.from_batches([reader.get_batch(k)]).replace_schema_metadata() for k in range(2)
            )
    except (pa.ArrowException, ValueError, KeyError, TypeError) as error:
        raise PartFailed(
            f"{path}: damaged segment of the store's log ({error}); was it edited, or the disk?"
        ) from error
    counts = {Series[label.upper()]: Receipt(**found) for label, found in head["counts"].items()}
    return Segment(int(path.stem), head["batch_id"], head["fingerprint"], counts, stored, conflicts)


def numbers(root: Path) -> list[int]:
    """Return the numbers of the segments there, in order."""
    return sorted(int(path.stem) for path in (root / FOLDER).glob("*.arrow"))
