"""Tables, phase and the output stage against mathematics and a slow reference in Python integers."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest

from hil.source.output import OutputStage
from hil.source.waveform import FULL_SCALE, SINE_POINTS, TURN, arbitrary, clipped_sine, decay, sine, square


def phases(count):
    return np.arange(count, dtype=np.int64) * (TURN // count)


def test_sine_is_a_sine_of_rms_one():
    phase = phases(100_000)
    expected = math.sqrt(2) * np.sin(2 * np.pi * phase / TURN)
    # linear interpolation of 4096 points: (2 pi / 4096)**2 / 8 = 3e-7 of the peak
    np.testing.assert_allclose(sine().at(phase), expected, atol=1e-6)


def test_no_maths_library_can_round_a_sine_entry_differently():
    for k in range(SINE_POINTS):
        exact = FULL_SCALE * math.sin(2 * math.pi * k / SINE_POINTS)
        distance = abs(exact - math.floor(exact) - 0.5)
        assert distance > 1e-6  # a last-place error of the library is 2**-53 * 2**30 = 1e-7


@pytest.mark.parametrize(
    "shape", [square(), clipped_sine(Decimal(60)), arbitrary([Decimal(k % 7) for k in range(1024)])]
)
def test_every_shape_has_rms_one_and_no_mean(shape):
    volts = shape.table[:-1] * shape.gain
    assert math.sqrt(np.mean(volts**2)) == pytest.approx(1, abs=1e-12)  # float rounding of a sum of 4096
    assert abs(np.mean(volts)) < 1e-6  # rounding of the table: half of 2**-30, and the sine's symmetry


def test_clipped_sine_is_flat_at_its_level():
    code = clipped_sine(Decimal(50)).table
    assert code.max() == FULL_SCALE // 2
    # a sine is above half its peak for 120 of 360 degrees
    assert np.count_nonzero(code[:-1] == code.max()) == pytest.approx(SINE_POINTS / 3, abs=2)


def test_arbitrary_refuses_a_flat_cycle_and_an_odd_size():
    with pytest.raises(ValueError, match="equal"):
        arbitrary([Decimal(1)] * 1024)
    with pytest.raises(ValueError, match="1023 values"):
        arbitrary([Decimal(k) for k in range(1023)])


def test_decay_is_exponential_and_ends():
    t = np.arange(0, 1_000_000, 777, dtype=np.int64)
    # interpolation of 256 points a time constant: (1/256)**2 / 8 = 2e-6
    np.testing.assert_allclose(decay(t, 30_000), np.exp(-t / 30_000), atol=3e-6)
    assert decay(np.array([24 * 30_000]), 30_000)[0] == 0


def reference_sine(t_ns, frequency_uhz, level_v):
    """One sample in Python integers: phase, table look-up and interpolation."""
    phase = frequency_uhz * t_ns % TURN
    step = TURN // SINE_POINTS
    index, rest = divmod(phase, step)
    code = [round(FULL_SCALE * math.sin(2 * math.pi * k / SINE_POINTS)) for k in (index, (index + 1) % SINE_POINTS)]
    fraction = rest * 2**20 // step
    value = code[0] + ((code[1] - code[0]) * fraction) // 2**20
    total = sum(round(FULL_SCALE * math.sin(2 * math.pi * k / SINE_POINTS)) ** 2 for k in range(SINE_POINTS))
    return level_v * (value * (1.0 / math.sqrt(total / SINE_POINTS)))


@pytest.mark.parametrize("start_ns", [0, 3_600 * 10**9, 10**18])  # up to 31 years in
def test_samples_are_the_bits_of_the_integer_reference(start_ns):
    stage = OutputStage(0, 49_999_777)
    stage.change(0, voltage_v=100.0, closed=True)
    times = start_ns + np.arange(40, dtype=np.int64) * 125_000
    assert [float(v) for v in stage.volts(times)] == [reference_sine(int(t), 49_999_777, 100.0) for t in times]


def test_a_chunk_never_overflows_at_the_highest_frequency():
    stage = OutputStage(0, 1_000_000_000)
    stage.change(0, voltage_v=1.0, closed=True)
    times = np.arange(40, dtype=np.int64) * 10**9 + 250_000  # one sample a second, always at 90 degrees
    np.testing.assert_allclose(stage.volts(times), math.sqrt(2), rtol=1e-6)


def test_a_frequency_change_keeps_the_phase():
    stage = OutputStage(0, 50_000_000)
    stage.change(0, voltage_v=100.0, closed=True)
    stage.change(3_141_000, frequency_uhz=61_000_000)
    before = 50_000_000 * 3_141_000 % TURN
    assert stage.reference_phase(3_141_000) == before
    assert stage.reference_phase(4_141_000) == (before + 61_000_000 * 1_000_000) % TURN


def test_a_jump_at_the_peak_falls_with_the_time_constant():
    stage = OutputStage(30_000, 50_000_000)
    stage.change(0, voltage_v=100.0, closed=True)
    stage.change(5_000_000, voltage_v=0.0)  # 90 degrees of 50 Hz
    t = 5_000_000 + np.arange(0, 300_000, 1_000, dtype=np.int64)
    expected = 100 * math.sqrt(2) * np.exp(-(t - 5_000_000) / 30_000)
    np.testing.assert_allclose(stage.volts(t), expected, atol=141 * 3e-6)  # the table's interpolation error


def test_slew_is_a_straight_ramp_of_the_rms():
    stage = OutputStage(0, 50_000_000)
    stage.change(0, voltage_v=100.0, closed=True)
    stage.change(0, voltage_v=0.0, slew_v_per_s=500.0)  # 0.2 s
    peaks = 5_000_000 + np.arange(15, dtype=np.int64) * 20_000_000
    rms = stage.volts(peaks) / math.sqrt(2)
    np.testing.assert_allclose(rms, np.maximum(100 - 500 * peaks * 1e-9, 0), atol=1e-4)
