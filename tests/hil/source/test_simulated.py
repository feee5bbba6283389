"""What the simulated source plays, against analytic waveforms and times."""

from __future__ import annotations

import math
import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.source.instrument import Timing
from hil.source.simulated import SimulatedSource
from teiden.errors import InputError

RATE = 8000
NS = 10**9
ON = b"VOLT 100;FREQ 50;:OUTP ON"
LIST = b"VOLT:MODE LIST;:LIST:VOLT 30,0;DWEL 0.0625,5;TTLT ON,ON;:OUTP:TTLT ON;TTLT:SOUR LIST;:INIT:SEQ1"
IDEAL = Timing(latency_ns=(0, 0), fall_ns=0, relay_ns=0, reset_ns=0)


def tell(source, *messages):
    for message in messages:
        source.execute(message)
    assert source.execute(b"SYST:ERR?") == '+0,"No error"'


def rms(volts):
    return math.sqrt(np.mean(volts**2))


@pytest.mark.parametrize(("hz", "cycles"), [(50, 50), (60, 60), (45.5, 91), (1000, 1000)])
def test_rms_is_what_was_set(ideal, hz, cycles):
    tell(ideal, b"VOLT 100;FREQ %g;:OUTP ON" % hz)
    n = round(cycles / hz * RATE)
    # table interpolation: 3e-7 of the peak
    assert rms(ideal.play(n, RATE).volts) == pytest.approx(100, rel=1e-6)


@pytest.mark.parametrize("hz", [49.987654, 50, 60.01])
def test_frequency_is_what_was_set_for_an_hour(ideal, hz):
    tell(ideal, b"VOLT 100;FREQ %.9g;:OUTP ON" % hz)
    ideal.play(3600 * 100, 100)  # coarse, only to let the time go by
    volts = ideal.play(RATE // 10, RATE).volts
    t = 3600 + np.arange(volts.size) / RATE
    # after an hour, phase in floats is good to 3600 * 50 * 2**-52 * 2 pi: nothing beside the table's 3e-7
    np.testing.assert_allclose(volts, 100 * math.sqrt(2) * np.sin(2 * np.pi * hz * t), atol=3e-4)


def test_output_is_zero_until_the_relay_closes_and_after_it_opens():
    source = SimulatedSource(timing=Timing(latency_ns=(0, 0), fall_ns=0, relay_ns=10_000_000))
    tell(source, ON)
    volts = source.play(RATE, RATE).volts
    assert np.all(volts[:80] == 0)  # 10 ms
    assert rms(volts[80:240]) == pytest.approx(100, rel=1e-6)
    tell(source, b"OUTP OFF")
    volts = source.play(800, RATE).volts
    assert rms(volts[:80]) > 50
    assert np.all(volts[80:] == 0)


@pytest.mark.parametrize("hz", [50, 60])
@pytest.mark.parametrize("angle_deg", [0, 45, 90, 135])
def test_interruption_begins_at_the_commanded_angle(hz, angle_deg):
    source = SimulatedSource(seed=angle_deg, timing=Timing(fall_ns=0))  # with latencies
    tell(source, b"VOLT 100;FREQ %d;:OUTP ON" % hz)
    source.play(4003, RATE)
    tell(source, b"VOLT:MODE LIST;:LIST:VOLT 0;DWEL 1;TTLT ON;:OUTP:TTLT ON;TTLT:SOUR LIST")
    tell(source, b"TRIG:SYNC:SOUR PHAS;PHAS %d;:INIT:SEQ1" % angle_deg)
    before_ns = source.now_ns
    before = source.play(5000, 10**6)  # at the DDS update rate
    tell(source, b"*TRG")
    block = source.play(40_000, 10**6)
    volts = np.concatenate([before.volts, block.volts])
    alive = np.flatnonzero(volts)
    last = alive[-1]
    # amplitude and phase of the last whole quarter cycle, by least squares, tell the angle of the first dead sample
    t = np.arange(last - 3999, last + 1) / 1e6
    basis = np.column_stack([np.sin(2 * np.pi * hz * t), np.cos(2 * np.pi * hz * t)])
    s, c = np.linalg.lstsq(basis, volts[last - 3999 : last + 1], rcond=None)[0]
    first_dead_deg = math.degrees(math.atan2(c, s)) + 360 * hz * (last + 1) / 1e6
    error_deg = (first_dead_deg - angle_deg + 180) % 360 - 180
    one_sample_deg = 360 * hz / 1e6
    assert -one_sample_deg < error_deg < 2 * one_sample_deg  # at 0 degrees the first dead sample looks dead before
    (edge_ns,) = block.trigger_edges
    assert abs(edge_ns - before_ns - (last + 1) * 1000) <= 1000


def test_trigger_edge_is_at_the_exact_nanosecond(ideal):
    tell(ideal, ON, LIST, b"TRIG:SYNC:SOUR PHAS;PHAS 90")
    ideal.play(777, RATE)  # 97.125 ms: 308.25 degrees of 50 Hz
    tell(ideal, b"*TRG")
    edges = ideal.play(RATE, RATE).trigger_edges
    assert edges == (105_000_000, 105_000_000 + 62_500_000)  # 5 cycles and a quarter; then the dwell of 62.5 ms


def test_an_angle_just_reached_does_not_wait_for_the_next_cycle(ideal):
    tell(ideal, ON, LIST, b"TRIG:SYNC:SOUR PHAS;PHAS 90")
    ideal.play(200, RATE)  # 25 ms: 90 degrees
    tell(ideal, b"*TRG")
    assert ideal.play(800, RATE).trigger_edges[0] == 25_000_000


def test_a_frequency_change_moves_the_angle_that_is_waited_for(ideal):
    tell(ideal, ON, LIST, b"TRIG:SYNC:SOUR PHAS;PHAS 180")
    ideal.play(8, RATE)
    tell(ideal, b"*TRG")
    ideal.play(32, RATE)  # 5 ms: 90 degrees
    tell(ideal, b"FREQ 1000")  # the other 90 degrees take 0.25 ms
    assert ideal.play(80, RATE).trigger_edges[0] == 5_250_000


def test_trigger_delay_is_kept(ideal):
    tell(ideal, ON, LIST, b"TRIG:TRAN:DEL 12.5 MS;*TRG")
    assert ideal.play(800, RATE).trigger_edges[0] == 12_500_000


def test_list_dwell_times_and_levels_are_exact(ideal):
    tell(ideal, ON, b"VOLT:MODE LIST;:FREQ:MODE LIST;:LIST:VOLT 80,0,120;FREQ 50,50,60;DWEL 0.1,0.25,0.0345;COUN 2")
    tell(ideal, b"LIST:TTLT ON;:OUTP:TTLT ON;TTLT:SOUR LIST;:INIT:SEQ1;*TRG")
    block = ideal.play(RATE, RATE)
    ms = 1_000_000
    one = [0, 100 * ms, 350 * ms]
    assert list(block.trigger_edges) == one + [t + 384_500_000 for t in one]
    assert rms(block.volts[:800]) == pytest.approx(80, rel=1e-6)
    assert np.all(block.volts[800:2800] == 0)
    # 34.5 ms of 60 Hz: 2.07 cycles
    t = np.arange(2800, 3076) / RATE
    phase = 2 * np.pi * (0.35 * 50 + (t - 0.35) * 60)
    np.testing.assert_allclose(block.volts[2800:3076], 120 * math.sqrt(2) * np.sin(phase), atol=3e-4)
    assert rms(block.volts[6160:6960]) == pytest.approx(100, rel=1e-6)  # back at the level, 50 Hz


def test_list_once_takes_a_trigger_a_point(ideal):
    tell(ideal, ON, b"VOLT:MODE LIST;:LIST:VOLT 80,60,40;DWEL 0.02;STEP ONCE;:INIT:SEQ1;*TRG")
    ideal.execute(b"*TRG")
    assert ideal.execute(b"SYST:ERR?").startswith("-211")  # the first point has not dwelt yet
    assert rms(ideal.play(800, RATE).volts) == pytest.approx(80, rel=1e-6)
    tell(ideal, b"*TRG")
    assert rms(ideal.play(800, RATE).volts) == pytest.approx(60, rel=1e-6)
    tell(ideal, b"*TRG")
    volts = ideal.play(800, RATE).volts
    assert rms(volts[:160]) == pytest.approx(40, rel=1e-6)
    assert rms(volts[160:]) == pytest.approx(100, rel=1e-6)
    assert ideal.execute(b"STAT:OPER:COND?") == "0"


def test_list_phase_is_a_vector_jump(ideal):
    tell(ideal, ON, b"PHAS:MODE LIST;:LIST:PHAS 90;DWEL 1;:INIT:SEQ1;*TRG")
    volts = ideal.play(160, RATE).volts
    np.testing.assert_allclose(volts, 100 * math.sqrt(2) * np.cos(2 * np.pi * 50 * np.arange(160) / RATE), atol=3e-4)


def test_list_slew_ramps(ideal):
    tell(ideal, ON, b"VOLT:MODE LIST;:VOLT:SLEW:MODE LIST;:LIST:VOLT 0;VOLT:SLEW 1000;:LIST:DWEL 5;:INIT:SEQ1;*TRG")
    volts = ideal.play(RATE, RATE).volts
    peaks = volts[40::160]  # 5 ms and every 20 ms after it
    expected = 100 * math.sqrt(2) * np.maximum(1 - 10 * (0.005 + 0.02 * np.arange(peaks.size)), 0)
    np.testing.assert_allclose(peaks, expected, atol=3e-4)


def test_step_stays(ideal):
    tell(ideal, ON, b"VOLT:MODE STEP;:VOLT:TRIG 60;:OUTP:TTLT ON;:INIT:SEQ1")
    ideal.play(160, RATE)
    tell(ideal, b"*TRG")
    block = ideal.play(160, RATE)
    assert rms(block.volts) == pytest.approx(60, rel=1e-6)
    assert block.trigger_edges == (20_000_000,)  # BOT, the default: at the beginning of the transient
    assert ideal.execute(b"VOLT?;:STAT:OPER:COND?") == "+6.000000E+01;0"


def test_pulses_return_to_the_level(ideal):
    tell(ideal, ON, b"VOLT:MODE PULS;:VOLT:TRIG 0;:PULS:WIDT 0.02;PER 0.06;COUN 2;:OUTP:TTLT ON;TTLT:SOUR EOT")
    tell(ideal, b"INIT:SEQ1;*TRG")
    block = ideal.play(RATE, RATE)
    dead = np.array([rms(block.volts[k : k + 160]) < 1e-9 for k in range(0, RATE, 160)])  # one a cycle
    assert list(np.flatnonzero(dead)) == [0, 3]
    assert block.trigger_edges == (120_000_000,)
    assert ideal.execute(b"STAT:OPER:COND?") == "0"


def test_endless_list_ends_with_abort_and_levels_wait_for_it(ideal):
    tell(ideal, ON, b"VOLT:MODE LIST;:LIST:VOLT 10,20;DWEL 0.02;COUN INF;:INIT:SEQ1;*TRG")
    ideal.play(RATE, RATE)
    tell(ideal, b"VOLT 55")
    assert rms(ideal.play(160, RATE).volts) < 21
    tell(ideal, b"ABOR")
    assert rms(ideal.play(160, RATE).volts) == pytest.approx(55, rel=1e-6)


def test_abort_disarms_and_cancels_a_wait_for_an_angle(ideal):
    tell(ideal, ON, LIST, b"TRIG:SYNC:SOUR PHAS;PHAS 350;*TRG")
    ideal.play(16, RATE)
    tell(ideal, b"ABOR")
    block = ideal.play(RATE, RATE)
    assert block.trigger_edges == ()
    assert rms(block.volts) == pytest.approx(100, rel=1e-3)


def test_trigger_in_idle_is_an_error_and_does_nothing(ideal):
    tell(ideal, ON)
    ideal.execute(b"VOLT:MODE LIST;:LIST:VOLT 0;DWEL 1;*TRG")
    assert ideal.execute(b"SYST:ERR?") == '-211,"Trigger ignored"'
    assert rms(ideal.play(160, RATE).volts) == pytest.approx(100, rel=1e-6)


def test_trigger_source_decides_which_trigger_counts(ideal):
    tell(ideal, ON, b"TRIG:SOUR EXT", LIST)
    ideal.execute(b"*TRG")
    assert ideal.execute(b"SYST:ERR?").startswith("-211")
    ideal.play(100, RATE)
    ideal.trigger_in()
    assert ideal.play(100, RATE).trigger_edges == (12_500_000,)
    tell(ideal, b"ABOR;:TRIG:SOUR IMM;:INIT:SEQ1")  # triggers itself
    assert ideal.play(100, RATE).trigger_edges == (25_000_000,)


@pytest.mark.parametrize(("function", "crest"), [(b"SIN", math.sqrt(2)), (b"SQU", 1.0), (b"RAMP", math.sqrt(3))])
def test_function_changes_the_crest_and_not_the_rms(ideal, function, crest):
    ramp = ",".join(str(k) for k in range(1024)).encode()
    tell(ideal, b"TRAC:DEF RAMP;:TRAC RAMP," + ramp, ON, b"FUNC " + function)
    volts = ideal.play(RATE * 10, RATE).volts
    assert rms(volts) == pytest.approx(100, rel=2e-3)  # the jump of a ramp lasts one of 1024 points
    assert np.abs(volts).max() == pytest.approx(100 * crest, rel=2e-2)  # 160 samples a cycle may miss a ramp's tip


def test_measurement_is_of_what_was_played(ideal):
    tell(ideal, ON)
    ideal.play(RATE, RATE)
    # Hann window over 10.24 periods of the squared sine: side lobes below 1e-4
    assert float(ideal.execute(b"MEAS:VOLT:AC?")) == pytest.approx(100, rel=1e-4)
    assert float(ideal.execute(b"MEAS:FREQ?")) == pytest.approx(50, rel=1e-5)
    tell(ideal, b"VOLT 50")
    assert float(ideal.execute(b"MEAS:VOLT:AC?")) == pytest.approx(100, rel=1e-4)  # time has not moved
    ideal.play(RATE // 5, RATE)
    assert float(ideal.execute(b"MEAS:VOLT:AC?")) == pytest.approx(50, rel=1e-4)
    tell(ideal, b"OUTP OFF")
    ideal.play(RATE // 5, RATE)
    assert ideal.execute(b"MEAS:VOLT:AC?;:MEAS:FREQ?") == "+0.000000E+00;9.91E37"


def test_commands_take_effect_after_their_latency_and_one_after_the_other():
    source = SimulatedSource(timing=Timing(latency_ns=(1_000_000, 0), fall_ns=0, relay_ns=0))
    tell(source, b"VOLT 100;FREQ 50;:OUTP ON;:OUTP?")  # three commands; a query takes no time
    volts = source.play(80, RATE).volts
    assert np.flatnonzero(volts)[0] in (24, 25)  # 3 ms, the sample there may be a zero crossing
    tell(source, b"*RST;VOLT 100;:OUTP ON")
    volts = source.play(RATE, RATE).volts
    assert np.all(volts[8 : 8 + 4000] == 0)  # off after 1 ms, then 0.5 s of deafness
    assert rms(volts[4100:]) > 99


def script(source, cuts, rate):
    """Play 1200 samples around commands at three fixed samples, in blocks that end at the cuts as well."""
    commands = {
        0: [ON],
        300: [LIST, b"TRIG:SYNC:SOUR PHAS;PHAS 77;:TRIG:SOUR BUS;:VOLT:SLEW 5000", b"*TRG"],
        700: [b"FREQ 61.234567"],
        900: [b"ABOR;:VOLT:MODE PULS;:VOLT:TRIG 20;:PULS:COUN 5;:INIT:SEQ1;*TRG"],
    }
    blocks, edges, at = [], [], 0
    for stop in sorted({*cuts, *commands, 1200} - {0}):
        for message in commands.get(at, []):
            source.execute(message)
        block = source.play(stop - at, rate)
        blocks.append(block.volts)
        edges += block.trigger_edges
        at = stop
    return np.concatenate(blocks), edges, source.now_ns, source.execute(b"MEAS:VOLT:AC?")


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.sets(st.integers(1, 1199), max_size=30), st.sampled_from([8000, 12800, 30_720, 999]))
def test_how_the_playing_is_cut_changes_nothing(cuts, rate):
    whole = script(SimulatedSource(3), set(), rate)
    cut = script(SimulatedSource(3), cuts, rate)
    assert np.array_equal(whole[0], cut[0])
    assert whole[1:] == cut[1:]
    assert whole[1], "the script is meant to give trigger edges"


def test_seeds_differ_in_latency_and_the_same_seed_does_not():
    edges = [script(SimulatedSource(seed), set(), RATE)[1] for seed in (3, 3, 4)]
    assert edges[0] == edges[1] != edges[2]


def test_minutes_between_events_are_played_faster_than_100_times_real_time(sim):
    tell(sim, ON)
    sim.play(RATE, RATE)
    began = time.process_time()
    sim.play(RATE * 300, RATE)
    assert 300 / (time.process_time() - began) > 100  # some 4000 when the machine is quiet


def test_time_is_exact_at_rates_that_do_not_divide_a_second():
    source = SimulatedSource()
    for _ in range(7):
        source.play(1000, 30_720)
    assert source.now_ns == int(Fraction(7000 * NS, 30_720))


@pytest.mark.parametrize(("n", "rate"), [(-1, 8000), (1, 0), (1, -5), (1, 2 * NS)])
def test_play_refuses_nonsense(sim, n, rate):
    with pytest.raises(InputError, match="expected"):
        sim.play(n, rate)
