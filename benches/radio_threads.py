"""Two threads against one: a storm of 100 k nodes (one channel) and a collection of 1 M, alternating runs, wall time.

Wants a quiet machine: the second core must be free. The digests of both must be equal, or the bench fails.
"""

from __future__ import annotations

import argparse
import statistics
from typing import Any

import radio_bench as rb

ROW = rb.Row("two threads against one, 100 k nodes and more", "x", 1.6, 1.8)


def measure(load: str, nodes: int, threads: int, seconds: int) -> dict[str, Any]:
    """Return wall time and digest of one run."""
    mesh, ids = rb.town(nodes, threads=threads)
    if load == "storm":
        rb.gasp(mesh, ids[: nodes // 3])
    due = rb.readings(ids)
    with rb.Clock() as clock:
        if load == "storm":
            mesh.run_until(seconds * 10**9)
        else:
            rb.collect(mesh, due, seconds)
    return {"load": load, "nodes": nodes, "threads": threads, "wall_s": round(clock.wall_s, 3),
            "cpu_s": round(clock.cpu_s, 3), "digest": mesh.digest()}  # fmt: skip


def main(given: argparse.Namespace) -> tuple[list[rb.Measured], list[dict[str, Any]]]:
    """Measure both loads."""
    loads = [("storm", 100_000, 2)] if given.quick else [("storm", 100_000, 4), ("collection", 1_000_000, 600)]
    cases: list[dict[str, Any]] = []
    gains = []
    for load, nodes, seconds in loads:
        runs: dict[int, list[dict[str, Any]]] = {threads: [] for threads in (1, 2)}
        for _ in range(1 if given.quick else given.rounds):
            for threads, done in runs.items():
                done.append(rb.apart(__file__, "measure", load=load, nodes=nodes, threads=threads, seconds=seconds))
        cases += runs[1] + runs[2]
        if len({case["digest"] for case in runs[1] + runs[2]}) > 1:
            raise SystemExit(f"{load}: one and two threads give different digests")
        one, two = (statistics.median(case["wall_s"] for case in runs[threads]) for threads in (1, 2))
        gains.append((load, one / two))
    remark = "; ".join(f"{load} {gain:.2f} x" for load, gain in gains)
    return [(ROW, min(gain for _, gain in gains), remark)], cases


def options(parser: argparse.ArgumentParser) -> None:
    """Add the rounds."""
    parser.add_argument("--rounds", type=int, default=3)


if __name__ == "__main__":
    rb.bench(__doc__ or "", main, options)
