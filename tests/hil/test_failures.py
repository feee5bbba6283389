"""Things break: a clear error within seconds, nothing orphaned, nothing half written that looks whole."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from functools import partial

import psutil
import pytest
from click.testing import CliRunner

from hil.cli import main
from hil.process import RigProcess
from hil.run import run_scenario
from hil.source.server import SourceServer
from hil.source.simulated import SimulatedSource
from teiden.errors import InputError, MissingPart, PartFailed
from twin import wire
from twin.link.keys import make_keys
from twin.link.lockstep import Lockstep
from twin.link.twin_end import TwinEnd

LONG = ("time.duration_s=600",)  # a minute of wall time: nothing here waits for its end


CONFIGURE = partial(
    wire.Configure, meter=1, key=bytes(16), seed=1, nominal_v=100.0, nominal_hz=50, point_on_wave_deg=90.0,
    source_port=0, clocks_per_sample=64, declare_ns=0, window_ns=0, confirm_return_ns=0, notice_window_ns=0,
    handoff_ns=20_000_000, answer_ns=60_000_000, holdup_nj=10**9, listen_nw=10**8, sends_notices=True, credits=64,
    real_time=False,
)  # fmt: skip


def wait_until(condition, what, limit_s=300.0):
    """Wait; the limit only ends a failing test, and a busy machine may take a minute to get a run under way."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def under_way(partial_folder):
    """Has the run passed a checkpoint, that is: do its parts exchange windows?"""
    checkpoints = partial_folder / "checkpoints.jsonl"
    return checkpoints.exists() and checkpoints.read_text().endswith("\n")


def run_and_hurt(scenario, place, hurt):
    """Run; once the run is under way, do something to the rig's process."""

    def hurt_when_under_way(pid):
        wait_until(lambda: under_way(place.parent / f"{place.name}.partial"), "no checkpoint")
        hurt(pid)

    def start(endpoint, log, **options):
        process = RigProcess(endpoint, log, **options)
        threading.Thread(target=hurt_when_under_way, args=(process.pid,), daemon=True).start()
        pids.append(process.pid)
        return process

    pids = []
    try:
        run_scenario(scenario, place, rig=start)
    finally:
        assert not psutil.pid_exists(pids[0])
        manifest = json.loads((place.parent / f"{place.name}.partial" / "run.json").read_text())
        assert manifest["status"] == "incomplete"
        assert not place.exists()


def test_a_killed_rig_is_named(make_small, tmp_path):
    with pytest.raises(PartFailed, match="killed by SIGKILL while the twin waited for window"):
        run_and_hurt(make_small(*LONG), tmp_path / "run", lambda pid: os.kill(pid, signal.SIGKILL))


def test_a_frozen_rig_is_noticed(make_small, tmp_path):
    frozen_s = []

    def freeze(pid):
        os.kill(pid, signal.SIGSTOP)
        frozen_s.append(time.monotonic())

    with pytest.raises(PartFailed, match=r"connection lost or frozen|no window"):
        run_and_hurt(make_small(*LONG), tmp_path / "run", freeze)
    assert time.monotonic() - frozen_s[0] < 60  # a hang, not a speed


def test_a_source_that_drops_its_connection_is_named(make_small, tmp_path):
    """The rig runs with a server that cuts the SCPI connection before the fault is commanded."""
    script = tmp_path / "rig_with_failing_source.py"
    script.write_text(
        "import sys\n"
        "from hil import rig\n"
        "class Failing(rig.Wiring):\n"
        "    def run(self, n):\n"
        "        if 16000 <= self.samples < 16000 + n:\n"
        "            server.drop_client()\n"
        "        return super().run(n)\n"
        "class Server(rig.SourceServer):\n"
        "    def __enter__(self):\n"
        "        global server\n"
        "        server = self\n"
        "        return super().__enter__()\n"
        "rig.Wiring, rig.SourceServer = Failing, Server\n"
        "sys.exit(rig.main(sys.argv[1:]))\n"
    )
    with pytest.raises(PartFailed, match="closed the connection"):
        run_scenario(make_small(), tmp_path / "run", rig=partial(RigProcess, program=(str(script),)))
    assert not (tmp_path / "run").exists()


def test_a_rig_that_cannot_start_says_why(make_small, tmp_path):
    script = tmp_path / "broken.py"
    script.write_text("raise SystemExit('no such board')\n")
    with pytest.raises(PartFailed, match=r"ended with code 1 \(no such board\) while the twin waited for hello"):
        run_scenario(make_small(), tmp_path / "run", rig=partial(RigProcess, program=(str(script),)))


def test_busy_ports_are_named(make_small, tmp_path):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(MissingPart, match=rf"link.port = {port}: Address already in use .*choose another"):
            run_scenario(make_small(f"link.port={port}"), tmp_path / "a")
        with pytest.raises(MissingPart, match=rf"simulated source at 127.0.0.1:{port}: cannot listen"):
            run_scenario(make_small(f"source.port={port}"), tmp_path / "b")


RIG_ON_ANOTHER_SOURCE = """
import sys
from hil import rig
class Elsewhere:
    resource_name = {name!r}
    def __init__(self, simulated, port):
        pass
    def __enter__(self):
        return self
    def __exit__(self, *_):
        pass
rig.SourceServer = Elsewhere
sys.exit(rig.main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    "hurt",
    [
        lambda rig, end: rig.kill(),
        lambda rig, end: rig.terminate(),
        lambda rig, end: rig.suspend(),
        lambda rig, end: end.close(),
        lambda rig, end: end.send(wire.Failed("the twin gives up")),
        lambda rig, end: end.send(wire.Stop()),
    ],
    ids=["killed", "terminated", "frozen", "left", "failed", "stopped"],
)
def test_the_output_is_off_however_the_rig_ends(hurt, tmp_path):
    """The rig's source stands outside its process, as a real one does; nobody plays it, as nothing needs that."""
    simulated = SimulatedSource(1)
    script = tmp_path / "rig.py"
    with SourceServer(simulated) as server:
        script.write_text(RIG_ON_ANOTHER_SOURCE.format(name=server.resource_name))
        end = TwinEnd()
        process = RigProcess(end.endpoint, tmp_path / "log", (str(script),))
        end.alive = process.ended
        try:
            Lockstep(end, 20.0).start(CONFIGURE(telemetry_port=end.telemetry.port), 120.0)
            assert simulated.output_on
            hurt(psutil.Process(process.pid), end)
            wait_until(lambda: not simulated.output_on, "the output stays on", limit_s=30.0)
        finally:
            end.close()
            process.__exit__()


@pytest.mark.slow
def test_a_run_over_curve_is_the_same_run(make_small, tmp_path):
    make_keys(tmp_path / "keys")
    short = ("time.duration_s=6",)
    plain = run_scenario(make_small(*short), tmp_path / "plain")
    curve = run_scenario(make_small(*short, f"link.keys={tmp_path}/keys"), tmp_path / "curve")
    assert curve.manifest["digest"] == plain.manifest["digest"]
    (tmp_path / "keys" / "twin.key_secret").chmod(0o644)
    with pytest.raises(InputError, match="open to others"):
        run_scenario(make_small(*short, f"link.keys={tmp_path}/keys"), tmp_path / "open")


def test_a_link_for_other_machines_needs_keys(make_small, tmp_path):
    with pytest.raises(InputError, match=r"link.address = 0.0.0.0 is not loopback, expected link.keys"):
        run_scenario(make_small("link.address=0.0.0.0"), tmp_path / "run")


def hear_ctrl_c():
    """Undo what a shell does to jobs in the background, where it may have started these tests."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def teiden(*arguments):
    command = [sys.executable, "-m", "hil.cli", *arguments]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=hear_ctrl_c)


def lives(process):
    """Does it run? What has ended stays as a zombie for as long as nobody waits for orphans."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def start_run(folder, *more):
    """Start a run of the command line that is well under way."""
    settings = ["name=small", "population.meters=1000", "time.duration_s=40", "fault.at_s=3", "fault.isolate_s=10"]
    settings += ["fault.tie_s=20", *more]
    changes = [word for setting in settings for word in ("--set", setting)]
    process = teiden("run", "feeder_fault", "--out", str(folder / "run"), *changes)
    try:
        wait_until(lambda: under_way(folder / "run.partial") or process.poll() is not None, "no checkpoint")
    except BaseException:
        process.kill()
        raise
    return process, changes


def test_a_killed_run_leaves_no_orphan_and_resumes_to_the_same_result(tmp_path):
    process, changes = start_run(tmp_path)
    children = psutil.Process(process.pid).children(recursive=True)
    assert children, "the rig runs as a child"
    process.kill()
    process.wait()
    wait_until(lambda: not any(lives(child) for child in children), "an orphan lives on")
    partial_folder = tmp_path / "run.partial"
    assert json.loads((partial_folder / "run.json").read_text())["status"] == "incomplete"
    shown = CliRunner().invoke(main, ["report", str(partial_folder)])
    assert shown.exit_code == 2
    assert "incomplete" in shown.output

    runner = CliRunner()
    again = ["run", "feeder_fault", "--out", str(tmp_path / "run"), "--resume", *changes]
    other = runner.invoke(main, [*again, "--seed", "9"])
    assert other.exit_code == 2
    assert "another seed" in other.output
    resumed = runner.invoke(main, again)
    assert resumed.exit_code == 0, resumed.output
    manifest = json.loads((tmp_path / "run" / "run.json").read_text())
    assert any(flag.startswith("resumed") for flag in manifest["flags"])
    clean = runner.invoke(main, ["run", "feeder_fault", "--out", str(tmp_path / "clean"), *changes])
    assert clean.exit_code == 0
    assert json.loads((tmp_path / "clean" / "run.json").read_text())["digest"] == manifest["digest"]


def test_a_twin_that_freezes_ends_its_rig(tmp_path):
    process, _ = start_run(tmp_path)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGSTOP)
    try:
        wait_until(lambda: not any(lives(child) for child in children), "the rig waits for ever", limit_s=60.0)
    finally:
        process.kill()
        process.wait()
    log = (tmp_path / "run.partial" / "rig.log").read_text()
    assert re.search(r"rig: twin \(running\): connection lost or frozen \(.* link.heartbeat_ms = 100", log), log


def test_a_resumed_run_that_differs_is_refused(tmp_path):
    process, changes = start_run(tmp_path)
    process.kill()
    process.wait()
    file = tmp_path / "run.partial" / "checkpoints.jsonl"
    t_ns, digest = json.loads(file.read_text().splitlines()[0])
    file.write_text(json.dumps([t_ns, "0" + digest[1:] if digest[0] != "0" else "1" + digest[1:]]) + "\n")
    resumed = CliRunner().invoke(main, ["run", "feeder_fault", "--out", str(tmp_path / "run"), "--resume", *changes])
    assert resumed.exit_code == 3
    assert "start again without --resume" in resumed.output


def test_a_run_in_real_time_does_not_resume_and_the_interrupted_one_stays(tmp_path):
    partial_folder = tmp_path / "run.partial"
    partial_folder.mkdir()
    (partial_folder / "run.json").write_text("{}")
    words = ["run", "feeder_fault", "--out", str(tmp_path / "run"), "--set", "link.mode=real-time", "--resume"]
    refused = CliRunner().invoke(main, words)
    assert refused.exit_code == 2
    assert 'resume with link.mode = "real-time", expected a run in lockstep' in refused.output
    assert [file.name for file in tmp_path.rglob("*")] == ["run.partial", "run.json"]


def test_ctrl_c_ends_everything_with_one_line(tmp_path):
    process, _ = start_run(tmp_path)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted" in errors
    assert "Traceback" not in errors
    assert not any(lives(child) for child in children)


def test_two_runs_do_not_share_a_folder(tmp_path):
    process, changes = start_run(tmp_path)
    second = CliRunner().invoke(main, ["run", "feeder_fault", "--out", str(tmp_path / "run"), *changes])
    process.kill()
    process.wait()
    assert second.exit_code == 2
    assert "another run is filling it now" in second.output
