"""A small outage, run natively; and its supply, step by step, as another simulator would give it."""

import pytest

from hil.run import run_scenario
from twin import scenario
from twin.field.grid import load_grid
from twin.plan import plan_timeline
from twin.study.tables import SCHEMAS

SMALL = (
    "name=small", "population.meters=1000", "time.duration_s=24",
    "fault.at_s=4", "fault.trip_s=0.3", "fault.isolate_s=10", "fault.tie_s=14",
    "policy.kind=last_gasp+polling", "policy.declare_s=1", "policy.window_s=3", "policy.poll_round_s=2",
    "restoration.rejoin_min_s=1", "restoration.rejoin_max_s=2", "restoration.notice_window_s=1",
    "head_end.locate_every_s=2",
)  # fmt: skip


class Giver:
    """The grid simulator: knows the fault's timeline, as the inputs of a co-simulation at each moment."""

    def __init__(self, loaded):
        grid = load_grid(loaded.grid.network)
        timeline = plan_timeline(loaded, grid)
        feeder = grid.feeder_name[timeline.feeder]
        self.moves = []
        pu = dict.fromkeys(grid.substation_name, 1.0)
        for step in timeline.steps:
            inputs = {"stage": step.kind}
            for name, value in zip(grid.substation_name, step.residual_pu.tolist(), strict=True):
                if pu[name] != value:
                    inputs[f"substation/{name}/voltage_pu"] = pu[name] = value
            if step.kind in ("trip", "isolate"):
                inputs[f"feeder/{feeder}/breaker_open"] = step.kind == "trip"
            self.moves.append((step.t_ns, inputs))


@pytest.fixture(scope="session")
def small_cosim():
    """The scenario that is co-simulated."""
    return scenario.load("feeder_fault", SMALL)


@pytest.fixture(scope="session")
def changes():
    """What makes the small scenario of the shipped one."""
    return list(SMALL)


@pytest.fixture(scope="session")
def giver(small_cosim):
    """Who gives the supply."""
    return Giver(small_cosim)


@pytest.fixture(scope="session")
def native(small_cosim, tmp_path_factory):
    """The native run of the scenario, its fault played by itself."""
    return run_scenario(small_cosim, tmp_path_factory.mktemp("native") / "small")


@pytest.fixture(scope="session")
def same_events(native):
    """Check that a run's tables are the native run's, byte for byte."""

    def check(done):
        assert native.summary["gasps"]["delivered"] > 10  # something happened at all
        assert native.summary["polls"]["answered"] > 0
        assert done.manifest["digest"] == native.manifest["digest"]
        for name in SCHEMAS:
            file = f"{name}.parquet"
            assert (done.folder / file).read_bytes() == (native.folder / file).read_bytes(), file
        differing = {key for key in native.summary if done.summary[key] != native.summary[key]}
        assert differing == {"fault"}  # of it a co-simulated run knows nothing

    return check
