"""Towns without a grid: meters evenly over a disc, in neighbourhoods with a concentrator in the middle of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import gpu
from gpu import rng
from twin.collection.links_fleet import make_fleet
from twin.collection.plan import CollectionPlan, build_mesh
from twin.collection.settings import CollectionScenario
from twin.field.population import GOLDEN_ANGLE_RAD, POLE_CLEARANCE_M, Population
from twin.metering.loads import Loads
from twin.metering.memory import MeterMemory
from twin.metering.profile import find_profile
from twin.metering.shapes import generate_shapes

# Purposes of draws, the same numbers for good: a draw is a function of (seed, purpose, meter) alone.
_BEARING, _DISTANCE, _IN_SHAFT, _SHAFT_SIDE = 0x7241, 0x7242, 0x7243, 0x7244
SHAFT_SIDE_DB = 7.0  # CRIEPI R13006


class Place(NamedTuple):
    """One contiguous town: how many meters, how densely, and where its middle is."""

    meters: int
    density_per_km2: float
    x_m: float = 0.0
    y_m: float = 0.0


def build_towns(places: Sequence[Place], scenario: CollectionScenario) -> Population:
    """Return the population of some towns in one plane; a neighbourhood counts as a substation.

    Neighbourhoods are discs of one concentrator's meters on a sunflower spiral: the same density everywhere.
    """
    people, seed = scenario.population, scenario.seed
    poles = [_neighbourhoods(place, people.meters_per_concentrator) for place in places]
    counts = np.concatenate([count for _, _, count, _ in poles])
    x_m, y_m = (np.concatenate([pole[k] for pole in poles]) for k in (0, 1))
    radius_m = np.concatenate([radius for _, _, _, radius in poles])
    ids, station = np.arange(counts.sum()), np.repeat(np.arange(counts.size), counts)
    angle_rad = 2 * np.pi * rng.draw_unit(seed, _BEARING, ids)
    inner = (POLE_CLEARANCE_M / radius_m[station]) ** 2
    far_m = radius_m[station] * np.sqrt(inner + (1 - inner) * rng.draw_unit(seed, _DISTANCE, ids))
    in_shaft = rng.draw_unit(seed, _IN_SHAFT, ids) < people.pipe_shaft_share
    side_db = np.where(rng.draw_unit(seed, _SHAFT_SIDE, ids) < 0.5, 0.5, -0.5) * SHAFT_SIDE_DB
    return Population(
        seed=seed, origin_deg=None, meter_substation=station,
        meter_x_m=x_m[station] + far_m * np.cos(angle_rad), meter_y_m=y_m[station] + far_m * np.sin(angle_rad),
        meter_concentrator=station, concentrator_substation=np.arange(counts.size), concentrator_x_m=x_m,
        concentrator_y_m=y_m, extra_loss_db=np.where(in_shaft, people.pipe_shaft_loss_db + side_db, 0.0),
    )  # fmt: skip


def _neighbourhoods(
    place: Place, size: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """Return x, y [m], meters and radius [m] of each neighbourhood of a town."""
    count = -(-place.meters // size)
    meters = np.full(count, place.meters // count)
    meters[: place.meters - int(meters.sum())] += 1
    radius_m = 1000 * np.sqrt(meters / (np.pi * place.density_per_km2))
    order = np.arange(count)
    town_radius_m = 1000 * np.sqrt(place.meters / (np.pi * place.density_per_km2))
    from_middle_m = town_radius_m * np.sqrt((order + 0.5) / count) if count > 1 else np.zeros(1)
    x_m = place.x_m + from_middle_m * np.cos(order * GOLDEN_ANGLE_RAD)
    y_m = place.y_m + from_middle_m * np.sin(order * GOLDEN_ANGLE_RAD)
    return x_m, y_m, meters, np.maximum(radius_m, 2 * POLE_CLEARANCE_M)


def plan_towns(
    places: Sequence[Place], scenario: CollectionScenario, backend: str, tell: Callable[[str], None] = lambda text: None
) -> CollectionPlan:
    """Return everything a run of these towns needs."""
    population = build_towns(places, scenario)
    tell("loads and mesh")
    loads = Loads(generate_shapes(scenario.seed), population.meter_substation, scenario.seed,
                  pv_share=scenario.load.pv_share)  # fmt: skip
    memory = MeterMemory(loads, find_profile(scenario.meter.profile))
    fleet = make_fleet(population, scenario.seed, scenario.fleet, scenario.plc, scenario.cellular)
    mesh: gpu.Mesh = build_mesh(scenario, population, fleet, backend)
    meters = population.meter_count
    sink_of = mesh.sink_of[:meters].astype(np.int64)
    concentrator_of = np.where(sink_of < 0, -1, sink_of - meters)
    hops = mesh.hops[:meters].astype(np.int64)
    return CollectionPlan(scenario, None, population, mesh, memory, fleet, concentrator_of, hops, backend)
