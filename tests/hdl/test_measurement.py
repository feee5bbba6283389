"""Half-cycle RMS and frequency of the compiled RTL, against theory and the integer model."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

import numpy as np
import pytest

from hdl import scaling
from hdl.driver import FrontEnd, Measurement
from hdl.model import FrontEndModel, Settings
from hdl.regs.generated import regs
from hdl.sim.frontend import CompiledFrontEnd
from hdl.tb.corpus import FIFTH_SEVENTH, PLAIN, steady, times_s
from hdl.tb.trial import codes, sine

URMS_TOLERANCE_V = 0.05  # 0.05 % of the nominal 100 V, the bar of HDL.md section 4
FREQUENCY_TOLERANCE_HZ = 5e-3  # the bar of HDL.md section 4


def half_cycles(board: CompiledFrontEnd, samples: np.ndarray) -> list[tuple[int, Measurement]]:
    """Push everything and return (sample of publication, values) of each half cycle."""
    driver = FrontEnd(board)
    seen, at = [], 0
    board.write32(regs.IRQ_STATUS, 0xF)
    board.write32(regs.IRQ_ENABLE, regs.IRQ_ENABLE_HALF_CYCLE_MASK)
    while at < len(samples):
        at += board.push(samples[at:], stop_on_irq=True)
        if "half_cycle" in driver.take_interrupts():
            seen.append((at - 1, driver.measure()))
    return seen


def test_reset_values_of_the_map_are_those_of_100_v_and_50_hz(board: CompiledFrontEnd, driver: FrontEnd) -> None:
    fresh = CompiledFrontEnd()
    for name in vars(regs):
        if name.startswith(("DET_", "CROSS_")) and name.count("_") <= 2 and not name.endswith(("_MASK", "_SHIFT")):
            address = getattr(regs, name)
            if name in ("DET_STATE", "CROSS_LO", "CROSS_HI"):
                continue  # measured
            assert fresh.read32(address) == board.read32(address), name
    fresh.close()


@pytest.mark.parametrize("hz", [45.0, 49.8, 50.0, 53.7, 60.0, 60.2, 65.0])
@pytest.mark.parametrize("harmonics", [PLAIN, FIFTH_SEVENTH])
@pytest.mark.parametrize("level", [0.1, 1.0, 1.5])
def test_steady_voltage_and_frequency(
    hz: float, harmonics: dict[int, float], level: float, board: CompiledFrontEnd, driver: FrontEnd
) -> None:
    wave = level * steady(2 * np.pi * hz * times_s(3200) + 0.7, harmonics)
    true_v = 100 * level * math.sqrt(1 + sum(share**2 for share in harmonics.values()))
    settled = [values for at, values in half_cycles(board, codes(wave)) if at > 2400]  # ten cycles of 45 Hz and two
    assert len(settled) >= 7
    for values in settled:
        assert values.u_rms_half_v == pytest.approx(true_v, abs=URMS_TOLERANCE_V)
        assert values.u_half_v == pytest.approx(true_v, abs=URMS_TOLERANCE_V)
        assert values.frequency_hz == pytest.approx(hz, abs=FREQUENCY_TOLERANCE_HZ)


def test_half_cycles_end_at_the_zero_crossings_of_the_voltage(board: CompiledFrontEnd, driver: FrontEnd) -> None:
    # sin(2 pi 50 t + 0.7) crosses zero every 80 samples from (pi - 0.7) / 2 pi x 160 on.
    first = (math.pi - 0.7) / (2 * math.pi) * 160
    ends = [values.half_cycle_end for at, values in half_cycles(board, codes(sine(50, 0.3, phase=0.7))) if at > 400]
    assert len(ends) > 20
    for end in ends:
        assert (end - first) % 80 == pytest.approx(0, abs=0.001) or (end - first) % 80 == pytest.approx(80, abs=0.001)


def test_dc_offset_does_not_change_the_frequency(board: CompiledFrontEnd, driver: FrontEnd) -> None:
    half_cycles(board, codes(sine(50, 0.5) + 0.05))  # halves of 77.5 and 82.5 samples; ten full cycles cancel that
    assert driver.frequency_hz == pytest.approx(50, abs=FREQUENCY_TOLERANCE_HZ)


def test_frequency_with_60_db_noise(board: CompiledFrontEnd, driver: FrontEnd) -> None:
    # HDL.md section 7: 0.9 mHz of spread with the moving average; five times that at most in 60 values.
    noise = np.random.default_rng(11).normal(0, 1e-3 / 2**0.5, 8000)
    settled = [v.frequency_hz for at, v in half_cycles(board, codes(sine(50, 1) + noise)) if at > 2400]
    assert max(abs(hz - 50) for hz in settled) < FREQUENCY_TOLERANCE_HZ


def test_dip_shows_its_depth_once_a_full_cycle_lies_in_it(board: CompiledFrontEnd, driver: FrontEnd) -> None:
    wave = sine(50, 0.5)
    wave[1637:2437] *= 0.7  # five cycles, not from a crossing
    values = [v.u_rms_half_v for _, v in half_cycles(board, codes(wave))[5:]]
    assert min(values) == pytest.approx(70, abs=URMS_TOLERANCE_V)
    assert values[-1] == pytest.approx(100, abs=URMS_TOLERANCE_V)


def test_rms_falls_to_zero_on_the_fixed_cadence_when_the_voltage_is_gone(
    board: CompiledFrontEnd, driver: FrontEnd
) -> None:
    board.push(codes(sine(50, 0.3)))
    start = driver.measure().samples
    seen = half_cycles(board, np.zeros(800, np.int32))
    assert driver.status().crossing_lost
    assert math.isnan(driver.frequency_hz)
    assert seen[-1][1].u_rms_half_v == 0
    # 104 samples of time-out from the last crossing, two half cycles of 80, 16 to publication.
    assert min(at for at, values in seen if values.u_rms_half_v == 0) <= 104 + 2 * 80 + 16
    gaps = {late[0] - early[0] for early, late in zip(seen[-5:], seen[-4:], strict=False)}
    assert gaps == {80}
    assert start == 2400


@pytest.mark.parametrize("phase", [0.0, 1.0, 2.0, 4.5])
def test_no_value_after_a_loss_exceeds_the_voltage(phase: float, board: CompiledFrontEnd, driver: FrontEnd) -> None:
    # A window from a fixed boundary to the first crossing would weigh one crest too much (101 to 103 V).
    board.push(codes(sine(50, 0.3)))
    board.push(np.zeros(1000, np.int32))
    seen = [values.u_rms_half_v for _, values in half_cycles(board, codes(sine(50, 0.2, phase=phase)))]
    assert max(seen) <= 100 + URMS_TOLERANCE_V
    # 16 to publication of the third crossing after the return, the first being up to a half cycle away
    assert seen[4:] == [pytest.approx(100, abs=URMS_TOLERANCE_V)] * len(seen[4:])
    assert len(seen) > 8


def test_every_published_value_is_the_models(board: CompiledFrontEnd) -> None:
    """A stream with everything in it: drift, harmonics, noise, gaps, losses, full scale."""
    rng = np.random.default_rng(5)
    t_s = times_s(16000)
    wave = 1.2 * steady(2 * np.pi * (50 * t_s + 0.5 * np.sin(3 * t_s)), FIFTH_SEVENTH) + rng.normal(0, 0.01, 16000)
    wave[3000:3600] *= 0.02
    wave[5000:5007] = 0
    wave[7000:7400] = rng.normal(0, 0.5, 400)
    wave[9000:9400] = 2.5  # at the rail
    wave[11000:11300] = rng.normal(0, 0.004, 300)
    stream = codes(wave)
    model = FrontEndModel(Settings())
    model.push(stream.tolist())
    seen = half_cycles(board, stream)
    assert [at for at, _ in seen] == [at for at, _ in model.published]
    assert len(seen) > 180
    for (_, found), (_, expected) in zip(seen, model.published, strict=True):
        assert found.half_cycles == expected.half_cycles
        assert found.u_half_v == scaling.volts_from_rms(expected.u_half)
        assert found.u_rms_half_v == scaling.volts_from_rms(expected.urms)
        assert found.tracked_period_samples == expected.period
        assert found.half_cycle_end == expected.cross / 65536 - 7.5
        true_hz = 800000 * 6553.6 / expected.period10 if expected.period10 else math.nan
        assert found.frequency_hz == pytest.approx(true_hz, nan_ok=True, rel=1e-12)


def test_results_do_not_depend_on_the_clocks_per_sample(new_board: Callable[..., CompiledFrontEnd]) -> None:
    rng = np.random.default_rng(9)
    wave = sine(51.7, 1.0) + rng.normal(0, 0.01, 8000)
    wave[3000:3500] = rng.normal(0, 0.001, 500)
    wave[6000:6011] *= 0.2
    seen = []
    for clocks in (64, 97, 640):
        board = new_board(clocks)
        driver = FrontEnd(board)
        driver.configure(50)
        rows = half_cycles(board, codes(wave))
        driver.freeze_capture()
        first, volts = driver.read_capture()
        seen.append((repr(rows), driver.events(), first, volts.tobytes()))
    assert seen[0] == seen[1] == seen[2]
    assert len(seen[0][1]) == 3


def test_several_front_ends_run_in_threads_of_one_process() -> None:
    def run(hz: float, found: dict[float, float]) -> None:
        board = CompiledFrontEnd()
        board.push(codes(sine(hz, 1)))
        found[hz] = FrontEnd(board).frequency_hz
        board.close()

    found: dict[float, float] = {}
    threads = [threading.Thread(target=run, args=(hz, found)) for hz in (47.0, 50.0, 53.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    for hz, measured in found.items():
        assert measured == pytest.approx(hz, abs=FREQUENCY_TOLERANCE_HZ)
