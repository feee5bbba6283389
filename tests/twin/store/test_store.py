"""The store against a dictionary, its receipts, its views and its refusals."""

import json
import os
import subprocess
import sys

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from store_readings import STEP, random_batches, reference, row, table

from teiden.errors import InputError, PartFailed
from twin.store.compaction import newest
from twin.store.parts import Part
from twin.store.presence import Presence, slots
from twin.store.receipt import Receipt
from twin.store.schema import DAY_NS, INTERVAL_NS, KEY, MINUTE_NS, Series, day_of
from twin.store.store import Store


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "store") as held:
        yield held


def by_key(rows: pa.Table) -> dict:
    return {tuple(found[name] for name in KEY): found for found in rows.to_pylist()}


@pytest.mark.parametrize("log_rows", [1, 150, 10**9])  # a compaction a batch, some, none before the end
@pytest.mark.parametrize("seed", [1, 2])
def test_a_store_holds_what_a_dictionary_would(tmp_path, seed, log_rows):
    batches = random_batches(seed, 8, rows=60)
    held, conflicts, duplicates = reference(batches)
    assert conflicts
    assert duplicates
    with Store.open(tmp_path / "store", log_rows=log_rows) as store:
        receipts = [store.ingest(batch, str(number)) for number, batch in enumerate(batches)]
        assert sum(receipts, Receipt()).stored == len(held)
        assert sum(receipts, Receipt()).duplicates == duplicates
        assert sum(receipts, Receipt()).conflicts == len(conflicts)
        for _ in range(2):
            found = [store.readings(series, -DAY_NS, 3 * DAY_NS) for series in Series]
            assert sum(rows.num_rows for rows in found) == len(held)
            assert by_key(pa.concat_tables(found)) == held
            order = sorted(map(str, conflicts))
            assert sorted(map(str, store.conflicts().to_pylist())) == order
            store.compact(merge=True)


@pytest.mark.parametrize(
    ("sizes", "merged"),
    [
        ([1] * 9, 9),  # alike: all
        ([64, 8, *[1] * 8], 9),  # eight and eight, not the 64
        ([64, 17, 8, *[1] * 8], 9),  # ... nor the 17
        ([256, 128, 64, 32, 16, 8, 4, 2, 1], 2),  # each larger than those after it: two all the same
    ],
)
def test_the_newest_parts_are_merged_back_to_a_larger_one(sizes, merged):
    group = [Part("readings", Series.HALF_HOUR, 0, 0, k, k, rows) for k, rows in enumerate(sizes)]
    assert newest(group[::-1]) == group[-merged:]


def test_a_reading_is_written_again_some_log2_times_not_with_every_merge():
    group, written, batches = [], 0, 256
    for k in range(batches):
        group.append(Part("readings", Series.HALF_HOUR, 0, 0, k, k, 1))
        if len(group) > 8:
            last = newest(group)
            rows = sum(part.rows for part in last)
            written += rows
            group = [*group[: -len(last)], Part("readings", Series.HALF_HOUR, 0, 0, last[0].first, k, rows)]
    assert len(group) <= 8
    assert sum(part.rows for part in group) == batches
    assert written <= batches * np.log2(batches)  # merging all of nine each time: 256 * 256 / 16 and more


def test_late_is_later_than_the_series_is_due(store):
    end = STEP
    on_time, late = (
        row(meter, 0, received_ns=end, stored_ns=end + 60 * MINUTE_NS + over) for meter, over in ((1, 0), (2, 1))
    )
    assert store.ingest(table([on_time, late]), "a") == Receipt(stored=2, late=1)


def test_a_batch_sent_again_is_answered_as_the_first_time_and_counts_once(tmp_path):
    batch = table([row(1, 0), row(1, 0), row(1, 0, 7), row(2, 0)])
    expected = Receipt(stored=2, duplicates=1, conflicts=1)
    for _ in range(3):
        with Store.open(tmp_path / "store") as store:
            assert store.ingest(batch, "a") == expected
            assert store.ingest(pa.concat_tables([batch.slice(0, 1), batch.slice(1)]), "a") == expected
            [counted] = store.conservation().to_pylist()
            assert (counted["arrived"], counted["balanced"]) == (4, True)


def test_the_newest_receipts_are_remembered_whether_it_stayed_open_or_not(tmp_path, monkeypatch):
    monkeypatch.setattr("twin.store.store.REMEMBERED", 3)
    for reopened in (False, True):
        root = tmp_path / f"store {reopened}"
        store = Store.open(root, log_rows=2)
        for number in range(7):
            store.ingest(table([row(number, 0)]), str(number))
            if reopened:
                store.close(compact=number % 3 == 0)
                store = Store.open(root, log_rows=2)
        assert [number for number in range(7) if store.receipt(str(number))] == [4, 5, 6]
        assert store.ingest(table([row(0, 0)]), "0") == Receipt(duplicates=1)
        store.close()


def test_a_name_used_for_two_batches_is_refused(store):
    store.ingest(table([row(1, 0)]), "a")
    with pytest.raises(InputError, match=r"batch 'a': came before with other readings"):
        store.ingest(table([row(1, 0, 101)]), "a")


def test_the_first_value_stays_and_the_other_is_kept_aside(store):
    store.ingest(table([row(1, 0, 100), row(2, 0, None, mark=1)]), "a")
    store.ingest(table([row(1, 0, 99), row(2, 0, 5)]), "b")
    assert store.readings(Series.HALF_HOUR, 0, DAY_NS)["import_wh"].to_pylist() == [100, None]
    assert store.conflicts()["import_wh"].to_pylist() == [99, 5]


def test_readings_reach_from_after_the_first_time_to_the_last(store):
    store.ingest(table(row(meter, number) for meter in (3, 1, 2) for number in (2, 0, 1)), "a")
    found = store.readings(Series.HALF_HOUR, STEP, 3 * STEP, meters=np.array([1, 3]))
    assert list(zip(found["meter"].to_pylist(), found["interval_end_ns"].to_pylist(), strict=True)) == [
        (1, 2 * STEP), (1, 3 * STEP), (3, 2 * STEP), (3, 3 * STEP)
    ]  # fmt: skip


def test_missing_is_what_a_loop_finds(store):
    draw = np.random.default_rng(5)
    there = {(int(m), int(k)) for m, k in zip(draw.integers(0, 20, 400), draw.integers(0, 60, 400), strict=True)}
    store.ingest(table(row(m, k) for m, k in there), "a")
    found = store.missing(Series.HALF_HOUR, np.arange(20), 5 * STEP, 55 * STEP)
    expected = [(m, (k + 1) * STEP) for m in range(20) for k in range(5, 55) if (m, k) not in there]
    assert list(zip(found["meter"].to_pylist(), found["interval_end_ns"].to_pylist(), strict=True)) == expected


def test_conservation_notices_a_file_that_is_gone(tmp_path):
    with Store.open(tmp_path / "store") as store:
        store.ingest(table([row(1, 0), row(2, 0), row(1, 0, series=2)]), "a")
    with Store.open(tmp_path / "store") as store:
        (part,) = store.files.of("readings", Series.HALF_HOUR)
        (store.root / part.file).unlink()
        half, five = store.conservation().to_pylist()
        assert (half["stored"], half["readings_found"], half["balanced"]) == (2, 0, False)
        assert five["balanced"]
        with pytest.raises(PartFailed, match=r"2 stored readings cannot be read"):
            store.readings(Series.HALF_HOUR, 0, DAY_NS)


def test_a_damaged_page_is_noticed(tmp_path):
    with Store.open(tmp_path / "store") as store:
        store.ingest(table(row(meter, 0) for meter in range(50)), "a")
        store.compact()
        path = store.root / store.files.parts[0].file
        content = bytearray(path.read_bytes())
        content[40] ^= 0xFF  # inside the first page: the file begins with 4 B and a header of some 20
        path.write_bytes(content)
        with pytest.raises(PartFailed, match="cannot be read"):
            store.readings(Series.HALF_HOUR, 0, DAY_NS)


def test_a_store_of_another_version_is_refused_untouched(tmp_path):
    root = tmp_path / "store"
    with Store.open(root) as store:
        store.ingest(table([row(1, 0)]), "a")
    manifest = json.loads((root / "store.json").read_text())
    (root / "store.json").write_text(json.dumps(manifest | {"version": 7}))
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match=r"store.json: a store of version 7, this Teiden reads version 1") as error:
        Store.open(root)
    assert error.value.exit_code == 2
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
    (root / "store.json").write_text(json.dumps(manifest))
    with Store.open(root) as store:
        assert store.receipt("a") == Receipt(stored=1)


def test_a_folder_with_something_else_is_refused(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match=r"holds something, but no store.json"):
        Store.open(tmp_path)


def test_one_process_at_a_time(store):
    code = f"from twin.store.store import Store; Store.open({str(store.root)!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "another process has this store open" in done.stderr


def test_a_full_disk_keeps_nothing_of_the_batch(store, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    store.ingest(table([row(1, 0)]), "a")
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(PartFailed, match=r"batch 'b' could not be written, nothing of it is kept.*No space"):
            store.ingest(table([row(2, 0)]), "b")
    assert store.receipt("b") is None
    assert store.ingest(table([row(2, 0)]), "b") == Receipt(stored=1)
    assert store.readings(Series.HALF_HOUR, 0, DAY_NS).num_rows == 2


def test_a_disk_too_full_to_compact_loses_nothing(store, monkeypatch):
    def full(source, target):
        raise OSError(28, "No space left on device")

    store.ingest(table([row(1, 0), row(2, 0)]), "a")
    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        with pytest.raises(PartFailed, match=r"could not compact, all acknowledged batches are kept.*No space"):
            store.compact()
    assert store.ingest(table([row(1, 0), row(3, 0)]), "b") == Receipt(stored=1, duplicates=1)
    store.compact()
    assert store.readings(Series.HALF_HOUR, 0, DAY_NS)["meter"].to_pylist() == [1, 2, 3]
    assert [counted["balanced"] for counted in store.conservation().to_pylist()] == [True]


def log_of(root, batches: int) -> list:
    """Leave a store with a log of so many batches, a file each, and return the files."""
    for number in range(batches):
        store = Store.open(root)
        store.ingest(table([row(number, 0)]), str(number))
        store.close(compact=False)
    return sorted((root / "log").iterdir())


def test_a_batch_cut_short_was_never_acknowledged_and_is_cut_off(tmp_path):
    path = log_of(tmp_path / "store", 2)[1]
    whole = path.read_bytes()
    left = [whole[:length] for length in (0, 3, 40, len(whole) - 1)]
    for content in [*left, bytes(len(whole))]:  # a kill leaves a beginning, a power cut also zeros
        path.write_bytes(content)
        store = Store.open(tmp_path / "store")
        assert (store.receipt("0"), store.receipt("1")) == (Receipt(stored=1), None)
        store.close(compact=False)
        assert path.read_bytes() == b""
    with Store.open(tmp_path / "store") as store:
        assert store.ingest(table([row(1, 0)]), "1") == Receipt(stored=1)
    with Store.open(tmp_path / "store") as store:
        assert store.receipt("1") == Receipt(stored=1)


def test_a_lost_or_damaged_batch_between_others_is_named(tmp_path):
    first, second, _ = log_of(tmp_path / "store", 3)
    content = first.read_bytes()
    first.write_bytes(content[:100] + b"?" + content[101:] + content)
    with pytest.raises(PartFailed, match="damaged at byte 0, with batches behind it"):
        Store.open(tmp_path / "store")
    first.write_bytes(content)
    second.unlink()
    with pytest.raises(PartFailed, match="batch 2 of the store's log is gone, 3 is there"):
        Store.open(tmp_path / "store")


def test_sql_and_pandas_read_what_was_stored(tmp_path, monkeypatch):
    with Store.open(tmp_path / "store") as store:
        store.ingest(table([row(1, 0), row(2, 0), row(2, 0, 8), row(2, 60, None, mark=1)]), "a")
        store.keep_estimates(table([row(2, 60, 300, mark=2), row(1, 0, 50, mark=2)]))
        assert store.connect().sql("select count(*) from readings").fetchall() == [(3,)]  # of the log
    monkeypatch.chdir(tmp_path / "store")
    connection = duckdb.connect()
    connection.execute((tmp_path / "store" / "store.sql").read_text())
    counts = {view: connection.sql(f"select count(*) from {view}").fetchall()[0][0]
              for view in ("readings", "conflicts", "estimates")}  # fmt: skip
    assert counts == {"readings": 3, "conflicts": 1, "estimates": 2}
    completed = connection.sql("select meter, import_wh, mark from completed order by all").fetchall()
    assert completed == [(1, 100, 0), (2, 100, 0), (2, 300, 2)]  # a reading before its estimate, no_data after
    frame = pd.read_parquet(tmp_path / "store" / "readings" / "half_hour")
    assert sorted(frame["day"].astype(int)) == [0, 0, 1]


def test_an_empty_store_answers(store):
    assert store.readings(Series.GAS, 0, DAY_NS).num_rows == 0
    assert store.conservation().num_rows == 0
    assert store.connect().sql("from completed").fetchall() == []
    assert store.ingest(table([]), "nothing") == Receipt()


def test_midnight_belongs_to_the_day_before():
    assert day_of(np.array([1, DAY_NS, DAY_NS + 1, 0, -DAY_NS])).tolist() == [0, 0, 1, -1, -2]


@pytest.mark.parametrize("series", list(Series))
def test_presence_is_a_set_of_keys(series):
    draw = np.random.default_rng(series)
    presence, held = Presence(series), set()
    for _ in range(5):
        meter = draw.choice(np.array([0, 1, 4095, 4096, 2**32 - 1], np.uint32), 300)
        slot = draw.integers(0, slots(series), 300)
        keys = list(zip(meter.tolist(), slot.tolist(), strict=True))
        assert presence.contains(meter, slot).tolist() == [key in held for key in keys]
        presence.add(meter[:100], slot[:100])
        held.update(keys[:100])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"series": 6}, "series expected 0 to 5"),
        ({"mark": 5}, "mark expected 0 to 4"),
        ({"mark": 2}, "marked estimated"),
        ({"interval_end_ns": INTERVAL_NS[Series.HALF_HOUR] + 1}, "no end of an interval of its series"),
        ({"stored_ns": 0}, "stored_ns is before received_ns"),
        ({"import_wh": None}, "carries at least one value"),
        ({"mark": 1}, "carries no value"),
    ],
)
def test_a_bad_reading_is_named_and_nothing_of_its_batch_kept(store, change, message):
    with pytest.raises(InputError, match=rf"batch 'b': row 1 .*{message}"):
        store.ingest(table([row(1, 0), row(2, 0) | change, row(3, 0)]), "b")
    assert store.conservation().num_rows == 0


def test_bad_columns_are_named(store):
    good = table([row(1, 0)])
    with pytest.raises(InputError, match=r"columns missing: mark; unknown or twice: marks"):
        store.ingest(good.rename_columns(["marks" if name == "mark" else name for name in good.column_names]), "a")
    with pytest.raises(InputError, match=r"column meter: .*-1.*expected uint32"):
        store.ingest(good.set_column(0, "meter", pa.array([-1])), "a")
    with pytest.raises(InputError, match=r"column mark: row 0 is empty"):
        store.ingest(good.set_column(8, "mark", pa.nulls(1, pa.uint8())), "a")
