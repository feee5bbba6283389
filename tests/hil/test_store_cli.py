"""The commands ``teiden store ...`` as a user types them, on a store of three meters and a day."""

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from hil.cli import main
from twin.metering.loads import Loads
from twin.metering.memory import MeterMemory
from twin.metering.profile import find_profile
from twin.metering.record import RECORD_BYTES, DailyRecord, Direction
from twin.metering.shapes import generate_shapes
from twin.store.schema import DAY_NS, HOUR_NS, Series
from twin.store.store import Store

LATE = 23 * HOUR_NS  # what ends after this came two hours late


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """Give a closed store with a day of half hours of three meters, and the readings that went in."""
    memory = MeterMemory(Loads(generate_shapes(1), [0, 0, 0], 1, pv_share=1.0), find_profile("seed-2021"))
    readings = memory.readings([0, 1, 2], Series.HALF_HOUR, 0, DAY_NS, DAY_NS)
    late_ns = (readings.interval_end_ns > LATE) * 2 * HOUR_NS
    folder = tmp_path_factory.mktemp("day") / "store"
    with Store.open(folder) as store:
        store.ingest(readings.to_table(0, readings.interval_end_ns + late_ns), "day")
    return folder, readings


def typed(*words):
    return CliRunner().invoke(main, ["store", *map(str, words)])


def test_send_writes_what_was_in_time_and_the_records_of_the_day(day, tmp_path):
    folder, readings = day
    said = typed("send", folder, "--day", "2025-04-01", "--out", tmp_path)
    assert said.exit_code == 0, said.output
    assert "138 values" in said.output  # 3 meters, 48 half hours less the last two
    assert "6 records" in said.output
    assert pq.read_table(tmp_path / "values.parquet").num_rows == 138
    data = (tmp_path / "records.bin").read_bytes()
    records = [DailyRecord.from_bytes(data[k : k + RECORD_BYTES]) for k in range(0, len(data), RECORD_BYTES)]
    assert [(r.meter, r.direction) for r in records] == [(m, d) for m in range(3) for d in Direction]
    for record in records:
        name = "import_wh" if record.direction is Direction.FORWARD else "export_wh"
        assert record.register_wh.tolist() == getattr(readings, name)[readings.meter == record.meter].tolist()


def test_send_takes_an_age_and_meters(day, tmp_path):
    said = typed("send", day[0], "--day", "2025-04-01", "--out", tmp_path, "--after-min", 180, "--meter", 2)
    assert said.exit_code == 0, said.output
    assert "48 values" in said.output
    assert "2 records" in said.output


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--day", "2025-04-02"), "no half hours on 2025-04-02; it holds 2025-04-01 to 2025-04-01"),
        (("--day", "2025-13-01"), "does not match the format"),
        (("--day", "2025-04-01", "--meter", 1, "--meter", 7), "no half hours of meter 7 on 2025-04-01 (1 of 2 meters"),
        (("--day", "2025-04-01", "--series", "quarter_hour"), "none at all, but half hours: ask for series half_hour"),
        (("--day", "2025-04-01", "--series", "gas"), "'gas' is not one of 'half_hour', 'quarter_hour'"),
        (("--day", "2025-04-01", "--after-min", "nan"), "--after-min nan: expected more than 0"),
        (("--day", "2025-04-01", "--after-min", "inf"), "--after-min inf: expected more than 0"),
        (("--day", "2025-04-01", "--after-min", -1), "--after-min -1: expected more than 0"),
    ],
)
def test_what_cannot_be_sent_is_named_and_nothing_is_written(day, tmp_path, words, expected):
    said = typed("send", day[0], "--out", tmp_path, *words)
    assert said.exit_code == 2
    assert expected in said.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [("info",), ("check",), ("compact",), ("send", "--day", "2025-04-01"), ("draw",)])
def test_no_command_touches_a_store_of_another_version_or_what_is_none(tmp_path, command):
    name, *words = command
    said = typed(name, tmp_path, *words)
    assert said.exit_code == 2
    assert "no store here" in said.output
    Store.open(tmp_path / "store").close()
    manifest = tmp_path / "store" / "store.json"
    manifest.write_text(manifest.read_text().replace('"version": 1', '"version": 99'))
    before = {path: path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file()}
    said = typed(name, tmp_path / "store", *words)
    assert said.exit_code == 2
    assert "a store of version 99, this Teiden reads version 1" in said.output
    assert {path: path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file()} == before


def test_info_check_compact_and_draw_say_what_there_is(day, tmp_path):
    folder, readings = day
    assert f"{len(readings):,} arrived = {len(readings):,} stored" in typed("info", folder).output
    assert f"{len(readings):,} readings, whole" in typed("check", folder).output
    assert "1 Parquet files, nothing in the log" in typed("compact", folder).output.replace("\n", " ")
    drawn = typed("draw", folder, "--out", tmp_path, "--group", 2)
    assert drawn.exit_code == 0, drawn.output
    assert all((tmp_path / line.split("/")[-1]).stat().st_size > 10_000 for line in drawn.output.split())
    assert typed("draw", folder, "--out", tmp_path, "--within-min", "nan").exit_code == 2
    assert typed("draw", folder, "--out", tmp_path, "--group", 0).exit_code == 2
