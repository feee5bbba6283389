"""Whole towns at their own density, by hand; names that are not there; a run over them."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from teiden.errors import InputError, ScenarioError
from twin import scenario as scenarios
from twin.collection.day import Collection
from twin.collection.outcome import Outcome
from twin.collection.plan import make_plan
from twin.collection.summary import Summary
from twin.collection.table_rows import TableRows
from twin.metering.places import read_municipalities
from twin.metering.settle import choose, settle
from twin.store.store import Store

HEAD = "code,pref,name,lat,lon,households_2015,area_km2,did_households,did_area_km2,utility"
ROWS = [
    "01101,Hokkaido,Chuo,43.05,141.35,3000,40,0,0,Hokkaido",
    "13101,Tokyo,Chiyoda,35.69,139.75,2000,12,1800,9,Tokyo",
    "13102,Tokyo,Chuo,35.67,139.77,1000,4,400,1,Tokyo",
]
TOWNS = ["13101,356900,1397500", "13101,356950,1397600", "13102,356700,1397700", "13102,356720,1397900",
         "13102,356500,1397800", "13102,356400,1397600"]  # fmt: skip
CONCENTRATORS = {"meters_per_concentrator": 500, "pipe_shaft_share": 0.1, "pipe_shaft_loss_db": 20.0}


@pytest.fixture
def files(tmp_path):
    """Give a table of three municipalities and one of towns: two of Chiyoda, four of Tokyo's Chuo."""
    municipalities, towns = tmp_path / "municipalities.csv", tmp_path / "towns.csv"
    municipalities.write_text("\n".join([HEAD, *ROWS]) + "\n")
    towns.write_text("\n".join(["muni_code,lat_e4,lon_e4", *TOWNS]) + "\n")
    return municipalities, towns


def test_towns_are_whole_and_as_dense_as_their_municipality(files):
    where = choose(read_municipalities(*files), ["13102"])
    population = settle(where, 500, 1, **CONCENTRATORS).population
    # 1,000 households in four towns are 250 each: 500 meters are two towns, in circles of a square kilometre.
    # Less than half of the households are in the densely inhabited district, so all 4 square kilometres are settled.
    counts = np.bincount(population.meter_substation)
    assert counts.size == 2
    assert abs(counts[0] - 250) <= 45  # a meter's town is a fair coin: four times sqrt(500) / 2
    first = population.meter_substation == 0
    middle = (population.concentrator_x_m[0], population.concentrator_y_m[0])
    farthest = np.hypot(population.meter_x_m[first] - middle[0], population.meter_y_m[first] - middle[1]).max()
    assert 0.9 * 564 < farthest < 1.01 * 564  # 1000 / sqrt(pi) m; the rim is met to a few per cent by 250 meters
    assert population.concentrator_substation.tolist() == [0, 1]


def test_a_dense_district_is_the_settled_area(files):
    where = choose(read_municipalities(*files), ["Tokyo Chiyoda"])
    population = settle(where, 2000, 1, **CONCENTRATORS).population
    # 90 % of the households on 9 square kilometres: all on 10, in two towns of 5 each.
    x_m, y_m = population.meter_x_m, population.meter_y_m
    first = population.meter_substation == 0
    radius = np.hypot(np.ptp(x_m[first]), np.ptp(y_m[first])) / np.sqrt(8)
    assert radius == pytest.approx(1000 * np.sqrt(5 / np.pi), rel=0.02)  # the rim is met to 2 % by 1,000 meters
    assert np.bincount(population.concentrator_substation).tolist() == [
        -(-n // 500) for n in (first.sum(), (~first).sum())
    ]


def test_meters_follow_households_once_there_are_more_of_them_than_those(files):
    settled = settle(choose(read_municipalities(*files), prefecture="Tokyo"), 6000, 1, **CONCENTRATORS)
    assert np.bincount(settled.municipality).tolist() == [4000, 2000]
    assert settled.names.tolist() == ["Tokyo Chiyoda", "Tokyo Chuo"]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"municipalities": ["13103"]}, "population.municipalities = '13103', expected one in the table, such as"),
        ({"municipalities": ["Chiyod"]}, "such as Chiyoda"),
        ({"prefecture": "Kyoto"}, "population.prefecture = 'Kyoto'"),
        ({"utility": "Edo"}, "population.utility = 'Edo'"),
        ({"municipalities": ["01101"], "utility": "Tokyo"}, "no municipality with households has all of"),
    ],
)
def test_what_the_table_does_not_have_is_named(files, asked, says):
    with pytest.raises(InputError, match=says):
        choose(read_municipalities(*files), **asked)


def test_towns_too_far_apart_for_one_plane_are_refused(files):
    with pytest.raises(InputError, match=r"8\d\d km across, expected at most 300"):  # Sapporo to Tokyo: 830 km
        settle(read_municipalities(*files), 6000, 1, **CONCENTRATORS)


def test_towns_without_a_table_of_places_are_refused():
    with pytest.raises(ScenarioError, match=r"population.towns = 't.csv', expected none without population.places"):
        scenarios.check({"name": "x", "kind": "collection", "population": {"towns": "t.csv"}}, "x.toml")


def test_a_run_over_towns_and_a_users_days_adds_up_by_municipality(files, tmp_path):
    days = tmp_path / "days.csv"
    days.write_text("minute,flat\n0,0.6\n720,0.6\n")
    data = {
        "name": "towns", "kind": "collection", "time": {"duration_h": 0.5, "after_h": 1.0},
        "population": {"meters": 1000, "places": str(files[0]), "towns": str(files[1]), "prefecture": "Tokyo"},
        "history": {"share": 0.0}, "real_time": {"share": 0.0},
        "load": {"shapes": str(days), "pv_share": 0.0},
    }  # fmt: skip
    scenario = scenarios.check(data, "towns.toml")
    with Store.open(tmp_path / "store") as store:
        run = Collection(make_plan(scenario, "cpu"), store)
        run.run(lambda now_ns, collection: None)
        store.compact()
        outcome = Outcome(run)
        TableRows(outcome).write(tmp_path)
        summary = Summary(outcome).content()
    assert run.record.broken == []
    assert sum(each["meters"] for each in summary["municipalities"]) == 1000
    table = pq.read_table(tmp_path / "meters.parquet").to_pydict()
    assert set(table["municipality"]) == {each["name"] for each in summary["municipalities"]}
    # Everybody's day is 0.6 kW all day, times the meter's scale, whose mean is 1 (to a few per cent over 1,000).
    assert run.load_kw(np.arange(1000), np.zeros(1000, np.int64)).mean() == pytest.approx(0.6, rel=0.1)
