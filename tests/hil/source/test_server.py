"""The server as a raw TCP client sees it."""

from __future__ import annotations

import socket

import numpy as np
import pytest

from hil.source.server import SourceServer
from hil.source.simulated import SimulatedSource
from teiden.errors import MissingPart


@pytest.fixture
def client(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        yield connection


def ask(connection, message):
    connection.sendall(message)
    return connection.makefile("rb").readline()


def test_a_query_is_answered_with_a_line(client):
    assert ask(client, b"*IDN?\n") == b"TEIDEN,SIMULATED 6812B,SIM1,1\n"


def test_messages_may_come_in_pieces_and_in_heaps(client):
    for piece in (b"VO", b"LT 10", b"0\nVOLT?\nFREQ?", b"\n"):
        client.sendall(piece)
    lines = client.makefile("rb")
    assert [lines.readline(), lines.readline()] == [b"+1.000000E+02\n", b"+6.000000E+01\n"]


def test_cr_is_no_terminator(client):
    assert ask(client, b"VOLT 1\rVOLT?\n;SYST:ERR?\n") == b'-104,"Data type error"\n'


def test_a_second_client_is_closed_and_the_first_keeps_working(server, client):
    assert ask(client, b"*OPC?\n") == b"1\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as second:
        assert second.recv(100) == b""
    assert ask(client, b"*OPC?\n") == b"1\n"


def test_the_next_client_is_served_after_the_first_has_gone(server):
    for _ in range(30):
        with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
            assert ask(connection, b"*OPC?\n") == b"1\n"


def test_an_over_long_line_is_an_error_and_the_next_line_counts(client):
    client.sendall(b"VOLT 1" + b"0" * 50_000)
    client.sendall(b"\n")
    assert ask(client, b"SYST:ERR?\n") == b'-363,"Input buffer overrun"\n'
    assert ask(client, b"SYST:ERR?;VERS?\n") == b'+0,"No error";1990.0\n'


def test_garbage_is_queued_as_errors(client):
    rng = np.random.default_rng(20260101)
    for _ in range(50):
        client.sendall(rng.bytes(int(rng.integers(1, 300))))
    client.sendall(b"\n*CLS\n")
    assert ask(client, b"*IDN?\n").startswith(b"TEIDEN")


def test_a_dropped_client_can_come_back_and_the_output_stayed_on(sim, server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as first:
        assert ask(first, b"OUTP ON;*OPC?\n") == b"1\n"
        server.drop_client()
        assert first.recv(1) == b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as again:
        assert ask(again, b"OUTP?\n") == b"1\n"
    assert sim.output_on


def test_a_busy_port_is_named_with_what_to_do(server):
    busy = SourceServer(SimulatedSource(), port=server.port)
    with pytest.raises(MissingPart, match=rf"127\.0\.0\.1:{server.port}: cannot listen .* port 0"), busy:
        pass


def test_commands_are_only_taken_between_blocks(sim, client):
    """A message that comes while a block is played waits for its end: the block is whole."""
    with sim.lock:
        client.sendall(b"VOLT 100;FREQ 50;:OUTP ON;*OPC?\n")
        assert np.all(sim.play(80_000, 8000).volts == 0)
    assert client.recv(10) == b"1\n"
    assert np.any(sim.play(800, 8000).volts != 0)
