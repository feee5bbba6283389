"""Seconds to set up a multihop town of 1 M nodes: placement, links, routes; and five candidate parents a node."""

from __future__ import annotations

import argparse
from typing import Any

import radio_bench as rb

ROW = rb.Row("set-up of 1 M nodes, two cores", "s", 60, 15, smaller_is_better=True)


def measure(nodes: int) -> dict[str, Any]:
    """Return seconds of each step."""
    with rb.Clock() as place:
        xy, sinks = rb.town_plan(nodes, 1)
    with rb.Clock() as route:
        mesh = rb.build(xy, sinks, rb.gpu.profile("fsk-100k-920"), 1)
    with rb.Clock() as choose:
        parents, _ = mesh.candidates(5)
    return {
        "nodes": nodes, "place_wall_s": round(place.wall_s, 2), "links_and_routes_wall_s": round(route.wall_s, 2),
        "candidates_wall_s": round(choose.wall_s, 2), "cpu_s": round(place.cpu_s + route.cpu_s + choose.cpu_s, 2),
        "wall_s": round(place.wall_s + route.wall_s + choose.wall_s, 2),
        "routed": int((mesh.sink_of >= 0).sum()), "candidates_a_node": round(float((parents >= 0).sum(1).mean()), 2),
    }  # fmt: skip


def main(given: argparse.Namespace) -> tuple[list[rb.Measured], list[dict[str, Any]]]:
    """Measure one size."""
    case = rb.apart(__file__, "measure", nodes=100_000 if given.quick else 1_000_000)
    remark = (f"tree {case['links_and_routes_wall_s']} s, 5 candidates a node {case['candidates_wall_s']} s; "
              f"{case['cpu_s']} CPU s")  # fmt: skip
    return [(ROW, case["wall_s"], remark)], [case]


if __name__ == "__main__":
    rb.bench(__doc__ or "", main)
