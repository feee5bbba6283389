"""The simulated source of a station, with the load that the station names."""

from __future__ import annotations

from hil.source.dialects import simulate
from hil.source.load import Impedance, RectifierLoad
from hil.source.simulated import SimulatedSource
from hil.station import Station

CAPACITANCE_F, IMPEDANCE = 470e-6, Impedance(0.1, 50e-6)  # assumed, as those of rig source


def stand_in_source(station: Station, seed: int) -> SimulatedSource:
    """Return it; ``seed`` is the key of its command latencies."""
    load = RectifierLoad(CAPACITANCE_F, station.load.power_w) if station.load.power_w else None
    return simulate(station.source.dialect, seed, load=load, impedance=IMPEDANCE)
