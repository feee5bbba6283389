"""What a message is on air: the bytes of its sealed DLMS push and the headers below them."""

from __future__ import annotations

from functools import lru_cache

from twin.field.notice import NOTICE_PSDU_BYTES, OVERHEAD_BYTES
from twin.metering import commands
from twin.metering.payload import size_bytes
from twin.metering.profile import find_profile
from twin.metering.security import HEAD_END, MeterKeys, seal
from twin.store.schema import INTERVAL_NS, Series

READ_PSDU_BYTES = OVERHEAD_BYTES + size_bytes(Series.FIVE_MINUTE, 1, "seed-2021")
"""The answer to an on-demand read: P, Q and V, as in a five-minute value; meters of today leave out Q."""
CONFIRM_PSDU_BYTES = NOTICE_PSDU_BYTES
"""The answer to a command: the state and a counter, sealed."""


def message_psdu_bytes(series: Series, records: int, profile: str) -> int:
    """Return the PSDU of a message with so many records of a series, alone on air [B]."""
    return OVERHEAD_BYTES + size_bytes(series, records, profile)


def rider_bytes(series: Series, records: int, profile: str) -> int:
    """Return what a push of another meter adds to a frame: it shares the headers below DLMS [B]."""
    return size_bytes(series, records, profile)


@lru_cache
def request_psdu_bytes(kind: str, profile: str) -> int:
    """Return the PSDU of a sealed request or command: "missing", "read", "limit" or "open" [B]."""
    apdus = {
        "missing": commands.ask_range(Series.HALF_HOUR, 0, INTERVAL_NS[Series.HALF_HOUR]),
        "read": commands.ask_now(find_profile(profile).instantaneous),
        "limit": commands.limit_amperes(commands.MAX_AMPERES),
        "open": commands.switch_supply(close=False),
    }
    return OVERHEAD_BYTES + len(seal(apdus[kind], HEAD_END, 0, MeterKeys(bytes(16), bytes(16))))
