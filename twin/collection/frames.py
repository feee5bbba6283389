"""What a message is on air: its DLMS bytes and the headers below them."""

from __future__ import annotations

from twin.store.schema import Series

HEADERS_BYTES = 101  # MAC with Wi-SUN elements 57 B, 6LoWPAN, UDP and wrapper 44 B; estimate, +-15 B
REQUEST_BYTES = 60  # ciphered get or action request
CONFIRM_BYTES = 40  # ciphered answer to an action


def psdu_bytes(series: Series, records: int) -> int:
    """Return the PSDU of a message with so many records of a series [B]."""
    return HEADERS_BYTES + 34 + (18 if series == Series.FIVE_MINUTE else 17) * records


def rider_bytes(series: Series) -> int:
    """Return what a record of another meter adds to a frame [B]."""
    return 17
