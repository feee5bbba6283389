"""Reporting: at the end of each interval every member of a class opens a message and offers it to the radio."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import gpu
from twin.collection.blackout import Blackout
from twin.collection.ledger import NEVER, At, Ledger
from twin.collection.links import Links
from twin.collection.settings import Delivery
from twin.collection.traffic import BILLING_CODE, TrafficClass
from twin.scenario import ns
from twin.store.schema import MINUTE_NS

Whole = NDArray[np.int64] | int

TICK_NS = 5 * MINUTE_NS
"""Intervals of all classes end on multiples of this."""


class Reporting:
    """The meters' own initiative.

    Parameters
    ----------
    seed : int
    classes : list of TrafficClass
    settings : twin.collection.settings.Delivery
    mesh : gpu.Mesh
        Meter i is node i.
    ledger : Ledger
    blackout : Blackout
        A meter without supply at an interval's end has nothing to report.
    links : Links
        Take the messages of meters beside the mesh.
    """

    def __init__(
        self,
        seed: int,
        classes: list[TrafficClass],
        settings: Delivery,
        mesh: gpu.Mesh,
        ledger: Ledger,
        blackout: Blackout,
        links: Links,
    ):
        self._seed = seed
        self._classes = classes
        self._mesh = mesh
        self._ledger = ledger
        self._blackout = blackout
        self._links = links
        self._persistence = {
            "max_offers": settings.offers,
            "reoffer_min_ns": ns(settings.reoffer_min_s),
            "reoffer_max_ns": ns(settings.reoffer_max_s),
        }

    def end_intervals(self, t_ns: int) -> None:
        """Let every class one of whose intervals ends at ``t_ns`` [ns] report."""
        due = [c for c in self._classes if t_ns % c.period_ns == 0]
        for kind in due:
            if not kind.rides:
                self._report(kind, t_ns, [c for c in due if c.rides] if kind.code == BILLING_CODE else [])

    def _report(self, kind: TrafficClass, t_ns: int, riders: list[TrafficClass]) -> None:
        lit = ~self._blackout.dark(kind.members, t_ns)
        meters, offers_ns = kind.members[lit], kind.offers_ns(self._seed, t_ns)[lit]
        if not meters.size:
            return
        rows = self._ledger.add(kind.code, meters, t_ns, kind.records, offers_ns)
        sizes = np.full(meters.size, kind.psdu_bytes)
        last = rows.copy()
        for rider in riders:
            place = np.flatnonzero(np.isin(meters, rider.members))
            riding = self._ledger.add(rider.code, meters[place], t_ns, rider.records, offers_ns[place])
            self._ledger.rows["rider"][last[place]] = riding
            last[place] = riding
            sizes[place] += rider.psdu_bytes
        order = np.argsort(offers_ns, kind="stable")
        by_radio = order[self._links.fleet.on_mesh[meters[order]]]
        if by_radio.size:
            self.send(offers_ns[by_radio], meters[by_radio], -1, sizes[by_radio], kind.priority, rows[by_radio])
        beside = order[~self._links.fleet.on_mesh[meters[order]]]
        self._links.offer(rows[beside], meters[beside], offers_ns[beside], sizes[beside])
        self._ledger.move(self._ledger.with_riders(rows)[0], At.RADIO)

    def send(
        self, t_ns: Whole, src: Whole, dst: int, psdu_bytes: Whole, priority: int, rows: Whole = NEVER
    ) -> NDArray[np.int64]:
        """Hand frames to the radio, each with its message; return their numbers."""
        frames = self._mesh.inject(t_ns, src, dst, psdu_bytes, priority=priority, **self._persistence)
        self._ledger.bind(frames, rows)
        return frames
