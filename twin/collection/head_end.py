"""The head end: workers check batches by priority, a committer stores them in groups, then they are acknowledged.

The store works on a thread of its own, a group after the other; who asks what it has stored waits for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from heapq import heappop, heappush
from typing import Any

import numpy as np
import pyarrow as pa
import simpy
from numpy.typing import NDArray

from twin.collection.clock import Clock
from twin.collection.concentrators import Batch
from twin.collection.errands import Errand
from twin.collection.ledger import NEVER, At, Ledger
from twin.collection.settings import Workers
from twin.scenario import ms_ns, ns
from twin.store.receipt import Receipt


class HeadEnd:
    """Queue, workers and committer.

    Parameters
    ----------
    env : Clock
    settings : twin.collection.settings.Workers
    ledger : Ledger
    store : twin.store.store.Store
    readings_of : callable
        ``readings_of(rows, stored_ns)``: what it returns makes a table of the store's schema of the values in messages
        of the ledger, on the store's thread.
    confirms : callable
        ``confirms(errand)``: whether the bytes of an answer are what they should be.
    acknowledge : callable
        ``acknowledge(batch)``: sends word to the concentrator.
    """

    def __init__(
        self, env: Clock, settings: Workers, ledger: Ledger, store: Any,
        readings_of: Callable[[NDArray[np.int64], int], Callable[[], pa.Table]], confirms: Callable[[Errand], bool],
        acknowledge: Callable[[Batch], None],
    ):  # fmt: skip
        self._env = env
        self._settings = settings
        self._batch_ns = ms_ns(settings.batch_ms)
        self._ledger = ledger
        self._store = store
        self.writer = ThreadPoolExecutor(1, "store")
        self._answers: deque[Future[Receipt]] = deque()
        self._receipt = Receipt()
        self._stored_after = [0]  # values, by the commits up to then
        self._readings_of = readings_of
        self._confirms = confirms
        self._acknowledge = acknowledge
        self._inbox: list[tuple[int, int, Batch]] = []  # a heap: higher priorities, then earlier arrivals first
        self._idle = settings.workers
        self._checked: list[Batch] = []
        self.commits = 0
        self._groups: list[list[Batch]] = []  # on their way to the disk
        self._arrivals = 0
        self.turned_away = 0
        self.busy_ns = 0
        self.peak_queue = 0
        self.checked_values = 0

    @property
    def waiting(self) -> int:
        """Batches in the queue."""
        return len(self._inbox)

    @property
    def receipt(self) -> Receipt:
        """What the store made of all it was given so far; waits for it.

        Raises
        ------
        PartFailed
            If it could not write.
        """
        while self._answers:
            self._take_answer()
        return self._receipt

    @property
    def stored_values(self) -> int:
        """Values the store has acknowledged; waits for it."""
        return self.receipt.stored

    @property
    def stored_so_far(self) -> int:
        """Values the store has acknowledged by now."""
        while self._answers and self._answers[0].done():
            self._take_answer()
        return self._receipt.stored

    def stored_after(self, commits: int) -> int:
        """Return the values that were stored with the first so many commits; waits for the store."""
        while len(self._stored_after) <= commits:
            self._take_answer()
        return self._stored_after[commits]

    def _take_answer(self) -> None:
        self._receipt += self._answers.popleft().result()
        self._stored_after.append(self._receipt.stored)

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
        heappush(self._inbox, (-batch.priority, self._arrivals, batch))
        self.peak_queue = max(self.peak_queue, self.waiting)
        if self._idle:
            self._idle -= 1
            self._work()

    def _work(self) -> None:
        """Let a worker begin with the first batch in the queue; it goes on until the queue is empty.

        One call a batch: a process and a `simpy.PriorityStore` take three events.
        """
        batch = heappop(self._inbox)[2]
        spent_ns = self._batch_ns + round(batch.values * self._settings.value_us * 1000)
        self.busy_ns += spent_ns
        self._env.call(spent_ns, self._finish, batch)

    def _finish(self, batch: Batch) -> None:
        self._check(batch)
        if self._inbox:
            self._work()
        else:
            self._idle += 1

    def _check(self, batch: Batch) -> None:
        self._ledger.move(batch.rows, At.HEAD_END, int(self._env.now))
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
        self.commits += 1
        make_table, name = self._readings_of(rows, now), f"commit-{self.commits:08d}"
        self._answers.append(self.writer.submit(lambda: self._store.ingest(make_table(), name)))
        ledger = self._ledger.rows
        ledger["stored_ns"][rows[ledger["stored_ns"][rows] == NEVER]] = now
        ledger["at"][rows] = At.STORED
