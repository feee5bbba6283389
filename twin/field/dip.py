"""Voltages along the network while a short circuit lasts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from teiden.errors import InputError
from twin.field.coordinates import Floats
from twin.field.grid import Grid


@dataclass(frozen=True)
class DipModel:
    """A three-phase short circuit as a voltage divider.

    Attributes
    ----------
    upstream_mva : float
        Short-circuit power behind the HV/MV transformer.  # assumed; strong 110 kV network
    fault_ohm : float
        Resistance at the fault: the arc.  # assumed
    position : float
        Where on the line the fault lies, 0 (fed end) to 1.
    """

    upstream_mva: float = 3000.0
    fault_ohm: float = 0.3
    position: float = 0.5

    def __post_init__(self) -> None:
        """Check ranges."""
        for name, value, good in (
            ("upstream_mva", self.upstream_mva, self.upstream_mva > 0),
            ("fault_ohm", self.fault_ohm, self.fault_ohm >= 0),
            ("position", self.position, 0 <= self.position <= 1),
        ):
            if not good:
                raise InputError(f"dip: {name} = {value:g}, expected {'0 to 1' if name == 'position' else 'above 0'}")


def residual_voltage_pu(grid: Grid, line: int, model: DipModel) -> Floats:
    """Return the voltage left at each substation during a short circuit on a line.

    The voltage divider of M. Bollen, Understanding Power Quality Problems (IEEE Press 2000), section 4.2: a point
    whose way to the source leaves the fault's way at impedance z_k from the source keeps |z - z_k| / |z|, where z is
    the whole way including the fault's resistance. Load currents are neglected and the voltage before is nominal.
    Beyond the fault only the drop over its resistance is left. Substations on another source keep 1.

    Parameters
    ----------
    grid : Grid
    line : int
        Place of the line, energised in the normal state.
    model : DipModel

    Returns
    -------
    (S,) float
        Over nominal; 0 where there is no supply even before the fault.
    """
    top = grid.topology
    fault_node = top.first_node["line"] + line
    way = [fault_node]
    while grid.feeders.via_joint[way[-1]] >= 0:
        way.append(top.other_end(int(grid.feeders.via_joint[way[-1]]), way[-1]))
    way.reverse()
    level_kv = float(grid.net.bus.vn_kv.iloc[grid.line_from[line]])
    from_source_ohm = level_kv**2 / model.upstream_mva * 1j
    at_node_ohm = {}
    for node in way:
        share = model.position if node == fault_node else 1.0
        from_source_ohm += share * _series_ohm(grid, node, level_kv)
        at_node_ohm[node] = from_source_ohm
    total_ohm = from_source_ohm + model.fault_ohm
    node_pu = np.where(top.live_nodes(), 1.0, 0.0)
    for node in grid.feeders.feed_order.tolist():
        joint = int(grid.feeders.via_joint[node])
        if node in at_node_ohm:
            node_pu[node] = abs(total_ohm - at_node_ohm[node]) / abs(total_ohm) if total_ohm else 0.0
        elif joint >= 0:
            node_pu[node] = node_pu[top.other_end(joint, node)]
    return np.asarray(node_pu[grid.substation_bus])


def _series_ohm(grid: Grid, node: int, level_kv: float) -> complex:
    """Return a node's series impedance seen at `level_kv`; 0 for buses and for branches other than lines and trafos."""
    top = grid.topology
    line = node - top.first_node["line"]
    trafo = node - top.first_node["trafo"]
    if 0 <= line < len(grid.net.line):
        row = grid.net.line.iloc[line]
        ratio = level_kv / float(grid.net.bus.vn_kv.iloc[grid.line_from[line]])
        length_km = row.length_km / row.parallel
        return complex(row.r_ohm_per_km * length_km, row.x_ohm_per_km * length_km) * ratio**2
    if 0 <= trafo < len(grid.net.trafo):
        row = grid.net.trafo.iloc[trafo]
        base_ohm = level_kv**2 / (row.sn_mva * row.parallel)
        reactive_percent = np.sqrt(max(row.vk_percent**2 - row.vkr_percent**2, 0.0))
        return complex(row.vkr_percent, reactive_percent) / 100 * base_ohm
    return 0j
