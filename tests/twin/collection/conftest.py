"""A town of a thousand meters and four concentrators, made by hand: no grid, so that a run takes a second."""

import numpy as np
import pytest

from twin import scenario as scenarios
from twin.collection.day import Collection
from twin.collection.links_fleet import make_fleet
from twin.collection.plan import CollectionPlan, build_mesh, make_memory
from twin.field.population import Population
from twin.metering.loads import Loads
from twin.metering.shapes import generate_shapes
from twin.store.store import Store

METERS, EDGE_M = 1000, 700.0
MASTS_M = np.array([[0.25, 0.25], [0.25, 0.75], [0.75, 0.25], [0.75, 0.75]]) * EDGE_M


def town_scenario(*changes):
    """Return a scenario of the town: one hour of values, and one more."""
    data = {
        "name": "town",
        "kind": "collection",
        "population": {"meters": METERS},
        "time": {"duration_h": 1.0},
        "head_end": {"commit_s": 60.0},
    }  # fewer commits than by default: each is forced to disk
    for change in changes:
        scenarios._apply(data, change)
    return scenarios.check(data, "town.toml")


def town_plan(scenario):
    """Return the plan of the town, with a mesh of its own."""
    draw = np.random.default_rng(5)
    x_m, y_m = draw.uniform(0, EDGE_M, (2, METERS))
    nearest = np.argmin(np.hypot(x_m[:, None] - MASTS_M[:, 0], y_m[:, None] - MASTS_M[:, 1]), axis=1)
    nothing = np.zeros(METERS, np.int64)
    population = Population(1, None, nothing, x_m, y_m, nearest, np.zeros(4, np.int64), *MASTS_M.T, np.zeros(METERS))
    fleet = make_fleet(population, scenario.seed, scenario.fleet, scenario.plc, scenario.cellular)
    mesh = build_mesh(scenario, population, fleet, "cpu")
    sink_of, hops = mesh.sink_of[:METERS].astype(np.int64), mesh.hops[:METERS].astype(np.int64)
    loads = Loads(generate_shapes(scenario.seed), population.meter_substation, scenario.seed)
    memory = make_memory(scenario, loads)
    return CollectionPlan(
        scenario, None, population, mesh, memory, fleet, np.where(sink_of < 0, -1, sink_of - METERS), hops, "cpu"
    )


@pytest.fixture
def play(tmp_path):
    """Give the function that plays the town with changes of its scenario and returns the finished collection."""
    stores = []

    def run(*changes, watch=lambda now_ns, collection: None, window_ns=60 * 10**9, prepare=lambda collection: None):
        store = Store.open(tmp_path / f"store{len(stores)}")
        stores.append(store)
        collection = Collection(town_plan(town_scenario(*changes)), store, window_ns)
        prepare(collection)
        collection.run(watch)
        return collection

    yield run
    for store in stores:
        store.close(compact=False)


@pytest.fixture
def make_scenario():
    """Give the function that makes the town's scenario with changes."""
    return town_scenario


@pytest.fixture
def make_plan():
    """Give the function that makes the town's plan from a scenario."""
    return town_plan
