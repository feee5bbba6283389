"""A fault on a medium-voltage line as a sequence of network states, each following from switches and topology."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from gpu import rng
from teiden.errors import InputError
from twin.field.coordinates import Floats
from twin.field.dip import DipModel, residual_voltage_pu
from twin.field.grid import Grid
from twin.field.switching import choose_ties, isolate_line
from twin.field.topology import Bools, Ints

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
    case = isolate_line(grid, place)
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
            case = isolate_line(grid, place)
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
