"""A fault on a medium-voltage line as a sequence of network states, each following from switches and topology."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from gpu import rng
from teiden.errors import InputError
from twin.field.coordinates import Floats
from twin.field.dip import DipModel, residual_voltage_pu
from twin.field.grid import Grid
from twin.field.loading import line_loading
from twin.field.topology import Bools, Ints, Topology

NS_PER_S = 1_000_000_000
NEVER_NS = -1
FAULT_LINE = 0x7100  # purpose of the draw that orders lines for "auto"


@dataclass(frozen=True)
class FaultTimes:
    """When the network changes state [ns]; each later than the one before.

    Attributes
    ----------
    fault_ns : int
        Short circuit.
    trip_ns : int
        The feeder breaker opens.
    isolate_ns : int
        The switches around the fault are open and the breaker is closed again.
    tie_ns : int or None
        Normally open switches close; None: they stay open.
    repair_ns : int or None
        The line is back and the normal switching state restored; None: not within the run.
    """

    fault_ns: int
    trip_ns: int
    isolate_ns: int
    tie_ns: int | None = None
    repair_ns: int | None = None

    def __post_init__(self) -> None:
        """Check that each time given is later than the one before."""
        if self.fault_ns < 0:
            raise InputError(f"fault_ns = {self.fault_ns}, expected 0 or above")
        given = [(name, value) for name, value in vars(self).items() if value is not None]
        for (earlier, before), (name, value) in pairwise(given):
            if value <= before:
                raise InputError(f"{name} = {value}, expected above {earlier} = {before} (the steps follow each other)")


def fault_times(
    fault_s: float,
    *,
    trip_s: float = 0.15,
    isolate_s: float = 60.0,
    tie_s: float | None = 180.0,
    repair_s: float | None = None,
) -> FaultTimes:
    """Return the times of a fault at `fault_s`, all others counted from the fault [s].

    The defaults are assumed: a relay with a breaker of a few cycles, and remote-controlled switches that isolate
    after one minute and close ties after three.
    """
    later = [None if after_s is None else fault_s + after_s for after_s in (trip_s, isolate_s, tie_s, repair_s)]
    trip_ns, isolate_ns, tie_ns, repair_ns = (None if at is None else round(at * NS_PER_S) for at in later)
    assert trip_ns is not None
    assert isolate_ns is not None
    return FaultTimes(round(fault_s * NS_PER_S), trip_ns, isolate_ns, tie_ns, repair_ns)


@dataclass(frozen=True)
class SupplyStep:
    """The network from one moment on; S substations.

    Attributes
    ----------
    t_ns : int
        Start of this state.
    kind : str
        ``fault``, ``trip``, ``isolate``, ``tie`` or ``repair``.
    open_switches, closed_switches : frozenset of int
        Switch indices that are open or closed against the normal state.
    lines_out : frozenset of int
        Line indices out of service.
    dark : (S,) bool
        No connection to a source.
    residual_pu : (S,) float
        Voltage over nominal: 1 when supplied, 0 when dark, in between while the short circuit lasts.
    """

    t_ns: int
    kind: str
    open_switches: frozenset[int]
    closed_switches: frozenset[int]
    lines_out: frozenset[int]
    dark: Bools
    residual_pu: Floats


@dataclass(frozen=True)
class Outages:
    """Times without supply, sorted by start and substation; one entry per interruption, D in all.

    Attributes
    ----------
    substation : (D,) int
    off_ns : (D,) int
    on_ns : (D,) int
        -1 where supply does not return within the timeline.
    """

    substation: Ints
    off_ns: Ints
    on_ns: Ints


@dataclass(frozen=True)
class SupplyTimeline:
    """What one fault does to the grid; S substations.

    Attributes
    ----------
    line_index : int
        The faulted line's index in the line table.
    line_name : str
    feeder : int
        Its feeder.
    feeder_substations : (S,) bool
        The substations behind the breakers that trip.
    downstream : (S,) bool
        Those beyond the fault in the normal state, and those the fault's own zone takes along: dark once the fault
        is isolated and before any tie closes.
    before : (S,) bool
        Dark before the fault (normal state).
    steps : tuple of SupplyStep
        In time order. A step that would change nothing for anybody is left out (a tie that restores no load).
    """

    line_index: int
    line_name: str
    feeder: int
    feeder_substations: Bools
    downstream: Bools
    before: Bools
    steps: tuple[SupplyStep, ...]

    def dark_at(self, t_ns: int) -> Bools:
        """Return (S,) which substations are dark at a moment; a step holds from its own time on."""
        dark = self.before
        for step in self.steps:
            if step.t_ns <= t_ns:
                dark = step.dark
        return dark

    def outages(self) -> Outages:
        """Return every interruption that the timeline's steps begin."""
        off_ns = np.full(self.before.size, NEVER_NS, np.int64)
        rows: list[tuple[int, int, int]] = []
        dark = self.before
        for step in self.steps:
            off_ns[step.dark & ~dark] = step.t_ns
            back = np.flatnonzero(dark & ~step.dark & (off_ns >= 0))
            rows += [(int(off_ns[s]), int(s), step.t_ns) for s in back]
            dark = step.dark
        still = np.flatnonzero(dark & (off_ns >= 0))
        rows += [(int(off_ns[s]), int(s), NEVER_NS) for s in still]
        table = np.array(sorted(rows), np.int64).reshape(-1, 3)
        return Outages(substation=table[:, 1], off_ns=table[:, 0], on_ns=table[:, 2])


def plan_line_fault(
    grid: Grid,
    line: int | str,
    times: FaultTimes,
    *,
    seed: int = 0,
    dip: DipModel | None = None,
    max_loading: float = 1.0,
) -> SupplyTimeline:
    """Return the network states that follow a short circuit on a line.

    Parameters
    ----------
    grid : Grid
    line : int or str
        Index or name; ``"auto"`` takes the first line, in an order shuffled by `seed`, whose isolation leaves part
        of its feeder lit and part dark, and whose ties bring load back.
    times : FaultTimes
    seed : int
        Used by ``"auto"`` only.
    dip : DipModel, optional
        Voltages while the short circuit lasts.
    max_loading : float
        A tie stays open where it would load a line beyond this multiple of its rating; ``math.inf`` for no limit.

    Raises
    ------
    InputError
        If the line is unknown, out of service or dead, belongs to no feeder, or no breaker can clear it; for
        ``"auto"``, if no line of the grid qualifies.
    """
    place = choose_line(grid, seed, max_loading) if line == "auto" else grid.find_line(line)
    case = _isolate(grid, place)
    top = grid.topology
    faulted = frozenset({int(grid.line_index[place])})
    normal = ~top.live_nodes()[grid.substation_bus]
    feeder = ~top.live_nodes(case.breakers)[grid.substation_bus] & ~normal
    residual_pu = residual_voltage_pu(grid, place, dip or DipModel())
    none: frozenset[int] = frozenset()
    steps = [
        SupplyStep(times.fault_ns, "fault", none, none, none, normal, np.where(normal, 0.0, residual_pu)),
        _step(grid, times.trip_ns, "trip", case.breakers, none, none),
        _step(grid, times.isolate_ns, "isolate", case.isolators, none, faulted),
    ]
    ties = choose_ties(grid, case, max_loading) if times.tie_ns is not None else none
    if times.tie_ns is not None and ties:
        steps.append(_step(grid, times.tie_ns, "tie", case.isolators, ties, faulted))
    if times.repair_ns is not None:
        steps.append(_step(grid, times.repair_ns, "repair", none, none, none))
    return SupplyTimeline(
        line_index=int(grid.line_index[place]),
        line_name=grid.line_name[place],
        feeder=int(grid.line_feeder[place]),
        feeder_substations=feeder,
        downstream=steps[2].dark & ~normal,
        before=normal,
        steps=tuple(steps),
    )


def _step(
    grid: Grid,
    t_ns: int,
    kind: str,
    open_switches: frozenset[int],
    closed_switches: frozenset[int],
    lines_out: frozenset[int],
) -> SupplyStep:
    """Return the step whose dark substations follow from its switches."""
    live = grid.topology.live_nodes(open_switches, lines_out, closed_switches)
    dark = ~live[grid.substation_bus]
    return SupplyStep(t_ns, kind, open_switches, closed_switches, lines_out, dark, np.where(dark, 0.0, 1.0))


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


def _isolate(grid: Grid, place: int) -> Isolation:
    """Return the breakers that clear a fault on a line and the switches that cut it out."""
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


def choose_line(grid: Grid, seed: int, max_loading: float = 1.0) -> int:
    """Return the place of a line whose fault makes a full story: see ``"auto"`` in `plan_line_fault`.

    Raises
    ------
    InputError
        If no line of the grid qualifies.
    """
    order = np.argsort(rng.draw_u64(seed, FAULT_LINE, grid.line_index), kind="stable")
    usable = grid.line_in_service & (grid.line_feeder >= 0)
    normal = grid.topology.live_nodes()[grid.substation_bus]
    for place in order[usable[order]].tolist():
        try:
            case = _isolate(grid, place)
        except InputError:
            continue
        feeder = normal & ~grid.topology.live_nodes(case.breakers)[grid.substation_bus]
        lost = normal & ~grid.topology.live_nodes(case.isolators)[grid.substation_bus]
        if lost.any() and (feeder & ~lost).any() and choose_ties(grid, case, max_loading):
            return int(place)
    raise InputError(
        f"{grid.source}: no line whose fault leaves part of its feeder lit and whose load a tie can take over; "
        'name a line instead of "auto"'
    )
