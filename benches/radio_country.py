"""61.05 M meters, 30-minute collection, on two cores and 24 GB: the country in shards where radio does not reach.

Towns further apart than the interference reach do not exist for each other, so running them one by one gives what
running them together would, in the memory of those that run at once: one a core, each in a process of its own.
--shard sets the size of a town; --shard 61050000 --at-once 1 is one plane. The value is half an hour over the wall
time of all runs, shared by those at once; set-up is reported beside it. Without --all, --measured shards
are run and the rest counted at their mean.
"""

from __future__ import annotations

import argparse
import math
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import radio_bench as rb

ROW = rb.Row("61.05 M meters, 30-minute collection, two cores, 24 GB", "x real time", 1, 8)
METERS = 61_050_000


def measure(nodes: int, seed: int, threads: int) -> dict[str, Any]:
    """Return the cost of one shard."""
    with rb.Clock() as setup:
        mesh, ids = rb.town(nodes, seed, threads=threads)
    with rb.Clock() as clock:
        rb.collect(mesh, rb.readings(ids, seed + 1000), rb.PERIOD_S)
    counts = mesh.counters()
    return {"seed": seed, "nodes": nodes, "threads": threads, "setup_wall_s": round(setup.wall_s, 2),
            "wall_s": round(clock.wall_s, 2),
            "cpu_s": round(clock.cpu_s, 2), "on_air_frames": rb.on_air(mesh), "delivered": counts["delivered"],
            "injected": counts["injected"], "peak_gb": round(rb.memory_bytes("VmHWM") / 1e9, 2)}  # fmt: skip


def main(given: argparse.Namespace) -> tuple[list[rb.Measured], list[dict[str, Any]]]:
    """Measure some or all shards."""
    shard = min(given.shard, METERS) if not given.quick else 100_000
    count = math.ceil(METERS / shard)
    wanted = count if given.all else min(given.measured, count)
    run = partial(rb.apart, __file__, "measure", threads=given.threads)
    cases = []
    with ThreadPoolExecutor(given.at_once) as pool:
        for case in pool.map(lambda k: run(nodes=min(shard, METERS - k * shard), seed=k + 1), range(wanted)):
            cases.append(case)
            print(case, flush=True)
    run_s = sum(case["wall_s"] for case in cases) / wanted * count / given.at_once
    setup_s = sum(case["setup_wall_s"] for case in cases) / wanted * count / given.at_once
    told = "all" if wanted == count else f"{wanted} of {count} shards run, the rest at their mean"
    memory_gb = given.at_once * max(case["peak_gb"] for case in cases)
    remark = (f"{told}, {given.at_once} at once; set-up {setup_s:,.0f} s, run {run_s:,.0f} s; "
              f"most memory {memory_gb:.2f} GB")  # fmt: skip
    return [(ROW, rb.PERIOD_S / run_s, remark)], cases


def options(parser: argparse.ArgumentParser) -> None:
    """Add the shards."""
    parser.add_argument("--shard", type=int, default=3_052_500, help="meters a shard  [default: a twentieth]")
    parser.add_argument("--measured", type=int, default=2, help="shards to run without --all")
    parser.add_argument("--at-once", type=int, default=os.cpu_count(), help="shards  [default: one a core]")
    parser.add_argument("--threads", type=int, default=1, help="of each  [default: 1]")
    parser.add_argument("--all", action="store_true", help="run every shard")


if __name__ == "__main__":
    rb.bench(__doc__ or "", main, options)
