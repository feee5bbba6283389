"""The files of a radio case: case.toml, nodes.csv, frames.csv, optional links.csv and routes.csv.

Everything is read and checked before anything runs, and every problem is reported at once with its place.
"""

from __future__ import annotations

import csv
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu.radio import PROFILES, Radio, profile
from teiden.errors import InputError, ScenarioError

_PHY_KEYS = (
    "tx_power_dbm", "sensitivity_dbm", "noise_dbm", "cca_threshold_dbm", "symbol_us", "bit_rate_bps", "header_bytes",
    "fcs_bytes", "ack_bytes", "max_psdu_bytes", "capture", "chunks", "interference_cut_dbm", "lock_sinr_db", "channels",
    "dwell_us", "broadcast_interval_us", "broadcast_dwell_us", "lock_history_us",
)  # fmt: skip
_MAC_KEYS = (
    "min_be", "max_be", "max_csma_backoffs", "max_frame_retries", "max_channel_retries", "ack", "unit_backoff_us", "cca_us", "turnaround_us",
    "ack_wait_us", "lifs_us", "queue_frames", "regulation", "burst_limit_us", "pause_us", "airtime_limit_us",
    "airtime_window_us",
)  # fmt: skip
_PATH_KEYS = ("model", "exponent", "reference_db", "reference_m", "shadowing_db")
_ROUTING_KEYS = ("route_margin_db", "route_psdu_bytes", "max_link_etx")
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
    links: tuple[NDArray, NDArray, NDArray] | None
    parents: NDArray[np.int64] | None  # (N,)


def read_case(case_dir: Path) -> Case:
    """Read a case folder; ScenarioError lists every problem as ``file: key = value, expected ...``."""
    if not case_dir.is_dir():
        raise InputError(f"{case_dir}: no such folder, expected one with case.toml, nodes.csv and frames.csv")
    problems: list[str] = []
    settings = _read_toml(case_dir / "case.toml", problems)
    radio = _read_radio(settings, problems)
    seed = _setting(settings, "seed", 1, problems, whole=True)
    duration_s = _setting(settings, "duration_s", None, problems)

    nodes = _read_csv(case_dir / "nodes.csv", {"node": int, "x_m": float, "y_m": float}, problems)
    node_ids, order = _index_nodes(nodes, problems)
    xy = np.column_stack([nodes.columns["x_m"], nodes.columns["y_m"]]).astype(float)
    frames = _read_csv(case_dir / "frames.csv", {"t_s": float, "src": int, "dst": int, "psdu_bytes": int}, problems)
    links = _read_optional(case_dir / "links.csv", {"src": int, "dst": int, "loss_db": float}, problems)
    routes = _read_optional(case_dir / "routes.csv", {"node": int, "parent": int}, problems)

    place = {int(node): i for i, node in enumerate(node_ids)}
    parents, sinks = _read_tree(settings, routes, place, problems)
    routed = "routing" in settings or routes is not None
    src, dst = _check_frames(frames, place, routed, radio, duration_s, problems)
    table = None if links is None else _place_links(links, place, problems)
    if problems:
        raise ScenarioError(problems)
    return Case(
        radio=radio, seed=int(seed), duration_s=float(duration_s), node_ids=node_ids, xy_m=xy[order],
        t_ns=np.rint(frames.columns["t_s"] * 1e9).astype(np.int64), src=src, dst=dst,
        psdu_bytes=frames.columns["psdu_bytes"], sinks=sinks, routed=routed, links=table, parents=parents,
    )  # fmt: skip


@dataclass
class _Columns:
    """A CSV file's columns and the line each row stood on."""

    name: str
    columns: dict[str, NDArray]
    lines: NDArray[np.int64]

    def at(self, row: int | np.integer) -> str:
        """Return the place of a row."""
        return f"{self.name} line {self.lines[row]}"


def _read_toml(path: Path, problems: list[str]) -> dict[str, Any]:
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        problems.append(f"{path.name}: no such file in {path.parent}")
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
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
    other = {"phy": ("profile",), "routing": ("sinks", "metric")}
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


def _read_optional(path: Path, kinds: Mapping[str, type], problems: list[str]) -> _Columns | None:
    return _read_csv(path, kinds, problems) if path.exists() else None


def _read_csv(path: Path, kinds: Mapping[str, type], problems: list[str]) -> _Columns:
    """Read the named columns of a CSV file; a row with a problem is reported and left out."""
    rows: list[list[float]] = []
    lines: list[int] = []
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            missing = [key for key in kinds if key not in (reader.fieldnames or [])]
            if missing:
                problems.append(f"{path.name}: columns {', '.join(missing)} missing, expected {','.join(kinds)}")
                return _Columns(path.name, {k: np.empty(0, kind) for k, kind in kinds.items()}, np.empty(0, np.int64))
            for row in reader:
                values = [
                    _cell(path.name, reader.line_num, key, row[key], kind, problems) for key, kind in kinds.items()
                ]
                good = [v for v in values if v is not None]
                if len(good) == len(values):
                    rows.append(good)
                    lines.append(reader.line_num)
    except FileNotFoundError:
        problems.append(f"{path.name}: no such file in {path.parent}")
    except (UnicodeDecodeError, csv.Error) as problem:
        problems.append(f"{path.name}: not a CSV file ({problem})")
    columns = {
        key: np.array([row[i] for row in rows], np.int64 if kind is int else np.float64)
        for i, (key, kind) in enumerate(kinds.items())
    }
    return _Columns(path.name, columns, np.array(lines, np.int64))


def _cell(name: str, line: int, key: str, text: str | None, kind: type, problems: list[str]) -> float | None:
    try:
        value = kind(text)
        if math.isfinite(value) and abs(value) < 1 << 53:
            return float(value) if kind is float else value
    except (TypeError, ValueError):
        pass
    expected = "a whole number" if kind is int else "a finite number"
    problems.append(f"{name} line {line}: {key} = {text!r}, expected {expected}")
    return None


def _index_nodes(nodes: _Columns, problems: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the sorted node ids and the rows they stand in; results so depend on ids, not on the file's order."""
    ids = nodes.columns["node"]
    node_ids, order = np.unique(ids, return_index=True)
    for row in np.flatnonzero(ids < 0).tolist():
        problems.append(f"{nodes.at(row)}: node = {ids[row]}, expected 0 or more")
    for row in sorted(set(range(ids.size)) - set(order.tolist())):
        first = nodes.lines[order[np.searchsorted(node_ids, ids[row])]]
        problems.append(f"{nodes.at(row)}: node = {ids[row]} is there already (line {first}), expected each node once")
    for key in ("x_m", "y_m"):
        for row in np.flatnonzero(np.abs(nodes.columns[key]) > 1e6).tolist():
            problems.append(f"{nodes.at(row)}: {key} = {nodes.columns[key][row]:g}, expected -1e6 to 1e6")
    if ids.size == 0 and not any(p.startswith("nodes.csv") for p in problems):
        problems.append("nodes.csv: no nodes, expected at least one")
    return node_ids, order


def _places(
    file: _Columns, key: str, place: Mapping[int, int], problems: list[str], others: tuple[int, ...] = ()
) -> NDArray[np.int64]:
    """Return positions of the nodes named in a column; ``others`` stand for themselves, the rest is a problem."""
    out = np.full(file.columns[key].size, -1, np.int64)
    for row, node in enumerate(file.columns[key].tolist()):
        if node in place:
            out[row] = place[node]
        elif node in others:
            out[row] = node
        else:
            allowed = " or ".join(["a node of nodes.csv", *map(str, others)])
            problems.append(f"{file.at(row)}: {key} = {node}, expected {allowed}")
    return out


def _check_frames(
    frames: _Columns, place: Mapping[int, int], routed: bool, radio: Radio, duration_s: float, problems: list[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    src = _places(frames, "src", place, problems)
    dst = _places(frames, "dst", place, problems, (-1, -2) if routed else (-2,))
    for row, t_s in enumerate(frames.columns["t_s"]):
        if not 0 <= t_s < duration_s:
            problems.append(f"{frames.at(row)}: t_s = {t_s:g}, expected 0 to below duration_s = {duration_s:g}")
    for row, size in enumerate(frames.columns["psdu_bytes"]):
        if not 1 <= size <= radio.max_psdu_bytes:
            problems.append(f"{frames.at(row)}: psdu_bytes = {size}, expected 1 to {radio.max_psdu_bytes}")
    for row in np.flatnonzero((src == dst) & (src >= 0)).tolist():
        problems.append(f"{frames.at(row)}: dst = {frames.columns['dst'][row]}, expected another node than src")
    return src, dst


def _place_links(
    links: _Columns, place: Mapping[int, int], problems: list[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    src = _places(links, "src", place, problems)
    dst = _places(links, "dst", place, problems)
    loss = links.columns["loss_db"]
    seen: dict[tuple[int, int], int] = {}
    for row, pair in enumerate(zip(src.tolist(), dst.tolist(), strict=True)):
        if min(pair) >= 0 and seen.setdefault(pair, row) != row:
            a, b = links.columns["src"][row], links.columns["dst"][row]
            problems.append(f"{links.at(row)}: link {a} to {b} is there already (line {links.lines[seen[pair]]})")
        if abs(loss[row]) > 400:
            problems.append(f"{links.at(row)}: loss_db = {loss[row]:g}, expected -400 to 400")
    return src, dst, loss


def _read_tree(
    settings: Mapping[str, Any], routes: _Columns | None, place: Mapping[int, int], problems: list[str]
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
    for node in named:
        if node not in place:
            problems.append(f"case.toml: routing.sinks has {node}, expected nodes of nodes.csv")
    if len(set(named)) < len(named):
        problems.append(f"case.toml: routing.sinks = {named!r}, expected each node once")
    sinks = np.array(sorted(place[node] for node in set(named) if node in place), np.int64)
    if routes is None:
        if "routing" in settings and not named:
            problems.append("case.toml: routing.sinks is missing, expected at least one node, or a routes.csv")
        return None, sinks
    return _read_routes(routes, sinks, bool(named), place, problems)


def _read_routes(
    routes: _Columns, sinks: NDArray[np.int64], named: bool, place: Mapping[int, int], problems: list[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return (parents, sinks) of routes.csv; nodes it leaves out have no route."""
    node = _places(routes, "node", place, problems)
    parent = _places(routes, "parent", place, problems, (-1,))
    parents = np.full(len(place), -1, np.int64)
    seen: dict[int, int] = {}
    for row, child in enumerate(node.tolist()):
        if child >= 0 and seen.setdefault(child, row) != row:
            first = routes.lines[seen[child]]
            problems.append(f"{routes.at(row)}: node = {routes.columns['node'][row]} is there already (line {first})")
        parents[child] = parent[row]
    for row in _loops(node, parents):
        problems.append(
            f"{routes.at(row)}: node = {routes.columns['node'][row]} is on or below a loop, expected a tree"
        )
    fixed = np.sort(node[(routes.columns["parent"] == -1) & (node >= 0)])
    if named and not np.array_equal(fixed, sinks):
        problems.append("routes.csv: its nodes with parent -1 are not those of routing.sinks, expected the same")
    if fixed.size == 0:
        problems.append("routes.csv: no node has parent -1, expected at least one sink")
    return parents, fixed


def _loops(node: NDArray[np.int64], parents: NDArray[np.int64]) -> list[int]:
    """Return the rows of nodes whose way up never ends."""
    up = np.append(np.where(parents < 0, parents.size, parents), parents.size)
    for _ in range(parents.size.bit_length()):
        up = up[up]
    return [row for row, child in enumerate(node.tolist()) if child >= 0 and up[child] != parents.size]
