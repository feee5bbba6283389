"""Which section of the medium-voltage grid is dark, judged by the head end from what it received."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.special import betaln

from teiden.errors import InputError
from twin.field.coordinates import Floats
from twin.field.grid import Grid, supplied
from twin.field.topology import Bools, Ints

NOTHING = "nothing"


@dataclass(frozen=True)
class ReportModel:
    """How likely the head end thinks each kind of report is; all assumed, none measured.

    Each share differs from substation to substation by a beta distribution of this mean; its strength says how many
    meters' worth of sameness there is. Low strength keeps a whole silent (or noisy) substation from counting as
    hundreds of independent meters.

    Attributes
    ----------
    dark_share : float
        Share of meters without supply that the head end comes to believe dark.
    false_dark_share : float
        Share of supplied meters it believes dark all the same.
    lit_share : float
        Share of supplied meters of which it has heard since, so that it believes them lit.
    false_lit_share : float
        Share of meters without supply that it believes lit.
    strength : float
        Of the true reports' beta distributions.
    false_strength : float
        Of the false reports'.
    section_cost : float
        What naming anything at all costs, in log likelihood: outages are rare.
    cut_cost : float
        What each lit branch inside a dark section costs, in log likelihood: a closed tie is rare.
    scada_weight : float
        What a substation's state known by telemetry is worth, in log likelihood.
    """

    dark_share: float = 0.5
    false_dark_share: float = 0.005
    lit_share: float = 0.3
    false_lit_share: float = 0.005
    strength: float = 2.0
    false_strength: float = 200.0
    section_cost: float = 6.0
    cut_cost: float = 6.0
    scada_weight: float = 50.0

    def __post_init__(self) -> None:
        """Check ranges."""
        for name in ("dark_share", "false_dark_share", "lit_share", "false_lit_share"):
            value = getattr(self, name)
            if not 0 < value < 1:
                raise InputError(f"locate: {name} = {value:g}, expected above 0 and below 1")
        for name in ("strength", "false_strength", "section_cost", "cut_cost", "scada_weight"):
            value = getattr(self, name)
            if value <= 0:
                raise InputError(f"locate: {name} = {value:g}, expected above 0")


@dataclass(frozen=True)
class SectionTable:
    """What can go dark together in the normal switching state; asset data, made once per grid. H sections.

    Section 0 is the whole grid and root of the tree; the others are the distinct sets of substations that one
    medium-voltage line, one fault zone (a line with all no switch separates from it) or one substation's transformer
    takes off the supply. Each section's parent is the smallest one that contains it.

    Attributes
    ----------
    members : (H, S) bool
    parent : (H,) int
        -1 for the root; a parent stands before its children.
    kind : tuple of str
        ``grid``, ``feeder``, ``line`` or ``substation``.
    line : (H,) int
        Place of the line that names the section, the fed-most of those that cannot be told apart; -1 for none.
    lines : tuple of tuple of int
        Places of all of those.
    name : tuple of str
    breaker : tuple of frozenset of int
        For feeders the switch indices of their breakers, otherwise empty.
    """

    members: Bools
    parent: Ints
    kind: tuple[str, ...]
    line: Ints
    lines: tuple[tuple[int, ...], ...]
    name: tuple[str, ...]
    breaker: tuple[frozenset[int], ...]


@dataclass(frozen=True)
class Section:
    """What the head end names.

    Attributes
    ----------
    kind : str
        ``nothing``, ``feeder``, ``line``, ``substation`` or ``segment`` (a feeder or line less branches that are
        lit).
    section : int
        Place in the section table: of the section named, or of the one that a segment is part of; 0 for nothing.
    line_index : int
        Index in the line table; -1 for none.
    name : str
    lines : tuple of int
        Indices of all lines that would leave the same substations dark.
    substations : (k,) int
        Ascending.
    score : float
        Log likelihood above "nothing is dark".
    runner_up : str
        Name of the next best that leaves other substations dark.
    margin : float
        Score above that of the runner-up.
    """

    kind: str
    section: int
    line_index: int
    name: str
    lines: tuple[int, ...]
    substations: Ints
    score: float
    runner_up: str
    margin: float


@dataclass(frozen=True)
class LocationGrade:
    """How near a named section is to the truth.

    Attributes
    ----------
    right : bool
        The two sets of substations are equal: lines without a load between them count as one.
    jaccard : float
        Substations in both over substations in either; 1 where both are empty.
    hops : int
        Steps between the two in the tree of sections; 0 also for a segment that lost a wrong branch.
    """

    right: bool
    jaccard: float
    hops: int


def list_sections(grid: Grid) -> SectionTable:
    """Return the sections of a grid from its normal topology; once per grid, it asks for each line."""
    lit = supplied(grid)[grid.substation_bus]
    lines: dict[bytes, list[int]] = {}
    kinds: dict[bytes, str] = {}
    breakers: dict[bytes, frozenset[int]] = {}
    singles = np.eye(lit.size, dtype=bool) & lit
    usable = grid.line_is_mv & grid.line_in_service & (grid.line_feeder >= 0)
    for place in _fed_first(grid, np.flatnonzero(usable)):
        for dark in _dark_without(grid, place, lit):
            if dark.any():
                lines.setdefault(dark.tobytes(), []).append(place)
    for feeder in range(len(grid.feeder_name)):
        switches = frozenset(int(index) for index in grid.breaker_switch[grid.breaker_feeder == feeder])
        dark = lit & ~supplied(grid, switches)[grid.substation_bus]
        if dark.any():
            kinds[dark.tobytes()] = "feeder"
            breakers[dark.tobytes()] = switches
            heads = grid.breaker_line[grid.breaker_feeder == feeder].tolist()
            lines.setdefault(dark.tobytes(), []).extend(heads)
    keys = {*lines, *(single.tobytes() for single in singles if single.any())}
    members = np.array([np.frombuffer(key, bool) for key in sorted(keys)]).reshape(len(keys), lit.size)
    members = np.concatenate([np.ones((1, lit.size), bool), members[np.argsort(-members.sum(axis=1), kind="stable")]])
    return _tabulate(grid, members, lines, kinds, breakers)


def _fed_first(grid: Grid, places: Ints) -> list[int]:
    """Return line places from the sources outwards."""
    top = grid.topology
    rank = np.full(top.node_in_service.size, top.node_in_service.size)
    rank[grid.feeders.feed_order] = np.arange(grid.feeders.feed_order.size)
    return sorted(places.tolist(), key=lambda place: int(rank[top.first_node["line"] + place]))


def _dark_without(grid: Grid, place: int, lit: Bools) -> tuple[Bools, Bools]:
    """Return (S,) what goes dark without a line, and without all that no switch separates from it."""
    top = grid.topology
    single = lit & ~supplied(grid, lines_out=[int(grid.line_index[place])])[grid.substation_bus]
    joints = top.closed_joints()
    active = top.node_in_service & ~top.unswitched_zone(top.first_node["line"] + place)
    if not active[top.source_node].all():
        return single, single
    return single, lit & ~top.live(top.islands(joints, active), active)[grid.substation_bus]


def _tabulate(
    grid: Grid,
    members: Bools,
    lines: dict[bytes, list[int]],
    kinds: dict[bytes, str],
    breakers: dict[bytes, frozenset[int]],
) -> SectionTable:
    """Name the sections and hang each under the smallest that contains it."""
    parent = np.full(len(members), -1, np.int64)
    kind, name = ["grid"], ["whole grid"]
    group: list[tuple[int, ...]] = [()]
    for h in range(1, len(members)):
        holds = np.flatnonzero(~(members[h] & ~members[:h]).any(axis=1))
        parent[h] = holds[-1]  # sizes fall, so the last is the smallest
        key = members[h].tobytes()
        places = tuple(dict.fromkeys(lines.get(key, ())))
        group.append(places)
        kind.append(kinds.get(key, "line" if places else "substation"))
        name.append(grid.line_name[places[0]] if places else grid.substation_name[int(np.flatnonzero(members[h])[0])])
    return SectionTable(
        members=members,
        parent=parent,
        kind=tuple(kind),
        line=np.array([places[0] if places else -1 for places in group], np.int64),
        lines=tuple(group),
        name=tuple(name),
        breaker=tuple(breakers.get(row.tobytes(), frozenset()) for row in members),
    )


def weigh_reports(
    dark: npt.ArrayLike, lit: npt.ArrayLike, unknown: npt.ArrayLike, model: ReportModel | None = None
) -> Floats:
    """Return how much likelier the reports are if a substation is dark than if it is supplied, as a logarithm.

    Of n meters, d believed dark and i believed lit are beta-binomial in either case:
    P(d, i | dark) = BB(d; n, dark_share) BB(i; n - d, false_lit_share) and
    P(d, i | lit) = BB(d; n, false_dark_share) BB(i; n - d, lit_share).
    A silent substation of n meters thus loses about ``log n`` and not a multiple of n.

    Parameters
    ----------
    dark, lit, unknown : (S,) int
        Meters believed dark, believed lit, and not heard of.
    model : ReportModel, optional

    Returns
    -------
    (S,) float
        0 where a substation has no meters.

    Raises
    ------
    InputError
        If the shapes differ or a count is negative.
    """
    use = model or ReportModel()
    d, i, u = (np.asarray(count, float) for count in (dark, lit, unknown))
    if not d.shape == i.shape == u.shape or d.ndim != 1:
        raise InputError(f"locate: counts of shapes {d.shape}, {i.shape}, {u.shape}, expected one and the same (S,)")
    if min(count.min(initial=0) for count in (d, i, u)) < 0:
        raise InputError("locate: a count of meters is negative, expected 0 or more")
    n = d + i + u
    if_dark = _log_betabinomial(d, n, use.dark_share, use.strength)
    if_dark += _log_betabinomial(i, n - d, use.false_lit_share, use.false_strength)
    if_lit = _log_betabinomial(d, n, use.false_dark_share, use.false_strength)
    if_lit += _log_betabinomial(i, n - d, use.lit_share, use.strength)
    return if_dark - if_lit


def _log_betabinomial(k: Floats, n: Floats, mean: float, strength: float) -> Floats:
    """Return the logarithm of the beta-binomial probability of k in n, less the binomial coefficient."""
    total = max(strength, 1 / mean)  # keeps the density finite at 0, else a small mean would say next to nothing
    a, b = mean * total, (1 - mean) * total
    return np.asarray(betaln(k + a, n - k + b) - betaln(a, b))


def locate_outage(
    grid: Grid,
    table: SectionTable,
    dark: npt.ArrayLike,
    lit: npt.ArrayLike,
    unknown: npt.ArrayLike,
    *,
    model: ReportModel | None = None,
    open_switches: Collection[int] = (),
) -> Section:
    """Return the section that explains the reports best.

    Compared are "nothing", every section of the table, and for each section the best segment: the section less those
    branches whose reports pay for `ReportModel.cut_cost`. Equal scores go to the larger section and, then, to the
    section before the segment.

    Parameters
    ----------
    grid : Grid
        Asset data; only the normal topology is used.
    table : SectionTable
        `list_sections` of the grid.
    dark, lit, unknown : (S,) int
        Meters of each substation believed dark, believed lit, and not heard of.
    model : ReportModel, optional
    open_switches : collection of int
        Switches that telemetry shows open against the normal state. What they leave without supply counts as known
        to be dark. A switch shown closed proves nothing: the way to it may be open elsewhere.

    Raises
    ------
    InputError
        If the counts do not fit the grid.
    """
    use = model or ReportModel()
    counts = [np.asarray(count, float) for count in (dark, lit, unknown)]
    if counts[0].size != table.members.shape[1]:
        raise InputError(f"locate: counts for {counts[0].size} substations, the grid has {table.members.shape[1]}")
    known = np.zeros(counts[0].size, bool)
    if open_switches:
        known = supplied(grid)[grid.substation_bus] & ~supplied(grid, open_switches)[grid.substation_bus]
    guess = _rank(table, weigh_reports(counts[0], counts[1], counts[2], use) + use.scada_weight * known, use)[0]
    use = _fit_shares(use, guess.members, counts[0], counts[1], counts[2])
    ranked = _rank(table, weigh_reports(counts[0], counts[1], counts[2], use) + use.scada_weight * known, use)
    best = ranked[0]
    other = next(entry for entry in ranked if not np.array_equal(entry.members, best.members))
    h = best.section
    return Section(
        kind=best.kind,
        section=h,
        line_index=int(grid.line_index[table.line[h]]) if table.line[h] >= 0 else -1,
        name=_label(table, best),
        lines=tuple(int(grid.line_index[place]) for place in table.lines[h]),
        substations=np.flatnonzero(best.members),
        score=best.score,
        runner_up=_label(table, other),
        margin=best.score - other.score,
    )


@dataclass(frozen=True)
class _Candidate:
    """One explanation: its score, section, kind and (S,) dark substations."""

    score: float
    section: int
    kind: str
    members: Bools


def _rank(table: SectionTable, weight: Floats, model: ReportModel) -> list[_Candidate]:
    """Return every candidate, best first."""
    whole = table.members @ weight
    pruned, cuts = _prune(table, weight, model.cut_cost)
    ranked = [_Candidate(0.0, 0, NOTHING, np.zeros(weight.size, bool))]
    for h in range(1, len(table.kind)):
        ranked.append(_Candidate(float(whole[h]) - model.section_cost, h, table.kind[h], table.members[h]))
        if cuts[h]:
            rest = table.members[h] & ~table.members[sorted(cuts[h])].any(axis=0)
            ranked.append(_Candidate(float(pruned[h]) - model.section_cost, h, "segment", rest))
    return sorted(ranked, key=lambda entry: (-entry.score, entry.kind == "segment", entry.section))


def _fit_shares(model: ReportModel, named: Bools, dark: Floats, lit: Floats, unknown: Floats) -> ReportModel:
    """Return the model with the shares of true reports that a first answer implies (Laplace's rule).

    How many meters get through, and whether anybody asks the supplied ones, differs by orders of magnitude between
    events; the data of the event itself say it better than an assumption.
    """
    count = dark + lit + unknown
    dark_share, lit_share = model.dark_share, model.lit_share
    if count[named].sum() > 0:
        dark_share = (dark[named].sum() + 1) / (count[named].sum() + 2)
    if count[~named].sum() > 0:
        lit_share = (lit[~named].sum() + 1) / (count[~named].sum() + 2)
    return replace(model, dark_share=float(dark_share), lit_share=float(lit_share))


def _prune(table: SectionTable, weight: Floats, cut_cost: float) -> tuple[Floats, list[frozenset[int]]]:
    """Return (H,) the score of each section less the branches that pay for being cut, and those branches.

    Dynamic programme over the tree, children first: a branch counts its own best score, or minus `cut_cost` where
    that is more. A substation alone is never cut: between dark lines it cannot be lit.
    """
    best = table.members @ weight
    cuts: list[frozenset[int]] = [frozenset()] * len(table.kind)
    for h in range(len(table.kind) - 1, 0, -1):
        up = int(table.parent[h])
        plain = float(table.members[h] @ weight)
        cut = table.kind[h] == "line" and -cut_cost > best[h]
        best[up] += (-cut_cost if cut else best[h]) - plain
        cuts[up] |= frozenset({h}) if cut else cuts[h]
    return best, cuts


def _label(table: SectionTable, entry: _Candidate) -> str:
    """Return a candidate's name for people."""
    return NOTHING if entry.kind == NOTHING else f"{entry.kind} {table.name[entry.section]}"


def is_right(section: Section, truth: npt.ArrayLike) -> bool:
    """Return whether a named section leaves exactly the substations dark that are dark.

    Before isolation that is the whole feeder, afterwards what lies beyond the fault: lines without a load between
    them cannot be told apart by meters and count as the same.

    Parameters
    ----------
    section : Section
    truth : (S,) bool
        The substations dark at the moment the reports speak of.
    """
    return np.array_equal(section.substations, np.flatnonzero(np.asarray(truth, bool)))


def grade_location(table: SectionTable, section: Section, truth: npt.ArrayLike) -> LocationGrade:
    """Return how near a named section is to the truth.

    Parameters
    ----------
    table : SectionTable
    section : Section
    truth : (S,) bool
        The substations dark at the moment the reports speak of.
    """
    dark = np.asarray(truth, bool)
    named = np.zeros(dark.size, bool)
    named[section.substations] = True
    union = int((named | dark).sum())
    true_section = 0
    if dark.any():
        true_section = int(np.flatnonzero(~(dark & ~table.members).any(axis=1))[-1])
    return LocationGrade(
        right=is_right(section, dark),
        jaccard=int((named & dark).sum()) / union if union else 1.0,
        hops=_tree_hops(table, section.section, true_section),
    )


def _tree_hops(table: SectionTable, a: int, b: int) -> int:
    """Return the number of steps between two sections over their nearest common ancestor."""
    above = {}
    steps = 0
    while a >= 0:
        above[a] = steps
        a = int(table.parent[a])
        steps += 1
    steps = 0
    while b not in above:
        b = int(table.parent[b])
        steps += 1
    return steps + above[b]
