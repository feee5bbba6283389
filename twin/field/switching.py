"""Which switches cut a fault out of the grid, and which ties bring back what is healthy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from teiden.errors import InputError
from twin.field.grid import Grid
from twin.field.loading import line_loading
from twin.field.topology import Bools, Ints, Topology


@dataclass(frozen=True)
class Isolation:
    """How a fault on one line is cleared and cut out; V topology nodes.

    Attributes
    ----------
    line : int
        Place of the line.
    breakers : frozenset of int
        Feeder breakers that trip (one in a radial grid).
    isolators : frozenset of int
        Switches that stay open until the repair.
    zone : (V,) bool
        The nodes no switch separates from the fault.
    """

    line: int
    breakers: frozenset[int]
    isolators: frozenset[int]
    zone: Bools


def isolate_line(grid: Grid, place: int) -> Isolation:
    """Return the breakers that clear a fault on a line and the switches that cut it out.

    Raises
    ------
    InputError
        If the line is out of service or dead, or no feeder breaker clears it.
    """
    top = grid.topology
    node = top.first_node["line"] + place
    name = f"{grid.source}: line {grid.line_name[place]!r} (index {grid.line_index[place]})"
    if not grid.line_in_service[place]:
        raise InputError(f"{name} is out of service, expected a line in service")
    if not top.live_nodes()[node]:
        raise InputError(f"{name} is dead in the normal state (no closed way to a source); choose an energised line")
    feeder = int(grid.line_feeder[place])
    breakers = frozenset(int(index) for index in grid.breaker_switch[grid.breaker_feeder == feeder])
    if feeder < 0 or top.live_nodes(breakers)[node]:
        raise InputError(
            f"{name} has no feeder breaker that clears a fault on it; choose a line of a medium-voltage feeder, and "
            "give the feeder's first line a switch at its busbar end"
        )
    zone = top.unswitched_zone(node)
    isolators = _zone_switches(grid, zone, medium_voltage_only=True)
    if top.live_nodes(isolators)[zone].any():
        isolators = _zone_switches(grid, zone, medium_voltage_only=False)
    return Isolation(place, breakers, isolators, zone)


def _zone_switches(grid: Grid, zone: Bools, *, medium_voltage_only: bool) -> frozenset[int]:
    """Return the closed switches around a zone."""
    top = grid.topology
    border = zone[top.joint_bus] != zone[top.joint_node]
    if medium_voltage_only:
        border &= grid.bus_is_mv[top.joint_bus]
    return frozenset(int(i) for i in top.switch_index[border[top.switch_joint] & top.switch_closed])


def choose_ties(grid: Grid, case: Isolation, max_loading: float) -> frozenset[int]:
    """Return the normally open switches to close after an isolation, most restored load first, then by index.

    A switch (or both of a line open at its two ends) may close where it joins exactly one live part with dark
    parts that hold no node of the fault's zone, so it neither parallels two sources nor feeds the fault; and where
    it overloads no line. More are closed for as long as that brings load back.
    """
    top = grid.topology
    faulted = [int(grid.line_index[case.line])]
    ties: frozenset[int] = frozenset()
    candidates = _tie_candidates(top)
    active = top.active_nodes(faulted)
    while True:
        labels = top.islands(top.closed_joints(case.isolators, ties), active)
        live = top.live(labels, active)
        offers = []
        for rank, (joints, switches) in enumerate(candidates):
            if ties.isdisjoint(switches) and case.isolators.isdisjoint(switches):
                power_mw = _restored_mw(grid, joints, labels, live, active, case.zone)
                offers += [(-power_mw, rank, switches)] if power_mw > 0 else []
        before = line_loading(grid, case.isolators, faulted, ties)
        for _, _, switches in sorted(offers):
            after = line_loading(grid, case.isolators, faulted, ties | frozenset(switches))
            if not (grid.line_is_mv & (after > max_loading) & (after > before)).any():
                ties |= frozenset(switches)
                break
        else:
            return ties


def _tie_candidates(top: Topology) -> list[tuple[list[int], list[int]]]:
    """Return the joints and switches that may close together: each open joint, and all open joints of a branch."""
    open_joints = np.flatnonzero(~top.closed_joints()).tolist()
    groups = [[joint] for joint in open_joints]
    by_branch: dict[int, list[int]] = {}
    for joint in open_joints:
        if top.joint_node[joint] >= top.bus_count:
            by_branch.setdefault(int(top.joint_node[joint]), []).append(joint)
    groups += [joints for joints in by_branch.values() if len(joints) > 1]
    closed = dict(zip(top.switch_index.tolist(), top.switch_closed.tolist(), strict=True))
    found = [(joints, [s for joint in joints for s in top.switches_on(joint) if not closed[s]]) for joints in groups]
    return sorted(found, key=lambda entry: (len(entry[1]), entry[1]))


def _restored_mw(grid: Grid, joints: Iterable[int], labels: Ints, live: Bools, active: Bools, zone: Bools) -> float:
    """Return the load [MW] that closing `joints` brings back, 0 where they must not close."""
    top = grid.topology
    ends = np.unique(np.concatenate([top.joint_bus[list(joints)], top.joint_node[list(joints)]]))
    parts = np.unique(labels[ends])
    live_parts = np.unique(labels[ends[live[ends]]])
    joined = np.isin(labels, parts)
    if not active[ends].all() or live_parts.size != 1 or zone[joined].any():
        return 0.0
    back = joined[grid.substation_bus] & ~live[grid.substation_bus]
    return float(grid.substation_p_mw[back].sum())
