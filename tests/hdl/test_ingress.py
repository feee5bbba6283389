"""The sigma-delta path against theory: response, stop band, delay, noise, and what it costs the power-fail detector."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hdl import model_ingress
from hdl.tb import ingress_figures
from hdl.tb.modulator import modulate, modulate_one


def test_gain_at_zero_frequency_is_one_exactly() -> None:
    for kind in model_ingress.CHAIN:
        assert kind.taps.sum() == 1 << kind.bits
        assert (kind.taps == kind.taps[::-1]).all()
    ones = np.ones(100 * 1024, np.int64)  # full scale, limited
    assert model_ingress.decimate(ones).slow[-1] == model_ingress.CODE_MAX
    half = np.tile([1, 1, 1, 0], 100 * 256)
    assert model_ingress.decimate(half).slow[-1] == 1 << 22


def test_response_is_flat_where_it_must_be_and_stops_what_folds() -> None:
    band = np.arange(1.0, 2601.0)
    assert np.abs(model_ingress.response(band) - 1).max() < 3e-5
    assert np.abs(model_ingress.response(np.arange(45.0, 65.1, 0.1)) - 1).max() < 2e-6
    folding = np.concatenate([np.arange(k - 2600.0, k + 2601.0) for k in (8000.0, 16000.0, 24000.0)])
    assert 20 * math.log10(np.abs(model_ingress.response(folding)).max()) < -79


def test_half_bands_are_half_bands() -> None:
    for kind in (model_ingress.FIRST, model_ingress.SECOND):
        middle = kind.taps.size // 2
        even = np.arange(kind.taps.size) % 2 == middle % 2  # as far from the middle
        expected = np.where(np.arange(kind.taps.size) == middle, 1 << kind.bits - 1, 0)
        assert (kind.taps[even] == expected[even]).all()


@pytest.mark.parametrize("hz", [55.0, 2600.0])
def test_modulated_sine_comes_out_with_gain_and_delay_of_theory(hz: float) -> None:
    ((gain, delay_s, rest),) = ingress_figures.measured_response((hz,), 0.045)
    assert gain == pytest.approx(float(model_ingress.response([hz])[0]), abs=1e-5)  # of 260 samples of shaped noise
    late_s = (delay_s - model_ingress.delay_s() + 0.5 / hz) % (1 / hz) - 0.5 / hz  # a phase tells no whole periods
    assert late_s == pytest.approx(0.0, abs=0.5e-6)  # the modulator itself takes about two bits, 0.24 us
    assert 20 * math.log10(rest) < -110  # second order, 8.192 MHz into 4 kHz: -135 dB at 50 Hz, less where bits repeat


def test_what_folds_is_stopped_in_the_bits_too() -> None:
    (gain, *_), (other, *_) = ingress_figures.measured_response((6000.0, 13400.0), 0.03)
    assert 20 * math.log10(max(gain, other)) < -79


def test_sinc_is_the_moving_average_of_a_moving_average_of_a_moving_average() -> None:
    bits = np.random.default_rng(5).integers(0, 2, 64 * 40)
    signs = 2.0 * bits - 1
    for _ in range(3):
        signs = np.convolve(signs, np.full(64, 1 / 64))
    expected = signs[61::64][:40] * (1 << 23)  # two bits late
    assert model_ingress.sinc3(bits, 64).tolist() == pytest.approx(expected.tolist(), abs=1e-3)


def test_modulator_keeps_the_mean_of_what_it_is_given() -> None:
    for level in (-0.8, -0.31, 0.0, 0.5):
        bits = modulate_one(np.full(20000, level))
        assert np.mean(2.0 * bits - 1) == pytest.approx(level, abs=1e-3)  # two integrators bounded by a few steps
        assert (modulate(np.full((2000, 1), level))[:, 0] == bits[:2000]).all()


def test_power_failure_is_seen_in_time_behind_either_sinc() -> None:
    figures = ingress_figures.power_fail_figures(points=2)
    assert figures["fast_tap_losses"] == figures["direct_8_khz_losses"] == 96
    assert figures["fast_tap_missed"] == figures["direct_8_khz_missed"] == 0
    assert float(str(figures["fast_tap_delay_ms_max"])) <= 2.0
    assert float(str(figures["direct_8_khz_delay_ms_max"])) <= 2.25


@pytest.mark.slow
def test_power_failure_is_seen_in_time_at_16_points_on_wave() -> None:
    figures = ingress_figures.power_fail_figures(points=16)
    assert figures["fast_tap_missed"] == figures["direct_8_khz_missed"] == 0
    assert float(str(figures["fast_tap_delay_ms_max"])) <= 2.0
    assert float(str(figures["direct_8_khz_delay_ms_max"])) <= 2.25
