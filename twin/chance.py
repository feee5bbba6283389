"""Every random draw of the twin: counter-based, keyed by (seed, id, occasion, purpose), order-free."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpu import rng


class Purpose(IntEnum):
    """What a draw is for; a number is never used twice. The engine keeps those below 1000."""

    CAPACITOR_AGE = 0x7001
    DETECTION = 0x7002
    GASP_START = 0x7003
    RETURN_START = 0x7004
    REJOIN = 0x7005
    WAN_LOSS = 0x7006
    WAN_DELAY = 0x7007
    POLL_SAMPLE = 0x7008
    FORGED_FRAME = 0x7009
    REPLAYED_FRAME = 0x700A
    REPORT_START = 0x700B
    CLASS_MEMBER = 0x700C
    READ_MOMENT = 0x700D
    COMMAND_TARGET = 0x700E
    WAN_OUTAGE = 0x700F
    BLACKOUT = 0x7010
    VERIFIED = 0x7011
    COMMAND_ASTRAY = 0x7012
    COMMAND_REPEATED = 0x7013
    ISLAND = 0x7014
    RETAILER = 0x7015
    IMAGE_BYTES = 0x7016
    IMAGE_CONCENTRATOR = 0x7017
    IMAGE_TURN = 0x7018
    IMAGE_MOMENT = 0x7019
    FLEET_LINK = 0x7020
    PLC_NOISE = 0x7021
    LINK_LUCK = 0x7022
    CELLULAR_ACCESS = 0x7023
    CELLULAR_BACKOFF = 0x7024
    TOWN = 0x7025


def uniform(seed: int, ids: ArrayLike, occasion: int, purpose: Purpose) -> NDArray[np.float64]:
    """Return draws in [0, 1), one per id."""
    return rng.draw_unit(seed, purpose, ids, occasion)


def between_ns(
    seed: int, ids: ArrayLike, occasion: int, purpose: Purpose, low_ns: int, high_ns: int
) -> NDArray[np.int64]:
    """Return whole nanoseconds drawn evenly from [low_ns, high_ns], one per id."""
    share = uniform(seed, ids, occasion, purpose)
    return low_ns + np.floor(share * (high_ns - low_ns + 1)).astype(np.int64)
