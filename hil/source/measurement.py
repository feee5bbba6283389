"""Read-back of a simulated source: RMS, power and frequency of the last samples it really played."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

WINDOW_S = 4096 * 25e-6  # a 681x acquires 4096 points at 25 µs; BENCH: Keysight 6811C Programming Guide


class Readback:
    """The last 102.4 ms played, whatever blocks they came in."""

    def __init__(self) -> None:
        self._rate_hz = 0
        self._volts: NDArray[np.float64] = np.empty(0)
        self._amps: NDArray[np.float64] = np.empty(0)

    def add(self, volts: NDArray[np.float64], amps: NDArray[np.float64], rate_hz: int) -> None:
        """Take in a block; a change of rate begins a new window."""
        kept = max(2, math.ceil(WINDOW_S * rate_hz))
        self._volts = self._keep(self._volts, volts, rate_hz, kept)
        self._amps = self._keep(self._amps, amps, rate_hz, kept)
        self._rate_hz = rate_hz

    def _keep(
        self, held: NDArray[np.float64], values: NDArray[np.float64], rate_hz: int, kept: int
    ) -> NDArray[np.float64]:
        """Return the last values of what is held and what comes."""
        earlier = held if rate_hz == self._rate_hz else np.empty(0)
        return np.concatenate([earlier[max(0, earlier.size + values.size - kept) :], values[-kept:]])

    def rms_a(self) -> float | None:
        """Return the RMS current [A], or None before anything was played."""
        return _rms(self._amps)

    def rms_v(self) -> float | None:
        """Return the RMS without the mean [V], or None before anything was played.

        A Hann window keeps a window that is no whole number of cycles from showing as ripple.
        """
        return _rms(self._volts)

    def power_w(self) -> float | None:
        """Return the mean power of voltage and current without their means [W], or None before anything was played."""
        return _mean_product(self._volts, self._amps)

    def frequency_hz(self) -> float | None:
        """Return the frequency from the first to the last rising zero [Hz], or None with fewer than two."""
        low, high = self._volts[:-1], self._volts[1:]
        rising = np.flatnonzero((low < 0) & (high >= 0))
        if rising.size < 2:
            return None
        at = rising - low[rising] / (high[rising] - low[rising])
        return float((rising.size - 1) * self._rate_hz / (at[-1] - at[0]))


def _rms(values: NDArray[np.float64]) -> float | None:
    """Return the RMS without the mean under a Hann window."""
    square = _mean_product(values, values)
    return None if square is None else math.sqrt(square)


def _mean_product(a: NDArray[np.float64], b: NDArray[np.float64]) -> float | None:
    """Return the mean of the product of two quantities without their means under a Hann window."""
    if a.size < 2:
        return None
    window = np.hanning(a.size + 2)[1:-1]
    weight = window / window.sum()
    return float(weight @ ((a - float(weight @ a)) * (b - float(weight @ b))))
