"""Voltages along the medium-voltage feeders: LinDistFlow, for many moments at once.

Baran and Wu, "Network reconfiguration in distribution systems for loss reduction and load balancing", IEEE Trans. Power
Delivery 4(2), 1989, without the loss terms: along a line from i to j, u_j = u_i - 2 (r P + x Q), u the square of the
voltage and P, Q what flows into everything beyond. Sums run in the order of the tree, so a result does not depend on
how many moments are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin.field.coordinates import Floats
from twin.field.grid import STATION_TYPE, Grid
from twin.field.topology import Ints


@dataclass(frozen=True, eq=False)
class RadialFeeder:
    """The tree that feeds the substations in the normal state; V nodes (buses and branches), S substations.

    Attributes
    ----------
    order : (R,) int
        Live nodes, each after the one that feeds it.
    fed_from : (V,) int
        The node before, -1 at sources and dead nodes.
    r_ohm, x_ohm : (V,) float
        Series impedance met in passing from the node before through this one; only at lines.
    level_kv : (V,) float
        Nominal voltage, NaN at branches.
    fixed_mw, fixed_mvar : (V,) float
        Loads that belong to no substation.
    substation_bus : (S,) int
    """

    order: Ints
    fed_from: Ints
    r_ohm: Floats
    x_ohm: Floats
    level_kv: Floats
    fixed_mw: Floats
    fixed_mvar: Floats
    substation_bus: Ints

    def voltage_pu(self, p_mw: Floats, q_mvar: Floats, source_pu: float = 1.0) -> Floats:
        """Return the voltages at the substations.

        Transformers are ideal (a tap changer holds the busbar), capacitance and the network's own generators are left
        out.

        Parameters
        ----------
        p_mw, q_mvar : (S, T) float
            What the substations draw; negative feeds in.
        source_pu : float
            Voltage at the sources over nominal.

        Returns
        -------
        (S, T) float
            Over nominal; NaN at substations without supply.
        """
        steps = p_mw.shape[1]
        beyond_mw = np.repeat(self.fixed_mw[:, None], steps, axis=1)
        beyond_mvar = np.repeat(self.fixed_mvar[:, None], steps, axis=1)
        np.add.at(beyond_mw, self.substation_bus, p_mw)
        np.add.at(beyond_mvar, self.substation_bus, q_mvar)
        for node in self.order[::-1].tolist():
            before = self.fed_from[node]
            if before >= 0:
                beyond_mw[before] += beyond_mw[node]
                beyond_mvar[before] += beyond_mvar[node]
        square_pu = np.full(beyond_mw.shape, np.nan)
        level_kv = self.level_kv.copy()
        for node in self.order.tolist():
            before = self.fed_from[node]
            if before < 0:
                square_pu[node] = source_pu**2
                continue
            if np.isnan(level_kv[node]):
                level_kv[node] = level_kv[before]
            drop = self.r_ohm[node] * beyond_mw[node] + self.x_ohm[node] * beyond_mvar[node]
            square_pu[node] = square_pu[before] - 2 * drop / level_kv[node] ** 2
        return np.asarray(np.sqrt(np.maximum(square_pu[self.substation_bus], 0.0)))


def build_feeder(grid: Grid) -> RadialFeeder:
    """Return the feeding tree of a grid in its normal state, with the impedances of its lines."""
    top, net = grid.topology, grid.net
    nodes = top.node_in_service.size
    fed_from = np.full(nodes, -1, np.int64)
    for node in grid.feeders.feed_order.tolist():
        joint = int(grid.feeders.via_joint[node])
        if joint >= 0:
            fed_from[node] = top.other_end(joint, node)
    lines = slice(top.first_node["line"], top.first_node["line"] + len(net.line))
    r_ohm, x_ohm, level_kv = np.zeros(nodes), np.zeros(nodes), np.full(nodes, np.nan)
    per_ohm = (net.line.length_km / net.line.parallel).to_numpy(float)
    r_ohm[lines] = net.line.r_ohm_per_km.to_numpy(float) * per_ohm
    x_ohm[lines] = net.line.x_ohm_per_km.to_numpy(float) * per_ohm
    level_kv[: top.bus_count] = net.bus.vn_kv.to_numpy(float)
    fixed = _fixed_mva(grid)
    return RadialFeeder(
        order=grid.feeders.feed_order,
        fed_from=fed_from,
        r_ohm=r_ohm,
        x_ohm=x_ohm,
        level_kv=level_kv,
        fixed_mw=fixed.real.copy(),
        fixed_mvar=fixed.imag.copy(),
        substation_bus=grid.substation_bus,
    )


def _fixed_mva(grid: Grid) -> np.ndarray:
    """Return (V,) the complex load at each node that belongs to no substation; none where each load is one."""
    load = grid.net.load[grid.net.load.in_service.astype(bool)]
    total = np.zeros(grid.topology.node_in_service.size, complex)
    if (load.type == STATION_TYPE).any():
        other = load[load.type != STATION_TYPE]
        mva = ((other.p_mw + 1j * other.q_mvar) * other.scaling).to_numpy(complex)
        np.add.at(total, grid.net.bus.index.get_indexer(other.bus), mva)
    return total
