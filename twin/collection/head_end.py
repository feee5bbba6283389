"""The head end: workers check batches by priority, a committer stores them in groups, then they are acknowledged."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import pyarrow as pa
import simpy
from numpy.typing import NDArray

from twin.collection.concentrators import Batch
from twin.collection.errands import Errand
from twin.collection.ledger import NEVER, At, Ledger
from twin.collection.settings import Workers
from twin.scenario import ms_ns, ns


class HeadEnd:
    """Queue, workers and committer.

    Parameters
    ----------
    env : simpy.Environment
        Clock in nanoseconds.
    settings : twin.collection.settings.Workers
    ledger : Ledger
    store : twin.store.store.Store
    readings_of : callable
        ``readings_of(rows, stored_ns)``: the readings in messages of the ledger, as a table of the store's schema.
    confirms : callable
        ``confirms(errand)``: whether the bytes of an answer are what they should be.
    acknowledge : callable
        ``acknowledge(batch)``: sends word to the concentrator.
    """

    def __init__(
        self, env: simpy.Environment, settings: Workers, ledger: Ledger, store: Any,
        readings_of: Callable[[NDArray[np.int64], int], pa.Table], confirms: Callable[[Errand], bool],
        acknowledge: Callable[[Batch], None],
    ):  # fmt: skip
        self._env = env
        self._settings = settings
        self._ledger = ledger
        self._store = store
        self._readings_of = readings_of
        self._confirms = confirms
        self._acknowledge = acknowledge
        self._inbox: simpy.PriorityStore = simpy.PriorityStore(env)
        self._checked: list[Batch] = []
        self._commits = 0
        self._groups: list[list[Batch]] = []  # on their way to the disk
        self._arrivals = 0
        self.turned_away = 0
        self.busy_ns = 0
        self.peak_queue = 0
        self.checked_values = self.stored_values = self.duplicate_values = self.conflict_values = 0
        for _ in range(settings.workers):
            env.process(self._work())

    @property
    def waiting(self) -> int:
        """Batches in the queue."""
        return len(self._inbox.items)

    @property
    def uncommitted_values(self) -> int:
        """Values that were checked and are not stored yet."""
        return sum(batch.values for group in (self._checked, *self._groups) for batch in group)

    def receive(self, batch: Batch) -> None:
        """Queue a batch, or turn it away if the queue is full; its concentrator will send it again."""
        if self.waiting >= self._settings.queue_batches:
            self.turned_away += 1
            return
        self._arrivals += 1
        self._inbox.put(simpy.PriorityItem((-batch.priority, self._arrivals), batch))
        self.peak_queue = max(self.peak_queue, self.waiting)

    def _work(self) -> Generator[simpy.Event, Any, None]:
        batch_ns, value_us = ms_ns(self._settings.batch_ms), self._settings.value_us
        while True:
            batch = (yield self._inbox.get()).item
            spent_ns = batch_ns + round(batch.values * value_us * 1000)
            self.busy_ns += spent_ns
            yield self._env.timeout(spent_ns)
            self._check(batch)

    def _check(self, batch: Batch) -> None:
        rows = self._ledger.rows
        first = batch.rows[rows["head_end_ns"][batch.rows] == NEVER]
        rows["head_end_ns"][first] = self._env.now
        self._ledger.move(batch.rows, At.HEAD_END)
        self.checked_values += batch.values
        for errand in batch.answers:
            if self._confirms(errand):
                errand.answer(self._env.now)
        if not self._checked:
            self._env.process(self._commit())
        self._checked.append(batch)

    def _commit(self) -> Generator[simpy.Event, Any, None]:
        yield self._env.timeout(ns(self._settings.commit_s))
        batches, self._checked = self._checked, []
        self._groups.append(batches)
        yield self._env.timeout(ms_ns(self._settings.commit_ms))
        rows = np.concatenate([batch.rows for batch in batches])
        self._groups.remove(batches)
        if rows.size:
            self._store_rows(rows)
        for batch in batches:
            self._acknowledge(batch)

    def _store_rows(self, rows: NDArray[np.int64]) -> None:
        now = int(self._env.now)
        self._commits += 1
        receipt = self._store.ingest(self._readings_of(rows, now), f"commit-{self._commits:08d}")
        self.stored_values += receipt.stored
        self.duplicate_values += receipt.duplicates
        self.conflict_values += receipt.conflicts
        ledger = self._ledger.rows
        ledger["stored_ns"][rows[ledger["stored_ns"][rows] == NEVER]] = now
        ledger["at"][rows] = At.STORED
