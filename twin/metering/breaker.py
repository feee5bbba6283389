"""The breaker of a meter with an ampere limit: what its customer draws, minute by minute (R21, R23)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

VOLTS = 100.0  # a contract of 60 A is one of 6 kVA, at a power factor of one
RECLOSES_S = 15  # after a trip; Hokkaido NW "about 15 s", Chubu "about 10 s" (DOMAIN 4.1)
LOCKS_AT = 8  # trips in a row; Hokkaido NW "8 times" (DOMAIN 4.1)
TRIPS_A_MINUTE = 60 // RECLOSES_S


def let_through(
    net_w: NDArray[np.int64], limit_w: NDArray[np.float64], adapts: NDArray[np.bool_], trips: NDArray[np.uint8]
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Return (M,) what customers draw in a minute [W], and (M,) trips in a row of their breakers by its end.

    Power is the same all through a minute, so a breaker that trips in it trips each time that it has closed again. It
    is taken to be open all that minute, for its customer's roof too, and for good at `LOCKS_AT`.

    Parameters
    ----------
    net_w : (M,) int
        Drawn less fed in, without a limit.
    limit_w : (M,) float
        ``inf`` without one.
    adapts : (M,) bool
        Who draws no more than the limit; the others go on as without one.
    trips : (M,) uint8
        In a row, before this minute.
    """
    locked = trips >= LOCKS_AT
    over = (net_w > limit_w) & ~adapts
    counted = np.where(over, np.minimum(trips + TRIPS_A_MINUTE, LOCKS_AT), 0)
    drawn_w = np.where(locked | over, 0.0, np.minimum(net_w, limit_w))
    return drawn_w, np.where(locked, trips, counted).astype(np.uint8)
