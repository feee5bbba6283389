"""Connectivity of a network down to single switches.

Nodes are the buses, and one node for each line, transformer or other branch. A *joint* is where a bus meets a
branch, or a bus-bus switch; it is closed when all switches on it are closed (always, when it has none). A line
with one open end therefore hangs live on its closed end and passes nothing on, as in the field, and the parts that
no switch can separate are found by walking over the joints that have none.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from teiden.errors import InputError

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

# pandapower tables that join buses, in node order, with their bus columns; lines come first.
BRANCH_BUSES = {
    "line": ("from_bus", "to_bus"),
    "trafo": ("hv_bus", "lv_bus"),
    "trafo3w": ("hv_bus", "mv_bus", "lv_bus"),
    "impedance": ("from_bus", "to_bus"),
    "dcline": ("from_bus", "to_bus"),
    "tcsc": ("from_bus", "to_bus"),
}
SWITCHED_BRANCH = {"l": "line", "t": "trafo", "t3": "trafo3w"}


@dataclass(frozen=True)
class Topology:
    """Nodes, joints and switches of one network; V nodes, J joints, W switches.

    Attributes
    ----------
    bus_count : int
        The first ``bus_count`` nodes are the buses in table order, then come the branches of `first_node`.
    first_node : dict of str to int
        First node of each branch table (``"line"``, ``"trafo"``, ...).
    node_in_service : (V,) bool
    source_node : (K,) int
        Buses with an external grid or a slack generator in service.
    joint_bus, joint_node : (J,) int
        The two nodes a joint connects; the first is a bus.
    joint_has_switch : (J,) bool
    switch_index : (W,) int
        Index in the switch table; every set of switches in this package holds these.
    switch_joint : (W,) int
        The joint a switch sits on.
    switch_closed : (W,) bool
        The normal switching state.
    switch_position : dict of int to int
        Place in the arrays of a switch index.
    line_position : dict of int to int
        Place in the line table of a line index.
    """

    bus_count: int
    first_node: dict[str, int]
    node_in_service: Bools
    source_node: Ints
    joint_bus: Ints
    joint_node: Ints
    joint_has_switch: Bools
    switch_index: Ints
    switch_joint: Ints
    switch_closed: Bools
    switch_position: dict[int, int]
    line_position: dict[int, int]

    def closed_joints(self, open_switches: Iterable[int] = (), closed_switches: Iterable[int] = ()) -> Bools:
        """Return (J,) which joints are closed, given the switches that differ from the normal state."""
        closed = self.switch_closed.copy()
        closed[[self.switch_position[int(index)] for index in open_switches]] = False
        closed[[self.switch_position[int(index)] for index in closed_switches]] = True
        joints = np.ones(self.joint_bus.size, bool)
        joints[self.switch_joint[~closed]] = False
        return joints

    def active_nodes(self, lines_out: Iterable[int] = ()) -> Bools:
        """Return (V,) which nodes are in service, given line indices taken out."""
        active = self.node_in_service.copy()
        active[[self.bus_count + self.line_position[int(index)] for index in lines_out]] = False
        return active

    def islands(self, joints: Bools, active: Bools) -> Ints:
        """Return (V,) a label per node; nodes with the same label are connected, inactive ones stand alone."""
        use = joints & active[self.joint_bus] & active[self.joint_node]
        ends = (self.joint_bus[use], self.joint_node[use])
        size = self.node_in_service.size
        graph = coo_matrix((np.ones(ends[0].size, np.int8), ends), shape=(size, size))
        return np.asarray(connected_components(graph, directed=False)[1], np.int64)

    def live(self, labels: Ints, active: Bools) -> Bools:
        """Return (V,) which nodes have a source in their island."""
        fed = np.zeros(labels.size, bool)
        fed[labels[self.source_node]] = True
        return fed[labels] & active

    def live_nodes(
        self,
        open_switches: Iterable[int] = (),
        lines_out: Iterable[int] = (),
        closed_switches: Iterable[int] = (),
    ) -> Bools:
        """Return (V,) which nodes are connected to a source in a switching state."""
        active = self.active_nodes(lines_out)
        return self.live(self.islands(self.closed_joints(open_switches, closed_switches), active), active)

    def unswitched_zone(self, node: int) -> Bools:
        """Return (V,) the nodes that no switch can separate from `node`: a fault there takes them all."""
        labels = self.islands(~self.joint_has_switch, self.node_in_service)
        return np.asarray(labels == labels[node])

    def switches_on(self, joint: int) -> list[int]:
        """Return the indices of the switches on a joint."""
        return [int(index) for index in self.switch_index[self.switch_joint == joint]]

    def feeding_joints(self) -> tuple[Ints, Ints]:
        """Return the joint each node is fed through in the normal state, and the nodes in order from the sources.

        Breadth first from all sources, so in a radial network the only way, in a meshed one a shortest one.

        Returns
        -------
        (V,) int
            Joint; -1 for sources and dead nodes.
        (R,) int
            The live nodes, each after the one that feeds it.
        """
        joints = self.closed_joints()
        joints &= self.node_in_service[self.joint_bus] & self.node_in_service[self.joint_node]
        around: list[list[tuple[int, int]]] = [[] for _ in range(self.node_in_service.size)]
        for joint in np.flatnonzero(joints).tolist():
            a, b = int(self.joint_bus[joint]), int(self.joint_node[joint])
            around[a].append((b, joint))
            around[b].append((a, joint))
        via = np.full(self.node_in_service.size, -1, np.int64)
        seen = np.zeros(self.node_in_service.size, bool)
        seen[self.source_node] = True
        queue = deque(self.source_node.tolist())
        order = []
        while queue:
            node = queue.popleft()
            order.append(node)
            for other, joint in around[node]:
                if not seen[other]:
                    seen[other] = True
                    via[other] = joint
                    queue.append(other)
        return via, np.array(order, np.int64)

    def other_end(self, joint: int, node: int) -> int:
        """Return the node on the far side of a joint."""
        a, b = int(self.joint_bus[joint]), int(self.joint_node[joint])
        return b if a == node else a


def build_topology(net: Any, where: str) -> Topology:
    """Return the topology of a pandapower network.

    Parameters
    ----------
    net : pandapowerNet
    where : str
        Name of the network in messages.

    Raises
    ------
    InputError
        If a branch or switch names a bus or branch that is not there, or no source is in service.
    """
    bus_position = {int(index): i for i, index in enumerate(net.bus.index)}
    first_node, in_service = {}, [net.bus.in_service.to_numpy(bool)]
    joint_of: dict[tuple[int, int], int] = {}  # (branch node, bus) -> joint
    ends: list[tuple[int, int]] = []
    node = len(bus_position)
    for table, columns in BRANCH_BUSES.items():
        frame = net.get(table)
        count = 0 if frame is None else len(frame)
        first_node[table] = node
        if frame is None or count == 0:
            continue
        in_service.append(frame.in_service.to_numpy(bool))
        for column in columns:
            for i, bus in enumerate(frame[column].to_numpy()):
                if int(bus) not in bus_position:
                    raise InputError(f"{where}: {table} {frame.index[i]}, {column} = {bus}, expected a bus of the grid")
                joint_of.setdefault((node + i, bus_position[int(bus)]), len(ends))
                ends.append((bus_position[int(bus)], node + i))
        node += count
    switch_joint = _place_switches(net, where, bus_position, first_node, joint_of, ends)
    has_switch = np.zeros(len(ends), bool)
    has_switch[switch_joint] = True
    pairs = np.array(ends, np.int64).reshape(-1, 2)
    switch_index = net.switch.index.to_numpy(np.int64)
    return Topology(
        bus_count=len(bus_position),
        first_node=first_node,
        node_in_service=np.concatenate(in_service),
        source_node=_find_sources(net, where, bus_position),
        joint_bus=pairs[:, 0],
        joint_node=pairs[:, 1],
        joint_has_switch=has_switch,
        switch_index=switch_index,
        switch_joint=switch_joint,
        switch_closed=net.switch.closed.to_numpy(bool),
        switch_position={int(index): i for i, index in enumerate(switch_index)},
        line_position={int(index): i for i, index in enumerate(net.line.index)},
    )


def _place_switches(
    net: Any,
    where: str,
    bus_position: dict[int, int],
    first_node: dict[str, int],
    joint_of: dict[tuple[int, int], int],
    ends: list[tuple[int, int]],
) -> Ints:
    """Return (W,) the joint of each switch; append a joint to `ends` for each bus-bus switch."""
    element_position = {
        kind: {int(index): i for i, index in enumerate(net[table].index)} for kind, table in SWITCHED_BRANCH.items()
    }
    joints = []
    rows = zip(net.switch.index, net.switch.bus, net.switch.element, net.switch.et, strict=True)
    for index, bus_index, element, kind in rows:
        bus = bus_position.get(int(bus_index))
        if kind == "b":
            other = bus_position.get(int(element))
            joint = None if other is None else len(ends)
            if bus is not None and other is not None:
                ends.append((bus, other))
        else:
            place = element_position.get(kind, {}).get(int(element))
            joint = None
            if place is not None and bus is not None:
                joint = joint_of.get((first_node[SWITCHED_BRANCH[kind]] + place, bus))
        if joint is None or bus is None:
            raise InputError(
                f"{where}: switch {index} (bus {bus_index}, element {element}, et {kind!r}) does not sit between a bus "
                "and a branch or bus of the grid; correct or drop it"
            )
        joints.append(joint)
    return np.array(joints, np.int64)


def _find_sources(net: Any, where: str, bus_position: dict[int, int]) -> Ints:
    """Return (K,) the in-service buses with an external grid or slack generator, ascending."""
    buses = set(net.ext_grid.bus[net.ext_grid.in_service.astype(bool)])
    if len(net.gen):
        buses |= set(net.gen.bus[net.gen.in_service.astype(bool) & net.gen.slack.astype(bool)])
    live = net.bus.in_service
    nodes = sorted(bus_position[int(bus)] for bus in buses if int(bus) in bus_position and live[bus])
    if not nodes:
        raise InputError(f"{where}: no external grid in service, expected at least one (net.ext_grid)")
    return np.array(nodes, np.int64)
