"""Suite 0 of DLMS/COSEM: AES-128-GCM around an APDU, with one pair of keys per meter.

====== ====== ==========================================================
offset bytes  field (general-glo-ciphering, IEC 62056-5-3)
====== ====== ==========================================================
0      1      tag 0xDB
1      9      system title: length 8, ``TDN``, meter, big endian
10     1 to 3 length of what follows
+0     1      security control 0x30: suite 0, authenticated, encrypted
+1     4      invocation counter, never used twice with a key
+5     n      ciphered APDU
+5+n   12     authentication tag
====== ====== ==========================================================

``dlms_cosem.GeneralGlobalCipher.to_bytes`` writes a length of one byte, wrong above 127; the header is written here.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from functools import lru_cache

from dlms_cosem.dlms_data import encode_variable_integer
from dlms_cosem.exceptions import DecryptionError
from dlms_cosem.protocol.xdlms import GeneralGlobalCipher
from dlms_cosem.security import SecurityControlField, decrypt, encrypt

MANUFACTURER = b"TDN"
CONTROL = SecurityControlField(security_suite=0, authenticated=True, encrypted=True)
HEAD_END = (1 << 40) - 1  # number in the head end's own system title; meters end at 2**32 - 1
COUNTER_LIMIT = 1 << 32


class PayloadRefused(ValueError):
    """Bytes that are no genuine payload; ``reason`` is one of malformed, forged, repeated."""

    def __init__(self, reason: str, text: str):
        self.reason = reason
        super().__init__(text)


@dataclass(frozen=True)
class MeterKeys:
    """The global unicast encryption key and the authentication key of a meter, 16 bytes each."""

    encryption: bytes
    authentication: bytes


@lru_cache(maxsize=1024)  # who seals and who opens ask one after the other
def meter_keys(seed: int, meter: int) -> MeterKeys:
    """Return a meter's keys, derived from the run's seed (HMAC-SHA-256 as a key derivation function)."""
    derived = hmac.digest(seed.to_bytes(8, "big"), b"teiden dlms keys" + meter.to_bytes(4, "big"), hashlib.sha256)
    return MeterKeys(derived[:16], derived[16:])


def system_title(number: int) -> bytes:
    """Return the 8-byte system title of a meter, or of ``HEAD_END``."""
    return MANUFACTURER + number.to_bytes(5, "big")


def seal(apdu: bytes, sender: int, counter: int, keys: MeterKeys) -> bytes:
    """Return an APDU ciphered and tagged.

    Parameters
    ----------
    apdu : bytes
    sender : int
        Meter, or ``HEAD_END`` for a command.
    counter : int
        Invocation counter, below 2**32. AES-GCM is broken by a counter used twice with the same key and title.
    keys : MeterKeys
    """
    if not 0 <= counter < COUNTER_LIMIT:
        raise ValueError(f"invocation counter {counter}, expected 0 to {COUNTER_LIMIT - 1}; change the keys")
    title = system_title(sender)
    ciphered = encrypt(CONTROL, title, counter, keys.encryption, apdu, keys.authentication)
    content = CONTROL.to_bytes() + counter.to_bytes(4, "big") + ciphered
    return bytes([GeneralGlobalCipher.TAG, len(title)]) + title + encode_variable_integer(len(content)) + content


def claimed_sender(data: bytes) -> int:
    """Return whom the system title names, before anything is proved; PayloadRefused if there is no header."""
    if len(data) < 10 or data[0] != GeneralGlobalCipher.TAG or data[1] != 8 or data[2:5] != MANUFACTURER:
        raise PayloadRefused(
            "malformed", f"{len(data)} bytes that are no ciphered APDU of a {MANUFACTURER.decode()} meter"
        )
    return int.from_bytes(data[5:10], "big")


def unseal(data: bytes, keys: MeterKeys) -> tuple[bytes, int]:
    """Return the APDU and its invocation counter if the keys made it.

    Raises
    ------
    PayloadRefused
        malformed or forged; whether the counter is new is for the receiver to say.
    """
    sender = claimed_sender(data)
    try:
        envelope = GeneralGlobalCipher.from_bytes(data)
    except Exception as error:  # the library lets whatever its parser meets through
        raise PayloadRefused("malformed", f"payload of {sender}: {error}") from None
    if _header(envelope) + envelope.ciphered_text != data:
        raise PayloadRefused("malformed", f"payload of {sender}: lengths do not fit its {len(data)} bytes")
    if envelope.security_control != CONTROL:
        raise PayloadRefused(
            "malformed", f"payload of {sender}: security control other than suite 0 with tag and cipher"
        )
    try:
        apdu = decrypt(
            CONTROL,
            system_title(sender),
            envelope.invocation_counter,
            keys.encryption,
            envelope.ciphered_text,
            keys.authentication,
        )
    except (DecryptionError, ValueError):
        raise PayloadRefused("forged", f"tag does not fit {sender}, counter {envelope.invocation_counter}") from None
    return bytes(apdu), envelope.invocation_counter


def _header(envelope: GeneralGlobalCipher) -> bytes:
    """Return what stands before the ciphered text, in its one canonical form."""
    title = bytes(envelope.system_title or b"")
    inner = envelope.security_control.to_bytes() + envelope.invocation_counter.to_bytes(4, "big")
    length = encode_variable_integer(len(inner) + len(envelope.ciphered_text))
    return bytes([envelope.TAG, len(title)]) + title + length + inner
