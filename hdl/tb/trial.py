"""Run waveforms through the compiled front-end and say what it made of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hdl.driver import Event, FrontEnd
from hdl.regs.generated import regs
from hdl.scaling import CODE_MAX, CODE_MIN
from hdl.sim.frontend import CompiledFrontEnd
from hdl.tb.corpus import RATE_HZ, Case, times_s

PEAK_CODE = 1 << 22  # of 100 V
# Cases follow each other faster than the 0.1 s of return that a supply would be given.
SHORT_RETURN_SAMPLES = 256


class Outcome(NamedTuple):
    """What came of one case."""

    case: Case
    ready: bool  # the detector was idle just before the change
    delays_s: tuple[float, ...]  # of each power_fail, from the change [s]
    events: tuple[Event, ...]


def codes(wave: npt.ArrayLike) -> npt.NDArray[np.int32]:
    """Return ADC codes, (n,), of a wave in units of the peak of 100 V."""
    return np.clip(np.rint(np.asarray(wave) * PEAK_CODE), CODE_MIN, CODE_MAX).astype(np.int32)


def sine(hz: float, seconds: float, level: float = 1.0, phase: float = 0.0) -> npt.NDArray[np.float64]:
    """Return a sine, (n,), of ``level`` times the nominal peak."""
    return level * np.sin(2 * np.pi * hz * times_s(round(seconds * RATE_HZ)) + phase)


def ready_front_end(nominal_hz: float, hz: float, clocks_per_sample: int = 64) -> tuple[CompiledFrontEnd, FrontEnd]:
    """Return a configured front-end that has seen 0.3 s of steady voltage, and its driver."""
    board = CompiledFrontEnd(clocks_per_sample)
    driver = FrontEnd(board)
    driver.configure(nominal_hz)
    board.write32(regs.DET_RETURN, SHORT_RETURN_SAMPLES)
    board.push(codes(sine(hz, 0.3)))
    return board, driver


def try_cases(cases: Iterable[Case], nominal_hz: float, hz: float) -> Iterator[Outcome]:
    """Yield the outcome of each case, all in one front-end that first sees a steady ``hz``."""
    board, driver = ready_front_end(nominal_hz, hz)
    start = driver.measure().samples
    for case in cases:
        wave = codes(case.wave)
        change = int(case.change_s * RATE_HZ)
        board.push(wave[:change])
        early = driver.events()
        ready = driver.measure().state == "idle" and not any(event.kind == "power_fail" for event in early)
        board.push(wave[change:])
        events = tuple(driver.events())
        trips = [event.sample - start for event in events if event.kind == "power_fail"]
        yield Outcome(case, ready, tuple(trip / RATE_HZ - case.change_s for trip in trips), events)
        start += len(wave)
    board.close()
