"""The virtual meters: they lose supply, detect it, gasp, die, return, answer polls. Some meters are boards.

Vectorised over meters; the radio engine does what happens between a meter and a concentrator.
Node numbers of the mesh: meter i is node i, concentrator c is node N + c.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

import gpu
from twin import wire
from twin.chance import Purpose, between_ns, uniform
from twin.field.book import KINDS, NEVER, NoticeBook
from twin.field.detection import MISSED, DetectionTable
from twin.field.holdup import holdup_energy_nj
from twin.field.notice import KINDS as NOTICE_CODES
from twin.field.notice import NOTICE_PSDU_BYTES, Notice, meter_key, seal
from twin.field.population import Population
from twin.scenario import Scenario, ms_ns, ns

SAMPLE_NS = 125_000  # the front-end's 8 kS/s
LAST_GASP, POWER_RETURN = (KINDS.index(name) for name in ("last_gasp", "power_return"))
PRIORITY = {LAST_GASP: 2, POWER_RETURN: 1}
ANSWER_HANDOFFS = 3  # a poll goes radio -> metrology -> radio; three handoffs keep the board's answer inside its grant


@dataclass
class Agenda:
    """Meters that will act, in order of time: offer a notice, or have their radio back."""

    kind: str  # last_gasp, power_return, radio_back
    since_ns: int  # the supply change it follows from; void once another has happened
    due_ns: NDArray[np.int64]  # (M,) ascending
    meter: NDArray[np.int64]  # (M,)
    detected_ns: NDArray[np.int64]  # (M,)
    taken: int = 0

    def take(self, until_ns: int) -> slice:
        """Return the entries due before ``until_ns`` that were not taken yet."""
        first = self.taken
        self.taken = int(np.searchsorted(self.due_ns, until_ns))
        return slice(first, self.taken)


class Meters:
    """State of all meters, and what they hand to the mesh.

    Parameters
    ----------
    scenario : Scenario
    population : Population
        N meters and C concentrators.
    mesh : gpu.Mesh
        Built over N + C nodes.
    boards : sequence of int
        The meters that rigs play; their notices come from there.
    never : (S,) bool, optional
        Substations without supply from the start; their meters are off and take no part.
    detection : DetectionTable, optional
        Measured delays of detection; None: even between ``meter.detect_min_ms`` and ``detect_max_ms``.
    """

    def __init__(
        self,
        scenario: Scenario,
        population: Population,
        mesh: gpu.Mesh,
        boards: Sequence[int],
        never: NDArray[np.bool_] | None = None,
        detection: DetectionTable | None = None,
    ):
        self.scenario = scenario
        self.population = population
        self.mesh = mesh
        self._detection = detection
        self.count = population.meter_substation.size
        everyone = np.arange(self.count)
        self.is_board = np.isin(everyone, boards)
        aged = scenario.meter.aged_least
        share = aged + (1 - aged) * uniform(scenario.seed, everyone, 0, Purpose.CAPACITOR_AGE)
        meter = scenario.meter
        self.holdup_nj = holdup_energy_nj(meter.capacitance_f * share, meter.start_v, meter.stop_v, meter.efficiency)
        self.dark = np.zeros(self.count, dtype=bool)
        self.changed_ns = np.full(self.count, NEVER, dtype=np.int64)  # last change of supply
        self._changed_before_ns = self.changed_ns.copy()  # and the one before it
        self.first_dark_ns = np.full(self.count, NEVER, dtype=np.int64)
        self.first_return_ns = np.full(self.count, NEVER, dtype=np.int64)
        self.died_ns = np.full(self.count, NEVER, dtype=np.int64)
        self.radio_back_ns = np.zeros(self.count, dtype=np.int64)  # in the mesh again since
        self.sequence = np.zeros((len(NOTICE_CODES), self.count), dtype=np.int64)  # last used, by kind
        self.book = NoticeBook()
        self._board_bytes: dict[int, bytes] = {}
        self._agendas: list[Agenda] = []
        self._waiting: list[tuple[int, int, int, Callable[[], Any]]] = []  # a heap by (time, node)
        self._waited = 0
        self._gasps = scenario.policy.kind != "polling"
        self._lives = mesh.radio.tree == "living"  # then the mesh says when a radio has joined again
        self._declared = np.zeros(self.count, dtype=bool)  # the outage that ended was long enough to be reported
        self._joining_since_ns = np.full(self.count, NEVER, dtype=np.int64)  # supply back, radio not yet in the mesh
        self._held_board_notices: dict[int, wire.Notice] = {}  # by meter, until its radio is in the mesh
        self._handoff_ns = ms_ns(scenario.meter.handoff_ms)
        if never is not None and never.any():
            self.mesh.power_off(np.flatnonzero(never[population.meter_substation]), 0, 0)

    def supply(self, t_ns: int, dark: NDArray[np.bool_], residual_pu: NDArray[np.float64] | None = None) -> None:
        """Take a new state of the grid at ``t_ns``, which is now: some meters go dark, some return.

        Parameters
        ----------
        dark : (N,) bool
        residual_pu : (N,) float, optional
            Voltage over nominal; left out: none where it is dark.
        """
        lost = np.flatnonzero(dark & ~self.dark)
        back = np.flatnonzero(~dark & self.dark)
        if lost.size:
            self._lose(t_ns, lost, np.zeros(lost.size) if residual_pu is None else residual_pu[lost])
        if back.size:
            self._return(t_ns, back)

    def act_until(self, until_ns: int) -> None:
        """Do what falls due before ``until_ns``: offer notices, bring radios back."""
        for agenda in self._agendas:
            due = agenda.take(until_ns)
            if due.start == due.stop:
                continue
            meter, due_ns = agenda.meter[due], agenda.due_ns[due]
            valid = self._still_true(agenda, meter, due_ns)
            meter, due_ns, detected_ns = meter[valid], due_ns[valid], agenda.detected_ns[due][valid]
            if agenda.kind == "radio_back":
                self.mesh.power_on(meter, due_ns)
            else:
                self._offer(KINDS.index(agenda.kind), meter, due_ns, detected_ns, agenda.since_ns)
        self._agendas = [agenda for agenda in self._agendas if agenda.taken < agenda.due_ns.size]
        while self._waiting and self._waiting[0][0] < until_ns:
            heapq.heappop(self._waiting)[3]()

    def board_notice(self, meter: int, notice: wire.Notice) -> None:
        """Put the notice that a rig made on the air at its board's own node, once its radio is in the mesh."""
        if notice.kind == "power_return" and self._joining_since_ns[meter] != NEVER:
            self._held_board_notices[meter] = notice
            return
        t_ns, back_ns = notice.t_ns, int(self.radio_back_ns[meter])
        if notice.kind == "power_return" and back_ns > self.changed_ns[meter]:
            start_ns = self._return_start_ns(np.array([meter]), int(self.changed_ns[meter]))
            t_ns = max(t_ns, back_ns + int(start_ns[0]) + self._handoff_ns)
        self._wait(t_ns, meter, partial(self._enter_board_notice, meter, notice, t_ns))

    def _enter_board_notice(self, meter: int, notice: wire.Notice, t_ns: int) -> None:
        row = self._enter(
            KINDS.index(notice.kind), np.array([meter]), np.array([t_ns]), detected_ns=notice.detected_ns,
            sequence=notice.message_sequence, counter=notice.counter, energy_uj=notice.energy_left_uj, board=True,
        )  # fmt: skip
        self._board_bytes[int(row[0])] = notice.data

    def answer_poll(self, t_ns: int, meter: int, tell: Callable[[int, bytes], None]) -> None:
        """Let a virtual meter answer a poll that reached it at ``t_ns``; ``tell`` hears the frame and its bytes."""
        at_ns = t_ns + ANSWER_HANDOFFS * self._handoff_ns
        code = NOTICE_CODES["poll_answer"] - 1
        self.sequence[code, meter] += 1
        dark, left_nj = bool(self.dark[meter]), int(self.holdup_nj[meter])
        if dark:
            since_ns = int(self.changed_ns[meter])
            left_nj = int(self._energy_left_nj(np.array([meter]), np.array([at_ns]), since_ns)[0])
        notice = Notice(
            "poll_answer", meter, int(self.sequence[code, meter]), t_ns // SAMPLE_NS, left_nj // 1000, not dark
        )
        data = seal(meter_key(self.scenario.seed, meter), notice)
        self.put_on_air(at_ns, meter, NOTICE_PSDU_BYTES, lambda frame: tell(frame, data), priority=1)

    def put_on_air(
        self, t_ns: int, src: int, psdu_bytes: int, tell: Callable[[int], Any], dst: int = -1, priority: int = 0
    ) -> None:
        """Hand one frame to a node's MAC when its time has come; ``tell`` then hears the engine's frame number."""

        def inject() -> None:
            tell(int(self._inject(np.array([t_ns]), np.array([src]), dst, psdu_bytes, priority)[0]))

        self._wait(t_ns, src, inject)

    def _wait(self, t_ns: int, node: int, act: Callable[[], Any]) -> None:
        """Keep something until its window: the mesh knows nothing of what is still to come."""
        self._waited += 1
        heapq.heappush(self._waiting, (t_ns, node, self._waited, act))

    def notice_bytes(self, row: int) -> bytes:
        """Return the bytes of a notice in the book; virtual meters' are sealed when first asked for."""
        if row in self._board_bytes:
            return self._board_bytes[row]
        entry = self.book.rows[row]
        meter = int(entry["meter"])
        notice = Notice(
            KINDS[entry["kind"]],
            meter,
            int(entry["sequence"]),
            int(entry["counter"]),
            int(entry["energy_uj"]),
            bool(entry["kind"] == POWER_RETURN),
        )
        return seal(meter_key(self.scenario.seed, meter), notice)

    def died(self, nodes: NDArray[np.int64], t_ns: NDArray[np.int64]) -> None:
        """Note which meters' hold-up ran out; only the first time counts."""
        meters = nodes < self.count
        nodes, t_ns = nodes[meters], t_ns[meters]
        first = self.died_ns[nodes] == NEVER
        self.died_ns[nodes[first]] = t_ns[first]

    def _still_true(self, agenda: Agenda, meter: NDArray[np.int64], due_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which entries hold: the supply has not changed since, or only after the meter had decided.

        A notice is decided one handoff before it is due at the radio; a radio comes back at its moment.
        """
        unchanged = self.changed_ns[meter] == agenda.since_ns
        if agenda.kind == "radio_back":
            return unchanged
        decided = self.changed_ns[meter] >= due_ns - self._handoff_ns
        return unchanged | (decided & (self._changed_before_ns[meter] == agenda.since_ns))

    def joined(self, nodes: NDArray[np.int64], t_ns: NDArray[np.int64]) -> None:
        """Note which radios of a living mesh have joined it; those whose supply is back report that now.

        Later than a join by as many handoffs as an answer: within a window the mesh tells only at its end.
        """
        meters = nodes < self.count
        nodes, t_ns = nodes[meters], t_ns[meters]
        waiting = self._joining_since_ns[nodes] != NEVER
        for meter, back_ns in zip(nodes[waiting].tolist(), t_ns[waiting].tolist(), strict=True):
            since_ns = int(self._joining_since_ns[meter])
            if since_ns == NEVER:
                continue  # twice within a window
            self._joining_since_ns[meter] = NEVER
            self.radio_back_ns[meter] = back_ns + ANSWER_HANDOFFS * self._handoff_ns
            if self.is_board[meter]:
                if meter in self._held_board_notices:
                    self.board_notice(meter, self._held_board_notices.pop(meter))
            elif self._declared[meter]:
                one, ready = np.array([meter]), np.array([self.radio_back_ns[meter]])
                self._plan_return(one, ready, since_ns)

    def _change(self, t_ns: int, meters: NDArray[np.int64], dark: bool) -> None:
        self.dark[meters] = dark
        self._changed_before_ns[meters] = self.changed_ns[meters]
        self.changed_ns[meters] = t_ns

    def _lose(self, t_ns: int, lost: NDArray[np.int64], left_pu: NDArray[np.float64]) -> None:
        self._change(t_ns, lost, dark=True)
        first = lost[self.first_dark_ns[lost] == NEVER]
        self.first_dark_ns[first] = t_ns
        self.mesh.power_off(lost, t_ns, self.holdup_nj[lost])
        self._joining_since_ns[lost] = NEVER
        if not self._gasps:
            return
        scenario = self.scenario
        delay_ns = self._detection_ns(t_ns, lost, left_pu)
        virtual = ~self.is_board[lost] & (delay_ns != MISSED)
        detected, virtual = t_ns + delay_ns[virtual], lost[virtual]
        start = between_ns(scenario.seed, virtual, t_ns, Purpose.GASP_START, 0, ns(scenario.policy.window_s))
        offered = detected + ns(scenario.policy.declare_s) + start + self._handoff_ns
        self._plan("last_gasp", t_ns, offered, virtual, detected)

    def _detection_ns(self, t_ns: int, lost: NDArray[np.int64], left_pu: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return how long each meter takes to detect its loss, `MISSED` for those that do not."""
        seed, meter = self.scenario.seed, self.scenario.meter
        if self._detection is not None:
            return self._detection.draw_ns(seed, lost, t_ns, left_pu)
        return between_ns(seed, lost, t_ns, Purpose.DETECTION, ms_ns(meter.detect_min_ms), ms_ns(meter.detect_max_ms))

    def _return(self, t_ns: int, back: NDArray[np.int64]) -> None:
        scenario = self.scenario
        outage_ns = t_ns - self.changed_ns[back]
        self._change(t_ns, back, dark=False)
        first = back[self.first_return_ns[back] == NEVER]
        self.first_return_ns[first] = t_ns
        restoration = scenario.restoration
        rejoin = between_ns(
            scenario.seed, back, t_ns, Purpose.REJOIN, ns(restoration.rejoin_min_s), ns(restoration.rejoin_max_s)
        )
        ready = np.where(self.mesh.alive[back] | self._lives, t_ns, t_ns + rejoin)
        self.radio_back_ns[back] = ready
        self._plan("radio_back", t_ns, ready, back, ready)
        declared = outage_ns >= ns(scenario.policy.declare_s)
        if self._lives:
            out = self.mesh.network()["state"][back] != gpu.STATES.index("joined")
            self._joining_since_ns[back[out]] = t_ns
            self._declared[back] = declared
            declared &= ~out
        declared &= ~self.is_board[back]
        self._plan_return(back[declared], ready[declared], t_ns)

    def _plan_return(self, back: NDArray[np.int64], ready_ns: NDArray[np.int64], t_ns: int) -> None:
        """Let meters whose supply is back since ``t_ns``, and whose radios are, report it."""
        if not self._gasps or back.size == 0:
            return
        confirmed_ns = t_ns + ns(self.scenario.restoration.confirm_s)
        offered = np.maximum(ready_ns, confirmed_ns) + self._return_start_ns(back, t_ns) + self._handoff_ns
        self._plan("power_return", t_ns, offered, back, np.full(back.size, t_ns))

    def _return_start_ns(self, meter: NDArray[np.int64], since_ns: int) -> NDArray[np.int64]:
        window_ns = ns(self.scenario.restoration.notice_window_s)
        return between_ns(self.scenario.seed, meter, since_ns, Purpose.RETURN_START, 0, window_ns)

    def _plan(
        self,
        kind: str,
        since_ns: int,
        due_ns: NDArray[np.int64],
        meter: NDArray[np.int64],
        detected_ns: NDArray[np.int64],
    ) -> None:
        order = np.lexsort((meter, due_ns))
        self._agendas.append(Agenda(kind, since_ns, due_ns[order], meter[order], detected_ns[order]))

    def _offer(
        self,
        kind: int,
        meter: NDArray[np.int64],
        offered_ns: NDArray[np.int64],
        detected_ns: NDArray[np.int64],
        since_ns: int,
    ) -> None:
        code = NOTICE_CODES[KINDS[kind]] - 1
        self.sequence[code, meter] += 1
        left_nj = self.holdup_nj[meter]
        if kind == LAST_GASP:
            left_nj = self._energy_left_nj(meter, offered_ns, since_ns)
        self._enter(
            kind, meter, offered_ns, detected_ns=detected_ns, sequence=self.sequence[code, meter],
            counter=detected_ns // SAMPLE_NS, energy_uj=left_nj // 1000, board=False,
        )  # fmt: skip

    def _energy_left_nj(self, meter: NDArray[np.int64], t_ns: NDArray[np.int64], since_ns: int) -> NDArray[np.int64]:
        """Return the meter's own gauge: the store less listening since the supply was lost [nJ]."""
        spent_nj = (t_ns - since_ns) * self.scenario.meter.listen_mw // 1000  # mW x ns = pJ
        return np.maximum(self.holdup_nj[meter] - spent_nj, 0)

    def _enter(
        self, kind: int, meter: NDArray[np.int64], offered_ns: NDArray[np.int64], **columns: Any
    ) -> NDArray[np.int64]:
        frames = self._inject(offered_ns, meter, -1, NOTICE_PSDU_BYTES, PRIORITY[kind])
        return self.book.add(frames, kind=kind, meter=meter, offered_ns=offered_ns, **columns)

    def _inject(
        self, t_ns: NDArray[np.int64], src: NDArray[np.int64], dst: int, psdu_bytes: int, priority: int
    ) -> NDArray[np.int64]:
        policy = self.scenario.policy
        return self.mesh.inject(
            t_ns, src, dst, psdu_bytes, priority=priority, max_offers=policy.offers,
            reoffer_min_ns=ns(policy.reoffer_min_s), reoffer_max_ns=ns(policy.reoffer_max_s),
        )  # fmt: skip
