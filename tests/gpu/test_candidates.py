"""Candidate parents: the best by cost of the whole way, nearer to a sink than the node itself."""

import math

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

import gpu
from teiden.errors import InputError


def field(count, seed, per_km2=1500, **options):
    draw = np.random.default_rng(seed)
    xy = draw.uniform(0, math.sqrt(count / per_km2) * 1000, (count, 2))
    sinks = draw.choice(count, 4, replace=False)
    loss = draw.uniform(0, 15, count)
    return gpu.Mesh.build(xy, sinks, gpu.profile("fsk-100k-920", **options), seed, extra_loss_db=loss), sinks


def table(count, seed):
    """Return a mesh on a random table of links, a third of them in one direction only."""
    draw = np.random.default_rng(seed)
    pairs = np.array([(a, b) for a in range(count) for b in range(count) if a != b])
    chosen = pairs[draw.uniform(size=len(pairs)) < 0.1]
    both = np.unique(np.r_[chosen, chosen[::2, ::-1], chosen[1::3, ::-1]], axis=0)
    radio = gpu.profile("fsk-100k-920", route_margin_db=0)
    loss = draw.uniform(100, radio.tx_power_dbm - radio.sensitivity_dbm, len(both))
    return gpu.Mesh.build(np.zeros((count, 2)), [0, 1], radio, seed, links=(*both.T, loss)), [0, 1]


def brute_force(mesh, sinks, count):
    """Return candidates by looking at every pair, with scipy's costs of the ways."""
    ids = np.arange(mesh.size)
    link = mesh.link_etx(*(grid.ravel() for grid in np.meshgrid(ids, ids, indexing="ij"))).reshape(mesh.size, -1)
    np.fill_diagonal(link, 0)
    way = dijkstra(csr_matrix(link.T.astype(float)), indices=sinks, min_only=True)
    parents, costs = np.full((mesh.size, count), -1), np.full((mesh.size, count), -1)
    for node in np.flatnonzero(np.isfinite(way)):
        good = np.flatnonzero((link[node] > 0) & (way < way[node]))
        best = good[np.lexsort((good, way[good] + link[node, good]))][:count]
        parents[node, : best.size] = best
        costs[node, : best.size] = way[best] + link[node, best]
    return parents, costs


@pytest.mark.parametrize("count", [1, 3, 8])
@pytest.mark.parametrize(
    "made",
    [lambda: field(500, 1), lambda: field(400, 2, 8000, route_margin_db=1.0, tx_power_dbm=3), lambda: table(60, 3)],
    ids=["sparse", "dense", "table"],
)
def test_candidates_are_those_of_a_look_at_every_pair(made, count):
    mesh, sinks = made()
    expected = brute_force(mesh, sinks, count)
    parents, costs = mesh.candidates(count)
    assert (parents == expected[0]).all()
    assert (costs == expected[1]).all()
    assert (parents[:, 0] == mesh.parents).all()
    assert count == 1 or (parents[:, 1] >= 0).any()


def test_dead_nodes_are_no_candidates_after_a_reroute():
    mesh, _ = field(300, 5)
    alive = np.ones(300, bool)
    alive[np.unique(mesh.parents[mesh.hops >= 2])] = False
    mesh.reroute(alive)
    parents, _ = mesh.candidates(5)
    assert not np.isin(parents[parents >= 0], np.flatnonzero(~alive)).any()
    assert (parents[~alive] == -1).all()


def test_a_wrong_count_is_refused():
    mesh, _ = field(10, 1)
    with pytest.raises(InputError, match="candidates: count = 0, expected 1 to 64"):
        mesh.candidates(0)


def test_the_first_candidate_is_the_parent_where_threads_share_the_work():
    mesh, _ = field(12_000, 6)
    parents, costs = mesh.candidates(4)
    assert (parents[:, 0] == mesh.parents).all()
    assert (costs[:, 0] == np.where(mesh.parents >= 0, mesh.etx, -1)).all()
    more = parents[:, 1:] >= 0
    assert (costs[:, 1:] >= costs[:, :-1])[more].all()
    assert (mesh.etx[parents[:, 1:]] < mesh.etx[:, None])[more].all()
