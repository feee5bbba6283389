"""Waveform tables read by an exact integer phase.

Phase is counted in units of 1e-15 turn, because then frequency [µHz] times time [ns] is a phase without any
rounding: a source played for days, or cut into blocks in any way, is at exactly the same phase. Tables are
integers and interpolation is integer arithmetic, so the samples are the same bits on every CPU.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

import numpy as np
from numpy.typing import NDArray

TURN = 10**15
FULL_SCALE = 1 << 30
SINE_POINTS = 4096  # divides TURN; interpolation error (2 pi / 4096)**2 / 8 = 3e-7 of the peak
TRACE_POINTS = 1024  # one cycle of an arbitrary waveform, as the 681x takes it
_FRACTION_BITS = 20
_DECAY_POINTS = 256  # per time constant; interpolation error (1 / 256)**2 / 8 = 2e-6 of the jump
_DECAY_CONSTANTS = 24  # exp(-24) is below half a unit of FULL_SCALE: the table ends in 0


@dataclass(frozen=True, eq=False)
class Shape:
    """One cycle of a waveform.

    Parameters
    ----------
    table : (n + 1,) int64
        Values over one turn, the first repeated at the end; n divides `TURN`.
    gain : float
        What makes the table's RMS 1.
    """

    table: NDArray[np.int64]
    gain: float

    def at(self, phase: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the waveform of RMS 1 at each phase, which is in 0 to TURN - 1."""
        step = TURN // (self.table.size - 1)
        index = phase // step
        fraction = ((phase - index * step) << _FRACTION_BITS) // step
        low = self.table[index]
        code = low + (((self.table[index + 1] - low) * fraction) >> _FRACTION_BITS)
        return code * self.gain


def _shape(values: Sequence[int]) -> Shape:
    """Return the shape of one cycle of integers; their RMS is summed exactly."""
    rms = math.sqrt(sum(v * v for v in values) / len(values))
    return Shape(np.array([*values, values[0]], dtype=np.int64), 1.0 / rms)


@cache
def _sine_codes() -> tuple[int, ...]:
    """Return one cycle of a sine of peak FULL_SCALE.

    No entry is near enough to a half for two maths libraries to round it differently (tested).
    """
    return tuple(round(FULL_SCALE * math.sin(2 * math.pi * k / SINE_POINTS)) for k in range(SINE_POINTS))


@cache
def sine() -> Shape:
    """Return a sine, phase 0 at its rising zero."""
    return _shape(_sine_codes())


@cache
def square() -> Shape:
    """Return a square wave, positive in the first half turn; its edges last 1/4096 turn."""
    half = SINE_POINTS // 2
    return _shape([FULL_SCALE] * half + [-FULL_SCALE] * half)


@cache
def clipped_sine(level_percent: Decimal) -> Shape:
    """Return a sine clipped at a percentage of its peak (above 0), rescaled to RMS 1."""
    limit = max(1, int(FULL_SCALE * level_percent / 100))
    return _shape([min(limit, max(-limit, code)) for code in _sine_codes()])


def arbitrary(values: Sequence[Decimal]) -> Shape:
    """Return a shape from one cycle of values: mean removed, rescaled to RMS 1.

    Raises
    ------
    ValueError
        If the values do not differ, or do not number a divisor of 10**15.
    """
    if not values or TURN % len(values):
        raise ValueError(f"{len(values)} values in a cycle, expected {TRACE_POINTS}")
    mean = sum(values, Decimal(0)) / len(values)
    peak = max(abs(v - mean) for v in values)
    if peak == 0:
        raise ValueError("all values of the cycle are equal; without its mean nothing is left")
    return _shape([round(FULL_SCALE * (v - mean) / peak) for v in values])


@cache
def _decay_table() -> NDArray[np.int64]:
    """Return exp(-k / 256) scaled to FULL_SCALE, down to 0."""
    size = _DECAY_POINTS * _DECAY_CONSTANTS
    codes = [round(FULL_SCALE * math.exp(-k / _DECAY_POINTS)) for k in range(size)]
    return np.array([*codes, 0, 0], dtype=np.int64)


def decay(elapsed_ns: NDArray[np.int64], constant_ns: int) -> NDArray[np.float64]:
    """Return exp(-elapsed / constant) for elapsed >= 0; exactly 0 from 24 time constants on."""
    if constant_ns == 0:
        return np.zeros(elapsed_ns.shape)
    table = _decay_table()
    scaled = np.minimum(elapsed_ns, _DECAY_CONSTANTS * constant_ns) * _DECAY_POINTS
    index = scaled // constant_ns
    fraction = ((scaled - index * constant_ns) << _FRACTION_BITS) // constant_ns
    low = table[index]
    return (low + (((table[index + 1] - low) * fraction) >> _FRACTION_BITS)) / FULL_SCALE
