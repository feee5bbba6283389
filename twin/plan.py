"""From a scenario to what runs: the grid and its fault, the population, the mesh, the board's place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import gpu
from teiden.errors import InputError
from twin.field.dip import DipModel
from twin.field.grid import Grid, load_grid
from twin.field.population import Population, board_meter, populate
from twin.field.supply import SupplyTimeline, fault_times, plan_line_fault
from twin.scenario import Scenario


@dataclass(frozen=True)
class Plan:
    """All that is fixed before the first window.

    Attributes
    ----------
    node_substation : (N + C,) int
        Substation of each node of the mesh: meters first, then concentrators.
    board : int
        The meter that the rig plays.
    backend : str
        What runs the mesh.
    """

    scenario: Scenario
    grid: Grid
    timeline: SupplyTimeline
    population: Population
    mesh: gpu.Mesh
    node_substation: NDArray[np.int64]
    board: int
    backend: str


def make_plan(scenario: Scenario, backend: str, tell: Callable[[str], None] = lambda stage: None) -> Plan:
    """Build everything a run needs.

    Parameters
    ----------
    scenario : Scenario
    backend : str
        "cpu" or "cuda"; asked for and missing is an error.
    tell : callable
        Hears what is being built.

    Raises
    ------
    InputError
        If the network, the line or the board's meter do not exist or do not fit.
    MissingPart
        If the backend or a compiler is missing.
    """
    tell(f"grid {scenario.grid.network}")
    grid = load_grid(scenario.grid.network)
    timeline = plan_timeline(scenario, grid)
    tell(f"{scenario.population.meters:,} meters")
    people = scenario.population
    population = populate(
        grid,
        people.meters,
        scenario.seed,
        density_per_km2=people.density_per_km2,
        meters_per_concentrator=people.meters_per_concentrator,
        pipe_shaft_share=people.pipe_shaft_share,
        pipe_shaft_loss_db=people.pipe_shaft_loss_db,
    )
    board = board_meter(population, timeline.feeder_substations, scenario.board.meter)
    tell("mesh: links and routes")
    mesh = build_mesh(scenario, population, backend)
    return Plan(
        scenario,
        grid,
        timeline,
        population,
        mesh,
        np.concatenate([population.meter_substation, population.concentrator_substation]),
        board,
        backend,
    )


def plan_timeline(scenario: Scenario, grid: Grid) -> SupplyTimeline:
    """Return what the scenario's fault does to the grid, step by step."""
    fault = scenario.fault
    times = fault_times(
        fault.at_s,
        trip_s=fault.trip_s,
        isolate_s=fault.isolate_s,
        tie_s=fault.tie_s,
        repair_s=fault.repair_s or None,
    )
    dip = DipModel(upstream_mva=fault.upstream_mva, fault_ohm=fault.fault_ohm, position=fault.position)
    return plan_line_fault(grid, fault.line, times, seed=scenario.seed, dip=dip)


def build_mesh(scenario: Scenario, population: Population, backend: str) -> gpu.Mesh:
    """Build the radio mesh: meter i is node i, concentrator c is node N + c and a sink."""
    meters, concentrators = population.meter_count, population.concentrator_substation.size
    xy_m = np.column_stack(
        [
            np.concatenate([population.meter_x_m, population.concentrator_x_m]),
            np.concatenate([population.meter_y_m, population.concentrator_y_m]),
        ]
    )
    radio = gpu.profile(scenario.radio.profile, **_energy(scenario), **scenario.radio.overrides)
    return gpu.Mesh.build(
        xy_m,
        np.arange(meters, meters + concentrators),
        radio,
        scenario.seed,
        extra_loss_db=np.concatenate([population.extra_loss_db, np.zeros(concentrators)]),
        backend=backend,
    )


def _energy(scenario: Scenario) -> dict[str, int]:
    clash = {"listen_mw", "tx_extra_mw"} & set(scenario.radio.overrides)
    if clash:
        raise InputError(f"radio.overrides.{min(clash)}: set meter.listen_mw and meter.transmit_mw instead")
    meter = scenario.meter
    return {"listen_mw": meter.listen_mw, "tx_extra_mw": meter.transmit_mw - meter.listen_mw}
