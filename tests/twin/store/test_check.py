"""What ``teiden store`` says of a store that is whole, damaged, or none."""

import json

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from store_readings import random_batches, row, table

from hil.cli import main
from twin.store.check import problems
from twin.store.store import Store


@pytest.fixture
def root(tmp_path):
    with Store.open(tmp_path / "store", log_rows=100) as store:
        for number, batch in enumerate(random_batches(4, 6)):
            store.ingest(batch, str(number))
    return tmp_path / "store"


def teiden(*words):
    return CliRunner().invoke(main, ["store", *map(str, words)])


def test_a_store_that_is_whole_is_said_to_be(root):
    done = teiden("check", root)
    assert done.exit_code == 0
    assert "every key once; counts add up" in done.output


def test_info_adds_up_and_compact_leaves_one_file_each(root):
    store = Store.open(root)
    store.ingest(table([row(77, 0)]), "of the log")
    store.close(compact=False)
    found = json.loads(teiden("info", root, "--json").stdout)
    assert found["in_log"] == 1
    assert all(counted["balanced"] for counted in found["conservation"])
    assert {counted["series"] for counted in found["conservation"]} == {"half_hour", "five_minute"}
    assert "nothing in the log" in teiden("compact", root).output
    held = list((root / "readings").rglob("*.parquet"))
    assert len({(path.parent, path.name.split("-")[0]) for path in held}) == len(held)
    text = teiden("info", root).output
    assert "0 readings in the log only" in text
    assert text.count("adds up") == 2


def test_pictures_of_a_store_are_drawn_and_what_it_lacks_is_said(root, tmp_path):
    done = teiden("draw", root, "--out", tmp_path)
    assert done.exit_code == 0, done.output
    assert [(tmp_path / f"{name}_half_hour.png").exists() for name in ("in_time", "missing_map")] == [True, True]
    nothing = teiden("draw", root, "--out", tmp_path, "--series", "gas")
    assert nothing.exit_code == 2
    assert "holds no gas readings" in nothing.output
    assert teiden("draw", root, "--out", tmp_path / "none").exit_code == 2


def test_a_row_too_few_and_a_key_twice_are_found(root):
    first, second, *_ = sorted((root / "readings" / "half_hour").rglob("*.parquet"))
    pq.write_table(pq.ParquetFile(first).read().slice(1), first)
    rows = pq.ParquetFile(second).read()
    pq.write_table(rows.take([0, *range(rows.num_rows - 1)]), second)
    with Store.open(root) as store:
        found = "\n".join(problems(store))
    assert f"{first.name}: " in found
    assert "the manifest says" in found
    assert "1 keys are held more than once" in found
    assert "are found" in found
    assert teiden("check", root).exit_code == 3


def test_a_row_in_the_wrong_place_is_found(root):
    first, second, *_ = sorted((root / "readings").rglob("*.parquet"))
    second.write_bytes(first.read_bytes())
    with Store.open(root) as store:
        assert any("rows are of another series, day or block" in problem for problem in problems(store))


def test_no_store_and_one_of_another_version_are_bad_input(tmp_path, root):
    done = teiden("info", tmp_path)
    assert done.exit_code == 2
    assert "no store here" in done.stderr
    assert not (tmp_path / "lock").exists()
    manifest = json.loads((root / "store.json").read_text())
    (root / "store.json").write_text(json.dumps(manifest | {"version": 2}))
    done = teiden("check", root)
    assert done.exit_code == 2
    assert "a store of version 2, this Teiden reads version 1" in done.stderr


def test_a_store_in_use_is_named(root):
    with Store.open(root):
        done = teiden("info", root)
    assert done.exit_code == 3
    assert "another process has this store open" in done.stderr
