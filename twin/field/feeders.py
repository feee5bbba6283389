"""Which line leaves which busbar behind which breaker, and what hangs on it in the normal state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from twin.field.topology import Bools, Ints, Topology

LOW_VOLTAGE_KV = 1.0  # IEC 60038 table 1, 2009; Japan's 低圧 ends at 600 V AC and no network level lies between


@dataclass(frozen=True)
class Feeders:
    """The feeders of a grid; F feeders, K breakers (one per feeder in a radial grid), V nodes.

    Attributes
    ----------
    node_feeder : (V,) int
        Feeder of each topology node in the normal state; -1 outside (high voltage, busbars, dead parts).
    breaker : (K,) int
        Switch index of each feeder breaker.
    breaker_feeder : (K,) int
        The feeder behind it.
    breaker_head_line : (K,) int
        Place in the line table of the line it leads to.
    breaker_busbar : (K,) int
        Bus node the head line leaves from.
    via_joint : (V,) int
        The joint each node is fed through in the normal state, -1 at sources and dead nodes.
    feed_order : (R,) int
        Live nodes, each after the one that feeds it.
    """

    node_feeder: Ints
    breaker: Ints
    breaker_feeder: Ints
    breaker_head_line: Ints
    breaker_busbar: Ints
    via_joint: Ints
    feed_order: Ints


def find_feeders(net: Any, topology: Topology) -> Feeders:
    """Return the feeders: the parts that one breaker at a busbar takes off the network.

    A head line is a line on the medium-voltage busbar of a transformer fed from above (or on the source's own bus,
    where the network has no such transformer). Its breaker is the first switch met on the way from the line to the
    source: the line's own switch at the busbar end where it has one.
    """
    via, order = topology.feeding_joints()
    busbar = _busbar_buses(net, topology)
    found: list[tuple[int, int, int, int]] = []  # breaker joint, switch, head line, busbar
    closed = topology.closed_joints()
    for joint in np.flatnonzero(closed & busbar[topology.joint_bus]).tolist():
        line = int(topology.joint_node[joint]) - topology.first_node["line"]
        if not 0 <= line < len(net.line) or not topology.node_in_service[topology.joint_node[joint]]:
            continue
        if _both_ends_on(busbar, topology, topology.first_node["line"] + line):
            continue
        bus = int(topology.joint_bus[joint])
        at = joint if topology.joint_has_switch[joint] else _first_switched_joint(topology, via, bus)
        if at >= 0:
            found.append((at, topology.switches_on(at)[0], line, bus))
    joints_cut = closed.copy()
    joints_cut[[at for at, *_ in found]] = False
    labels = topology.islands(joints_cut, topology.node_in_service)
    zone_of = [int(labels[topology.first_node["line"] + line]) for _, _, line, _ in found]
    by_switch = {(switch, zone): (line, bus) for (_, switch, line, bus), zone in zip(found, zone_of, strict=True)}
    rows = sorted(by_switch.items())
    feeder_of_zone: dict[int, int] = {}
    for (_, zone), _ in rows:
        feeder_of_zone.setdefault(zone, len(feeder_of_zone))
    feeder_of_label = np.full(topology.node_in_service.size, -1, np.int64)
    feeder_of_label[list(feeder_of_zone)] = list(feeder_of_zone.values())
    return Feeders(
        node_feeder=feeder_of_label[labels],
        breaker=np.array([switch for (switch, _), _ in rows], np.int64),
        breaker_feeder=np.array([feeder_of_zone[zone] for (_, zone), _ in rows], np.int64),
        breaker_head_line=np.array([line for _, (line, _) in rows], np.int64),
        breaker_busbar=np.array([bus for _, (_, bus) in rows], np.int64),
        via_joint=via,
        feed_order=order,
    )


def _busbar_buses(net: Any, topology: Topology) -> Bools:
    """Return (V,) the buses from which feeders leave, with those tied to them by closed bus-bus switches."""
    position = {int(index): i for i, index in enumerate(net.bus.index)}
    level_kv = net.bus.vn_kv
    start: set[int] = set()
    for table, upper, lowers in (("trafo", "hv_bus", ("lv_bus",)), ("trafo3w", "hv_bus", ("mv_bus", "lv_bus"))):
        frame = net[table]
        for _, row in frame[frame.in_service.astype(bool)].iterrows():
            for lower in lowers:
                if level_kv[row[upper]] > level_kv[row[lower]] > LOW_VOLTAGE_KV:
                    start.add(position[int(row[lower])])
    if not start:
        start = set(topology.source_node.tolist())
    bus_bus = topology.closed_joints() & (topology.joint_node < topology.bus_count)
    labels = topology.islands(bus_bus, topology.node_in_service)
    inside = np.isin(labels, labels[sorted(start)])
    inside[topology.bus_count :] = False
    return inside & topology.live_nodes()


def _both_ends_on(busbar: Bools, topology: Topology, node: int) -> bool:
    """Return whether a line runs from busbar to busbar, feeding nothing of its own."""
    return bool(busbar[topology.joint_bus[topology.joint_node == node]].all())


def _first_switched_joint(topology: Topology, via: Ints, node: int) -> int:
    """Return the first joint with a switch on the way from `node` to its source, -1 if there is none."""
    joint = int(via[node])
    while joint >= 0 and not topology.joint_has_switch[joint]:
        node = topology.other_end(joint, node)
        joint = int(via[node])
    return joint
