"""A time of collection: meters report, the mesh carries, the office stores, in windows of simulated time.

A window is long while nobody waits for a meter's answer, and as long as the look-ahead while somebody does: what a
window brings acts on the radio no earlier than in the next, since a concentrator's turnaround and a meter's answer take
that long. While nobody waits, a window is gone through in pieces, and the radio runs the next piece as the office works
on this one.
"""

from __future__ import annotations

import hashlib
import time
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

import gpu
from twin.chance import Purpose, uniform
from twin.collection.blackout import Blackout
from twin.collection.concentrators import Reception
from twin.collection.conservation import Balance, balance
from twin.collection.dialogue import Dialogue
from twin.collection.errands import COMMANDS, Errand
from twin.collection.firmware import FIRST_ROW, Firmware
from twin.collection.garbage import seldom_searched
from twin.collection.island import Island, Supply
from twin.collection.ledger import NEVER, At, Ledger
from twin.collection.links import Heard, Links
from twin.collection.links_handy import HandyTerminals
from twin.collection.office import Office
from twin.collection.plan import CollectionPlan
from twin.collection.reporting import TICK_NS, Reporting
from twin.collection.targets import customers_who_adapt, drawn_meters
from twin.collection.traffic import TrafficClass, traffic_classes
from twin.collection.values import contents
from twin.collection.verification import Verification
from twin.metering.readings import join
from twin.scenario import ms_ns, ns
from twin.store.schema import MINUTE_NS, SECOND_NS

WINDOW_NS = MINUTE_NS
PIECE_NS = 20 * SECOND_NS
LAST_PIECE_NS = 5 * SECOND_NS  # before the radio must wait for the office: it waits for so much of the office's work
CHECKPOINT_NS = 30 * MINUTE_NS
ARRIVED = ("acked", "unacked_delivered")  # outcomes of the engine


@dataclass
class AirSample:
    """What was on air since the sample before."""

    t_ns: int
    data_us: int
    ack_us: int
    data_frames: int
    ack_frames: int
    waiting_batches: int
    head_end_busy_ns: int
    commits: int  # groups that were handed to the store


@dataclass
class Record:
    """What a run leaves besides the states of its parts."""

    air: list[AirSample] = field(default_factory=list)
    checkpoints: list[tuple[int, str]] = field(default_factory=list)
    broken: list[tuple[int, str]] = field(default_factory=list)  # sums that did not hold, and when
    air_us_of_class: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    balance: Balance | None = None
    windows: int = 0
    runs_ahead: int = 0  # of the radio, while the office worked on what came before
    radio_wall_s: float = 0.0
    wall_s: float = 0.0


class Collection:
    """One run, from time 0 to the scenario's end.

    Parameters
    ----------
    plan : CollectionPlan
        Grid, population and mesh, built.
    store : twin.store.store.Store
        Where readings end; empty.
    window_ns : int
        Longest window; results do not depend on it.
    """

    def __init__(self, plan: CollectionPlan, store: Any, window_ns: int = WINDOW_NS):
        scenario = plan.scenario
        self.plan = plan
        self.store = store
        self.record = Record()
        self.classes = traffic_classes(scenario)
        self.generated_until_ns = ns(scenario.time.duration_h * 3600)
        self.ledger = Ledger(sum(c.members.size * (self.generated_until_ns // c.period_ns) for c in self.classes))
        self.blackout = Blackout(scenario.blackout, plan.population, scenario.seed)
        self.blackout.plan_supply(plan.mesh, plan.memory, plan.fleet.on_mesh)
        self.verification = Verification(
            scenario.seed, scenario.head_end.verified_share, plan.meters, scenario.meter.profile
        )
        self.firmware = self._new_image()
        self.dialogue = Dialogue(scenario, plan.memory, self.classes, self.ledger, self.firmware)
        self.links = Links(scenario, plan.fleet, self.ledger, self.blackout, self.dialogue.reach, self._take_answer)
        self.reporting = Reporting(
            scenario.seed, self.classes, scenario.delivery, plan.mesh, self.ledger, self.blackout, self.links
        )
        self.end_ns = self.generated_until_ns + ns(scenario.time.after_h * 3600)
        self._static_lanes = np.where(plan.fleet.on_mesh, plan.concentrator_of, plan.fleet.lane)
        self.island, self.supply = self._cut_off()
        self.addressed = self._addressed()
        self.office = Office(
            scenario, self.classes, self.ledger, store, self.concentrators_now, self.blackout, self.end_ns,
            self._readings_of, self.dialogue.confirms, self._transmit, plan.fleet.lanes, self.addressed,
        )  # fmt: skip
        self.handy = HandyTerminals(
            self.office.env, scenario.handy, self.classes, self.ledger, self.blackout, plan.fleet.terminals_lane,
            self.office.concentrators.take,
        )  # fmt: skip
        self._window_ns = window_ns
        self._look_ahead_ns = ms_ns(min(scenario.concentrator.turnaround_ms, scenario.delivery.answer_ms))
        self._answer_ns = ms_ns(scenario.delivery.answer_ms)
        self._sendings: list[tuple[int, Errand]] = []  # errands for the radio, from the next window on
        self._downlinks: dict[int, Errand] = {}  # engine frame -> errand on its way to a meter
        self._repairs_begin = False  # whether the window that comes is the first of a repair
        self._answers: dict[int, Errand] = {}  # engine frame -> errand on its way back
        self._radio = ThreadPoolExecutor(1, "radio")
        self._ahead: tuple[int, Future[None]] | None = None  # the radio's run of what comes, and its end
        # An image's repair begins errands of its own accord, and a device belongs to the thread that opened it.
        self._may_go_ahead = self.firmware is None and plan.backend == "cpu"
        self._mesh_alone = not plan.fleet.mixed and not scenario.handy.crews and self.island is None
        self._most_values = _most_values(window_ns, plan.mesh.radio.bit_rate_bps, self.classes)
        self._reported_ns = 0
        self._reads_beside = self.island is None and scenario.commands.kind == "none"  # memories follow nobody
        self._air = self._last_air = plan.mesh.counters()
        self._ended: list[NDArray[np.int64]] = []  # frames, since the last sample
        self._told = plan.mesh.frames(np.empty(0, np.int64))  # of those, at the last sample
        self._looked_at = "", 0  # at the last checkpoint: the mesh's digest, and the messages there were
        self._urgent = np.array([c.urgent for c in self.classes])
        self._final = np.array([not c.asked_again for c in self.classes])

    def run(self, watch: Callable[[int, Collection], None]) -> Record:
        """Run to the end; ``watch(now_ns, collection)`` is called after every window."""
        started = time.monotonic()
        with seldom_searched(), self._radio, self.office.head_end.writer:
            for begin_ns, end_ns in self._windows():
                self._window(begin_ns, end_ns)
                if end_ns % TICK_NS == 0 or end_ns == self.end_ns:
                    self._sample(end_ns)
                if end_ns % CHECKPOINT_NS == 0 or end_ns == self.end_ns:
                    self._checkpoint(end_ns)
                if self._ahead is not None:
                    wait([self._ahead[1]])  # nobody looks at the mesh while it runs
                watch(end_ns, self)
        self.record.wall_s = time.monotonic() - started
        return self.record

    def digest(self) -> str:
        """Return the SHA-256 of all that has happened so far in radio, ledger, store and errands; free of windows."""
        return self._digest(self.plan.mesh.digest(), self.ledger.size)

    def _digest(self, mesh_digest: str, messages: int) -> str:
        """Return the digest with the mesh's and so many messages of the ledger."""
        total = hashlib.sha256(mesh_digest.encode())
        total.update(f"{self.ledger.digest(messages):016x}".encode())
        receipt = self.office.head_end.receipt
        total.update(f"{receipt.stored} {receipt.duplicates} {receipt.conflicts}".encode())
        for errand in self.office.errands.all:
            total.update(f"{errand.kind} {errand.meter} {errand.asked_ns} {errand.reached_ns} {errand.answered_ns}"
                         f" {errand.tries} {errand.received} {errand.acted}".encode())  # fmt: skip
        return total.hexdigest()

    def concentrators_now(self) -> NDArray[np.int64]:
        """Return (N,) the concentrator of each meter's route as it is now, or its link's lane; -1 without one."""
        if self.plan.mesh.radio.tree == "static":
            return self._static_lanes
        return np.where(self.plan.fleet.on_mesh, self._routes_now(), self.plan.fleet.lane)

    def _routes_now(self) -> NDArray[np.int64]:
        """Return (N,) the concentrator of each meter's route as it is now; -1 without one, as beside the mesh."""
        if self.plan.mesh.radio.tree == "static":
            return self.plan.concentrator_of
        sink_of = self.plan.mesh.sink_of[: self.plan.meters].astype(np.int64)
        return np.where((sink_of < 0) | ~self.plan.fleet.on_mesh, -1, sink_of - self.plan.meters)

    def _cut_off(self) -> tuple[Island | None, Supply | None]:
        """Return the island and its state, if the scenario has one."""
        scenario = self.plan.scenario
        if not scenario.island.meters:
            return None, None
        island = Island(
            scenario.island, self.plan.population, self.plan.memory.loads, customers_who_adapt(scenario),
            scenario.meter.contract_a, scenario.seed,
        )  # fmt: skip
        return island, island.alone()

    def _new_image(self) -> Firmware | None:
        """Return the image that meters are to get, if the scenario has one."""
        scenario = self.plan.scenario
        if not scenario.firmware.image_kb:
            return None
        return Firmware(scenario.firmware, scenario.seed, self.plan.mesh, self._routes_now,
                        self.plan.concentrators, self.plan.fleet.lane, self.ledger.bind)  # fmt: skip

    def _send_image(self, t_ns: int) -> None:
        """Let blocks be broadcast in the next five minutes, and begin the repair where that is over."""
        if self.firmware is not None:
            meters = self.firmware.tick(t_ns)
            self._repairs_begin = meters.size > 0
            self.firmware.repair(self.office.env, self.office.errands, meters)

    def _addressed(self) -> NDArray[np.int64]:
        """Return the meters that the wave of commands is for."""
        scenario = self.plan.scenario
        to_island = self.island is not None and scenario.commands.to == "island"
        return self.island.meters if self.island is not None and to_island else drawn_meters(scenario)

    def _let_island_live(self, t_ns: int) -> None:
        """Balance the island's last five minutes; when its battery is empty its meters are dark."""
        island, supply = self.island, self.supply
        if island is None or supply is None or supply.dark_ns is not None or t_ns <= island.begin_ns:
            return
        island.advance(supply, t_ns - TICK_NS, t_ns, island.metered(self.plan.memory.curtailed))
        if supply.dark_ns is not None:
            self.blackout.strike(island.meters, t_ns, self.plan.mesh, self.plan.memory, self.plan.fleet.on_mesh)

    # ------------------------------------------------------------------ windows

    def _windows(self) -> Iterator[tuple[int, int]]:
        begin_ns = 0
        while begin_ns < self.end_ns:
            if begin_ns % TICK_NS == 0:
                self._let_island_live(begin_ns)
                self._send_image(begin_ns)
            until_ns = self._window_end(begin_ns)
            self._repairs_begin = False
            yield begin_ns, until_ns
            begin_ns = until_ns

    def _window_end(self, begin_ns: int) -> int:
        """Return the end of the window: no tick and no start of an errand inside, the look-ahead while one is open."""
        starts = self.office.start_times_ns
        place = bisect_left(starts, begin_ns)
        next_ns = starts[place] if place < len(starts) else self.end_ns
        waiting = self._repairs_begin or self._somebody_waits() or next_ns == begin_ns
        if waiting:
            after = bisect_left(starts, begin_ns + 1)
            next_ns = starts[after] if after < len(starts) else self.end_ns
        width_ns = self._look_ahead_ns if waiting else self._window_ns
        next_tick_ns = (begin_ns // TICK_NS + 1) * TICK_NS
        return min(begin_ns + width_ns, next_tick_ns, next_ns, self.end_ns)

    def _somebody_waits(self) -> bool:
        return bool(self.office.errands.open or self._downlinks or self._sendings)

    def _may_send(self) -> bool:
        """Return whether an errand is on its way to a meter or may still be sent; an answer gives the radio no work."""
        return bool(self.office.errands.to_send or self._downlinks or self._sendings)

    def _run_radio(self, end_ns: int) -> None:
        started = time.monotonic()
        self.plan.mesh.run_until(end_ns)
        self.record.radio_wall_s += time.monotonic() - started

    def _catch_up_radio(self, until_ns: int) -> None:
        """Let the radio be at a moment, where it has not gone ahead to."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            ahead_ns, run = ahead
            run.result()
            assert ahead_ns <= until_ns, f"the radio went ahead to {ahead_ns} ns, beyond {until_ns} ns"
        if ahead is None or ahead_ns < until_ns:
            self._run_radio(until_ns)

    def _go_ahead(self, until_ns: int) -> None:
        """Let the radio run to a moment already; nobody looks at the mesh meanwhile."""
        self._ahead = until_ns, self._radio.submit(self._run_radio, until_ns)
        self.record.runs_ahead += 1

    def _may_pass(self, begin_ns: int, end_ns: int) -> bool:
        """Return whether the radio may go beyond a window's end before the office is there.

        Nothing is sent to a meter, no errand begins from ``begin_ns`` up to ``end_ns``, and what interval is over can
        be reported before the office is there.
        """
        if not self._may_go_ahead or self._may_send() or end_ns == self.end_ns:
            return False
        starts = self.office.start_times_ns
        begins = bisect_right(starts, end_ns) > bisect_left(starts, begin_ns)
        return not begins and (end_ns % TICK_NS > 0 or self._mesh_alone)

    def _in_pieces(self) -> bool:
        """Return whether the office may go through a window piece by piece: nobody waits, and nothing can become full.

        A concentrator counts what a window brings as kept from the window's beginning. If that could be more than it
        can keep, the whole window is known to the office before it begins.
        """
        if not self._may_go_ahead or not self._mesh_alone or self._somebody_waits() or self._answers:
            return False
        return self.office.concentrators.room() >= self._most_values

    def _window(self, begin_ns: int, end_ns: int) -> None:
        self.record.windows += 1
        self._report(begin_ns)
        self._send_errands()
        in_pieces = self._in_pieces()
        self.office.concentrators.begin_window(in_pieces)
        cuts = self._cuts(begin_ns, end_ns) if in_pieces else [end_ns]
        for place, until_ns in enumerate(cuts):
            self._catch_up_radio(until_ns)
            drained = self.plan.mesh.drain()
            self._ended.append(drained.ends["frame"])
            if until_ns < end_ns:
                self._go_ahead(cuts[place + 1])
            else:
                self._finish_window(begin_ns, end_ns)
            self._take_up(until_ns, drained.deliveries, drained.ends)
            self.office.run_until(until_ns)

    def _cuts(self, begin_ns: int, end_ns: int) -> list[int]:
        """Return where the pieces of a window end; the last is short where the radio has to wait for the office."""
        last_ns = end_ns if self._may_pass(begin_ns, end_ns) else max(end_ns - LAST_PIECE_NS, begin_ns)
        first_ns = begin_ns + 1 if self._ahead is None else self._ahead[0]  # the radio may be there already
        cuts = [*range(begin_ns + PIECE_NS, last_ns, PIECE_NS), last_ns, end_ns]
        return sorted({cut for cut in cuts if cut >= first_ns})

    def _take_up(self, until_ns: int, deliveries: NDArray[Any], ends: NDArray[Any]) -> None:
        """Take up what happened on radio and links up to a moment; the radio may be ahead already."""
        beside, failed = self.links.run_until(until_ns)
        self._take_deliveries(deliveries, beside)
        self._take_ends(ends)
        for row, cause in failed:
            self._fail(np.array([row]), cause)

    def _finish_window(self, begin_ns: int, end_ns: int) -> None:
        """Look at the mesh as it is at a window's end, and let it go ahead if it may."""
        if end_ns % TICK_NS == 0 or end_ns == self.end_ns:
            self._air = self.plan.mesh.counters()
            self._told = self.plan.mesh.frames(np.concatenate(self._ended))
            self._ended = []
        if end_ns % CHECKPOINT_NS == 0:
            self.plan.mesh.forget_ended()  # each time moves all that are left: fewest before the next half hour's come
        if end_ns % CHECKPOINT_NS == 0 or end_ns == self.end_ns:
            self._looked_at = self.plan.mesh.digest(), self.ledger.size
        if self._may_pass(begin_ns, end_ns):
            self._report(end_ns)
            self._go_ahead(self._cuts(end_ns, self._window_end(end_ns))[0])

    def _report(self, t_ns: int) -> None:
        """Let the intervals that end at a moment be reported, once."""
        if t_ns % TICK_NS == 0 and self._reported_ns < t_ns <= self.generated_until_ns:
            self._reported_ns = t_ns
            self.reporting.end_intervals(t_ns)

    # ------------------------------------------------------------------ radio to office

    def _take_deliveries(self, deliveries: NDArray[Any], beside: Heard) -> None:
        frames = deliveries["frame"].astype(np.int64)
        nodes, times = deliveries["node"].astype(np.int64), deliveries["t_ns"]
        if self._downlinks or self._answers:
            for place in np.flatnonzero(self.ledger.rows_of(frames) == NEVER).tolist():
                self._take_errand(int(frames[place]), int(nodes[place]), int(times[place]))
        rows = self.ledger.rows_of(frames)
        if self.firmware is not None:
            blocks = np.flatnonzero(rows <= FIRST_ROW)
            blocks = blocks[np.lexsort((nodes[blocks], times[blocks]))]
            self.firmware.hear(nodes[blocks], FIRST_ROW - rows[blocks], times[blocks])
        carried = rows >= 0
        mesh = rows[carried], nodes[carried] - self.plan.meters, times[carried]
        self._hear(*(np.concatenate(pair) for pair in zip(mesh, beside, strict=True)))

    def _hear(self, rows: NDArray[np.int64], concentrators: NDArray[np.int64], times: NDArray[np.int64]) -> None:
        """Let concentrators take the messages that reached them, with their riders."""
        if not rows.size:
            return
        table = self.ledger.rows
        rows, carrier = self.ledger.with_riders(rows)
        concentrators, times = concentrators[carrier], times[carrier]
        urgent = self._urgent[table["kind"][rows]]
        order = np.lexsort((times, urgent, concentrators))
        rows, concentrators, times, urgent = rows[order], concentrators[order], times[order], urgent[order]
        first = np.flatnonzero(table["radio_ns"][rows] == NEVER)[::-1]  # backwards: the first of several counts
        table["radio_ns"][rows[first]] = times[first]
        table["sink"][rows[first]] = concentrators[first]
        self.ledger.move(rows, At.CONCENTRATOR)
        self.office.concentrators.take(Reception(times, rows, table["values"][rows]), concentrators, urgent)

    def _take_ends(self, ends: NDArray[Any]) -> None:
        frames, outcome = ends["frame"].astype(np.int64), ends["outcome"]
        if not frames.size:
            return
        for frame in frames[self.ledger.rows_of(frames) == NEVER].tolist():
            self._downlinks.pop(frame, None)
            self._answers.pop(frame, None)
        arrived = np.isin(outcome, [gpu.OUTCOMES.index(name) for name in ARRIVED])
        for code in np.unique(outcome[~arrived]).tolist():
            rows = self.ledger.rows_of(frames[outcome == code])
            rows = rows[rows >= 0]
            self._fail(rows, gpu.OUTCOMES[code])

    def _fail(self, rows: NDArray[np.int64], cause: str) -> None:
        """Let messages that were on their way, and their riders, be back at their meters or lost."""
        rows, _ = self.ledger.with_riders(rows[self.ledger.rows["at"][rows] == At.RADIO])
        final = self._final[self.ledger.rows["kind"][rows]]
        self.ledger.fail(rows[final], cause, final=True)
        self.ledger.fail(rows[~final], cause, final=False)

    def _count_air(self, told: NDArray[Any]) -> None:
        """Add up attempts times length by class; riders of an aggregate count whole, so only shares mean something."""
        rows = self.ledger.rows_of(told["frame"])
        kinds = np.full(rows.size, len(self.classes))  # then come errands, and blocks of an image
        kinds[rows >= 0] = self.ledger.rows["kind"][rows[rows >= 0]]
        kinds[rows <= FIRST_ROW] = len(self.classes) + 1
        weight = told["attempts"].astype(np.int64) * told["psdu_bytes"]
        spent = np.bincount(kinds, weights=weight, minlength=len(self.classes) + 2)
        for name, share in zip([*(c.name for c in self.classes), "errands", "firmware"], spent.tolist(), strict=True):
            self.record.air_us_of_class[name] += round(share)
        for code, count in zip(*np.unique(told["outcome"], return_counts=True), strict=True):
            self.record.outcomes[gpu.OUTCOMES[code]] += int(count)

    # ------------------------------------------------------------------ errands on the radio

    def _transmit(self, errand: Errand, t_ns: int) -> None:
        self._sendings.append((t_ns, errand))

    def _send_errands(self) -> None:
        sendings, self._sendings = self._sendings, []
        for t_ns, errand in sendings:
            concentrator = int(self.concentrators_now()[errand.meter])
            if concentrator < 0:
                continue  # its meter has lost its way meanwhile: the errand will time out
            size = self.dialogue.request_bytes(errand)
            if self.plan.fleet.link[errand.meter]:
                self.links.send(errand, t_ns, size)
                continue
            sink = self.plan.meters + concentrator
            for _ in range(1 + self._sent_twice(errand)):
                frames = self.reporting.send(t_ns, sink, self._routed_to(errand, concentrator), size, errand.priority)
                self._downlinks[int(frames[0])] = errand

    def _sent_twice(self, errand: Errand) -> bool:
        """Return whether a concentrator repeats a command that it need not repeat."""
        wave = self.plan.scenario.commands
        return errand.kind in COMMANDS and self._drawn(errand, Purpose.COMMAND_REPEATED) < wave.repeated_share

    def _routed_to(self, errand: Errand, concentrator: int) -> int:
        """Return the meter that the frame goes to: another of its concentrator's where the routing is wrong."""
        wave = self.plan.scenario.commands
        if errand.kind in COMMANDS and self._drawn(errand, Purpose.COMMAND_ASTRAY) < wave.misdirected_share:
            beside = np.flatnonzero(self.concentrators_now() == concentrator)
            return int(beside[(np.searchsorted(beside, errand.meter) + 1) % beside.size])
        return errand.meter

    def _drawn(self, errand: Errand, purpose: Purpose) -> float:
        return float(uniform(self.plan.scenario.seed, errand.number, 0, purpose))

    def _take_errand(self, frame: int, node: int, t_ns: int) -> None:
        if frame in self._downlinks:
            errand = self._downlinks[frame]
            size = self.dialogue.reach(errand, node, t_ns)
            if size is not None:
                frames = self.reporting.send(t_ns + self._answer_ns, node, -1, size, errand.priority)
                self._answers[int(frames[0])] = errand
        elif frame in self._answers:
            self._take_answer(self._answers[frame], node - self.plan.meters, t_ns)

    def _take_answer(self, errand: Errand, concentrator: int, t_ns: int) -> None:
        rows = errand.rows
        first = rows[self.ledger.rows["radio_ns"][rows] == NEVER]
        self.ledger.rows["radio_ns"][first] = t_ns
        self.ledger.rows["sink"][first] = concentrator
        self.ledger.move(rows, At.CONCENTRATOR)
        self.office.concentrators.take_answer(concentrator, t_ns, rows, errand)

    # ------------------------------------------------------------------ what is written down

    def _sample(self, t_ns: int) -> None:
        now, before = self._air, self._last_air
        data_us, ack_us, data_frames, ack_frames = (
            now[key] - before[key] for key in ("on_air_data_us", "on_air_ack_us", "tx_data", "tx_ack")
        )
        head_end = self.office.head_end
        work = (head_end.waiting, head_end.busy_ns, head_end.commits)
        self.record.air.append(AirSample(t_ns, data_us, ack_us, data_frames, ack_frames, *work))
        self._last_air = now
        self._count_air(self._told)

    def _checkpoint(self, t_ns: int) -> None:
        mesh_digest, messages = self._looked_at
        self.record.checkpoints.append((t_ns, self._digest(mesh_digest, messages)))
        self.record.balance = balance(self, self._air, messages)
        self.record.broken += [(t_ns, text) for text in self.record.balance.broken]

    def _readings_of(self, rows: NDArray[np.int64], stored_ns: int) -> Callable[[], pa.Table]:
        """Return what makes the store's table of messages' values, a sample of them as real bytes first.

        What is in a message does not change once it is stored, so it is read on the store's thread; but where meters
        are followed for their limits, at once.
        """
        read = partial(contents, self.plan.memory, self.ledger.rows, self.classes, rows)
        known = None if self._reads_beside else read()
        head_end_ns = self.ledger.rows["head_end_ns"]

        def make_table() -> pa.Table:
            held = read() if known is None else known
            for part in held:
                self.verification.check(part)
            received = np.concatenate([np.repeat(head_end_ns[part.rows], part.kind.records) for part in held])
            return join([part.readings for part in held]).to_table(received, stored_ns)

        return make_table

    def load_kw(self, meters: NDArray[np.int64], t_ns: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return (M,) what each meter's customer drew in the minute of its own moment [kW], feeding in not counted."""
        ends = (t_ns // MINUTE_NS + 1) * MINUTE_NS
        drawn = [
            self.plan.memory.loads.power(meters[k : k + 1], ends[k : k + 1], MINUTE_NS)[0] for k in range(ends.size)
        ]
        return np.maximum(np.array(drawn, float).reshape(-1), 0) / 1000


def _most_values(window_ns: int, bit_rate_bps: int, classes: list[TrafficClass]) -> int:
    """Return a number of values that no radio receives within a window: its air full of the shortest frames.

    Each with the values of the longest message and of all that ride with it.
    """
    shortest = min(kind.psdu_bytes for kind in classes if not kind.rides)
    frames = window_ns * bit_rate_bps // (8 * shortest * 10**9) + 1
    longest = max(kind.records for kind in classes if not kind.rides)
    return frames * (longest + sum(kind.records for kind in classes if kind.rides))
