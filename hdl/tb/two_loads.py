"""Two loads on the compiled front-end: known voltages and currents in, errors of what it reports out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hdl import scaling
from hdl.driver import FrontEnd
from hdl.metering import Meter
from hdl.regs.generated import regs
from hdl.sim.frontend import CompiledFrontEnd
from hdl.tb.consumer import MAX_A, NOMINAL_V
from hdl.tb.corpus import RATE_HZ

Samples = npt.NDArray[np.float64]


class Phasor(NamedTuple):
    """A steady voltage or current: RMS of its fundamental, its angle, and harmonics as shares of it."""

    rms: float
    lag_rad: float = 0.0
    harmonics: tuple[tuple[int, float], ...] = ()

    def wave(self, angle: Samples) -> Samples:
        """Return the instantaneous value, same shape as the angle [rad] of the fundamental at lag 0."""
        turned = angle - self.lag_rad
        parts = ((1, 1.0), *self.harmonics)
        return sum((self.rms * math.sqrt(2) * share * np.sin(order * turned) for order, share in parts), 0 * turned)

    @property
    def true_rms(self) -> float:
        """RMS with the harmonics."""
        return self.rms * math.sqrt(1 + sum(share**2 for _, share in self.harmonics))


def active_w(u: Phasor, i: Phasor) -> float:
    """Return the mean of u i [W]: the sum over common orders of U_h I_h cos of their angle."""
    shares = dict(i.harmonics) | {1: 1.0}
    lag = i.lag_rad - u.lag_rad
    parts = ((1, 1.0), *u.harmonics)
    return sum(u.rms * i.rms * share * shares.get(order, 0.0) * math.cos(order * lag) for order, share in parts)


def rows(
    hz: float, phasors: tuple[Phasor, Phasor, Phasor, Phasor], count: int, first: int = 0
) -> npt.NDArray[np.int32]:
    """Return ADC codes of u1, i1, u2, i2, (count, 4), rounded as an ideal ADC does."""
    angle = 2 * np.pi * hz * np.arange(first, first + count) / RATE_HZ + 0.4
    return to_codes([phasor.wave(angle) for phasor in phasors])


def to_codes(waves: list[Samples]) -> npt.NDArray[np.int32]:
    """Return ADC codes, (n, 4), of volts and amperes in turn."""
    codes = [
        scaling.codes_from_amps(wave, MAX_A)[0] if place % 2 else scaling.codes_from_volts(wave)[0]
        for place, wave in enumerate(waves)
    ]
    return np.stack(codes, axis=1)


def read_meter(board: CompiledFrontEnd, samples: npt.NDArray[np.int32]) -> Iterator[tuple[int, float, Meter]]:
    """Push everything and yield sample, end of the half cycle in samples and values of each publication."""
    driver = FrontEnd(board, max_a=MAX_A)
    board.write32(regs.IRQ_STATUS, 0xF)
    board.write32(regs.IRQ_ENABLE, regs.IRQ_ENABLE_HALF_CYCLE_MASK)
    at = 0
    while at < len(samples):
        at += board.push(samples[at:], stop_on_irq=True)
        if "half_cycle" in driver.take_interrupts():
            meter = driver.meter()
            yield at - 1, driver.measure().half_cycle_end, meter


def net_wh(meter: Meter) -> float:
    """Return the active energy of both elements, forward less reverse [Wh]."""
    return sum(element.forward_wh - element.reverse_wh for element in meter.elements)


def errors(
    hz: float,
    phasors: tuple[Phasor, Phasor, Phasor, Phasor],
    seconds: float = 1.0,
    settle: int = 6000,
    noise_codes: float = 0.0,
    seed: int = 1,
) -> dict[str, float]:
    """Return relative errors over whole cycles behind ``settle`` samples.

    ``active``: energy of both elements over the true power, ``u1, i1, u2, i2``: RMS; ``noise_codes`` is the
    standard deviation of white noise on every channel.
    """
    board = CompiledFrontEnd()
    FrontEnd(board, max_a=MAX_A).set_wiring("single-phase-3-wire")
    count = settle + round(seconds * RATE_HZ) + 800
    samples = rows(hz, phasors, count)
    if noise_codes:
        samples = samples + np.rint(np.random.default_rng(seed).normal(0, noise_codes, samples.shape)).astype(np.int32)
    seen = [entry for entry in read_meter(board, samples) if entry[0] >= settle]
    board.close()
    (_, start, before), *_, (_, end, after) = seen[: len(seen) - (len(seen) + 1) % 2]  # whole cycles
    power_w = (net_wh(after) - net_wh(before)) * 3600 / ((end - start) / RATE_HZ)
    true_w = active_w(phasors[0], phasors[1]) + active_w(phasors[2], phasors[3])
    found = {"active": power_w / true_w - 1}
    values = [(one.u_rms_v, one.i_rms_a, two.u_rms_v, two.i_rms_a) for *_, (_, (one, two), *_) in seen]
    roots = np.sqrt(np.mean(np.square(values), axis=0))
    for name, root, phasor in zip(("u1", "i1", "u2", "i2"), roots, phasors, strict=True):
        found[name] = float(root) / phasor.true_rms - 1
    return found


def pair(
    level: float, lag_rad: float, harmonics: tuple[tuple[int, float], ...]
) -> tuple[Phasor, Phasor, Phasor, Phasor]:
    """Return two loads of the same kind at different angles: 100 V, ``level`` times 120 A and half of it."""
    return (
        Phasor(NOMINAL_V, 0.0, harmonics),
        Phasor(MAX_A * level, lag_rad, harmonics),
        Phasor(NOMINAL_V, 0.02, harmonics),
        Phasor(MAX_A * level / 2, 0.02 + lag_rad, harmonics),
    )
