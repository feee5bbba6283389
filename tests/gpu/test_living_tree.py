"""Trees that live: parents lost and found, orphans, discovery, authentication; never a loop."""

import numpy as np
import pytest

import gpu
from teiden.errors import InputError

MS, S = 1_000_000, 1_000_000_000
PERFECT_DB = 40.0
QUICK = {  # timers of a network in which much happens in little time
    "discovery_min_us": 2_000_000, "discovery_max_us": 16_000_000, "version_interval_us": 20_000_000,
    "neighbour_timeout_us": 90_000_000, "refresh_us": 60_000_000, "pan_timeout_us": 120_000_000,
    "auth_first_us": 4_000_000, "auth_retry_min_us": 2_000_000, "auth_retry_max_us": 4_000_000,
    "auth_total_us": 20_000_000, "auth_limit": 3,
}  # fmt: skip


def wired(pairs, count, sinks=(0,), seed=1, formed=True, loss=PERFECT_DB, **overrides):
    """Return a living mesh over given pairs, both ways."""
    a, b = np.array(pairs).T
    links = (np.r_[a, b], np.r_[b, a], np.full(2 * len(a), loss))
    radio = gpu.profile("fsk-100k-920", tree="living", **overrides)
    return gpu.Mesh.build(np.zeros((count, 2)), sinks, radio, seed, links=links, formed=formed)


def states(mesh):
    return [gpu.STATES[code] for code in mesh.network()["state"]]


def storm(form="cells", count=220, seed=2, channels=1, **overrides):
    """Return a mesh whose nodes die and come back all the time, with readings on their way."""
    draw = np.random.default_rng(seed)
    xy = draw.uniform(0, 480, (count, 2))
    radio = gpu.profile("fsk-100k-920", tree="living", channels=channels, **(QUICK | overrides))
    mesh = gpu.Mesh.build(xy, [0, 1], radio, seed, form=form, backed=[0])
    for k in range(6):
        dark = draw.choice(np.arange(1, count), count // 3, replace=False)
        at = (5 + 18 * k) * S
        mesh.power_off(dark, at, draw.integers(10**7, 2 * 10**9, dark.size))
        mesh.power_on(dark, at + draw.integers(1 * S, 60 * S, dark.size))
    src = draw.integers(2, count, 900)
    mesh.inject(draw.integers(0, 150 * S, src.size), src, -1, 60, max_offers=4, reoffer_min_ns=S, reoffer_max_ns=9 * S)
    return mesh


def has_loop(parents):
    """Return whether some node's way up never ends."""
    up = np.append(np.where(parents < 0, parents.size, parents), parents.size)
    for _ in range(parents.size.bit_length()):
        up = up[up]
    return bool((up != parents.size).any())


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_there_is_never_a_loop(seed):
    mesh = storm(seed=seed)
    for second in range(1, 200):
        mesh.run_until(second * S)
        assert not has_loop(mesh.parents), second
        counts = mesh.counters()
        assert counts["injected"] == counts["resolved"] + counts["alive"]
    assert counts["deaths"] > 50
    assert counts["parent_switches"] > 20
    assert counts["orphaned"] > 20
    assert counts["joined"] > 100
    assert counts["delivered"] > 300
    mesh.run_until(400 * S)  # long after the last return: everybody who can is in
    net = mesh.network()
    reachable = gpu.Mesh.build(np.column_stack([mesh._plane["x_mm"], mesh._plane["y_mm"]]) / 1000, [0, 1],
                               gpu.profile("fsk-100k-920"), seed).hops >= 0  # fmt: skip
    # a node at the edge may be between two PANs, or on its way in once more
    assert (net["state"][reachable] == gpu.STATES.index("joined")).mean() > 0.97


@pytest.mark.parametrize("channels", [1, 5])
def test_forms_windows_saves_and_loads_give_one_result(tmp_path, channels):
    whole = storm("plain", channels=channels)
    whole.run_until(90 * S)
    mesh = storm(channels=channels)
    for k, t_ns in enumerate(np.sort(np.random.default_rng(7).integers(0, 90 * S, 40))):
        mesh.run_until(int(t_ns))
        if k % 4 == 0:
            mesh.save(tmp_path / "mesh")
            mesh = gpu.Mesh.load(tmp_path / "mesh")
    mesh.run_until(90 * S)
    assert mesh.digest() == whole.digest()
    assert (mesh.network() == whole.network()).all()
    assert mesh.counters() == whole.counters()
    assert whole.counters()["joined"] > 20


@pytest.mark.parametrize("seed", range(5))
def test_a_node_that_returns_joins_when_it_selects_for_the_second_time(seed):
    """It solicits in [30, 60) s, its neighbour's interval is reset and it advertises 30 to 60 s later: before the
    second selection, 60 s after the first interval of 60 s."""
    mesh = wired([(0, 1)], 2, seed=seed, version_interval_us=10**11, pan_timeout_us=10**12)
    mesh.power_off(1, 1 * S, 0)
    back_ns = 5000 * S + 123 * MS
    mesh.power_on(1, back_ns)
    mesh.run_until(back_ns + 1)
    mesh.drain()
    mesh.run_until(back_ns + 400 * S)
    log = mesh.drain().memberships
    joined = log[log["state"] == gpu.STATES.index("joined")]
    assert joined["node"].tolist() == [1]
    # at the first if the neighbour's own long interval (960 s) happened to advertise before
    assert int(joined["t_ns"][0]) - back_ns in (60 * S, 120 * S)
    assert mesh.parents.tolist() == [-1, 0]


def test_a_dead_parent_is_left_after_the_failures_allowed():
    """3 reaches the sink over 1 or 2."""
    mesh = wired([(1, 0), (2, 0), (3, 1), (3, 2)], 4)
    first = int(mesh.parents[3])
    other = 3 - first
    mesh.power_off(first, 1 * S, 0)
    frames = mesh.inject(np.arange(2, 8) * S, 3, -1, 100)
    mesh.run_until(20 * S)
    outcomes = [gpu.OUTCOMES[code] for code in mesh.frames(frames)["outcome"]]
    assert outcomes == ["no_ack"] * mesh.radio.parent_failures + ["acked"] * 3
    assert mesh.parents[3] == other
    assert (mesh.counters()["parent_switches"], mesh.counters()["orphaned"]) == (1, 0)


def test_of_two_ways_of_the_same_cost_the_first_stays():
    mesh = wired([(1, 0), (2, 0), (3, 1), (3, 2)], 4)
    before = mesh.parents.copy()
    mesh.inject(np.arange(2, 500) * S, 3, -1, 100)
    mesh.run_until(4000 * S)
    assert (mesh.parents == before).all()
    assert mesh.counters()["parent_switches"] == 0


def test_a_lost_relay_orphans_its_child_and_takes_it_back():
    mesh = wired([(1, 0), (2, 1)], 3, version_interval_us=10**11, pan_timeout_us=10**12, trickle_redundancy=9)
    mesh.power_off(1, 1 * S, 0)
    mesh.inject(np.arange(2, 6) * S, 2, -1, 100)
    mesh.run_until(10 * S)
    assert states(mesh) == ["joined", "off", "searching"]
    assert mesh.counters()["orphaned"] == 1
    assert [gpu.OUTCOMES[code] for code in mesh.frames()["outcome"]] == ["no_ack"] * 3 + ["no_route"]
    mesh.power_on(1, 2000 * S)
    mesh.run_until(3000 * S)
    assert states(mesh) == ["joined"] * 3
    log = mesh.drain().memberships
    relay, child = (log[(log["node"] == node) & (log["state"] == gpu.STATES.index("joined"))] for node in (1, 2))
    assert 60 * S <= relay["t_ns"][-1] - 2000 * S <= 120 * S
    # the relay's trickle starts anew as it joins: it advertises 30 to 60 s later (CSMA and airtime: below 50 ms)
    assert 30 * S <= child["t_ns"][-1] - relay["t_ns"][-1] < 60 * S + 50 * MS
    assert mesh.hops.tolist() == [0, 1, 2]


def test_a_network_forms_by_itself_and_everybody_is_authenticated_once():
    count = 40
    pairs = [(k, k // 3) for k in range(1, count)]
    mesh = wired(pairs, count, formed=False, **(QUICK | {"auth_limit": 20}))
    assert states(mesh)[1:] == ["searching"] * (count - 1)
    mesh.run_until(600 * S)
    net = mesh.network()
    assert (net["state"] == gpu.STATES.index("joined")).all()
    assert (net["pan"] == 0).all()
    assert (net["key_pan"][1:] == 0).all()
    assert mesh.parents[1:].tolist() == [parent for _, parent in pairs]
    counts = mesh.counters()
    assert counts["joined"] >= count - 1
    assert counts["auth_requests"] >= 3 * (count - 1)  # three exchanges each, and repetitions
    log = mesh.drain().memberships
    joined = log[log["state"] == gpu.STATES.index("joined")]
    # no sooner than: an interval of 2 s, and 2 s before the first request, a hop
    depth = np.array([mesh.hops[node] for node in joined["node"]])
    assert (joined["t_ns"] >= depth * 4 * S).all()


def test_a_sink_turns_away_what_exceeds_its_slots():
    count = 12
    quick = QUICK | {"auth_limit": 2, "auth_first_us": 1_000_000, "auth_exchanges": 20}
    mesh = wired([(k, 0) for k in range(1, count)], count, formed=False, **quick)
    mesh.run_until(300 * S)
    assert mesh.counters()["auth_refused"] > 0
    assert states(mesh) == ["joined"] * count


def test_without_its_sink_a_network_moves_to_the_other_pan():
    """0 and 4 are sinks at the ends of a chain; 0 dies for good."""
    mesh = wired([(1, 0), (2, 1), (3, 2), (3, 4)], 5, sinks=[0, 4], **QUICK)
    assert mesh.network()["pan"].tolist() == [0, 0, 0, 4, 4] or mesh.network()["pan"].tolist() == [0, 0, 4, 4, 4]
    mesh.power_off(0, 1 * S, 0)
    mesh.run_until(900 * S)
    net = mesh.network()
    assert net["pan"].tolist() == [-1, 4, 4, 4, 4]
    assert mesh.hops[1:].tolist() == [3, 2, 1, 0]
    assert mesh.counters()["auth_requests"] > 0  # another PAN, other keys


def test_a_quiet_network_stays_as_it_is():
    """No traffic, no deaths: versions spread, parents are asked for an ACK in time, nobody is orphaned."""
    draw = np.random.default_rng(5)
    radio = gpu.profile("fsk-100k-920", tree="living", **QUICK)
    mesh = gpu.Mesh.build(draw.uniform(0, 400, (150, 2)), [0], radio, 5)
    mesh.run_until(1200 * S)
    counts = mesh.counters()
    # a parent may be lost to three collisions in a row
    assert counts["orphaned"] <= 3
    net = mesh.network()
    joined = net["state"] == gpu.STATES.index("joined")
    assert joined.sum() == (mesh.hops >= 0).sum()
    lag = net["version"][0] - net["version"][joined]
    assert lag.max() <= 2  # versions are 20 s long; a hop takes a few seconds
    assert lag.min() >= 0


@pytest.mark.parametrize(
    ("build", "message"),
    [
        ({"parents": [-1, 0]}, "its nodes choose their parents"),
        ({"route": False}, "its nodes choose their parents"),
    ],
)
def test_a_given_tree_cannot_live(build, message):
    radio = gpu.profile("fsk-100k-920", tree="living")
    with pytest.raises(InputError, match=message):
        gpu.Mesh.build(np.zeros((2, 2)), [0], radio, 1, **build)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tree": "growing"}, "tree = 'growing', expected one of static, living"),
        ({"ack": False}, "expected ack = true"),
        ({"discovery_max_us": 10**6}, "discovery_max_us = 1000000, expected at least discovery_min_us = 60000000"),
        ({"network": "huge"}, "network = 'huge', expected one of small, medium, large, xlarge"),
        ({"keys_kept": 1}, "keys_kept = 1, expected true or false"),
    ],
)
def test_what_a_living_tree_cannot_use_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        gpu.profile("fsk-100k-920", **({"tree": "living"} | changes))


def test_sizes_bring_the_stacks_timers():
    large = gpu.profile("fsk-100k-920", network="large", auth_limit=30)
    timers_s = [getattr(large, key) / 1e6 for key in ("discovery_min_us", "discovery_max_us", "pan_timeout_us")]
    assert timers_s == [120, 1536, 5400]
    assert large.auth_limit == 30  # what is given goes before the size


def test_a_static_tree_does_not_form():
    with pytest.raises(InputError, match="a static tree is there at once"):
        gpu.Mesh.build(np.zeros((2, 2)), [0], gpu.profile("fsk-100k-920"), 1, formed=False)


def test_a_static_mesh_has_no_network_to_show_and_a_living_one_no_reroute():
    static = gpu.Mesh.build(np.zeros((2, 2)), [0], gpu.profile("fsk-100k-920"), 1)
    with pytest.raises(InputError, match="living"):
        static.network()
    with pytest.raises(InputError, match="mends itself"):
        wired([(1, 0)], 2).reroute([True, True])
