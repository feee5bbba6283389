"""The notice a meter sends: Last Gasp or power return, authenticated byte for byte.

AES-CCM (RFC 3610) with one 128-bit key per meter and an 8-byte tag. Header and nonce carry meter,
kind and sequence number, so a notice cannot be moved to another meter, changed or sent twice.

====== ====== ============================================================
offset bytes  field
====== ====== ============================================================
0      1      version, 1
1      1      kind: 1 Last Gasp, 2 power return, 3 answer to a poll
2      4      meter, big endian
6      4      sequence, one counter per meter and kind
10     8      counter: sample counter of the front-end at what it tells  (ciphered)
18     4      energy left in the hold-up store, uJ, saturating            (ciphered)
22     1      supply: 1 present, 0 lost                                   (ciphered)
23     8      tag
====== ====== ============================================================

The Japanese A-route's application layer is not public; this stands in for it (DOMAIN.md 4.3).
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

VERSION = 1
TAG_BYTES = 8
KINDS = {"last_gasp": 1, "power_return": 2, "poll_answer": 3}
KIND_NAMES = {code: name for name, code in KINDS.items()}

# MAC header and MIC 57 B, 6LoWPAN + UDP + wrapper 44 B: our byte budget from the IE definitions of
# Wi-SUN FAN 1.0, +-15 B.
OVERHEAD_BYTES = 101

_HEADER = struct.Struct(">BBII")
_BODY = struct.Struct(">QIB")
NOTICE_BYTES = _HEADER.size + _BODY.size + TAG_BYTES
NOTICE_PSDU_BYTES = NOTICE_BYTES + OVERHEAD_BYTES
POLL_PSDU_BYTES = _HEADER.size + TAG_BYTES + OVERHEAD_BYTES  # a poll names the meter and proves its sender


@dataclass(frozen=True)
class Notice:
    """What a notice says once it is opened."""

    kind: str
    meter: int
    sequence: int
    counter: int  # front-end samples
    energy_left_uj: int
    supply: bool


class NoticeRefused(ValueError):
    """Bytes that are no genuine notice; ``reason`` is one of malformed, forged."""

    def __init__(self, reason: str, text: str):
        self.reason = reason
        super().__init__(text)


def meter_key(seed: int, meter: int) -> bytes:
    """Return the meter's 128-bit key, derived from the run's seed (HMAC-SHA-256 as a key derivation function)."""
    return hmac.digest(seed.to_bytes(8, "big"), b"teiden meter key" + meter.to_bytes(4, "big"), hashlib.sha256)[:16]


@lru_cache(maxsize=4096)
def _cipher(key: bytes) -> AESCCM:
    return AESCCM(key, tag_length=TAG_BYTES)


def seal(key: bytes, notice: Notice) -> bytes:
    """Return the notice's bytes, ciphered and tagged with the meter's key."""
    header = _HEADER.pack(VERSION, KINDS[notice.kind], notice.meter, notice.sequence)
    body = _BODY.pack(notice.counter, min(notice.energy_left_uj, 0xFFFFFFFF), notice.supply)
    return header + _cipher(key).encrypt(_nonce(header), body, header)


def claimed_meter(data: bytes) -> int:
    """Return the meter the header names, before anything is proved; NoticeRefused if there is no header."""
    if len(data) != NOTICE_BYTES or data[0] != VERSION or data[1] not in KIND_NAMES:
        raise NoticeRefused("malformed", f"{len(data)} bytes that are no notice of version {VERSION}")
    return int(_HEADER.unpack_from(data)[2])


def unseal(key: bytes, data: bytes) -> Notice:
    """Return the notice in ``data`` if the key made it; NoticeRefused otherwise."""
    meter = claimed_meter(data)
    header = data[: _HEADER.size]
    _, kind, _, sequence = _HEADER.unpack(header)
    try:
        body = _cipher(key).decrypt(_nonce(header), data[_HEADER.size :], header)
    except InvalidTag:
        raise NoticeRefused("forged", f"tag does not fit meter {meter}, sequence {sequence}") from None
    counter, energy, supply = _BODY.unpack(body)
    return Notice(KIND_NAMES[kind], meter, sequence, counter, energy, bool(supply))


def _nonce(header: bytes) -> bytes:
    return header + b"\0\0\0"  # 13 bytes: 2-byte message length field, RFC 3610
