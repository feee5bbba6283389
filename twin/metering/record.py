"""The daily record of a meter: meter, date, flow direction and 48 half hours (R5), byte for byte.

====== ====== ==========================================================
offset bytes  field, big endian
====== ====== ==========================================================
0      4      meter
4      2      year
6      1      month
7      1      day
8      1      flow direction (潮流区分): 1 forward, 2 reverse
9      4 x 48 register at the ends of the half hours, 00:30 to 24:00 [Wh]
====== ====== ==========================================================

R5 names the fields, not their widths. Widths are those of ECHONET Lite 0x0288: a date of 4 bytes (0xD0), registers of
4 bytes and ``0xFFFFFFFE`` for no data (0xE2, 0xE4).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from enum import IntEnum

import numpy as np

from teiden.errors import InputError
from twin.field.topology import Ints
from twin.metering.calendar import JST, civil_time, simulated_ns
from twin.metering.readings import ABSENT, Readings
from twin.store.schema import INTERVAL_NS, Series

HALF_HOURS = 48
NO_DATA = 0xFFFFFFFE
_HEAD = struct.Struct(">IHBBB")
RECORD_BYTES = _HEAD.size + 4 * HALF_HOURS


class Direction(IntEnum):
    """Which way the energy of a record flowed."""

    FORWARD = 1
    REVERSE = 2


@dataclass(frozen=True, eq=False)
class DailyRecord:
    """One meter, day and direction.

    Attributes
    ----------
    meter : int
    day : date
        In Japan.
    direction : Direction
    register_wh : (48,) int
        At the ends of the half hours; ``ABSENT`` where there is no data.
    """

    meter: int
    day: date
    direction: Direction
    register_wh: Ints

    def to_bytes(self) -> bytes:
        """Return the record's 201 bytes; InputError if a value does not fit."""
        wrong = np.flatnonzero((self.register_wh != ABSENT) & ((self.register_wh < 0) | (self.register_wh >= NO_DATA)))
        if wrong.size:
            slot = int(wrong[0])
            raise InputError(
                f"record of meter {self.meter}, {self.day}: half hour {slot + 1} = {self.register_wh[slot]} Wh, "
                f"expected 0 to {NO_DATA - 1}"
            )
        values = np.where(self.register_wh == ABSENT, NO_DATA, self.register_wh).astype(">u4")
        head = _HEAD.pack(self.meter, self.day.year, self.day.month, self.day.day, self.direction)
        return head + values.tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> DailyRecord:
        """Return the record in 201 bytes; InputError if they are none."""
        if len(data) != RECORD_BYTES:
            raise InputError(f"record: {len(data)} bytes, expected {RECORD_BYTES}")
        meter, year, month, day, direction = _HEAD.unpack_from(data)
        try:
            when, way = date(year, month, day), Direction(direction)
        except ValueError as error:
            raise InputError(f"record of meter {meter}: {error}") from None
        values = np.frombuffer(data, ">u4", HALF_HOURS, _HEAD.size).astype(np.int64)
        return cls(meter, when, way, np.where(values == NO_DATA, ABSENT, values))


def daily_records(
    readings: Readings, meter: int, day: date, series: Series = Series.HALF_HOUR
) -> tuple[DailyRecord, DailyRecord]:
    """Return the forward and the reverse record of a meter's day, from what there is of one of its series.

    Half hours at whose ends there is no reading have no data, as have those that say so. Of quarter hours every
    second one ends with a half hour: a register read then is the half hour's.
    """
    midnight_ns = simulated_ns(datetime.combine(day, time(), JST))
    half_hour, rest_ns = np.divmod(readings.interval_end_ns - midnight_ns, INTERVAL_NS[Series.HALF_HOUR])
    slot = half_hour - 1
    own = (readings.meter == meter) & (readings.series == series) & (slot >= 0) & (slot < HALF_HOURS) & (rest_ns == 0)
    forward = DailyRecord(meter, day, Direction.FORWARD, np.full(HALF_HOURS, ABSENT, np.int64))
    forward.register_wh[slot[own]] = readings.import_wh[own]
    reverse = replace(forward, direction=Direction.REVERSE, register_wh=np.full(HALF_HOURS, ABSENT, np.int64))
    reverse.register_wh[slot[own]] = readings.export_wh[own]
    return forward, reverse


def day_of(interval_end_ns: int) -> date:
    """Return the day whose record an interval belongs to: midnight's end is the day before's."""
    return civil_time(interval_end_ns - 1).date()
