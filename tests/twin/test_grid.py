"""Connectivity of the grid, against pandapower's own and against what a small network shows on paper."""

import copy
import csv
import gzip
import os
from pathlib import Path

import numpy as np
import pandapower as pp
import pandapower.networks
import pandapower.topology
import pytest

from teiden.errors import InputError
from twin.field.coordinates import to_lon_lat_deg, to_plane_m
from twin.field.grid import load_grid, quiet_pandapower, supplied


@pytest.fixture(scope="module")
def oberrhein():
    return load_grid()


def unsupplied_by_pandapower(net, open_switches=(), lines_out=(), closed_switches=()):
    """Switch `net` in place, ask pandapower, and put it back: a copy per line would be slow."""
    closed, in_service = net.switch.closed.copy(), net.line.in_service.copy()
    net.switch.loc[list(open_switches), "closed"] = False
    net.switch.loc[list(closed_switches), "closed"] = True
    net.line.loc[list(lines_out), "in_service"] = False
    try:
        return pandapower.topology.unsupplied_buses(net)
    finally:
        net.switch["closed"], net.line["in_service"] = closed, in_service


def unsupplied(grid, **state):
    live = supplied(grid, **state)
    return set(grid.bus_index[~live & grid.net.bus.in_service.to_numpy()].tolist())


def test_every_line_of_mv_oberrhein_out_darkens_what_pandapower_says(oberrhein):
    net = copy.deepcopy(oberrhein.net)
    for line in oberrhein.line_index.tolist():
        assert unsupplied(oberrhein, lines_out={line}) == unsupplied_by_pandapower(net, lines_out={line}), line


def test_random_switching_states_darken_what_pandapower_says(oberrhein):
    net = copy.deepcopy(oberrhein.net)
    random = np.random.default_rng(20261123)
    ties = net.switch.index[~net.switch.closed]
    for _ in range(60):
        state = {
            "open_switches": set(random.choice(net.switch.index[net.switch.closed], 4, replace=False).tolist()),
            "closed_switches": set(random.choice(ties, 2, replace=False).tolist()),
            "lines_out": set(random.choice(net.line.index, 2, replace=False).tolist()),
        }
        assert unsupplied(oberrhein, **state) == unsupplied_by_pandapower(net, **state), state


def test_three_winding_transformers_and_bus_switches_connect_as_in_pandapower(tmp_path):
    with quiet_pandapower():
        net = pandapower.networks.example_multivoltage()
        for i, bus in enumerate(net.bus.index):
            net.bus.loc[bus, "geo"] = f'{{"type": "Point", "coordinates": [{3 * i}.0, {(7 * i) % 11}.0]}}'
        net.line["geo"] = None
        pp.to_json(net, str(tmp_path / "net.json"))
    grid = load_grid(str(tmp_path / "net.json"))
    assert unsupplied(grid) == unsupplied_by_pandapower(net)
    for switch in net.switch.index.tolist():
        flip = "open_switches" if net.switch.closed[switch] else "closed_switches"
        assert unsupplied(grid, **{flip: {switch}}) == unsupplied_by_pandapower(net, **{flip: {switch}}), switch
    for line in net.line.index.tolist():
        assert unsupplied(grid, lines_out={line}) == unsupplied_by_pandapower(net, lines_out={line}), line


def test_mv_oberrhein_has_the_141_stations_on_its_four_breakers(oberrhein):
    net = oberrhein.net
    stations = net.load[net.load.type == "MV/LV Station"]
    assert oberrhein.substation_load.tolist() == stations.index.tolist()
    assert oberrhein.substation_p_mw.sum() == pytest.approx((stations.p_mw * stations.scaling).sum())
    assert set(oberrhein.breaker_switch.tolist()) == set(net.switch.index[net.switch.type == "CB"].tolist())
    for breaker, feeder in zip(oberrhein.breaker_switch, oberrhein.breaker_feeder, strict=True):
        dark = set(unsupplied_by_pandapower(net, open_switches=[breaker]))
        behind = np.isin(oberrhein.bus_index[oberrhein.substation_bus], sorted(dark))
        assert np.array_equal(oberrhein.substation_feeder == feeder, behind)


def test_no_line_of_mv_oberrhein_is_much_shorter_than_the_straight_way_between_its_ends(oberrhein):
    x_m, y_m = oberrhein.bus_x_m, oberrhein.bus_y_m
    a, b = oberrhein.line_from, oberrhein.line_to
    straight_m = np.hypot(x_m[a] - x_m[b], y_m[a] - y_m[b])
    # Some published lengths are shorter than the published coordinates allow; the middle line is what counts.
    assert 0.7 < np.median(straight_m / oberrhein.line_length_m) <= 1.05
    assert np.allclose(oberrhein.substation_lon_deg, oberrhein.bus_lon_deg[oberrhein.substation_bus])


def test_a_degree_of_latitude_is_111_km_and_the_projection_has_an_inverse():
    lon, lat = np.array([139.0, 140.0]), np.array([35.0, 36.0])
    x_m, y_m = to_plane_m(lon, lat, (139.0, 35.0))
    assert y_m[1] == pytest.approx(111_195, abs=1)  # 2 pi 6371.0088 km / 360
    assert x_m[1] == pytest.approx(111_195 * np.cos(np.radians(35)), abs=1)
    back = to_lon_lat_deg(x_m, y_m, (139.0, 35.0))
    assert np.allclose(back, (lon, lat), atol=1e-12)


def small_net(unit_km=1.0, low_voltage=False):
    """Two feeders in a row of 1 km lines, A1 A2 A3 and B1 B2, with an open tie between A3 and B2."""
    net = pp.create_empty_network()
    km = {"hv": (0, 1), "bar": (0, 0), "A1": (1, 0), "A2": (2, 0), "A3": (3, 0), "B1": (0, -1), "B2": (1, -1)}
    bus = {
        name: pp.create_bus(net, 110.0 if name == "hv" else 20.0, name=name, geodata=tuple(unit_km * c for c in place))
        for name, place in km.items()
    }
    pp.create_ext_grid(net, bus["hv"])
    rating = {"sn_mva": 25, "vn_hv_kv": 110, "vn_lv_kv": 20, "vk_percent": 10}
    pp.create_transformer_from_parameters(net, bus["hv"], bus["bar"], **rating, vkr_percent=0, pfe_kw=0, i0_percent=0)
    for a, b in (("bar", "A1"), ("A1", "A2"), ("A2", "A3"), ("bar", "B1"), ("B1", "B2"), ("B2", "A3")):
        line = pp.create_line_from_parameters(
            net, bus[a], bus[b], 1.0, r_ohm_per_km=0.2, x_ohm_per_km=0.1, c_nf_per_km=0, max_i_ka=0.3, name=f"{a}-{b}"
        )
        pp.create_switch(net, bus[a], line, et="l", type="CB" if a == "bar" else "LBS")
        pp.create_switch(net, bus[b], line, et="l", closed=(a, b) != ("B2", "A3"))
    for i, name in enumerate(("A1", "A2", "A3", "B1", "B2")):
        pp.create_load(net, bus[name], p_mw=1.0 + i, scaling=0.5, name=name)
    if low_voltage:
        secondary = pp.create_bus(net, 0.4, name="low", geodata=(2 * unit_km, 0))
        house = pp.create_bus(net, 0.4, name="house", geodata=(2 * unit_km, 0))
        pp.create_transformer(net, bus["A2"], secondary, "0.25 MVA 20/0.4 kV")
        pp.create_line(net, secondary, house, 0.1, "NAYY 4x50 SE")
        pp.create_load(net, house, p_mw=0.01, name="one")
        pp.create_load(net, secondary, p_mw=0.02, name="two")
    return net


def load_small(tmp_path, **options):
    path = tmp_path / "small.json"
    pp.to_json(small_net(**options), str(path))
    return load_grid(str(path))


@pytest.mark.parametrize("unit_km", [1.0, 1000.0])
def test_plain_coordinates_are_read_as_kilometres_or_metres_by_the_lengths_of_the_lines(tmp_path, unit_km):
    grid = load_small(tmp_path, unit_km=unit_km)
    a, b = grid.line_from[:3], grid.line_to[:3]
    assert np.hypot(grid.bus_x_m[a] - grid.bus_x_m[b], grid.bus_y_m[a] - grid.bus_y_m[b]) == pytest.approx(1000.0)
    assert grid.origin_deg is None
    assert np.isnan(grid.substation_lon_deg).all()


def test_a_feeder_is_what_hangs_on_the_first_line_from_the_busbar(tmp_path):
    grid = load_small(tmp_path)
    assert grid.feeder_name == ("bar / bar-A1", "bar / bar-B1")
    assert grid.substation_name == ("A1", "A2", "A3", "B1", "B2")
    assert grid.substation_feeder.tolist() == [0, 0, 0, 1, 1]
    assert grid.line_feeder.tolist() == [0, 0, 0, 1, 1, 1]  # the tie line hangs on B2
    assert grid.breaker_switch.tolist() == [0, 6]


def test_the_loads_of_one_low_voltage_network_are_one_substation(tmp_path):
    grid = load_small(tmp_path, low_voltage=True)
    assert grid.substation_name[5:] == ("one",)
    assert grid.substation_p_mw[5] == pytest.approx(0.03)
    assert not supplied(grid, lines_out={1})[grid.substation_bus[5]]
    assert grid.substation_feeder[5] == 0


def test_the_network_a_run_used_can_be_kept_and_loaded_again(tmp_path):
    kept = load_grid(keep_folder=tmp_path)
    again = load_grid(str(tmp_path / "grid.json"))
    assert np.array_equal(again.substation_x_m, kept.substation_x_m)
    assert again.line_name == kept.line_name


def test_bad_networks_are_refused_with_a_remedy(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.json: no such file; expected 'mv_oberrhein'"):
        load_grid("nowhere.json")
    (tmp_path / "text.json").write_text("not JSON")
    with pytest.raises(InputError, match="not a pandapower network"):
        load_grid(str(tmp_path / "text.json"))

    def refuse(change, message):
        net = small_net()
        change(net)
        pp.to_json(net, str(tmp_path / "bad.json"))
        with pytest.raises(InputError, match=message):
            load_grid(str(tmp_path / "bad.json"))

    def clear(table):
        return lambda net: net[table].drop(net[table].index, inplace=True)

    refuse(clear("line"), "table line is empty")
    refuse(clear("load"), "table load is empty")
    refuse(lambda net: net.ext_grid.update({"in_service": [False]}), "no external grid in service")
    refuse(lambda net: net.bus.__setitem__("geo", None), "bus 1 has no coordinates")
    refuse(lambda net: net.switch.update({"element": [90] * 12}), "switch 0 .* does not sit between")


def test_an_unknown_line_is_answered_with_near_matches(oberrhein):
    assert oberrhein.find_line("Line 5") == oberrhein.find_line(5)
    with pytest.raises(InputError, match=r"no line 'Lin 193'.*near: Line 193"):
        oberrhein.find_line("Lin 193")


def read_table(folder, name):
    with gzip.open(folder / f"{name}.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    return {column: [row[column] for row in rows] for column in rows[0]}


def simbench_net(folder):
    """Build a pandapower network from the exported tables, with their indices."""
    bus, line, trafo = (read_table(folder, name) for name in ("bus", "line", "trafo"))
    switch, load, source = (read_table(folder, name) for name in ("switch", "load", "ext_grid"))
    ints = lambda column: [int(value) for value in column]  # noqa: E731
    floats = lambda column: np.array(column, float)  # noqa: E731
    net = pp.create_empty_network()
    places = list(zip(floats(bus["x"]), floats(bus["y"]), strict=True))
    pp.create_buses(net, len(places), floats(bus["vn_kv"]), index=ints(bus["id"]), geodata=places)
    pp.create_lines_from_parameters(
        net,
        ints(line["from_bus"]),
        ints(line["to_bus"]),
        **{
            name: floats(line[name])
            for name in ("length_km", "r_ohm_per_km", "x_ohm_per_km", "c_nf_per_km", "max_i_ka")
        },
        index=ints(line["id"]),
    )
    pp.create_transformers_from_parameters(
        net,
        ints(trafo["hv_bus"]),
        ints(trafo["lv_bus"]),
        **{name: floats(trafo[name]) for name in ("sn_mva", "vn_hv_kv", "vn_lv_kv", "vkr_percent", "vk_percent")},
        pfe_kw=0.0,
        i0_percent=0.0,
        index=ints(trafo["id"]),
    )
    closed = [value == "True" for value in switch["closed"]]
    pp.create_switches(
        net, ints(switch["bus"]), ints(switch["element"]), switch["et"], closed, index=ints(switch["id"])
    )
    pp.create_loads(net, ints(load["bus"]), floats(load["p_mw"]), index=ints(load["id"]))
    for place in source["bus"]:
        pp.create_ext_grid(net, int(place))
    return net


@pytest.mark.skipif(not os.environ.get("TEIDEN_DATA"), reason="TEIDEN_DATA does not name the shared data folder")
@pytest.mark.parametrize("name", ["simbench_mvlv_urban", "simbench_mvlv_rural"])
def test_every_mv_line_of_simbench_loses_the_loads_that_were_counted_elsewhere(tmp_path, name):
    folder = Path(os.environ["TEIDEN_DATA"]) / "grids" / name
    with quiet_pandapower():
        pp.to_json(simbench_net(folder), str(tmp_path / "net.json"))
    grid = load_grid(str(tmp_path / "net.json"))
    load_place = grid.net.bus.index.get_indexer(grid.net.load.bus)
    with open(folder / "expected_single_line_outage.csv") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        line = int(row["line_id"])
        switches = grid.switch_index[grid.switch_line == grid.find_line(line)]
        lost = ~supplied(grid, switches.tolist(), {line})[load_place]
        assert lost.sum() == int(row["loads_lost"]), line
        assert 1000 * grid.net.load.p_mw.to_numpy()[lost].sum() == pytest.approx(float(row["kw_lost"]), abs=1e-3)
    assert len(rows) > 90
    assert (grid.substation_feeder < 0).sum() <= 1  # in the rural grid one load sits on the busbar itself
