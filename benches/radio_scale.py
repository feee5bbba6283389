"""Time the radio engine in both forms: growth with size at one density, quiet collection, the storm of a million.

Usage: python benches/radio_scale.py [--sizes 1000 10000 100000 1000000] [--forms cells plain] [--budget-s 20]
           [--no-instructions] [--out benches/results/radio_scale.json]

Every case runs until its simulated time or its CPU budget is over, whichever comes first; what it costs is given per
frame on air, so cases that were cut short can be compared. A storm of N: a third of N nodes at 10,000 per km2, nearest
to the middle, lose the mains and offer a Last Gasp up to 5 times, as in the twin's feeder_fault.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import gpu

DENSITY_PER_KM2 = 10_000  # the twin's 1,000,000 meters
NODES_PER_SINK = 500
DARK_SHARE = 0.348626
WINDOW_NS = {"storm": 10**8, "quiet": 10**10}  # a window's worst cost is what a twin in real time has to bear


def build(nodes: int, form: str, seed: int = 1) -> tuple[gpu.Mesh, np.ndarray]:
    """Return a mesh of uniform nodes, and the ids of its nodes but the sinks, nearest to the middle first."""
    draw = np.random.default_rng(seed)
    xy = draw.uniform(0, math.sqrt(nodes / DENSITY_PER_KM2) * 1000, (nodes, 2))
    sinks = draw.choice(nodes, max(1, nodes // NODES_PER_SINK), replace=False)
    mesh = gpu.Mesh.build(xy, sinks, gpu.profile("fsk-100k-920"), seed, form=form)
    ids = np.setdiff1d(np.arange(nodes), sinks)
    return mesh, ids[np.argsort(np.hypot(*(xy[ids] - xy.mean(axis=0)).T), kind="stable")]


def load_storm(mesh: gpu.Mesh, ids: np.ndarray) -> float:
    """Let a third of the nodes gasp within 20 s; return the simulated seconds to run."""
    draw = np.random.default_rng(2)
    dark = ids[: int(mesh.size * DARK_SHARE)]
    mesh.inject(draw.integers(0, 20 * 10**9, dark.size), dark, -1, 147, max_offers=5, reoffer_min_ns=10**9,
                reoffer_max_ns=10**10)  # fmt: skip
    mesh.power_off(dark, 0, draw.integers(5 * 10**8, 6 * 10**9, dark.size))
    return 30.0


def load_quiet(mesh: gpu.Mesh, ids: np.ndarray) -> float:
    """Let every node send a reading within 30 minutes; return the simulated seconds to run."""
    mesh.inject(np.random.default_rng(2).integers(0, 1800 * 10**9, ids.size), ids, -1, 147)
    return 300.0


LOADS = {"storm": load_storm, "quiet": load_quiet}


def measure(load: str, nodes: int, form: str, budget_s: float) -> dict[str, Any]:
    """Build, run and return what it cost."""
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    cpu = time.process_time()
    mesh, ids = build(nodes, form)
    build_s = time.process_time() - cpu
    end_s = LOADS[load](mesh, ids)
    cpu, worst = time.process_time(), 0.0
    for window in range(1, int(end_s * 1e9) // WINDOW_NS[load] + 1):
        start = time.process_time()
        mesh.run_until(window * WINDOW_NS[load])
        worst = max(worst, time.process_time() - start)
        if time.process_time() - cpu > budget_s:
            break
    run_s = time.process_time() - cpu
    counts = mesh.counters()
    frames = counts["tx_data"] + counts["tx_ack"]
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb
    return {
        "load": load, "form": form, "nodes": nodes, "build_cpu_s": round(build_s, 2), "simulated_s": mesh.now_ns / 1e9,
        "run_cpu_s": round(run_s, 2), "events": counts["events"], "on_air_frames": frames,
        "us_per_frame": round(run_s / max(frames, 1) * 1e6, 2), "times_real_time": round(mesh.now_ns / 1e9 / run_s, 3),
        "worst_window_cpu_s": round(worst, 4), "peak_bytes_per_node": grown_kb * 1024 // nodes,
        "digest": mesh.digest(), "load_average": round(os.getloadavg()[0], 2),
    }  # fmt: skip


def measure_apart(*case: Any) -> dict[str, Any]:
    """Measure in a process of its own, so that memory is the case's own."""
    done = subprocess.run([sys.executable, __file__, "--case", json.dumps(case)], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def instructions(load: str, nodes: int, form: str, simulated_s: float) -> float | None:
    """Return the engine's instructions a frame on air under callgrind; None where valgrind is missing."""
    if shutil.which("valgrind") is None:
        return None
    script = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import radio_scale as r;"
        f"m, ids = r.build({nodes}, {form!r}); r.LOADS[{load!r}](m, ids); m.run_until({int(simulated_s * 1e9)});"
        "c = m.counters(); print(c['tx_data'] + c['tx_ack'])"
    )
    with tempfile.TemporaryDirectory() as work:
        command = ["valgrind", "--tool=callgrind", "--toggle-collect=*Mesh::run_until*",
                   f"--callgrind-out-file={work}/out", sys.executable, "-c", script]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    collected = re.search(r"Collected : (\d+)", done.stderr)
    return None if collected is None else round(int(collected[1]) / int(done.stdout.split()[-1]))


def exponents(results: list[dict[str, Any]]) -> dict[str, float]:
    """Return, for each load and form, the exponent of the cost of a frame between its smallest and largest case."""
    found = {}
    for load, form in sorted({(r["load"], r["form"]) for r in results}):
        cases = sorted((r for r in results if (r["load"], r["form"]) == (load, form)), key=lambda r: int(r["nodes"]))
        small, large = cases[0], cases[-1]
        if small["nodes"] < large["nodes"]:
            rise = math.log(large["us_per_frame"] / small["us_per_frame"])
            found[f"{load}, {form}"] = round(rise / math.log(large["nodes"] / small["nodes"]), 2)
    return found


def main() -> None:
    """Run the cases asked for, print and store them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--forms", nargs="+", default=["cells", "plain"])
    parser.add_argument("--budget-s", type=float, default=20.0)
    parser.add_argument("--no-instructions", action="store_true")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.case:
        print(json.dumps(measure(*json.loads(given.case))))
        return
    build(1, "cells")  # compiles, if need be
    results = []
    for load in LOADS:
        for nodes in given.sizes:
            for form in given.forms:
                results.append(measure_apart(load, nodes, form, given.budget_s))
                print(json.dumps(results[-1]), flush=True)
    counted = {}
    if not given.no_instructions:
        counted = {f"{load}, {form}, {n} nodes": instructions(load, n, form, end_s) for form in given.forms
                   for load, n, end_s in (("storm", 10_000, 1), ("quiet", 10_000, 20))}  # fmt: skip
    report = {
        "command": "python benches/radio_scale.py", "python": platform.python_version(), "cores": os.cpu_count(),
        "machine": platform.machine(), "conditions": "one thread, CPU seconds, shared machine",
        "density_per_km2": DENSITY_PER_KM2, "budget_s": given.budget_s, "exponent_of_us_per_frame": exponents(results),
        "instructions_per_frame": counted, "cases": results,
    }  # fmt: skip
    print(json.dumps({key: report[key] for key in ("exponent_of_us_per_frame", "instructions_per_frame")}))
    if given.out:
        given.out.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
