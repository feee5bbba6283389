"""The daily record, byte for byte."""

import struct
from datetime import date

import numpy as np
import pytest

from teiden.errors import InputError
from twin.metering.loads import Loads
from twin.metering.memory import MeterMemory
from twin.metering.profile import find_profile
from twin.metering.readings import ABSENT
from twin.metering.record import DailyRecord, Direction, daily_records, day_of
from twin.metering.shapes import generate_shapes
from twin.store.schema import DAY_NS, HOUR_NS, Series

DAY = date(2025, 4, 2)  # the second simulated day
VALUES = np.arange(48, dtype=np.int64) * 1000 + 7


def test_bytes_are_the_documented_ones():
    values = VALUES.copy()
    values[3] = ABSENT
    data = DailyRecord(0x01020304, DAY, Direction.REVERSE, values).to_bytes()
    assert data[:9] == bytes.fromhex("01020304 07e9 04 02 02")
    expected = [0xFFFFFFFE if slot == 3 else 1000 * slot + 7 for slot in range(48)]
    assert data[9:] == struct.pack(">48I", *expected)
    assert len(data) == 201


def test_what_is_written_is_read_unchanged():
    values = VALUES.copy()
    values[[0, 47]] = ABSENT
    record = DailyRecord(9, DAY, Direction.FORWARD, values)
    got = DailyRecord.from_bytes(record.to_bytes())
    assert (got.meter, got.day, got.direction) == (9, DAY, Direction.FORWARD)
    np.testing.assert_array_equal(got.register_wh, values)


def test_a_day_of_memory_makes_both_directions_with_its_gap():
    """Out from 02:59 to 04:45 on the second day: 03:00 to 04:30 are missing, slots 5 to 8."""
    memory = MeterMemory(Loads(generate_shapes(1, 8), [0] * 5, 1, pv_share=1.0), find_profile("present"))
    memory.outages.lose([2], DAY_NS + 3 * HOUR_NS - 60 * 10**9)
    memory.outages.restore([2], DAY_NS + 4 * HOUR_NS + 45 * 60 * 10**9)
    readings = memory.readings([1, 2], Series.HALF_HOUR, 0, 3 * DAY_NS, 3 * DAY_NS)
    forward, reverse = daily_records(readings, 2, DAY)
    for record, column in ((forward, readings.import_wh), (reverse, readings.export_wh)):
        own = column[readings.meter == 2][48:96]
        np.testing.assert_array_equal(record.register_wh, own)
        assert np.flatnonzero(record.register_wh == ABSENT).tolist() == [5, 6, 7, 8]
    assert forward.direction == Direction.FORWARD
    assert reverse.direction == Direction.REVERSE
    assert reverse.register_wh[-1] > reverse.register_wh[0]


def test_half_hours_that_have_not_arrived_are_no_data():
    memory = MeterMemory(Loads(generate_shapes(1, 8), [0], 1), find_profile("present"))
    forward, _ = daily_records(memory.readings([0], Series.HALF_HOUR, 0, DAY_NS + HOUR_NS, 2 * DAY_NS), 0, DAY)
    assert (forward.register_wh != ABSENT).tolist() == [True] * 2 + [False] * 46


def test_midnight_belongs_to_the_day_before():
    assert day_of(DAY_NS) == date(2025, 4, 1)
    assert day_of(DAY_NS + 1) == date(2025, 4, 2)
    assert day_of(-DAY_NS + 1) == date(2025, 3, 31)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (bytes(200), "200 bytes, expected 201"),
        (bytes.fromhex("00000001 07e9 0d 02 01") + bytes(192), "record of meter 1: month must be in 1..12"),
        (bytes.fromhex("00000001 07e9 04 02 03") + bytes(192), "record of meter 1: 3 is not a valid Direction"),
    ],
)
def test_bytes_that_are_no_record_are_refused(data, says):
    with pytest.raises(InputError, match=says):
        DailyRecord.from_bytes(data)


def test_a_register_that_does_not_fit_is_named():
    values = VALUES.copy()
    values[11] = 0xFFFFFFFE
    with pytest.raises(InputError, match="half hour 12 = 4294967294 Wh"):
        DailyRecord(9, DAY, Direction.FORWARD, values).to_bytes()
