"""HiSLIP, faults on order and the link that stands them, through real PyVISA."""

from __future__ import annotations

import os
import re
import signal
import socket
import struct
import subprocess
import sys

import pytest

from hil.source.dialects import KINDS, open_source, simulate
from hil.source.faults import Fault, FaultScript, random_faults
from hil.source.hislip import HislipServer
from hil.source.link import ScpiLink
from hil.source.server import SourceServer
from teiden.errors import MissingPart, PartFailed

BOTH = pytest.mark.parametrize("kind", [SourceServer, HislipServer])


def faulty(kind, *faults, stale_s=0.5):
    return kind(simulate("681x", 1), faults=FaultScript([Fault(*fault) for fault in faults], stale_s))


@BOTH
@pytest.mark.parametrize("dialect", KINDS)
def test_every_dialect_speaks_over_both_transports(kind, dialect):
    sim = simulate(dialect, 1)
    with kind(sim) as server, open_source(server.resource_name, dialect, 5) as source:
        source.energise(100, 50, current_limit_a=5, voltage_limit_v=120)
        assert sim.output_on
        assert source.frequency_hz == 50
    assert not sim.output_on


@BOTH
def test_nagle_is_off_where_the_messages_go(kind):
    with kind(simulate("681x")) as server:
        link = ScpiLink(server.resource_name)
        assert link._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        link.close()


@BOTH
def test_second_client_is_refused(kind):
    with kind(simulate("681x")) as server:
        link = ScpiLink(server.resource_name)
        with pytest.raises(MissingPart, match="cannot connect"):
            ScpiLink(server.resource_name)
        link.close()
        ScpiLink(server.resource_name).close()


@BOTH
def test_a_reply_later_than_the_probe_never_answers_the_next_question(kind):
    # message 0 is the probe; two time-outs are far shorter than the delay, however loaded the machine
    with faulty(kind, (1, "stale"), stale_s=2) as server:
        link = ScpiLink(server.resource_name, timeout_s=0.3)
        with pytest.raises(PartFailed, match=r'no reply to "VOLT\?" in 0\.3 s'):
            link.query("VOLT?")
        if kind is HislipServer:  # a device clear ends the wait
            assert link.query("FREQ?") == "+6.000000E+01"
        else:  # the probe got no reply in time either
            with pytest.raises(PartFailed, match="not connected any more"):
                link.query("FREQ?")
        link.close()


@BOTH
def test_link_is_back_in_step_after_a_late_reply(kind):
    with faulty(kind, (1, "stale"), stale_s=1.2) as server:
        link = ScpiLink(server.resource_name, timeout_s=1)
        with pytest.raises(PartFailed, match="it answers again"):
            link.query("VOLT?")
        assert link.query("FREQ?") == "+6.000000E+01"
        link.close()


@BOTH
def test_a_cut_connection_is_named_as_one(kind):
    with faulty(kind, (1, "drop")) as server:
        link = ScpiLink(server.resource_name, timeout_s=5)
        with pytest.raises(PartFailed, match=r'closed the connection at "VOLT\?"; was the source switched off'):
            link.query("VOLT?")
        assert not link.is_open


def test_an_overflow_of_the_error_queue_is_read_to_its_end():
    with faulty(SourceServer, (2, "overflow")) as server, open_source(server.resource_name, "681x", 5) as source:
        with pytest.raises(PartFailed, match=r'-363,"Input buffer overrun".*-350,"Queue overflow"'):
            source.voltage_v = 100
        assert source.errors() == []


def test_a_trip_in_mid_program_opens_the_output_until_it_is_cleared():
    sim = simulate("681x", 1)
    with SourceServer(sim) as server, open_source(server.resource_name, "681x", 5) as source:
        source.energise(100, 50, current_limit_a=5, voltage_limit_v=120)
        sim.play(8000, 8000)
        sim.trip("over-current", 50_000_000)
        volts = sim.play(8000, 8000).volts
        # nothing is left 1 ms (33 time constants of 30 us) after the trip; before it the supply is whole
        assert abs(volts[:400]).max() == pytest.approx(141.42, abs=0.01)
        assert abs(volts[408:]).max() < 1e-6
        assert sim.tripped == "over-current"
        assert not source.output_enabled
        with pytest.raises(PartFailed, match="-221"):
            source.output_enabled = True
        source.command("OUTP:PROT:CLE")
        source.output_enabled = True
        assert sim.output_on


def test_same_seed_same_faults():
    faults = random_faults(7, 40, 1000)
    assert faults == random_faults(7, 40, 1000) != random_faults(8, 40, 1000)
    assert len({fault.message for fault in faults}) == 40


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 1),  # poorly formed header: IVI-6.1, table 14
        (struct.pack("!2sBBIQ", b"HS", 0, 0, 0, 1 << 40), 1),
        (struct.pack("!2sBBIQ", b"HS", 17, 0, 99, 0), 2),  # asynchronous channel of no session
        (struct.pack("!2sBBIQ", b"HS", 6, 0, 0, 0), 2),  # data before Initialize
    ],
)
def test_a_malformed_hislip_message_is_a_fatal_error(sent, code):
    with (
        HislipServer(simulate("681x")) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=5) as client,
    ):
        client.sendall(sent)
        head = client.recv(16)
        assert head[:4] == bytes([*b"HS", 2, code])


def test_serial_poll_sees_the_error_queue():
    with HislipServer(simulate("681x")) as server:
        link = ScpiLink(server.resource_name)
        assert link._session.read_stb() == 0
        link._session.write("NONSENSE")
        assert link.query("*OPC?") == "1"
        assert link._session.read_stb() == 4  # error available: IEEE 488.2
        link.close()


@BOTH
def test_a_client_that_goes_as_the_server_ends_is_no_failure(kind):
    for _ in range(20):  # more than half of them failed when it was one
        with kind(simulate("681x")) as server, socket.create_connection(("127.0.0.1", server.port)) as client:
            client.sendall(b"*IDN?\n")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closes with a reset


def hear_ctrl_c() -> None:
    """Undo what a shell does to jobs in the background, where it may have started these tests."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_the_command_line_runs_a_source_until_interrupted():
    command = [sys.executable, "-m", "hil.cli", "rig", "source", "--dialect", "kikusui-le", "--load-w", "10"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=hear_ctrl_c
    ) as process:
        try:
            name = process.stdout.readline().strip()
            assert re.fullmatch(r"TCPIP::127\.0\.0\.1::\d+::SOCKET", name)
            with open_source(name, "kikusui-le", 5) as source:
                source.energise(100, 50, current_limit_a=5, voltage_limit_v=120)
                assert source.output_enabled
            os.kill(process.pid, signal.SIGINT)
            _, said = process.communicate(timeout=20)
        finally:
            process.kill()
        assert process.returncode == 0
        assert said == "teiden: source ended\n"
