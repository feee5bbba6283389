"""A rig that is served for runs that call: as separate processes, with keys, one run after the other."""

import signal
import subprocess
import sys
import threading
import time
from functools import partial

import pytest
from click.testing import CliRunner

from hil.cli import main
from hil.run import run_scenario
from teiden.errors import InputError, MissingPart, PartFailed
from twin import wire
from twin.link import twin_end
from twin.link.keys import load_keys, make_keys
from twin.link.lockstep import Lockstep
from twin.link.twin_end import CallingTwin

SHORT = ("time.duration_s=5", "fault.at_s=1", "fault.isolate_s=1.5", "fault.tie_s=2", "policy.declare_s=0.5",
         "policy.window_s=1", "restoration.confirm_s=0.2", "restoration.notice_window_s=0.5")  # fmt: skip
STATION = '[board]\nkind = "model"\n'
CONFIGURE = partial(
    wire.Configure, meter=1, key=bytes(16), seed=1, nominal_v=100.0, nominal_hz=50, point_on_wave_deg=90.0,
    source_port=0, clocks_per_sample=64, declare_ns=0, window_ns=0, confirm_return_ns=0, notice_window_ns=0,
    handoff_ns=20_000_000, answer_ns=60_000_000, holdup_nj=10**9, listen_nw=10**8, sends_notices=True, credits=64,
    telemetry_port=0, real_time=False,
)  # fmt: skip


TWIN = f"""
import sys, time
from twin import wire
from twin.link.lockstep import Lockstep
from twin.link.twin_end import CallingTwin

end = CallingTwin(sys.argv[1])
lockstep = Lockstep(end, 20.0)
print(lockstep.start(wire.decode({wire.encode(CONFIGURE())!r})).board, flush=True)
time.sleep(1)
lockstep.stop()
end.close()
"""


class Served:
    """``teiden rig serve`` in a process of its own; `said` grows by the lines it prints."""

    def __init__(self, folder, *options):
        (folder / "station.toml").write_text(STATION)
        command = [sys.executable, "-m", "hil.cli", "rig", "serve", str(folder / "station.toml"), *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.endpoint = self.process.stdout.readline().strip()
        self.said = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            with self._news:
                self.said.append(line.strip())
                self._news.notify_all()

    def wait_for(self, text):
        """Wait until a line with a text has come, and drop the lines up to it."""
        with self._news:
            assert self._news.wait_for(lambda: any(text in line for line in self.said), 60), self.said
            place = next(k for k, line in enumerate(self.said) if text in line)
            del self.said[: place + 1]

    def end(self):
        self.process.terminate()
        self.process.wait(30)
        self._reader.join()
        self.process.stdout.close()


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys") / "keys"
    make_keys(folder)
    return folder


@pytest.fixture(scope="module")
def served(keys, tmp_path_factory):
    rig = Served(tmp_path_factory.mktemp("served"), "--keys", str(keys))
    yield rig
    rig.end()


@pytest.fixture
def call(served, keys):
    """Call the rig as a twin does; what called is closed in the end."""
    ends = []

    def make(folder=keys):
        ends.append(CallingTwin(served.endpoint, load_keys(folder, "twin") if folder else None))
        return ends[-1]

    yield make
    for end in ends:
        end.close()


def test_a_run_on_a_served_rig_is_the_same_each_time(served, keys, make_small, tmp_path):
    """Beside a board whose rig the run starts itself."""
    boards = f'boards=[{{id="own"}},{{id="lab",rig="{served.endpoint}"}}]'
    scenario = make_small(*SHORT, boards, f"link.keys={keys}")
    first, again = (run_scenario(scenario, tmp_path / name) for name in ("first", "again"))
    assert first.manifest["digest"] == again.manifest["digest"]
    own, lab = first.manifest["boards"]
    assert (own["rig"], own["board"]) == ("", "sim")
    assert (lab["rig"], lab["board"]) == (served.endpoint, "model")  # the station's, not the scenario's
    assert [board["runs_on"] for board in first.summary["boards"]] == ["sim", "model"]
    assert lab["link"]["curve"] is True
    assert lab["link"]["state"] == "stopped"
    assert lab["link"]["telemetry_received"] > 0
    assert (tmp_path / "first" / "rig_own.log").exists()
    assert not (tmp_path / "first" / "rig_lab.log").exists()
    for board in first.summary["boards"]:
        # 1.5 to 1.88 ms from ideal samples (HDL.md section 7), plus at most one sample
        assert 1.5 <= board["detection_latency_ms"] <= 1.88 + 0.125
    served.wait_for("the run is over")
    served.wait_for("the run is over")


def test_a_run_on_a_served_rig_is_that_of_a_run_with_a_rig_of_its_own(served, keys, make_small, tmp_path):
    own = run_scenario(make_small(*SHORT, "board.adapter=model"), tmp_path / "own")
    patient = (f"board.rig={served.endpoint}", f"link.keys={keys}", "link.heartbeat_ms=2000")
    there = run_scenario(make_small(*SHORT, *patient), tmp_path / "there")
    assert there.manifest["digest"] == own.manifest["digest"]
    assert [run.manifest["link"]["heartbeat_ms"] for run in (own, there)] == [100, 2000]
    served.wait_for("the run is over")
    for table in sorted((tmp_path / "own").glob("*.parquet")):
        assert (tmp_path / "there" / table.name).read_bytes() == table.read_bytes(), table.name


def test_a_twin_that_goes_away_leaves_the_rig_to_the_next(served, call):
    end = call()
    Lockstep(end, 20.0).start(CONFIGURE())
    end.close()
    served.wait_for("connection lost or frozen")
    lockstep = Lockstep(call(), 20.0)
    assert lockstep.start(CONFIGURE()).board == "model"
    lockstep.stop()
    served.wait_for("the run is over")


def test_a_served_rig_is_as_patient_as_it_is_told_to_be(tmp_path):
    """Frozen for 3.5 s: more than the 0.4 s and 2 s of grace that it has by itself, less than four times 1.5 s."""
    served = Served(tmp_path, "--heartbeat-ms", "1500", "--once")
    twin = subprocess.Popen([sys.executable, "-c", TWIN, served.endpoint], stdout=subprocess.PIPE, text=True)
    try:
        assert twin.stdout.readline() == "model\n"
        twin.send_signal(signal.SIGSTOP)
        time.sleep(3.5)
        twin.send_signal(signal.SIGCONT)
        served.wait_for("the run is over")
        assert twin.wait(30) == 0
    finally:
        twin.kill()
        twin.wait()
        twin.stdout.close()
        served.end()


def test_a_second_twin_is_refused_and_harms_nobody(served, call):
    lockstep, second = Lockstep(call(), 20.0), Lockstep(call(), 20.0)
    lockstep.start(CONFIGURE())
    with pytest.raises(PartFailed, match="this rig is in another run; wait for its end"):
        second.start(CONFIGURE())
    lockstep.grant(20_000_000, [], [])
    assert lockstep.collect() == []
    lockstep.stop()
    served.wait_for("the run is over")


def test_a_supply_that_the_station_does_not_give_is_refused_and_nothing_is_energised(served, call):
    with pytest.raises(PartFailed, match=r"the run asks for 100 V, 60 Hz; this station's \[supply\] is 100 V, 50 Hz"):
        Lockstep(call(), 20.0).start(CONFIGURE(nominal_hz=60))
    served.wait_for("run failed: source: the run asks for 100 V, 60 Hz")


def test_a_twin_without_the_key_is_not_let_in(served, call, keys, tmp_path):
    make_keys(tmp_path / "other")
    (tmp_path / "other" / "rig.key").write_bytes((keys / "rig.key").read_bytes())  # it knows the rig, not the reverse
    with pytest.raises(PartFailed, match="this twin was refused: unknown key"):
        Lockstep(call(tmp_path / "other"), 20.0).start(CONFIGURE())
    served.wait_for("a peer was not let in: unknown key")
    with pytest.raises(PartFailed, match="keys on one side only"):
        Lockstep(call(None), 20.0).start(CONFIGURE())


def test_a_rig_that_is_ended_tells_its_twin(keys, tmp_path):
    served = Served(tmp_path)
    end = CallingTwin(served.endpoint)
    try:
        lockstep = Lockstep(end, 20.0)
        lockstep.start(CONFIGURE())
        served.process.send_signal(signal.SIGTERM)
        with pytest.raises(PartFailed, match="this rig was ended"):
            end.receive(30.0, "anything")
        assert served.process.wait(30) == 128 + signal.SIGTERM
    finally:
        end.close()
        served.end()


def test_nobody_there_is_a_missing_part(monkeypatch):
    monkeypatch.setattr(twin_end, "ANSWER_S", 0.3)
    end = CallingTwin("tcp://127.0.0.1:1")
    try:
        with pytest.raises(MissingPart, match=r"rig at tcp://127.0.0.1:1: no answer .* is teiden rig serve running"):
            Lockstep(end, 20.0).start(CONFIGURE())
    finally:
        end.close()


@pytest.mark.parametrize("endpoint", ["tcp://192.0.2.7:7000", "tcp://bench.example:7000"])
def test_a_rig_elsewhere_needs_keys(endpoint):
    with pytest.raises(InputError, match=f"rig at {endpoint} is not loopback, expected link.keys"):
        CallingTwin(endpoint)


@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1", "127.0.0.1:7000", "tcp://127.0.0.1:70000", "ipc://x:1"])
def test_an_endpoint_that_is_none_is_refused(endpoint):
    with pytest.raises(InputError, match="expected tcp://HOST:PORT"):
        CallingTwin(endpoint)


@pytest.mark.parametrize(
    ("station", "options", "named"),
    [
        ("", ["--address", "0.0.0.0"], "link.address = 0.0.0.0 is not loopback, expected link.keys"),
        ("", ["--address", "localhost"], "expected an IPv4 address"),
        ("", ["--keys", "nowhere"], "rig.key_secret: "),
        ("", ["--heartbeat-ms", "5"], "5 is not in the range 10<=x<=60000"),
        ('[source]\ndialect = "chroma"\n', [], "source.dialect = 'chroma' marks no step"),
        ('[board]\nkind = "fpga"\n', [], "board.kind = 'fpga'"),
    ],
)
def test_what_cannot_be_served_is_refused(station, options, named, tmp_path):
    (tmp_path / "station.toml").write_text(station)
    ran = CliRunner().invoke(main, ["rig", "serve", str(tmp_path / "station.toml"), "--once", *options])
    assert ran.exit_code == 2, ran.output
    assert named in ran.output


@pytest.mark.parametrize(
    ("rig", "named"),
    [
        ("tcp://127.0.0.1", "board.rig = 'tcp://127.0.0.1', expected tcp://HOST:PORT"),
        ("b1=tcp://127.0.0.1:7000", "no table with id = 'b1'"),
    ],
)
def test_the_option_names_a_rig_for_a_board(rig, named, tmp_path):
    words = ["run", "feeder_fault", "--out", str(tmp_path / "run"), "--rig", rig]
    ran = CliRunner().invoke(main, [*words, "--set", 'boards=[{id="a"}]'] if "=" in rig else words)
    assert ran.exit_code == 2, ran.output
    assert named in ran.output


def test_a_board_on_a_served_rig_has_its_adapter_from_there(tmp_path):
    words = ["run", "feeder_fault", "--rig", "tcp://127.0.0.1:7000", "--set", "board.adapter=model"]
    ran = CliRunner().invoke(main, [*words, "--out", str(tmp_path / "run")])
    assert ran.exit_code == 2, ran.output
    assert "board.adapter = 'model' with board.rig, expected in the station file of that rig" in ran.output
