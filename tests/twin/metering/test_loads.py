"""Loads: any subset gives the same values, energies and powers agree, voltages follow a power flow."""

import copy
from dataclasses import replace
from functools import cache

import numpy as np
import pandapower
import pytest

from gpu import rng
from teiden.errors import InputError
from twin.field.grid import load_grid, quiet_pandapower
from twin.field.population import populate
from twin.metering.feeder import build_feeder
from twin.metering.loads import _LEG, _SERVICE, FIRST_DAY, SCALE_ONE, Loads
from twin.metering.shapes import DAY_MINUTES, PV_KW, build_shapes, generate_shapes, read_shapes
from twin.store.schema import DAY_NS, HOUR_NS, INTERVAL_NS, MINUTE_NS, Series

FIVE = INTERVAL_NS[Series.FIVE_MINUTE]
METERS = 600


grid_of_tests = cache(load_grid)


@cache
def town(pv_share=0.3, meters=METERS, seed=1):
    grid = grid_of_tests()
    return Loads(
        generate_shapes(seed),
        populate(grid, meters, seed).meter_substation,
        seed,
        feeder=build_feeder(grid),
        substation_p_mw=grid.substation_p_mw,
        pv_share=pv_share,
    )


def everything(loads, meters, ends):
    p_w, q_var = loads.power(meters, ends, FIVE)
    return (p_w, q_var, *loads.voltage(meters, ends, FIVE), *loads.registers_wmin(meters, ends))


def test_any_subset_of_meters_and_intervals_gives_the_same_values():
    ends = np.arange(-30, 330) * FIVE  # over two midnights
    whole = everything(town(), np.arange(METERS), ends)
    pick, when = np.array([599, 3, 4, 250]), np.array([359, 0, 30, 31, 200])
    fresh = town.__wrapped__()
    for all_of_it, some in zip(whole, everything(fresh, pick, ends[when]), strict=True):
        np.testing.assert_array_equal(some, all_of_it[np.ix_(pick, when)])


def test_another_seed_gives_other_values():
    ends = np.arange(1, 13) * HOUR_NS
    one, other = (town(seed=seed).power(np.arange(METERS), ends, HOUR_NS)[0] for seed in (1, 2))
    assert (one != other).mean() > 0.9


def test_power_is_the_slope_of_the_registers():
    ends = np.arange(0, 289) * FIVE
    drawn, fed = town().registers_wmin(np.arange(METERS), ends)
    p_w, _ = town().power(np.arange(METERS), ends[1:], FIVE)
    slope_w = np.diff(drawn - fed, axis=1) / (SCALE_ONE * 5)
    assert np.abs(p_w - slope_w).max() <= 0.5 + 1e-6  # rounding to whole watts
    assert (np.diff(drawn, axis=1) >= 0).all()
    assert (np.diff(fed, axis=1) >= 0).all()


def test_half_hours_are_the_mean_of_their_minutes():
    half_hours, _ = town().power(np.arange(50), np.arange(1, 49) * 30 * MINUTE_NS, 30 * MINUTE_NS)
    minutes, _ = town().power(np.arange(50), np.arange(1, 1441) * MINUTE_NS, MINUTE_NS)
    assert np.abs(minutes.reshape(50, 48, 30).mean(2) - half_hours).max() <= 1.0  # both are rounded to whole watts


def test_registers_match_a_slow_sum_over_minutes():
    """Meter by meter in plain Python, import and export apart, to a time inside a minute."""
    loads, meters = town(), np.flatnonzero(town().has_roof)[:3]
    until_ns = 2 * DAY_NS + 13 * HOUR_NS + 20 * 10**9
    slow = []
    for meter in meters:
        drawn = fed = 0
        for day in range(FIRST_DAY, 3):
            _, row = loads._rows(np.array([meter]), day)
            sums = loads.shapes.import_sum[row[0]], loads.shapes.export_sum[row[0]]
            for minute in range(DAY_MINUTES):
                part = min(max((until_ns - day * DAY_NS) / MINUTE_NS - minute, 0), 1)
                drawn += part * float(sums[0][minute + 1] - sums[0][minute])
                fed += part * float(sums[1][minute + 1] - sums[1][minute])
        slow.append((drawn * int(loads._scale[meter]), fed * int(loads._scale[meter])))
    got = loads.registers_wmin(meters, np.array([until_ns]))
    assert np.abs(np.array(slow).T - np.stack(got)[:, :, 0]).max() < 8 * SCALE_ONE  # a W min, cut off, times the scale
    assert got[1].min() > 0


def test_share_of_roofs_and_reverse_flow():
    noon = np.array([12 * HOUR_NS])
    many = town(meters=4000)
    share = many.has_roof.mean()
    assert abs(share - 0.3) < 4 * np.sqrt(0.3 * 0.7 / 4000)  # four standard deviations of a binomial
    least_w = min(many.power(np.arange(4000), noon + day * DAY_NS, HOUR_NS)[0].min() for day in range(12))
    assert -1000 * max(PV_KW) * many._scale.max() / SCALE_ONE <= least_w < -1000
    assert town(pv_share=0.0).registers_wmin(np.arange(METERS), noon)[1].max() == 0


def test_mean_load_of_homes_is_that_of_the_notes():
    p_w, _ = town(pv_share=0.0, meters=4000).power(np.arange(4000), np.arange(1, 49) * DAY_NS // 48, DAY_NS // 48)
    assert 300 < p_w.mean() < 500  # DOMAIN, fact 9


def test_medium_voltage_matches_a_power_flow():
    """pandapower's full solution, generators and capacitance off, from the busbars on."""
    grid = grid_of_tests()
    feeder = build_feeder(grid)
    net = copy.deepcopy(grid.net)
    net.sgen["in_service"] = False
    net.line["c_nf_per_km"] = 0.0
    p_mw, q_mvar = 0.6 * grid.substation_p_mw, 0.15 * grid.substation_p_mw
    places = [net.load.index[net.load.bus == grid.bus_index[bus]][0] for bus in grid.substation_bus]
    net.load.loc[places, "p_mw"] = p_mw
    net.load.loc[places, "q_mvar"] = q_mvar
    net.load.loc[places, "scaling"] = 1.0
    with quiet_pandapower():
        pandapower.runpp(net, numba=False)
    solved = net.res_bus.vm_pu.loc[grid.bus_index[grid.substation_bus]].to_numpy()
    ours = feeder.voltage_pu(p_mw[:, None], q_mvar[:, None])[:, 0]
    head = {int(f): grid.bus_index[grid.breaker_busbar[k]] for k, f in enumerate(grid.breaker_feeder)}
    busbar = np.array([net.res_bus.vm_pu[head[int(f)]] for f in grid.substation_feeder])
    # 5 % of the drop: busbars stand 2 to 3 % above the nominal voltage we divide by; losses add less than that back.
    assert np.abs((ours - 1) - (solved - busbar)).max() < 0.05 * np.ptp(solved - busbar)
    assert np.ptp(solved - busbar) > 0.01  # there is a drop to be got right


def test_reverse_flow_lifts_the_voltage_of_the_service():
    loads = town(pv_share=1.0)
    homes = np.arange(METERS)
    ends = np.arange(1, 25) * HOUR_NS
    p_w, _ = loads.power(homes, ends, HOUR_NS)
    legs_v = sum(loads.voltage(homes, ends, HOUR_NS)) / 2
    before = legs_v + loads.low_voltage.service_r_ohm * p_w / 2 / loads.low_voltage.nominal_v
    assert (legs_v > before)[p_w < -100].all()
    assert (p_w < -100).any()


def test_the_legs_of_a_three_wire_service_by_hand():
    """One meter, a constant 2,000 W: leg currents and the neutral's return from Ohm's law."""
    shapes = build_shapes(("flat",), np.full((1, DAY_MINUTES), 2000), np.zeros((1, DAY_MINUTES)))
    loads = Loads(shapes, [0], 5, pv_share=0.0)
    end = np.array([HOUR_NS])
    leg1_v, leg2_v = (float(leg[0, 0]) for leg in loads.voltage([0], end, HOUR_NS))
    p_w, q_var = (float(value[0, 0]) for value in loads.power([0], end, HOUR_NS))
    low = loads.low_voltage
    shared_v = low.homes / 2 * (low.shared_r_ohm * p_w + low.shared_x_ohm * q_var) / low.nominal_v
    service_r = low.service_r_ohm * (0.5 + float(rng.draw_unit(5, _SERVICE, 0)))
    share = 0.5 + low.leg_share_spread * (2 * float(rng.draw_unit(5, _LEG, 0)) - 1)
    current1_a, current2_a = share * p_w / low.nominal_v, (1 - share) * p_w / low.nominal_v
    neutral_a = current1_a - current2_a
    # p_w is rounded to whole watts: 0.5 W of about 2 kW, 1e-4 V of a drop below 1 V
    assert leg1_v == pytest.approx(low.nominal_v - shared_v - service_r * (current1_a + neutral_a), abs=1e-3)
    assert leg2_v == pytest.approx(low.nominal_v - shared_v - service_r * (current2_a - neutral_a), abs=1e-3)
    assert abs(leg1_v - leg2_v) > 0.01


def write(path, rows, head="minute,a,b"):
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def test_a_users_table_of_days_is_what_is_drawn_from(tmp_path):
    rows = [f"{30 * k},{0.1 * k:.1f},2.0" for k in range(48)]
    shapes = read_shapes(write(tmp_path / "days.csv", rows), seed=1)
    assert shapes.name == ("a", "b")
    assert shapes.load_sum[0, -1] == 100 * sum(range(48)) * 30
    assert shapes.load_sum[1, -1] == 2000 * DAY_MINUTES


@pytest.mark.parametrize(
    ("rows", "head", "says"),
    [
        ([f"{30 * k},1,1" for k in range(47)], "minute,a,b", "47 rows, expected even steps that fill the 1440 minutes"),
        ([f"{30 * k + (k == 7)},1,1" for k in range(48)], "minute,a,b", "row 9: minute = 211"),
        ([f"{30 * k},1,{-1 if k == 3 else 1}" for k in range(48)], "minute,a,b", "row 5: b = -1, expected 0 to 60 kW"),
        ([f"{30 * k},1,{'' if k == 3 else 1}" for k in range(48)], "minute,a,b", "row 5: b is empty"),
        ([f"{30 * k},1,{'x' if k == 3 else 1}" for k in range(48)], "minute,a,b", "column b: .*expected numbers"),
        (
            [f"{30 * k},1,1" for k in range(48)],
            "minute,a,a",
            "columns minute, a, a, expected minute and then shapes, each",
        ),
    ],
)
def test_a_table_of_days_that_is_wrong_is_named_by_row(tmp_path, rows, head, says):
    with pytest.raises(InputError, match=says):
        read_shapes(write(tmp_path / "days.csv", rows, head), seed=1)


def test_bad_settings_are_named(tmp_path):
    shapes = generate_shapes(1, 4)
    three = replace(town().feeder, substation_bus=np.arange(3))
    with pytest.raises(InputError, match=r"pv_share = 1.2, expected 0 to 1"):
        Loads(shapes, [0], 1, pv_share=1.2)
    with pytest.raises(InputError, match="meter 1 at substation 9, expected 0 to"):
        Loads(shapes, [0, 9], 1, feeder=three, substation_p_mw=np.ones(3))
    cut = replace(town().feeder, order=town().feeder.order[:-200])
    with pytest.raises(InputError, match=r"loads: meter \d+ at substation \d+, which no source feeds"):
        Loads(
            shapes, np.arange(cut.substation_bus.size), 1, feeder=cut, substation_p_mw=np.ones(cut.substation_bus.size)
        )
    with pytest.raises(InputError, match="no such file"):
        read_shapes(tmp_path / "none.csv", 1)
    with pytest.raises(InputError, match="day -47, expected -46 or later"):
        town().registers_wmin([0], [-47 * DAY_NS])
    with pytest.raises(InputError, match="expected whole minutes that divide a day"):
        town().power([0], [HOUR_NS], 7 * MINUTE_NS)
