"""1 M meters send a reading each half hour: how many times faster than real time, with one thread and with all cores.

The better one counts. When who is due was drawn before; handing over, draining and forgetting frames is in the time.
"""

from __future__ import annotations

import argparse
from typing import Any

import radio_bench as rb

ROW = rb.Row("1 M meters, 30-minute collection, two cores", "x real time", 200, 500)


def measure(nodes: int, seconds: int, threads: int) -> dict[str, Any]:
    """Return what the collection cost."""
    mesh, ids = rb.town(nodes, threads=threads)
    due = rb.readings(ids)
    with rb.Clock() as clock:
        rb.collect(mesh, due, seconds)
    counts = mesh.counters()
    return {
        "nodes": nodes, "threads": threads, "simulated_s": seconds, "wall_s": round(clock.wall_s, 3),
        "cpu_s": round(clock.cpu_s, 3),
        "times_real_time": seconds / clock.wall_s, "on_air_frames": rb.on_air(mesh), "events": counts["events"],
        "us_per_frame_cpu": round(clock.cpu_s / rb.on_air(mesh) * 1e6, 3),
        "delivered_share": round(counts["delivered"] / counts["injected"], 5), "digest": mesh.digest(),
    }  # fmt: skip


def main(given: argparse.Namespace) -> tuple[list[rb.Measured], list[dict[str, Any]]]:
    """Measure the whole half hour."""
    nodes = given.nodes or (100_000 if given.quick else 1_000_000)
    cases = [rb.apart(__file__, "measure", nodes=nodes, seconds=300 if given.quick else rb.PERIOD_S, threads=threads)
             for threads in sorted({1, given.threads})]  # fmt: skip
    best = max(cases, key=lambda case: case["times_real_time"])
    remark = (f"with {best['threads']} threads; {best['us_per_frame_cpu']} CPU us a frame, "
              f"{best['delivered_share']:.2%} delivered")  # fmt: skip
    return [(ROW, best["times_real_time"], remark)], cases


def options(parser: argparse.ArgumentParser) -> None:
    """Add the number of nodes."""
    parser.add_argument("--nodes", type=int)
    parser.add_argument("--threads", type=int, default=rb.CORES, help="[default: all cores]")


if __name__ == "__main__":
    rb.bench(__doc__ or "", main, options)
