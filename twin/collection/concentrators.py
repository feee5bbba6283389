"""Concentrators: readings off the mesh are gathered, kept, and sent until the head end has acknowledged them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

from twin.collection.ledger import At, Ledger
from twin.collection.settings import Batching
from twin.office.wan import Wan
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


@dataclass(slots=True)
class Lane:
    """What waits at one concentrator to be sent together, in order of reception; in pieces as they came."""

    times_ns: list[NDArray[np.int64]] = field(default_factory=list)
    rows: list[NDArray[np.int64]] = field(default_factory=list)
    values: int = 0
    flush_due: bool = False

    def taken(self, until_ns: int) -> NDArray[np.int64]:
        """Take out what came up to a moment; something did."""
        times, rows = self.times_ns, self.rows
        self.times_ns, self.rows = [], []
        if times[-1][-1] > until_ns:
            last = sum(piece[0] <= until_ns for piece in times) - 1
            cut = int(times[last].searchsorted(until_ns, side="right"))
            self.times_ns, self.rows = [times[last][cut:], *times[last + 1 :]], [rows[last][cut:], *rows[last + 1 :]]
            if not self.rows[0].size:
                del self.times_ns[0], self.rows[0]
            rows = [*rows[:last], rows[last][:cut]]
        return rows[0] if len(rows) == 1 else np.concatenate(rows)


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
        """Return how long a concentrator is silent from now on; 0 if it is not."""
        until_ns = now_ns
        for begin_ns, end_ns in self._spans[concentrator]:
            if begin_ns <= now_ns < end_ns:
                until_ns = max(until_ns, end_ns)
        return until_ns - now_ns


class Concentrators:
    """All concentrators; each has an ordinary and an urgent lane.

    Parameters
    ----------
    env : simpy.Environment
        Clock in nanoseconds.
    settings : twin.collection.settings.Batching
    wan : Wan
    silence : Silence
    ledger : Ledger
    receive : callable
        The head end: ``receive(batch)``.
    """

    def __init__(
        self, env: simpy.Environment, settings: Batching, wan: Wan, silence: Silence, ledger: Ledger,
        receive: Callable[[Batch], None],
    ):  # fmt: skip
        self._env = env
        self._wan = wan
        self._silence = silence
        self._ledger = ledger
        self._receive = receive
        self._process_ns = ms_ns(settings.process_ms)
        self._hold_ns = {False: ns(settings.hold_s), True: ns(settings.urgent_hold_s)}
        self._ack_timeout_ns = ns(settings.ack_timeout_s)
        self._storage_values = settings.storage_values
        count = silence.count
        self._lanes = {urgent: [Lane() for _ in range(count)] for urgent in (False, True)}
        self._kept: list[dict[int, Batch]] = [{} for _ in range(count)]  # not acknowledged, oldest first
        self._unanswered: deque[tuple[int, Batch]] = deque()  # when each is sent again, if nothing comes before
        self._words: list[tuple[int, int, Batch]] = []  # a heap: when each acknowledgement arrives
        self.kept_values = np.zeros(count, np.int64)
        self.peak_values = np.zeros(count, np.int64)
        self.batches = 0
        self.taken_values = self.acknowledged_values = self.dropped_values = self.resent = 0

    def take(
        self, concentrator: int, times_ns: NDArray[np.int64], rows: NDArray[np.int64], values: int, urgent: bool
    ) -> None:
        """Take messages off the radio, with so many values; times ascending, none before the office's present."""
        lane = self._lanes[urgent][concentrator]
        lane.times_ns.append(times_ns)
        lane.rows.append(rows)
        lane.values += values
        self._keep(concentrator, values)
        self._plan_flush(concentrator, urgent)

    def take_answer(self, concentrator: int, t_ns: int, rows: NDArray[np.int64], errand: Any) -> None:
        """Take the answer to a request off the radio, with the messages in it; it is sent at once."""
        values = self._ledger.values(rows)
        self._keep(concentrator, values)
        self._after(
            t_ns + self._process_ns - self._env.now,
            partial(self._send, concentrator, rows, values, [errand], ANSWER),
        )

    def _keep(self, concentrator: int, values: int) -> None:
        self.hear_words(int(self._env.now))
        self.taken_values += values
        self.kept_values[concentrator] += values
        self.peak_values[concentrator] = max(self.peak_values[concentrator], self.kept_values[concentrator])
        while self.kept_values[concentrator] > self._storage_values and self._kept[concentrator]:
            self._drop(next(iter(self._kept[concentrator].values())))

    def _plan_flush(self, concentrator: int, urgent: bool) -> None:
        lane = self._lanes[urgent][concentrator]
        if lane.flush_due or not lane.times_ns:
            return
        lane.flush_due = True
        due_ns = int(lane.times_ns[0][0]) + self._process_ns + self._hold_ns[urgent]
        self._after(max(due_ns - self._env.now, 0), partial(self._flush, concentrator, urgent))

    def _flush(self, concentrator: int, urgent: bool) -> None:
        lane = self._lanes[urgent][concentrator]
        lane.flush_due = False
        rows = lane.taken(self._env.now - self._process_ns)
        values = self._ledger.values(rows) if lane.rows else lane.values
        lane.values -= values
        self._send(concentrator, rows, values, [], URGENT if urgent else ORDINARY)
        self._plan_flush(concentrator, urgent)

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
            self._after(silent_ns, partial(self._deliver, batch))
            return
        self._ledger.move(batch.rows, At.WAN)
        batch.sendings += 1
        self.resent += batch.sendings > 1
        self._wan.carry(partial(self._receive, batch), lambda: None)
        self._unanswered.append((self._env.now + self._ack_timeout_ns, batch))
        if len(self._unanswered) == 1:
            self._after(self._ack_timeout_ns, self._send_again)

    def _send_again(self) -> None:
        """Send what was not acknowledged in time; come back for the next that is not acknowledged yet.

        All wait equally long, so one event for the oldest does for all.
        """
        now, waiting = self._env.now, self._unanswered
        self.hear_words(int(now))
        late = []
        while waiting and (waiting[0][0] <= now or waiting[0][1].acknowledged or waiting[0][1].dropped):
            late.append(waiting.popleft()[1])
        if waiting:
            self._after(waiting[0][0] - now, self._send_again)
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
        del self._kept[batch.concentrator][batch.number]

    def _after(self, delay_ns: int, act: Callable[[], Any]) -> None:
        event = self._env.timeout(delay_ns)
        event.callbacks.append(lambda _: act())
