"""A small outage, run natively; and its supply, step by step, as another simulator would give it."""

import contextlib
import shutil

import pytest

from hil.cosim.core import opened
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


class Killed(Exception):
    """Stands for the end of the process."""


@pytest.fixture(scope="session")
def play_on():
    """Step through moves, and on to 12 s."""

    def play(twin, moves):
        for t_ns, inputs in moves:
            twin.step(t_ns, inputs)
        twin.step(max(12_000_000_000, twin.now_ns), {})

    return play


@pytest.fixture(scope="session")
def interrupted(small_cosim, giver, play_on, tmp_path_factory):
    """A run that ended 12 s after its beginning, in the middle of a step."""
    place = tmp_path_factory.mktemp("interrupted") / "small"
    with contextlib.suppress(Killed), opened(small_cosim, place, 1.0, "a test") as twin:
        play_on(twin, giver.moves[:2])
        raise Killed
    with open(place.with_name("small.partial") / "exchange.jsonl", "a") as file:
        file.write('{"t_ns": 12500000000, "inp')
    return place.with_name("small.partial")


@pytest.fixture
def to_resume(interrupted, tmp_path):
    """A copy of the interrupted run; the place it is to be resumed at."""
    shutil.copytree(interrupted, tmp_path / "small.partial")
    return tmp_path / "small"


@pytest.fixture
def resumed_alike(to_resume, same_events):
    """Check that a run was held to the interrupted one's checkpoints, and came out as the native run."""

    def check(done):
        same_events(done)
        assert done.folder == to_resume
        assert any(flag.startswith("resumed") for flag in done.manifest["flags"])

    return check
