"""Readings as DLMS/COSEM bytes: what a meter pushes, and what the head end makes of it.

A push is a DataNotification (IEC 62056-5-3) of push setup ``0.n.25.9.0.255`` (class 40), n the series, whose buffer is
a load profile ``1.0.99.n.0.255`` (class 7). Its long invoke id holds n in the low four bits and a running number above.
The body, in A-XDR:

=================================== ==============================================================
one interval                        structure {end, values...}
n intervals                         structure {end of the first, array of structure {values...}}
one interval and 5-minute values    structure {end, values..., array of structure {P, Q, U}}
=================================== ==============================================================

Times are double-long-unsigned Unix seconds, registers double-long-unsigned Wh (litres for gas and water), P [W] and
Q [var] double-long, U [0.1 V] long-unsigned. An entry whose mark is not ``valid`` ends with the mark as unsigned; one
with ``no_data`` holds nothing else. Five-minute values that ride with a half hour end with it.

The Japanese A-route's application layer is not public; this stands in for it (DOMAIN.md 4.3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from dlms_cosem import dlms_data as dlms
from dlms_cosem.protocol.xdlms import DataNotification
from dlms_cosem.protocol.xdlms.data_notification import LongInvokeIdAndPriority

from teiden.errors import InputError
from twin.metering.calendar import EPOCH_UNIX_S, SECOND_NS
from twin.metering.profile import ENERGY, POWER, REGISTER, Profile, find_profile
from twin.metering.readings import ABSENT, Readings, blank, join
from twin.metering.security import MeterKeys, PayloadRefused, claimed_sender, seal, unseal
from twin.office.headend import SequenceWindow
from twin.store.schema import INTERVAL_NS, Mark, Series

_TYPES: dict[str, type[dlms.BaseDlmsData]] = {
    "import_wh": dlms.DoubleLongUnsignedData,
    "export_wh": dlms.DoubleLongUnsignedData,
    "p_w": dlms.DoubleLongData,
    "q_var": dlms.DoubleLongData,
    "u_dv": dlms.UnsignedLongData,
}
_RANGES = {
    dlms.DoubleLongUnsignedData: (0, (1 << 32) - 1),
    dlms.DoubleLongData: (-(1 << 31), (1 << 31) - 1),
    dlms.UnsignedLongData: (0, (1 << 16) - 1),
}
_LAYOUTS = (REGISTER, ENERGY, POWER, ENERGY + POWER)
_SERIES_BITS = 4
_RUNNING_NUMBERS = 1 << 24 - _SERIES_BITS


class _Array(dlms.DataArray):
    """An array of data; dlms-cosem 21.3.2 cannot write one (it appends its length as if it were a number)."""

    def to_bytes(self) -> bytes:
        """Return tag, number of entries and entries."""
        entries = b"".join(entry.to_bytes() for entry in self.value)
        return bytes([self.TAG]) + bytes(dlms.encode_variable_integer(len(self.value))) + entries


class _Parser(dlms.DlmsDataParser):
    """A parser that stops at the end of its bytes.

    The library's own reads an end that is not there as null data, as often as an array's length says: four bytes of
    length were enough to fill the memory.
    """

    def get_bytes(self, length: int) -> bytearray:
        """Return the next bytes; ValueError where there are not so many."""
        if self.pointer + length > len(self.buffer):
            raise ValueError(f"{length} bytes wanted at {self.pointer}, {len(self.buffer)} are there")
        return bytearray(super().get_bytes(length))


def encode(readings: Readings, number: int = 0, five_minute: Readings | None = None) -> bytes:
    """Return the push of one meter's readings, not yet ciphered.

    Parameters
    ----------
    readings : Readings
        Intervals of one meter and series, one after the other without a gap; at least one.
    number : int
        Running number of the push, taken modulo 2**20.
    five_minute : Readings, optional
        Values that ride with a single interval; the last ends with it.

    Raises
    ------
    InputError
        If the readings are no such run, or a value does not fit its type; the message names the interval.
    """
    ends = _checked_run(readings, "readings")
    start = dlms.DoubleLongUnsignedData(EPOCH_UNIX_S + int(ends[0]) // SECOND_NS)
    entries = [_entry(readings, row) for row in range(len(readings))]
    if five_minute is not None:
        _check_rider(readings, five_minute)
        rider = [dlms.DataStructure(_entry(five_minute, row)) for row in range(len(five_minute))]
        body = dlms.DataStructure([start, *entries[0], _Array(rider)])
    elif len(entries) == 1:
        body = dlms.DataStructure([start, *entries[0]])
    else:
        body = dlms.DataStructure([start, _Array([dlms.DataStructure(entry) for entry in entries])])
    invoke_id = (number % _RUNNING_NUMBERS) << _SERIES_BITS | int(readings.series[0])
    return bytes(DataNotification(LongInvokeIdAndPriority(invoke_id), None, body.to_bytes()).to_bytes())


def decode(apdu: bytes, meter: int) -> Readings:
    """Return the readings in a push that was unsealed.

    Parameters
    ----------
    apdu : bytes
    meter : int
        Whose keys opened it.

    Raises
    ------
    PayloadRefused
        If the bytes are no such push.
    """
    try:
        push = DataNotification.from_bytes(apdu)
        series = Series(push.long_invoke_id_and_priority.long_invoke_id & (1 << _SERIES_BITS) - 1)
        readings = _read_body(_parsed(push.body), meter, series)
    except PayloadRefused:
        raise
    except Exception as error:  # the library lets whatever its parser meets through
        raise PayloadRefused("malformed", f"push of meter {meter}: {error or type(error).__name__}") from None
    return readings


class Receiver:
    """The head end's side: opens pushes, and takes each once.

    Parameters
    ----------
    keys_of : callable
        Returns the keys of a meter.
    meters : int
        Number of meters in the asset data.
    """

    def __init__(self, keys_of: Callable[[int], MeterKeys], meters: int):
        self._keys_of = keys_of
        self._meters = meters
        self._windows: dict[int, SequenceWindow] = {}

    def open(self, data: bytes) -> Readings:
        """Return the readings in a ciphered push.

        Raises
        ------
        PayloadRefused
            malformed; unknown_meter; forged; or repeated, when the invocation counter was seen or is far behind.
        """
        meter = claimed_sender(data)
        if meter >= self._meters:
            raise PayloadRefused("unknown_meter", f"meter {meter}, expected below {self._meters}")
        apdu, counter = unseal(data, self._keys_of(meter))
        if not self._windows.setdefault(meter, SequenceWindow()).accept(counter):
            raise PayloadRefused("repeated", f"meter {meter}: invocation counter {counter} again, or far behind")
        return decode(apdu, meter)


def size_bytes(series: Series, intervals: int, profile: Profile | str, five_minute: int = 0) -> int:
    """Return the bytes of a ciphered push, as the encoder makes it of valid readings.

    Values have fixed widths, so the size does not depend on them. Headers below DLMS are not in it
    (``twin.field.notice.OVERHEAD_BYTES``).

    Parameters
    ----------
    series : Series
    intervals : int
        1 or more.
    profile : Profile or str
    five_minute : int
        How many 5-minute values ride with a single interval.

    Raises
    ------
    InputError
        If the profile does not have the series, or a number is out of its range.
    """
    known = find_profile(profile) if isinstance(profile, str) else profile
    columns = known.kept(series).columns
    if not 1 <= intervals <= known.kept(series).slots(series):
        slots = known.kept(series).slots(series)
        raise InputError(f"profile {known.name}: {intervals} intervals of {series.label}, expected 1 to {slots}")
    if five_minute:
        known.kept(Series.FIVE_MINUTE)
    return _size_bytes(Series(series), intervals, columns, five_minute)


@lru_cache(maxsize=4096)
def _size_bytes(series: Series, intervals: int, columns: tuple[str, ...], five_minute: int) -> int:
    last_ns = 24 * INTERVAL_NS[Series.GAS]  # any end that lies on the grid of every series
    rider = _zeros(Series.FIVE_MINUTE, five_minute, POWER, last_ns) if five_minute else None
    apdu = encode(_zeros(series, intervals, columns, last_ns), five_minute=rider)
    return len(seal(apdu, 0, 0, MeterKeys(bytes(16), bytes(16))))


def _zeros(series: Series, intervals: int, columns: Sequence[str], last_ns: int) -> Readings:
    """Return valid readings of 0 that end at `last_ns`."""
    ends = last_ns - np.arange(intervals)[::-1] * INTERVAL_NS[series]
    values = blank(0, series, ends)
    return Readings(**{**values, **{name: np.zeros(intervals, np.int64) for name in columns}})


def _checked_run(readings: Readings, what: str) -> np.ndarray:
    """Return the interval ends of one meter's unbroken run, InputError otherwise."""
    if not len(readings):
        raise InputError(f"payload: no {what}, expected at least one interval")
    ends = readings.interval_end_ns
    step = INTERVAL_NS[Series(int(readings.series[0]))]
    if (readings.meter != readings.meter[0]).any() or (readings.series != readings.series[0]).any():
        raise InputError(f"payload: {what} of several meters or series, expected one of each")
    broken = np.flatnonzero(ends[1:] - ends[:-1] != step)
    if broken.size:
        row = int(broken[0]) + 1
        raise InputError(f"payload: {what}: row {row} ends at {ends[row]} ns, expected {ends[row - 1] + step} ns")
    return ends


def _check_rider(readings: Readings, five_minute: Readings) -> None:
    """Raise InputError unless the 5-minute values belong to the one interval they ride with."""
    ends = _checked_run(five_minute, "5-minute values")
    if len(readings) != 1 or five_minute.series[0] != Series.FIVE_MINUTE:
        raise InputError(f"payload: {len(readings)} intervals with a rider, expected one with 5-minute values")
    if ends[-1] != readings.interval_end_ns[0] or five_minute.meter[0] != readings.meter[0]:
        raise InputError(
            f"payload: 5-minute values end at {ends[-1]} ns, expected the interval's {readings.interval_end_ns[0]} ns"
        )


def _entry(readings: Readings, row: int) -> list[dlms.BaseDlmsData]:
    """Return the values of one reading and its mark, unless that is ``valid``."""
    mark = Mark(int(readings.mark[row]))
    present = {name: int(getattr(readings, name)[row]) for name in _TYPES if getattr(readings, name)[row] != ABSENT}
    if mark == Mark.NO_DATA:
        present = {}
    elif tuple(present) not in _LAYOUTS:
        raise InputError(
            f"payload: interval ending at {readings.interval_end_ns[row]} ns holds {', '.join(present) or 'nothing'}, "
            f"expected {' or '.join('+'.join(layout) for layout in _LAYOUTS)}"
        )
    values = [_TYPES[name](value) for name, value in present.items()]
    for name, value in zip(present, values, strict=True):
        least, most = _RANGES[_TYPES[name]]
        if not least <= value.value <= most:
            raise InputError(
                f"payload: interval ending at {readings.interval_end_ns[row]} ns: {name} = {value.value}, "
                f"expected what fits {type(value).__name__} ({8 * value.LENGTH} bits)"
            )
    return [*values, *([dlms.UnsignedIntegerData(int(mark))] if mark else [])]


def _parsed(body: bytes) -> list[Any]:
    """Return the elements of the one structure that a body is."""
    parser = _Parser()
    found = parser.parse(body)
    if len(found) != 1 or not isinstance(found[0], dlms.DataStructure) or parser.pointer != len(body):
        raise PayloadRefused("malformed", f"a body of {len(body)} bytes that is not one whole structure")
    return list(found[0].value)


def _read_body(elements: list[Any], meter: int, series: Series) -> Readings:
    """Return the readings that a body's elements say."""
    start, *rest = elements
    if not isinstance(start, dlms.DoubleLongUnsignedData):
        raise PayloadRefused("malformed", f"push of meter {meter}: no time in front")
    end_ns = (int(start.value) - EPOCH_UNIX_S) * SECOND_NS
    if len(rest) == 1 and isinstance(rest[0], dlms.DataArray):
        return _read_entries(rest[0].value, meter, series, end_ns)
    if rest and isinstance(rest[-1], dlms.DataArray):
        rider = rest[-1].value
        first_ns = end_ns - (len(rider) - 1) * INTERVAL_NS[Series.FIVE_MINUTE]
        own = _read_entries([dlms.DataStructure(rest[:-1])], meter, series, end_ns)
        return join([own, _read_entries(rider, meter, Series.FIVE_MINUTE, first_ns)])
    return _read_entries([dlms.DataStructure(rest)], meter, series, end_ns)


def _read_entries(entries: Sequence[Any], meter: int, series: Series, first_ns: int) -> Readings:
    """Return the readings of entries that follow each other from `first_ns` on."""
    if not entries:
        raise PayloadRefused("malformed", f"push of meter {meter}: an array of no entries")
    columns = blank(meter, series, first_ns + np.arange(len(entries)) * INTERVAL_NS[series])
    for row, entry in enumerate(entries):
        values = list(entry.value)
        if values and isinstance(values[-1], dlms.UnsignedIntegerData):
            columns["mark"][row] = Mark(values.pop().value)
        for name, value in zip(_layout_of(values, int(columns["mark"][row])), values, strict=True):
            columns[name][row] = value.value
    return Readings(**columns)


def _layout_of(values: Sequence[Any], mark: int) -> tuple[str, ...]:
    """Return what the values of an entry are, from their types."""
    if not values and mark == Mark.NO_DATA:
        return ()
    for layout in _LAYOUTS:
        if [type(value) for value in values] == [_TYPES[name] for name in layout]:
            return layout
    raise PayloadRefused("malformed", f"an entry of {len(values)} values in no known order")
