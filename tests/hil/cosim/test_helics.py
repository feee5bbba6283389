"""The twin as a HELICS federate; a second federate, in a process of its own, gives the fault."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from hil.cli import main
from hil.cosim.core import opened
from hil.cosim.helics import Federation, take_part
from hil.run import Finished
from teiden.errors import PartFailed
from twin.study.folder import read_json

pytest.importorskip("helics", reason="HELICS is not installed (pip install 'teiden[helics]')")

GRID = Path(__file__).with_name("helics_grid.py")
PATIENCE_S = 60


def free_port():
    """Return a port that nothing listens at; HELICS takes it and the next one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def broker():
    """Give a broker of two federates, as a process, and its address."""
    port = free_port()
    program = Path(sys.executable).with_name("helics_broker")
    process = subprocess.Popen([program, "--federates=2", f"--port={port}"], stdout=subprocess.DEVNULL)
    yield process, f"tcp://127.0.0.1:{port}"
    process.kill()
    process.wait()


@pytest.fixture
def start_grid(broker, tmp_path):
    """Give what starts the grid with its moves."""
    started = []

    def start(moves):
        file = tmp_path / "moves.json"
        file.write_text(json.dumps(moves))
        started.append(subprocess.Popen([sys.executable, GRID, broker[1], file], stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_federate_leaves_the_native_runs_tables(broker, start_grid, small_cosim, giver, same_events, tmp_path):
    grid = start_grid(giver.moves)
    with opened(small_cosim, tmp_path / "small", 1.0, "HELICS") as twin:
        done = take_part(twin, Federation(broker=broker[1], timeout_s=PATIENCE_S, meters=("M0000042",)))
    heard = json.loads(grid.communicate(timeout=PATIENCE_S)[0])
    same_events(done)
    assert set(done.manifest["wall_of_cosim_s"]) == {"twin", "exchange", "waiting"}
    # the grid leaves at its last move; up to there it heard each change of belief, just after the step that told it
    told = [json.loads(line)["outputs"] for line in (done.folder / "exchange.jsonl").read_text().splitlines()]
    told = [(row["t_s"], row["meters_believed_out"]) for row in told if row["t_s"] < giver.moves[-1][0] / 1e9]
    changed = [new for old, new in zip([(0, None), *told], told, strict=False) if new[1] != old[1]]
    assert max(count for _, count in changed) > 10
    assert [(round(t_s, 6), count) for t_s, count in heard] == changed


def test_resume_reaches_the_core(broker, start_grid, changes, giver, to_resume, resumed_alike):
    start_grid(giver.moves)
    words = ["cosim", "helics", "feeder_fault", "--out", str(to_resume), "--broker", broker[1], "--resume"]
    words += ["--timeout-s", str(PATIENCE_S), *(word for change in changes for word in ("--set", change))]
    ran = CliRunner().invoke(main, words)
    assert ran.exit_code == 0, ran.output
    resumed_alike(Finished(to_resume, read_json(to_resume / "summary.json"), read_json(to_resume / "run.json")))


def test_a_broker_that_ends_is_a_failed_part(broker, start_grid, small_cosim, tmp_path):
    start_grid([(23_000_000_000, {"stage": "late"})])
    with opened(small_cosim, tmp_path / "small", 0.01, "HELICS") as twin:
        step = twin.step

        def step_and_kill(t_ns, inputs):
            if t_ns > 1_000_000_000:
                broker[0].kill()
            return step(t_ns, inputs)

        twin.step = step_and_kill
        with pytest.raises(PartFailed, match=r"HELICS"):
            take_part(twin, Federation(broker=broker[1], timeout_s=2))
    assert (tmp_path / "small.partial").is_dir()


def test_a_federate_without_a_broker_ends_within_its_time_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    port = free_port()
    arguments = ["cosim", "helics", "feeder_fault", "--broker", f"tcp://127.0.0.1:{port}", "--timeout-s", "0.3"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 3
    assert f"no HELICS broker at tcp://127.0.0.1:{port} within 0.3 s" in result.output
    assert not list(tmp_path.iterdir())  # nothing was begun


def test_a_broker_address_that_is_none_is_bad_input():
    result = CliRunner().invoke(main, ["cosim", "helics", "feeder_fault", "--broker", "localhost"])
    assert result.exit_code == 2
    assert "broker 'localhost', expected tcp://HOST:PORT" in result.output
