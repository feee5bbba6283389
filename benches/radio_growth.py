"""How the CPU time of a frame on air grows with the number of nodes at one density: the exponent from 1 k to 1 M.

Validation field, a frame a node in 1 s, cut -120 dBm; the first half second of every size. Small sizes are repeated
over seeds until they have run for a CPU second. One thread.
"""

from __future__ import annotations

import argparse
import math
from typing import Any

import radio_bench as rb

ROW = rb.Row("growth of CPU per frame, 1 k to 1 M nodes", "exponent", 0.15, 0.05, smaller_is_better=True)
SPAN_NS = 500_000_000


def measure(nodes: int, least_cpu_s: float) -> dict[str, Any]:
    """Return the cost of a frame at one size."""
    clock, frames, seed = rb.Clock(), 0, 0
    while clock.cpu_s < least_cpu_s:
        seed += 1
        mesh = rb.field_mesh(rb.field_plan(nodes, 1.0, seed), seed, threads=1)
        with clock:
            mesh.run_until(SPAN_NS)
        frames += rb.on_air(mesh)
    return {"nodes": nodes, "seeds": seed, "on_air_frames": frames, "cpu_s": round(clock.cpu_s, 3),
            "us_per_frame": round(clock.cpu_s / frames * 1e6, 3)}  # fmt: skip


def main(given: argparse.Namespace) -> tuple[list[rb.Measured], list[dict[str, Any]]]:
    """Measure all sizes."""
    sizes = [1000, 10_000, 100_000] + ([] if given.quick else [1_000_000])
    cases = [rb.apart(__file__, "measure", nodes=nodes, least_cpu_s=0.2 if given.quick else 1.0) for nodes in sizes]
    costs = {case["nodes"]: case["us_per_frame"] for case in cases}

    def exponent(small: int, large: int) -> float:
        return math.log(costs[large] / costs[small]) / math.log(large / small)

    remark = (f"{costs[1000]:.2f} us at 1 k, {costs[sizes[-1]]:.2f} us at {sizes[-1]:,}; "
              f"from 10 k {exponent(10_000, sizes[-1]):.3f}")  # fmt: skip
    return [(ROW, exponent(1000, sizes[-1]), remark)], cases


if __name__ == "__main__":
    rb.bench(__doc__ or "", main)
