"""Waveforms to try the power-fail detector on: losses it must see, disturbances it must not.

Everything is in units of the nominal peak and sampled at 8 kS/s. A case is a steady voltage that
changes at one instant; cases are laid end to end, so each starts with time for the detector to
become ready again.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

RATE_HZ = 8000
Wave = npt.NDArray[np.float64]
PLAIN: dict[int, float] = {}
FIFTH_SEVENTH = {5: 0.05, 7: 0.05}
FLAT_TOP = {3: 0.065, 5: -0.04, 7: 0.02}  # 7.9 % THD, as behind rectifiers: each takes off at the crest


class Case(NamedTuple):
    """One waveform: ``change_s`` is the instant of loss or disturbance from its first sample."""

    name: str
    wave: Wave
    change_s: float
    mark_s: float | None = None  # instant from which the delay counts, where it is not the change


def times_s(count: int) -> Wave:
    """Return the instants of ``count`` samples [s], (count,)."""
    return np.arange(count) / RATE_HZ


def steady(angle: Wave, harmonics: dict[int, float]) -> Wave:
    """Return a sine of peak 1 with harmonics in phase with it, (n,), from its angle [rad]."""
    wave = np.sin(angle)
    for order, share in harmonics.items():
        wave = wave + share * np.sin(order * angle)
    return wave


def change_at(hz: float, point: float, before_s: float) -> float:
    """Return the first instant after ``before_s`` at which a sine starting at 0 is ``point`` (0..1) into a cycle."""
    return float((np.floor(before_s * hz) + 1 + point) / hz)


def loss(
    hz: float, point: float, residual: float, level: float, harmonics: dict[int, float], before_s: float, after_s: float
) -> Case:
    """Return a fall from ``level`` to ``residual`` of nominal, ``point`` of a cycle after a zero crossing."""
    change_s = change_at(hz, point, before_s)
    t_s = times_s(int((change_s + after_s) * RATE_HZ))
    wave = steady(2 * np.pi * hz * t_s, harmonics) * np.where(t_s < change_s, level, residual)
    return Case(f"loss {hz:g} Hz point {point:.3f} to {residual:g} from {level:g} {harmonics}", wave, change_s)


def losses(
    hz: Iterable[float],
    points: int,
    residuals: Iterable[float],
    levels: Iterable[float],
    before_s: float = 0.13,
    waveforms: Iterable[dict[int, float]] = (PLAIN, FIFTH_SEVENTH),
) -> Iterator[Case]:
    """Yield losses over frequency, point on wave, residual, level and harmonics."""
    grid = itertools.product(hz, np.arange(points) / points, residuals, levels, waveforms)
    for one_hz, point, residual, level, harmonics in grid:
        yield loss(one_hz, float(point), residual, level, harmonics, before_s, after_s=0.03)


def dip(hz: float, point: float, residual: float, cycles: float, harmonics: dict[int, float], before_s: float) -> Case:
    """Return a dip from 1 to ``residual`` for a number of cycles."""
    change_s = change_at(hz, point, before_s)
    t_s = times_s(int((change_s + (cycles + 2) / hz) * RATE_HZ))
    inside = (t_s >= change_s) & (t_s < change_s + cycles / hz)
    wave = steady(2 * np.pi * hz * t_s, harmonics) * np.where(inside, residual, 1.0)
    return Case(f"dip {hz:g} Hz point {point:.3f} to {residual:g} for {cycles:g} cycles {harmonics}", wave, change_s)


def phase_jump(hz: float, point: float, degrees: float, harmonics: dict[int, float], before_s: float) -> Case:
    """Return a jump of the phase."""
    change_s = change_at(hz, point, before_s)
    t_s = times_s(int((change_s + 3 / hz) * RATE_HZ))
    angle = 2 * np.pi * hz * t_s + np.where(t_s < change_s, 0.0, np.radians(degrees))
    return Case(f"phase jump {hz:g} Hz point {point:.3f} by {degrees:g} deg", steady(angle, harmonics), change_s)


def frequency_step(hz: float, point: float, to_hz: float, harmonics: dict[int, float], before_s: float) -> Case:
    """Return a step of the frequency without a jump of the phase."""
    change_s = change_at(hz, point, before_s)
    t_s = times_s(int((change_s + 5 / hz) * RATE_HZ))
    late_s = np.maximum(t_s - change_s, 0.0)
    angle = 2 * np.pi * (hz * t_s + (to_hz - hz) * late_s)
    return Case(f"frequency step {hz:g} to {to_hz:g} Hz point {point:.3f}", steady(angle, harmonics), change_s)


def ring(hz: float, point: float, ring_hz: float, peak: float, harmonics: dict[int, float], before_s: float) -> Case:
    """Return an added oscillation that starts at ``peak`` and decays with a time constant of 3 ms."""
    change_s = change_at(hz, point, before_s)
    t_s = times_s(int((change_s + 3 / hz) * RATE_HZ))
    late_s = np.maximum(t_s - change_s, 0.0)
    added = peak * np.exp(-late_s / 3e-3) * np.sin(2 * np.pi * ring_hz * late_s)
    wave = steady(2 * np.pi * hz * t_s, harmonics) + added
    return Case(f"ring {ring_hz:g} Hz of {peak:g} on {hz:g} Hz point {point:.3f}", wave, change_s)


def disturbances(hz: Iterable[float], points: int, before_s: float = 0.06) -> Iterator[Case]:
    """Yield everything that is no power failure: dips to 70 % and above, swells, jumps, steps, rings, harmonics."""
    for one_hz, place, harmonics in itertools.product(hz, range(points), (PLAIN, FIFTH_SEVENTH)):
        point = place / points
        for residual, cycles in ((0.7, 0.5), (0.7, 1), (0.7, 2.3), (0.8, 1.6), (0.9, 3), (1.1, 2), (1.2, 1)):
            yield dip(one_hz, point, residual, cycles, harmonics, before_s)
        for degrees in (-30, -15, 15, 30):
            yield phase_jump(one_hz, point, degrees, harmonics, before_s)
        for step_hz in (-1.0, 1.0):
            yield frequency_step(one_hz, point, one_hz + step_hz, harmonics, before_s)
        for ring_hz in (300, 500, 900, 1500):
            for peak in (-0.8, 0.8):
                yield ring(one_hz, point, ring_hz, peak, harmonics, before_s)
