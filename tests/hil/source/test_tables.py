"""Ready programs: the tables as the standards print them, recordings cycle by cycle."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hil.source.dialects import open_source, simulate
from hil.source.instrument import CHROMA_61602, KEYSIGHT_6812B, KIKUSUI_PCR2000LE, Timing
from hil.source.program import Program, Step, Trace, check_program
from hil.source.recorded import program_from_samples
from hil.source.server import SourceServer
from hil.source.tables import iec_61000_4_11, semi_f47
from teiden.errors import InputError


def test_iec_61000_4_11_class_3_at_both_frequencies():
    """Durations of the table in ms: cycles at 50 Hz times 20, at 60 Hz times 16.67; the long ones are equal."""
    at_50 = [(test.residual_percent, round(1000 * test.duration_s, 1)) for test in iec_61000_4_11(50)]
    at_60 = [(test.residual_percent, round(1000 * test.duration_s, 1)) for test in iec_61000_4_11(60)]
    assert at_50 == [(0, 10), (0, 20), (40, 200), (70, 500), (80, 5000), (0, 5000)]
    assert at_60 == [(0, 8.3), (0, 16.7), (40, 200), (70, 500), (80, 5000), (0, 5000)]
    assert [test.residual_percent for test in iec_61000_4_11(50, 2)] == [0, 0, 70, 0]


def test_semi_f47():
    assert [(test.residual_percent, test.duration_s) for test in semi_f47()] == [(50, 0.2), (70, 0.5), (80, 1.0)]


@pytest.mark.parametrize(("hz", "environment"), [(55, 3), (50, 1)])
def test_what_the_standard_has_no_row_for_is_refused(hz, environment):
    with pytest.raises(InputError, match="expected"):
        iec_61000_4_11(hz, environment)


@pytest.mark.parametrize("instrument", [KEYSIGHT_6812B, KIKUSUI_PCR2000LE, CHROMA_61602], ids=lambda i: i.model)
def test_every_instrument_can_play_every_row(instrument):
    for test in (*iec_61000_4_11(50), *iec_61000_4_11(60), *semi_f47()):
        program = test.program(100, 50, 45)
        assert program[0].voltage_v == test.residual_percent
        check_program(program if instrument.trigger_out else program.unmarked(), instrument)


def test_a_recording_comes_out_of_the_source_as_it_went_in():
    """Three cycles of 60 Hz, each with its own harmonics and level, recorded at 1024 samples a cycle."""
    rate = 1024 * 60
    at = np.arange(3 * 1024) / rate
    level = np.repeat([100.0, 70.0, 40.0], 1024)
    wave = level * (math.sqrt(2) * np.sin(2 * np.pi * 60 * at) + 0.2 * np.sin(2 * np.pi * 300 * at + 1))
    wave[2048:] *= -1
    sim = simulate("681x", 1, timing=Timing(latency_ns=(0, 0), fall_ns=0, relay_ns=0, reset_ns=0))
    with SourceServer(sim) as server, open_source(server.resource_name, "681x", 5) as source:
        source.energise(100, 60, current_limit_a=5, voltage_limit_v=200)
        sim.play(rate, rate)
        source.arm(program_from_samples(wave, rate, 60))
        source.fire()
        block = sim.play(wave.size, rate)
    assert len(block.trigger_edges) == 1
    # Times are rounded to update ticks of 1 us, up to 6e-5 of a cycle: 300 Hz * 2 pi * 28 V * 1 us and 60 Hz of 141 V
    # make 0.11 V; samples at the two edges may belong to either cycle.
    inner = np.ones(wave.size, bool)
    inner[[0, 1, 1023, 1024, 1025, 2047, 2048, 2049, -1]] = False
    np.testing.assert_allclose(block.volts[inner], wave[inner], atol=0.15)


@pytest.mark.parametrize(
    ("volts", "rate", "said"),
    [
        (np.ones(10), 8000, "10 samples at 8000 Hz, expected at least one cycle"),
        (np.array([0.0] * 99 + [np.nan] + [0.0] * 100), 8000, "sample 99 of the recording is nan"),
        (np.ones(1000), 100, "expected at least 800: 16 samples a cycle"),
    ],
)
def test_a_recording_that_cannot_be_played_is_refused(volts, rate, said):
    with pytest.raises(InputError, match=said):
        program_from_samples(volts, rate, 50)


@pytest.mark.parametrize(
    ("trace", "instrument", "said"),
    [
        (Trace("A", (0.0, 1.0)), KEYSIGHT_6812B, "waveform A: 2 values, expected 1024"),
        (Trace("A", (1.0,) * 1024), KEYSIGHT_6812B, "waveform A: expected finite values that differ"),
        (Trace("sin", (0.0, 1.0) * 512), KEYSIGHT_6812B, "waveform 'sin': expected a name"),
        (Trace("SIN", (0.0, 1.0) * 512), KEYSIGHT_6812B, "waveform 'SIN': expected a name"),
        (Trace("A", (0.0, 1.0) * 512), KIKUSUI_PCR2000LE, "no command to upload one is known"),
    ],
)
def test_a_waveform_that_does_not_fit_the_memory_is_refused(trace, instrument, said):
    with pytest.raises(InputError, match=said):
        check_program([Step(100, 50, 1, waveform=trace)], instrument)


def test_more_waveforms_than_the_memory_holds_are_refused():
    steps = [Step(100, 50, 1, waveform=Trace(f"W{n}", (0.0, 1.0 + n) * 512)) for n in range(65)]
    with pytest.raises(InputError, match="65 waveforms to upload, expected at most 50"):
        check_program(Program(tuple(steps)), KEYSIGHT_6812B)


def several(count, seed):
    """Return volts at 16 samples a cycle of 50 Hz: so many cycles, no two alike."""
    return np.random.default_rng(seed).uniform(-100, 100, 16 * count)


def test_recordings_one_after_the_other_share_the_memory():
    with SourceServer(simulate("681x", 1)) as server, open_source(server.resource_name, "681x", 5) as source:
        for seed in range(3):
            source.arm(program_from_samples(several(40, seed), 800, 50))
            source.abort()
        assert source.errors() == []


def test_waveforms_that_somebody_keeps_in_the_instrument_are_left_alone():
    sim = simulate("681x", 1)
    for number in range(20):
        sim.execute(f"TRAC:DEF MINE{number}".encode())
    with SourceServer(sim) as server, open_source(server.resource_name, "681x", 5) as source:
        with pytest.raises(
            InputError,
            match=r"31 waveforms to upload beside 20 that .* \(MINE0, MINE1, MINE10 and 17 more\), expected at most 50",
        ):
            source.arm(program_from_samples(several(31, 1), 800, 50))
        source.arm(program_from_samples(several(30, 1), 800, 50))
        kept = sim.execute(b"TRAC:CAT?").split(",")
    assert sum("MINE" in name for name in kept) == 20
    assert len(kept) == 53  # and the three that it has of its own


def test_a_waveform_of_a_users_own_is_not_written_over():
    """That of a name which a recording's cycle once had, and that of the program's."""
    sim = simulate("681x", 1)
    for number, name in enumerate(("REC0", "SAG")):
        sim.execute(f"TRAC:DEF {name}".encode())
        sim.execute(f"TRAC {name},{','.join(str(k % (2 + number)) for k in range(1024))}".encode())
    before = dict(sim._dialect._traces)
    sag = [Step(100, 50, 1, waveform=Trace("SAG", (0.0, 1.0) * 512))]
    mine = [Step(100, 50, 1, waveform=Trace("MINE", (0.0, 1.0) * 512))]
    with SourceServer(sim) as server, open_source(server.resource_name, "681x", 5) as source:
        with pytest.raises(InputError, match=r"6812B: SAG: TCPIP.* keeps a waveform of that name already"):
            source.arm(sag)
        source.arm(program_from_samples(several(3, 1), 800, 50))
        for _ in range(2):  # what this connection has uploaded itself may be uploaded again
            source.arm(mine)
        sim.play(8000, 8000)
        assert source.errors() == []
    assert {name: sim._dialect._traces[name] for name in before} == before
    with SourceServer(sim) as server, open_source(server.resource_name, "681x", 5) as source:
        source.arm(program_from_samples(several(3, 2), 800, 50))  # those of a connection before
        with pytest.raises(InputError, match="MINE: TCPIP"):
            source.arm(mine)
