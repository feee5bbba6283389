"""Key figures against hand calculation."""

import numpy as np
import pytest

import gpu
from twin.collection import kpis
from twin.collection.capacity import root_load, service_us
from twin.collection.ledger import NEVER, ROW
from twin.collection.settings import Levels
from twin.collection.traffic import TrafficClass
from twin.collection.verdicts import Figures, service_levels
from twin.store.schema import Series

MINUTE_NS = 60 * 10**9


def messages(*stored_min, interval_min=30):
    """Return messages of one interval, stored at these minutes of the run; None: never."""
    rows = np.zeros(len(stored_min), ROW)
    rows["interval_ns"] = interval_min * MINUTE_NS
    rows["stored_ns"] = [NEVER if t is None else t * MINUTE_NS for t in stored_min]
    return rows


def test_d60_counts_what_never_came_and_not_what_is_not_due():
    rows = np.concatenate([messages(40, 90, 91, None), messages(200, interval_min=190)])
    # due by minute 200: only the interval that ended at 30; 40 and 90 are within 60 minutes, 91 and never are not
    assert kpis.share_within(rows, 3600, 200 * MINUTE_NS) == pytest.approx(2 / 4)
    assert kpis.share_within(rows, 3600, 60 * MINUTE_NS) is None


def test_the_curve_ends_at_the_share_that_arrived():
    rows = messages(31, 32, 40, None)
    assert kpis.curve(rows, np.array([30.0, 60.0, 120.0, 600.0, 1e6])).tolist() == [0, 0.25, 0.5, 0.75, 0.75]


def test_the_worst_percent_is_at_least_one_and_weighted_by_what_is_owed():
    shares, owed = np.full(200, 1.0), np.full(200, 10)
    shares[[7, 90]], owed[90] = (0.2, 0.5), 40
    shares[3], owed[3] = 0.0, 0  # serves nobody
    worst, share = kpis.worst_percent(shares, owed)
    assert worst.tolist() == [7, 90]
    assert share == pytest.approx((0.2 * 10 + 0.5 * 40) / 50)
    assert kpis.worst_percent(shares[:20], owed[:20])[0].tolist() == [7]


def test_percentiles_are_observed_values():
    assert kpis.percentiles(np.arange(1.0, 101.0), (50, 99)) == {"p50": 50.0, "p99": 99.0}
    assert kpis.percentiles(np.array([1.0, np.inf]), (50, 90)) == {"p50": 1.0, "p90": None}
    assert kpis.percentiles(np.empty(0), (50,)) == {"p50": None}


def test_power_counts_only_when_it_stays_off_long_enough():
    off_ns = np.array([0, 30, 55]) * MINUTE_NS
    assert kpis.lost_power(off_ns, np.full(3, 60 * MINUTE_NS), np.array([1.0, 2.0, 4.0]), 10 * MINUTE_NS) == 3.0
    assert kpis.lost_power(off_ns, np.full(3, 60 * MINUTE_NS), np.array([1.0, 2.0, 4.0]), 60 * MINUTE_NS) == 1.0


@pytest.mark.parametrize(("rate", "frames_per_s"), [(50, 24.6), (100, 45.9), (150, 62.5), (300, 99.0)])
def test_the_root_bound_of_a_last_gasp_is_reproduced(rate, frames_per_s):
    # DOMAIN 2.3: frame of 147 B, 1 ms turnaround, ACK, 2 ms pause; the table adds times of two digits
    radio = gpu.profile(f"fsk-{rate}k-920")
    assert 1e6 / service_us(radio, 147) == pytest.approx(frames_per_s, rel=0.003)


def test_the_root_load_of_half_hours_is_reproduced():
    # DOMAIN 0, fact 3: 500 meters with one 152 B frame each half hour take the root 11 s of every 1,800
    radio = gpu.profile("fsk-100k-920")
    kind = TrafficClass(0, "half_hour", Series.HALF_HOUR, 1, np.arange(500), 0, 2, False, True, False, 152)
    load = root_load(radio, [kind], np.zeros(500, np.int64), 1)
    assert load.busy_share[0] * 1800 == pytest.approx(11, abs=0.2)  # the text says "~11 s"


def test_verdicts_say_limit_and_margin():
    found = Figures(half_hour=0.995, worst=0.8, history=None, real_time=0.9, billing=1.0, usage=1.0, reads=0.9,
                    commands=None, command="limit", late_values=3, breach_min=30, estimated_bills=0, open_bills=0,
                    cut_off_kw={600: 80_000.0, 3600: 6_000.0})  # fmt: skip
    entries = service_levels(Levels(), found)
    said = [(entry["id"], entry["verdict"]) for entry in entries]
    assert said == [("R8", "pass"), ("R8", "fail"), ("R10", "not applicable"), ("R11", "fail"), ("R15", "fail"),
                    ("R21", "not applicable"), ("R47", "pass"), ("R48", "fail"), ("R49", "pass"), ("R50", "pass"),
                    ("R51", "pass")]  # fmt: skip
    assert entries[0]["margin"] == pytest.approx(0.005)
    assert entries[7]["margin"] == pytest.approx(-10_000)
    assert entries[2]["margin"] is None
