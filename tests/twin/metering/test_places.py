"""Places: meters follow the households of a table, and a table that is wrong is refused by row."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from teiden.errors import InputError
from twin.field.coordinates import EARTH_RADIUS_M
from twin.metering.places import place_meters, read_municipalities

HEAD = "code,pref,name,lat,lon,households_2015,area_km2,did_households,did_area_km2,utility"
ROWS = [
    "01101,Hokkaido,Chuo,43.05,141.35,3000,40,2000,10,Hokkaido",
    "13101,Tokyo,Chiyoda,35.69,139.75,6000,12,6000,12,Tokyo",
    "13102,Tokyo,Chuo,35.67,139.77,1000,10,0,0,Tokyo",
    "07546,Fukushima,Futaba,37.45,141.00,0,51,0,0,Tohoku",
]


def table(folder, rows=ROWS, head=HEAD, name="municipalities.csv"):
    path = folder / name
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def towns(folder, rows=("01101,430500,1413500", "13101,356900,1397500", "13101,357000,1397600")):
    path = folder / "towns.csv.gz"
    path.write_bytes(gzip.compress("\n".join(["muni_code,lat_e4,lon_e4", *rows, ""]).encode()))
    return path


def test_meters_are_shared_out_by_households(tmp_path):
    places = place_meters(read_municipalities(table(tmp_path)), 1000, seed=1)
    assert np.bincount(places.meter_municipality, minlength=4).tolist() == [300, 600, 100, 0]


def test_codes_keep_their_leading_zero(tmp_path):
    assert read_municipalities(table(tmp_path)).code.tolist() == ["01101", "13101", "13102", "07546"]


def test_a_meter_lies_near_a_town_of_its_municipality(tmp_path):
    """Within the radius at which two towns' circles cover the 12 km2; every town gets its part."""
    where = read_municipalities(table(tmp_path), towns(tmp_path))
    places = place_meters(where, 4000, seed=3)
    own = places.meter_municipality == 1
    town_deg = np.array([[35.69, 139.75], [35.70, 139.76]])
    north_m = np.radians(places.lat_deg[own, None] - town_deg[:, 0]) * EARTH_RADIUS_M
    east_m = np.radians(places.lon_deg[own, None] - town_deg[:, 1]) * EARTH_RADIUS_M * np.cos(np.radians(35.69))
    distance_m = np.hypot(north_m, east_m)
    radius_m = 1000 * np.sqrt(12 / (2 * np.pi))
    assert distance_m.min(axis=1).max() <= 1.001 * radius_m  # 0.001: the cosine at 35.69 instead of each town's
    assert distance_m.min(axis=1).max() > 0.8 * radius_m  # they fill the circle
    assert 0.3 < (distance_m[:, 0] < distance_m[:, 1]).mean() < 0.7


def test_a_municipality_without_towns_has_its_office(tmp_path):
    where = read_municipalities(table(tmp_path), towns(tmp_path))
    assert where.town_count.tolist() == [1, 2, 1, 1]
    assert where.town_lat_deg[where.town_first[2]] == 35.67


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    where = read_municipalities(table(tmp_path))
    one, again = (place_meters(where, 70, 5) for _ in range(2))
    assert one.lat_deg.tobytes() == again.lat_deg.tobytes()
    assert one.lat_deg.tobytes() != place_meters(where, 70, 6).lat_deg.tobytes()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            (2, "13101,Tokyo,Chuo,35.67,139.77,1,1,0,0,Tokyo"),
            "row 4: code = 13101, expected a code that no row before has",
        ),
        ((0, "01101,H,C,35.67,39.77,1,1,0,0,Tokyo"), "row 2: lon = 39.77, expected 122 to 154 degrees"),
        ((1, "13101,T,C,-35.69,139.75,1,1,0,0,Tokyo"), "row 3: lat = -35.69, expected 20 to 46 degrees"),
        ((1, "13101,T,C,35.69,139.75,-6,1,0,0,Tokyo"), "row 3: households_2015 = -6.0, expected 0 or more"),
        (
            (1, "13101,T,C,35.69,139.75,60,1,61,0,Tokyo"),
            "row 3: did_households = 61.0, expected at most the row's house",
        ),
        (
            (3, "07546,F,F,37.4,141.0,0,51,0,52,Tohoku"),
            "row 5: did_area_km2 = 52.0, expected at most the row's area_km2",
        ),
        ((3, "07546,F,F,37.4,141.0,many,51,0,0,Tohoku"), "row 5: households_2015 = 'many', expected a number"),
        ((3, "07546,F,F,37.4,141.0,,51,0,0,Tohoku"), "row 5: households_2015 = nan, expected a number"),
        ((3, "07546,F,F"), "[Ee]xpected 10 columns, got 3"),
    ],
)
def test_a_wrong_row_is_named(tmp_path, change, says):
    rows = list(ROWS)
    rows[change[0]] = change[1]
    with pytest.raises(InputError, match=f"municipalities.csv: .*{says}"):
        read_municipalities(table(tmp_path, rows))


def test_wrong_towns_and_settings_are_named(tmp_path):
    with pytest.raises(InputError, match="row 3: muni_code = 99999, expected a code of the municipalities"):
        read_municipalities(table(tmp_path), towns(tmp_path, ["01101,430500,1413500", "99999,430500,1413500"]))
    with pytest.raises(InputError, match=r"row 2: lat_e4 = 4.305, expected 20 to 46"):
        read_municipalities(table(tmp_path), towns(tmp_path, ["01101,43050,1413500"]))
    with pytest.raises(InputError, match="no column utility, expected code, pref"):
        read_municipalities(table(tmp_path, [row.rsplit(",", 1)[0] for row in ROWS], HEAD.rsplit(",", 1)[0]))
    with pytest.raises(InputError, match="no such file"):
        read_municipalities(tmp_path / "none.csv")
    where = read_municipalities(table(tmp_path))
    with pytest.raises(InputError, match="meters = 0"):
        place_meters(where, 0, 1)


def test_the_census_table_reads_whole():
    """Sums as its provenance states them; only where TEIDEN_DATA names the folder."""
    folder = os.environ.get("TEIDEN_DATA")
    if not folder:
        pytest.skip("TEIDEN_DATA names no folder of shared data")
    data = Path(folder) / "japan_municipalities"
    where = read_municipalities(data / "municipalities.csv", data / "town_points.csv.gz")
    assert where.count == 1896
    assert where.households.sum() == 53_448_685
    assert where.town_count.sum() >= 277_193
