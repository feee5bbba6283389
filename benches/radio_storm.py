"""1 M meters all gasp within 20 s, 14 channels: times real time from the loss of supply through the busiest second.

Every node loses the mains at 0 and lives on 0.5 to 6 J; Last Gasps are offered up to 5 times. Runs
--seconds seconds, which takes in the busiest one; the value is simulated over wall time of all of that.
"""

from __future__ import annotations

import argparse
from typing import Any

import radio_bench as rb

ROW = rb.Row("1 M meters all gasping, 14 channels, two cores", "x real time", 0.25, 1.0)


def measure(nodes: int, seconds: int, budget_s: float, channels: int, threads: int) -> dict[str, Any]:
    """Return the cost of each second."""
    mesh, ids = rb.town(nodes, channels=channels, threads=threads)
    rb.gasp(mesh, ids)
    each: list[dict[str, Any]] = []
    total = rb.Clock()
    while len(each) < seconds and total.wall_s < budget_s:
        before = rb.on_air(mesh)
        with rb.Clock() as clock, total:
            mesh.run_until((len(each) + 1) * 10**9)
        each.append({"wall_s": round(clock.wall_s, 3), "cpu_s": round(clock.cpu_s, 3),
                     "on_air_frames": rb.on_air(mesh) - before})  # fmt: skip
    frames = [second["on_air_frames"] for second in each]
    counts = mesh.counters()
    return {
        "nodes": nodes, "channels": channels, "threads": threads, "simulated_s": len(each),
        "wall_s": round(total.wall_s, 2),
        "cpu_s": round(total.cpu_s, 2), "times_real_time": len(each) / total.wall_s,
        "busiest_second": frames.index(max(frames)), "cut_short": len(each) < seconds,
        "us_per_frame_cpu": round(total.cpu_s / sum(frames) * 1e6, 2), "delivered": counts["delivered"],
        "deaths": counts["deaths"], "digest": mesh.digest(), "seconds": each,
    }  # fmt: skip


def main(given: argparse.Namespace) -> tuple[list[rb.Measured], list[dict[str, Any]]]:
    """Measure one storm."""
    nodes = given.nodes or (50_000 if given.quick else 1_000_000)
    case = rb.apart(__file__, "measure", nodes=nodes, seconds=given.seconds, budget_s=given.budget_s,
                    channels=given.channels, threads=given.threads)  # fmt: skip
    busiest = case["seconds"][case["busiest_second"]]
    whole = case["busiest_second"] < case["simulated_s"] - 1
    remark = (f"{case['simulated_s']} s simulated, busiest second {case['busiest_second']} with "
              f"{busiest['on_air_frames']:,} frames at {1 / busiest['wall_s']:.2f} x; "
              f"{case['us_per_frame_cpu']} CPU us a frame")  # fmt: skip
    if case["cut_short"] and not whole:
        remark += "; cut short before the peak"
    return [(ROW, case["times_real_time"], remark)], [case]


def options(parser: argparse.ArgumentParser) -> None:
    """Add the size of the storm."""
    parser.add_argument("--nodes", type=int)
    parser.add_argument("--threads", type=int, default=rb.CORES, help="[default: all cores]")
    parser.add_argument("--channels", type=int, default=14)
    parser.add_argument("--seconds", type=int, default=25)
    parser.add_argument("--budget-s", type=float, default=300.0, help="wall seconds after which it stops")


if __name__ == "__main__":
    rb.bench(__doc__ or "", main, options)
