"""Two elements of the compiled RTL: accuracy, wiring, calibration, quadrants, no-load, pulses, and the model."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from hdl.driver import FrontEnd
from hdl.metering import Meter
from hdl.model import FrontEndModel
from hdl.model_meter import Calibration, Energies, Measured, MeterSettings, PulseSettings, Shown
from hdl.regs.generated import regs
from hdl.sim.frontend import CompiledFrontEnd
from hdl.tb.consumer import MAX_A, NOMINAL_V
from hdl.tb.corpus import RATE_HZ
from hdl.tb.two_loads import Phasor, errors, pair, read_meter, rows, to_codes
from teiden.errors import InputError

ENERGY_BAR, RMS_BAR = 5e-4, 2e-4  # issue's figures: 0.05 % over 10 000:1, 0.02 % over 1 000:1
FIFTH_SEVENTH = ((5, 0.05), (7, 0.05))
# A steady cycle behind the DC removal; what is left of the start fades with 0.5 s (docs/front-end.md).
SETTLED = 8000
CYCLE_TOLERANCE = 3e-4


def last_meter(board: CompiledFrontEnd, samples: np.ndarray) -> Meter:
    """Push everything and return the last publication."""
    *_, (_, _, meter) = read_meter(board, samples)
    return meter


@pytest.mark.parametrize("lag_rad", [0.0, math.pi / 3, -math.pi / 3], ids=["pf1", "pf0.5lag", "pf0.5lead"])
@pytest.mark.parametrize("level", [1.0, 1e-4])
@pytest.mark.parametrize(("hz", "harmonics"), [(45.0, FIFTH_SEVENTH), (60.0, ()), (64.7, FIFTH_SEVENTH)])
def test_energy_of_both_elements_over_10000_to_1(hz: float, harmonics: tuple, level: float, lag_rad: float) -> None:
    found = errors(hz, pair(level, lag_rad, harmonics))
    assert abs(found["active"]) <= ENERGY_BAR
    names = ("u1", "u2", "i1", "i2") if level >= 1e-2 else ("u1", "u2")
    for name in names:
        assert abs(found[name]) <= RMS_BAR, name


@pytest.mark.parametrize("hz", [45.0, 52.3, 65.0])
def test_currents_and_voltages_over_1000_to_1(hz: float) -> None:
    small = (Phasor(NOMINAL_V / 1e3), Phasor(MAX_A / 1e3, 0.5), Phasor(NOMINAL_V), Phasor(MAX_A, 0.5))
    turned = (small[2], small[3], small[0], small[1])  # u1 gives the windows, so it must be there
    found = errors(hz, turned)
    for name in ("u1", "i1", "u2", "i2"):
        assert abs(found[name]) <= RMS_BAR, name


@pytest.mark.slow
@pytest.mark.parametrize("lag_rad", [0.0, math.pi / 3])
def test_energy_with_noise_of_100_db_over_two_minutes(lag_rad: float) -> None:
    # -100 dB of the full-scale sine's RMS. Full energy range; the standard deviation of u i over 960 000 samples
    # is 0.006 % at 1/10 000 and PF 1 (theory), so 0.1 % is far outside.
    noise = (1 << 23) / math.sqrt(2) * 1e-5
    found = errors(50.0, pair(1e-4, lag_rad, ()), seconds=120, noise_codes=noise, seed=9)
    assert abs(found["active"]) <= 1e-3


def test_single_phase_three_wire_line_voltage_and_neutral(board: CompiledFrontEnd) -> None:
    front_end = FrontEnd(board, max_a=MAX_A)
    front_end.set_wiring("single-phase-3-wire")
    phasors = (Phasor(101), Phasor(30, 0.3), Phasor(99), Phasor(50, -0.4))
    meter = last_meter(board, rows(50, phasors, SETTLED))
    assert meter.whole
    assert meter.u_line_rms_v == pytest.approx(200, rel=CYCLE_TOLERANCE)
    # neutral: |30 at -0.3 rad less 50 at +0.4 rad|
    neutral = abs(30 * np.exp(-0.3j) - 50 * np.exp(0.4j))
    assert meter.i_common_rms_a == pytest.approx(neutral, rel=CYCLE_TOLERANCE)
    p_w = 101 * 30 * math.cos(0.3) + 99 * 50 * math.cos(0.4)
    q_var = 101 * 30 * math.sin(0.3) - 99 * 50 * math.sin(0.4)
    s_va = 101 * 30 + 99 * 50
    for found, expected in zip(meter.total, (p_w, q_var, s_va), strict=True):
        assert found == pytest.approx(expected, rel=CYCLE_TOLERANCE, abs=CYCLE_TOLERANCE * s_va)
    assert meter.total.power_factor == pytest.approx(p_w / s_va, abs=CYCLE_TOLERANCE)
    assert front_end.power().p_w == meter.total.p_w
    for element, volts, amps, lag in zip(meter.elements, (101, 99), (30, 50), (0.3, -0.4), strict=True):
        assert element.u_rms_v == pytest.approx(volts, rel=CYCLE_TOLERANCE)
        assert element.i_rms_a == pytest.approx(amps, rel=CYCLE_TOLERANCE)
        assert element.load.p_w == pytest.approx(volts * amps * math.cos(lag), rel=CYCLE_TOLERANCE)
        assert element.load.q_var == pytest.approx(volts * amps * math.sin(lag), rel=CYCLE_TOLERANCE)
        assert element.load.s_va == pytest.approx(volts * amps, rel=CYCLE_TOLERANCE)


@pytest.mark.parametrize("lag_rad", [0.0, 0.5, -1.0])
def test_three_phase_three_wire_by_two_elements(lag_rad: float, board: CompiledFrontEnd) -> None:
    """A balanced load: P = sqrt(3) U I cos, third line voltage U, common line's current I."""
    FrontEnd(board, max_a=MAX_A).set_wiring("three-phase-3-wire")
    u, i = 100.0, 40.0
    # R, S, T 120 degrees apart; u1 = R - S leads R by 30 degrees, u2 = T - S leads T by -30 degrees.
    third = 2 * math.pi / 3
    phasors = (
        Phasor(u, -math.pi / 6),
        Phasor(i, lag_rad),
        Phasor(u, 2 * third + math.pi / 6),
        Phasor(i, 2 * third + lag_rad),
    )
    meter = last_meter(board, rows(60, phasors, SETTLED))
    full = math.sqrt(3) * u * i
    assert meter.total.p_w == pytest.approx(full * math.cos(lag_rad), rel=CYCLE_TOLERANCE)
    assert meter.total.q_var == pytest.approx(full * math.sin(lag_rad), abs=CYCLE_TOLERANCE * full)
    assert meter.total.s_va == pytest.approx(full, rel=CYCLE_TOLERANCE)
    assert meter.u_line_rms_v == pytest.approx(u, rel=CYCLE_TOLERANCE)
    assert meter.i_common_rms_a == pytest.approx(i, rel=CYCLE_TOLERANCE)


def test_quadrants_and_directions_add_up(board: CompiledFrontEnd) -> None:
    FrontEnd(board, max_a=MAX_A).set_wiring("single-phase-3-wire")
    lags = (0.6, math.pi - 0.6, math.pi + 0.6, -0.6)  # quadrants I to IV
    parts = [rows(50, (Phasor(100), Phasor(20, lag), Phasor(100), Phasor(10, lag)), 8000) for lag in lags]
    meter = last_meter(board, np.concatenate([*parts, rows(50, (Phasor(100), *[Phasor(0)] * 3), 400)]))
    each_varh = 3000 * math.sin(0.6) / 3600
    # A change of the angle falls into one half cycle, and the reactive window is 3.6 ms behind: 2 % of 1 s.
    for found in meter.quadrant_varh:
        assert found == pytest.approx(each_varh, rel=0.02)
    power = FrontEnd(board, max_a=MAX_A).power()
    one, two, three, four = meter.quadrant_varh
    assert power.lagging_varh == pytest.approx(one + two, abs=1e-9)
    assert power.leading_varh == pytest.approx(three + four, abs=1e-9)
    assert power.forward_wh == pytest.approx(2 * 3000 * math.cos(0.6) / 3600, rel=0.02)
    assert power.reverse_wh == pytest.approx(power.forward_wh, rel=0.02)
    assert meter.apparent_vah == pytest.approx(4 * 3000 / 3600, rel=0.02)
    # Both elements turn together, so the sum of the elements is the sum's energy but for each rounding.
    assert sum(element.forward_wh for element in meter.elements) == pytest.approx(power.forward_wh, rel=1e-3)


def test_elements_that_turn_opposite_ways_count_apart(board: CompiledFrontEnd) -> None:
    FrontEnd(board, max_a=MAX_A).set_wiring("single-phase-3-wire")
    meter = last_meter(board, rows(50, (Phasor(100), Phasor(20), Phasor(100), Phasor(5, math.pi)), SETTLED))
    first, second = meter.elements
    assert (first.reverse_wh, second.forward_wh) == (0, 0)
    assert second.reverse_wh == pytest.approx(first.forward_wh / 4, rel=1e-3)
    net = FrontEnd(board, max_a=MAX_A).power()
    assert net.reverse_wh == 0
    assert net.forward_wh == pytest.approx(first.forward_wh - second.reverse_wh, rel=1e-3)


def test_without_a_second_element_it_reads_zero_and_the_totals_are_the_first(board: CompiledFrontEnd) -> None:
    meter = last_meter(board, rows(50, (Phasor(100), Phasor(10), Phasor(100), Phasor(10)), SETTLED)[:, :2])
    assert meter.elements[1] == (0, 0, (0, 0, 0), 0, 0)
    assert meter.total == meter.elements[0].load
    assert meter.i_common_rms_a == meter.elements[0].i_rms_a


@pytest.mark.parametrize(("amps", "counts"), [(0.019, False), (0.021, True)])
def test_no_load_threshold_holds_the_energy_back(amps: float, counts: bool, board: CompiledFrontEnd) -> None:
    front_end = FrontEnd(board, max_a=MAX_A)
    front_end.set_no_load(active_w=1.0, reactive_var=1.0)
    lag = math.pi / 3  # 0.95 or 1.05 W, and 1.65 or 1.8 var
    meter = last_meter(board, rows(50, (Phasor(100), Phasor(amps, lag), Phasor(0), Phasor(0)), 2 * RATE_HZ))
    through_wh = 100 * amps * math.cos(lag) * 2 / 3600
    found = front_end.power()
    # The first half cycle starts at reset, in the middle of a sine: it may count by itself.
    assert found.forward_wh == pytest.approx(through_wh if counts else 0, abs=0.02 * through_wh)
    assert meter.elements[0].forward_wh == found.forward_wh
    assert found.lagging_varh == pytest.approx(through_wh * math.tan(lag), rel=0.02)
    assert meter.apparent_vah == pytest.approx(through_wh / math.cos(lag), rel=0.02)  # one of the two is above
    assert found.run_ws == pytest.approx(through_wh * 3600, rel=0.02)


def test_calibration_takes_off_gain_offset_and_phase_errors(board: CompiledFrontEnd) -> None:
    """A current transformer 3 % low and 40 us early, a divider 1 % high with an offset, a channel turned round."""
    front_end = FrontEnd(board, max_a=MAX_A)
    front_end.set_wiring("single-phase-3-wire")
    hz, early_s, lag = 50.0, 40e-6, math.pi / 3
    front_end.calibrate("i1", gain=1 / 0.97, delay_s=early_s, nominal_hz=hz)
    front_end.calibrate("u1", gain=1 / 1.01, offset=-3.0)
    front_end.calibrate("i2", gain=-1.0)
    w = 2 * math.pi * hz
    phasors = (Phasor(101), Phasor(50 * 0.97, lag - w * early_s), Phasor(100), Phasor(20, math.pi))
    samples = rows(hz, phasors, SETTLED)
    samples[:, 0] += to_codes([np.full(1, 3.0), np.zeros(1), np.zeros(1), np.zeros(1)])[0, 0]
    first, second = last_meter(board, samples).elements
    assert first.u_rms_v == pytest.approx(100, rel=CYCLE_TOLERANCE)
    assert first.i_rms_a == pytest.approx(50, rel=CYCLE_TOLERANCE)
    assert first.load.p_w == pytest.approx(2500, rel=CYCLE_TOLERANCE)  # 2.2 % off before
    assert first.load.q_var == pytest.approx(5000 * math.sin(lag), rel=CYCLE_TOLERANCE)
    assert second.load.p_w == pytest.approx(2000, rel=CYCLE_TOLERANCE)
    assert not front_end.status().clipped


def test_all_pass_delays_by_what_is_asked_and_keeps_the_size(new_board: Callable[..., CompiledFrontEnd]) -> None:
    hz = 60.0
    for delay_s in (-80e-6, 1e-6, 240e-6):
        board = new_board()
        front_end = FrontEnd(board, max_a=MAX_A)
        front_end.calibrate("i1", delay_s=delay_s, nominal_hz=hz)
        load = last_meter(board, rows(hz, (Phasor(100), Phasor(40), Phasor(0), Phasor(0)), SETTLED)).elements[0].load
        # Q17 of the coefficient is 0.02 us; a cycle is good to 1e-4 of S.
        assert math.atan2(load.q_var, load.p_w) / (2 * math.pi * hz) == pytest.approx(delay_s, abs=0.5e-6)
        assert math.hypot(load.q_var, load.p_w) == pytest.approx(4000, rel=CYCLE_TOLERANCE)


def test_sample_beyond_full_scale_after_calibration_is_flagged(board: CompiledFrontEnd) -> None:
    front_end = FrontEnd(board, max_a=MAX_A)
    board.push(rows(50, (Phasor(150), *[Phasor(0)] * 3), 200))
    assert not front_end.status().clipped
    front_end.calibrate("u1", gain=1.9)
    board.push(rows(50, (Phasor(150), *[Phasor(0)] * 3), 200))
    assert front_end.status().clipped
    front_end.clear_status()
    assert not front_end.status().clipped


@pytest.mark.parametrize("place", [2, 3])
def test_each_channel_has_its_own_saturation_flag(place: int, board: CompiledFrontEnd) -> None:
    front_end = FrontEnd(board)
    samples = np.zeros((2, 4), np.int64)
    samples[0, place] = -(1 << 23)
    board.push(samples)
    status = front_end.status()
    flags = (status.saturated, status.current_saturated, status.u2_saturated, status.i2_saturated)
    assert flags == tuple(k == place for k in range(4))


@pytest.mark.parametrize(("source", "lag"), [("active", 0.0), ("active", 3.0), ("reverse", 3.0), ("reactive", 1.2)])
def test_pulses_are_the_energy(source: str, lag: float, board: CompiledFrontEnd) -> None:
    front_end = FrontEnd(board, max_a=MAX_A)
    front_end.set_wiring("single-phase-3-wire")
    front_end.set_pulses(100_000, source, width_s=0.002)
    board.push(rows(50, (Phasor(100), Phasor(60, lag), Phasor(100), Phasor(30, lag)), 3 * RATE_HZ))
    power = front_end.power()
    energy_wh = power.forward_wh + power.reverse_wh
    if source == "reactive":
        energy_wh = power.lagging_varh + power.leading_varh
    # At the start a cycle must be complete before pulses begin: 30 ms of 3 s, and one pulse is not yet full.
    assert front_end.pulse_count == pytest.approx(energy_wh * 100, rel=0.015, abs=1)
    assert not front_end.status().pulse_late


def test_pulses_of_the_other_direction_are_not_given(board: CompiledFrontEnd) -> None:
    front_end = FrontEnd(board, max_a=MAX_A)
    front_end.set_pulses(100_000, "forward", width_s=0.002)
    board.push(rows(50, (Phasor(100), Phasor(60, math.pi), Phasor(0), Phasor(0)), RATE_HZ))
    assert front_end.pulse_count == 0


def test_pulses_that_come_late_are_told_and_not_lost(board: CompiledFrontEnd) -> None:
    front_end = FrontEnd(board, max_a=MAX_A)
    front_end.set_pulses(100_000, width_s=0.08)  # 6 kW: 167 a second for a width of 6
    board.push(rows(50, (Phasor(100), Phasor(60), Phasor(0), Phasor(0)), 2000))
    assert front_end.status().pulse_late
    given = front_end.pulse_count
    board.push(np.zeros((4000, 4), np.int32))
    assert front_end.pulse_count - given == 3  # half a second, one each 0.16 s


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda driver: driver.set_wiring("delta"), "wiring = 'delta', expected one of single-phase-2-wire"),
        (lambda driver: driver.calibrate("u3"), "channel = 'u3', expected one of u1, i1, u2, i2"),
        (lambda driver: driver.calibrate("u1", gain=2), "gain = 2, expected -2 to below 2"),
        (lambda driver: driver.calibrate("u1", gain=math.nan), "gain = nan"),
        (lambda driver: driver.calibrate("i1", offset=300), "offset = 300, expected within full scale, 203.6"),
        (lambda driver: driver.calibrate("u1", delay_s=1e-3), "delay_s = 0.001, expected -8.33e-05 to 0.00025"),
        (lambda driver: driver.set_no_load(active_w=-1), "active_w = -1, expected 0 to"),
        (lambda driver: driver.set_no_load(reactive_var=1e6), "reactive_var = 1e.06, expected 0 to"),
        (lambda driver: driver.set_pulses(1000, "both"), "source = 'both', expected one of active"),
        (lambda driver: driver.set_pulses(-1), "pulses_per_kwh = -1, expected 0 or more"),
        (lambda driver: driver.set_pulses(1000, width_s=9), "width_s = 9, expected 0.000125 to 8"),
        (lambda driver: driver.set_pulses(1e-9), "expected an energy within the 48 bits"),
    ],
)
def test_impossible_settings_are_refused(call: Callable[[FrontEnd], None], said: str, board: CompiledFrontEnd) -> None:
    before = board.read_block(regs.WIRING, 29).tolist()
    with pytest.raises(InputError, match=said):
        call(FrontEnd(board, max_a=MAX_A))
    assert board.read_block(regs.WIRING, 24).tolist() == before[:24]  # calibration and thresholds are what they were


def meter_words(shown: Shown) -> list[int]:
    """Return what METER must read for a publication of the model."""
    values: Measured = shown.values
    energies: Energies = shown.energies
    words = [int(shown.whole), values.u1, values.i1, values.u2, values.i2, values.line, values.common, 0]
    longs = [values.p1, values.q1, values.s1, values.p2, values.q2, values.s2, values.p, values.q, values.s]
    for value in (*longs, *(energy >> 8 for energy in energies[:9])):
        words += [value & 0xFFFFFFFF, value >> 32 & 0xFFFFFFFF]
    return words


def wild(seed: int, count: int) -> np.ndarray:
    """Return four channels, (n, 4), with drift, losses of every length, turns, full scale and offsets."""
    rng = np.random.default_rng(seed)
    t_s = np.arange(count) / RATE_HZ
    angle = 2 * np.pi * (50 * t_s + 0.5 * np.sin(3 * t_s))
    u1 = 4e6 * (np.sin(angle) + 0.05 * np.sin(5 * angle)) + rng.normal(0, 1e4, count) + 3e4
    for first in range(700, count - 700, 900):
        u1[first : first + int(rng.integers(3, 500))] *= rng.choice([0, 0.01, 0.5, 0.85, 1.3])
    i1 = 3e6 * np.sin(angle - 2 * np.sin(t_s * 9)) + 1e4
    u2 = 4e6 * np.sin(angle + rng.choice([0.1, 2.1]))
    i2 = 2.5e6 * np.sin(angle + 1 + 3 * np.sin(t_s * 5))
    i2[count // 2 : count // 2 + 300] *= 5
    return np.clip(np.rint(np.stack([u1, i1, u2, i2], 1)), -(1 << 23), (1 << 23) - 1).astype(np.int32)


def prepared(board: CompiledFrontEnd, settings: MeterSettings, pulses: PulseSettings) -> None:
    """Write the settings of a model to the registers."""
    for channel, calibration in zip(("U1", "I1", "U2", "I2"), settings.calibration, strict=True):
        for part, value, bits in zip(("GAIN", "OFFSET", "PHASE"), calibration, (24, 24, 17), strict=True):
            board.write32(getattr(regs, f"CAL_{channel}_{part}"), value & (1 << bits) - 1)
    board.write32(regs.WIRING, settings.wiring)
    board.write32(regs.NO_LOAD_P, settings.no_load_p)
    board.write32(regs.NO_LOAD_Q, settings.no_load_q)
    board.write32(regs.CF_ENERGY_LO, pulses.energy)
    board.write32(regs.CF_WIDTH, pulses.width)
    board.write32(regs.CF_CTRL, pulses.enable | pulses.source << regs.CF_CTRL_SOURCE_SHIFT)
    board.write32(regs.IRQ_ENABLE, regs.IRQ_ENABLE_HALF_CYCLE_MASK)


def traced(board: CompiledFrontEnd, samples: np.ndarray) -> list[tuple[int, list[int]]]:
    """Push everything and return sample and words of METER of each publication, and last the pulses and E_RUN."""
    driver, seen, at = FrontEnd(board), [], 0
    while at < len(samples):
        at += board.push(samples[at:], stop_on_irq=True)
        if "half_cycle" in driver.take_interrupts():
            board.write32(regs.SNAPSHOT, 1)
            seen.append((at - 1, board.read_block(regs.METER, 44).tolist()))
    board.write32(regs.SNAPSHOT, 1)
    rest = [board.read32(regs.CF_COUNT), *board.read_block(regs.E_RUN_LO, 2).tolist()]
    return [*seen, (len(samples), rest)]


@pytest.mark.parametrize("wiring", [0, 1, 2])
def test_every_word_of_the_results_is_the_models(wiring: int, board: CompiledFrontEnd) -> None:
    rng = np.random.default_rng(wiring)
    odd = [(int(rng.integers(-(1 << 23), 1 << 23)), int(rng.integers(-9999, 9999)), int(rng.integers(-65536, 65536)))
           for _ in range(4)]  # fmt: skip
    first, second, third, fourth = (Calibration(*one) for one in odd)
    settings = MeterSettings(wiring, 1 << 29, 1 << 28, (first, second, third, fourth))
    pulses = PulseSettings(True, 3 - wiring, 10**6, 3)
    model = FrontEndModel(meter_settings=settings, pulse_settings=pulses)
    samples = wild(wiring, 6000)
    model.push_rows(samples.tolist())
    prepared(board, settings, pulses)
    *seen, (_, (count, low, high)) = traced(board, samples)
    assert len(seen) > 60
    expected = [(at, meter_words(shown)) for (at, _), shown in zip(model.published, model.measured, strict=True)]
    assert seen == expected
    assert count == model.pulse.count > 100
    assert low | high << 32 == model.meter.total & (1 << 64) - 1


def check_traces(samples: np.ndarray, clocks: tuple[int, ...], new_board: Callable[..., CompiledFrontEnd]) -> None:
    traces = []
    for each in clocks:
        board = new_board(each)
        prepared(board, MeterSettings(2, 1000, 1000), PulseSettings(True, 0, 10**7, 3))
        traced_words = traced(board, samples)
        assert not FrontEnd(board).status().overrun
        traces.append(traced_words)
    assert all(trace == traces[0] for trace in traces)
    assert len(traces[0]) > len(samples) // 100


def test_results_do_not_depend_on_the_clocks_per_sample(new_board: Callable[..., CompiledFrontEnd]) -> None:
    check_traces(wild(5, 4000), (64, 97), new_board)


@pytest.mark.slow
def test_results_are_the_same_at_50_mhz(new_board: Callable[..., CompiledFrontEnd]) -> None:
    check_traces(wild(6, 3000), (64, 6250), new_board)
