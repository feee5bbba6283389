"""Bytes a node, all in, of a multihop town of 1 M nodes: peak resident memory of building and of a minute of readings.

"All in" is everything the process takes beyond a mesh of two nodes: positions, links, routes, engine, frames under way,
the caller's arrays. The engine alone is what stays resident after the caller has dropped its own.
"""

from __future__ import annotations

import argparse
import gc
from typing import Any

import numpy as np
import radio_bench as rb

ROW = rb.Row("bytes a node, all in, multihop, 1 M nodes", "B", 400, 250, smaller_is_better=True)


def measure(nodes: int) -> dict[str, Any]:
    """Return peak and resident bytes a node."""
    small, _ = rb.town(2)
    small.inject(0, 1 - int(small.sinks[0]), -1, rb.READING_BYTES)
    small.run_until(10**9)
    before = rb.memory_bytes("VmHWM")
    mesh, ids = rb.town(nodes)
    built = rb.memory_bytes("VmHWM")
    ids = ids.astype(np.int32)
    rb.collect(mesh, rb.readings(ids), 60)
    peak = rb.memory_bytes("VmHWM")
    del ids
    gc.collect()
    return {"nodes": nodes, "peak_bytes": (peak - before) / nodes, "peak_of_building": (built - before) / nodes,
            "resident_bytes": (rb.memory_bytes("VmRSS") - before) / nodes,
            "hops_most": int(mesh.hops.max())}  # fmt: skip


def main(given: argparse.Namespace) -> tuple[list[rb.Measured], list[dict[str, Any]]]:
    """Measure one size."""
    case = rb.apart(__file__, "measure", nodes=100_000 if given.quick else 1_000_000)
    remark = f"{case['resident_bytes']:.0f} B resident while it runs; at most {case['hops_most']} hops"
    return [(ROW, case["peak_bytes"], remark)], [case]


if __name__ == "__main__":
    rb.bench(__doc__ or "", main)
