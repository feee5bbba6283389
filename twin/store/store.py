"""The store of the head end: takes readings once, keeps them for years, survives a kill at any moment.

``ingest`` writes a batch to the log and returns when it is on disk. Full logs are compacted into Parquet parts; the
moment of a compaction is the replacement of the manifest. What a kill leaves over is removed at the next ``open``.
"""

from __future__ import annotations

import fcntl
import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa

from teiden.errors import InputError, PartFailed
from twin.store import compaction, durable, ledger, log, manifest, parts, sql
from twin.store.contents import Contents, Partition
from twin.store.estimates import Estimates
from twin.store.gaps import absent
from twin.store.receipt import Receipt
from twin.store.schema import Mark, Series, checked
from twin.store.sorting import Sorted, partitions, sort_batch

LOG_ROWS = 1_000_000  # readings in the log that call for a compaction: some 60 MB
LOG_BATCHES = 10_000  # batches in the log that call for one: bounds the time to open
MOST_PARTS = 8  # of one series, day and block of meters, before they are merged
REMEMBERED = 1_000_000  # batches whose receipts are held: some 300 MB; an older one sent again is all duplicates


class Store:
    """Readings on disk. One process at a time has it open; make it with ``Store.open``."""

    def __init__(self, root: Path, lock: int, log_rows: int):
        self.root = root
        self._lock = lock
        self._log_rows = log_rows
        self._manifest = manifest.load(root)
        compaction.remove_leftovers(root, self._manifest)
        self._contents = Contents(root, self._manifest.of("readings"))
        self._conflicts: list[pa.Table] = []
        self._counts: dict[Series, Receipt] = defaultdict(Receipt, self._manifest.counts)
        self._batches = ledger.newest(root, self._manifest.ledger, REMEMBERED)
        self._unledgered: list[str] = []
        self._last = self._manifest.log_through
        self._log = log.Log(root)
        self._replay()
        sql.write(root, self._manifest, self.estimates.files())

    @classmethod
    def open(cls, path: Path | str, *, log_rows: int = LOG_ROWS) -> Store:
        """Open a store, or make one in a folder that is empty or not there.

        Parameters
        ----------
        path : Path or str
            Its folder.
        log_rows : int
            Compact the log at so many readings.

        Raises
        ------
        InputError
            If the folder holds something else, or a store of another version; nothing has been touched.
        PartFailed
            If another process has it open, or a file of it is gone or damaged.
        """
        root = Path(path)
        _refuse_other(root)
        durable.make_folder(root)
        lock = _locked(root)
        try:
            if not (root / manifest.FILE).exists():
                manifest.commit(root, manifest.Manifest())
            return cls(root, lock, log_rows)
        except BaseException:
            os.close(lock)
            raise

    def __enter__(self) -> Store:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        self.close(compact=kind is None)

    def close(self, *, compact: bool = True) -> None:
        """Compact, so that the Parquet files hold everything, and let go; a second call does nothing."""
        if self._lock < 0:
            return
        try:
            if compact:
                self.compact()
        finally:
            self._log.close()
            os.close(self._lock)
            self._lock = -1

    def ingest(self, readings: pa.Table, batch_id: str) -> Receipt:
        """Take a batch; it is on disk when this returns, and the return is the acknowledgement.

        A batch sent again under its name is answered with its first receipt and counted no second time, as long as
        its receipt is remembered; after that its readings are duplicates.

        Parameters
        ----------
        readings : pyarrow.Table
            (N,) rows in the columns of ``schema.SCHEMA``, of any series, in any order.
        batch_id : str
            The sender's name of the batch.

        Raises
        ------
        InputError
            If a row breaks the schema, is marked estimated, or the name was used for another content.
        PartFailed
            If it cannot be written; nothing of the batch is kept then.
        """
        self._check_open()
        where = f"batch {batch_id!r}"
        rows = checked(readings, where)
        _refuse_estimates(rows, where)
        mark = log.fingerprint(rows)
        if batch_id in self._batches:
            return self._answer_again(batch_id, mark)
        groups = sort_batch(self._contents, rows)
        entry = self._entry(batch_id, mark, groups)
        try:
            self._log.append(entry)
        except OSError as error:
            raise PartFailed(f"{self.root}: {where} could not be written, nothing of it is kept: {error}") from error
        self._take(entry, [(group.at, group.stored) for group in groups])
        if self._contents.tail_rows >= self._log_rows or len(self._unledgered) >= LOG_BATCHES:
            self.compact()
        return entry.receipt

    def receipt(self, batch_id: str) -> Receipt | None:
        """Return the receipt of a batch, or None if it never came."""
        known = self._batches.get(batch_id)
        return known[1] if known else None

    def compact(self, *, merge: bool = False) -> None:
        """Move the log into parts; with ``merge`` make one part of all those of a series, day and block.

        Raises
        ------
        PartFailed
            If it cannot be written; nothing is lost: the log still holds what is not in parts.
        """
        self._check_open()
        self._log.close()
        try:
            self._move_log()
            self._use(compaction.merge_parts(self.root, self._manifest, above=1 if merge else MOST_PARTS))
        except OSError as error:
            raise PartFailed(f"{self.root}: could not compact, all acknowledged batches are kept: {error}") from error

    def _move_log(self) -> None:
        """Move the log into parts."""
        batches = {name: self._batches[name] for name in self._unledgered}
        self._use(
            compaction.move_log(self.root, self._manifest, self._last, self._in_log(), batches, dict(self._counts))
        )
        self._contents.clear_tail()
        self._conflicts, self._unledgered = [], []

    def _use(self, made: manifest.Manifest) -> None:
        """Take a manifest that was committed."""
        self._manifest = made
        self._contents.replace_parts(made.of("readings"))

    @property
    def estimates(self) -> Estimates:
        """Return the estimates kept beside the readings."""
        return Estimates(self.root)

    def keep_estimates(self, rows: pa.Table) -> None:
        """Keep readings marked estimated beside the received ones, the newest of a key; never counted as received."""
        self._check_open()
        self.estimates.keep(checked(rows, "estimates"))
        sql.write(self.root, self._manifest, self.estimates.files())

    def readings(self, series: Series, from_ns: int, to_ns: int, meters: np.ndarray | None = None) -> pa.Table:
        """Return what was received with from_ns < interval_end_ns <= to_ns, sorted by meter and interval."""
        self._check_open()
        return self._contents.between(series, from_ns, to_ns, meters)

    def conflicts(self) -> pa.Table:
        """Return every reading that came with another value than the stored one of its key."""
        self._check_open()
        kept = parts.read(self.root, self._manifest.of("conflicts"))
        return pa.concat_tables([kept, *self._conflicts]).sort_by([(name, "ascending") for name in sql.ORDER])

    def missing(self, series: Series, meters: np.ndarray, from_ns: int, to_ns: int) -> pa.Table:
        """Return (meter, series, interval_end_ns) of what these meters owe of from_ns < interval_end_ns <= to_ns.

        A meter's ``no_data`` is an answer: it is not missing.
        """
        return absent(self.readings(series, from_ns, to_ns, meters), series, meters, from_ns, to_ns)

    def conservation(self) -> pa.Table:
        """Return one row a series: what arrived, what became of it, what is found in the files, and whether it adds up.

        ``balanced`` is false if the readings and conflicts found differ from those counted when they came.
        """
        self._check_open()
        return compaction.conservation(self.root, self._manifest, self._in_log(), self._counts)

    def connect(self) -> sql.Connection:
        """Return a DuckDB connection with the store's views, over parts, log and estimates."""
        self._check_open()
        return sql.connect(self.root, self._manifest, self.estimates.files(), self._in_log())

    @property
    def files(self) -> manifest.Manifest:
        """Return what the store is made of."""
        return self._manifest

    @property
    def log_readings(self) -> int:
        """Return how many readings are in the log only."""
        return self._contents.tail_rows

    def _replay(self) -> None:
        """Take what the log holds beyond the manifest."""
        for entry in log.entries(self.root, self._last):
            self._take(entry, partitions(entry.stored))

    def _take(self, entry: log.Entry, groups: Iterable[tuple[Partition, pa.Table]]) -> None:
        """Bring memory to where the log is."""
        self._last = entry.number
        for (series, day), rows in groups:
            if rows.num_rows:
                self._contents.add(series, day, rows)
        if entry.conflicts.num_rows:
            self._conflicts.append(entry.conflicts)
        for series, receipt in entry.counts.items():
            self._counts[series] += receipt
        self._batches[entry.batch_id] = (entry.fingerprint, entry.receipt)
        self._unledgered.append(entry.batch_id)
        if len(self._batches) > REMEMBERED:
            del self._batches[next(iter(self._batches))]

    def _entry(self, batch_id: str, mark: str, groups: list[Sorted]) -> log.Entry:
        """Return the log's entry of a sorted batch."""
        counts: dict[Series, Receipt] = defaultdict(Receipt)
        for group in groups:
            counts[group.at[0]] += group.receipt
        stored = parts.joined([group.stored for group in groups])
        conflicts = parts.joined([group.conflicts for group in groups])
        return log.Entry(self._last + 1, batch_id, mark, dict(counts), stored, conflicts)

    def _answer_again(self, batch_id: str, mark: str) -> Receipt:
        """Return the first receipt of a batch that came again."""
        known, receipt = self._batches[batch_id]
        if known != mark:
            raise InputError(f"batch {batch_id!r}: came before with other readings; a name is for one batch only")
        return receipt

    def _in_log(self) -> dict[str, pa.Table]:
        """Return what is in the log only."""
        return {"readings": self._contents.tail(), "conflicts": parts.joined(self._conflicts)}

    def _check_open(self) -> None:
        """Refuse to work on a store that was closed."""
        if self._lock < 0:
            raise PartFailed(f"{self.root}: the store was closed; open it again")


_OF_NONE = {"lock", manifest.FILE + durable.UNFINISHED}  # what a kill may leave of a store just made


def _refuse_other(root: Path) -> None:
    """Refuse a folder that holds something else."""
    if (root / manifest.FILE).exists() or not root.exists():
        return
    if not root.is_dir() or any(path.name not in _OF_NONE for path in root.iterdir()):
        raise InputError(f"{root}: holds something, but no {manifest.FILE}; a store needs a folder of its own")


def _locked(root: Path) -> int:
    """Return the lock of a store, taken; the system lets it go with the process."""
    handle = os.open(root / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise PartFailed(f"{root}: another process has this store open; end it, or read its Parquet files") from error
    return handle


def _refuse_estimates(rows: pa.Table, where: str) -> None:
    """Refuse values no meter sent."""
    found = np.flatnonzero(rows["mark"].to_numpy() == Mark.ESTIMATED)
    if found.size:
        raise InputError(
            f"{where}: row {found[0]} is marked estimated; estimates are kept with keep_estimates ({found.size:,} rows)"
        )
