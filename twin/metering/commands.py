"""What the head end tells a meter and asks of it, as COSEM services on standard objects.

=================== ============================== ======================================================
command             object                         service
=================== ============================== ======================================================
open, close (R25)   disconnect control, class 70   action remote_disconnect (1), remote_reconnect (2)
ampere limit (R21)  limiter, class 71              set threshold_normal (4)
reserved limit      limiter, class 71              set with list threshold_emergency (5), emergency_profile (8):
(R22)                                              id, activation time, duration; duration 0 cancels
re-request (R8)     load profile n, class 7        get buffer (2), by range of the clock, class 8
on demand (R15)     registers, class 3             get with list, value (2) of P, Q, V
=================== ============================== ======================================================

n is the series. Commands go out sealed by ``security.seal`` with the head end's system title.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dlms_cosem.cosem import CosemAttribute, CosemAttributeWithSelection, CosemMethod, Obis
from dlms_cosem.cosem.capture_object import CaptureObject
from dlms_cosem.cosem.selective_access import RangeDescriptor
from dlms_cosem.dlms_data import (
    DlmsDataParser,
    DoubleLongUnsignedData,
    IntegerData,
    OctetStringData,
    UnsignedLongData,
)
from dlms_cosem.enumerations import CosemInterface
from dlms_cosem.protocol.xdlms import ActionRequestNormal, GetRequestNormal, SetRequestNormal
from dlms_cosem.protocol.xdlms.get import GetRequestWithList
from dlms_cosem.protocol.xdlms.invoke_id_and_priority import InvokeIdAndPriority
from dlms_cosem.time import datetime_from_bytes, datetime_to_bytes

from teiden.errors import InputError
from twin.metering.calendar import civil_time
from twin.store.schema import Series

CLOCK = Obis(0, 0, 1, 0, 0)
DISCONNECT = Obis(0, 0, 96, 3, 10)
LIMITER = Obis(0, 0, 17, 0, 0)
VALUE_OF = {"p_w": Obis(1, 0, 1, 7, 0), "q_var": Obis(1, 0, 3, 7, 0), "u_dv": Obis(1, 0, 32, 7, 0)}
AMPERE_STEPS = 10  # thresholds in 0.1 A; assumed
MAX_AMPERES = 120.0


def load_profile(series: Series) -> Obis:
    """Return the name of the load profile of a series."""
    return Obis(1, 0, 99, int(series), 0)


def switch_supply(close: bool, invoke_id: int = 0) -> bytes:
    """Return the command that opens or closes a meter's switch."""
    method = CosemMethod(CosemInterface.DISCONNECT_CONTROL, DISCONNECT, 2 if close else 1)
    return bytes(ActionRequestNormal(method, IntegerData(0).to_bytes(), _urgent(invoke_id)).to_bytes())


def limit_amperes(amperes: float, invoke_id: int = 0) -> bytes:
    """Return the command that sets a contract's limit from now on."""
    return _set(CosemInterface.LIMITER, LIMITER, 4, _threshold(amperes), invoke_id)


def reserve_limit(amperes: float, number: int, from_ns: int, duration_s: int, invoke_id: int = 0) -> bytes:
    """Return the command of a limit that begins by itself: its amperes, number, beginning and duration, set as one.

    A `duration_s` of 0 cancels what is reserved.
    """
    profile = (
        b"\x02\x03"
        + UnsignedLongData(number).to_bytes()
        + OctetStringData(datetime_to_bytes(civil_time(from_ns))).to_bytes()
        + DoubleLongUnsignedData(duration_s).to_bytes()
    )
    # The library has no Set-Request-With-List; IEC 62056-5-3: tag, choice 4, invoke id, attributes, values.
    names = b"".join(CosemAttribute(CosemInterface.LIMITER, LIMITER, n).to_bytes() + b"\x00" for n in (5, 8))
    return b"\xc1\x04" + _urgent(invoke_id).to_bytes() + b"\x02" + names + b"\x02" + _threshold(amperes) + profile


@dataclass(frozen=True)
class Write:
    """A set request as a meter reads it.

    Attributes
    ----------
    invoke_id : InvokeIdAndPriority
    values : dict
        By (class, attribute): an int, or for an emergency profile its number, activation time and duration [s].
    """

    invoke_id: InvokeIdAndPriority
    values: dict[tuple[CosemInterface, int], Any]


def parse_write(apdu: bytes) -> Write:
    """Return what a set request writes, normal or with list."""
    invoke_id, body = InvokeIdAndPriority.from_bytes(apdu[2:3]), apdu[3:]
    count, body = (body[0], body[1:]) if apdu[1] == 4 else (1, body)
    names = [CosemAttribute.from_bytes(body[10 * k : 10 * k + 9]) for k in range(count)]
    values = body[10 * count + (apdu[1] == 4) :]
    found = DlmsDataParser().parse(bytearray(values))
    told = {(name.interface, name.attribute): value.to_python() for name, value in zip(names, found, strict=True)}
    profile = (CosemInterface.LIMITER, 8)
    if profile in told:
        number, moment, duration_s = told[profile]
        told[profile] = (number, datetime_from_bytes(bytes(moment))[0], duration_s)
    return Write(invoke_id, told)


def ask_range(series: Series, from_ns: int, to_ns: int, invoke_id: int = 0) -> bytes:
    """Return the request for the intervals that end in a range; InputError if it is empty."""
    if from_ns > to_ns:
        raise InputError(f"request: range from {from_ns} to {to_ns} ns, expected it to end after it begins")
    clock = CaptureObject(CosemAttribute(CosemInterface.CLOCK, CLOCK, 2))
    buffer = CosemAttribute(CosemInterface.PROFILE_GENERIC, load_profile(series), 2)
    between = RangeDescriptor(clock, civil_time(from_ns), civil_time(to_ns))
    return bytes(GetRequestNormal(buffer, _usual(invoke_id), between).to_bytes())


def ask_now(values: Sequence[str], invoke_id: int = 0) -> bytes:
    """Return the request for momentary values, of ``Profile.instantaneous``."""
    names = [CosemAttribute(CosemInterface.REGISTER, VALUE_OF[name], 2) for name in values]
    wanted = [CosemAttributeWithSelection(name, None) for name in names]
    return bytes(GetRequestWithList(wanted, _usual(invoke_id)).to_bytes())


def _threshold(amperes: float) -> bytes:
    """Return a limit in steps of 0.1 A; InputError if out of range."""
    if not 0 <= amperes <= MAX_AMPERES:
        raise InputError(f"ampere limit {amperes:g} A, expected 0 to {MAX_AMPERES:g} A")
    return bytes(UnsignedLongData(round(AMPERE_STEPS * amperes)).to_bytes())


def _set(interface: CosemInterface, name: Obis, attribute: int, value: bytes, invoke_id: int) -> bytes:
    """Return a set request."""
    return bytes(
        SetRequestNormal(CosemAttribute(interface, name, attribute), value, None, _urgent(invoke_id)).to_bytes()
    )


def _urgent(invoke_id: int) -> InvokeIdAndPriority:
    """Return the invoke id of a command: confirmed, high priority."""
    return InvokeIdAndPriority(invoke_id % 16, True, True)


def _usual(invoke_id: int) -> InvokeIdAndPriority:
    """Return the invoke id of a request: confirmed, normal priority."""
    return InvokeIdAndPriority(invoke_id % 16, True, False)
