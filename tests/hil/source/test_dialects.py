"""All three dialects: one program through each driver gives one waveform, and what is refused is refused before it."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from hil.source.dialects import KINDS, open_source, simulate
from hil.source.instrument import Timing
from hil.source.interface import AcSource
from hil.source.load import RectifierLoad
from hil.source.program import Program, Step, interruption, supply_return
from hil.source.server import SourceServer
from teiden.errors import InputError, PartFailed

RATE = 8000
IDEAL = Timing(latency_ns=(0, 0), fall_ns=0, relay_ns=0, reset_ns=0)


@pytest.fixture(params=KINDS)
def dialect(request):
    return request.param


@pytest.fixture
def bench(dialect):
    sim = simulate(dialect, 1, timing=IDEAL)
    with SourceServer(sim) as server, open_source(server.resource_name, dialect, 5) as source:
        yield sim, source


def fitted(program, source):
    return program if source.instrument.trigger_out else program.unmarked()


def energise(source):
    source.energise(100, 50, current_limit_a=5, voltage_limit_v=120)


def test_driver_has_the_interface(bench):
    source: AcSource = bench[1]
    energise(source)
    assert (source.voltage_v, source.frequency_hz, source.current_limit_a) == (100, 50, 5)
    assert source.voltage_limit_v == pytest.approx(120, rel=1e-6)  # replies have seven digits
    assert source.output_enabled


def test_power_read_back_is_what_load_and_losses_take(dialect):
    """Energy balance: constant power, two diodes and the resistance between them and the terminals."""
    load = RectifierLoad(470e-6, 20.0)
    sim = simulate(dialect, 1, timing=IDEAL, load=load)
    with SourceServer(sim) as server, open_source(server.resource_name, dialect, 5) as source:
        assert math.isnan(source.measure_power_w())
        energise(source)
        amps = sim.play(80_000, 80_000).amps[-8000:]  # the last five cycles of a second
        losses_w = load.series_ohm * np.mean(amps**2) + load.diode_v * np.mean(np.abs(amps))
        # below 1 % is lost by the load's implicit rule at this rate (test_load.py)
        assert source.measure_power_w() == pytest.approx(20 + losses_w, rel=0.01)
        assert source.measure_power_w() < source.measure_voltage_v() * source.measure_current_a()


@pytest.mark.parametrize(("dialect", "dead_s"), [("681x", 0.5), ("kikusui-le", 0.5), ("chroma", 3.0)])
def test_nothing_takes_effect_for_a_while_after_a_reset(dialect, dead_s):
    """0.5 s are assumed; 3 s are what drivers of others wait with a Chroma 61600."""
    sim = simulate(dialect)
    with SourceServer(sim) as server, open_source(server.resource_name, dialect, 5) as source:
        source.reset()
        energise(source)
        assert not sim.play(int(dead_s * RATE), RATE).volts.any()
        assert np.abs(sim.play(RATE // 10, RATE).volts).max() == pytest.approx(100 * math.sqrt(2), rel=0.01)


def test_dip_begins_at_its_angle_and_lasts_as_long_as_asked(bench):
    sim, source = bench
    energise(source)
    sim.play(RATE, RATE)
    source.arm(fitted(interruption(100, 50, 40, 0.1, 90, off_s=0), source))
    before = sim.play(RATE // 50, RATE)
    source.fire()
    block = sim.play(RATE // 2, RATE)
    assert before.volts.max() == pytest.approx(100 * math.sqrt(2), rel=1e-6)
    # from 90 degrees of a 50 Hz supply that was at 0 when fired: 5 ms, then 100 ms at 40 V; a sine of exact phase
    times = np.arange(block.volts.size) / RATE
    level = np.where((times > 0.005 - 1e-9) & (times < 0.105 - 1e-9), 40, 100)
    np.testing.assert_allclose(block.volts, level * math.sqrt(2) * np.sin(2 * math.pi * 50 * times), atol=1e-3)


def test_open_step_holds_until_the_supply_returns(bench):
    sim, source = bench
    energise(source)
    sim.play(RATE, RATE)
    source.arm(fitted(interruption(100, 50, angle_deg=0), source))
    source.fire()
    sim.play(RATE // 10, RATE)
    source.arm(fitted(supply_return(100, 50), source))
    assert np.abs(sim.play(RATE, RATE).volts).max() < 1e-9
    source.fire()
    sim.play(RATE // 10, RATE)
    assert np.sqrt(np.mean(sim.play(RATE, RATE).volts ** 2)) == pytest.approx(100, rel=1e-6)


def test_ramp_goes_from_one_step_to_the_next_over_its_duration(bench):
    sim, source = bench
    energise(source)
    sim.play(RATE, RATE)
    source.arm(Program((Step(100, 50, 0.1), Step(50, 50, 1.0, ramp=True), Step(50, 50, None)), 0.0))
    source.fire()
    volts = sim.play(RATE * 3 // 2, RATE).volts
    times = np.arange(volts.size) / RATE
    level = np.interp(times, [0.1, 1.1], [100, 50])
    # the start of a Chroma ramp is one tick of 1 us: 50 V/s for it is 5e-5 V, times a crest of 1.4
    np.testing.assert_allclose(volts, level * math.sqrt(2) * np.sin(2 * math.pi * 50 * times), atol=1e-3)


@pytest.mark.parametrize("name", [("681x", "kikusui-le"), ("kikusui-le", "chroma"), ("chroma", "681x")], ids=str)
def test_wrong_dialect_is_refused_by_the_identity(name):
    there, asked = name
    with SourceServer(simulate(there)) as server, pytest.raises(InputError, match='calls itself "TEIDEN,SIMULATED'):
        open_source(server.resource_name, asked)


def test_unknown_dialect_names_the_known_ones():
    with pytest.raises(InputError, match="dialect = 'scpi', expected 681x, kikusui-le, chroma"):
        open_source("TCPIP::127.0.0.1::1::SOCKET", "scpi")


def test_voltage_above_its_limit_is_not_energised(bench):
    sim, source = bench
    with pytest.raises(InputError, match="voltage_v = 130, expected at most voltage_limit_v = 120 V"):
        source.energise(130, 50, current_limit_a=5, voltage_limit_v=120)
    assert not sim.output_on


@pytest.mark.parametrize("name", ["current_limit_a", "voltage_limit_v"])
def test_limit_that_reads_back_wrong_keeps_the_output_off(bench, monkeypatch, name):
    sim, source = bench
    ask, header = source.ask_number, source.headers.get(name, "VOLT:PROT")
    monkeypatch.setattr(source, "ask_number", lambda query: ask(query) * (0.5 if query == f"{header}?" else 1))
    with pytest.raises(PartFailed, match=f"{name} set to .* reads back as .*not switched on"):
        energise(source)
    assert not sim.output_on


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ((Step(400, 50, 1),), "step 1: voltage_v = 400, expected 0 to"),
        ((Step(100, 5000, 1),), "step 1: frequency_hz = 5000, expected"),
        ((Step(100, 50, 1e-6),), "step 1: duration_s = 1e-06, expected"),
        ((Step(100, 50, 1),) * 700, "700 steps, expected 1 to"),
        ((Step(100, 50, 1, waveform="NONE"),), "step 1: waveform = 'NONE', expected"),
        ((Step(100, 50, None, ramp=True),), "step 1: ramp = True, expected a duration_s"),
    ],
)
def test_what_the_instrument_cannot_do_is_refused_before_anything_is_sent(dialect, steps, said):
    sent = []
    with (
        SourceServer(simulate(dialect)) as server,
        open_source(server.resource_name, dialect, transcript=lambda *entry: sent.append(entry)) as source,
    ):
        sent.clear()
        with pytest.raises(InputError, match=said):
            source.arm(Program(steps, 0.0))
        assert sent == []


@pytest.mark.parametrize(
    ("dialect", "step", "said"),
    [
        ("chroma", Step(100, 50, 1, trigger_out=True), "this instrument marks no step"),
        ("chroma", Step(100, 50, 1, phase_deg=10), "cannot jump in phase"),
        ("kikusui-le", Step(100, 50, 1, slew_v_per_s=100), "has none for a step; use ramp"),
        ("chroma", Step(100, 50, 1, slew_v_per_s=100), "has none for a step; use ramp"),
    ],
)
def test_what_one_dialect_lacks_is_said(dialect, step, said):
    with (
        SourceServer(simulate(dialect)) as server,
        open_source(server.resource_name, dialect) as source,
        pytest.raises(InputError, match=said),
    ):
        source.arm(Program((step,), 0.0))


def test_kikusui_sends_the_step_as_its_manual_prints_it():
    """PROG:EDIT of the PCR-LE2 manual's example: 100 V at 50 Hz for 10 s, with trigger out."""
    sent = []
    with (
        SourceServer(simulate("kikusui-le")) as server,
        open_source(server.resource_name, "kikusui-le", transcript=lambda *entry: sent.append(entry[1])) as source,
    ):
        source.arm(Program((Step(100, 50, 10, trigger_out=True),)))
    assert "PROG:EDIT 1,OFF,50HZ,OFF,100V,OFF,0V,10S,0,OFF,ON,OFF,ON;:SYST:ERR?" in sent
    assert max(map(len, sent)) <= KINDS["kikusui-le"].instrument.line_chars


SPOKEN = {
    "681x": b"VOLT 100;:FREQ 50;:LIST:VOLT 100,0;:LIST:DWEL 1,0.1;:VOLT:MODE LIST;:TRAC:DEF A;:INIT:SEQ1;:SYST:ERR?",
    "kikusui-le": b"VOLT 100;:FREQ 50;:PROG:EDIT 1,OFF,50HZ,OFF,100V,OFF,0V,1S,0,OFF,ON,OFF,ON;:INIT:PROG;:SYST:ERR?",
    "chroma": b"SOUR:FREQ:IMM 50;:SOUR:LIST:DWEL 1,2;:SOUR:LIST:VOLT:AC:STAR 0,1;:OUTP:MODE LIST;:TRIG ON;:SYST:ERR?",
}


@pytest.mark.parametrize("dialect", SPOKEN)
def test_garbled_messages_are_refused_and_energise_nothing(dialect):
    """Bytes replaced, left out, doubled, and noise; seed 1."""
    rng, source = random.Random(1), simulate(dialect)
    refused = 0
    for number in range(3000):
        message = bytearray(SPOKEN[dialect] if number % 3 else rng.randbytes(rng.randrange(60)))
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(message) + 1)
            message[at : at + rng.randrange(3)] = rng.choice((b"", rng.randbytes(1), message[at : at + 5]))
        source.execute(bytes(message))
        refused += source.execute(b"SYST:ERR?") != '+0,"No error"'
        source.execute(b"*CLS")
        if number % 50 == 0:
            assert not source.play(80, 8000).volts.any()
    assert not source.output_on
    assert refused > 1000  # it has looked at them
