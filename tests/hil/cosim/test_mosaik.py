"""The twin as a mosaik simulator, in a process of its own; a second simulator gives the fault."""

import json
import sys
import time
import types

import pytest
from click.testing import CliRunner

from hil.cli import main
from hil.run import Finished
from teiden.errors import InputError, PartFailed
from twin.study.folder import read_json

mosaik = pytest.importorskip("mosaik", reason="mosaik is not installed (pip install 'teiden[mosaik]')")
mosaik_api_v3 = pytest.importorskip("mosaik_api_v3", reason="mosaik's API is not installed")

TICKS_PER_S = 1000
PATIENCE_S = 60


class Grid(mosaik_api_v3.Simulator):
    """Gives each move at its time: one entity for each input."""

    def __init__(self):
        attrs = {"public": True, "params": ["name"], "attrs": ["value"]}
        super().__init__({"type": "event-based", "models": {"Quantity": attrs}})
        self._now = {}

    def init(self, sid, time_resolution=1.0, *, moves):
        self._moves = {round(t_ns / 1e9 / time_resolution): inputs for t_ns, inputs in moves}
        return self.meta

    def create(self, num, model, name):
        return [{"eid": name, "type": model}]

    def step(self, time, inputs, max_advance):
        self._now = self._moves.get(time, {})
        return min((at for at in self._moves if at > time), default=None)

    def get_data(self, outputs):
        return {eid: {"value": self._now[eid]} for eid in outputs if eid in self._now}


class Listener(mosaik_api_v3.Simulator):
    """Hears what the head end believes."""

    heard: list = []  # noqa: RUF012 (mosaik makes the instance)

    def __init__(self):
        super().__init__(
            {"type": "event-based", "models": {"Ear": {"public": True, "params": [], "attrs": ["believed"]}}}
        )

    def create(self, num, model):
        return [{"eid": "ear", "type": model}]

    def step(self, time, inputs, max_advance):
        (believed,) = inputs["ear"]["believed"].values()
        self.heard.append((time / TICKS_PER_S, believed))


def play(moves, out, changes, **options):
    """Run a world of grid, twin and listener; return what the twin left."""
    Listener.heard.clear()
    with mosaik.World(
        {
            "Grid": {"python": f"{__name__}:Grid"},
            "Listener": {"python": f"{__name__}:Listener"},
            "Teiden": {"cmd": f"{sys.executable} -m hil.cli cosim mosaik %(addr)s"},
        },
        {"start_timeout": 120},  # a busy machine starts a process late
        time_resolution=1 / TICKS_PER_S,
    ) as world:
        grid = world.start("Grid", moves=moves)
        teiden = world.start("Teiden", scenario="feeder_fault", out=str(out), changes=changes, step_s=1.0, **options)
        office, ear = teiden.Office(), world.start("Listener").Ear()
        places = {child.eid: child for child in office.children}
        for name in {name: None for _, inputs in moves for name in inputs}:
            place, _, attribute = name.rpartition("/")
            quantity = grid.Quantity(name=name)
            world.connect(quantity, places.get(place, office), ("value", attribute))
        world.connect(office, ear, ("meters_believed_out", "believed"))
        world.set_initial_event(quantity.sid, time=moves[0][0] // 1_000_000)
        world.run(until=24 * TICKS_PER_S, print_progress=False)
    until_s = time.monotonic() + PATIENCE_S
    while not out.exists() and time.monotonic() < until_s:  # mosaik does not wait for its simulators
        time.sleep(0.05)
    return Finished(out, read_json(out / "summary.json"), read_json(out / "run.json"))


@pytest.fixture
def by_name(monkeypatch):
    """Let mosaik import this module, which importlib mode leaves out, by its name."""
    monkeypatch.setitem(sys.modules, __name__, types.SimpleNamespace(Grid=Grid, Listener=Listener))


@pytest.mark.usefixtures("by_name")
def test_a_simulator_leaves_the_native_runs_tables(giver, changes, same_events, tmp_path):
    done = play(giver.moves, tmp_path / "small", changes)
    same_events(done)
    assert done.manifest["supply"] == "mosaik"
    told = [json.loads(line)["outputs"] for line in (done.folder / "exchange.jsonl").read_text().splitlines()]
    assert Listener.heard == [(row["t_s"], row["meters_believed_out"]) for row in told]


@pytest.mark.usefixtures("by_name")
def test_resume_reaches_the_core(giver, changes, to_resume, resumed_alike):
    resumed_alike(play(giver.moves, to_resume, changes, resume=True))


@pytest.fixture
def simulator(changes, tmp_path):
    """The simulator in this process, initialised."""
    from hil.cosim.mosaik import TwinSimulator

    made = TwinSimulator()
    made.init("Teiden-0", 0.001, scenario="feeder_fault", out=str(tmp_path / "small"), changes=changes)
    return made


def test_what_is_wrong_is_refused_and_an_unfinished_world_leaves_a_partial_folder(simulator, tmp_path):
    with pytest.raises(InputError, match="no meter 'M9999999'"):
        simulator.create(1, "Meter", name="M9999999")
    with pytest.raises(InputError, match="2 entities of Office, expected 1"):
        simulator.create(2, "Office")
    assert simulator.create(1, "Meter", name="M0000042") == [{"eid": "meter/M0000042", "type": "Meter"}]
    assert simulator.step(0, {}, 24_000) == 1000
    assert simulator.get_data({"meter/M0000042": ["believed_out"], "office": ["section"]}) == {
        "meter/M0000042": {"believed_out": False},
        "office": {"section": "nothing"},
    }
    with pytest.raises(PartFailed, match="the world ended at t = 0 s, the scenario lasts to 24 s: until must be that"):
        simulator.finalize()
    assert not (tmp_path / "small").exists()
    assert (tmp_path / "small.partial").is_dir()


def test_two_givers_of_one_input_and_an_odd_time_resolution_are_refused(changes, simulator):
    two = {"substation/LV Load 3": {"voltage_pu": {"A.0": 1.0, "B.0": 0.9}}}
    simulator.create(1, "Office")
    with pytest.raises(InputError, match=r"substation/LV Load 3/voltage_pu: given by A\.0, B\.0, expected one"):
        simulator.step(0, two, 24_000)
    with pytest.raises(InputError, match=r"step_s = 1 s, expected a multiple of time_resolution = 0\.7"):
        type(simulator)().init("Teiden-1", 0.7, scenario="feeder_fault", changes=changes)


@pytest.mark.parametrize(("address", "code"), [("127.0.0.1:1", 3), ("somewhere", 2)])
def test_no_world_at_the_address(address, code):
    result = CliRunner().invoke(main, ["cosim", "mosaik", address])
    assert result.exit_code == code
    assert {3: "no mosaik world waits at 127.0.0.1:1", 2: "expected HOST:PORT"}[code] in result.output
