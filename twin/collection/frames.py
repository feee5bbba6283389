"""What a message is on air: the bytes of its sealed DLMS push and the headers below them."""

from __future__ import annotations

from twin.field.notice import OVERHEAD_BYTES
from twin.metering.payload import size_bytes
from twin.store.schema import Series


def message_psdu_bytes(series: Series, records: int, profile: str) -> int:
    """Return the PSDU of a message with so many records of a series, alone on air [B]."""
    return OVERHEAD_BYTES + size_bytes(series, records, profile)


def rider_bytes(series: Series, records: int, profile: str) -> int:
    """Return what a push of another meter adds to a frame: it shares the headers below DLMS [B]."""
    return size_bytes(series, records, profile)
