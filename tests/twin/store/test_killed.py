"""Killed at any moment: nothing acknowledged is lost, nothing is counted twice."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from store_readings import random_batches, row, table

from twin.store import durable
from twin.store.receipt import Receipt
from twin.store.schema import KEY
from twin.store.store import Store

HERE = Path(__file__).parent
SEED, BATCHES, KILLS = 20_260, 12, 10


def write(store: Path, acknowledged: Path, kill_at: int) -> int:
    """Run the writer and return its exit status."""
    words = [store, SEED, BATCHES, acknowledged, kill_at]
    done = subprocess.run([sys.executable, HERE / "killed_writer.py", *map(str, words)], capture_output=True, text=True)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


def contents(store: Path) -> tuple:
    """Return everything a store says."""
    with Store.open(store) as held:
        rows = held.connect().sql("from readings").to_arrow_table().sort_by([(name, "ascending") for name in KEY])
        receipts = [held.receipt(f"batch {number}") for number in range(BATCHES)]
        return rows.to_pylist(), held.conflicts().to_pylist(), held.conservation().to_pylist(), receipts


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> tuple:
    """What a store holds whose writer nobody kills."""
    store = tmp_path_factory.mktemp("whole") / "store"
    with Store.open(store) as held:
        for number, batch in enumerate(random_batches(SEED, BATCHES)):
            held.ingest(batch, f"batch {number}")
    return contents(store)


def test_a_store_killed_ten_times_is_the_store_of_an_undisturbed_writer(tmp_path, uninterrupted):
    store, acknowledged = tmp_path / "store", tmp_path / "acknowledged"
    acknowledged.touch()
    fuses = np.random.default_rng(SEED).integers(1, 120, KILLS).tolist()
    killed = sum(write(store, acknowledged, fuse) != 0 for fuse in fuses)
    assert killed >= KILLS // 2  # the others came to their end before their fuse did
    write(store, acknowledged, 0)
    assert contents(store) == uninterrupted


class KilledError(BaseException):
    """Stands for SIGKILL inside this process: nothing catches it."""


def fused(function, fuse: list[int]):
    """Return the function, which does not act any more when the fuse has burnt down."""

    def step(*args, **kwargs):
        fuse[0] -= 1
        if fuse[0] == 0:
            raise KilledError
        return function(*args, **kwargs)

    return step


def test_a_kill_at_any_step_of_a_compaction_changes_nothing(tmp_path, monkeypatch):
    batches = [table([row(1, 0), row(2, 60)]), table([row(1, 0, 7)])]  # two days, one conflict
    for steps in range(1, 200):
        held, fuse = Store.open(tmp_path / f"store{steps}"), [steps]
        for number, batch in enumerate(batches):
            held.ingest(batch, str(number))
        expected = held.conservation().to_pylist()
        with monkeypatch.context() as patched:
            for name in ("replace", "fsync", "unlink", "mkdir"):
                patched.setattr(os, name, fused(getattr(os, name), fuse))
            with contextlib.suppress(KilledError):
                held.compact()
        held.close(compact=False)
        with Store.open(held.root) as again:
            assert again.conservation().to_pylist() == expected, f"killed at step {steps}"
            assert [again.receipt(str(number)) for number in range(2)] == [Receipt(stored=2), Receipt(conflicts=1)]
        if fuse[0] > 0:
            break
    assert steps > 20  # folders, parts, ledger, manifest, views and log, some steps each
    assert expected[0]["balanced"]


def test_every_file_is_forced_to_disk_before_it_gets_its_name_and_its_folder_after(tmp_path, monkeypatch):
    """A power cut, unlike a kill, loses what was not forced."""
    seen: list[tuple[str, Path]] = []
    replace = os.replace

    def watched_fsync(handle):
        seen.append(("fsync", Path(os.readlink(f"/proc/self/fd/{handle}"))))

    def watched_replace(source, target):
        seen.append(("replace", Path(target)))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "replace", watched_replace)
    with Store.open(tmp_path / "store", log_rows=60) as store:
        for number, batch in enumerate(random_batches(3, 4)):
            before = len(seen)
            store.ingest(batch, str(number))
            assert seen[before][0] == "fsync"
            assert any(path.suffix == ".log" for kind, path in seen[before:] if kind == "fsync")
            named = [path for kind, path in seen if kind == "replace"]
            assert named
            for path in named:
                at = seen.index(("replace", path))
                assert ("fsync", path.with_name(path.name + durable.UNFINISHED)) in seen[:at]
                assert ("fsync", path.parent) in seen[at:]
