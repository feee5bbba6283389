"""Counter-based draws: a number is a function of (seed, purpose, id, tick), never of what was drawn before.

The same functions as ``gpu/engine/fixed.h``, for scalars and arrays alike. The engine uses the purposes named
here; other callers use numbers from 1000 up.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

BACKOFF, DECODE, REOFFER, SHADOW, DIGEST, PHASE, PAN, NETWORK, BACKGROUND = 1, 2, 3, 4, 6, 7, 8, 9, 10

_MASK = (1 << 64) - 1


def splitmix64(x: ArrayLike) -> NDArray[np.uint64]:
    """Mix 64 bits (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014)."""
    with np.errstate(over="ignore"):
        z = as_u64(x) + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(z ^ (z >> np.uint64(31)), np.uint64)


def as_u64(x: ArrayLike) -> NDArray[np.uint64]:
    """Return integers modulo 2**64, negative ones in two's complement."""
    if isinstance(x, int):
        return np.asarray(x & _MASK, np.uint64)
    whole = np.asarray(x)
    if whole.dtype.kind not in "iu":
        raise TypeError(f"a draw is keyed by integers, got {whole.dtype}")
    return whole.astype(np.uint64)


def draw_u64(seed: int, purpose: int, ids: ArrayLike, ticks: ArrayLike = 0) -> NDArray[np.uint64]:
    """Return the uniform 64-bit draw of (seed, purpose, id, tick); ids and ticks broadcast."""
    keyed = splitmix64(splitmix64(seed) ^ as_u64(purpose))
    return splitmix64(splitmix64(keyed ^ as_u64(ids)) ^ as_u64(ticks))


def draw_below(n: int, seed: int, purpose: int, ids: ArrayLike, ticks: ArrayLike = 0) -> NDArray[np.int64]:
    """Return a uniform integer in [0, n), n up to 2**32: the high half of draw times n."""
    if not 1 <= n <= 1 << 32:
        raise ValueError(f"n = {n}, expected 1 to 2**32")
    draw = draw_u64(seed, purpose, ids, ticks)
    low = (draw & np.uint64(0xFFFFFFFF)) * np.uint64(n) >> np.uint64(32)
    return np.asarray(((draw >> np.uint64(32)) * np.uint64(n) + low) >> np.uint64(32)).astype(np.int64)


def draw_unit(seed: int, purpose: int, ids: ArrayLike, ticks: ArrayLike = 0) -> NDArray[np.float64]:
    """Return a float in [0, 1): the top 53 bits of the draw, exactly."""
    return np.asarray((draw_u64(seed, purpose, ids, ticks) >> np.uint64(11)).astype(np.float64) * 2.0**-53)
