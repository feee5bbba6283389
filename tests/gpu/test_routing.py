"""Trees: least total ETX as scipy finds it, ties by id, given trees, dead relays."""

import math

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

import gpu


def plan(count, seed, per_km2=1500):
    draw = np.random.default_rng(seed)
    side = math.sqrt(count / per_km2) * 1000
    return draw.uniform(0, side, (count, 2)), draw.choice(count, 4, replace=False), draw


def all_links(mesh):
    """Return the dense (child, parent) cost of every usable link, 0 for none."""
    ids = np.arange(mesh.size)
    a, b = np.meshgrid(ids, ids, indexing="ij")
    cost = mesh.link_etx(a.ravel(), b.ravel()).reshape(mesh.size, mesh.size)
    np.fill_diagonal(cost, 0)
    return cost


@pytest.mark.parametrize("margin_db", [10.0, 1.0])
@pytest.mark.parametrize("seed", [1, 2])
def test_costs_equal_scipys_dijkstra_and_ties_go_to_the_lowest_id(seed, margin_db):
    xy, sinks, draw = plan(400, seed)
    radio = gpu.profile("fsk-100k-920", route_margin_db=margin_db, tx_power_dbm=3)
    mesh = gpu.Mesh.build(xy, sinks, radio, seed, extra_loss_db=draw.uniform(0, 15, 400))
    links = all_links(mesh)
    # from the sinks outward: the edge sink -> child costs what child -> sink does
    expected = dijkstra(csr_matrix(links.T.astype(float)), indices=sinks, min_only=True)
    got = np.where(mesh.etx < 0, np.inf, mesh.etx.astype(float))
    assert (got == expected).all()
    assert (mesh.etx >= 0).sum() > 1
    for child in np.flatnonzero(mesh.etx > 0):
        usable = np.flatnonzero((links[child] > 0) & (mesh.etx >= 0))
        best = usable[mesh.etx[usable] + links[child, usable] == mesh.etx[child]]
        assert mesh.parents[child] == best.min()
        assert mesh.hops[child] == mesh.hops[mesh.parents[child]] + 1
        assert mesh.sink_of[child] == mesh.sink_of[mesh.parents[child]]


def test_link_cost_is_the_expected_number_of_transmissions():
    """1 / (P[data] P[ACK]) from the error curve, times 128."""
    radio = gpu.profile("fsk-100k-920", route_margin_db=-10.0)
    snr_db = np.array([10.0, 11.5, 12.0, 13.0, 20.0])
    loss = radio.tx_power_dbm - radio.noise_dbm - snr_db
    ids = np.arange(1, 6)
    links = (np.r_[ids, np.zeros(5, int)], np.r_[np.zeros(5, int), ids], np.r_[loss, loss])
    mesh = gpu.Mesh.build(np.zeros((6, 2)), [0], radio, 1, links=links)
    bit = 1 - 0.5 * np.exp(-(10 ** (snr_db / 10)) / 2)
    success = bit ** (8 * (16 + 150)) * bit ** (8 * (16 + 56))
    usable = 128 / success <= radio.max_link_etx
    assert usable.tolist() == [False, True, True, True, True]
    # levels are kept to 0.01 dB, which is 1 to 2 % of the exponent here
    assert mesh.etx[1:][usable] == pytest.approx(128 / success[usable], rel=0.03, abs=1)
    assert mesh.etx[1] == -1


def test_table_links_need_both_directions():
    links = ([1, 0, 2, 3, 1], [0, 1, 0, 1, 3], [50.0] * 5)  # 0 never reaches 2
    mesh = gpu.Mesh.build(np.zeros((4, 2)), [0], gpu.profile("oqpsk-250k-2450"), 1, links=links)
    assert mesh.parents.tolist() == [-1, 0, -1, 1]
    assert mesh.hops.tolist() == [0, 1, -1, 2]
    assert mesh.sink_of.tolist() == [0, 0, -1, 0]
    assert mesh.etx.tolist() == [0, 128, -1, 256]


def test_a_given_tree_is_taken_as_it_is():
    xy, _, _ = plan(50, 3)
    parents = np.r_[-1, np.zeros(9, int), np.arange(1, 41) % 10]
    mesh = gpu.Mesh.build(xy, [0], gpu.profile("fsk-100k-920"), 1, parents=parents)
    assert (mesh.parents == parents).all()
    assert mesh.hops[1:10].tolist() == [1] * 9
    assert set(mesh.hops[10:].tolist()) <= {1, 2}


def test_rerouting_leaves_out_the_dead_and_serves_their_children():
    xy, sinks, _ = plan(300, 4)
    radio = gpu.profile("fsk-100k-920", tx_power_dbm=0)
    mesh = gpu.Mesh.build(xy, sinks, radio, 4)
    relays = np.unique(mesh.parents[mesh.hops >= 2])
    alive = np.ones(300, bool)
    alive[relays] = False
    mesh.reroute(alive, [True, True, True, False])
    assert not np.isin(mesh.parents, relays).any()
    assert not np.isin(mesh.sink_of[alive & (mesh.hops > 0)], sinks[3]).any()
    routed = np.flatnonzero(mesh.parents >= 0)
    links = all_links(mesh)
    usable = alive.copy()
    usable[sinks[3]] = False
    links[~usable] = 0
    links[:, ~usable] = 0
    expected = dijkstra(csr_matrix(links.T.astype(float)), indices=sinks[:3], min_only=True)
    assert (mesh.etx[routed] == expected[routed]).all()


@pytest.mark.parametrize("shape", ["line", "far", "one place"])
def test_grid_search_finds_every_link_in_odd_layouts(shape):
    draw = np.random.default_rng(1)
    xy = {
        "line": np.column_stack([np.arange(200) * 40.0, np.zeros(200)]),
        "far": np.r_[draw.uniform(0, 200, (50, 2)), draw.uniform(0, 200, (50, 2)) + 900_000],
        "one place": np.zeros((60, 2)),
    }[shape]
    mesh = gpu.Mesh.build(xy, [0], gpu.profile("fsk-100k-920"), 2)
    expected = dijkstra(csr_matrix(all_links(mesh).T.astype(float)), indices=[0], min_only=True)
    assert (np.where(mesh.etx < 0, np.inf, mesh.etx) == expected).all()
