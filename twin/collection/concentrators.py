"""Concentrators: readings off the mesh are gathered, kept, and sent until the head end has acknowledged them."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.collection.clock import Clock
from twin.collection.ledger import At, Ledger
from twin.collection.settings import Batching
from twin.office.wan import LOST, Wan
from twin.scenario import ms_ns, ns


@dataclass(slots=True)
class Batch:
    """What a concentrator sends to the head end as one.

    Attributes
    ----------
    rows : (R,) int
        Messages of the ledger.
    answers : list
        Errands whose answers are in it.
    priority : int
        Higher is served first at the head end.
    """

    number: int
    concentrator: int
    rows: NDArray[np.int64]
    values: int
    answers: list[Any]
    priority: int
    sendings: int = 0
    acknowledged: bool = False
    dropped: bool = False


class Reception:
    """Messages that came off the radio in one go.

    Parameters
    ----------
    times_ns : (M,) int
        When each came [ns]; ascending within each lane's part.
    rows : (M,) int
        Messages of the ledger.
    values : (M,) int
        Values in each.
    """

    __slots__ = ("before", "rows", "times_ns")

    def __init__(self, times_ns: NDArray[np.int64], rows: NDArray[np.int64], values: NDArray[np.integer]):
        self.times_ns: list[int] = times_ns.tolist()  # lanes look at single ones: arrays take ten times as long
        self.rows = rows
        self.before: list[int] = [0, *np.cumsum(values, dtype=np.int64).tolist()]  # values in the messages before each


@dataclass(slots=True)
class Lane:
    """What waits at one concentrator to be sent together, in order of reception.

    Attributes
    ----------
    wait_ns : int
        From the first reception to the batch.
    waiting : list of (Reception, int, int)
        Parts of receptions, from one place up to another.
    """

    concentrator: int
    priority: int
    wait_ns: int
    waiting: list[tuple[Reception, int, int]] = field(default_factory=list)
    flush_due: bool = False

    def taken(self, until_ns: int) -> tuple[NDArray[np.int64], int]:
        """Take out what came up to a moment, something did; return messages and their values."""
        rows, values, waiting = [], 0, self.waiting
        while waiting:
            came, begin, end = waiting[0]
            cut = bisect_right(came.times_ns, until_ns, begin, end)
            if cut > begin:
                rows.append(came.rows[begin:cut])
                values += came.before[cut] - came.before[begin]
            if cut < end:
                waiting[0] = came, cut, end
                break
            del waiting[0]
        return rows[0] if len(rows) == 1 else np.concatenate(rows), values


FULL = "concentrator_full"
ORDINARY, URGENT, ANSWER = range(3)
"""Priorities of batches at the head end."""


class Silence:
    """When each concentrator has no line to the head end, or no supply.

    Parameters
    ----------
    spans : sequence of (begin_ns, end_ns)
        (C,) int each; any number of spans a concentrator.
    """

    def __init__(self, spans: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]):
        self.count = spans[0][0].size
        self._spans: list[list[tuple[int, int]]] = [[] for _ in range(self.count)]
        for begin_ns, end_ns in spans:
            for c in np.flatnonzero(begin_ns < end_ns).tolist():
                self._spans[c].append((int(begin_ns[c]), int(end_ns[c])))

    def wait_ns(self, concentrator: int, now_ns: int) -> int:
        """Return how long a concentrator is silent from now on [ns]; 0 if it is not."""
        until_ns = now_ns
        for begin_ns, end_ns in self._spans[concentrator]:
            if begin_ns <= now_ns < end_ns:
                until_ns = max(until_ns, end_ns)
        return until_ns - now_ns


class Concentrators:
    """All concentrators; each has an ordinary and an urgent lane.

    Parameters
    ----------
    env : Clock
    settings : twin.collection.settings.Batching
    wan : Wan
    silence : Silence
    ledger : Ledger
    receive : callable
        The head end: ``receive(batch)``.
    """

    def __init__(
        self, env: Clock, settings: Batching, wan: Wan, silence: Silence, ledger: Ledger,
        receive: Callable[[Batch], None],
    ):  # fmt: skip
        self._env = env
        self._wan = wan
        self._silence = silence
        self._ledger = ledger
        self._receive = receive
        self._process_ns = ms_ns(settings.process_ms)
        self._ack_timeout_ns = ns(settings.ack_timeout_s)
        self._storage_values = settings.storage_values
        count = silence.count
        hold_ns = {ORDINARY: ns(settings.hold_s), URGENT: ns(settings.urgent_hold_s)}
        self._lanes = [[Lane(c, priority, self._process_ns + hold_ns[priority]) for c in range(count)]
                       for priority in (ORDINARY, URGENT)]  # fmt: skip
        self._kept: list[dict[int, Batch]] = [{} for _ in range(count)]  # not acknowledged, oldest first
        self._unanswered: deque[tuple[int, Batch]] = deque()  # when each is sent again, if nothing comes before
        self._words: list[tuple[int, int, Batch]] = []  # a heap: when each acknowledgement arrives
        self.kept_values = np.zeros(count, np.int64)
        self.peak_values = np.zeros(count, np.int64)
        self._let_go: NDArray[np.int64] | None = None  # within the window, if it is gone through in pieces
        self.batches = 0
        self.taken_values = self.acknowledged_values = self.dropped_values = self.resent = 0

    def room(self) -> int:
        """Return how many more values any concentrator can keep."""
        return self._storage_values - int(self.kept_values.max(initial=0))

    def begin_window(self, in_pieces: bool) -> None:
        """Count what the window brings as kept from its beginning, also if it is brought in pieces."""
        self._let_go = np.zeros_like(self.kept_values) if in_pieces else None

    def take(self, came: Reception, concentrators: NDArray[np.int64], urgent: NDArray[np.bool_]) -> None:
        """Take messages off the radio, none before the office's present.

        Parameters
        ----------
        came : Reception
            By concentrator, then ordinary and urgent ones, then by time.
        concentrators : (M,) int
            Of each message.
        urgent : (M,) bool
        """
        starts = np.flatnonzero(np.diff(concentrators, prepend=-1) | np.diff(urgent, prepend=urgent[0]))
        at, bounds = concentrators[starts], [*starts.tolist(), urgent.size]
        self._keep(at, np.diff([came.before[place] for place in bounds]))
        for place, (concentrator, hurry) in enumerate(zip(at.tolist(), urgent[starts].tolist(), strict=True)):
            lane = self._lanes[hurry][concentrator]
            lane.waiting.append((came, bounds[place], bounds[place + 1]))
            if not lane.flush_due:
                self._plan_flush(lane)

    def take_answer(self, concentrator: int, t_ns: int, rows: NDArray[np.int64], errand: Any) -> None:
        """Take the answer to a request off the radio, with the messages in it; it is sent at once."""
        values = self._ledger.values(rows)
        self._keep(np.array([concentrator]), np.array([values]))
        in_ns = t_ns + self._process_ns - self._env.now
        self._env.call(in_ns, self._send, concentrator, rows, values, [errand], ANSWER)

    def _keep(self, at: NDArray[np.int64], values: NDArray[np.int64]) -> None:
        """Keep so many values at each of some concentrators; one that is full drops its oldest batches."""
        self.hear_words(int(self._env.now))
        self.taken_values += int(values.sum())
        kept = self.kept_values.copy()
        np.add.at(kept, at, values)
        if (kept[at] <= self._storage_values).all():
            self.kept_values[:] = kept
            if self._let_go is not None:
                kept += self._let_go
            self.peak_values[at] = np.maximum(self.peak_values[at], kept[at])
            return
        for concentrator, more in zip(at.tolist(), values.tolist(), strict=True):
            self.kept_values[concentrator] += more
            self.peak_values[concentrator] = max(self.peak_values[concentrator], self.kept_values[concentrator])
            while self.kept_values[concentrator] > self._storage_values and self._kept[concentrator]:
                self._drop(next(iter(self._kept[concentrator].values())))

    def _plan_flush(self, lane: Lane) -> None:
        came, first, _ = lane.waiting[0]
        lane.flush_due = True
        self._env.call(max(came.times_ns[first] + lane.wait_ns - self._env.now, 0), self._flush, lane)

    def _flush(self, lane: Lane) -> None:
        lane.flush_due = False
        rows, values = lane.taken(self._env.now - self._process_ns)
        self._send(lane.concentrator, rows, values, [], lane.priority)
        if lane.waiting:
            self._plan_flush(lane)

    def _send(self, concentrator: int, rows: NDArray[np.int64], values: int, answers: list[Any], priority: int) -> None:
        self.batches += 1
        batch = Batch(self.batches, concentrator, rows, values, answers, priority)
        self._kept[concentrator][batch.number] = batch
        self._deliver(batch)

    def _deliver(self, batch: Batch) -> None:
        """Send a batch now, or when its concentrator may speak; come back when it should have been acknowledged."""
        if batch.acknowledged or batch.dropped:
            return
        silent_ns = self._silence.wait_ns(batch.concentrator, self._env.now)
        if silent_ns:
            self._env.call(silent_ns, self._deliver, batch)
            return
        self._ledger.move(batch.rows, At.WAN)
        batch.sendings += 1
        self.resent += batch.sendings > 1
        delay_ns = self._wan.first_try_ns()
        if delay_ns == LOST:
            self._wan.insist(partial(self._receive, batch), lambda: None)
        else:
            self._env.call(delay_ns, self._receive, batch)
        self._unanswered.append((self._env.now + self._ack_timeout_ns, batch))
        if len(self._unanswered) == 1:
            self._env.call(self._ack_timeout_ns, self._send_again)

    def _send_again(self) -> None:
        """Send what was not acknowledged in time; come back for the next that is not acknowledged yet.

        All wait equally long, so one call for the oldest does for all.
        """
        now, waiting = self._env.now, self._unanswered
        self.hear_words(int(now))
        late = []
        while waiting and (waiting[0][0] <= now or waiting[0][1].acknowledged or waiting[0][1].dropped):
            late.append(waiting.popleft()[1])
        if waiting:
            self._env.call(waiting[0][0] - now, self._send_again)
        for batch in late:
            self._deliver(batch)

    def expect(self, batch: Batch, t_ns: int) -> None:
        """Hear in advance when the acknowledgement of a batch arrives."""
        heappush(self._words, (t_ns, batch.number, batch))

    def hear_words(self, until_ns: int) -> None:
        """Take the acknowledgements that arrive before a moment."""
        words = self._words
        while words and words[0][0] < until_ns:
            self._acknowledge(heappop(words)[2])

    def _acknowledge(self, batch: Batch) -> None:
        """Let go of a batch that the head end has stored."""
        if batch.acknowledged or batch.dropped:
            return
        batch.acknowledged = True
        self.acknowledged_values += batch.values
        self._forget(batch)

    def _drop(self, batch: Batch) -> None:
        batch.dropped = True
        self.dropped_values += batch.values
        self._ledger.fail(batch.rows, FULL, final=True)
        self._forget(batch)

    def _forget(self, batch: Batch) -> None:
        self.kept_values[batch.concentrator] -= batch.values
        if self._let_go is not None:
            self._let_go[batch.concentrator] += batch.values
        del self._kept[batch.concentrator][batch.number]
