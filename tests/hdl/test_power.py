"""Current, powers and energies of the compiled RTL, against theory and the integer model."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from hdl import scaling
from hdl.driver import EVENT_KINDS, FrontEnd, Power
from hdl.model import FrontEndModel
from hdl.model_meter import Energies, Measured
from hdl.regs.generated import regs
from hdl.sim.frontend import CompiledFrontEnd
from hdl.tb.consumer import MAX_A, amp_codes, energy_errors, read_half_cycles, volt_codes
from hdl.tb.corpus import FIFTH_SEVENTH, PLAIN, RATE_HZ, steady, times_s
from teiden.errors import InputError

ENERGY_BAR = 5e-4  # issue 3: 0.05 % over 10 000:1, PF 1 and 0.5
RMS_BAR = 2e-4  # issue 3: 0.02 % over 1 000:1


@pytest.mark.parametrize("lag_rad", [0.0, math.pi / 3, -math.pi / 3], ids=["pf1", "pf0.5lag", "pf0.5lead"])
@pytest.mark.parametrize("level", [1.0, 1e-2, 1e-3, 1e-4])
@pytest.mark.parametrize(("hz", "harmonics"), [(50.0, PLAIN), (45.3, PLAIN), (59.9, FIFTH_SEVENTH), (65.0, PLAIN)])
def test_energy_over_10000_to_1(hz: float, harmonics: dict[int, float], level: float, lag_rad: float) -> None:
    errors = energy_errors(hz, level, lag_rad, harmonics)
    assert abs(errors["active"]) <= ENERGY_BAR
    assert abs(errors["reactive"]) <= ENERGY_BAR
    if level >= 1e-3:
        assert abs(errors["irms"]) <= RMS_BAR


def test_signs_of_active_and_reactive_power() -> None:
    for lag_rad, active, reactive in ((0.5, 1, 1), (-0.5, 1, -1), (math.pi - 0.5, -1, 1), (math.pi + 0.5, -1, -1)):
        board = CompiledFrontEnd()
        angle = 2 * np.pi * 50 * times_s(4000)
        *_, (_, _, power) = read_half_cycles(board, volt_codes(np.sin(angle)), amp_codes(0.5 * np.sin(angle - lag_rad)))
        board.close()
        # sin positive: the current lags. A cycle is good to 1e-4 before the DC removal works.
        assert power.p_w == pytest.approx(6000 * math.cos(lag_rad), abs=1)
        assert power.q_var == pytest.approx(6000 * math.sin(lag_rad), abs=1)
        assert power.s_va == pytest.approx(6000, abs=1)
        assert (power.forward_wh > power.reverse_wh) == (active > 0)
        assert (power.lagging_varh > power.leading_varh) == (reactive > 0)


def test_offsets_of_both_channels_are_gone_after_half_a_second() -> None:
    board = CompiledFrontEnd()
    angle = 2 * np.pi * 50 * times_s(9000)
    seen = read_half_cycles(board, volt_codes(np.sin(angle) + 0.02), amp_codes(0.01 * np.sin(angle) + 0.05))
    board.close()
    *_, (_, _, power) = seen
    assert power.p_w == pytest.approx(120, rel=ENERGY_BAR)  # offsets alone make 24 W
    assert power.i_rms_half_a == pytest.approx(1.2, rel=1e-3)  # what is left of an offset five times as large


def test_voltage_alone_has_no_power(board: CompiledFrontEnd) -> None:
    board.push(volt_codes(np.sin(2 * np.pi * 50 * times_s(6000))))
    assert FrontEnd(board).power() == Power(*[0.0] * 9)


def test_run_counts_every_sample_but_the_newest_eight(board: CompiledFrontEnd) -> None:
    rng = np.random.default_rng(3)
    volts, amps = rng.integers(-4_000_000, 4_000_000, (2, 500))
    board.push(volts, currents=amps)
    found = FrontEnd(board, max_a=MAX_A).power().run_ws
    exact = float(np.sum(volts[:-8].astype(object) * amps[:-8]))
    unit = 1 / (scaling.CODES_PER_VOLT * scaling.codes_per_amp(MAX_A) * RATE_HZ)
    assert -492 * 256 * unit <= found - exact * unit <= 0  # each product is rounded down to 2^8 squared codes


def wild(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return voltage and current with everything: drift, losses of every length, turns, full scale, offset."""
    rng = np.random.default_rng(seed)
    t_s = times_s(count)
    angle = 2 * np.pi * (50 * t_s + 0.5 * np.sin(3 * t_s))
    volts = steady(angle, FIFTH_SEVENTH) + rng.normal(0, 0.003, count)
    amps = 0.5 * np.sin(angle - 2 * np.sin(t_s * 9)) + 0.01
    for first in range(1500, count - 700, 900):
        volts[first : first + int(rng.integers(3, 500))] *= rng.choice([0.0, 0.01, 0.5, 0.85, 1.3])
    amps[count // 2 : count // 2 + 200] *= 4
    return volt_codes(volts), amp_codes(amps)


def old_registers(shown: tuple[Measured, Energies]) -> tuple[int, ...]:
    """Return IRMS_HALF, P, Q, S and the four energies as the registers have them."""
    cycle, energies = shown
    sides = (energies.forward, energies.reverse, energies.lagging, energies.leading)
    return (cycle.i1, cycle.p, cycle.q, cycle.s, *(side >> 8 for side in sides))


def test_every_published_value_and_event_is_the_models(board: CompiledFrontEnd) -> None:
    volts, amps = wild(16000, 5)
    model = FrontEndModel(quality_on=True)
    shown = []
    for volt, amp in zip(volts.tolist(), amps.tolist(), strict=True):
        model.push([volt], [amp])
        if len(shown) < len(model.measured):
            shown.append((model.meter.cycle, model.meter.shown.energies))
    driver = FrontEnd(board, max_a=MAX_A)
    driver.configure(50, 100, quality=True)
    seen, found, at = [], [], 0
    board.write32(regs.IRQ_ENABLE, regs.IRQ_ENABLE_HALF_CYCLE_MASK)
    while at < len(volts):
        at += board.push(volts[at:], stop_on_irq=True, currents=amps[at:])
        if "half_cycle" in driver.take_interrupts():
            board.write32(regs.SNAPSHOT, 1)
            words = [board.read32(regs.IRMS_HALF)]
            pairs = (regs.P_LO, regs.Q_LO, regs.S_LO, regs.E_FORWARD_LO, regs.E_REVERSE_LO, regs.E_LAGGING_LO)
            words += [scaling.signed_64(*board.read_block(low, 2).tolist()) for low in (*pairs, regs.E_LEADING_LO)]
            seen.append((at - 1, tuple(words)))
        found += [(event.kind, event.sample, event.extreme_v) for event in driver.events()]
    assert seen == [(at, old_registers(one)) for (at, _), one in zip(model.published, shown, strict=True)]
    assert len(seen) > 150
    expected = [
        (EVENT_KINDS[kind], at, scaling.volts_from_rms(model.extremes[k]) if k in model.extremes else None)
        for k, (kind, at, _) in enumerate(model.events)
    ]
    assert found == expected
    assert {"dip_start", "dip_end", "swell_start", "swell_end"} < {kind for kind, *_ in found}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_powers_do_not_depend_on_the_clocks_per_sample(seed: int, new_board: Callable[..., CompiledFrontEnd]) -> None:
    volts, amps = wild(8000, seed)
    traces = []
    for clocks in (64, 97, 200):
        board = new_board(clocks)
        FrontEnd(board).configure(50, 100, quality=True)
        traces.append((repr(read_half_cycles(board, volts, amps)), FrontEnd(board).events()))
    assert traces[0] == traces[1] == traces[2]


def test_dip_swell_and_interruption_carry_their_extreme(board: CompiledFrontEnd) -> None:
    driver = FrontEnd(board)
    driver.configure(50, 100, quality=True)
    level = np.repeat([1.0, 0.7, 1.0, 1.2, 1.0, 0.91, 1.09, 1.0, 0.0, 1.0], 1600)
    board.push(volt_codes(level * np.sin(2 * np.pi * 50 * times_s(level.size))))
    events = [event for event in driver.events() if not event.kind.startswith("power")]
    assert [event.kind for event in events] == [
        "dip_start", "dip_end", "swell_start", "swell_end", "dip_start", "interruption_start", "interruption_end",
        "dip_end"]  # fmt: skip
    extremes = [event.extreme_v for event in events]
    assert extremes[1] == pytest.approx(70, abs=0.05)
    assert extremes[3] == pytest.approx(120, abs=0.05)
    assert extremes[6] == extremes[7] == 0
    # One cycle reaches the threshold within 20 ms of the step, crossing and publication take 10 + 3 ms more;
    # after a loss the first crossing is up to 10 ms away and two whole half cycles must follow.
    for event, step in zip(events, (1, 2, 3, 4, 8, 8, 9, 9), strict=True):
        late_s = event.sample / RATE_HZ - 0.2 * step
        assert 0 < late_s <= (0.045 if step == 9 else 0.038)


def test_quality_events_come_only_when_asked_for(board: CompiledFrontEnd, driver: FrontEnd) -> None:
    level = np.repeat([1.0, 0.7, 1.2, 1.0], 1600)
    board.push(volt_codes(level * np.sin(2 * np.pi * 50 * times_s(level.size))))
    assert driver.events() == []


def test_current_at_the_rail_has_its_own_flag(board: CompiledFrontEnd, driver: FrontEnd) -> None:
    board.push([0, 0], currents=[scaling.CODE_MAX - 1, 0])
    assert not driver.status().current_saturated
    board.push([0, 0], currents=[0, scaling.CODE_MIN])
    assert driver.status().current_saturated
    assert not driver.status().saturated
    driver.clear_status()
    assert not driver.status().current_saturated


def test_other_number_of_currents_is_refused(board: CompiledFrontEnd) -> None:
    with pytest.raises(InputError, match="1 currents, expected one for each of 2 samples"):
        board.push([1, 2], currents=[1])
    with pytest.raises(InputError, match="currents reach 8388608"):
        board.push([1], currents=[1 << 23])
