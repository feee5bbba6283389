"""How much current the lines of a radial grid carry in a switching state."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import breadth_first_order

from twin.field.coordinates import Floats
from twin.field.grid import Grid


def line_loading(
    grid: Grid,
    open_switches: Iterable[int] = frozenset(),
    lines_out: Iterable[int] = frozenset(),
    closed_switches: Iterable[int] = frozenset(),
) -> Floats:
    """Return each line's current over its rating, from the loads beyond it.

    Sums of active and reactive load over the tree at nominal voltage; generation, losses and voltage drop are left
    out, so a heavily loaded feeder carries more than this says. In a closed ring the current is put on a shortest way.

    Parameters
    ----------
    grid : Grid
    open_switches, lines_out, closed_switches : iterable of int
        As for `supplied`.

    Returns
    -------
    (L,) float
        0 for dead lines, low-voltage lines included; 0 also for a line without a rating.
    """
    top = grid.topology
    active = top.active_nodes(lines_out)
    joints = top.closed_joints(open_switches, closed_switches)
    joints &= active[top.joint_bus] & active[top.joint_node]
    nodes = active.size
    sources = top.source_node[active[top.source_node]]
    ends = np.concatenate([top.joint_bus[joints], np.full(sources.size, nodes)])
    others = np.concatenate([top.joint_node[joints], sources])
    graph = coo_matrix((np.ones(ends.size, np.int8), (ends, others)), shape=(nodes + 1, nodes + 1)).tocsr()
    order, fed_from = breadth_first_order(graph, nodes, directed=False)
    beyond_mva = np.append(_load_mva(grid), 0)
    for node in order[:0:-1].tolist():
        beyond_mva[fed_from[node]] += beyond_mva[node]
    first = top.first_node["line"]
    fed = np.zeros(nodes + 1, bool)
    fed[order] = True
    here_mva = np.where(fed, np.abs(beyond_mva), 0.0)[first : first + grid.line_index.size]
    line = grid.net.line
    level_kv = grid.net.bus.vn_kv.to_numpy(float)[grid.line_from]
    rating_ka = line.max_i_ka.to_numpy(float) * line.parallel.to_numpy(float) * line.df.to_numpy(float)
    rated_mva = np.sqrt(3) * level_kv * np.where(rating_ka > 0, rating_ka, np.inf)
    return np.asarray(here_mva / rated_mva)


def _load_mva(grid: Grid) -> np.ndarray:
    """Return (V,) complex load at each node."""
    load = grid.net.load[grid.net.load.in_service.astype(bool)]
    mva = ((load.p_mw + 1j * load.q_mvar) * load.scaling).to_numpy(complex)
    total = np.zeros(grid.topology.node_in_service.size, complex)
    np.add.at(total, grid.net.bus.index.get_indexer(load.bus), mva)
    return total
