"""What a scenario asks of the air in closed form, before anything is simulated."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import gpu
from twin.collection.plan import CollectionPlan
from twin.collection.traffic import TrafficClass, traffic_classes

GOOD_SHARE = 0.5  # DOMAIN 2.3: at half of a root's time everything still gets through


@dataclass(frozen=True)
class RootLoad:
    """What the scheduled classes ask of a concentrator's radio.

    Attributes
    ----------
    busy_share : (C,) float
        Share of its time each concentrator's half-duplex radio is taken if no frame were ever repeated.
    by_class : dict
        The busiest one's share by class.
    """

    busy_share: NDArray[np.float64]
    by_class: dict[str, float]

    @property
    def busiest(self) -> int:
        """The concentrator that is asked for most."""
        return int(np.argmax(self.busy_share))


def service_us(radio: gpu.Radio, psdu_bytes: int) -> int:
    """Return how long one message takes a half-duplex root [us]: frame, turnaround, ACK, pause (DOMAIN 2.3)."""
    return radio.air_us(psdu_bytes) + radio.turnaround_us + radio.air_us(radio.ack_bytes) + radio.lifs_us


def root_load(radio: gpu.Radio, classes: list[TrafficClass], concentrator_of: NDArray, concentrators: int) -> RootLoad:
    """Return the load of every concentrator's radio; messages that share a frame are counted as if they did not."""
    shares = {}
    for kind in classes:
        if kind.rides:
            continue
        served = concentrator_of[kind.members]
        messages = np.bincount(served[served >= 0], minlength=concentrators)
        shares[kind.name] = messages * service_us(radio, kind.psdu_bytes) * 1000 / kind.period_ns
    total = np.sum(list(shares.values()), axis=0)
    busiest = int(np.argmax(total))
    return RootLoad(total, {name: float(share[busiest]) for name, share in shares.items()})


def air_warnings(plan: CollectionPlan) -> list[str]:
    """Return a warning with its number if the busiest concentrator is asked for more than its radio can carry."""
    classes = traffic_classes(plan.scenario)
    load = root_load(plan.mesh.radio, classes, plan.concentrator_of, plan.concentrators)
    share = float(load.busy_share[load.busiest])
    if share <= GOOD_SHARE:
        return []
    parts = ", ".join(f"{name} {100 * part:.1f} %" for name, part in load.by_class.items() if part)
    over = int((load.busy_share > GOOD_SHARE).sum())
    return [
        f"the air: concentrator {load.busiest} is asked for {100 * share:.0f} % of its radio's time ({parts}), "
        f"of which {100 * GOOD_SHARE:.0f} % can be relied on; {over:,} of {plan.concentrators:,} concentrators are "
        f"over; {_remedy(share, load)}"
    ]


def _remedy(share: float, load: RootLoad) -> str:
    """Return by how much the five-minute classes would have to shrink, if that is enough."""
    five = load.by_class.get("history", 0.0) + load.by_class.get("real_time", 0.0)
    spare = GOOD_SHARE - (share - five)
    if five and spare > 0:
        return f"it would carry {math.floor(100 * spare / five)} % of the five-minute meters asked for"
    return "set fewer population.meters_per_concentrator"
