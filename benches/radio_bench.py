"""What the radio benches share: layouts, loads, clocks, and the head of a result file.

Two worlds. The *validation field* is that of ns-3: 2.4 GHz, 25 neighbours within 60 m, a frame a node to one of them
within W, signals below -120 dBm do not exist. The *town* is the product: Wi-SUN FSK at 100 kb/s, 10,000 nodes a km2
(the twin's density at a million meters), a sink for 500, frames along the tree.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

import gpu
from gpu.native import engine, engine_key

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benches" / "results"
DENSITY_PER_KM2 = 10_000
NODES_PER_SINK = 500
READING_BYTES, GASP_BYTES = 152, 147  # DOMAIN 2.3: PSDU of a 30-minute reading and of a Last Gasp
PERIOD_S = 1800
CORES = os.cpu_count() or 1


@dataclass
class Clock:
    """Wall and CPU seconds of a block."""

    wall_s: float = 0.0
    cpu_s: float = 0.0

    def __enter__(self) -> Clock:
        self._start = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall_s += time.perf_counter() - self._start[0]
        self.cpu_s += time.process_time() - self._start[1]


def build(
    xy_m: np.ndarray, sinks: Any, radio: gpu.Radio, seed: int, threads: int | None = None, **more: Any
) -> gpu.Mesh:
    """Return a mesh, with this many threads, or the default."""
    if threads is not None:
        more["threads"] = threads
    return gpu.Mesh.build(xy_m, sinks, radio, seed, **more)


# ---------------------------------------------------------------------------------------------- validation field

Plan = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # xy_m, t_ns, src, dst


def field_plan(nodes: int, window_s: float, seed: int) -> Plan:
    """Return (xy_m, t_ns, src, dst): a frame a node to a random neighbour within 60 m, else to the nearest node."""
    draw = np.random.default_rng(seed)
    xy = np.round(draw.uniform(0, math.sqrt(nodes * math.pi * 60**2 / 25), (nodes, 2)), 3)
    tree = cKDTree(xy)
    near = tree.query_ball_point(xy, 60.0)
    nearest = tree.query(xy, 2)[1][:, 1]
    pick = draw.random(nodes)
    dst = np.empty(nodes, np.int64)
    for node, around in enumerate(near):
        others = [other for other in around if other != node]
        dst[node] = others[int(pick[node] * len(others))] if others else nearest[node]
    return xy, draw.integers(0, int(window_s * 1e6), nodes) * 1000, np.arange(nodes), dst


def field_mesh(plan: Plan, seed: int, cut_dbm: float = -120.0, **more: Any) -> gpu.Mesh:
    """Return a mesh of a plan with its frames injected."""
    xy, t_ns, src, dst = plan
    radio = gpu.profile("oqpsk-250k-2450", interference_cut_dbm=cut_dbm, queue_frames=1000)
    mesh = build(xy, [], radio, seed, route=False, **more)
    mesh.inject(t_ns, src, dst, 100)
    return mesh


def on_air(mesh: gpu.Mesh) -> int:
    """Return the frames put on air so far, data and ACKs."""
    counts = mesh.counters()
    return int(counts["tx_data"] + counts["tx_ack"])


# ------------------------------------------------------------------------------------------------------ town


def town(nodes: int, seed: int = 1, channels: int = 1, **more: Any) -> tuple[gpu.Mesh, np.ndarray]:
    """Return a town's mesh and the ids of its nodes but the sinks, nearest to the middle first."""
    xy, sinks = town_plan(nodes, seed)
    mesh = build(xy, sinks, gpu.profile("fsk-100k-920", channels=channels), seed, **more)
    ids = np.setdiff1d(np.arange(nodes), sinks)
    return mesh, ids[np.argsort(np.hypot(*(xy[ids] - xy.mean(axis=0)).T), kind="stable")]


def town_plan(nodes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return positions [m] and sinks."""
    draw = np.random.default_rng(seed)
    xy = draw.uniform(0, math.sqrt(nodes / DENSITY_PER_KM2) * 1000, (nodes, 2))
    return xy, draw.choice(nodes, max(1, nodes // NODES_PER_SINK), replace=False)


def readings(ids: np.ndarray, seed: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Return when [ns] which node is due with its reading of a half hour, in order of time."""
    draw = np.random.default_rng(seed)
    return np.sort(draw.integers(0, PERIOD_S * 10**9, ids.size)), draw.permutation(ids)


def collect(mesh: gpu.Mesh, due: tuple[np.ndarray, np.ndarray], seconds: int, step_s: int = 60) -> None:
    """Let every node send one reading within each half hour; hand over and forget frames a step at a time."""
    due_ns, src = due
    for start in range(0, seconds, step_s):
        at = slice(*np.searchsorted(due_ns, [start * 10**9, min(start + step_s, seconds) * 10**9]))
        mesh.inject(due_ns[at], src[at], -1, READING_BYTES)
        mesh.run_until(min(start + step_s, seconds) * 10**9)
        mesh.drain()
        mesh.forget_ended()


def gasp(mesh: gpu.Mesh, ids: np.ndarray, window_s: float = 20.0, seed: int = 2) -> None:
    """Take the mains from nodes at 0 and let each gasp within the window, offered up to 5 times while its energy lasts.

    Stored energy is uniform from 0.5 to 6 J, 5 to 60 s of listening: DOMAIN 3.4, capacitors of 0.1 to 0.7 F.
    """
    draw = np.random.default_rng(seed)
    mesh.inject(draw.integers(0, int(window_s * 1e9), ids.size), ids, -1, GASP_BYTES, max_offers=5,
                reoffer_min_ns=10**9, reoffer_max_ns=10**10)  # fmt: skip
    mesh.power_off(ids, 0, draw.integers(5 * 10**8, 6 * 10**9, ids.size))


# ---------------------------------------------------------------------------------------------------- results


def memory_bytes(key: str) -> int:
    """Return VmRSS (now) or VmHWM (the peak) of this process [B]."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {key}")


def apart(file: str, function: str, **arguments: Any) -> Any:
    """Call a function of a bench in a process of its own, so that memory and caches are its own."""
    code = (f"import json, sys; sys.path.insert(0, {str(Path(file).parent)!r}); import {Path(file).stem} as bench; "
            f"print(json.dumps(bench.{function}(**json.loads(sys.argv[1]))))")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code, json.dumps(arguments)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def head() -> dict[str, Any]:
    """Return where and with what a bench runs."""
    model = [line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
             if line.startswith("model name")]  # fmt: skip
    git = [subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True).stdout.strip()
           for words in (("rev-parse", "--short", "HEAD"), ("status", "--porcelain", "gpu"))]  # fmt: skip
    words = [Path(word).name if word.startswith("/") else word for word in sys.argv[1:]]  # no machine's own paths
    return {
        "command": " ".join(["python", f"benches/{Path(sys.argv[0]).name}", *words]),
        "machine": f"{model[0] if model else platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(), "commit": git[0] + ("+" if git[1] else ""),
        "engine": engine_key()[:12], "load_average_before": round(os.getloadavg()[0], 2),
    }  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A row of the speed table: what is measured and what it should come to."""

    name: str
    unit: str
    floor: float
    aim: float
    smaller_is_better: bool = False

    def judge(self, value: float | None) -> str:
        """Return "aim", "floor", "below floor" or "not measured"."""
        if value is None:
            return "not measured"
        sign = -1 if self.smaller_is_better else 1
        return (
            "aim"
            if sign * value >= sign * self.aim
            else "floor"
            if sign * value >= sign * self.floor
            else "below floor"
        )


Measured = tuple[Row, float | None, str]  # the row, its value, remarks


def bench(
    description: str,
    measure: Callable[[argparse.Namespace], tuple[list[Measured], list[dict[str, Any]]]],
    options: Callable[[argparse.ArgumentParser], None] = lambda parser: None,
) -> None:
    """Be a bench's main: read options, measure, print the rows, write benches/results/NAME.json.

    ``measure`` gets the options and returns rows with their values and the single measurements behind them.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="smaller cases: does it run at all?")
    parser.add_argument("--out", type=Path, help="result file  [default: benches/results/NAME.json, none with --quick]")
    options(parser)
    given = parser.parse_args()
    engine()  # compiles, if need be
    top = head()
    rows, cases = measure(given)
    report = top | {
        "load_average_after": round(os.getloadavg()[0], 2), "quick": given.quick,
        "rows": [{"row": row.name, "unit": row.unit, "floor": row.floor, "aim": row.aim,
                  "value": None if value is None else float(f"{value:.4g}"), "reached": row.judge(value),
                  "remark": remark} for row, value, remark in rows],
        "cases": cases,
    }  # fmt: skip
    for row in report["rows"]:
        print(table_line(row), flush=True)
    out = given.out or (None if given.quick else RESULTS / f"{Path(sys.argv[0]).stem}.json")
    if out:
        out.write_text(json.dumps(report, indent=1) + "\n")


def table_line(row: dict[str, Any]) -> str:
    """Return a row of the speed table as text."""
    value = "-" if row["value"] is None else f"{row['value']:,g}"
    remark = f"  ({row['remark']})" if row["remark"] else ""
    return (f"{row['row']:58} {value:>10} {row['unit']:12} floor {row['floor']:>7,g}  aim {row['aim']:>7,g}  "
            f"{row['reached']}{remark}")  # fmt: skip
