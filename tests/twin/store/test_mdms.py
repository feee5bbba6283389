"""Validation, estimates, re-requests, delivery, completeness and sizing, against hand calculations and loops."""

import numpy as np
import pyarrow as pa
import pytest
from store_readings import STEP, row, table

from teiden.errors import InputError
from twin.store.completeness import NEVER, age_of_share_s, ages_ns, completeness, missing_map
from twin.store.delivery import bills, by_retailer, delivered
from twin.store.estimation import estimate
from twin.store.gaps import places
from twin.store.rerequest import rerequests
from twin.store.retention import METERS, bytes_a_reading, sizing
from twin.store.schema import DAY_NS, HOUR_NS, MINUTE_NS, Series
from twin.store.store import Store
from twin.store.validation import validate

HALF = Series.HALF_HOUR


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "store") as held:
        yield held


def put(store: Store, meter: int, registers: dict[int, int | None], **more) -> None:
    """Store import registers by interval number."""
    rows = [row(meter, number, wh, mark=int(wh is None), **more) for number, wh in registers.items()]
    store.ingest(table(rows), f"{meter} {min(registers)}")


def estimated(store: Store, meter: int, first: int, last: int, **more) -> dict[int, int]:
    """Return estimated import registers of the intervals first to last by number."""
    found = estimate(store, HALF, np.array([meter]), first * STEP, (last + 1) * STEP, **more)
    assert set(found["mark"].to_pylist()) <= {2}
    return {end // STEP - 1: wh for end, wh in zip(found["interval_end_ns"].to_pylist(),
                                                   found["import_wh"].to_pylist(), strict=True)}  # fmt: skip


# ---- estimates


def test_without_history_the_energy_of_a_gap_is_spread_evenly(store):
    put(store, 1, {0: 100, 1: None, 4: 200})
    assert estimated(store, 1, 0, 4) == {1: 125, 2: 150, 3: 175}


def test_a_gap_follows_yesterday_if_last_week_is_not_known(store):
    put(store, 1, {9: 0, 10: 10, 11: 40, 12: 100})  # yesterday 10, 30, 60 Wh
    put(store, 1, {57: 1000, 60: 1200})  # 200 Wh in the same three half hours
    assert estimated(store, 1, 57, 60) == {58: 1000 + 200 * 10 // 100, 59: 1000 + 200 * 40 // 100}


def test_a_gap_follows_last_week_rather_than_yesterday(store):
    week = 7 * 48
    put(store, 1, {9: 0, 10: 30, 11: 40})  # last week 30, 10 Wh
    put(store, 1, {week - 48 + 9: 100, week - 48 + 10: 110, week - 48 + 11: 140})  # yesterday 10, 30
    put(store, 1, {week + 9: 200, week + 11: 280})
    assert estimated(store, 1, week + 9, week + 11) == {week + 10: 200 + 80 * 30 // 40}


def test_after_the_last_reading_yesterday_goes_on_as_far_as_it_is_known(store):
    put(store, 1, {9: 0, 10: 10, 11: 40})
    put(store, 1, {57: 1000})
    assert estimated(store, 1, 57, 70) == {58: 1010, 59: 1040}


def test_nothing_is_estimated_without_a_register_before(store):
    put(store, 1, {5: 100})
    assert estimated(store, 1, 0, 5) == {}
    assert estimated(store, 2, 0, 5) == {}


def test_a_gap_over_which_the_register_fell_is_left_to_validation(store):
    put(store, 1, {0: 100, 3: 50})
    assert estimated(store, 1, 0, 3) == {}


def test_estimates_never_fall_and_meet_the_next_register(store):
    draw = np.random.default_rng(8)
    truth = np.cumsum(draw.integers(0, 400, (20, 500)), axis=1)
    there = draw.random(truth.shape) < 0.7
    there[:, [0, -1]] = True
    rows = [
        row(m, k, int(truth[m, k]), export_wh=int(truth[m, k]) // 3) for m, k in zip(*np.nonzero(there), strict=True)
    ]
    store.ingest(table(rows), "all")
    store.keep_estimates(estimate(store, HALF, np.arange(20), 400 * STEP, 500 * STEP))
    sql = "select import_wh, export_wh from completed where interval_end_ns > ? order by meter, interval_end_ns"
    found = np.array(store.connect().execute(sql, [400 * STEP]).fetchall())
    assert found.shape == (20 * 100, 2)
    registers = found.reshape(20, 100, 2)
    assert (np.diff(registers, axis=1) >= 0).all()
    known = there[:, 400:]
    assert (registers[..., 0][known] == truth[:, 400:][known]).all()
    assert abs(registers[..., 0] - truth[:, 400:]).mean() < 100  # even spread over one or two of uniform 0 to 400 Wh


def test_only_registers_are_estimated(store):
    with pytest.raises(InputError, match="series five_minute: expected half_hour or quarter_hour"):
        estimate(store, Series.FIVE_MINUTE, np.array([1]), 0, DAY_NS)


# ---- validation


def test_each_finding_has_its_hand_calculation(store):
    put(store, 1, {0: 0, 1: 3300, 2: 6602})  # 60 A: 6 kVA, 3000 Wh, by 1.1 3300 Wh, and 1 Wh of rounding
    put(store, 2, {0: 100, 1: 99, 4: 120})
    put(store, 3, {0: 0, 2: 3301 * 2})  # an hour lets twice as much through
    put(store, 9, {0: 5, 1: 6})
    readings = store.readings(HALF, 0, DAY_NS)
    found = validate(readings, HALF, np.array([1, 2, 3]), np.array([60.0, 30.0, 60.0]))
    assert [(r["meter"], r["interval_end_ns"] // STEP - 1, r["finding"], r["value"]) for r in found.to_pylist()] == [
        (1, 2, "implausible", 3302), (2, 1, "backwards", -1), (2, 4, "gap", 2), (3, 2, "gap", 1),
        (3, 2, "implausible", 6602), (9, 0, "no_contract", 0),
    ]  # fmt: skip
    assert found["limit"].to_pylist()[0] == pytest.approx(3301)  # rounding of doubles only
    assert validate(readings.slice(0, 0), HALF, np.array([], int), np.array([])).num_rows == 0


def test_export_may_not_fall_and_is_not_limited(store):
    rows = [row(1, 0, 0, export_wh=0), row(1, 1, 0, export_wh=9000), row(1, 2, 0, export_wh=8999)]
    store.ingest(table(rows), "a")
    found = validate(store.readings(HALF, 0, DAY_NS), HALF, np.array([1]), np.array([30.0]))
    assert [(r["finding"], r["value"]) for r in found.to_pylist()] == [("backwards", -1)]


def test_power_is_held_against_the_contract(store):
    store.ingest(table(row(1, number, None, 2, p_w=power) for number, power in enumerate((1100, 1101, -9000))), "a")
    found = validate(store.readings(Series.FIVE_MINUTE, 0, DAY_NS), Series.FIVE_MINUTE, np.array([1]), np.array([10.0]))
    assert [(r["finding"], r["value"]) for r in found.to_pylist()] == [("implausible", 1101)]


def test_bad_contracts_are_named():
    nothing = table([])
    with pytest.raises(InputError, match="contracts: row 1: meter 4 expected distinct and rising"):
        validate(nothing, HALF, np.array([4, 4]), np.array([30.0, 30.0]))
    with pytest.raises(InputError, match=r"contracts: meter 4: nan A, expected above 0"):
        validate(nothing, HALF, np.array([4]), np.array([np.nan]))


# ---- re-requests


def test_missing_intervals_are_asked_for_in_runs_while_the_meter_has_them(store):
    put(store, 1, {0: 1, 3: 2, 5: 3})
    missing = store.missing(HALF, np.array([1, 2]), 0, 6 * STEP)
    now = 45 * DAY_NS + 2 * STEP  # the interval that ends at 2 STEP is overwritten now
    found = rerequests(missing, now).to_pylist()
    asked = [(r["meter"], r["from_ns"] // STEP, r["to_ns"] // STEP, r["intervals"], r["expired"]) for r in found]
    assert asked == [
        (2, 0, 2, 2, True),
        (1, 1, 2, 1, True),
        (1, 2, 3, 1, False),
        (2, 2, 6, 4, False),
        (1, 4, 5, 1, False),
    ]
    assert [r["expires_ns"] - r["from_ns"] - STEP for r in found] == [45 * DAY_NS] * 5
    assert rerequests(missing.slice(0, 0), now).num_rows == 0


# ---- delivery and completeness


@pytest.fixture
def delays(store):
    """Minutes after the interval's end at which each value of 4 meters and 3 intervals was stored; None: not."""
    minutes = [[6, 60, 61], [6, 6, None], [6, "no data", 120], [30, 31, 32]]
    for meter, row_of in enumerate(minutes):
        for number, delay in enumerate(row_of):
            if delay is not None:
                none = delay == "no data"
                stored = (number + 1) * STEP + (6 if none else delay) * MINUTE_NS
                store.ingest(table([row(meter, number, None if none else 1, mark=int(none), stored_ns=stored)]),
                             f"{meter} {number}")  # fmt: skip
    return store.readings(HALF, 0, 3 * STEP)


def test_a_retailer_gets_what_is_there_after_sixty_minutes(delays):
    assert sorted(zip(delivered(delays)["meter"].to_pylist(), delivered(delays)["interval_end_ns"].to_pylist(),
                      strict=True)) == [(0, STEP), (0, 2 * STEP), (1, STEP), (1, 2 * STEP), (2, STEP),
                                        (3, STEP), (3, 2 * STEP), (3, 3 * STEP)]  # fmt: skip
    found = by_retailer(delays, HALF, np.arange(4), np.array([7, 7, 7, 8]), 0, 3 * STEP)
    rows = [tuple(r.values()) for r in found.to_pylist()]  # interval, retailer, expected, in time, late, missing
    assert rows == [(STEP, 7, 3, 3, 0, 0), (STEP, 8, 1, 1, 0, 0), (2 * STEP, 7, 3, 2, 0, 1), (2 * STEP, 8, 1, 1, 0, 0),
                    (3 * STEP, 7, 3, 0, 2, 1), (3 * STEP, 8, 1, 1, 0, 0)]  # fmt: skip


def test_a_bill_is_measured_estimated_or_open(delays):
    estimates = table([row(1, 2, 5, mark=2), row(9, 0, 5, mark=2)])
    found = bills(delays, estimates, HALF, np.arange(4), np.array([7, 7, 8, 8]), 0, 3 * STEP).to_pylist()
    assert [tuple(r.values()) for r in found] == [(7, 2, 1, 1, 0), (8, 2, 1, 0, 1)]  # meter 2's no_data stays open


def test_completeness_counts_what_is_there_by_an_age(delays):
    ages = ages_ns(delays, HALF, np.arange(4), 0, 3 * STEP)
    assert (ages == NEVER).sum() == 2
    found = completeness(ages, np.array([0, 0, 1, 1]), [360, 3600, 7200]).to_pylist()
    assert [r["present"] for r in found] == [4, 8, 10]
    assert [r["share_worst"] for r in found] == [1 / 6, 4 / 6, 5 / 6]
    assert [r["share_worst_percent"] for r in found] == [1 / 6, 4 / 6, 5 / 6]  # of two groups the worse
    assert age_of_share_s(ages, 0.5) == 31 * 60  # sixth of twelve: 6, 6, 6, 6, 30, 31
    assert age_of_share_s(ages, 10 / 12) == 7200
    assert age_of_share_s(ages, 0.9) is None


def test_the_missing_map_shows_group_and_interval(delays):
    ages = ages_ns(delays, HALF, np.arange(4), 0, 3 * STEP)
    found = missing_map(ages, np.array([5, 5, 6, 6]), HALF, 0, 3 * STEP, HOUR_NS).to_pylist()
    assert [(r["group"], r["missing"], r["expected"]) for r in found] == [
        (5, 0, 2), (5, 0, 2), (5, 2, 2), (6, 0, 2), (6, 1, 2), (6, 1, 2)
    ]  # fmt: skip


def test_nothing_to_count_is_said():
    with pytest.raises(InputError, match="no meter owes any interval"):
        completeness(np.zeros((0, 3), np.int64), np.zeros(0, int), [60])
    with pytest.raises(InputError, match="1 groups for 2 meters"):
        completeness(np.zeros((2, 3), np.int64), np.zeros(1, int), [60])
    with pytest.raises(InputError, match="meters are expected to be distinct and to rise"):
        ages_ns(table([]), HALF, np.array([2, 1]), 0, DAY_NS)


# ---- sizing


def test_the_country_is_as_large_as_the_back_office_arithmetic_says(store):
    put(store, 1, dict.fromkeys(range(48), 5))
    store.compact()
    assert set(bytes_a_reading(store)) == {HALF}
    found = {r["requirement"][:2]: r for r in sizing(dict.fromkeys(Series, 10.0)).to_pylist()}
    assert METERS == 61_050_000
    assert found["R8"]["readings_a_day"] == pytest.approx(2.93e9, rel=2e-3)  # DOMAIN 2.8, three digits there
    assert found["R8"]["readings"] == pytest.approx(2.1e12, rel=0.03)  # two digits there
    assert found["R1"]["readings"] == pytest.approx(2.5e12, rel=0.03)
    assert found["R8"]["size_tb"] == pytest.approx(found["R8"]["readings"] * 10 / 1e12)


def test_bytes_a_reading_are_those_of_the_files(store):
    store.ingest(table(row(meter, number, meter * number) for meter in range(30) for number in range(48)), "a")
    store.compact()
    [path] = (store.root / "readings").rglob("*.parquet")
    assert bytes_a_reading(store) == {HALF: path.stat().st_size / (30 * 48)}
    assert isinstance(store.readings(HALF, 0, DAY_NS), pa.Table)


@pytest.mark.parametrize("meters", [[3], [3, 4, 5], [2, 4, 6], [1, 2, 9], []])
@pytest.mark.parametrize("steps", [[1, 2, 3, 5], [1, 2, 3], [5]])
def test_readings_have_the_places_that_a_search_one_by_one_finds(meters, steps):
    ends = [step * STEP for step in steps]
    asked = [(meter, step * STEP) for meter in range(10) for step in range(7)]
    ids, times = zip(*asked, strict=True)
    readings = pa.table({"meter": pa.array(ids, pa.uint32()), "interval_end_ns": pa.array(times, pa.int64())})
    found = places(readings, np.array(meters, int), np.array(ends))
    assert list(zip(*(part.tolist() for part in found), strict=True)) == [
        (meters.index(meter), ends.index(end), number)
        for number, (meter, end) in enumerate(asked)
        if meter in meters and end in ends
    ]


def test_readings_of_several_parts_are_sorted_whatever_their_span(store):
    draw = np.random.default_rng(3)
    keys = sorted({(int(meter), int(step)) for meter, step in draw.integers(0, 60, (400, 2))})
    meters = [meter if meter < 50 else meter << 26 for meter, _ in keys]  # a span too wide for one number a key
    for some in np.array_split(draw.permutation(len(keys)), 5):
        store.ingest(table([row(meters[k], keys[k][1] + 1, 7) for k in some]), str(some[0]))
        store.compact()
    for most in (49, 59 << 26):
        found = store.readings(HALF, 0, 100 * STEP, np.array([meter for meter in set(meters) if meter <= most]))
        told = list(zip(found["meter"].to_pylist(), found["interval_end_ns"].to_pylist(), strict=True))
        assert told == sorted(set(told))
        assert len(told) == sum(meter <= most for meter in meters)
