"""From a collection scenario to what runs: the grid, the population, the mesh."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import gpu
from twin.collection.links_fleet import OFF_MESH_LOSS_DB, Fleet, make_fleet
from twin.collection.settings import CollectionScenario
from twin.collection.targets import customers_who_adapt
from twin.field.grid import Grid, load_grid
from twin.field.population import Population, populate
from twin.metering.feeder import build_feeder
from twin.metering.loads import Loads
from twin.metering.memory import MeterMemory
from twin.metering.places import read_municipalities
from twin.metering.profile import find_profile
from twin.metering.settle import Settled, choose, settle
from twin.metering.shapes import generate_shapes, read_shapes
from twin.plan import place_nodes


@dataclass(frozen=True)
class CollectionPlan:
    """All that is fixed before the first window.

    Attributes
    ----------
    grid : Grid or None
        None where meters stand in towns: every town's medium voltage is nominal then.
    memory : MeterMemory
        What the meters measured and still know.
    fleet : Fleet
        Which link each meter has.
    concentrator_of : (N,) int
        The concentrator at the end of each meter's route; -1 without a route.
    hops : (N,) int
        -1 without a route, as everybody beside the mesh.
    settled : Settled or None
        The municipalities of meters that a table placed.
    """

    scenario: CollectionScenario
    grid: Grid | None
    population: Population
    mesh: gpu.Mesh
    memory: MeterMemory
    fleet: Fleet
    concentrator_of: NDArray[np.int64]
    hops: NDArray[np.int64]
    backend: str
    settled: Settled | None = None

    @property
    def meters(self) -> int:
        """N."""
        return self.population.meter_count

    @property
    def concentrators(self) -> int:
        """C."""
        return self.population.concentrator_substation.size


def make_plan(
    scenario: CollectionScenario, backend: str, tell: Callable[[str], None] = lambda stage: None
) -> CollectionPlan:
    """Build everything a run needs.

    Parameters
    ----------
    scenario : CollectionScenario
    backend : str
        "cpu" or "cuda"; asked for and missing is an error.
    tell : callable
        Hears what is being built.
    """
    settlement = _settle(scenario, tell) if scenario.population.places else _around_substations(scenario, tell)
    grid, population = settlement.grid, settlement.population
    tell("loads and meters' memories")
    days, share = scenario.load.shapes, scenario.load.pv_share
    shapes = read_shapes(Path(days), scenario.seed) if days else generate_shapes(scenario.seed)
    loads = Loads(
        shapes, population.meter_substation, scenario.seed, pv_share=share,
        feeder=None if grid is None else build_feeder(grid),
        substation_p_mw=None if grid is None else grid.substation_p_mw,
    )  # fmt: skip
    memory = make_memory(scenario, loads)
    tell("mesh: links and routes")
    fleet = make_fleet(population, scenario.seed, scenario.fleet, scenario.plc, scenario.cellular)
    mesh = build_mesh(scenario, population, fleet, backend)
    meters = population.meter_count
    sink_of = mesh.sink_of[:meters].astype(np.int64)
    concentrator_of = np.where(sink_of < 0, -1, sink_of - meters)
    hops = mesh.hops[:meters].astype(np.int64)
    return CollectionPlan(
        scenario, grid, population, mesh, memory, fleet, concentrator_of, hops, backend, settlement.settled
    )


def make_memory(scenario: CollectionScenario, loads: Loads) -> MeterMemory:
    """Return the meters' memories."""
    return MeterMemory(
        loads, find_profile(scenario.meter.profile),
        adapts=customers_who_adapt(scenario), contract_a=scenario.meter.contract_a,
    )  # fmt: skip


def build_mesh(scenario: CollectionScenario, population: Population, fleet: Fleet, backend: str) -> gpu.Mesh:
    """Return the mesh: meter i is node i; one beside the mesh is a node that nobody hears and that is off."""
    radio = gpu.profile(scenario.radio.profile, **scenario.radio.overrides)
    xy_m, sinks, extra_loss_db = place_nodes(population)
    beside = np.flatnonzero(~fleet.on_mesh)
    extra_loss_db[beside] = OFF_MESH_LOSS_DB
    mesh = gpu.Mesh.build(xy_m, sinks, radio, scenario.seed, extra_loss_db=extra_loss_db, backend=backend)
    if beside.size:
        mesh.power_off(beside, 0, 0)
    return mesh


@dataclass(frozen=True)
class _Settlement:
    """Where meters are: around the substations of a grid, or in towns, of which no grid is known."""

    grid: Grid | None
    population: Population
    settled: Settled | None


def _around_substations(scenario: CollectionScenario, tell: Callable[[str], None]) -> _Settlement:
    tell(f"grid {scenario.grid.network}")
    grid, people = load_grid(scenario.grid.network), scenario.population
    tell(f"{people.meters:,} meters")
    population = populate(
        grid, people.meters, scenario.seed,
        density_per_km2=people.density_per_km2, meters_per_concentrator=people.meters_per_concentrator,
        pipe_shaft_share=people.pipe_shaft_share, pipe_shaft_loss_db=people.pipe_shaft_loss_db,
    )  # fmt: skip
    return _Settlement(grid, population, None)


def _settle(scenario: CollectionScenario, tell: Callable[[str], None]) -> _Settlement:
    people = scenario.population
    tell(f"municipalities {people.places}")
    table = read_municipalities(Path(people.places), Path(people.towns) if people.towns else None)
    chosen = choose(table, people.municipalities, people.prefecture, people.utility)
    tell(f"{people.meters:,} meters in {chosen.count:,} municipalities")
    settled = settle(
        chosen, people.meters, scenario.seed, meters_per_concentrator=people.meters_per_concentrator,
        pipe_shaft_share=people.pipe_shaft_share, pipe_shaft_loss_db=people.pipe_shaft_loss_db,
    )  # fmt: skip
    return _Settlement(None, settled.population, settled)
