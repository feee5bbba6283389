"""Meters and concentrators: counts that add up, places that follow from seed and id alone."""

import time

import numpy as np
import pytest

from teiden.errors import InputError
from twin.field.grid import load_grid
from twin.field.population import POLE_CLEARANCE_M, board_meter, populate, share_out

SEED = 7


@pytest.fixture(scope="module")
def oberrhein():
    return load_grid()


@pytest.fixture(scope="module")
def town(oberrhein):
    return populate(oberrhein, 50_000, SEED)


@pytest.mark.parametrize(
    ("meters", "weight", "expected"),
    [
        (7, [5, 3, 2], [4, 2, 1]),  # 3.5, 2.1, 1.4: the largest remainder is .5
        (10, [1, 1, 1], [4, 3, 3]),
        (2, [1000, 1], [1, 1]),  # 1.998 and .002: nobody goes without
        (1, [1, 2], [0, 1]),
        (6, [0, 0, 0], [2, 2, 2]),
        (4, [-3, 1], [1, 3]),  # infeed counts as no load, but gets its one meter
    ],
)
def test_largest_remainders_match_hand_calculation(meters, weight, expected):
    assert share_out(meters, weight).tolist() == expected


@pytest.mark.parametrize("meters", [1, 100, 141, 1000, 12_345])
def test_every_meter_is_at_one_substation_and_each_gets_one_where_there_are_enough(oberrhein, meters):
    counts = np.bincount(populate(oberrhein, meters, SEED).meter_substation, minlength=141)
    assert counts.sum() == meters
    assert (counts.min() >= 1) == (meters >= 141)


def test_meters_follow_the_load_within_one(oberrhein, town):
    counts = np.bincount(town.meter_substation, minlength=141)
    exact = 50_000 * oberrhein.substation_p_mw / oberrhein.substation_p_mw.sum()
    assert np.abs(counts - exact).max() < 1


def test_meters_fill_a_disc_of_the_given_density_evenly(oberrhein, town):
    counts = np.bincount(town.meter_substation)
    radius_m = 1000 * np.sqrt(counts / (np.pi * 1000))
    east_m = town.meter_x_m - oberrhein.substation_x_m[town.meter_substation]
    north_m = town.meter_y_m - oberrhein.substation_y_m[town.meter_substation]
    distance_m = np.hypot(east_m, north_m)
    assert distance_m.min() >= POLE_CLEARANCE_M - 1e-6
    assert (distance_m <= radius_m[town.meter_substation] + 1e-6).all()
    # Of an even disc, (r / R)^2 is uniform on [0, 1]: mean 1/2 with a standard error of 1/sqrt(12 N), hence 4 of them;
    # the clearance adds at most (5 m / 250 m)^2.
    assert np.mean((distance_m / radius_m[town.meter_substation]) ** 2) == pytest.approx(
        0.5, abs=4 / np.sqrt(12 * 50_000) + 0.0004
    )
    assert np.mean(east_m / distance_m) == pytest.approx(0, abs=4 / np.sqrt(2 * 50_000))  # E[cos^2] = 1/2
    assert np.mean(north_m / distance_m) == pytest.approx(0, abs=4 / np.sqrt(2 * 50_000))


def test_each_meter_reports_to_the_nearest_concentrator_of_its_own_substation(town):
    for meter in np.linspace(0, 49_999, 300).astype(int):
        own = np.flatnonzero(town.concentrator_substation == town.meter_substation[meter])
        square_m2 = (town.concentrator_x_m[own] - town.meter_x_m[meter]) ** 2
        square_m2 += (town.concentrator_y_m[own] - town.meter_y_m[meter]) ** 2
        assert town.meter_concentrator[meter] == own[np.argmin(square_m2)]


def test_concentrators_are_enough_and_the_first_hangs_on_the_pole(oberrhein, town):
    counts = np.bincount(town.meter_substation)
    assert np.bincount(town.concentrator_substation).tolist() == [-(-n // 500) for n in counts.tolist()]
    first = np.unique(town.concentrator_substation, return_index=True)[1]
    assert np.allclose(town.concentrator_x_m[first], oberrhein.substation_x_m)
    assert np.allclose(town.concentrator_y_m[first], oberrhein.substation_y_m)
    assert np.bincount(town.meter_concentrator).max() <= 2 * 500  # sunflower cells are near-equal, not equal


def test_what_is_drawn_for_a_meter_depends_on_its_id_and_the_seed_alone(oberrhein, town):
    few = populate(oberrhein, 1_000, SEED)
    assert np.array_equal(few.extra_loss_db, town.extra_loss_db[:1_000])
    assert not np.array_equal(populate(oberrhein, 1_000, SEED + 1).extra_loss_db, few.extra_loss_db)
    again = populate(oberrhein, 50_000, SEED)
    assert np.array_equal(again.meter_x_m, town.meter_x_m)
    assert np.array_equal(again.meter_concentrator, town.meter_concentrator)


def test_pipe_shafts_take_their_share_and_their_two_sides_differ_by_7_db(town):
    loss_db, count = np.unique(town.extra_loss_db, return_counts=True)
    assert loss_db.tolist() == [0.0, 16.5, 23.5]
    sigma = np.sqrt(50_000 * 0.1 * 0.9)
    assert count[1] + count[2] == pytest.approx(5_000, abs=4 * sigma)
    assert count[1] == pytest.approx(count[2], abs=4 * np.sqrt(5_000))


def test_names_and_ids_are_the_same_thing_both_ways(town):
    assert town.meter_name(1234) == "M0001234"
    assert town.find_meter("M0001234") == 1234
    with pytest.raises(IndexError, match="meter 50000, expected 0 to 49999"):
        town.meter_name(50_000)
    for wrong in ("M0050000", "M1234", "1234", "M000123x", ""):
        with pytest.raises(InputError, match="expected M0000000 to M0049999"):
            town.find_meter(wrong)


def test_longitude_and_latitude_lead_back_to_the_same_distance(oberrhein, town):
    lon_deg, lat_deg = np.radians(town.meter_lon_lat_deg())
    pole_lon = np.radians(oberrhein.substation_lon_deg[town.meter_substation])
    pole_lat = np.radians(oberrhein.substation_lat_deg[town.meter_substation])
    half = np.sin((lat_deg - pole_lat) / 2) ** 2
    half += np.cos(lat_deg) * np.cos(pole_lat) * np.sin((lon_deg - pole_lon) / 2) ** 2
    great_circle_m = 2 * 6_371_008.8 * np.arcsin(np.sqrt(half))
    x_m = town.meter_x_m - oberrhein.substation_x_m[town.meter_substation]
    y_m = town.meter_y_m - oberrhein.substation_y_m[town.meter_substation]
    assert great_circle_m == pytest.approx(np.hypot(x_m, y_m), rel=0.005)


def test_the_board_is_one_meter_of_the_chosen_feeder(oberrhein, town):
    feeder = oberrhein.substation_feeder == 2
    chosen = board_meter(town, feeder)
    assert feeder[town.meter_substation[chosen]]
    assert chosen == board_meter(town, np.flatnonzero(feeder))
    assert board_meter(town, feeder, town.meter_name(chosen)) == chosen
    elsewhere = town.meter_name(int(np.flatnonzero(~feeder[town.meter_substation])[0]))
    with pytest.raises(InputError, match="expected one of the 27 chosen substations"):
        board_meter(town, feeder, elsewhere)
    with pytest.raises(InputError, match="no usable meter at the 0 chosen substations"):
        board_meter(town, np.zeros(141, bool))


def test_numbers_out_of_range_are_refused(oberrhein):
    for options, message in (
        ({"meters": 0}, "meters = 0, expected 1 to"),
        ({"density_per_km2": 0}, "density_per_km2 = 0, expected above 0"),
        ({"meters_per_concentrator": 0}, "meters_per_concentrator = 0, expected 1 or more"),
        ({"pipe_shaft_share": 1.2}, "pipe_shaft_share = 1.2, expected 0 to 1"),
    ):
        with pytest.raises(InputError, match=message):
            populate(oberrhein, **{"meters": 10, "seed": 1, **options})


def test_a_million_meters_take_seconds(oberrhein):
    start_s = time.process_time()
    town = populate(oberrhein, 1_000_000, SEED)
    assert town.meter_count == 1_000_000
    assert time.process_time() - start_s < 10  # measured 0.4 s; a loop over meters would take minutes


def test_all_names_are_those_of_the_single_meters(town):
    names = town.meter_names()
    assert len(names) == town.meter_count
    assert all(names[meter] == town.meter_name(meter) for meter in range(0, town.meter_count, 997))
