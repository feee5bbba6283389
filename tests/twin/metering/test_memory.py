"""Meter memory: what the ring buffers hold, what outages and clocks do to it, and that energy adds up."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from teiden.errors import InputError
from twin.metering.loads import SCALE_ONE, Loads
from twin.metering.memory import WMIN_PER_WH, ClockModel, MeterMemory
from twin.metering.payload import decode, encode
from twin.metering.profile import PROFILES, find_profile
from twin.metering.readings import ABSENT
from twin.metering.shapes import DAY_MINUTES, build_shapes, generate_shapes
from twin.store.schema import DAY_NS, HOUR_NS, INTERVAL_NS, MINUTE_NS, SECOND_NS, Mark, Series, checked

METERS = 40
EXACT = ClockModel(drift_ppm=0.0)
HALF = INTERVAL_NS[Series.HALF_HOUR]


@cache
def homes():
    return Loads(generate_shapes(1, 8), np.zeros(METERS, int), 1, pv_share=0.4)


def memory(profile="seed-2021", clock=EXACT, loads=None):
    return MeterMemory(loads or homes(), find_profile(profile), clock)


def steady(watts=600):
    """One kind of home that draws the same all day; each meter's scale multiplies it."""
    shapes = build_shapes(("flat",), np.full((1, DAY_MINUTES), watts), np.zeros((1, DAY_MINUTES)))
    return Loads(shapes, np.zeros(METERS, int), 1, pv_share=0.0)


@pytest.mark.parametrize(
    ("series", "slots"), [(Series.HALF_HOUR, 2160), (Series.FIVE_MINUTE, 2880), (Series.ONE_MINUTE, 60)]
)
def test_a_ring_buffer_holds_its_slots_and_no_more(series, slots):
    """R12: 60 minutes; R13: 45 days of half hours are 2,160; five-minute values for ten days."""
    now = 3 * DAY_NS + 10 * HOUR_NS + 7 * SECOND_NS
    got = memory().readings([7], series, -(10**18), 10**18, now)
    assert len(got) == slots
    newest = now // INTERVAL_NS[series] * INTERVAL_NS[series]
    assert got.interval_end_ns[-1] == newest
    assert (np.diff(got.interval_end_ns) == INTERVAL_NS[series]).all()


def test_what_is_lost_on_day_46():
    first = memory().readings([7], Series.HALF_HOUR, 0, HALF, HALF)
    assert len(first) == 1
    at_45_days = memory().readings([7], Series.HALF_HOUR, 0, HALF, 45 * DAY_NS)
    assert at_45_days.same_as(first)
    assert len(memory().readings([7], Series.HALF_HOUR, 0, HALF, 45 * DAY_NS + HALF)) == 0


def test_registers_grow_by_the_energy_of_the_loads():
    got = memory().readings(np.arange(METERS), Series.HALF_HOUR, 0, DAY_NS, DAY_NS)
    imported, exported = (column.reshape(METERS, 48) for column in (got.import_wh, got.export_wh))
    drawn, fed = homes().registers_wmin(np.arange(METERS), np.array([HALF, DAY_NS]))
    for register, energy in ((imported, drawn), (exported, fed)):
        grown = register[:, -1] - register[:, 0]
        assert np.abs(grown - np.diff(energy)[:, 0] / (SCALE_ONE * WMIN_PER_WH)).max() <= 1  # whole Wh at both ends
        assert (np.diff(register, axis=1) >= 0).all()
    assert exported[:, -1].max() > 0


def test_a_range_read_in_parts_is_the_range_read_at_once():
    now = 2 * DAY_NS
    for series in PROFILES["final-2022"].series:
        store = with_outages(memory("final-2022", ClockModel()))
        start = now - 55 * INTERVAL_NS[series]
        whole = store.readings([3, 4], series, start, now, now)
        for cut in (1, 20, 41):
            middle = start + cut * INTERVAL_NS[series]
            parts = [store.readings([4], series, low, high, now) for low, high in ((start, middle), (middle, now))]
            both = np.concatenate([part.import_wh for part in parts]), np.concatenate([part.mark for part in parts])
            np.testing.assert_array_equal(both[0], whole.import_wh[55:])
            np.testing.assert_array_equal(both[1], whole.mark[55:])


def with_outages(store):
    store.outages.lose([3, 4], DAY_NS + 40 * MINUTE_NS)
    store.outages.restore([3, 4], DAY_NS + 125 * MINUTE_NS)
    store.outages.lose([4], DAY_NS + 23 * HOUR_NS + 3 * MINUTE_NS)
    store.outages.restore([4], DAY_NS + 23 * HOUR_NS + 4 * MINUTE_NS + 5 * SECOND_NS)
    store.outages.lose([4], DAY_NS + 23 * HOUR_NS + 31 * MINUTE_NS)
    store.outages.restore([4], DAY_NS + 23 * HOUR_NS + 45 * MINUTE_NS)
    return store


def test_an_outage_leaves_no_data_and_then_a_reboot():
    """By hand: out from 00:40 to 02:05; readings at 01:00, 01:30, 02:00 are missing, 02:30 is the first again."""
    store = memory(loads=steady())
    store.outages.lose([5], 40 * MINUTE_NS)
    store.outages.restore([5], 125 * MINUTE_NS)
    got = store.readings([5], Series.HALF_HOUR, 0, 4 * HOUR_NS, 4 * HOUR_NS)
    assert got.mark.tolist() == [0, 1, 1, 1, 4, 0, 0, 0]
    assert (got.import_wh[got.mark == Mark.NO_DATA] == ABSENT).all()
    watts = 600 * int(steady()._scale[5]) / SCALE_ONE
    lit_minutes = 240 - 30 - (125 - 40)
    assert got.import_wh[-1] - got.import_wh[0] == pytest.approx(watts * lit_minutes / 60, abs=1)  # whole Wh
    power = store.readings([5], Series.FIVE_MINUTE, 0, 4 * HOUR_NS, 4 * HOUR_NS)
    assert power.mark.tolist() == [0] * 7 + [1] * 17 + [4] + [0] * 23  # 00:40 itself is dark; 02:05 is lit again
    assert power.p_w[24] == 0  # the five minutes before 02:05 were dark


def test_a_short_outage_within_an_interval_takes_its_share():
    store = memory(loads=steady())
    store.outages.lose([5], 61 * MINUTE_NS)
    store.outages.restore([5], 63 * MINUTE_NS)
    got = store.readings([5], Series.FIVE_MINUTE, HOUR_NS - 5 * MINUTE_NS, HOUR_NS + 10 * MINUTE_NS, 2 * HOUR_NS)
    assert got.mark.tolist() == [0, 4, 0]
    assert got.p_w[1] == pytest.approx(0.6 * got.p_w[0], abs=1)  # two minutes of five dark; whole watts
    assert got.q_var[1] == pytest.approx(0.6 * got.q_var[0], abs=1)


@settings(max_examples=40, deadline=None)
@given(
    cuts=st.lists(st.integers(1, 2 * 24 * 3600 - 1), min_size=2, max_size=8, unique=True).filter(
        lambda c: len(c) % 2 == 0
    ),
    drift=st.sampled_from([0.0, 50.0]),
)
def test_energy_adds_up_over_any_outages(cuts, drift):
    """What the register grew by, and what the outages took, is what the loads would have used."""
    store = memory("present", ClockModel(drift_ppm=drift))
    times = [second * SECOND_NS for second in sorted(cuts)]
    for lost, back in zip(times[::2], times[1::2], strict=True):
        store.outages.lose([9], lost)
        store.outages.restore([9], back)
    got = store.readings([9], Series.HALF_HOUR, 0, 3 * DAY_NS, 3 * DAY_NS)
    there = got.mark != Mark.NO_DATA
    assert (np.diff(got.import_wh[there]) >= 0).all()
    assert (np.diff(got.export_wh[there]) >= 0).all()
    never = memory("present", ClockModel(drift_ppm=drift)).readings([9], Series.HALF_HOUR, 0, 3 * DAY_NS, 3 * DAY_NS)
    drawn, _ = homes().registers_wmin([9], np.array(times))
    taken_wh = (drawn[0, 1::2] - drawn[0, ::2]).sum() / (SCALE_ONE * WMIN_PER_WH)
    assert never.import_wh[-1] - got.import_wh[-1] == pytest.approx(taken_wh, abs=1)  # whole Wh


@pytest.mark.parametrize("edge", ["lost", "back"])
def test_a_meter_is_dark_by_the_moment_it_reads_not_by_the_interval(edge):
    """Outages that begin or end between the interval's end and the moment the meter's wrong clock reads."""
    store = memory("present", ClockModel(drift_ppm=50.0))
    ids, end = np.arange(METERS), 12 * HOUR_NS
    ahead = store.clock_offset_ns(ids, np.array([end]))[:, 0]
    for meter in ids.tolist():
        between = end - int(ahead[meter]) // 2
        store.outages.lose([meter], between if edge == "lost" else between - 3 * HOUR_NS)
        store.outages.restore([meter], between + 3 * HOUR_NS if edge == "lost" else between)
    marks = store.readings(ids, Series.HALF_HOUR, end - HALF, end + HALF, DAY_NS).mark.reshape(METERS, 2)
    fast = ahead > 0  # reads before the interval's end, and so before what happens in between
    at_end = {"lost": np.where(fast, Mark.VALID, Mark.NO_DATA), "back": np.where(fast, Mark.NO_DATA, Mark.REBOOT)}
    after = {"lost": np.full(METERS, Mark.NO_DATA), "back": np.where(fast, Mark.REBOOT, Mark.VALID)}
    usual = np.where(marks == Mark.CLOCK_ADJUSTED, Mark.VALID, marks)
    np.testing.assert_array_equal(usual[:, 0], at_end[edge])
    np.testing.assert_array_equal(usual[:, 1], after[edge])
    assert 5 < fast.sum() < METERS - 5


def test_a_meter_that_is_still_dark_has_nothing_and_does_not_answer():
    store = memory()
    store.outages.lose([2], HOUR_NS)
    got = store.readings([1, 2], Series.HALF_HOUR, 0, 2 * HOUR_NS, 2 * HOUR_NS)
    assert got.mark.tolist() == [0, 0, 0, 0, 0, 1, 1, 1]
    assert store.instantaneous([1, 2], 2 * HOUR_NS)[3].tolist() == [True, False]


def test_clocks_drift_and_are_set_right():
    """Against the textbook: offset = drift x time since the last setting, which recurs once a day."""
    store = memory(clock=ClockModel(drift_ppm=20.0))
    times = np.arange(0, 2 * 86_400, 60) * SECOND_NS
    offset = store.clock_offset_ns(np.arange(METERS), times)
    drift_ppm = store._drift_ppb / 1000
    assert np.abs(offset).max() <= 60e-6 * DAY_NS
    assert 10 < drift_ppm.std() < 30
    for meter in np.flatnonzero(np.abs(drift_ppm) > 5)[:5]:
        steps = np.diff(offset[meter])
        jumps = np.flatnonzero(np.abs(steps) > SECOND_NS / 5)
        assert jumps.size == 2
        assert jumps[1] - jumps[0] == 1440
        usual = np.delete(steps, jumps)
        np.testing.assert_allclose(usual, drift_ppm[meter] * 1e-6 * 60 * SECOND_NS, atol=1000)  # a microsecond is cut


def test_a_clock_that_jumps_is_marked_once_a_day_and_a_good_one_never():
    store = memory(clock=ClockModel(drift_ppm=20.0, jump_ns=SECOND_NS))
    marks = store.readings(np.arange(METERS), Series.HALF_HOUR, 0, 2 * DAY_NS, 2 * DAY_NS).mark.reshape(METERS, 96)
    jumps = np.abs(store._drift_ppb.astype(float)) * 86_400 / 1e9 > 1.0
    assert ((marks == Mark.CLOCK_ADJUSTED).sum(axis=1) == np.where(jumps, 2, 0)).all()
    assert 0 < jumps.sum() < METERS


def test_a_fast_clock_reads_early():
    """A clock ahead by d reads its registers d early: at 600 W x scale, by hand."""
    loads = steady(watts=36_000)
    exact, off = (memory("present", clock, loads) for clock in (EXACT, ClockModel(drift_ppm=50.0)))
    a, b = (
        store.readings(np.arange(METERS), Series.HALF_HOUR, DAY_NS, DAY_NS + HALF, 2 * DAY_NS) for store in (exact, off)
    )
    ahead_s = off.clock_offset_ns(np.arange(METERS), np.array([DAY_NS + HALF]))[:, 0] / SECOND_NS
    expected_wh = 36_000 * loads._scale / SCALE_ONE * ahead_s / 3600
    # 1 Wh of the register; a minute's progress is cut to whole W min before the scale
    assert np.abs(a.import_wh - b.import_wh - expected_wh).max() <= 1.1
    assert np.abs(expected_wh).max() > 10


def test_readings_go_through_the_payload_and_into_a_table():
    store = with_outages(memory("final-2022", ClockModel(drift_ppm=20.0)))
    for series, kept in store.profile.series.items():
        got = store.readings([4], series, DAY_NS, DAY_NS + 40 * INTERVAL_NS[series], DAY_NS + 40 * INTERVAL_NS[series])
        assert decode(encode(got), 4).same_as(got)
        table = checked(got.to_table(4 * DAY_NS, 4 * DAY_NS), series.label)
        carried = {name for name in table.column_names if name in ("import_wh", "export_wh", "p_w", "q_var", "u_dv")}
        assert {name for name in carried if table[name].null_count < len(got)} == set(kept.columns)


def test_the_same_seed_gives_the_same_bytes():
    def bytes_of():
        loads = Loads(generate_shapes(4, 8), np.zeros(METERS, int), 4)
        store = with_outages(MeterMemory(loads, find_profile("seed-2021")))
        return encode(store.readings([4], Series.FIVE_MINUTE, DAY_NS, DAY_NS + HOUR_NS, 2 * DAY_NS))

    assert bytes_of() == bytes_of()


def test_what_makes_no_sense_is_named():
    store = memory("present")
    with pytest.raises(InputError, match="profile present: no series one_minute"):
        store.readings([1], Series.ONE_MINUTE, 0, HOUR_NS, HOUR_NS)
    with pytest.raises(InputError, match="meter 1 has supply already"):
        store.outages.restore([1], 5)
    store.outages.lose([1, 2], 100)
    with pytest.raises(InputError, match=r"meter 2 is without supply already \(1 of 2 meters\)"):
        store.outages.lose([2, 3], 200)
    with pytest.raises(InputError, match="meter 1 lost supply at 100 ns or later"):
        store.outages.restore([1], 100)
    with pytest.raises(InputError, match=r"clock: 200 ppm over 86400 s, expected below 30 s"):
        memory(clock=ClockModel(drift_ppm=200.0))
