"""The loop: the twin grants windows; rig, mesh and office live through each; what they say to each other crosses here.

One window: supply changes take effect at its start, everything due before its end goes on the air,
the rig and the mesh run to its end side by side, then the office hears what arrived. Nothing that
one part learns in a window can act on another before the next window begins: handoff, turnaround
and WAN latency are each at least one window long, and the scenario is refused otherwise.

What acts on a board in the next window is known once the mesh has run to the end of this one. So a rig
that waits for grants has the next one before it has told what it did in this window, and goes on at once.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import gpu
from twin import wire
from twin.field.adversary import Adversary, Attack
from twin.field.book import NEVER
from twin.field.meters import ANSWER_HANDOFFS, Meters
from twin.field.notice import NOTICE_PSDU_BYTES, POLL_PSDU_BYTES, meter_key
from twin.field.stages import Stage
from twin.link.lockstep import RigDriver
from twin.office.headend import Verdict
from twin.office.office import Office
from twin.office.polling import Poll
from twin.plan import Plan
from twin.scenario import ms_ns, ns

SECOND_NS = 1_000_000_000
CHECKPOINT_NS = 10 * SECOND_NS
ARRIVED = ("acked", "unacked_delivered")  # outcomes of the engine


@dataclass
class AirSample:
    """Transmitting time and frames within one second."""

    t_ns: int
    data_air_ns: int
    ack_air_ns: int
    data_frames: int
    ack_frames: int
    busiest_substation: int
    busiest_load: float


@dataclass
class EnergySample:
    """What the hold-up stores of the dark meters have left at one moment."""

    t_ns: int
    dark: int
    alive: int
    left_j: tuple[float, float, float] | None  # 10 %, median, 90 %; None if nobody is dark


@dataclass
class BoardRecord:
    """What one board leaves."""

    events: list[wire.BoardEvent] = field(default_factory=list)
    stopped: wire.Stopped | None = None
    runs_on: str = ""  # as its rig said; a rig that is served has a board of its own

    def digest(self) -> str:
        """Return the SHA-256 of its events: kinds, samples, times from which they count."""
        return hashlib.sha256("".join(_event_text(event) for event in self.events).encode()).hexdigest()


@dataclass
class Record:
    """What a run leaves besides the states of its parts."""

    boards: list[BoardRecord] = field(default_factory=list)
    air: list[AirSample] = field(default_factory=list)
    energy: list[EnergySample] = field(default_factory=list)  # before each change of the supply, and at the end
    checkpoints: list[tuple[int, str]] = field(default_factory=list)
    security: Counter[str] = field(default_factory=Counter)
    wall_s: float = 0.0


class Loop:
    """One run, from time 0 to the scenario's end.

    Parameters
    ----------
    plan : Plan
        Grid, timeline, population and mesh, built.
    rigs : RigDriver
        One for each of the plan's boards, each with a rig that has said hello and is configured by the time of
        `run` (see `board_configuration`).
    """

    def __init__(self, plan: Plan, *rigs: RigDriver):
        scenario = plan.scenario
        self.plan = plan
        self.rigs = rigs
        self.record = Record([BoardRecord() for _ in rigs])
        self.meters = Meters(scenario, plan.population, plan.mesh, plan.boards, plan.supply.never, plan.detection)
        self.office = Office(
            scenario, plan.grid, plan.population, lambda meter: meter_key(scenario.seed, meter), self._transmit_poll
        )
        self.adversary = Adversary(scenario.adversary, scenario.seed, self.meters, ns(scenario.fault.at_s))
        self._polls_out: dict[int, Poll] = {}  # engine frame -> poll on its way to a meter
        self._answers: dict[int, tuple[Poll, bytes]] = {}  # engine frame -> answer on its way back
        self._board_polls: dict[int, Poll] = {}
        self._downlinks: dict[int, list[wire.Downlink]] = {meter: [] for meter in plan.boards}
        self._board_pu = dict.fromkeys(plan.boards, 1.0)  # voltage at each board's place over nominal
        self._granted_ns = dict.fromkeys(plan.boards, 0)  # up to where each board's rig may run
        self.now_ns = 0
        self._last_air = self._air_totals()

    @property
    def end_ns(self) -> int:
        """When the scenario ends."""
        return ns(self.plan.scenario.time.duration_s)

    def run(self, watch: Callable[[int, Loop], None]) -> Record:
        """Run to the end; ``watch(now_ns, loop)`` is called after every window."""
        self.step(self.end_ns, watch)
        return self.stop()

    def step(self, until_ns: int, watch: Callable[[int, Loop], None]) -> None:
        """Run on to ``until_ns``, at most to the scenario's end."""
        started = time.monotonic()
        windows = list(self._windows(min(until_ns, self.end_ns)))
        for (begin_ns, end_ns), following in zip(windows, [*windows[1:], None], strict=False):
            self._window(begin_ns, end_ns, following)
            self.now_ns = end_ns
            if end_ns % SECOND_NS == 0 or end_ns == self.end_ns:
                self._sample_air(end_ns)
            if end_ns % CHECKPOINT_NS == 0:
                self.record.checkpoints.append((end_ns, self.digest()))
            watch(end_ns, self)
        self.record.wall_s += time.monotonic() - started

    def take_supply(self, stage: Stage) -> None:
        """Take a state of the supply that begins now; one taken before for the same moment is forgotten."""
        assert stage.t_ns == self.now_ns, (stage.t_ns, self.now_ns)
        self.plan = replace(self.plan, supply=self.plan.supply.then(stage))

    def stop(self) -> Record:
        """End the rig's run and return what this one leaves."""
        started = time.monotonic()
        self._sample_energy()
        for board, rig in zip(self.record.boards, self.rigs, strict=True):
            board.stopped = rig.stop()
        self.record.wall_s += time.monotonic() - started
        return self.record

    def digest(self) -> str:
        """Return the SHA-256 of all that has happened so far, in radio, books, beliefs and on the board.

        It does not depend on the windows: rows are taken in order of time, frame numbers are left out.
        """
        total = hashlib.sha256(self.plan.mesh.digest().encode())
        rows = self.meters.book.in_order()
        rows["frame"] = 0
        total.update(rows.tobytes())
        for change in self.office.head_end.beliefs.changes:
            total.update(repr(change).encode())
        for place, board in enumerate(self.record.boards):
            if place:
                total.update(f"board {place}".encode())
            for event in board.events:
                total.update(_event_text(event).encode())
        if self.office.polling is not None:
            for poll in self.office.polling.polls:
                total.update(f"{poll.number} {poll.meter} {poll.asked_ns} {poll.answered_ns} {poll.supply}".encode())
        return total.hexdigest()

    def _windows(self, end_ns: int) -> Iterator[tuple[int, int]]:
        """Give (begin, end) of the windows up to ``end_ns``; cut at full seconds and at the supply's steps."""
        width_ns = ms_ns(self.plan.scenario.time.window_ms)
        cuts = {stage.t_ns for stage in self.plan.supply.stages} | set(range(0, end_ns, SECOND_NS)) | {end_ns}
        begin_ns = self.now_ns
        for cut_ns in sorted(c for c in cuts if begin_ns < c <= end_ns):
            while begin_ns < cut_ns:
                until_ns = min(begin_ns + width_ns, cut_ns)
                yield begin_ns, until_ns
                begin_ns = until_ns

    def _window(self, begin_ns: int, end_ns: int, following: tuple[int, int] | None) -> None:
        """Live through a window; ``following`` is the next one, if its supply is known."""
        for stage in self._stages_at(begin_ns):
            self._change_supply(stage)
        for meter, rig in zip(self.plan.boards, self.rigs, strict=True):
            if self._granted_ns[meter] < end_ns:
                self._grant(meter, rig, begin_ns, end_ns)
        self.adversary.act_until(end_ns)
        self.meters.act_until(end_ns)
        self.plan.mesh.run_until(end_ns)
        self._take_mesh()
        for meter, rig in zip(self.plan.boards, self.rigs, strict=True):
            if rig.ahead and following is not None:
                self._grant(meter, rig, *following)
        for meter, board, rig in zip(self.plan.boards, self.record.boards, self.rigs, strict=True):
            for event in rig.collect():
                self._take_board(meter, board, event)
        self.office.run_until(end_ns)

    def _stages_at(self, t_ns: int) -> list[Stage]:
        return [stage for stage in self.plan.supply.stages if stage.t_ns == t_ns]

    def _grant(self, meter: int, rig: RigDriver, begin_ns: int, end_ns: int) -> None:
        """Let a board's rig live through a window, with all that acts on the board in it."""
        changes = [change for stage in self._stages_at(begin_ns) for change in self._board_change(meter, stage)]
        downlinks, self._downlinks[meter] = self._downlinks[meter], []
        rig.grant(end_ns, changes, downlinks)
        self._granted_ns[meter] = end_ns

    def _change_supply(self, stage: Stage) -> None:
        """Let the meters and the office feel a new stage."""
        self._sample_energy()
        station = self.plan.population.meter_substation
        self.meters.supply(stage.t_ns, stage.dark_meters(station), stage.meters_pu(station))
        if stage.tripped.any():
            self.office.breaker_alarm(stage.t_ns, np.flatnonzero(stage.tripped))

    def _board_change(self, meter: int, stage: Stage) -> list[wire.SupplyChange]:
        """Return what a new stage changes at a board's place."""
        residual_pu = float(stage.meters_pu(self.plan.population.meter_substation)[meter])
        if residual_pu == self._board_pu[meter]:
            return []
        self._board_pu[meter] = residual_pu
        return [wire.SupplyChange(stage.t_ns, residual_pu)]

    def _take_mesh(self) -> None:
        drained = self.plan.mesh.drain()
        deaths = drained.deaths
        self.meters.died(deaths["node"].astype(np.int64), deaths["t_ns"])
        joined = drained.memberships[drained.memberships["state"] == gpu.STATES.index("joined")]
        self.meters.joined(joined["node"].astype(np.int64), joined["t_ns"])
        self._take_ends(drained.ends)
        self._take_deliveries(drained.deliveries)

    def _take_ends(self, ends: NDArray[Any]) -> None:
        frames = ends["frame"].astype(np.int64)
        rows = self.meters.book.rows_of(frames)
        known = rows != NEVER
        self.meters.book.rows["radio"][rows[known]] = ends["outcome"][known]
        for frame, outcome in zip(frames[~known].tolist(), ends["outcome"][~known].tolist(), strict=True):
            poll = self._polls_out.get(frame) or (self._answers[frame][0] if frame in self._answers else None)
            if poll is not None and poll.answered_ns is None and gpu.OUTCOMES[outcome] not in ARRIVED:
                poll.cause = gpu.OUTCOMES[outcome]

    def _take_deliveries(self, deliveries: NDArray[Any]) -> None:
        frames, nodes, times = (deliveries[name].astype(np.int64) for name in ("frame", "node", "t_ns"))
        rows = self.meters.book.rows_of(frames)
        first = self.meters.count
        for frame, node, t_ns, row in zip(frames.tolist(), nodes.tolist(), times.tolist(), rows.tolist(), strict=True):
            if row != NEVER:
                self._hear_notice(row, node - first, t_ns)
            elif frame in self._polls_out:
                self._reach_meter(self._polls_out[frame], node, t_ns)
            elif frame in self._answers:
                self._hear_answer(*self._answers[frame], node - first, t_ns)
            else:
                attack = self.adversary.frames[frame]
                self.record.security[f"{attack.kind}_heard"] += 1
                self.office.heard(t_ns, node - first, attack.data, partial(self._judge_attack, attack))

    def _hear_notice(self, row: int, concentrator: int, t_ns: int) -> None:
        entry = self.meters.book.rows
        if entry["concentrator_ns"][row] == NEVER:
            entry["concentrator_ns"][row] = t_ns
        self.adversary.overhear(np.array([row]), t_ns)
        self.office.heard(t_ns, concentrator, self.meters.notice_bytes(row), partial(self._judge_notice, row))

    def _judge_notice(self, row: int, verdict: Verdict | None) -> None:
        rows = self.meters.book.rows
        if verdict is None:
            rows["wan_lost"][row] = True
        elif verdict.reason == "accepted" and rows["head_end_ns"][row] == NEVER:
            rows["head_end_ns"][row] = verdict.t_ns

    def _judge_attack(self, attack: Attack, verdict: Verdict | None) -> None:
        """Count what became of an attack; a replay may be the first copy of a genuine notice to arrive."""
        if verdict is None:
            return
        if verdict.reason != "accepted":
            self.record.security[f"{attack.kind}_refused"] += 1
        elif attack.row != NEVER and self.meters.book.rows["head_end_ns"][attack.row] == NEVER:
            self.meters.book.rows["head_end_ns"][attack.row] = verdict.t_ns
            self.record.security["replayed_first_copy"] += 1
        else:
            self.record.security[f"{attack.kind}_accepted"] += 1

    def _transmit_poll(self, poll: Poll, t_ns: int) -> None:
        """Let the concentrator of the meter's route send a poll at ``t_ns``, no earlier than the next window."""
        sink = int(self.plan.mesh.sink_of[poll.meter])
        if sink < 0:
            poll.cause = "no_route"
            return
        self.meters.put_on_air(t_ns, sink, POLL_PSDU_BYTES, partial(self._poll_sent, poll), dst=poll.meter, priority=1)

    def _poll_sent(self, poll: Poll, frame: int) -> None:
        self._polls_out[frame] = poll

    def _answer_sent(self, poll: Poll, frame: int, data: bytes) -> None:
        self._answers[frame] = (poll, data)

    def _reach_meter(self, poll: Poll, node: int, t_ns: int) -> None:
        if node in self._downlinks:
            self._board_polls[poll.number] = poll
            self._downlinks[node].append(wire.Downlink(t_ns, poll.number))
        else:
            self.meters.answer_poll(t_ns, node, partial(self._answer_sent, poll))

    def _hear_answer(self, poll: Poll, data: bytes, concentrator: int, t_ns: int) -> None:
        def tell(verdict: Verdict | None) -> None:
            if verdict is None:
                poll.cause = "wan"
            elif verdict.notice is not None:
                poll.answer(verdict.t_ns, verdict.notice.supply)

        self.office.heard(t_ns, concentrator, data, tell)

    def _take_board(self, meter: int, board: BoardRecord, event: wire.BoardEvent | wire.Notice) -> None:
        if isinstance(event, wire.BoardEvent):
            board.events.append(event)
        elif event.kind == "poll_answer":
            answered = partial(self._answer_sent, self._board_polls.pop(event.poll), data=event.data)
            self.meters.put_on_air(event.t_ns, meter, NOTICE_PSDU_BYTES, answered, priority=1)
        else:
            self.meters.board_notice(meter, event)

    def _sample_energy(self) -> None:
        dark = np.flatnonzero(self.meters.dark)
        left_j = self.plan.mesh.energy_nj()[dark] / 1e9
        quantiles = tuple(np.quantile(left_j, (0.1, 0.5, 0.9)).tolist()) if dark.size else None
        self.record.energy.append(EnergySample(self.plan.mesh.now_ns, dark.size, int((left_j > 0).sum()), quantiles))

    def _air_totals(self) -> tuple[dict[str, int], NDArray[np.int64]]:
        stations = self.plan.node_substation
        airtime_ns = np.bincount(stations, weights=self.plan.mesh.airtime_ns, minlength=int(stations.max()) + 1)
        return dict(self.plan.mesh.counters()), airtime_ns

    def _sample_air(self, t_ns: int) -> None:
        (before, station_before), now = self._last_air, self._air_totals()
        counters, station = now
        spent_ns = station - station_before
        busiest = int(np.argmax(spent_ns))
        self.record.air.append(
            AirSample(
                t_ns,
                (counters["on_air_data_us"] - before["on_air_data_us"]) * 1000,
                (counters["on_air_ack_us"] - before["on_air_ack_us"]) * 1000,
                counters["tx_data"] - before["tx_data"],
                counters["tx_ack"] - before["tx_ack"],
                busiest,
                float(spent_ns[busiest]) / SECOND_NS,
            )
        )
        self._last_air = now


def _event_text(event: wire.BoardEvent) -> str:
    return f"{event.t_ns} {event.kind} {event.sample} {event.t0_source} {event.t0_bound_ns}"


def board_configuration(plan: Plan, place: int, holdup_nj: int, telemetry_port: int) -> wire.Configure:
    """Return what the rig of the ``place``-th board must know to play its meter."""
    s = plan.scenario
    meter, board = plan.boards[place], s.all_boards[place]
    return wire.Configure(
        meter=meter,
        key=meter_key(s.seed, meter),
        seed=s.seed,
        nominal_v=s.source.nominal_v,
        nominal_hz=s.source.nominal_hz,
        point_on_wave_deg=s.source.point_on_wave_deg,
        source_port=s.source.port and s.source.port + place,
        clocks_per_sample=board.clocks_per_sample,
        declare_ns=ns(s.policy.declare_s),
        window_ns=ns(s.policy.window_s),
        confirm_return_ns=ns(s.restoration.confirm_s),
        notice_window_ns=ns(s.restoration.notice_window_s),
        handoff_ns=ms_ns(s.meter.handoff_ms),
        answer_ns=ANSWER_HANDOFFS * ms_ns(s.meter.handoff_ms),
        holdup_nj=int(holdup_nj),
        listen_nw=s.meter.listen_mw * 1_000_000,
        sends_notices=s.policy.kind != "polling",
        credits=s.link.credits,
        telemetry_port=telemetry_port,
        real_time=s.link.mode == "real-time",
        adapter=board.adapter,
        python=board.python,
        source_seed=s.seed + place,
    )
