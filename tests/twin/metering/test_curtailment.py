"""What limits and open switches keep from the registers, against a customer's minutes added up one by one."""

import numpy as np
import pytest

from twin.metering.agent import MeterAgent
from twin.metering.curtailment import Curtailment
from twin.metering.loads import Loads
from twin.metering.memory import MeterMemory
from twin.metering.profile import find_profile
from twin.metering.security import meter_keys
from twin.metering.shapes import generate_shapes
from twin.store.schema import HOUR_NS, MINUTE_NS, Mark, Series

SEED, METERS = 11, 60
EVENING_NS = 18 * HOUR_NS
UNIT = 1024  # of the registers, in a W min


@pytest.fixture(scope="module")
def loads():
    return Loads(generate_shapes(SEED), np.zeros(METERS, int), SEED, pv_share=0.4)


def agent(meter):
    return MeterAgent(meter, meter_keys(SEED, meter), 60.0, lambda t_ns: {}, lambda t_ns: 0)


def followed(loads, adapts, change, t_ns):
    """Return loads whose every meter had the same change at a moment, and the meters' agents."""
    curtailed, agents = Curtailment(loads, np.full(METERS, adapts), 60.0), [agent(k) for k in range(METERS)]
    for one in agents:
        change(one)
        curtailed.note(one, t_ns)
    return curtailed, agents


def minutes_kept(loads, meter, begin_ns, minutes, limit_w, adapts):
    """Return what is left of one meter's minutes, net, by the rules as they are written down [W min / 1024]."""
    kept, trips = [], 0
    for k in range(minutes):
        drawn, fed = loads.registers_wmin([meter], [begin_ns + k * MINUTE_NS, begin_ns + (k + 1) * MINUTE_NS])
        net = int(drawn[0, 1] - drawn[0, 0]) - int(fed[0, 1] - fed[0, 0])
        if trips == 8:
            kept.append(0)
        elif net > UNIT * limit_w and not adapts:
            trips += 4  # closed again every 15 s
            kept.append(0)
        else:
            trips = 0
            kept.append(min(net, UNIT * limit_w))
    return np.array(kept)


@pytest.mark.parametrize("adapts", [True, False])
def test_registers_under_a_limit_are_the_minutes_added_up(loads, adapts):
    curtailed, _ = followed(loads, adapts, lambda one: one.limit.set_normal(5.0, EVENING_NS), EVENING_NS)
    until_ns = EVENING_NS + 90 * MINUTE_NS
    curtailed.advance(until_ns)
    meters = np.arange(METERS)
    both = np.array(curtailed.registers_wmin(meters, [EVENING_NS + MINUTE_NS, until_ns]))
    found = np.diff(both[0] - both[1], axis=1)[:, 0]
    # A limit counts from the first minute that begins after it.
    rows = [minutes_kept(loads, k, EVENING_NS + MINUTE_NS, 89, 500, adapts) for k in range(METERS)]
    assert found.tolist() == [row.sum() for row in rows]
    free = [minutes_kept(loads, k, EVENING_NS + MINUTE_NS, 89, 10**6, adapts).sum() for k in range(METERS)]
    assert sum(found) < 0.9 * sum(free)  # the limit bites, or nothing is shown
    kept_wh = curtailed.energy_kept_wh(until_ns)
    assert kept_wh == pytest.approx((sum(free) - sum(found)) / UNIT / 60, rel=0.05)  # roofs behind a breaker are extra
    p_w, _ = curtailed.power(meters, np.arange(EVENING_NS, until_ns, MINUTE_NS)[2:], MINUTE_NS)
    assert np.abs(UNIT * p_w - np.array(rows)[:, :88]).max() <= UNIT // 2  # whole watts
    assert p_w.max() <= 500


def test_registers_never_fall_whatever_moment_they_are_read_at(loads):
    curtailed, _ = followed(loads, False, lambda one: one.limit.set_normal(8.0, EVENING_NS), EVENING_NS)
    curtailed.advance(EVENING_NS + 60 * MINUTE_NS)
    draw = np.random.default_rng(3)
    times = np.sort(draw.integers(EVENING_NS - MINUTE_NS, EVENING_NS + 60 * MINUTE_NS, (METERS, 400)), axis=1)
    for register in curtailed.registers_wmin(np.arange(METERS), times):
        assert (np.diff(register, axis=1) >= 0).all()


def test_an_open_switch_stops_both_registers_and_closing_lets_them_go_on(loads):
    noon = 12 * HOUR_NS

    def change(one):
        one.switch += [(noon, False), (noon + 30 * MINUTE_NS, True)]

    curtailed, _ = followed(loads, True, change, noon)
    curtailed.advance(noon + 60 * MINUTE_NS)
    meters = np.arange(METERS)
    ends = noon + np.array([1, 31, 60]) * MINUTE_NS
    now, free = np.array(curtailed.registers_wmin(meters, ends)), np.array(loads.registers_wmin(meters, ends))
    assert (now[:, :, 0] == now[:, :, 1]).all()
    assert (now[:, :, 2] - now[:, :, 1] == free[:, :, 2] - free[:, :, 1]).all()
    p_w, q_var = curtailed.power(meters, ends[1:2] - MINUTE_NS, MINUTE_NS)
    assert not p_w.any()
    assert not q_var.any()
    assert (curtailed.power(meters, ends[2:], MINUTE_NS)[0] == loads.power(meters, ends[2:], MINUTE_NS)[0]).all()
    # Nothing flows through the drop wire: both legs have what the street has.
    leg1_v, leg2_v = curtailed.voltage(meters, ends[1:2] - MINUTE_NS, MINUTE_NS)
    assert np.ptp(leg1_v) < 1e-9
    assert np.abs(leg1_v - leg2_v).max() < 1e-9


@pytest.mark.parametrize("into_s", [0, 20])
def test_what_is_still_open_at_the_end_counts_up_to_the_end(loads, into_s):
    noon = 12 * HOUR_NS
    curtailed, _ = followed(loads, True, lambda one: one.switch.append((noon, False)), noon)
    end_ns = noon + 60 * MINUTE_NS + into_s * 10**9
    # Nobody has read a register since: all that is drawn from the first whole minute on is kept from the customers.
    drawn, _ = loads.registers_wmin(np.arange(METERS), [noon + MINUTE_NS, end_ns])
    kept_wh = curtailed.energy_kept_wh(end_ns)
    assert kept_wh == pytest.approx((drawn[:, 1] - drawn[:, 0]).sum() / UNIT / 60, rel=1e-12)
    curtailed.advance(end_ns + 30 * MINUTE_NS)
    assert curtailed.energy_kept_wh(end_ns) == kept_wh  # what comes after the end is not in it
    assert Curtailment(loads, np.full(METERS, True), 60.0).energy_kept_wh(end_ns) == 0


def test_a_followed_meter_takes_nine_bytes_a_minute(loads):
    curtailed, _ = followed(loads, True, lambda one: one.limit.set_normal(5.0, EVENING_NS), EVENING_NS)
    curtailed.advance(EVENING_NS + 5 * MINUTE_NS)
    before = curtailed.bytes_held
    curtailed.advance(EVENING_NS + 25 * MINUTE_NS)
    assert curtailed.bytes_held - before == 20 * METERS * 9
    curtailed.advance(EVENING_NS + 65 * MINUTE_NS)
    sums = 2 * METERS * 2 * 8  # those of two half hours, import and export
    assert curtailed.bytes_held - before == 60 * METERS * 9 + sums


def test_who_is_locked_out_is_let_in_when_the_limit_is_lifted(loads):
    curtailed, agents = followed(loads, False, lambda one: one.limit.set_normal(0.5, EVENING_NS), EVENING_NS)
    curtailed.advance(EVENING_NS + 10 * MINUTE_NS)
    out = np.flatnonzero(curtailed.trips_in_a_row(np.arange(METERS)) == 8)
    assert out.size > METERS // 2  # above 50 W two minutes running
    lifted_ns = EVENING_NS + 10 * MINUTE_NS
    for one in agents:
        one.limit.set_normal(60.0, lifted_ns)
        curtailed.note(one, lifted_ns)
    curtailed.advance(lifted_ns + 5 * MINUTE_NS)
    after = [lifted_ns + 2 * MINUTE_NS]
    assert (curtailed.power(out, after, MINUTE_NS)[0] == loads.power(out, after, MINUTE_NS)[0]).all()


def test_what_is_known_late_or_asked_for_early_changes_nothing(loads):
    # Of two meters told out of order, and minutes worked out before that: the same as told in order.
    def told(order, ask_first):
        curtailed, agents = Curtailment(loads, np.zeros(METERS, bool), 60.0), [agent(k) for k in range(METERS)]
        for k, t_ns in order:
            agents[k].limit.set_normal(3.0, t_ns)
            curtailed.note(agents[k], t_ns)
            if ask_first:
                curtailed.advance(EVENING_NS + 20 * MINUTE_NS)
        curtailed.advance(EVENING_NS + 60 * MINUTE_NS)
        return np.array(curtailed.registers_wmin(np.arange(METERS), [EVENING_NS + 60 * MINUTE_NS]))

    order = [(k, EVENING_NS + (7 * k % 13) * MINUTE_NS + 1) for k in range(20)]
    first = told(sorted(order, key=lambda pair: pair[1]), ask_first=False)
    assert (told(order, ask_first=True) == first).all()
    assert (told(order[::-1], ask_first=True) == first).all()


def test_readings_of_a_limited_meter_are_valid_and_lower(loads):
    memory = MeterMemory(loads, find_profile("seed-2021"), adapts=np.zeros(METERS, bool))
    free = MeterMemory(loads, find_profile("seed-2021"))
    one = agent(7)
    one.switch.append((EVENING_NS, False))
    memory.curtailed.note(one, EVENING_NS)
    ask = ([6, 7], Series.HALF_HOUR, EVENING_NS - HOUR_NS, EVENING_NS + 2 * HOUR_NS, EVENING_NS + 2 * HOUR_NS)
    found, wanted = memory.readings(*ask), free.readings(*ask)
    assert set(found.mark.tolist()) <= {Mark.VALID, Mark.CLOCK_ADJUSTED}
    assert (found.import_wh[:6] == wanted.import_wh[:6]).all()  # meter 6 goes on as before
    assert (found.import_wh[6:8] == wanted.import_wh[6:8]).all()  # so does meter 7 until it is opened
    assert len(set(found.import_wh[9:].tolist())) == 1
    assert wanted.import_wh[11] > wanted.import_wh[9]
