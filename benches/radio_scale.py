"""Time the reference engine: build a mesh and run a Last Gasp storm, at 20,000 and 1,000,000 nodes.

Usage: python benches/radio_scale.py [--nodes N --senders M --window-s W] [--out benches/results/radio_scale.json]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np

import gpu

DENSITY_PER_KM2 = 3000  # ENGINE.md section 2
NODES_PER_SINK = 500


def plan(nodes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return uniform positions [m] and hash-like sinks."""
    draw = np.random.default_rng(seed)
    side_m = math.sqrt(nodes / DENSITY_PER_KM2) * 1000
    return draw.uniform(0, side_m, (nodes, 2)), draw.choice(nodes, nodes // NODES_PER_SINK, replace=False)


def storm(nodes: int, senders: int, window_s: float, seed: int = 1) -> dict[str, Any]:
    """Build, let the senders nearest to the middle gasp within the window, and run until nearly all is over."""
    xy, sinks = plan(nodes, seed)
    wall, cpu = time.perf_counter(), time.process_time()
    mesh = gpu.Mesh.build(xy, sinks, gpu.profile("fsk-100k-920"), seed)
    build_wall, build_cpu = time.perf_counter() - wall, time.process_time() - cpu
    ids = np.setdiff1d(np.arange(nodes), sinks)
    middle = np.hypot(*(xy[ids] - xy.mean(axis=0)).T)
    dark = ids[np.argsort(middle, kind="stable")[:senders]]
    mesh.inject(np.random.default_rng(seed + 1).integers(0, int(window_s * 1e9), dark.size), dark, -1, 147)
    wall, cpu = time.perf_counter(), time.process_time()
    mesh.run_until(int((window_s + 10) * 1e9))
    counts = mesh.counters()
    on_air = counts["tx_data"] + counts["tx_ack"]
    run_cpu = time.process_time() - cpu
    return {
        "nodes": nodes, "senders": int(dark.size), "window_s": window_s, "hops_mean": round(float(mesh.hops.mean()), 2),
        "build_wall_s": round(build_wall, 2), "build_cpu_s": round(build_cpu, 2),
        "run_wall_s": round(time.perf_counter() - wall, 2), "run_cpu_s": round(run_cpu, 2),
        "events": counts["events"], "on_air_frames": on_air, "us_per_on_air_frame": round(run_cpu / on_air * 1e6, 2),
        "delivery": counts["delivered"] / counts["injected"], "digest": mesh.digest(),
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }  # fmt: skip


def main() -> None:
    """Run the storms asked for and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int)
    parser.add_argument("--senders", type=int)
    parser.add_argument("--window-s", type=float, default=20.0)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    sizes = [(20_000, 20_000, 10.0), (1_000_000, 150_000, 20.0)]
    if given.nodes:
        sizes = [(given.nodes, given.senders or given.nodes, given.window_s)]
    gpu.Mesh.build([[0.0, 0.0]], [0], gpu.profile("fsk-100k-920"), 1)  # compiles, if need be
    results = []
    for size in sizes:
        results.append({**storm(*size), "load_average": os.getloadavg()[0]})
        print(json.dumps(results[-1]), flush=True)
    if given.out:
        given.out.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
