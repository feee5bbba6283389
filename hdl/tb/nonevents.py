"""What is no power failure: over 70,000 disturbances that the detector must let pass, 45 to 65 Hz.

Each family yields cases over frequency, point on wave and waveform; the voltage never has less than 70 % of
nominal for longer than a notch. Units and conventions as in `hdl.tb.corpus`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from hdl.tb.corpus import (
    FIFTH_SEVENTH,
    FLAT_TOP,
    PLAIN,
    Case,
    Wave,
    change_at,
    dip,
    frequency_step,
    phase_jump,
    ring,
    steady,
    times_s,
)

Harmonics = dict[int, float]
Change = Callable[[Wave, Wave, Wave], Wave]
WAVEFORMS: tuple[Harmonics, ...] = (PLAIN, FIFTH_SEVENTH, FLAT_TOP)
AFTER_CYCLES = 4


def changed(
    name: str,
    hz: float,
    point: float,
    harmonics: Harmonics,
    before_s: float,
    change: Callable[[Wave, Wave, Wave], Wave],
) -> Case:
    """Return a steady voltage that ``change`` makes another from the change on.

    ``change`` gets the steady wave, its angle [rad] and the time since the change [s, 0 before it].
    """
    change_s = change_at(hz, point, before_s)
    t_s = times_s(int((change_s + AFTER_CYCLES / hz) * 8000))
    angle = 2 * np.pi * hz * t_s
    late_s = np.maximum(t_s - change_s, 0.0)
    wave = change(steady(angle, harmonics), angle, late_s)
    return Case(f"{name} {hz:g} Hz point {point:.3f} {harmonics}", wave, change_s)


def step(hz: float, point: float, level: float, to: float, harmonics: Harmonics, before_s: float) -> Case:
    """Return a lasting step of the voltage."""
    return changed(f"step {level:g} to {to:g}", hz, point, harmonics, before_s,
                   lambda wave, angle, late_s: wave * np.where(late_s > 0, to, level))  # fmt: skip


def frequency_ramp(hz: float, point: float, hz_per_s: float, harmonics: Harmonics, before_s: float) -> Case:
    """Return a ramp of the frequency."""
    return changed(f"ramp {hz_per_s:g} Hz/s", hz, point, harmonics, before_s,
                   lambda wave, angle, late_s: steady(angle + np.pi * hz_per_s * late_s**2, harmonics))  # fmt: skip


def notches(
    hz: float, point: float, depth: float, width_s: float, per_cycle: int, harmonics: Harmonics, before_s: float
) -> Case:
    """Return commutation notches: ``per_cycle`` of them a cycle, each takes ``depth`` of the voltage off."""

    def cut(wave: Wave, angle: Wave, late_s: Wave) -> Wave:
        inside = (late_s > 0) & ((late_s * hz * per_cycle) % 1 < width_s * hz * per_cycle)
        return wave * np.where(inside, 1 - depth, 1.0)

    return changed(f"{per_cycle} notches of {depth:g}", hz, point, harmonics, before_s, cut)


def gap(hz: float, point: float, gap_s: float, harmonics: Harmonics, before_s: float) -> Case:
    """Return one gap without any voltage."""
    return changed(f"gap of {gap_s * 1e3:g} ms", hz, point, harmonics, before_s,
                   lambda wave, angle, late_s: wave * ~((late_s > 0) & (late_s <= gap_s)))  # fmt: skip


def flicker(hz: float, point: float, share: float, flicker_hz: float, square: bool, harmonics: Harmonics,
            before_s: float) -> Case:  # fmt: skip
    """Return a voltage whose amplitude swings by ``share``, peak to peak, from the change on."""

    def swing(wave: Wave, angle: Wave, late_s: Wave) -> Wave:
        sine = np.sin(2 * np.pi * flicker_hz * late_s)
        return wave * (1 + share / 2 * (np.sign(sine) if square else sine))

    name = f"{'square' if square else 'sine'} flicker {share:g} at {flicker_hz:g} Hz"
    return changed(name, hz, point, harmonics, before_s, swing)


def interharmonic(hz: float, point: float, peak: float, tone_hz: float, harmonics: Harmonics, before_s: float) -> Case:
    """Return a tone of ``peak`` added from the change on."""
    return changed(f"tone {tone_hz:g} Hz of {peak:g}", hz, point, harmonics, before_s,
                   lambda wave, angle, late_s: wave + peak * np.sin(2 * np.pi * tone_hz * late_s))  # fmt: skip


def noise(hz: float, point: float, db: float, harmonics: Harmonics, before_s: float) -> Case:
    """Return white noise ``db`` against the nominal RMS, from the first sample on; the seed follows from the case."""
    rng = np.random.default_rng([round(hz * 10), round(point * 4800), round(-db), len(harmonics)])
    sigma = 10 ** (db / 20) / 2**0.5
    return changed(f"noise {db:g} dB", hz, point, harmonics, before_s,
                   lambda wave, angle, late_s: wave + rng.normal(0, sigma, wave.size))  # fmt: skip


def harmonics_on(hz: float, point: float, added: Harmonics, harmonics: Harmonics, before_s: float) -> Case:
    """Return harmonics switched on."""

    def add(wave: Wave, angle: Wave, late_s: Wave) -> Wave:
        more = sum(share * np.sin(order * angle) for order, share in added.items())
        return np.asarray(wave + np.where(late_s > 0, more, 0.0))

    return changed(f"harmonics {added} on", hz, point, harmonics, before_s, add)


def families(hz: float, point: float, harmonics: Harmonics, before_s: float) -> Iterator[tuple[str, Case]]:
    """Yield (family, case) of every disturbance at one frequency, point on wave and waveform."""
    for residual, cycles in ((0.7, 0.5), (0.7, 1), (0.7, 2.3), (0.7, 5), (0.8, 0.5), (0.8, 1.6), (0.9, 3)):
        yield "dips to 0.7-0.9", dip(hz, point, residual, cycles, harmonics, before_s)
    for level, to in ((1.0, 0.7), (1.1, 0.7), (1.0, 0.75), (1.0, 0.85), (0.9, 0.7), (1.0, 1.2), (0.8, 1.1), (1.2, 0.9)):
        yield "steps to 0.7-1.2", step(hz, point, level, to, harmonics, before_s)
    for residual, cycles in ((1.1, 2), (1.2, 1)):
        yield "swells", dip(hz, point, residual, cycles, harmonics, before_s)
    for to_hz in (-2.0, -1.0, 1.0, 2.0):
        yield "frequency steps", frequency_step(hz, point, hz + to_hz, harmonics, before_s)
    for hz_per_s in (-10.0, 10.0):
        yield "frequency ramps", frequency_ramp(hz, point, hz_per_s, harmonics, before_s)
    for degrees in (-30, -20, -10, 10, 20, 30):
        yield "phase jumps to 30 degrees", phase_jump(hz, point, degrees, harmonics, before_s)
    for ring_hz in (300, 500, 700, 900, 1500):
        for peak in (-0.8, 0.4, 0.8):
            yield "rings to 0.8 pu", ring(hz, point, ring_hz, peak, harmonics, before_s)
    # IEEE 519-2022, table 5: 20 % of depth for general systems; 50 % and more are for dedicated ones
    for depth, width_s, per_cycle in ((0.2, 1e-3, 6), (0.5, 0.5e-3, 6), (1.0, 0.5e-3, 2), (1.0, 1e-3, 1)):
        yield "notches", notches(hz, point, depth, width_s, per_cycle, harmonics, before_s)
    for gap_s in (0.5e-3, 1.25e-3):
        yield "gaps to 1.25 ms", gap(hz, point, gap_s, harmonics, before_s)
    for share, flicker_hz, square in ((0.1, 8.8, False), (0.1, 8.8, True), (0.05, 25.0, False)):
        yield "flicker", flicker(hz, point, share, flicker_hz, square, harmonics, before_s)
    for peak, tone_hz in ((0.05, 35.0), (0.05, 82.0), (0.03, 175.0), (0.02, 1234.0)):
        yield "inter-harmonics", interharmonic(hz, point, peak, tone_hz, harmonics, before_s)
    for db in (-60, -50, -40):
        yield "noise to -40 dB", noise(hz, point, db, harmonics, before_s)
    yield "harmonics switched on", harmonics_on(hz, point, FIFTH_SEVENTH, harmonics, before_s)


def nonevents(hz: Iterable[float], points: int, before_s: float) -> Iterator[tuple[str, Case]]:
    """Yield (family, case) over frequencies, points on wave and waveforms."""
    for one_hz, place, harmonics in itertools.product(hz, range(points), WAVEFORMS):
        yield from families(one_hz, place / points, harmonics, before_s)
