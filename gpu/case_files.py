"""The files of a radio case: case.toml, nodes.csv, frames.csv, optional links.csv and routes.csv.

Everything is read and checked before anything runs, and every problem is reported at once with its place.
"""

from __future__ import annotations

import math
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu import checks, memory
from gpu.case_csv import SHOWN, Columns, read_columns
from gpu.radio import PROFILES, Radio, profile
from teiden.errors import InputError, ScenarioError

_PHY_KEYS = (
    "tx_power_dbm", "sensitivity_dbm", "noise_dbm", "cca_threshold_dbm", "symbol_us", "bit_rate_bps", "header_bytes",
    "fcs_bytes", "ack_bytes", "max_psdu_bytes", "capture", "chunks", "interference_cut_dbm", "lock_sinr_db", "channels",
    "dwell_us", "broadcast_interval_us", "broadcast_dwell_us", "lock_history_us", "background_load",
    "background_burst_us", "background_dbm", "background_spread_db", "background_zone_m",
)  # fmt: skip
_MAC_KEYS = (
    "min_be", "max_be", "retry_rule", "max_csma_backoffs", "max_frame_retries", "max_channel_retries", "ack",
    "unit_backoff_us", "cca_us", "turnaround_us", "ack_wait_us", "lifs_us", "queue_frames", "aggregate_frames",
    "aggregate_overhead_bytes", "aggregate_wait_us", "regulation", "burst_limit_us", "pause_us", "airtime_limit_us",
    "airtime_window_us",
)  # fmt: skip
_PATH_KEYS = ("model", "exponent", "reference_db", "reference_m", "shadowing_db")
_ROUTING_KEYS = (
    "route_margin_db", "route_psdu_bytes", "max_link_etx", "tree", "max_parents", "switch_threshold", "parent_failures",
    "neighbour_timeout_us", "refresh_us", "trickle_redundancy", "advert_bytes", "keys_kept", "auth_bytes",
    "auth_exchanges", "network", "discovery_min_us", "discovery_max_us", "version_interval_us", "pan_timeout_us",
    "auth_first_us", "auth_retry_min_us", "auth_retry_max_us", "auth_total_us", "auth_limit",
)  # fmt: skip
_TOP_KEYS = ("seed", "duration_s", "phy", "mac", "path_loss", "routing")


@dataclass(frozen=True)
class Case:
    """A radio case: nodes by the user's ids, everything else by position in ``node_ids``."""

    radio: Radio
    seed: int
    duration_s: float
    node_ids: NDArray[np.int64]  # (N,)
    xy_m: NDArray[np.float64]  # (N, 2)
    t_ns: NDArray[np.int64]  # (M,)
    src: NDArray[np.int64]  # (M,)
    dst: NDArray[np.int64]  # (M,) -1: the nearest sink, -2: whoever hears it
    psdu_bytes: NDArray[np.int64]  # (M,)
    sinks: NDArray[np.int64]  # (S,)
    routed: bool
    formed: bool  # a living tree has long been formed
    links: tuple[NDArray, NDArray, NDArray] | None
    parents: NDArray[np.int64] | None  # (N,)


def read_case(case_dir: Path) -> Case:
    """Read a case folder; ScenarioError lists every problem as ``file: key = value, expected ...``."""
    if not case_dir.is_dir():
        raise InputError(f"{case_dir}: no such folder, expected one with case.toml, nodes.csv and frames.csv")
    _check_memory(case_dir)
    problems: list[str] = []
    settings = _read_toml(case_dir / "case.toml", problems)
    radio = _read_radio(settings, problems)
    seed = _setting(settings, "seed", 1, problems, whole=True)
    duration_s = _setting(settings, "duration_s", None, problems)

    nodes = read_columns(case_dir / "nodes.csv", {"node": int, "x_m": float, "y_m": float}, problems)
    links = _read_optional(case_dir / "links.csv", {"src": int, "dst": int, "loss_db": float}, problems)
    node_ids, order = _index_nodes(nodes, links is None, problems)
    xy = np.column_stack([nodes.columns["x_m"], nodes.columns["y_m"]]).astype(float)
    frames = read_columns(case_dir / "frames.csv", {"t_s": float, "src": int, "dst": int, "psdu_bytes": int}, problems)
    routes = _read_optional(case_dir / "routes.csv", {"node": int, "parent": int}, problems)

    parents, sinks = _read_tree(settings, routes, node_ids, problems)
    routed = "routing" in settings or routes is not None
    if radio.tree == "living" and routes is not None:
        problems.append('routes.csv: given with routing.tree = "living", expected none: its nodes choose their parents')
    formed = _table(settings, "routing", []).get("formed", True)
    if not isinstance(formed, bool):
        problems.append(f"case.toml: routing.formed = {formed!r}, expected true or false")
    elif not formed and radio.tree == "static":
        problems.append('case.toml: routing.formed = false, expected routing.tree = "living" with it')
    if radio.tree == "living" and routes is not None:
        problems.append('routes.csv: gives a tree, expected no such file with routing.tree = "living"')
    src, dst = _check_frames(frames, node_ids, routed, radio, duration_s, problems)
    table = None if links is None else _place_links(links, node_ids, problems)
    if problems:
        raise ScenarioError(problems)
    return Case(
        radio=radio, seed=int(seed), duration_s=float(duration_s), node_ids=node_ids, xy_m=xy[order],
        t_ns=np.rint(frames.columns["t_s"] * 1e9).astype(np.int64), src=src, dst=dst,
        psdu_bytes=frames.columns["psdu_bytes"], sinks=sinks, routed=routed, formed=bool(formed),
        links=table, parents=parents,
    )  # fmt: skip


_BYTES_A_ROW = {"nodes": memory.NODE_BYTES, "frames": memory.FRAME_BYTES, "links": memory.LINK_BYTES, "routes": 50}


def _check_memory(case_dir: Path) -> None:
    """Refuse a case that will not fit, before it is read."""
    free = memory.available_bytes()
    sizes = {stem: path.stat().st_size for stem in _BYTES_A_ROW if (path := case_dir / f"{stem}.csv").is_file()}
    need = sum(sizes.values())
    rows: dict[str, int] = {}
    if need <= free:
        rows = {stem: _lines(case_dir / f"{stem}.csv") for stem in sizes}
        need += sum(_BYTES_A_ROW[stem] * count for stem, count in rows.items())
    if need > free:
        held = ", ".join(f"{stem}.csv {rows[stem]:,} lines" if rows else f"{stem}.csv {size / 1e9:,.1f} GB"
                         for stem, size in sizes.items())  # fmt: skip
        raise InputError(
            f"{case_dir}: {held}: needs about {need / 1e9:,.1f} GB of memory, {free / 1e9:,.1f} GB are free; "
            "cut the case in parts where radio does not reach, or take a machine with more memory"
        )


def _lines(path: Path) -> int:
    with open(path, "rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 24), b""))


def _read_toml(path: Path, problems: list[str]) -> dict[str, Any]:
    if not path.is_file():
        what = "is no file" if path.exists() else "no such file"
        problems.append(f"{path.name}: {what} in {path.parent}, expected one with duration_s and a table [phy]")
        return {}
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as problem:
        problems.append(f"{path.name}: not TOML ({problem})")
        return {}
    for key, value in settings.items():
        if key not in _TOP_KEYS:
            problems.append(f"case.toml: {key} = {value!r}, expected one of {', '.join(_TOP_KEYS)}")
    return settings


def _setting(settings: Mapping[str, Any], key: str, default: Any, problems: list[str], whole: bool = False) -> Any:
    """Return a number from the top of case.toml."""
    value = settings.get(key, default)
    good = isinstance(value, int) or (isinstance(value, float) and not whole and math.isfinite(value))
    limit = 1 << 63 if whole else 1e9
    if isinstance(value, bool) or not good or not (0 <= value < limit) or (key == "duration_s" and value == 0):
        kind = "a whole number, 0 or more" if whole else "seconds, above 0 and below 1e9"
        given = f" = {value!r}" if key in settings else " is missing"
        problems.append(f"case.toml: {key}{given}, expected {kind}")
        return default if default is not None else 1.0
    return value


def _read_radio(settings: Mapping[str, Any], problems: list[str]) -> Radio:
    """Return the radio of [phy], [mac], [path_loss] and [routing]; a default one where they are wrong."""
    overrides: dict[str, Any] = {}
    tables = {"phy": _PHY_KEYS, "mac": _MAC_KEYS, "path_loss": _PATH_KEYS, "routing": _ROUTING_KEYS}
    other = {"phy": ("profile",), "routing": ("sinks", "metric", "formed")}
    where: dict[str, str] = {}
    for table, keys in tables.items():
        for key, value in _table(settings, table, problems).items():
            if key in keys:
                overrides[key] = value
                where[key] = table
            elif key not in other.get(table, ()):
                expected = ", ".join((*other.get(table, ()), *keys))
                problems.append(f"case.toml: {table}.{key} = {value!r}, expected one of {expected}")
    name = _table(settings, "phy", []).get("profile")
    if name not in PROFILES:
        given = "is missing" if name is None else f"= {name!r}"
        problems.append(f"case.toml: phy.profile {given}, expected one of {', '.join(PROFILES)}")
        name = PROFILES[0]
    try:
        return profile(name, **overrides)
    except InputError as found:
        for line in str(found).splitlines():
            key = line.split(" ", 1)[0]
            problems.append(f"case.toml: {where.get(key, 'phy')}.{line}")
        return profile(name)


def _table(settings: Mapping[str, Any], name: str, problems: list[str]) -> dict[str, Any]:
    value = settings.get(name, {})
    if isinstance(value, dict):
        return value
    problems.append(f"case.toml: {name} = {value!r}, expected a table [{name}]")
    return {}


def _read_optional(path: Path, kinds: Mapping[str, type], problems: list[str]) -> Columns | None:
    return read_columns(path, kinds, problems) if path.exists() else None


def _index_nodes(nodes: Columns, placed: bool, problems: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the sorted node ids and the rows they stand in; results so depend on ids, not on the file's order.

    ``placed``: positions count, because no link table replaces them.
    """
    ids = nodes.columns["node"]
    node_ids, order = np.unique(ids, return_index=True)
    nodes.report(problems, np.flatnonzero(ids < 0), lambda row: f"node = {ids[row]}, expected 0 or more")
    again = np.ones(ids.size, bool)
    again[order] = False
    nodes.report(problems, np.flatnonzero(again), lambda row: (
        f"node = {ids[row]} is there already (line {nodes.lines[order[np.searchsorted(node_ids, ids[row])]]}), "
        "expected each node once"))  # fmt: skip
    limit = checks.MAX_POSITION_M
    for key in ("x_m", "y_m"):
        column = nodes.columns[key]
        nodes.report(problems, np.flatnonzero(np.abs(column) > limit),
                     lambda row, key=key, column=column:  # type: ignore[misc]
                     f"{key} = {column[row]:g}, expected -{limit:g} to {limit:g}")  # fmt: skip
    if placed:
        x_m, y_m = nodes.columns["x_m"], nodes.columns["y_m"]
        crowd = checks.largest_crowd(np.rint(x_m * 1000), np.rint(y_m * 1000))
        if crowd.size:
            row = crowd[0]
            problems.append(f"{nodes.at(row)}: {checks.crowd_text(crowd.size, x_m[row], y_m[row])}")
    if ids.size == 0 and not any(p.startswith("nodes.csv") for p in problems):
        problems.append("nodes.csv: no nodes, expected at least one")
    return node_ids, order


def _places(
    file: Columns, key: str, node_ids: NDArray[np.int64], problems: list[str], *,
    others: tuple[int, ...] = (), why: str = "",
) -> NDArray[np.int64]:  # fmt: skip
    """Return positions of the nodes named in a column; ``others`` stand for themselves, the rest is a problem."""
    column = file.columns[key]
    if node_ids.size == 0:
        return np.full(column.size, -1, np.int64)
    at = np.minimum(np.searchsorted(node_ids, column), node_ids.size - 1)
    found = node_ids[at] == column
    allowed = " or ".join(["a node of nodes.csv", *map(str, others)]) + why
    named = np.isin(column, others)
    file.report(problems, np.flatnonzero(~(found | named)),
                lambda row: f"{key} = {column[row]}, expected {allowed}")  # fmt: skip
    return np.where(found, at, np.where(named, column, -1))


def _check_frames(
    frames: Columns, node_ids: NDArray[np.int64], routed: bool, radio: Radio, duration_s: float, problems: list[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    src = _places(frames, "src", node_ids, problems)
    why = "" if routed else " (-1, the nearest sink, needs a table [routing] in case.toml or a routes.csv)"
    dst = _places(frames, "dst", node_ids, problems, others=(-1, -2) if routed else (-2,), why=why)
    t_s, size = frames.columns["t_s"], frames.columns["psdu_bytes"]
    frames.report(problems, np.flatnonzero(~((t_s >= 0) & (t_s < duration_s))),
                  lambda row: f"t_s = {t_s[row]:g}, expected 0 to below duration_s = {duration_s:g}")  # fmt: skip
    frames.report(problems, np.flatnonzero((size < 1) | (size > radio.max_psdu_bytes)),
                  lambda row: f"psdu_bytes = {size[row]}, expected 1 to {radio.max_psdu_bytes}")  # fmt: skip
    frames.report(problems, np.flatnonzero((src == dst) & (src >= 0)),
                  lambda row: f"dst = {frames.columns['dst'][row]}, expected another node than src")  # fmt: skip
    return src, dst


def _place_links(
    links: Columns, node_ids: NDArray[np.int64], problems: list[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    src = _places(links, "src", node_ids, problems)
    dst = _places(links, "dst", node_ids, problems)
    loss = links.columns["loss_db"]
    known = np.flatnonzero((src >= 0) & (dst >= 0))
    again, first = _repeated(src[known] * max(node_ids.size, 1) + dst[known])
    first_of = dict(zip(known[again].tolist(), known[first].tolist(), strict=True))
    links.report(problems, known[again], lambda row: (
        f"link {links.columns['src'][row]} to {links.columns['dst'][row]} is there already "
        f"(line {links.lines[first_of[row]]}), expected each once"))  # fmt: skip
    links.report(problems, np.flatnonzero((src == dst) & (src >= 0)),
                 lambda row: f"dst = {links.columns['dst'][row]}, expected another node than src")  # fmt: skip
    links.report(problems, np.flatnonzero(np.abs(loss) > 400),
                 lambda row: f"loss_db = {loss[row]:g}, expected -400 to 400")  # fmt: skip
    return src, dst, loss


def _repeated(keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the places of keys that stood before, and for each of them where first."""
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    again = np.flatnonzero(first[inverse] != np.arange(keys.size))
    return again, first[inverse][again]


def _read_tree(
    settings: Mapping[str, Any], routes: Columns | None, node_ids: NDArray[np.int64], problems: list[str]
) -> tuple[NDArray[np.int64] | None, NDArray[np.int64]]:
    """Return (parents or None, sinks) from routes.csv or [routing]."""
    routing = _table(settings, "routing", problems)
    metric = routing.get("metric", "etx")
    if metric != "etx":
        problems.append(f"case.toml: routing.metric = {metric!r}, expected 'etx'")
    named = routing.get("sinks", [])
    if not isinstance(named, list) or any(type(node) is not int for node in named):
        problems.append(f"case.toml: routing.sinks = {named!r}, expected a list of nodes")
        named = []
    known = set(named) & set(node_ids.tolist()) if named else set()
    strangers = sorted(set(named) - known)
    problems += [f"case.toml: routing.sinks has {node}, expected nodes of nodes.csv" for node in strangers[:SHOWN]]
    if len(strangers) > SHOWN:
        problems.append(f"case.toml: routing.sinks has {len(strangers) - SHOWN:,} more that are no nodes of nodes.csv")
    if len(set(named)) < len(named):
        twice = Counter(named).most_common(1)[0][0]
        problems.append(f"case.toml: routing.sinks has {twice} twice, expected each node once")
    sinks = np.searchsorted(node_ids, np.array(sorted(known), np.int64))
    if routes is None:
        if "routing" in settings and not named:
            problems.append("case.toml: routing.sinks is missing, expected at least one node, or a routes.csv")
        return None, sinks
    return _read_routes(routes, sinks, bool(named), node_ids, problems)


def _read_routes(
    routes: Columns, sinks: NDArray[np.int64], named: bool, node_ids: NDArray[np.int64], problems: list[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (parents, sinks) of routes.csv; nodes it leaves out have no route."""
    node = _places(routes, "node", node_ids, problems)
    parent = _places(routes, "parent", node_ids, problems, others=(-1,))
    ids = routes.columns["node"]
    known = np.flatnonzero(node >= 0)
    again, first = _repeated(node[known])
    first_of = dict(zip(known[again].tolist(), known[first].tolist(), strict=True))
    routes.report(problems, known[again], lambda row: (
        f"node = {ids[row]} is there already (line {routes.lines[first_of[row]]}), "
        "expected each node once"))  # fmt: skip
    parents = np.full(node_ids.size, -1, np.int64)
    parents[node[known]] = parent[known]
    routes.report(problems, _loops(node, parents),
                  lambda row: f"node = {ids[row]} is on or below a loop, expected a tree")  # fmt: skip
    fixed = np.unique(node[(routes.columns["parent"] == -1) & (node >= 0)])
    if named and not np.array_equal(fixed, sinks):
        problems.append("routes.csv: its nodes with parent -1 are not those of routing.sinks, expected the same")
    if fixed.size == 0:
        problems.append("routes.csv: no node has parent -1, expected at least one sink")
    return parents, fixed


def _loops(node: NDArray[np.int64], parents: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows of nodes whose way up never ends."""
    up = np.append(np.where(parents < 0, parents.size, parents), parents.size)
    for _ in range(parents.size.bit_length()):
        up = up[up]
    return np.flatnonzero((node >= 0) & (up[node] != parents.size))
