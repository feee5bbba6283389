"""The benches of the speed table: their judgement, their loads, and that every one of them runs."""

import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHES = Path(__file__).resolve().parents[2] / "benches"


@pytest.fixture(scope="module")
def bench():
    sys.path.insert(0, str(BENCHES))
    try:
        yield importlib.import_module("radio_bench")
    finally:
        sys.path.remove(str(BENCHES))


def test_a_row_is_judged_by_floor_and_aim(bench):
    more, less = bench.Row("a", "x", 200, 500), bench.Row("b", "B", 400, 250, smaller_is_better=True)
    assert [more.judge(v) for v in (None, 199, 200, 499, 500)] == [
        "not measured",
        "below floor",
        "floor",
        "floor",
        "aim",
    ]
    assert [less.judge(v) for v in (401, 400, 251, 250)] == ["below floor", "floor", "floor", "aim"]


def test_a_field_has_25_neighbours_within_60_m_and_sends_to_one_of_them(bench):
    xy, t_ns, src, dst = bench.field_plan(3000, 1.0, 1)
    distance = np.hypot(*(xy[src] - xy[dst]).T)
    assert (src != dst).all()
    assert (distance < 60).mean() > 0.999
    assert t_ns.min() >= 0
    assert t_ns.max() < 10**9
    inner = (np.abs(xy - xy.mean(axis=0)) < xy.max() / 2 - 60).all(axis=1)  # the rim has fewer
    near = [(np.hypot(*(xy - xy[node]).T) < 60).sum() - 1 for node in np.flatnonzero(inner)]
    assert np.mean(near) == pytest.approx(25, abs=0.7)  # their number swings by 5, and by groups


def test_a_collection_sends_every_meter_once_however_it_is_cut(bench):
    digests = set()
    for step_s in (60, 450):
        mesh, ids = bench.town(2000)
        bench.collect(mesh, bench.readings(ids), bench.PERIOD_S, step_s)
        counts = mesh.counters()
        assert counts["injected"] == ids.size == 2000 - 4
        digests.add(mesh.digest())
    assert len(digests) == 1


@pytest.mark.slow
def test_every_bench_of_the_table_runs():
    done = subprocess.run([sys.executable, BENCHES / "radio_speed.py", "--quick"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("floor") >= 12
