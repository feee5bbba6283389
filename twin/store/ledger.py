"""The ledger: the receipt of every batch, so that one sent again is answered as the first time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from teiden.errors import PartFailed
from twin.store import durable
from twin.store.receipt import COUNTS, Receipt

FOLDER = "ledger"
SCHEMA = pa.schema([("batch_id", pa.string()), ("fingerprint", pa.string()), *((name, pa.int64()) for name in COUNTS)])

Entries = Mapping[str, tuple[str, Receipt]]  # batch_id: fingerprint, receipt


def write(root: Path, name: str, entries: Entries) -> str:
    """Write entries to a file of the ledger and return its path inside the store."""
    columns = [list(entries), [mark for mark, _ in entries.values()]]
    counts = [astuple(receipt) for _, receipt in entries.values()]
    columns += [[row[k] for row in counts] for k in range(len(COUNTS))]
    table = pa.table([pa.array(column, kind.type) for column, kind in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)
    file = f"{FOLDER}/{name}.parquet"
    durable.write(root / file, lambda path: pq.write_table(table, path, compression="zstd"))
    return file


def newest(root: Path, files: Sequence[str], most: int) -> dict[str, tuple[str, Receipt]]:
    """Return the newest entries of a ledger, at most so many, in order."""
    found: dict[str, tuple[str, Receipt]] = {}
    for file in reversed(files):
        found = _read(root, file) | found
        if len(found) >= most:
            break
    return dict(islice(found.items(), max(0, len(found) - most), None))


def _read(root: Path, file: str) -> dict[str, tuple[str, Receipt]]:
    """Return the entries of one file."""
    try:
        rows = pq.read_table(root / file, schema=SCHEMA).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise PartFailed(f"{root / file}: part of the store's ledger cannot be read: {error}") from error
    return {row["batch_id"]: (row["fingerprint"], Receipt(*(row[name] for name in COUNTS))) for row in rows}
