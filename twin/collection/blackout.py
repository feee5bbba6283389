"""A blackout: substations without supply from a moment on, that come back one after the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import gpu
from twin.chance import Purpose, uniform
from twin.collection.settings import BlackoutTable
from twin.field.population import Population
from twin.metering.memory import MeterMemory
from twin.store.schema import HOUR_NS

FAR_NS = 1 << 62


class Blackout:
    """When each meter and each concentrator is dark: from ``off_ns`` until before ``on_ns``.

    Attributes
    ----------
    off_ns, on_ns : (N,) int
        `FAR_NS` both where a meter is never dark.
    concentrator_off_ns, concentrator_on_ns : (C,) int
        The same; those with a battery are never dark.
    """

    def __init__(self, settings: BlackoutTable, population: Population, seed: int):
        stations = np.arange(int(population.concentrator_substation.max()) + 1)
        luck = uniform(seed, stations, 0, Purpose.BLACKOUT)
        hit = (luck < settings.share) & (settings.hours > 0)
        begin_ns = round(settings.at_h * HOUR_NS)
        back_ns = begin_ns + round(settings.hours * HOUR_NS)
        # The lower the draw the sooner the crews are there: evenly over the time the restoration takes.
        turn = np.where(hit, luck / max(settings.share, 1e-9), 0.0)
        station_on_ns = np.where(hit, back_ns + np.floor(turn * settings.restore_h * HOUR_NS).astype(np.int64), FAR_NS)
        station_off_ns = np.where(hit, begin_ns, FAR_NS)
        self.off_ns = station_off_ns[population.meter_substation]
        self.on_ns = station_on_ns[population.meter_substation]
        backed = uniform(seed, np.arange(population.concentrator_substation.size), 1, Purpose.BLACKOUT)
        at = population.concentrator_substation
        dark = hit[at] & (backed >= settings.concentrators_backed)
        self.concentrator_off_ns = np.where(dark, station_off_ns[at], FAR_NS)
        self.concentrator_on_ns = np.where(dark, station_on_ns[at], FAR_NS)

    @property
    def struck(self) -> NDArray[np.int64]:
        """The meters that lose their supply."""
        return np.flatnonzero(self.off_ns < FAR_NS)

    def dark(self, meters: NDArray[np.int64], t_ns: int) -> NDArray[np.bool_]:
        """Return which meters have no supply at a moment."""
        return (self.off_ns[meters] <= t_ns) & (t_ns < self.on_ns[meters])

    def intervals_lost(self, meters: NDArray[np.int64], period_ns: int, until_ns: int) -> int:
        """Return how many periods of these meters end in the dark, up to a moment: nobody measures then."""
        off = np.minimum(self.off_ns[meters], until_ns + 1)
        on = np.minimum(self.on_ns[meters], until_ns + 1)
        return int(((on - 1) // period_ns - (off - 1) // period_ns).sum())

    def strike(
        self, meters: NDArray[np.int64], t_ns: int, mesh: gpu.Mesh, memory: MeterMemory, on_mesh: NDArray[np.bool_]
    ) -> None:
        """Take these meters' supply at a moment, for the rest of the run; ``on_mesh`` as in `plan_supply`."""
        self.off_ns[meters] = t_ns
        mesh.power_off(meters[on_mesh[meters]], t_ns, 0)
        memory.outages.lose(meters, t_ns)

    def plan_supply(self, mesh: gpu.Mesh, memory: MeterMemory, on_mesh: NDArray[np.bool_]) -> None:
        """Tell radio and meters when they lose and regain the mains; nothing holds the radio up meanwhile.

        Nodes of meters that are not ``on_mesh`` (N,) stay as they are: they have no radio.
        """
        off = np.concatenate([np.where(on_mesh, self.off_ns, FAR_NS), self.concentrator_off_ns])
        on = np.concatenate([self.on_ns, self.concentrator_on_ns])
        nodes = np.flatnonzero(off < FAR_NS)
        if nodes.size:
            mesh.power_off(nodes, off[nodes], 0)
            mesh.power_on(nodes, on[nodes])
        struck = self.struck
        if struck.size:
            memory.outages.lose(struck, int(self.off_ns[struck[0]]))
            for t_ns in np.unique(self.on_ns[struck]).tolist():
                memory.outages.restore(struck[self.on_ns[struck] == t_ns], t_ns)
