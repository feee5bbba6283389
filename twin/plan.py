"""From a scenario to what runs: the grid and its fault, the population, the mesh, the board's place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import gpu
from teiden.errors import InputError
from twin.field.boards import choose_meters, dark_times_ns
from twin.field.detection import DetectionTable
from twin.field.dip import DipModel
from twin.field.grid import Grid, load_grid
from twin.field.population import Population, board_meter, populate
from twin.field.stages import Supply, supply_of
from twin.field.supply import SupplyTimeline, fault_times, plan_line_fault
from twin.scenario import BOARD_RULES, Scenario, ns


@dataclass(frozen=True)
class Plan:
    """All that is fixed before the first window.

    Attributes
    ----------
    node_substation : (N + C,) int
        Substation of each node of the mesh: meters first, then concentrators.
    supply : Supply
        The timeline as the meters feel it, within the run.
    boards : tuple of int
        The meters that the rigs play, in the order of the scenario's boards.
    backend : str
        What runs the mesh.
    detection : DetectionTable, optional
        Delays with which virtual meters detect a loss; None: those of the scenario's range.
    """

    scenario: Scenario
    grid: Grid
    timeline: SupplyTimeline
    supply: Supply
    population: Population
    mesh: gpu.Mesh
    node_substation: NDArray[np.int64]
    boards: tuple[int, ...]
    backend: str
    detection: DetectionTable | None = None


def make_plan(
    scenario: Scenario, backend: str, tell: Callable[[str], None] = lambda stage: None, *, outside: bool = False
) -> Plan:
    """Build everything a run needs.

    Parameters
    ----------
    scenario : Scenario
    backend : str
        "cpu" or "cuda"; asked for and missing is an error.
    tell : callable
        Hears what is being built.
    outside : bool
        Another simulator gives the supply; the scenario's fault only says on which feeder ``board.meter = "auto"`` is.

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
    population = populate_scenario(scenario, grid)
    tell("mesh: links and routes")
    mesh = build_mesh(scenario, population, backend)
    end_ns = ns(scenario.time.duration_s)
    supply = supply_of(timeline, scenario.meter.loss_pu, end_ns)
    boards = choose_meters(
        [board.meter for board in scenario.all_boards],
        population,
        timeline.feeder_substations,
        dark_times_ns(supply, end_ns),
        mesh.sink_of[: population.meter_count] >= 0,
    )
    return Plan(
        scenario,
        grid,
        timeline,
        Supply(timeline.before, (), outside=True) if outside else supply,
        population,
        mesh,
        np.concatenate([population.meter_substation, population.concentrator_substation]),
        boards,
        backend,
    )


def plan_problems(scenario: Scenario, place: str) -> list[str]:
    """Return what is wrong with a scenario's network, line and board, one line each, without building a mesh."""
    try:
        grid = load_grid(scenario.grid.network)
    except InputError as error:
        return [f"{place}: grid.network: {error}"]
    problems = []
    feeder = None
    try:
        feeder = plan_timeline(scenario, grid).feeder_substations
    except InputError as error:
        problems.append(f"{place}: fault.line: {error}")
    named = [board.meter for board in scenario.all_boards if board.meter not in BOARD_RULES]
    population = populate_scenario(scenario, grid) if named else None
    for meter in named:
        assert population is not None
        try:
            everywhere = np.ones(grid.substation_bus.size, dtype=bool)
            board_meter(population, everywhere if feeder is None else feeder, meter)
        except InputError as error:
            problems.append(f"{place}: board.meter: {error}")
    return problems


def populate_scenario(scenario: Scenario, grid: Grid) -> Population:
    """Return the scenario's meters around the grid's substations."""
    people = scenario.population
    return populate(
        grid,
        people.meters,
        scenario.seed,
        density_per_km2=people.density_per_km2,
        meters_per_concentrator=people.meters_per_concentrator,
        pipe_shaft_share=people.pipe_shaft_share,
        pipe_shaft_loss_db=people.pipe_shaft_loss_db,
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
    """Build the radio mesh of a population."""
    xy_m, sinks, extra_loss_db = place_nodes(population)
    meter = scenario.meter
    energy = {"listen_mw": meter.listen_mw, "tx_extra_mw": meter.transmit_mw - meter.listen_mw}
    radio = gpu.profile(scenario.radio.profile, **scenario.radio.overrides, **energy)
    return gpu.Mesh.build(xy_m, sinks, radio, scenario.seed, extra_loss_db=extra_loss_db, backend=backend)


def place_nodes(population: Population) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
    """Return (N + C, 2) places [m], (C,) sinks, (N + C,) extra loss [dB]; meter i is node i, concentrator c N + c."""
    meters, concentrators = population.meter_count, population.concentrator_substation.size
    xy_m = np.column_stack(
        [
            np.concatenate([population.meter_x_m, population.concentrator_x_m]),
            np.concatenate([population.meter_y_m, population.concentrator_y_m]),
        ]
    )
    extra_loss_db = np.concatenate([population.extra_loss_db, np.zeros(concentrators)])
    return xy_m, np.arange(meters, meters + concentrators), extra_loss_db
