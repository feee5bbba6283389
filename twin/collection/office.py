"""The office: everything between the concentrators' antennas and the store, on one SimPy clock."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import simpy
from numpy.typing import NDArray

from twin.chance import Purpose, between_ns, uniform
from twin.collection.concentrators import Batch, Concentrators, Outage
from twin.collection.errands import Errand, Errands
from twin.collection.head_end import HeadEnd
from twin.collection.ledger import At, Ledger
from twin.collection.settings import CollectionScenario
from twin.collection.traffic import BILLING_CODE, COMMAND, READ, TrafficClass
from twin.office.wan import Wan
from twin.scenario import ms_ns, ns
from twin.store.schema import HOUR_NS, MINUTE_NS

GIVEN_UP = "given_up"


class Office:
    """Concentrators, WAN, head end, store and the errands.

    Parameters
    ----------
    scenario : CollectionScenario
    classes : list of TrafficClass
    ledger : Ledger
    store : twin.store.store.Store
    concentrator_of : (N,) int
        The concentrator of each meter's route; -1 without one.
    concentrators : int
        How many there are, C.
    readings_of, transmit : callable
        See `HeadEnd` and `Errands`.
    """

    def __init__(
        self, scenario: CollectionScenario, classes: list[TrafficClass], ledger: Ledger, store: Any,
        concentrator_of: NDArray[np.int64], concentrators: int,
        readings_of: Callable[[NDArray[np.int64], int], pa.Table], transmit: Callable[[Errand, int], None],
    ):  # fmt: skip
        self.scenario = scenario
        self.env = simpy.Environment()
        self._classes = classes
        self._ledger = ledger
        self._concentrator_of = concentrator_of
        self.wan = Wan(self.env, scenario.wan, scenario.seed)
        self.head_end = HeadEnd(self.env, scenario.head_end, ledger, store, readings_of, self._acknowledge)
        self.outage = _outage(scenario, concentrators)
        self.concentrators = Concentrators(
            self.env, scenario.concentrator, self.wan, self.outage, ledger, self.head_end.receive
        )
        turnaround_ns = ms_ns(scenario.concentrator.turnaround_ms)
        self.errands = Errands(self.env, scenario.requests, self.wan, turnaround_ns, concentrator_of, transmit)
        self._starts: list[tuple[int, Callable[[], Any]]] = []
        self._plan_checks()
        self._plan_reads()
        self._plan_commands()
        self._starts.sort(key=lambda start: start[0])
        for t_ns, act in self._starts:
            event = self.env.timeout(t_ns)
            event.callbacks.append(lambda _, act=act: act())
        self.start_times_ns = [t_ns for t_ns, _ in self._starts]

    def run_until(self, t_ns: int) -> None:
        """Let everything that happens before ``t_ns`` happen."""
        if t_ns > self.env.now:
            self.env.run(until=t_ns)

    def _acknowledge(self, batch: Batch) -> None:
        self.wan.carry(lambda: self.concentrators.acknowledge(batch), lambda: None)

    # ------------------------------------------------------------------ what the head end does of its own accord

    def _plan_checks(self) -> None:
        """Look for missing values a while after each interval, and after the end of each period of the history."""
        requests = self.scenario.requests
        if not requests.tries:
            return
        end_ns = ns(self.scenario.time.duration_h * 3600)
        for kind in self._classes:
            wait_ns = ns(60 * requests.check_after_min) + max(0, kind.spread_ns - self._classes[BILLING_CODE].spread_ns)
            if kind.asked_again:
                for interval_ns in range(kind.period_ns, end_ns + 1, kind.period_ns):
                    self._starts.append((interval_ns + wait_ns, self._check_of(kind, interval_ns)))

    def _check_of(self, kind: TrafficClass, interval_ns: int) -> Callable[[], None]:
        def check() -> None:
            for row in self.missing(kind, interval_ns).tolist():
                meter = int(self._ledger.rows["meter"][row])
                self._ledger.rows["asked"][row] += 1
                self.errands.send("missing", meter, kind.priority, self.scenario.requests.tries, np.array([row]))

        return check

    def missing(self, kind: TrafficClass, interval_ns: int) -> NDArray[np.int64]:
        """Return the messages of an interval that the head end has not got, of meters that radio can reach."""
        rows = self._ledger.rows
        late = np.flatnonzero((rows["interval_ns"] == interval_ns) & (rows["kind"] == kind.code)
                              & (rows["head_end_ns"] < 0) & (rows["at"] < At.STORED))  # fmt: skip
        return late[self._concentrator_of[rows["meter"][late]] >= 0]

    def _plan_reads(self) -> None:
        hours, rate = self.scenario.time.duration_h, self.scenario.on_demand.reads_per_h
        reachable = np.flatnonzero(self._concentrator_of >= 0)
        ids = np.arange(round(hours * rate) if reachable.size else 0)
        times = between_ns(self.scenario.seed, ids, 0, Purpose.READ_MOMENT, 0, ns(hours * 3600) - 1)
        which = np.floor(uniform(self.scenario.seed, ids, 1, Purpose.READ_MOMENT) * reachable.size).astype(np.int64)
        for t_ns, meter in zip(times.tolist(), reachable[which].tolist(), strict=True):
            self._starts.append((t_ns, partial(self.errands.send, "read", meter, READ, 1)))

    def _plan_commands(self) -> None:
        wave = self.scenario.commands
        if wave.kind == "none":
            return
        luck = uniform(self.scenario.seed, np.arange(self._concentrator_of.size), 0, Purpose.COMMAND_TARGET)
        targets = np.argsort(luck, kind="stable")[: wave.meters]
        targets = np.sort(targets[self._concentrator_of[targets] >= 0])

        def begin() -> None:
            for meter in targets.tolist():
                self.errands.send(wave.kind, meter, COMMAND, self.scenario.requests.tries, rate_per_s=wave.rate_per_s)

        self._starts.append((round(wave.at_h * HOUR_NS), begin))


def _outage(scenario: CollectionScenario, concentrators: int) -> Outage:
    cut = scenario.wan_outage
    luck = uniform(scenario.seed, np.arange(concentrators), 0, Purpose.WAN_OUTAGE)
    begin_ns = round(cut.at_h * HOUR_NS)
    return Outage(begin_ns, begin_ns + round(cut.hours * 60 * MINUTE_NS), luck < cut.share)
