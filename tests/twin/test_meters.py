"""The virtual meters against a mesh of two hand-placed cells."""

import numpy as np
import pytest

import gpu
from twin.field.book import KINDS, NEVER
from twin.field.detection import MISSED, DetectionTable
from twin.field.meters import Meters
from twin.field.notice import meter_key, unseal
from twin.field.population import Population
from twin.scenario import check

S = 1_000_000_000
N = 40


def cells(detection=None, radio_overrides=None, **policy):
    """Return meters 0 to 19 at substation 0 and 20 to 39 at substation 1, 5 km apart, one concentrator each."""
    angle = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    x = np.concatenate([30 * np.cos(angle), 5000 + 30 * np.cos(angle)])
    y = np.tile(30 * np.sin(angle), 2)
    station = np.repeat([0, 1], 20)
    population = Population(
        seed=1, origin_deg=None, meter_substation=station, meter_x_m=x, meter_y_m=y, meter_concentrator=station,
        concentrator_substation=np.arange(2), concentrator_x_m=np.array([0.0, 5000.0]),
        concentrator_y_m=np.zeros(2), extra_loss_db=np.zeros(N),
    )  # fmt: skip
    scenario = check({"name": "cells", "policy": policy}, "test")
    radio = gpu.profile("fsk-100k-920", shadowing_db=0.0, **(radio_overrides or {}))
    xy = np.column_stack([np.append(x, [0.0, 5000.0]), np.append(y, [0.0, 0.0])])
    mesh = gpu.Mesh.build(xy, [N, N + 1], radio, 1)
    return Meters(scenario, population, mesh, boards=[0], detection=detection)


def run(meters, steps, until_s, window_ns=20_000_000):
    """Play supply steps {time: dark substations} and collect what reached a concentrator."""
    heard = []
    for begin in range(0, until_s * S, window_ns):
        if begin in steps:
            meters.supply(begin, np.isin(meters.population.meter_substation, steps[begin]))
        meters.act_until(begin + window_ns)
        meters.mesh.run_until(begin + window_ns)
        drained = meters.mesh.drain()
        meters.died(drained.deaths["node"].astype(np.int64), drained.deaths["t_ns"])
        joined = drained.memberships[drained.memberships["state"] == gpu.STATES.index("joined")]
        meters.joined(joined["node"].astype(np.int64), joined["t_ns"])
        heard += drained.deliveries.tolist()
    return heard


def test_the_dark_cell_gasps_within_its_window_and_the_other_is_silent():
    meters = cells(declare_s=2.0, window_s=5.0)
    heard = run(meters, {S: [1]}, 15)
    rows = meters.book.rows
    assert sorted(rows["meter"].tolist()) == list(range(20, 40))
    offered = (rows["offered_ns"] - S) / 1e9
    assert offered.min() >= 2.0
    assert offered.max() <= 2.0 + 5.0 + 0.02 + 0.0019  # window, handoff, slowest detection
    assert {node for _, node, *_ in heard} == {N + 1}
    assert len({frame for frame, *_ in heard}) == 20


def test_a_momentary_outage_makes_no_notice():
    meters = cells(declare_s=2.0)
    run(meters, {S: [1], 2 * S: []}, 30)
    assert meters.book.rows.size == 0


def test_the_board_leaves_its_notices_to_the_rig():
    meters = cells(declare_s=1.0, window_s=1.0)
    run(meters, {S: [0]}, 5)
    assert sorted(meters.book.rows["meter"].tolist()) == list(range(1, 20))


def test_a_radio_that_died_comes_back_after_its_rejoin_and_then_reports():
    meters = cells(declare_s=1.0, window_s=1.0)
    run(meters, {S: [1], 200 * S: []}, 300)
    cell = np.arange(20, 40)
    store_s = meters.holdup_nj[cell] / 1e8  # 100 mW
    lived_s = (meters.died_ns[cell] - S) / 1e9
    assert (meters.died_ns[cell] != NEVER).all()
    assert (lived_s <= store_s + 1e-6).all()
    assert lived_s == pytest.approx(store_s, abs=1.0)  # sending takes 250 mW more, for a few 10 ms each
    rows = meters.book.rows[meters.book.rows["kind"] == KINDS.index("power_return")]
    assert sorted(rows["meter"].tolist()) == cell.tolist()
    assert (rows["offered_ns"] >= 210 * S).all()  # 10 s to re-join at the least
    assert meters.mesh.alive.all()


def test_in_a_living_mesh_a_radio_reports_once_it_has_joined():
    """The mesh tells when: it selects 2, 4, 8 s after the supply is back, not after the scenario's 10 to 60 s."""
    quick = {"tree": "living", "discovery_min_us": 2_000_000, "discovery_max_us": 16_000_000}
    meters = cells(radio_overrides=quick, declare_s=1.0, window_s=1.0)
    run(meters, {S: [1], 200 * S: []}, 300)
    rows = meters.book.rows[meters.book.rows["kind"] == KINDS.index("power_return")]
    assert sorted(rows["meter"].tolist()) == list(range(20, 40))
    back_s = (meters.radio_back_ns[20:40] - 200 * S) / 1e9
    # at the first or second selection, or the third if adverts were lost; and 60 ms of handoffs
    assert back_s.min() >= 2.0
    assert back_s.max() <= 8 + 0.06
    offered = dict(zip(rows["meter"].tolist(), rows["offered_ns"].tolist(), strict=True))
    assert all(offered[meter] >= meters.radio_back_ns[meter] for meter in range(20, 40))
    assert (rows["radio"] != gpu.OUTCOMES.index("no_route")).all()


def test_sealed_bytes_say_what_the_book_says():
    meters = cells(declare_s=1.0, window_s=1.0)
    run(meters, {S: [1]}, 5)
    for row, entry in enumerate(meters.book.rows):
        notice = unseal(meter_key(1, int(entry["meter"])), meters.notice_bytes(row))
        assert (notice.meter, notice.sequence, notice.counter) == (entry["meter"], 1, entry["counter"])
        assert notice.counter == entry["detected_ns"] // 125_000
        assert not notice.supply


def test_windows_do_not_matter():
    rows = []
    for window_ns in (5_000_000, 20_000_000):
        meters = cells(declare_s=1.0, window_s=2.0)
        run(meters, {S: [0, 1], 20 * S: [1]}, 40, window_ns)
        rows.append(meters.book.rows.tobytes())
    assert rows[0] == rows[1]


def test_delays_come_from_the_table_and_a_meter_that_misses_its_loss_is_silent():
    delays = DetectionTable(np.array([0.0, 0.4]), np.array([[1_500_000, 1_750_000], [2_000_000, MISSED]]), "abc")
    meters = cells(detection=delays, declare_s=1.0, window_s=1.0)
    meters.supply(S, np.repeat([False, True], 20), np.repeat([1.0, 0.0], 20))
    meters.act_until(5 * S)
    deep = meters.book.rows["detected_ns"] - S
    assert set(deep.tolist()) == {1_500_000, 1_750_000}
    assert deep.size == 20

    meters = cells(detection=delays, declare_s=1.0, window_s=1.0)
    meters.supply(S, np.repeat([False, True], 20), np.repeat([1.0, 0.41], 20))
    meters.act_until(5 * S)
    shallow = meters.book.rows["detected_ns"] - S
    assert set(shallow.tolist()) == {2_000_000}
    assert 0 < shallow.size < 20
