"""The write-ahead log: a batch is forced to the end of a file before it is acknowledged.

Each batch is a frame: mark, length, checksum, and an Arrow file of its stored readings and its conflicts, with the
batch's name, fingerprint and counts by series in the metadata. A file is named after its first batch and ends with a
compaction or with the process; batches are numbered without gaps. A frame that a kill or a power cut left unfinished
was never acknowledged: it is cut off.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from teiden.errors import PartFailed
from twin.store import durable
from twin.store.receipt import Receipt
from twin.store.schema import SCHEMA, Series

FOLDER = "log"
_HEAD = struct.Struct("<4sQ16s")  # mark, length of the payload [B], its checksum
_MARK = b"TdLg"


@dataclass(frozen=True)
class Entry:
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


class Log:
    """The end of the log, for appending; a file is made with the first batch.

    Parameters
    ----------
    root : Path
        The store.
    """

    def __init__(self, root: Path):
        self._folder = root / FOLDER
        self._file = -1

    def append(self, entry: Entry) -> None:
        """Write a batch; it is durable when this returns, and not there if this fails.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        if self._file < 0:
            self._begin(entry.number)
        before = os.lseek(self._file, 0, os.SEEK_END)
        try:
            _write(self._file, _framed(entry))
            os.fsync(self._file)
        except BaseException:
            os.ftruncate(self._file, before)
            raise

    def close(self) -> None:
        """End the file; the next batch begins another."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _begin(self, number: int) -> None:
        """Make the file that begins with this batch."""
        durable.make_folder(self._folder)
        path = self._folder / f"{number:012d}.log"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        durable.force(self._folder)


def entries(root: Path, after: int) -> Iterator[Entry]:
    """Yield the batches after a number, in order; cut off what a kill left of an unacknowledged one.

    Raises
    ------
    PartFailed
        If a batch between others is damaged or gone; a kill never leaves it so.
    """
    expected = after + 1
    for path in files(root):
        for entry in _read(path):
            if entry.number != expected:
                raise PartFailed(f"{path}: batch {expected} of the store's log is gone, {entry.number} is there")
            expected += 1
            yield entry


def files(root: Path) -> list[Path]:
    """Return the files of the log, in order."""
    return sorted((root / FOLDER).glob("*.log"))


def drop(root: Path, through: int) -> None:
    """Drop the files that begin with batches up to a number; a compaction takes files over whole."""
    for path in files(root):
        if int(path.stem) <= through:
            path.unlink()


def _framed(entry: Entry) -> bytes:
    """Return a batch as a frame."""
    counts = {series.label: asdict(receipt) for series, receipt in entry.counts.items()}
    head = {"number": entry.number, "batch_id": entry.batch_id, "fingerprint": entry.fingerprint, "counts": counts}
    schema = SCHEMA.with_metadata({"batch": json.dumps(head)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, schema) as writer:
        for rows in (entry.stored, entry.conflicts):
            writer.write_batch(pa.RecordBatch.from_arrays([c.combine_chunks() for c in rows.columns], schema=SCHEMA))
    payload = sink.getvalue().to_pybytes()
    return _HEAD.pack(_MARK, len(payload), _checksum(payload)) + payload


def _checksum(payload: bytes | memoryview) -> bytes:
    return hashlib.blake2b(payload, digest_size=16).digest()


def _write(file: int, content: bytes) -> None:
    """Write all of it: one call may take less."""
    left = memoryview(content)
    while left:
        left = left[os.write(file, left) :]


def _read(path: Path) -> Iterator[Entry]:
    """Yield the batches of a file, and cut off an unfinished last one."""
    content = path.read_bytes()
    at = 0
    while at < len(content):
        payload = _payload(content, at)
        if payload is None:
            if _whole_frame_behind(content, at):
                raise PartFailed(f"{path}: damaged at byte {at:,}, with batches behind it; a kill leaves no such log")
            _cut_off(path, at)
            return
        yield _entry(payload)
        at += _HEAD.size + len(payload)


def _payload(content: bytes, at: int) -> memoryview | None:
    """Return the payload of the frame at a place; None if it is not whole."""
    start = at + _HEAD.size
    if start > len(content):
        return None
    mark, length, checksum = _HEAD.unpack_from(content, at)
    payload = memoryview(content)[start : start + length]
    whole = mark == _MARK and len(payload) == length and _checksum(payload) == checksum
    return payload if whole else None


def _whole_frame_behind(content: bytes, at: int) -> bool:
    """Return whether a whole frame begins anywhere after a place."""
    while (at := content.find(_MARK, at + 1)) >= 0:
        if _payload(content, at) is not None:
            return True
    return False


def _cut_off(path: Path, length: int) -> None:
    """Shorten a file, durably."""
    os.truncate(path, length)
    durable.force(path)


def _entry(payload: memoryview) -> Entry:
    """Return the batch of a payload."""
    reader = pa.ipc.open_file(pa.py_buffer(payload))
    head = json.loads(reader.schema.metadata[b"batch"])
    stored, conflicts = (pa.Table.from_batches([reader.get_batch(k)]).replace_schema_metadata() for k in range(2))
    counts = {Series[label.upper()]: Receipt(**found) for label, found in head["counts"].items()}
    return Entry(head["number"], head["batch_id"], head["fingerprint"], counts, stored, conflicts)
