"""The virtual meters: they lose supply, detect it, gasp, die, return, answer polls. One meter is the board.

Vectorised over meters; the radio engine does what happens between a meter and a concentrator.
Node numbers of the mesh: meter i is node i, concentrator c is node N + c.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import gpu
from twin import wire
from twin.chance import Purpose, between_ns, uniform
from twin.field.book import KINDS, NEVER, NoticeBook
from twin.field.holdup import holdup_energy_nj
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
    board : int
        The meter that the rig plays; its notices come from there.
    """

    def __init__(self, scenario: Scenario, population: Population, mesh: gpu.Mesh, board: int):
        self.scenario = scenario
        self.population = population
        self.mesh = mesh
        self.board = board
        self.count = population.meter_substation.size
        everyone = np.arange(self.count)
        aged = scenario.meter.aged_least
        share = aged + (1 - aged) * uniform(scenario.seed, everyone, 0, Purpose.CAPACITOR_AGE)
        meter = scenario.meter
        self.holdup_nj = holdup_energy_nj(meter.capacitance_f * share, meter.start_v, meter.stop_v, meter.efficiency)
        self.dark = np.zeros(self.count, dtype=bool)
        self.changed_ns = np.full(self.count, NEVER, dtype=np.int64)  # last change of supply
        self.first_dark_ns = np.full(self.count, NEVER, dtype=np.int64)
        self.first_return_ns = np.full(self.count, NEVER, dtype=np.int64)
        self.died_ns = np.full(self.count, NEVER, dtype=np.int64)
        self.radio_back_ns = np.zeros(self.count, dtype=np.int64)  # in the mesh again since
        self.sequence = np.zeros(self.count, dtype=np.int64)
        self.book = NoticeBook()
        self._board_bytes: dict[int, bytes] = {}
        self._agendas: list[Agenda] = []
        self._gasps = scenario.policy.kind != "polling"

    def supply(self, t_ns: int, dark_substation: NDArray[np.bool_]) -> None:
        """Take a new state of the grid at ``t_ns``, which is now: some meters go dark, some return.

        Parameters
        ----------
        dark_substation : (S,) bool
        """
        dark = dark_substation[self.population.meter_substation]
        lost = np.flatnonzero(dark & ~self.dark)
        back = np.flatnonzero(~dark & self.dark)
        if lost.size:
            self._lose(t_ns, lost)
        if back.size:
            self._return(t_ns, back)

    def act_until(self, until_ns: int) -> None:
        """Do what falls due before ``until_ns``: offer notices, bring radios back."""
        for agenda in self._agendas:
            due = agenda.take(until_ns)
            if due.start == due.stop:
                continue
            meter = agenda.meter[due]
            valid = self.changed_ns[meter] == agenda.since_ns
            meter, due_ns, detected_ns = meter[valid], agenda.due_ns[due][valid], agenda.detected_ns[due][valid]
            if agenda.kind == "radio_back":
                self.mesh.power_on(meter, due_ns)
            else:
                self._offer(KINDS.index(agenda.kind), meter, due_ns, detected_ns, agenda.since_ns)
        self._agendas = [agenda for agenda in self._agendas if agenda.taken < agenda.due_ns.size]

    def board_notice(self, notice: wire.Notice) -> None:
        """Put the notice that the rig made on the air at the board's own node, once its radio is in the mesh."""
        t_ns = max(notice.t_ns, int(self.radio_back_ns[self.board]) + ms_ns(self.scenario.meter.handoff_ms))
        row = self._enter(
            KINDS.index(notice.kind), np.array([self.board]), np.array([t_ns]), detected_ns=notice.detected_ns,
            sequence=notice.message_sequence, counter=notice.counter, energy_uj=notice.energy_left_uj, board=True,
        )  # fmt: skip
        self._board_bytes[int(row[0])] = notice.data

    def answer_poll(self, t_ns: int, meter: int) -> tuple[int, bytes]:
        """Let a virtual meter answer a poll that reached it at ``t_ns``; return the answer's frame and bytes."""
        at_ns = t_ns + ANSWER_HANDOFFS * ms_ns(self.scenario.meter.handoff_ms)
        self.sequence[meter] += 1
        left_nj = int(self._energy_left_nj(np.array([meter]), np.array([at_ns]))[0])
        notice = Notice(
            "poll_answer", meter, int(self.sequence[meter]), at_ns // SAMPLE_NS, left_nj // 1000, not self.dark[meter]
        )
        frame = self.put_on_air(at_ns, meter, NOTICE_PSDU_BYTES, priority=1)
        return frame, seal(meter_key(self.scenario.seed, meter), notice)

    def put_on_air(self, t_ns: int, src: int, psdu_bytes: int, dst: int = -1, priority: int = 0) -> int:
        """Hand one frame to a node's MAC; return the engine's frame number."""
        return int(self._inject(np.array([t_ns]), np.array([src]), dst, psdu_bytes, priority)[0])

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

    def _lose(self, t_ns: int, lost: NDArray[np.int64]) -> None:
        self.dark[lost] = True
        self.changed_ns[lost] = t_ns
        first = lost[self.first_dark_ns[lost] == NEVER]
        self.first_dark_ns[first] = t_ns
        self.mesh.power_off(lost, t_ns, self.holdup_nj[lost])
        if not self._gasps:
            return
        scenario, meter = self.scenario, self.scenario.meter
        virtual = lost[lost != self.board]
        detected = t_ns + between_ns(
            scenario.seed, virtual, t_ns, Purpose.DETECTION, ms_ns(meter.detect_min_ms), ms_ns(meter.detect_max_ms)
        )
        start = between_ns(scenario.seed, virtual, t_ns, Purpose.GASP_START, 0, ns(scenario.policy.window_s))
        offered = detected + ns(scenario.policy.declare_s) + start + ms_ns(meter.handoff_ms)
        self._plan("last_gasp", t_ns, offered, virtual, detected)

    def _return(self, t_ns: int, back: NDArray[np.int64]) -> None:
        scenario = self.scenario
        outage_ns = t_ns - self.changed_ns[back]
        self.dark[back] = False
        self.changed_ns[back] = t_ns
        first = back[self.first_return_ns[back] == NEVER]
        self.first_return_ns[first] = t_ns
        restoration = scenario.restoration
        rejoin = between_ns(
            scenario.seed, back, t_ns, Purpose.REJOIN, ns(restoration.rejoin_min_s), ns(restoration.rejoin_max_s)
        )
        ready = np.where(self.mesh.alive[back], t_ns, t_ns + rejoin)
        self.radio_back_ns[back] = ready
        self._plan("radio_back", t_ns, ready, back, ready)
        if not self._gasps:
            return
        declared = (outage_ns >= ns(scenario.policy.declare_s)) & (back != self.board)
        back, ready = back[declared], ready[declared]
        detected = np.full(back.size, t_ns + ns(restoration.confirm_s))
        start = between_ns(scenario.seed, back, t_ns, Purpose.RETURN_START, 0, ns(restoration.notice_window_s))
        offered = np.maximum(ready, detected) + start + ms_ns(scenario.meter.handoff_ms)
        self._plan("power_return", t_ns, offered, back, detected)

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
        self.sequence[meter] += 1
        left_nj = self._energy_left_nj(meter, offered_ns)
        self._enter(
            kind, meter, offered_ns, detected_ns=detected_ns, sequence=self.sequence[meter],
            counter=detected_ns // SAMPLE_NS, energy_uj=left_nj // 1000, board=False,
        )  # fmt: skip

    def _energy_left_nj(self, meter: NDArray[np.int64], t_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the meter's own gauge: the store less listening since the supply was lost [nJ]."""
        mw = self.scenario.meter.listen_mw
        spent = np.rint((t_ns - self.changed_ns[meter]) * (mw * 1e-3)).astype(np.int64)  # mW x ns = pJ
        return np.where(self.dark[meter], np.maximum(self.holdup_nj[meter] - spent, 0), self.holdup_nj[meter])

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
