"""What a retailer is sent of a day, against the readings that went in."""

from datetime import date

import pyarrow.parquet as pq
import pytest

from teiden.errors import InputError
from twin.metering.loads import Loads
from twin.metering.memory import MeterMemory
from twin.metering.profile import find_profile
from twin.metering.record import ABSENT, RECORD_BYTES, DailyRecord, Direction
from twin.metering.retail import send_day
from twin.metering.shapes import generate_shapes
from twin.store.schema import DAY_NS, HOUR_NS, MINUTE_NS, Series
from twin.store.store import Store

DAY = date(2025, 4, 1)


@pytest.fixture
def held(tmp_path):
    """Give a store with a day of three meters; one was dark at 00:30, the last hour came two hours late."""
    memory = MeterMemory(Loads(generate_shapes(1), [0, 0, 0], 1, pv_share=1.0), find_profile("seed-2021"))
    memory.outages.lose([1], 20 * MINUTE_NS)
    memory.outages.restore([1], 40 * MINUTE_NS)
    readings = memory.readings([0, 1, 2], Series.HALF_HOUR, 0, DAY_NS, DAY_NS)
    late = readings.interval_end_ns > 23 * HOUR_NS
    with Store.open(tmp_path / "store") as store:
        store.ingest(readings.to_table(0, readings.interval_end_ns + late * 2 * HOUR_NS), "day")
        yield store, readings


def test_values_in_time_and_a_record_a_meter_and_direction(held, tmp_path):
    store, readings = held
    assert send_day(store, DAY, tmp_path, HOUR_NS, []) == (3 * 46 - 1, 6)
    sent = pq.read_table(tmp_path / "values.parquet")
    assert sent.num_rows == 3 * 46 - 1  # 48 less the last two, less the one that has no data
    data = (tmp_path / "records.bin").read_bytes()
    records = [DailyRecord.from_bytes(data[k : k + RECORD_BYTES]) for k in range(0, len(data), RECORD_BYTES)]
    assert [(r.meter, r.direction) for r in records] == [(m, d) for m in range(3) for d in Direction]
    for record in records:
        name = "import_wh" if record.direction is Direction.FORWARD else "export_wh"
        assert record.register_wh.tolist() == getattr(readings, name)[readings.meter == record.meter].tolist()
    assert records[2].register_wh[0] == ABSENT


def test_one_meter_and_what_is_not_there(held, tmp_path):
    store, _ = held
    assert send_day(store, DAY, tmp_path, DAY_NS, [2]) == (48, 2)
    with pytest.raises(InputError, match=r"no half hours on 2025-04-09; it holds 2025-04-01 to 2025-04-01"):
        send_day(store, date(2025, 4, 9), tmp_path, HOUR_NS, [])
    with pytest.raises(InputError, match=r"no half hours of meter 9 on 2025-04-01"):
        send_day(store, DAY, tmp_path, HOUR_NS, [9])


def test_quarter_hours_are_sent_when_asked_for_with_the_records_of_their_half_hours(tmp_path):
    memory = MeterMemory(Loads(generate_shapes(1), [0, 0], 1, pv_share=1.0), find_profile("seed-2021"))
    quarters, halves = (memory.readings([0, 1], series, 0, DAY_NS, DAY_NS)
                        for series in (Series.QUARTER_HOUR, Series.HALF_HOUR))  # fmt: skip
    with Store.open(tmp_path / "store") as store:
        store.ingest(quarters.to_table(0, quarters.interval_end_ns + MINUTE_NS), "day")
        with pytest.raises(InputError, match=r"no half hours on .*none at all, but quarter hours: ask for series q"):
            send_day(store, DAY, tmp_path, HOUR_NS, [])
        assert not (tmp_path / "values.parquet").exists()
        assert send_day(store, DAY, tmp_path, HOUR_NS, [], Series.QUARTER_HOUR) == (2 * 96, 4)
    sent = pq.read_table(tmp_path / "values.parquet")
    assert sent["import_wh"].to_pylist() == quarters.import_wh.tolist()
    data = (tmp_path / "records.bin").read_bytes()
    for k, (meter, name) in enumerate([(0, "import_wh"), (0, "export_wh"), (1, "import_wh"), (1, "export_wh")]):
        record = DailyRecord.from_bytes(data[k * RECORD_BYTES : (k + 1) * RECORD_BYTES])
        assert record.register_wh.tolist() == getattr(halves, name)[halves.meter == meter].tolist()
