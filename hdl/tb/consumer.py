"""A load on the compiled front-end: steady voltage and current in, errors of energies and RMS out."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from hdl import scaling
from hdl.driver import FrontEnd, Measurement, Power
from hdl.regs.generated import regs
from hdl.sim.frontend import CompiledFrontEnd
from hdl.tb.corpus import RATE_HZ, steady, times_s

NOMINAL_V, MAX_A = 100.0, 120.0


def volt_codes(wave: npt.NDArray[np.float64]) -> npt.NDArray[np.int32]:
    """Return codes of a wave in units of the nominal peak."""
    return scaling.codes_from_volts(wave * NOMINAL_V * 2**0.5)[0]


def amp_codes(wave: npt.NDArray[np.float64]) -> npt.NDArray[np.int32]:
    """Return codes of a wave in units of the largest current's peak."""
    return scaling.codes_from_amps(wave * MAX_A * 2**0.5, MAX_A)[0]


def read_half_cycles(
    board: CompiledFrontEnd, volts: npt.NDArray[np.int32], amps: npt.NDArray[np.int32]
) -> list[tuple[int, Measurement, Power]]:
    """Push everything and return (sample, values, powers) of each publication."""
    driver = FrontEnd(board, max_a=MAX_A)
    seen, at = [], 0
    board.write32(regs.IRQ_STATUS, 0xF)
    board.write32(regs.IRQ_ENABLE, regs.IRQ_ENABLE_HALF_CYCLE_MASK)
    while at < len(volts):
        at += board.push(volts[at:], stop_on_irq=True, currents=amps[at:])
        if "half_cycle" in driver.take_interrupts():
            seen.append((at - 1, driver.measure(), driver.power()))
    return seen


def energy_errors(
    hz: float, level: float, lag_rad: float, harmonics: dict[int, float], settle: int = 6000
) -> dict[str, float]:
    """Return errors of energies and RMS over one second behind ``settle`` samples, relative to S and to P."""
    board = CompiledFrontEnd()
    angle = 2 * np.pi * hz * times_s(settle + 9600) + 0.4
    seen = read_half_cycles(board, volt_codes(steady(angle, harmonics)), amp_codes(level * steady(angle - lag_rad, {})))
    board.close()
    kept = [entry for entry in seen if entry[0] >= settle]
    (_, start, before), *_, (_, end, after) = kept[: len(kept) - (len(kept) + 1) % 2]  # whole cycles
    hours = (end.half_cycle_end - start.half_cycle_end) / RATE_HZ / 3600
    full_va = NOMINAL_V * MAX_A * level
    active = (after.forward_wh - before.forward_wh - after.reverse_wh + before.reverse_wh) / hours / full_va
    reactive = (after.lagging_varh - before.lagging_varh - after.leading_varh + before.leading_varh) / hours / full_va
    amps = math.sqrt(sum(power.i_rms_half_a**2 for *_, power in kept) / len(kept))
    return {
        "active": active / math.cos(lag_rad) - 1 if abs(math.cos(lag_rad)) > 0.1 else active,
        "reactive": reactive - math.sin(lag_rad),
        "irms": amps / (MAX_A * level) - 1,
    }
