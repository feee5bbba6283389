"""What the head end tells a meter and asks of it, as COSEM services on standard objects.

=================== ============================== ======================================================
command             object                         service
=================== ============================== ======================================================
open, close (R25)   disconnect control, class 70   action remote_disconnect (1), remote_reconnect (2)
ampere limit (R21)  limiter, class 71              set threshold_normal (4)
reserved limit      limiter, class 71              set threshold_emergency (5), emergency_profile (8):
(R22)                                              id, activation time, duration; duration 0 cancels
re-request (R8)     load profile n, class 7        get buffer (2), by range of the clock, class 8
on demand (R15)     registers, class 3             get with list, value (2) of P, Q, V
15 minutes (R9)     load profile n, class 7        set capture_period (4)
push window         push setup n, class 40         set randomisation_start_interval (5)
set clock           clock, class 8                 set time (2)
=================== ============================== ======================================================

n is the series. Commands go out sealed by ``security.seal`` with the head end's system title.
"""

from __future__ import annotations

from collections.abc import Sequence

from dlms_cosem.cosem import CosemAttribute, CosemAttributeWithSelection, CosemMethod, Obis
from dlms_cosem.cosem.capture_object import CaptureObject
from dlms_cosem.cosem.selective_access import RangeDescriptor
from dlms_cosem.dlms_data import (
    DoubleLongUnsignedData,
    IntegerData,
    OctetStringData,
    UnsignedLongData,
)
from dlms_cosem.enumerations import CosemInterface
from dlms_cosem.protocol.xdlms import ActionRequestNormal, GetRequestNormal, SetRequestNormal
from dlms_cosem.protocol.xdlms.get import GetRequestWithList
from dlms_cosem.protocol.xdlms.invoke_id_and_priority import InvokeIdAndPriority
from dlms_cosem.time import datetime_to_bytes

from teiden.errors import InputError
from twin.metering.calendar import SECOND_NS, civil_time
from twin.store.schema import INTERVAL_NS, Series

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


def reserve_limit(
    amperes: float, number: int, from_ns: int, duration_s: int, invoke_id: int = 0
) -> tuple[bytes, bytes]:
    """Return the two commands of a limit that begins by itself: its amperes, then its number, beginning and duration.

    A `duration_s` of 0 cancels reservation `number`.
    """
    profile = (
        b"\x02\x03"
        + UnsignedLongData(number).to_bytes()
        + OctetStringData(datetime_to_bytes(civil_time(from_ns))).to_bytes()
        + DoubleLongUnsignedData(duration_s).to_bytes()
    )
    return (
        _set(CosemInterface.LIMITER, LIMITER, 5, _threshold(amperes), invoke_id),
        _set(CosemInterface.LIMITER, LIMITER, 8, profile, invoke_id),
    )


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


def set_period(series: Series, seconds: int, invoke_id: int = 0) -> bytes:
    """Return the command that makes a load profile capture every so many seconds."""
    return _set(
        CosemInterface.PROFILE_GENERIC, load_profile(series), 4, DoubleLongUnsignedData(seconds).to_bytes(), invoke_id
    )


def set_push_window(series: Series, seconds: int, invoke_id: int = 0) -> bytes:
    """Return the command that spreads a push over a window; InputError where it is longer than the interval."""
    longest = INTERVAL_NS[series] // SECOND_NS
    if not 0 <= seconds <= longest:
        raise InputError(f"push window of {series.label}: {seconds} s, expected 0 to {longest}")
    push = Obis(0, int(series), 25, 9, 0)
    return _set(CosemInterface.PUSH, push, 5, UnsignedLongData(seconds).to_bytes(), invoke_id)


def set_clock(now_ns: int, invoke_id: int = 0) -> bytes:
    """Return the command that sets a meter's clock."""
    value = OctetStringData(datetime_to_bytes(civil_time(now_ns))).to_bytes()
    return _set(CosemInterface.CLOCK, CLOCK, 2, value, invoke_id)


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
