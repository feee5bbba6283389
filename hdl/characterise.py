"""How the compiled front-end reacts to dips and interruptions: each case played from reset on, the events read.

A case is a steady nominal voltage that falls to a residual at a point on wave and returns after a duration, at a
frequency, with or without harmonics. Cases are independent of each other, so they may run in any order and number
at a time.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from hdl import scaling
from hdl.driver import FrontEnd
from hdl.regs.generated import regs
from hdl.sim.frontend import CompiledFrontEnd

RATE_HZ = scaling.SAMPLE_RATE_HZ
NOMINAL_V = 100.0
HARMONICS: dict[str, dict[int, float]] = {"none": {}, "h5 5 %, h7 5 %": {5: 0.05, 7: 0.05}}
# Offsets from the nominal frequency [Hz]; public supplies stay within (EN 50160, 4.2.1: 1 % nearly always).
OFFSETS_HZ = (-1.0, 0.0, 1.0)
LEAD_S = 0.08  # from reset to an idle detector: two half cycles of Urms(1/2) and the return time below
RETURN_SAMPLES = 256  # the least the detector takes, so that cases are short; it plays no part in a detection
AFTER_S = 0.06  # a suspicion is confirmed or withdrawn within 38 ms
REST_S = 0.06  # what is watched of a dip that lasts


class Dip(NamedTuple):
    """One case."""

    nominal_hz: int
    frequency_hz: float
    residual_pu: float
    duration_ms: float  # inf: it lasts
    point_on_wave_deg: float
    harmonics: str  # one of HARMONICS


class Reaction(NamedTuple):
    """What the front-end made of it; delays count from the fall [ms], None where the event did not come."""

    detection_delay_ms: float | None
    confirmation_delay_ms: float | None
    withdrawal_delay_ms: float | None
    detections: int  # power_fail events; more than one: suspected again


def grid(
    nominal_hz: Iterable[int] = (50, 60),
    residual_pu: Sequence[float] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    duration_ms: Sequence[float] = (1, 2, 5, 10, 20, 50, 100),
    points: int = 8,
) -> list[Dip]:
    """Return every case of a grid, with all frequencies and harmonics."""
    degrees = [360 * place / points for place in range(points)]
    return [
        Dip(nominal, nominal + offset_hz, residual, duration, degree, harmonics)
        for nominal, offset_hz, harmonics, residual, duration, degree in itertools.product(
            nominal_hz, OFFSETS_HZ, HARMONICS, residual_pu, duration_ms, degrees
        )
    ]


def losses(nominal_hz: int) -> list[Dip]:
    """Return the falls that meters without supply see: lasting, to less than 0.45 of nominal, where RMS confirms."""
    return grid((nominal_hz,), (0.0, 0.15, 0.3, 0.44), (np.inf,), points=16)


def voltage(dip: Dip) -> tuple[np.ndarray, float]:
    """Return the samples, (n,) float, in units of the nominal peak, and the instant of the fall [s]."""
    hz = dip.frequency_hz
    fall_s = float((np.floor(LEAD_S * hz) + 1 + dip.point_on_wave_deg / 360) / hz)
    lasts_s = REST_S if np.isinf(dip.duration_ms) else dip.duration_ms * 1e-3 + AFTER_S
    t_s = np.arange(int((fall_s + lasts_s) * RATE_HZ)) / RATE_HZ
    angle = 2 * np.pi * hz * t_s
    wave = np.sin(angle)
    for order, share in HARMONICS[dip.harmonics].items():
        wave = wave + share * np.sin(order * angle)
    inside = (t_s >= fall_s) & (t_s < fall_s + dip.duration_ms * 1e-3)
    return wave * np.where(inside, dip.residual_pu, 1.0), fall_s


def react(dip: Dip) -> Reaction:
    """Play one case into a front-end of its own."""
    wave, fall_s = voltage(dip)
    board = CompiledFrontEnd()
    driver = FrontEnd(board)
    driver.configure(dip.nominal_hz, NOMINAL_V)
    board.write32(regs.DET_RETURN, RETURN_SAMPLES)
    board.push(scaling.codes_from_volts(wave * NOMINAL_V * 2**0.5)[0])
    events = driver.events()
    board.close()
    late_ms: dict[str, float] = {}
    for event in events:
        late_ms.setdefault(event.kind, (event.sample / RATE_HZ - fall_s) * 1e3)
    return Reaction(
        late_ms.get("power_fail"),
        late_ms.get("power_fail_confirmed"),
        late_ms.get("power_fail_withdrawn"),
        sum(event.kind == "power_fail" for event in events),
    )


def reactions(dips: Sequence[Dip], threads: int | None = None) -> Iterator[Reaction]:
    """Yield the reaction to each case, in their order.

    The compiled model runs outside Python's lock, so threads (by default one a core) work side by side. Whoever
    stops asking for more ends the work: cases not yet begun are let go.
    """
    pool = ThreadPoolExecutor(threads or os.cpu_count())
    try:
        yield from pool.map(react, dips)
    finally:
        pool.shutdown(cancel_futures=True)
