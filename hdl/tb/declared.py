"""Losses beyond the 2 ms bar, each row with a bar of its own (HDL.md section 7), and the ring that may trip.

Units and conventions as in `hdl.tb.corpus`. A row's bar counts from the loss or, where a voltage or a ring dies
away, from the moment its envelope reaches a level (``mark_s``); a trip before that is early, its delay negative.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from hdl.tb.corpus import FIFTH_SEVENTH, FLAT_TOP, PLAIN, Case, change_at, loss, ring, steady, times_s


class Row(NamedTuple):
    """Name of a row and the longest delay of its cases [s]."""

    name: str
    bar_s: float


JUMP = Row("residual 0.3 with its phase 30 degrees off, harmonics", 4.6e-3)
RING_LOW = Row("loss with a ring of 1.5 kHz, 0.5 pu, tau 0.5 ms, residual 0 and 0.1", 3.6e-3)
RING_HIGH = Row("loss with a ring of 1.5 kHz, 0.5 pu, tau 0.5 ms, residual 0.3", 7.0e-3)
RING_LONG = Row("loss with a ring of 1.5 kHz, 0.5 pu, tau 3 ms, residual 0 and 0.1, from its envelope at 0.30", 2.6e-3)
NOISE_LOW = Row("loss under noise of -40 dB, residual 0 and 0.1", 3.3e-3)
NOISE_HIGH = Row("loss under noise of -40 dB, residual 0.3", 5.7e-3)
DECAY = Row("exponential decay, tau 1 to 10 ms, from 0.30 pu", 2.6e-3)
BACK_FEED = Row("motor back-feed, tau 20 to 150 ms, from 0.42 pu", 4.5e-3)
STRONG_RING = "added ring of 1.2 pu, no loss: may trip, is withdrawn"


def with_noise(case: Case, db: float, seed: int) -> Case:
    """Return a case with white noise ``db`` against the nominal RMS."""
    rng = np.random.default_rng(seed)
    return case._replace(wave=case.wave + rng.normal(0, 10 ** (db / 20) / 2**0.5, case.wave.size))


def jump_loss(hz: float, point: float, degrees: float, harmonics: dict[int, float], before_s: float) -> Case:
    """Return a fall to 0.3 with a jump of the phase."""
    change_s = change_at(hz, point, before_s)
    t_s = times_s(int((change_s + 0.04) * 8000))
    late = t_s >= change_s
    angle = 2 * np.pi * hz * t_s + np.where(late, np.radians(degrees), 0.0)
    wave = steady(angle, harmonics) * np.where(late, 0.3, 1.0)
    return Case(f"jump of {degrees:g} to 0.3, {hz:g} Hz point {point:.3f} {harmonics}", wave, change_s)


RING_HZ, RING_PU = 1500, 0.5


def ringing_loss(hz: float, point: float, residual: float, sign: int, tau_s: float, before_s: float) -> Case:
    """Return a loss after which a ring dies away with ``tau_s``."""
    case = loss(hz, point, residual, 1.0, FIFTH_SEVENTH, before_s, after_s=0.04)
    late_s = np.maximum(times_s(case.wave.size) - case.change_s, 0.0)
    added = sign * RING_PU * np.exp(-late_s / tau_s) * np.sin(2 * np.pi * RING_HZ * late_s)
    return case._replace(name=f"ringing {case.name}", wave=case.wave + added)


def ring_over_s(nominal_hz: int, tau_s: float) -> float:
    """Return how long after its start the ring's envelope has come down to 0.30 of the nominal one [s].

    The difference in the envelope weighs a tone by sin w / sin w0 against the nominal w0 = 2 pi f0 / fs: 24 times.
    """
    gain = np.sin(2 * np.pi * RING_HZ / 8000) / np.sin(2 * np.pi * nominal_hz / 8000)
    return float(tau_s * np.log(RING_PU * gain / 0.30))


def decay(
    hz: float, point: float, tau_s: float, level: float, mark: float, fall_s: float, harmonics: dict[int, float],
    before_s: float,
) -> Case:  # fmt: skip
    """Return an exponential decay to nothing; ``mark_s`` is when the amplitude reaches ``mark``.

    ``fall_s`` is the time constant with which a motor that feeds back slows down; inf: the frequency stays.
    """
    start_s = change_at(hz, point, before_s)
    mark_s = start_s + tau_s * np.log(level / mark)
    t_s = times_s(int((mark_s + 0.03) * 8000))
    late_s = np.maximum(t_s - start_s, 0.0)
    turned_s = late_s if np.isinf(fall_s) else fall_s * (1 - np.exp(-late_s / fall_s))
    angle = 2 * np.pi * hz * (np.minimum(t_s, start_s) + turned_s)
    wave = level * steady(angle, harmonics) * np.exp(-late_s / tau_s)
    return Case(
        f"decay {tau_s * 1e3:g} ms {hz:g} Hz point {point:.3f} from {level:g} {harmonics}", wave, start_s, float(mark_s)
    )


def declared(nominal_hz: int, hz: Iterable[float], points: int, before_s: float) -> Iterator[tuple[Row, Case]]:
    """Yield (row, case) of every loss with a bar of its own."""
    for seed, (one_hz, place) in enumerate(itertools.product(hz, range(points))):
        point = place / points
        for degrees, harmonics in itertools.product((-30, 30), (FIFTH_SEVENTH, FLAT_TOP)):
            yield JUMP, jump_loss(one_hz, point, degrees, harmonics, before_s)
        for residual, sign in itertools.product((0.0, 0.1, 0.3), (-1, 1)):
            row = RING_LOW if residual < 0.3 else RING_HIGH
            yield row, ringing_loss(one_hz, point, residual, sign, 0.5e-3, before_s)
        for residual, sign in itertools.product((0.0, 0.1), (-1, 1)):
            case = ringing_loss(one_hz, point, residual, sign, 3e-3, before_s)
            yield RING_LONG, case._replace(mark_s=case.change_s + ring_over_s(nominal_hz, 3e-3))
        for residual, harmonics in itertools.product((0.0, 0.1, 0.3), (PLAIN, FIFTH_SEVENTH)):
            row = NOISE_LOW if residual < 0.3 else NOISE_HIGH
            yield row, with_noise(loss(one_hz, point, residual, 1.0, harmonics, before_s, 0.04), -40, seed)
        for tau_s, harmonics in itertools.product((1e-3, 2e-3, 5e-3, 10e-3), (PLAIN, FIFTH_SEVENTH)):
            yield DECAY, decay(one_hz, point, tau_s, 1.0, 0.30, np.inf, harmonics, before_s)
        for tau_s, level in itertools.product((20e-3, 50e-3, 100e-3, 150e-3), (0.9, 1.0)):
            yield BACK_FEED, decay(one_hz, point, tau_s, level, 0.42, 0.5, PLAIN, before_s)


def strong_rings(hz: Iterable[float], points: int, before_s: float) -> Iterator[Case]:
    """Yield rings of 1.2 pu on a supply that stays."""
    for one_hz, place, ring_hz in itertools.product(hz, range(points), (300, 500, 900, 1500)):
        yield ring(one_hz, place / points, ring_hz, 1.2, PLAIN, before_s)
