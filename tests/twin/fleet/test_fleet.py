"""A nation told from towns: strata, towns, estimates against hand calculation and full counts, queues, a whole run."""

import numpy as np
import pytest

from hil.fleet import run_fleet, run_town
from teiden.errors import InputError
from twin import scenario as scenarios
from twin.collection.links_settings import FleetTable
from twin.collection.settings import Workers
from twin.fleet.estimate import Sampled, weighted_percentiles
from twin.fleet.flows import BIN_S, enough_workers, head_end_load, waits_s
from twin.fleet.nation import Nation, _mean_of_lowest
from twin.fleet.shard import Shard
from twin.fleet.strata import make_strata
from twin.fleet.tables import SCHEMAS
from twin.fleet.towns import Place, build_towns
from twin.study.tables import read_table

SMALL = ("name=small", "nation.meters=4000", "nation.share={all=1.0}", "nation.dense_share={all=0.5}",
         "nation.dense_per_km2={all=3000.0}", "nation.mesh_share={all=0.7}", "nation.plc_share={all=0.1}",
         "nation.cellular_share={all=0.2}", "sample.town_meters=1000", "sample.towns=4",
         "head_end.commit_s=60.0")  # fmt: skip


def small(*changes):
    """Return a nation of four towns, all of which are simulated."""
    return scenarios.load("fleet_61m", [*SMALL, *changes])


def shard(stratum, meters, good, ages=()):
    """Return a town that only has a number of good values and ages."""
    nothing = np.zeros(1, np.int64)
    count = len(ages)
    return Shard(stratum, meters, 1, meters, 0, np.array(ages, np.float32), np.zeros(count, np.int32),
                 np.zeros(count, np.int32), np.zeros(count, np.uint8), np.zeros(count, bool), {}, nothing, nothing,
                 nothing, {"good": good}, 0, 0, 0, 0, [], {}, "")  # fmt: skip


def good(one):
    """Return what `shard` was given."""
    return one.counters["good"]


def test_strata_hold_all_meters_and_enough_towns():
    strata = make_strata(scenarios.load("fleet_61m"))
    assert sum(stratum.meters for stratum in strata) == 61_050_000  # R1
    assert len({stratum.utility for stratum in strata}) == 10  # R2
    assert min(stratum.towns for stratum in strata) == 2
    assert sum(stratum.towns for stratum in strata) == 50
    tokyo = sum(stratum.meters for stratum in strata if stratum.utility == "Tokyo")
    assert tokyo == pytest.approx(0.3692 * 61_050_000, abs=2)  # largest remainders of two strata


def test_a_town_is_as_dense_as_asked_for_and_its_concentrators_stand_in_the_middle():
    settled = scenarios.load("fleet_61m").town_scenario("t", 3, FleetTable(), 2000.0)
    people = build_towns([Place(20_000, 2000.0), Place(3_001, 500.0, 100_000.0)], settled)
    assert people.meter_count == 23_001
    assert people.concentrator_substation.size == 40 + 7  # 500 each, rounded up
    assert np.bincount(people.meter_concentrator).max() <= 500
    far_m = np.hypot(people.meter_x_m - people.concentrator_x_m[people.meter_concentrator],
                     people.meter_y_m - people.concentrator_y_m[people.meter_concentrator])  # fmt: skip
    # 500 meters at 2,000 a km2 are a disc of 282 m; 429 at 500 a km2 one of 523 m.
    assert far_m[:20_000].max() <= 282.1
    assert far_m[20_000:].max() <= 523.0
    # Within half the radius of a disc of 10 km2 live a quarter of 20,000; neighbourhoods of 500 make it lumpy.
    near = np.hypot(people.meter_x_m[:20_000], people.meter_y_m[:20_000]) < 1784 / 2
    assert near.sum() == pytest.approx(5000, abs=500)


def test_totals_and_errors_are_those_of_stratified_sampling():
    # Stratum 0: 1,000 meters, two towns of 100; stratum 1: 4,000 meters, two towns of 200.
    told = Sampled([1000, 4000], [shard(0, 100, 90), shard(0, 100, 80), shard(1, 200, 50), shard(1, 200, 70)])
    total = told.total(good)
    assert total.value == 5 * (90 + 80) + 10 * (50 + 70)
    # Each stratum: n s^2 w^2 (1 - f); s^2 = 50 and 200, f = 0.2 and 0.1 (Cochran, Sampling Techniques, 5.3).
    assert total.error == pytest.approx(np.sqrt(2 * 50 * 25 * 0.8 + 2 * 200 * 100 * 0.9))
    share = told.share(good, lambda s: s.meters)
    assert share.value == pytest.approx(total.value / 5000)
    assert Sampled([1000], [shard(0, 100, 1)]).total(good).error is None
    assert Sampled([200], [shard(0, 100, 9), shard(0, 100, 1)]).total(good).error == 0  # all of it was seen


def test_ninety_percent_of_such_intervals_hold_the_truth():
    draw = np.random.default_rng(11)
    held, trials = 0, 400
    for _ in range(trials):
        towns = draw.binomial(1000, draw.uniform(0.9, 1.0, 20))
        told = Sampled([100_000], [shard(0, 1000, int(n)) for n in towns]).total(good)
        held += abs(told.value - 95_000) < 1.645 * told.error / np.sqrt(0.8)  # towns are drawn anew: none was seen
    # 0.9 less what 20 towns cost a normal interval (0.884 by Student's t), and four standard deviations of 400 trials.
    assert held / trials == pytest.approx(0.884, abs=0.065)


def test_weighted_percentiles_are_those_of_values_written_out():
    draw = np.random.default_rng(2)
    values, times = draw.exponential(1, 50), draw.integers(1, 9, 50)
    for which in (1, 50, 90, 99.9):
        expected = np.percentile(np.repeat(values, times), which, method="inverted_cdf")
        assert weighted_percentiles(values, times.astype(float), [which]) == [expected]
    assert weighted_percentiles(np.array([1.0, np.inf]), np.ones(2), [50, 99]) == [1.0, None]
    # The lowest tenth of weight 10: all of 0.2 (weight 0.5), and 0.5 of the 0.6.
    assert _mean_of_lowest(np.array([0.6, 0.2, 1.0]), np.array([2.0, 0.5, 7.5]), 0.1) == pytest.approx(0.4)


def test_work_that_is_too_much_waits_and_drains():
    each = Workers(batch_ms=5.0, value_us=100.0)
    values, batches = np.array([0.0, 800_000, 0, 0, 0]), np.array([0.0, 4_000, 0, 0, 0])
    load = head_end_load(values, batches, values * 200, each)
    # 4,000 batches of 5 ms and 800,000 values of 0.1 ms are 100 s of work in ten seconds.
    assert load.work.tolist() == [0, 10, 0, 0, 0]
    assert load.values_per_s.max() == 80_000
    assert waits_s(load, 4).tolist() == pytest.approx([0, 60 / 4, 20 / 4, 0, 0])
    assert waits_s(load, 10).max() == 0
    assert BIN_S == 10


@pytest.mark.parametrize("most_wait_s", [0.0, 5.0, 40.0])
def test_enough_workers_are_the_fewest(most_wait_s):
    draw = np.random.default_rng(9)
    load = head_end_load(draw.exponential(1e6, 60), draw.exponential(1e4, 60), np.zeros(60), Workers())
    fewest = enough_workers(load, most_wait_s)
    assert waits_s(load, fewest).max() <= most_wait_s
    by_trying = [w for w in range(1, 200) if w > load.work.mean() and waits_s(load, w).max() <= most_wait_s]
    assert fewest == by_trying[0]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("nation.share={all=0.9}", "nation.share sums to 0.9, expected 1"),
        ("nation.plc_share={all=0.5}", "nation.all.mesh_share = 0.7, expected 0.3 beside"),
        ("nation.dense_share={Tokyo=0.5}", "expected a value for each of nation.share: all"),
        ("nation.dense_share={all=1.5}", "nation.dense_share.all = 1.5, expected 0 to 1"),
        ("nation.dense_per_km2={all=0.0}", "nation.dense_per_km2.all = 0.0, expected above 0"),
        ("half_hour.spread_s=1800.0", "half_hour.spread_s = 1800.0, expected below the interval"),
        ("sample.town_meters=10", "sample.town_meters = 10, expected 1000 or more"),
    ],
)
def test_bad_settings_are_named_with_what_would_do(change, expected):
    with pytest.raises(InputError) as caught:
        small(change)
    assert expected in str(caught.value)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The finished small run."""
    return run_fleet(small(), tmp_path_factory.mktemp("runs") / "small")


def test_where_every_town_is_simulated_nothing_is_estimated(done):
    towns = read_table(done.folder, "towns", SCHEMAS).to_pydict()
    assert towns["weight"] == [1.0] * 4
    assert done.summary["conservation"]["ok"]
    assert done.summary["in_time"]["error"] == 0
    assert done.summary["in_time"]["value"] == pytest.approx(np.mean(towns["in_time_share"]))
    assert sum(found["values"] for found in done.summary["by_link"].values()) == 4000
    # 4,000 half hours; the five-minute classes by their members are counted in their own runs' sums.
    load = read_table(done.folder, "load", SCHEMAS).to_pydict()
    checked = sum(load["values_per_s"]) * BIN_S
    assert checked == pytest.approx(done.summary["head_end"]["values"])
    assert checked >= 3900


def test_the_page_is_whole_and_the_same_seed_gives_the_same(done, tmp_path):
    page = (done.folder / "report.html").read_text(encoding="utf-8")
    assert "does not add up" not in page
    assert "all, sparse" in page
    again = run_fleet(small(), tmp_path / "again")
    assert again.summary == done.summary
    assert again.manifest["digest"] == done.manifest["digest"]


def test_a_broken_sum_of_a_town_is_a_flag_of_the_nation(tmp_path):
    scenario = small("sample.towns=2", "sample.least=1")
    strata = make_strata(scenario)
    shards = [run_town(scenario, strata, h, h, "cpu", tmp_path) for h in (0, 1)]
    assert Nation(scenario, strata, shards).broken() == []
    damaged = Shard(**{**shards[1].__dict__, "delivered": shards[1].delivered - 1})
    (said,) = Nation(scenario, strata, [shards[0], damaged]).broken()
    assert said.startswith("town 1: ")
    (short,) = Nation(scenario, strata, [shards[0], Shard(**{**shards[0].__dict__, "stratum": 0})]).broken()
    assert "the towns stand for 2,000 meters" in short
