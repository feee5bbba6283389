"""Strata: the nation's meters by utility and density, and how many towns are simulated of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin.collection.links_settings import FleetTable
from twin.field.population import share_out
from twin.fleet.settings import FleetScenario


@dataclass(frozen=True)
class Stratum:
    """Meters of one utility that live equally densely.

    Attributes
    ----------
    name : str
    utility : str
    meters : int
        In the nation.
    towns : int
        That are simulated.
    """

    name: str
    utility: str
    meters: int
    density_per_km2: float
    mix: FleetTable
    towns: int


def make_strata(scenario: FleetScenario) -> list[Stratum]:
    """Return the strata that have meters; meters and towns are shared out by largest remainders."""
    nation, sample = scenario.nation, scenario.sample
    kinds = [
        (f"{utility}, {name}", utility, share * part, density)
        for utility, share in nation.share.items()
        for name, part, density in (
            ("dense", nation.dense_share[utility], nation.dense_per_km2[utility]),
            ("sparse", 1 - nation.dense_share[utility], nation.sparse_per_km2),
        )
        if share * part > 0
    ]
    weight = np.array([part for _, _, part, _ in kinds])
    meters = share_out(nation.meters, weight)
    left = max(sample.towns - sample.least * len(kinds), 0)
    towns = sample.least + (share_out(left, weight) if left else np.zeros(len(kinds), np.int64))
    return [
        Stratum(name, utility, int(meters[k]), density, scenario.mix(utility), int(towns[k]))
        for k, (name, utility, _, density) in enumerate(kinds)
    ]
