"""Second-order sigma-delta modulator, as in the AMC1306 and its kin: a float model that makes bits for benches."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[np.int8]


def modulate(waves: npt.ArrayLike) -> Bits:
    """Return the bits of waves in units of full scale, both (n, channels); stable up to 0.8.

    Boser-Wooley: two integrators of gain 1/2, the sign fed back to both.
    """
    given = np.asarray(waves, np.float64)
    first = np.zeros(given.shape[1])
    second = np.zeros(given.shape[1])
    bits = np.empty(given.shape, np.int8)
    for n, value in enumerate(given):
        back = np.where(second >= 0.0, 1.0, -1.0)
        second = second + 0.5 * (first - back)
        first = first + 0.5 * (value - back)
        bits[n] = back > 0
    return bits


def modulate_one(wave: npt.ArrayLike) -> Bits:
    """Return the bits of one wave, (n,): the same, faster for a single channel."""
    first = second = 0.0
    bits = []
    for value in np.asarray(wave, np.float64).tolist():
        back = 1.0 if second >= 0.0 else -1.0
        second += 0.5 * (first - back)
        first += 0.5 * (value - back)
        bits.append(back > 0.0)
    return np.array(bits, np.int8)
