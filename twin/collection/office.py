"""The office: everything between the concentrators' antennas and the store, on one SimPy clock."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import simpy
from numpy.typing import NDArray

from twin.chance import Purpose, between_ns, uniform
from twin.collection.blackout import Blackout
from twin.collection.clock import Clock
from twin.collection.concentrators import Batch, Concentrators, Silence
from twin.collection.errands import Errand, Errands
from twin.collection.head_end import HeadEnd
from twin.collection.ledger import NEVER, At, Ledger
from twin.collection.settings import CollectionScenario
from twin.collection.targets import wave_kinds
from twin.collection.traffic import BILLING_CODE, COMMAND, READ, TrafficClass
from twin.metering.profile import find_profile
from twin.office.wan import Wan
from twin.scenario import ms_ns, ns
from twin.store.rerequest import rerequests
from twin.store.schema import HOUR_NS, MINUTE_NS


class Office:
    """Concentrators, WAN, head end, store and the errands.

    Parameters
    ----------
    scenario : CollectionScenario
    classes : list of TrafficClass
    ledger : Ledger
    store : twin.store.store.Store
    concentrator_of : callable
        Returns (N,) the concentrator of each meter's route as it is now; -1 without one.
    blackout : Blackout
    end_ns : int
        End of the run.
    readings_of, confirms, transmit : callable
        See `HeadEnd` and `Errands`.
    lanes : int
        Where messages come out: concentrators, then the gateways of other links, which are never silent.
    addressed : (K,) int
        Meters that the wave of commands is for, ascending.

    Attributes
    ----------
    targets : (T,) int
        Those of them that radio reaches.
    """

    def __init__(
        self, scenario: CollectionScenario, classes: list[TrafficClass], ledger: Ledger, store: Any,
        concentrator_of: Callable[[], NDArray[np.int64]], blackout: Blackout, end_ns: int,
        readings_of: Callable[[NDArray[np.int64], int], Callable[[], pa.Table]], confirms: Callable[[Errand], bool],
        transmit: Callable[[Errand, int], None], lanes: int,
        addressed: NDArray[np.int64],
    ):  # fmt: skip
        self.scenario = scenario
        self.env = Clock()
        self._classes = classes
        self._ledger = ledger
        self._concentrator_of = concentrator_of
        self.wan = Wan(self.env, scenario.wan, scenario.seed)
        self.head_end = HeadEnd(self.env, scenario.head_end, ledger, store, readings_of, confirms, self._acknowledge)
        self.silence = _silence(scenario, blackout, lanes)
        self.concentrators = Concentrators(
            self.env, scenario.concentrator, self.wan, self.silence, ledger, self.head_end.receive
        )
        turnaround_ns = ms_ns(scenario.concentrator.turnaround_ms)
        self.errands = Errands(
            self.env, scenario.requests, self.wan, turnaround_ns, lambda meter: int(concentrator_of()[meter]), transmit
        )
        self._end_ns = end_ns
        profile = find_profile(scenario.meter.profile)
        self._kept_ns = {kind.code: profile.kept(kind.series).span_ns for kind in classes}
        self._asking: set[tuple[int, int]] = set()  # (class, meter) with a request open
        self._starts: list[tuple[int, Callable[[], Any]]] = []
        self._plan_checks()
        self._plan_reads()
        self.targets = addressed[concentrator_of()[addressed] >= 0]
        self._plan_commands()
        self._starts.sort(key=lambda start: start[0])
        for t_ns, act in self._starts:
            self.env.call(t_ns, act)
        self.start_times_ns = [t_ns for t_ns, _ in self._starts]

    def run_until(self, t_ns: int) -> None:
        """Let everything that happens before ``t_ns`` happen."""
        if t_ns > self.env.now:
            self.env.run_until(t_ns)
            self.concentrators.hear_words(t_ns)

    def _acknowledge(self, batch: Batch) -> None:
        self.wan.carry_word(partial(self.concentrators.expect, batch))

    # ------------------------------------------------------------------ what the head end does of its own accord

    def _plan_checks(self) -> None:
        """Look for missing values a while after each interval, and from then on again and again to the end."""
        requests = self.scenario.requests
        if not requests.tries:
            return
        step_ns = round(requests.again_min * MINUTE_NS)
        for kind in self._classes:
            if kind.asked_again:
                wait_ns = round(requests.check_after_min * MINUTE_NS) + max(
                    0, kind.spread_ns - self._classes[BILLING_CODE].spread_ns
                )
                for t_ns in range(kind.period_ns + wait_ns, self._end_ns, step_ns):
                    self._starts.append((t_ns, partial(self._ask_for_missing, kind, t_ns - wait_ns)))

    def _ask_for_missing(self, kind: TrafficClass, until_ns: int) -> None:
        """Ask every meter for all it owes of the intervals up to a moment, in runs of limited size."""
        self._expire(kind)
        wanted: dict[int, list[NDArray[np.int64]]] = {}
        for rows in self._runs(kind, self.missing(kind, until_ns)):
            wanted.setdefault(int(self._ledger.rows["meter"][rows[0]]), []).append(rows)
        for meter, parts in wanted.items():
            if (kind.code, meter) not in self._asking:
                self._asking.add((kind.code, meter))
                self.env.process(self._ask_meter(kind, meter, parts))

    def _runs(self, kind: TrafficClass, rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
        """Yield messages that follow each other at one meter, those first that it overwrites first."""
        meter, end_ns = self._ledger.rows["meter"][rows], self._ledger.rows["interval_ns"][rows]
        missing = pa.table({"meter": meter, "series": np.full(rows.size, kind.series, np.uint8),
                            "interval_end_ns": end_ns})  # fmt: skip
        kept, step = {kind.series: self._kept_ns[kind.code]}, {kind.series: kind.period_ns}
        runs = rerequests(missing, int(self.env.now), kept, step)
        order = meter.astype(np.int64) << 32 | end_ns // kind.period_ns
        first_ns = runs["from_ns"].to_numpy() // kind.period_ns + 1
        starts = np.searchsorted(order, runs["meter"].to_numpy().astype(np.int64) << 32 | first_ns)
        most = max(1, self.scenario.requests.most_values // kind.records)
        for start, count in zip(starts.tolist(), runs["intervals"].to_pylist(), strict=True):
            for k in range(start, start + count, most):
                yield rows[k : min(k + most, start + count)]

    def _ask_meter(
        self, kind: TrafficClass, meter: int, parts: list[NDArray[np.int64]]
    ) -> Generator[simpy.Event, Any, None]:
        """Send one request after the other; a meter that did not answer one is left alone until the next check."""
        for rows in parts:
            self._ledger.rows["asked"][rows] = np.minimum(self._ledger.rows["asked"][rows], 254) + 1
            errand = self.errands.send("missing", meter, kind.priority, self.scenario.requests.tries, rows)
            yield errand.process
            if errand.answered_ns is None:
                break
        self._asking.discard((kind.code, meter))

    def _expire(self, kind: TrafficClass) -> None:
        """Give up what is still at its meter and has left the meter's memory."""
        rows = self._ledger.rows
        owed = np.flatnonzero((rows["at"] == At.METER) & (rows["kind"] == kind.code))
        forgotten = rows["interval_ns"][owed] + self._kept_ns[kind.code] <= self.env.now
        self._ledger.move(owed[forgotten], At.EXPIRED)

    def missing(self, kind: TrafficClass, until_ns: int) -> NDArray[np.int64]:
        """Return the messages of a class that the head end has not got, by meter and interval.

        Up to an interval's end; of meters that radio reaches, whose concentrator can be spoken to now.
        """
        rows = self._ledger.rows
        late = np.flatnonzero((rows["at"] < At.STORED) & (rows["kind"] == kind.code))  # few of all there ever were
        late = late[(rows["interval_ns"][late] <= until_ns) & (rows["head_end_ns"][late] == NEVER)]
        home = self._concentrator_of()[rows["meter"][late]]
        silent = np.array([self.silence.wait_ns(c, int(self.env.now)) > 0 for c in range(self.silence.count)])
        late = late[(home >= 0) & ~silent[home]]
        return late[np.lexsort((rows["interval_ns"][late], rows["meter"][late]))]

    def _plan_reads(self) -> None:
        hours, rate = self.scenario.time.duration_h, self.scenario.on_demand.reads_per_h
        reachable = np.flatnonzero(self._concentrator_of() >= 0)
        ids = np.arange(round(hours * rate) if reachable.size else 0)
        times = between_ns(self.scenario.seed, ids, 0, Purpose.READ_MOMENT, 0, ns(hours * 3600) - 1)
        which = np.floor(uniform(self.scenario.seed, ids, 1, Purpose.READ_MOMENT) * reachable.size).astype(np.int64)
        for t_ns, meter in zip(times.tolist(), reachable[which].tolist(), strict=True):
            self._starts.append((t_ns, partial(self.errands.send, "read", meter, READ, 1)))

    def _plan_commands(self) -> None:
        """Plan the wave and what takes it back; one limiter paces both."""
        wave = self.scenario.commands
        for kind, after_h in wave_kinds(wave):
            self._starts.append((round((wave.at_h + after_h) * HOUR_NS), partial(self._command, kind)))

    def _command(self, kind: str) -> None:
        wave = self.scenario.commands
        for meter in self.targets.tolist():
            self.errands.send(kind, meter, COMMAND, self.scenario.requests.tries, rate_per_s=wave.rate_per_s)


def _silence(scenario: CollectionScenario, blackout: Blackout, lanes: int) -> Silence:
    """Return when concentrators cannot speak: their line is cut, or they are dark."""
    cut, count = scenario.wan_outage, blackout.concentrator_off_ns.size
    hit = uniform(scenario.seed, np.arange(count), 0, Purpose.WAN_OUTAGE) < cut.share
    begin_ns = np.full(count, round(cut.at_h * HOUR_NS))
    end_ns = begin_ns + np.where(hit, round(cut.hours * HOUR_NS), 0)
    always = np.zeros(lanes - count, np.int64)
    spans = ((begin_ns, end_ns), (blackout.concentrator_off_ns, blackout.concentrator_on_ns))
    return Silence([(np.concatenate([begin, always]), np.concatenate([end, always])) for begin, end in spans])
