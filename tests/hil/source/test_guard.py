"""The supervising process: whatever dies, and whenever, the output is off shortly after."""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import msgspec
import pytest

from hil.source.dialects import open_source, simulate
from hil.source.guard import GuardedSource, Reply, Request, Setup
from hil.source.program import Step, interruption
from hil.source.server import SourceServer
from hil.source.simulated import SimulatedSource
from hil.source.supervisor import Interlock, Supervisor
from teiden.errors import InputError, MissingPart, PartFailed

LIMITS = {"current_limit_a": 5, "voltage_limit_v": 120}

# what a user's process does: switch on, then play programs until it is killed
USER = """
import sys
from hil.source.guard import GuardedSource
from hil.source.program import interruption
with GuardedSource(sys.argv[1], "681x", 5, silence_s=float(sys.argv[2])) as source:
    source.energise(100, 50, current_limit_a=5, voltage_limit_v=120)
    print("on", flush=True)
    while True:
        source.arm(interruption(100, 50, 40, 0.1))
        source.fire()
        source.abort()
"""


@pytest.fixture
def sim():
    return simulate("681x", 1)


@pytest.fixture
def server(sim):
    with SourceServer(sim) as server:
        yield server


def becomes_off(sim):
    """Wait for the output to be off; the limit is only there to end a failing test."""
    until = time.monotonic() + 20
    while sim.output_on and time.monotonic() < until:
        time.sleep(0.01)
    return not sim.output_on


def hear_ctrl_c() -> None:
    """Undo what a shell does to jobs in the background, where it may have started these tests."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize(
    ("how", "seed"), [(signal.SIGKILL, 1), (signal.SIGKILL, 2), (signal.SIGINT, 3), (signal.SIGSTOP, 4)]
)
def test_a_user_process_ended_at_a_random_point_leaves_the_output_off(sim, server, how, seed):
    rng = random.Random(seed)
    silence_s = 0.5 if how == signal.SIGSTOP else 10
    user = subprocess.Popen(
        [sys.executable, "-c", USER, server.resource_name, str(silence_s)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=hear_ctrl_c,
    )
    with user:
        assert user.stdout.readline() == "on\n"
        assert sim.output_on
        time.sleep(rng.uniform(0, 0.15))
        user.send_signal(how)
        try:
            assert becomes_off(sim)
        finally:
            user.kill()


def test_a_killed_supervisor_is_seen_and_the_output_switched_off(sim, server):
    source = GuardedSource(server.resource_name, "681x", 5)
    source.energise(100, 50, **LIMITS)
    assert sim.output_on
    os.kill(source.supervisor_pid, signal.SIGKILL)
    assert becomes_off(sim)
    with pytest.raises(PartFailed, match=r"not connected|switched off from this process"):
        source.fire()
    source.close()


def test_a_cut_connection_does_not_keep_the_output_on(sim, server):
    with GuardedSource(server.resource_name, "681x", 5) as source:
        source.energise(100, 50, **LIMITS)
        server.drop_client()
        with pytest.raises(PartFailed, match="closed the connection"):
            source.fire()
        assert sim.output_on  # as on an instrument
    assert not sim.output_on


def test_the_interlock_and_the_end_of_the_block_switch_off(sim, server, tmp_path):
    interlock = tmp_path / "interlock"
    with GuardedSource(server.resource_name, "681x", 5, interlock=interlock) as source:
        with pytest.raises(PartFailed, match=r"output stays off: interlock .* expected a file that says closed"):
            source.energise(100, 50, **LIMITS)
        assert not sim.output_on
        interlock.write_text("closed\n")
        source.energise(100, 50, **LIMITS)
        assert source.output_enabled
        assert source.voltage_v == 100
        assert source.identity.startswith("TEIDEN")
        with pytest.raises(InputError, match="step 1: voltage_v = 400"):
            source.arm([Step(400, 50, 1)])
        source.arm(interruption(100, 50))
        source.fire()
        sim.play(2000, 8000)
        assert source.measure_voltage_v() == pytest.approx(0, abs=1e-3)
        source.check()
        interlock.unlink()
        assert becomes_off(sim)
        interlock.write_text("closed\n")
        with pytest.raises(PartFailed, match=r"stays off: .* \(seen while the output was on; connect again once"):
            source.output_enabled = True
        with pytest.raises(PartFailed, match="stays off"):
            source.energise(100, 50, **LIMITS)
        assert not source.output_enabled  # other questions are answered
    with GuardedSource(server.resource_name, "681x", 5, interlock=interlock) as source:
        source.energise(100, 50, **LIMITS)
        assert sim.output_on
    assert not sim.output_on


@pytest.mark.parametrize(
    ("path", "armed", "identity", "why"),
    [
        ("", False, "TEIDEN,SIMULATED 6812B,SIM0,1", ""),
        ("", True, "KIKUSUI,PCR2000LE,X,1", "needs an interlock file"),
        ("closed", False, "KIKUSUI,PCR2000LE,X,1", "give armed=True"),
        ("closed", True, "KIKUSUI,PCR2000LE,X,1", ""),
        ("open", True, "KIKUSUI,PCR2000LE,X,1", 'says "open", expected closed'),
        ("none", True, "KIKUSUI,PCR2000LE,X,1", "No such file"),
    ],
)
def test_a_real_instrument_needs_consent_and_a_closed_interlock(tmp_path, path, armed, identity, why):
    for text in ("closed", "open"):
        (tmp_path / text).write_text(text)
    interlock = Interlock(str(tmp_path / path) if path else "", armed, identity)
    assert why in interlock.why_open()
    assert bool(why) == bool(interlock.why_open())


def test_nobody_there_is_a_missing_part():
    with pytest.raises(MissingPart, match="cannot connect"):
        GuardedSource("TCPIP::127.0.0.1::1::SOCKET", "681x")


def test_the_transcript_is_that_of_the_driver_itself():
    """Every message, those of a refused request and of the end included."""

    def talk(opened):
        with opened as source:
            source.energise(100, 50, **LIMITS)
            with pytest.raises(InputError):
                source.voltage_v = 1e6
            source.arm(interruption(100, 50, 40, 0.1))
            source.measure_voltage_v()

    said = []
    for kind in (open_source, GuardedSource):
        said.append([])
        with SourceServer(simulate("681x", 1)) as server:
            talk(kind(server.resource_name, "681x", transcript=lambda way, text: said[-1].append((way, text))))
    assert said[0] == said[1]
    assert said[0][-1] == ("read", "0")  # OUTP?, last of all


@pytest.mark.parametrize("asked", [True, False], ids=["before the answer", "with an answer unread"])
def test_a_user_that_is_killed_ends_the_supervisor_with_the_output_off(asked):
    """Its process is gone before or after it was answered: no error of the supervisor's."""
    simulated = simulate("681x")
    with SourceServer(simulated) as server:
        source = open_source(server.resource_name, "681x", 5)
        source.energise(100, 50, current_limit_a=5, voltage_limit_v=120)
        user, link = socket.socketpair()
        if asked:
            user.sendall(msgspec.json.encode(Request("get", "identity")) + b"\n")
        else:
            link.sendall(b"an answer\n")
        user.close()
        with link:
            Supervisor(link, Setup(server.resource_name, "681x", 5.0, 5.0, "", armed=False), source).run()
        assert not source.is_open
        with open_source(server.resource_name, "681x", 5) as seen:
            assert not seen.output_enabled


OWNER = """
import sys
import time
from pathlib import Path
from hil.source.guard import GuardedSource
from hil.source.server import SourceServer
from hil.source.simulated import SimulatedSource

class Source(SimulatedSource):
    def execute(self, message):
        reply = super().execute(message)
        return None if reply is None else reply.replace("TEIDEN,SIMULATED", sys.argv[1])

with SourceServer(Source(1)) as server, GuardedSource(
    server.resource_name, "681x", interlock=Path(sys.argv[2]), armed=True
) as source:
    source.energise(100, 50, current_limit_a=5, voltage_limit_v=120)
    print("on", flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize(
    ("maker", "said"),
    [("TEIDEN,SIMULATED", ""), ("KEYSIGHT,", "the output may still be on: source at .* cannot connect")],
)
def test_what_is_left_when_user_and_source_are_gone(maker, said, tmp_path):
    """A simulated source ends with its process, and so does its output; of an instrument that is not known."""
    (tmp_path / "interlock").write_text("closed")
    user = subprocess.Popen(
        [sys.executable, "-c", OWNER, maker, tmp_path / "interlock"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert user.stdout.readline() == "on\n"
    user.kill()
    _, errors = user.communicate(timeout=120)  # until the supervising process has closed its end too
    assert "Traceback" not in errors
    assert re.search(said, errors) if said else errors == ""


class Slow(SimulatedSource):
    """An instrument that takes its time for every message; keeps what it got."""

    got = ()

    def execute(self, message):
        time.sleep(0.1)
        self.got = (*self.got, message.decode())
        return super().execute(message)


def test_an_interlock_that_opens_in_the_middle_of_a_request_breaks_it_off(tmp_path):
    """Arming takes two seconds here; the interlock is looked at between its messages."""
    interlock = tmp_path / "interlock"
    interlock.write_text("closed")
    sim = Slow(1)
    with SourceServer(sim) as server, GuardedSource(server.resource_name, "681x", interlock=interlock) as source:
        source.energise(100, 50.0, **LIMITS)
        opening = threading.Timer(0.5, interlock.write_text, ["open"])
        opening.start()
        with pytest.raises(PartFailed, match=r"broken off, the output is switched off: interlock .* says"):
            source.arm(interruption(100, 50, 40, 0.1))
        assert becomes_off(sim)
        assert not any(message.startswith("INIT") for message in sim.got)


def test_an_interlock_seen_open_once_switches_off_even_if_it_is_closed_at_the_next_look(tmp_path, sim, server):
    """It opens for one look, in the middle of a request, and is closed again when that request has been broken off."""

    class Once(Interlock):
        opens = False

        def why_open(self):
            opened, Once.opens = Once.opens, False
            return "open for one look" if opened else ""

    supervisor, opening = None, ""

    def watch(way, text):
        Once.opens = text == opening
        if supervisor is not None:
            supervisor.watch(way)

    source = open_source(server.resource_name, "681x", 5, transcript=watch)
    user, link = socket.socketpair()
    with user, link:
        setup = Setup(server.resource_name, "681x", 5.0, 60.0, "", armed=False)
        supervisor = Supervisor(link, setup, source)
        supervisor._interlock = Once("", False, source.identity)
        serving = threading.Thread(target=supervisor.run)
        serving.start()

        def ask(request):
            user.sendall(msgspec.json.encode(request) + b"\n")
            return msgspec.json.decode(replies.readline(), type=Reply)

        with user.makefile("rb") as replies:
            energise = Request("call", "energise", limits={"voltage_v": 100, "frequency_hz": 50, **LIMITS})
            assert ask(energise).failed == ""
            assert sim.output_on
            opening = "SYST:ERR?"
            assert "broken off, the output is switched off: open for one look" in ask(Request("call", "check")).why
            assert becomes_off(sim)
            assert "output stays off: open for one look" in ask(energise).why
            assert not sim.output_on
            user.shutdown(socket.SHUT_WR)
            serving.join(20)
        assert not serving.is_alive()
