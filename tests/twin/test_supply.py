"""A fault's steps, against pandapower's connectivity for every line and against a network worked out by hand."""

import copy

import numpy as np
import pandapower as pp
import pandapower.topology
import pytest

from teiden.errors import InputError
from twin.field.dip import DipModel
from twin.field.grid import load_grid, quiet_pandapower
from twin.field.loading import line_loading
from twin.field.supply import FaultTimes, choose_line, fault_times, plan_line_fault

TIMES = fault_times(10.0, trip_s=0.2, isolate_s=60, tie_s=180, repair_s=3600)


@pytest.fixture(scope="module")
def oberrhein():
    return load_grid()


@pytest.fixture(scope="module")
def every_fault(oberrhein):
    return [plan_line_fault(oberrhein, int(line), TIMES) for line in oberrhein.line_index]


def pandapower_dark(net, step, buses):
    """Set a step's switches and lines in place, ask pandapower which of `buses` are unsupplied, put it back."""
    closed, in_service = net.switch.closed.copy(), net.line.in_service.copy()
    net.switch.loc[list(step.open_switches), "closed"] = False
    net.switch.loc[list(step.closed_switches), "closed"] = True
    net.line.loc[list(step.lines_out), "in_service"] = False
    try:
        return np.isin(buses, list(pandapower.topology.unsupplied_buses(net)))
    finally:
        net.switch["closed"], net.line["in_service"] = closed, in_service


def test_every_step_of_every_fault_is_as_dark_as_pandapower_says(oberrhein, every_fault):
    net = copy.deepcopy(oberrhein.net)
    buses = net.load.bus[oberrhein.substation_load].to_numpy()
    states = {}
    for timeline in every_fault:
        for step in timeline.steps:
            key = (step.open_switches, step.closed_switches, step.lines_out)
            if key not in states:
                states[key] = pandapower_dark(net, step, buses)
            assert np.array_equal(step.dark, states[key]), (timeline.line_name, step.kind)
    assert len(every_fault) == 181


def test_isolation_never_leaves_the_faulted_line_on_a_live_bus(oberrhein, every_fault):
    net = copy.deepcopy(oberrhein.net)
    for timeline in every_fault:
        ends = net.line.loc[timeline.line_index, ["from_bus", "to_bus"]].to_numpy()
        own = net.switch[(net.switch.et == "l") & (net.switch.element == timeline.line_index)]
        for step in timeline.steps[2:-1]:
            dark = pandapower_dark(net, step, ends)
            closed = own.index[own.closed].difference(list(step.open_switches)).union(list(step.closed_switches))
            fixed = ~np.isin(ends, own.bus)
            touching = fixed | np.isin(ends, own.bus.loc[own.index.intersection(closed)])
            assert not (touching & ~dark).any(), (timeline.line_name, step.kind)


def test_no_tie_joins_two_sources_or_closes_a_loop(oberrhein, every_fault):
    net = copy.deepcopy(oberrhein.net)
    for timeline in every_fault:
        for step in timeline.steps:
            if step.kind != "tie":
                continue
            net.switch["closed"] = oberrhein.net.switch.closed
            net.switch.loc[list(step.open_switches), "closed"] = False
            net.switch.loc[list(step.closed_switches), "closed"] = True
            net.line["in_service"] = True
            net.line.loc[list(step.lines_out), "in_service"] = False
            graph = pandapower.topology.create_nxgraph(net)
            parts = list(pandapower.topology.connected_components(graph))
            assert graph.number_of_edges() == graph.number_of_nodes() - len(parts)  # a forest
            assert all(len(part & set(net.ext_grid.bus)) <= 1 for part in parts)


def test_dark_only_shrinks_from_trip_to_repair_and_nobody_outside_the_feeder_is_hit(every_fault):
    for timeline in every_fault:
        fault, trip, *rest = timeline.steps
        assert not fault.dark.any()
        assert np.array_equal(trip.dark, timeline.feeder_substations)
        before = trip.dark
        for step in rest:
            assert not (step.dark & ~before).any()
            before = step.dark
        assert rest[-1].kind == "repair"
        assert not rest[-1].dark.any()
        assert np.array_equal(rest[0].dark, timeline.downstream)


def small_grid(tmp_path, change=lambda net, bus: None):
    """Feeders bar-A1-A2-A3 and bar-B1-B2 of 1 km lines with switches at both ends, an open tie B2-A3 at A3."""
    net = pp.create_empty_network()
    km = {"hv": (0, 1), "bar": (0, 0), "A1": (1, 0), "A2": (2, 0), "A3": (3, 0), "B1": (0, -1), "B2": (1, -1)}
    bus = {n: pp.create_bus(net, 110.0 if n == "hv" else 20.0, name=n, geodata=place) for n, place in km.items()}
    pp.create_ext_grid(net, bus["hv"])
    rating = {"sn_mva": 25, "vn_hv_kv": 110, "vn_lv_kv": 20, "vk_percent": 10}
    pp.create_transformer_from_parameters(net, bus["hv"], bus["bar"], **rating, vkr_percent=0, pfe_kw=0, i0_percent=0)
    for a, b in (("bar", "A1"), ("A1", "A2"), ("A2", "A3"), ("bar", "B1"), ("B1", "B2"), ("B2", "A3")):
        line = pp.create_line_from_parameters(
            net, bus[a], bus[b], 1.0, r_ohm_per_km=0.2, x_ohm_per_km=0.1, c_nf_per_km=0, max_i_ka=0.3, name=f"{a}-{b}"
        )
        pp.create_switch(net, bus[a], line, et="l")
        pp.create_switch(net, bus[b], line, et="l", closed=(a, b) != ("B2", "A3"))
    for name in ("A1", "A2", "A3", "B1", "B2"):
        pp.create_load(net, bus[name], p_mw=1.0, name=name)
    change(net, bus)
    pp.to_json(net, str(tmp_path / "small.json"))
    return load_grid(str(tmp_path / "small.json"))


def drop_tie(net, bus):
    net.line.drop(5, inplace=True)
    net.switch.drop([10, 11], inplace=True)


def dark_names(grid, step):
    return {grid.substation_name[i] for i in np.flatnonzero(step.dark)}


def test_a_fault_between_a1_and_a2_goes_as_worked_out_by_hand(tmp_path):
    grid = small_grid(tmp_path)
    timeline = plan_line_fault(grid, "A1-A2", TIMES)
    assert [step.kind for step in timeline.steps] == ["fault", "trip", "isolate", "tie", "repair"]
    assert [step.t_ns for step in timeline.steps] == [10 * 10**9, 10_200_000_000, 70 * 10**9, 190 * 10**9, 3610 * 10**9]
    beyond = {"A2", "A3"}
    assert [dark_names(grid, step) for step in timeline.steps] == [set(), {"A1", *beyond}, beyond, set(), set()]
    assert [step.open_switches for step in timeline.steps[1:4]] == [{0}, {2, 3}, {2, 3}]  # line i has 2 i and 2 i + 1
    assert timeline.steps[3].closed_switches == {11}


def test_a_switch_that_is_missing_widens_the_part_that_stays_dark(tmp_path):
    def drop_switch_at_a2(net, bus):
        net.switch.drop(4, inplace=True)  # line A2-A3 at A2: A2 now goes with that line

    grid = small_grid(tmp_path, drop_switch_at_a2)
    steps = plan_line_fault(grid, "A2-A3", TIMES).steps
    assert dark_names(grid, steps[2]) == {"A2", "A3"}
    assert dark_names(grid, steps[3]) == {"A2"}
    assert steps[2].open_switches == {3, 5}


def test_a_fault_on_the_first_line_keeps_its_breaker_open(tmp_path):
    grid = small_grid(tmp_path)
    steps = plan_line_fault(grid, "bar-A1", TIMES).steps
    assert steps[2].open_switches == {0, 1}
    assert dark_names(grid, steps[2]) == {"A1", "A2", "A3"}
    assert dark_names(grid, steps[3]) == set()


def test_without_a_tie_the_rest_stays_dark_until_the_repair(tmp_path):
    grid = small_grid(tmp_path, drop_tie)
    timeline = plan_line_fault(grid, "A1-A2", TIMES)
    assert [step.kind for step in timeline.steps] == ["fault", "trip", "isolate", "repair"]
    a2 = grid.substation_name.index("A2")
    outages = timeline.outages()
    assert outages.on_ns[outages.substation == a2].tolist() == [3610 * 10**9]


def test_a_breaker_between_two_busbar_sections_serves_a_line_without_a_switch(tmp_path):
    def move_breaker(net, bus):
        outlet = pp.create_bus(net, 20.0, name="outlet", geodata=(0, 0))
        net.switch.drop(0, inplace=True)
        net.line.loc[0, "from_bus"] = outlet
        pp.create_switch(net, bus["bar"], outlet, et="b", type="CB")

    grid = small_grid(tmp_path, move_breaker)
    assert grid.substation_feeder.tolist() == [1, 1, 1, 0, 0]  # in the order of their breakers
    steps = plan_line_fault(grid, "A1-A2", TIMES).steps
    assert steps[1].open_switches == {12}
    assert dark_names(grid, steps[1]) == {"A1", "A2", "A3"}


def test_a_tie_that_would_overload_a_line_stays_open(tmp_path):
    # 5 loads of 1 MW over one 20 kV line: 5 / (sqrt(3) 20) = 0.144 kA, 0.481 of 0.3 kA; before it carried 2 MW.
    grid = small_grid(tmp_path)
    lit = plan_line_fault(grid, "bar-A1", TIMES, max_loading=0.482).steps
    assert [step.kind for step in lit] == ["fault", "trip", "isolate", "tie", "repair"]
    dark = plan_line_fault(grid, "bar-A1", TIMES, max_loading=0.481).steps
    assert [step.kind for step in dark] == ["fault", "trip", "isolate", "repair"]


def test_line_loading_agrees_with_a_power_flow(oberrhein):
    net = copy.deepcopy(oberrhein.net)
    with quiet_pandapower():
        pp.runpp(net, numba=False)
    flow = net.res_line.loading_percent.to_numpy() / 100
    heavy = flow > 0.1
    # The flow adds losses, cable charging and a voltage a few per cent off nominal.
    assert line_loading(oberrhein)[heavy] == pytest.approx(flow[heavy], rel=0.08)


def test_what_the_ties_restore_holds_in_a_power_flow(oberrhein, every_fault):
    net = copy.deepcopy(oberrhein.net)
    seen = {}
    for timeline in every_fault:
        for step in timeline.steps:
            if step.kind == "tie":
                seen.setdefault((step.closed_switches, int(step.dark.sum()), int(timeline.downstream.sum())), step)
    for step in list(seen.values())[::8]:
        net.switch["closed"] = oberrhein.net.switch.closed
        net.switch.loc[list(step.open_switches), "closed"] = False
        net.switch.loc[list(step.closed_switches), "closed"] = True
        net.line["in_service"] = ~net.line.index.isin(list(step.lines_out))
        with quiet_pandapower():
            pp.runpp(net, numba=False)
        assert net.res_line.loading_percent.max() < 110  # 100 and what `line_loading` leaves out


def test_both_breakers_of_a_closed_ring_trip(tmp_path):
    grid = small_grid(tmp_path, lambda net, bus: net.switch.loc.__setitem__((11, "closed"), True))
    timeline = plan_line_fault(grid, "A1-A2", TIMES)
    assert timeline.steps[1].open_switches == {0, 6}
    assert dark_names(grid, timeline.steps[1]) == {"A1", "A2", "A3", "B1", "B2"}
    assert dark_names(grid, timeline.steps[2]) == set()


def test_the_dip_is_the_voltage_divider_worked_out_by_hand(tmp_path):
    grid = small_grid(tmp_path)
    steps = plan_line_fault(grid, "A1-A2", TIMES, dip=DipModel(upstream_mva=3000, fault_ohm=0.3, position=0.5)).steps
    # Source 20^2/3000 = 0.1333j, transformer 10 % of 20^2/25 = 1.6j, 1.5 km of 0.2+0.1j, arc 0.3: |0.6+1.8833j| ohm.
    whole = abs(0.6 + 1.8833333j)
    left = [abs(0.4 + 0.05j) / whole, 0.3 / whole, 0.3 / whole, abs(0.6 + 0.15j) / whole, abs(0.6 + 0.15j) / whole]
    assert grid.substation_name == ("A1", "A2", "A3", "B1", "B2")  # A2 and A3 beyond the fault, B1 and B2 on the busbar
    assert steps[0].residual_pu == pytest.approx(left, rel=1e-6)
    assert steps[1].residual_pu.tolist() == [0, 0, 0, 1, 1]


def test_the_dip_of_mv_oberrhein_is_deepest_beyond_the_fault_and_absent_on_the_other_source(oberrhein, every_fault):
    for timeline in every_fault:
        residual_pu = timeline.steps[0].residual_pu
        beyond = timeline.downstream
        feeder = timeline.feeder_substations
        if beyond.any() and (feeder & ~beyond).any():
            assert residual_pu[beyond].max() <= residual_pu[feeder & ~beyond].min() + 1e-12
        assert (residual_pu == 1.0).sum() in (57, 84)  # the other transformer's 57 or 84 of 141 stations
        assert (residual_pu > 0).all()


def test_outages_list_each_interruption_once_with_its_steps_times(oberrhein):
    timeline = plan_line_fault(oberrhein, "Line 15", TIMES)
    outages = timeline.outages()
    assert sorted(outages.substation.tolist()) == np.flatnonzero(timeline.feeder_substations).tolist()
    assert (outages.off_ns == 10_200_000_000).all()
    on_s, count = np.unique(outages.on_ns // 10**9, return_counts=True)
    assert dict(zip(on_s.tolist(), count.tolist(), strict=True)) == {70: 29, 190: 24, 3610: 1}
    for s, off_ns, on_ns in zip(outages.substation, outages.off_ns, outages.on_ns, strict=True):
        assert not timeline.dark_at(off_ns - 1)[s]
        assert timeline.dark_at(off_ns)[s]
        assert timeline.dark_at(on_ns - 1)[s]
        assert not timeline.dark_at(on_ns)[s]


def test_what_is_not_repaired_has_no_return():
    grid = load_grid()
    outages = plan_line_fault(grid, "Line 15", fault_times(0.0)).outages()
    assert (outages.on_ns == -1).sum() == 1


def test_auto_follows_the_seed_and_makes_a_full_story(oberrhein):
    chosen = [choose_line(oberrhein, seed) for seed in range(20)]
    assert chosen == [choose_line(oberrhein, seed) for seed in range(20)]
    assert len(set(chosen)) > 5
    for place in chosen:
        timeline = plan_line_fault(oberrhein, int(oberrhein.line_index[place]), TIMES)
        assert [step.kind for step in timeline.steps] == ["fault", "trip", "isolate", "tie", "repair"]
        assert 0 < timeline.downstream.sum() < timeline.feeder_substations.sum()
        assert timeline.steps[3].dark.sum() < timeline.downstream.sum()
    assert plan_line_fault(oberrhein, "auto", TIMES, seed=3).line_name == oberrhein.line_name[chosen[3]]


def test_bad_faults_are_refused_with_a_remedy(tmp_path, oberrhein):
    with pytest.raises(InputError, match="no line 'Line 999', expected"):
        plan_line_fault(oberrhein, "Line 999", TIMES)
    with pytest.raises(InputError, match=r"isolate_ns = 5, expected above trip_ns = 7"):
        FaultTimes(1, 7, 5)
    with pytest.raises(InputError, match="tie_ns = 70000000000, expected above isolate_ns"):
        fault_times(10, isolate_s=60, tie_s=60)
    with pytest.raises(InputError, match="fault_ns = -1000000000, expected 0 or above"):
        fault_times(-1)
    with pytest.raises(InputError, match="position = 2, expected 0 to 1"):
        DipModel(position=2)
    out = small_grid(tmp_path, lambda net, bus: net.line.loc.__setitem__((1, "in_service"), False))
    with pytest.raises(InputError, match=r"'A1-A2' \(index 1\) is out of service"):
        plan_line_fault(out, 1, TIMES)
    with pytest.raises(InputError, match=r"'A2-A3' \(index 2\) is dead in the normal state"):
        plan_line_fault(out, 2, TIMES)
    bare = small_grid(tmp_path, lambda net, bus: net.switch.drop([0, 1], inplace=True))
    with pytest.raises(InputError, match="no feeder breaker that clears"):
        plan_line_fault(bare, "bar-A1", TIMES)
    no_ties = small_grid(tmp_path, drop_tie)
    with pytest.raises(InputError, match=r'name a line instead of "auto"'):
        plan_line_fault(no_ties, "auto", TIMES)
