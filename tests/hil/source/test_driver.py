"""The driver through real PyVISA and TCP: what it sends, what it makes of replies, silence and lost connections."""

from __future__ import annotations

import math
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from hil.source.driver import AcSource681x
from hil.source.instrument import KEYSIGHT_6812B
from hil.source.interface import AcSource
from hil.source.link import ScpiLink, error_number
from hil.source.program import Program, Step, interruption, supply_return
from hil.source.server import SourceServer
from hil.source.simulated import SimulatedSource
from teiden.errors import InputError, MissingPart, PartFailed

RATE = 8000


def rms(volts):
    return math.sqrt(np.mean(volts**2))


@pytest.fixture
def spoken():
    return []


@pytest.fixture
def talk(server, spoken):
    """A driver and what has been said since it connected."""
    with AcSource681x(server.resource_name, transcript=lambda *entry: spoken.append(entry)) as source:
        spoken.clear()
        yield source


OK = ("read", '+0,"No error"')


@pytest.mark.parametrize(
    ("name", "value", "set_by", "asked_by", "reply"),
    [
        ("voltage_v", 100, "VOLT 100.0", "VOLT?", "+1.000000E+02"),
        ("frequency_hz", 50.5, "FREQ 50.5", "FREQ?", "+5.050000E+01"),
        ("current_limit_a", 2.5, "CURR 2.5", "CURR?", "+2.500000E+00"),
        ("output_enabled", True, "OUTP ON", "OUTP?", "1"),
    ],
)
def test_property_is_one_message_each_way(talk, spoken, name, value, set_by, asked_by, reply):
    setattr(talk, name, value)
    assert getattr(talk, name) == value
    assert spoken == [("write", f"{set_by};:SYST:ERR?"), OK, ("write", asked_by), ("read", reply)]


def test_phase_sync_is_an_angle_or_none(talk):
    assert talk.phase_sync_deg is None
    talk.phase_sync_deg = 135
    assert talk.phase_sync_deg == 135
    talk.phase_sync_deg = None
    assert talk.phase_sync_deg is None


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("voltage_v", 301, "voltage_v = 301, expected 0 to 300 V"),
        ("voltage_v", math.nan, "voltage_v = nan"),
        ("frequency_hz", 44, "frequency_hz = 44, expected 45 to 1000 Hz"),
        ("current_limit_a", 7, "current_limit_a = 7, expected 0 to 6.5 A"),
        ("phase_sync_deg", -1, "phase_sync_deg = -1, expected 0 to 360 degrees"),
    ],
)
def test_what_is_out_of_limits_is_not_sent(talk, spoken, name, value, said):
    with pytest.raises(InputError, match=said):
        setattr(talk, name, value)
    assert spoken == []


def test_arming_sends_the_lists(talk, spoken):
    talk.arm(Program((Step(30, 50, 0.08, trigger_out=True), Step(0, 50, None)), 90))
    talk.fire()
    sent = [text.removesuffix(";:SYST:ERR?") for direction, text in spoken if direction == "write"]
    assert sent == [
        "ABOR",
        "TRIG:SYNC:PHAS 90.0",
        "TRIG:SYNC:SOUR PHAS",
        "VOLT:MODE LIST",
        "FREQ:MODE LIST",
        "PHAS:MODE FIX",
        "VOLT:SLEW:MODE LIST",
        "LIST:VOLT 30.0,0.0",
        "LIST:VOLT:SLEW 9.9e+37,9.9e+37",
        "LIST:FREQ 50.0,50.0",
        "LIST:DWEL 0.08,429497.0",
        "LIST:TTLT ON,OFF",
        "LIST:COUN 1",
        "LIST:STEP AUTO",
        "OUTP:TTLT:SOUR LIST",
        "OUTP:TTLT ON",
        "TRIG:TRAN:DEL 0",
        "TRIG:TRAN:SOUR BUS",
        "INIT:SEQ1",
        "STAT:OPER:COND?",
        "*TRG",
    ]


def test_a_bad_program_is_refused_before_anything_is_sent(talk, spoken):
    with pytest.raises(InputError, match="step 2: voltage_v = 400, expected 0 to 300 V"):
        talk.arm([Step(100, 50, 1), Step(400, 50, 1)])
    assert spoken == []


def test_a_program_too_long_for_a_message_is_refused(server):
    short = replace(KEYSIGHT_6812B, line_chars=128)
    with AcSource681x(server.resource_name, instrument=short) as source:
        source.arm([Step(100, 50, 1)] * 12)
        # "LIST:VOLT " 10, thirteen times "9.9e+37" with commas 103 after ":SLEW" 5, ";:SYST:ERR?" 11
        with pytest.raises(InputError, match="LIST:VOLT:SLEW takes 129 characters, expected at most 128; use fewer"):
            source.arm([Step(100, 50, 1)] * 13)


def test_identity_and_an_empty_error_queue(driver):
    assert driver.identity == "TEIDEN,SIMULATED 6812B,SIM1,1"
    assert driver.errors() == []
    driver.check()


def test_the_driver_is_an_ac_source(driver):
    source: AcSource = driver
    assert source.identity


def test_a_refused_command_is_named_with_the_errors_of_the_source(sim, driver):
    sim.execute(b"VOLT:RANG 150")
    with pytest.raises(PartFailed, match=r'refused "VOLT 200\.0": -222,"Data out of range"'):
        driver.voltage_v = 200
    assert driver.errors() == []


def test_firing_what_is_not_armed_is_refused(driver):
    with pytest.raises(PartFailed, match=r'"\*TRG": -211,"Trigger ignored"'):
        driver.fire()


def test_check_raises_what_was_queued_behind_its_back(sim, driver):
    sim.execute(b"BLAH")
    sim.execute(b"VOLT 999")
    with pytest.raises(PartFailed, match=r'-113,"Undefined header"; -222,"Data out of range"'):
        driver.check()
    driver.check()


def test_measurements(sim, driver):
    assert math.isnan(driver.measure_voltage_v())
    driver.voltage_v, driver.frequency_hz, driver.output_enabled = 100, 60, True
    sim.play(RATE, RATE)
    assert driver.measure_voltage_v() == pytest.approx(100, rel=2e-4)  # side lobes of the read-back's window
    assert driver.measure_frequency_hz() == pytest.approx(60, rel=1e-5)


@pytest.mark.parametrize("angle_deg", [0, 45, 90, 135])
def test_interruption_and_return_in_lockstep(sim, driver, angle_deg):
    driver.voltage_v, driver.frequency_hz, driver.output_enabled = 100, 50, True
    sim.play(RATE, RATE)
    driver.arm(interruption(100, 50, 30, 0.08, angle_deg))
    driver.fire()
    began_ns = sim.now_ns
    fault = sim.play(RATE, RATE)
    dip_ns, trip_ns = fault.trigger_edges
    assert trip_ns - dip_ns == 80_000_000
    assert 0 < dip_ns - began_ns < 30_000_000  # latencies of 22 commands, at most 0.3 ms each, and one cycle
    first_dip = -(-(dip_ns - began_ns) // 125_000)
    assert rms(fault.volts[first_dip : first_dip + 480]) == pytest.approx(30, abs=3)  # begins with the fall
    trip = -(-(trip_ns - began_ns) // 125_000)
    assert np.all(fault.volts[trip + 8 :] == 0)  # 24 time constants of 30 us are 6 samples
    driver.arm(supply_return(100, 50, angle_deg))
    assert np.all(sim.play(8 * RATE, RATE).volts == 0)  # armed is not fired: the hold goes on
    driver.fire()
    back = sim.play(RATE, RATE)
    (return_ns,) = back.trigger_edges
    assert rms(back.volts[-800:]) == pytest.approx(100, rel=1e-6)
    # the reference runs on through the outage: fault and return are whole cycles apart, to the DDS update of 1 us
    assert (return_ns - dip_ns) % 20_000_000 in (0, 1000, 20_000_000 - 1000)
    assert driver.errors() == []


def test_after_a_hold_a_set_voltage_is_the_next_command(sim, driver):
    driver.voltage_v, driver.frequency_hz, driver.output_enabled = 100, 50, True
    driver.arm([Step(0, 50, None)])
    driver.fire()
    sim.play(RATE, RATE)
    driver.voltage_v = 80
    assert driver.frequency_hz == 50
    volts = sim.play(RATE, RATE).volts
    assert rms(volts[-800:]) == pytest.approx(80, rel=1e-6)


def test_a_hold_with_a_turned_phase_keeps_it_when_left(sim, driver):
    driver.voltage_v, driver.frequency_hz, driver.output_enabled = 100, 50, True
    driver.arm([Step(100, 50, None, phase_deg=40)])
    driver.fire()
    before = sim.play(RATE, RATE).volts
    driver.arm([Step(0, 50, 1)])
    # one second is 50 whole cycles; the last half of both has nothing but the held vector
    np.testing.assert_allclose(sim.play(RATE, RATE).volts[4000:], before[4000:], atol=1e-9)


def test_a_finished_program_returns_to_the_levels(sim, driver):
    driver.voltage_v, driver.frequency_hz, driver.output_enabled = 100, 50, True
    driver.arm([Step(0, 50, 0.1)])
    driver.fire()
    sim.play(RATE, RATE)
    assert rms(sim.play(800, RATE).volts) == pytest.approx(100, rel=1e-6)


def test_abort_and_reset(sim, driver):
    driver.voltage_v, driver.frequency_hz, driver.output_enabled = 100, 50, True
    driver.arm([Step(0, 50, None)])
    driver.fire()
    sim.play(RATE, RATE)
    driver.abort()
    assert rms(sim.play(RATE, RATE).volts[-800:]) == pytest.approx(100, rel=1e-6)
    driver.reset()
    assert not driver.output_enabled
    assert driver.voltage_v == 0


def test_nagle_is_off(driver):
    interface = driver._link._socket
    assert interface.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


def test_closing_switches_the_output_off_and_may_be_repeated(sim, server):
    with AcSource681x(server.resource_name) as source:
        source.output_enabled = True
        assert sim.output_on
    assert not sim.output_on
    source.close()


@contextmanager
def silenced(sim, server):
    """A driver, and an event that lets a source speak again which is kept from answering until then."""
    silent, speak = threading.Event(), threading.Event()

    def hold():
        with sim.lock:
            silent.set()
            speak.wait(20)

    def note(direction, text):
        """Let the source answer when the driver, having waited in vain, sends its probe for the second time."""
        said.append((direction, text))
        if said.count(("write", "SYST:VERS?;*IDN?")) == 2:
            recover.set()

    said, recover = [], threading.Event()
    source = AcSource681x(server.resource_name, timeout_s=0.8, transcript=note)
    thread = threading.Thread(target=hold)
    thread.start()
    assert silent.wait(5)
    yield source, recover, speak
    speak.set()
    thread.join()
    source.close()


def speak_when(recover, speak):
    threading.Thread(target=lambda: recover.wait(10) and speak.set()).start()


def test_a_late_reply_never_answers_the_next_query(sim, server):
    sim.execute(b"VOLT 123")
    with silenced(sim, server) as (source, recover, speak):
        speak_when(recover, speak)
        with pytest.raises(PartFailed, match=r'no reply to "VOLT\?" in 0.8 s; it answers again'):
            _ = source.voltage_v
        assert source.frequency_hz == 60
        assert source.voltage_v == 123
        assert source.errors() == []


def test_errors_found_after_a_timeout_are_told(sim, server):
    with silenced(sim, server) as (source, recover, speak):
        sim._status.report(-113)  # past the lock, which keeps the source silent
        speak_when(recover, speak)
        with pytest.raises(PartFailed, match=r'it answers again, and reports -113,"Undefined header"'):
            _ = source.voltage_v


def test_a_source_that_stays_silent_is_given_up(sim, server):
    with silenced(sim, server) as (source, _, _):
        with pytest.raises(PartFailed, match=r"nor to \*IDN\? after it; the connection is given up"):
            _ = source.voltage_v
        with pytest.raises(PartFailed, match="not connected any more"):
            _ = source.voltage_v


def test_a_dropped_connection_is_named_and_not_a_timeout(server, driver):
    server.drop_client()
    with pytest.raises(PartFailed, match=r'closed the connection at "MEAS:VOLT:AC\?"; was the source switched off'):
        driver.measure_voltage_v()


def test_a_connection_closed_instead_of_a_reply_is_seen_at_once():
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            connection, _ = listener.accept()
            lines = connection.makefile("rb")
            lines.readline()
            connection.sendall(b"1990.0;A,B,C,D\n")
            lines.readline()
            lines.close()
            connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        link = ScpiLink(f"TCPIP::127.0.0.1::{listener.getsockname()[1]}::SOCKET", timeout_s=20)
        assert link.identity == "A,B,C,D"
        began = time.monotonic()
        with pytest.raises(PartFailed, match="closed the connection"):
            link.query("VOLT?")
        assert time.monotonic() - began < 10  # at once, not after the timeout of 20 s
        thread.join()


def test_errors_of_whoever_was_there_before_are_not_taken_for_our_own(sim, server):
    for number in (-101, -363, -350):
        sim.report(number)
    with AcSource681x(server.resource_name) as source:
        source.energise(100, 50, current_limit_a=5, voltage_limit_v=120)
        assert sim.output_on


def test_an_error_in_the_queue_does_not_keep_the_output_from_being_seen_off(sim, server):
    source = AcSource681x(server.resource_name)
    source.energise(100, 50, current_limit_a=5, voltage_limit_v=120)
    sim.report(-350)
    source.close()
    assert not sim.output_on


def test_errors_without_end_are_named(server, monkeypatch):
    monkeypatch.setattr(ScpiLink, "query", lambda link, message: '-350,"Queue overflow"')
    with pytest.raises(PartFailed, match="reports errors without end, the last -350"):
        AcSource681x(server.resource_name)


def test_the_first_error_is_not_hidden_by_the_closing(sim, server):
    def fail():
        with AcSource681x(server.resource_name) as source:
            source.output_enabled = True
            server.drop_client()
            raise ValueError("first")

    with pytest.raises(ValueError, match="first") as caught:
        fail()
    assert "output may still be on" in caught.value.__notes__[0]


def test_a_closing_that_fails_alone_is_told(server):
    with pytest.raises(PartFailed, match="closed the connection"), AcSource681x(server.resource_name):
        server.drop_client()


def test_nobody_there_is_a_missing_part():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(MissingPart, match=rf"TCPIP::127\.0\.0\.1::{port}::SOCKET: cannot connect .* switched on"):
        AcSource681x(f"TCPIP::127.0.0.1::{port}::SOCKET", timeout_s=0.3)


def test_a_second_driver_is_told_that_the_source_may_be_taken(server, driver):
    with pytest.raises(MissingPart, match="does another program hold it"):
        AcSource681x(server.resource_name, timeout_s=0.3)
    assert driver.voltage_v == 0


@pytest.mark.parametrize("name", ["NONSENSE", "TCPIP::", "192.0.2.10:5025"])
def test_a_name_that_is_no_resource_is_bad_input(name):
    with pytest.raises(InputError, match=f"source at {name}: no VISA resource name, expected one such as TCPIP::"):
        AcSource681x(name)


def test_an_error_reply_that_is_none_is_told():
    assert error_number('-222,"Data out of range"') == -222
    assert error_number('+0,"No error"') == 0
    with pytest.raises(PartFailed, match='"abc", expected a number'):
        error_number("abc")


def test_the_same_conversation_gives_the_same_samples_whatever_the_threads_do():
    def played(pause_s):
        sim = SimulatedSource(5)
        with SourceServer(sim) as server, AcSource681x(server.resource_name) as source:
            source.voltage_v, source.frequency_hz, source.output_enabled = 100, 50, True
            time.sleep(pause_s)
            first = sim.play(1234, RATE)
            source.arm(interruption(100, 50, 30, 0.08, 90))
            time.sleep(pause_s)
            source.fire()
            second = sim.play(2345, RATE)
            return np.concatenate([first.volts, second.volts]), second.trigger_edges

    volts, edges = played(0)
    again, edges_again = played(0.05)
    assert np.array_equal(volts, again)
    assert edges == edges_again
