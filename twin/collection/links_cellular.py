"""Cellular cells, 1:N: random access with collisions, a bounded number of sessions, registration after a blackout."""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from twin.chance import Purpose, uniform
from twin.collection.blackout import Blackout
from twin.collection.links_medium import Medium, Sending, without_supply
from twin.collection.links_settings import CellularTable
from twin.scenario import ms_ns, ns

NO_ACCESS, NO_COVERAGE, NO_SUPPLY = "no_access", "no_coverage", "no_supply"
_CALL, _ACCESS, _END = range(3)


class CellularCells(Medium):
    """The cells of a carrier as the meters of one utility see them.

    Parameters
    ----------
    settings : CellularTable
    cell_of : (N,) int
        Cell of each meter.
    covered : (N,) bool
    cells : int
    blackout : Blackout
    seed : int

    Attributes
    ----------
    collisions, registrations : int
        Random accesses that met another with the same preamble; modems that registered again.
    """

    def __init__(
        self, settings: CellularTable, cell_of: NDArray[np.int64], covered: NDArray[np.bool_], cells: int,
        blackout: Blackout, seed: int,
    ):  # fmt: skip
        super().__init__()
        self._settings = settings
        self._cell_of = cell_of
        self._covered = covered
        self._blackout = blackout
        self._seed = seed
        self._slot_ns = ms_ns(settings.access_ms)
        self._backoff_slots = ms_ns(settings.backoff_ms) // self._slot_ns
        self._forward_ns = ms_ns(settings.forward_ms)
        self._free_ns = [[0] * settings.sessions for _ in range(cells)]  # heaps: when each session is free again
        self._registered_ns = np.zeros(cell_of.size, np.int64)  # since when, or until when it still registers
        self.collisions = self.registrations = 0

    def offer(self, t_ns: int, sending: Sending) -> None:
        """Take a sending; one to the meter pages it first."""
        self.offered += 1
        wait_ns = ns(self._settings.paging_s) if sending.down else 0
        self._at(t_ns + wait_ns, int(self._cell_of[sending.meter]), _CALL, sending)

    def run_until(self, end_ns: int) -> None:
        """Go from opportunity to opportunity: those that take the same one in the same cell contend."""
        while self._events and self._events[0][0] < end_ns:
            t_ns, cell, stage, _, sending = heapq.heappop(self._events)
            if stage == _CALL:
                self._call(t_ns, cell, sending)
            elif stage == _ACCESS:
                self._contend(t_ns, cell, [sending, *self._others(t_ns, cell)])
            else:
                self._arrive(t_ns, sending)

    def _call(self, t_ns: int, cell: int, sending: Sending) -> None:
        if not self._covered[sending.meter]:
            self._give_up(t_ns, sending, NO_COVERAGE)
            return
        ready_ns = max(t_ns, self._registered(sending.meter, t_ns))
        self._at(-(-ready_ns // self._slot_ns) * self._slot_ns, cell, _ACCESS, sending)

    def _registered(self, meter: int, t_ns: int) -> int:
        """Return when a modem is registered [ns]; one that had lost its supply begins to register now."""
        back_ns = int(self._blackout.on_ns[meter])
        if self._registered_ns[meter] < back_ns <= t_ns:
            self.registrations += 1
            self._registered_ns[meter] = t_ns + ns(self._settings.attach_s)
        return int(self._registered_ns[meter])

    def _others(self, t_ns: int, cell: int) -> list[Sending]:
        found = []
        while self._events and self._events[0][:3] == (t_ns, cell, _ACCESS):
            found.append(heapq.heappop(self._events)[4])
        return found

    def _contend(self, t_ns: int, cell: int, contenders: list[Sending]) -> None:
        if len(contenders) == 1:
            self._session(t_ns, cell, contenders[0])
            return
        keys = np.array([c.key for c in contenders])
        tries = np.array([c.attempt for c in contenders])
        drawn = np.empty(keys.size)
        for attempt in np.unique(tries).tolist():
            here = tries == attempt
            drawn[here] = uniform(self._seed, keys[here], attempt, Purpose.CELLULAR_ACCESS)
        preamble = np.floor(drawn * self._settings.preambles).astype(np.int64)
        alone = np.bincount(preamble, minlength=self._settings.preambles)[preamble] == 1
        for sending, free in zip(contenders, alone.tolist(), strict=True):
            if free:
                self._session(t_ns, cell, sending)
            else:
                self._collide(t_ns, cell, sending)

    def _collide(self, t_ns: int, cell: int, sending: Sending) -> None:
        self.collisions += 1
        sending.attempt += 1
        if sending.attempt >= self._settings.tries:
            self._give_up(t_ns, sending, NO_ACCESS)
            return
        luck = float(uniform(self._seed, sending.key, sending.attempt, Purpose.CELLULAR_BACKOFF))
        wait = 1 + int(luck * (self._backoff_slots + 1))
        self._at(t_ns + wait * self._slot_ns, cell, _ACCESS, sending)

    def _session(self, t_ns: int, cell: int, sending: Sending) -> None:
        if without_supply(self._blackout, sending.meter, t_ns):
            self._give_up(t_ns, sending, NO_SUPPLY)
            return
        free_ns = self._free_ns[cell]
        begin_ns = max(t_ns, free_ns[0])
        spent_ns = ms_ns(self._settings.session_ms + sending.psdu_bytes * 8 / self._settings.rate_kbps)
        heapq.heapreplace(free_ns, begin_ns + spent_ns)
        self.busy_ns += spent_ns
        self._at(begin_ns + spent_ns + self._forward_ns, cell, _END, sending)
