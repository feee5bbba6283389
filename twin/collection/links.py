"""The links beside the mesh as one: they take messages and errands, and say what came out where and when."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.chance import Purpose, uniform
from twin.collection.blackout import Blackout
from twin.collection.errands import Errand
from twin.collection.ledger import NEVER, Ledger
from twin.collection.links_cellular import CellularCells
from twin.collection.links_fleet import Fleet, Link
from twin.collection.links_medium import Medium, Sending
from twin.collection.links_plc import PlcCells
from twin.collection.settings import CollectionScenario
from twin.scenario import ms_ns

_ERRAND_KEYS = 1 << 40  # above any row of a ledger
_TRIES = 64  # more than an errand is ever tried

Heard = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


class Links:
    """Power-line and cellular cells of one run.

    Parameters
    ----------
    scenario : CollectionScenario
    fleet : Fleet
    ledger : Ledger
    blackout : Blackout
    reach : callable
        ``reach(errand, meter, t_ns)``: a meter takes a request; returns the PSDU of its answer [B], None for none.
    take_answer : callable
        ``take_answer(errand, lane, t_ns)``: an answer has come out of its link.
    """

    def __init__(
        self, scenario: CollectionScenario, fleet: Fleet, ledger: Ledger, blackout: Blackout,
        reach: Callable[[Errand, int, int], int | None], take_answer: Callable[[Errand, int, int], None],
    ):  # fmt: skip
        self.fleet = fleet
        self._seed = scenario.seed
        self._ledger = ledger
        self._answer_ns = ms_ns(scenario.delivery.answer_ms)
        self._reach = reach
        self._take_answer = take_answer
        self.plc = PlcCells(scenario.plc, fleet.cell, fleet.plc_cells, blackout, scenario.seed)
        self.cellular = CellularCells(
            scenario.cellular, fleet.cell, fleet.lane >= 0, fleet.cellular_cells, blackout, scenario.seed
        )
        self.media: dict[Link, Medium] = {Link.PLC: self.plc, Link.CELLULAR: self.cellular}

    def offer(
        self, rows: NDArray[np.int64], meters: NDArray[np.int64], t_ns: NDArray[np.int64], psdu_bytes: NDArray[np.int64]
    ) -> None:
        """Take messages of the ledger, each to begin at its moment."""
        luck = uniform(self._seed, rows, 0, Purpose.LINK_LUCK)
        link = self.fleet.link[meters]
        for kind, medium in self.media.items():
            chosen = link == kind
            parts = (part[chosen].tolist() for part in (t_ns, rows, meters, psdu_bytes, luck))
            for moment, row, meter, size, draw in zip(*parts, strict=True):
                medium.offer(moment, Sending(row, meter, size, draw, row=row))

    def send(self, errand: Errand, t_ns: int, psdu_bytes: int) -> None:
        """Take a request or command for a meter."""
        self._send(errand, t_ns, psdu_bytes, down=True)

    def _send(self, errand: Errand, t_ns: int, psdu_bytes: int, down: bool) -> None:
        key = _ERRAND_KEYS + (errand.number * _TRIES + errand.tries) * 2 + down
        luck = float(uniform(self._seed, key, 0, Purpose.LINK_LUCK))
        medium = self.media[Link(int(self.fleet.link[errand.meter]))]
        medium.offer(t_ns, Sending(key, errand.meter, psdu_bytes, luck, errand=errand, down=down))

    def run_until(self, end_ns: int) -> tuple[Heard, list[tuple[int, str]]]:
        """Let everything before ``end_ns`` happen.

        Returns
        -------
        heard : (rows, lanes, t_ns) of (M,) int
            Messages that came out, riders not named.
        failed : list of (row, cause)
            Messages that were given up.
        """
        heard: list[tuple[int, int, int]] = []
        failed: list[tuple[int, str]] = []
        for medium in self.media.values():
            # An answer to what is heard in this window may itself come out in this window.
            while True:
                medium.run_until(end_ns)
                arrived, given_up = medium.take()
                heard += [self._out(t_ns, s) for t_ns, s in arrived if s.row != NEVER]
                failed += [(s.row, cause) for _, s, cause in given_up if s.row != NEVER]
                errands = [(t_ns, s) for t_ns, s in arrived if s.row == NEVER]
                for t_ns, sending in errands:
                    self._errand_arrived(t_ns, sending)
                if not errands:
                    break
        columns = np.array(heard, np.int64).reshape(-1, 3).T
        return (columns[0], columns[1], columns[2]), failed

    def _out(self, t_ns: int, sending: Sending) -> tuple[int, int, int]:
        return sending.row, int(self.fleet.lane[sending.meter]), t_ns

    def _errand_arrived(self, t_ns: int, sending: Sending) -> None:
        errand: Any = sending.errand
        if sending.down:
            size = self._reach(errand, errand.meter, t_ns)
            if size is not None:
                self._send(errand, t_ns + self._answer_ns, size, down=False)
        else:
            self._take_answer(errand, int(self.fleet.lane[errand.meter]), t_ns)
