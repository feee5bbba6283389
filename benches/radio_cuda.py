"""On a CUDA device: events a second in a storm, the country's collection, the country's storm. Says so without one."""

from __future__ import annotations

import argparse
from typing import Any

import radio_bench as rb

from teiden.errors import TeidenError

EVENTS = rb.Row("H100: events a second in a storm of 1 M, 14 channels", "G/s", 0.1, 1.0)
COLLECTION = rb.Row("H100: 61.05 M meters, 30-minute collection", "x real time", 20, 500)
STORM = rb.Row("H100: 61.05 M meters all gasping, 14 channels", "x real time", 0.25, 4.0)
METERS = 61_050_000


def storm(nodes: int, seconds: int) -> dict[str, Any]:
    """Return events a second and times real time of a storm."""
    mesh, ids = rb.town(nodes, channels=14, backend="cuda")
    rb.gasp(mesh, ids)
    with rb.Clock() as clock:
        mesh.run_until(seconds * 10**9)
    events = mesh.counters()["events"]
    return {"load": "storm", "nodes": nodes, "simulated_s": seconds, "wall_s": round(clock.wall_s, 3),
            "events": events, "giga_events_per_s": events / clock.wall_s / 1e9,
            "times_real_time": seconds / clock.wall_s, "digest": mesh.digest()} | mesh.launches()  # fmt: skip


def check() -> None:
    """Refuse to time a device whose results are not the CPU's."""
    digests = []
    for backend in ("cuda", "cpu"):
        mesh, ids = rb.town(5000, channels=14, backend=backend)
        rb.gasp(mesh, ids)
        mesh.run_until(3 * 10**9)
        digests.append(mesh.digest())
    if digests[0] != digests[1]:
        raise SystemExit(f"the device's digest is {digests[0]}, the CPU's {digests[1]}: no speed of a wrong result")


def collection(nodes: int) -> dict[str, Any]:
    """Return times real time of a collection."""
    mesh, ids = rb.town(nodes, backend="cuda")
    with rb.Clock() as clock:
        rb.collect(mesh, rb.readings(ids), rb.PERIOD_S)
    return {"load": "collection", "nodes": nodes, "wall_s": round(clock.wall_s, 3),
            "times_real_time": rb.PERIOD_S / clock.wall_s, "digest": mesh.digest()} | mesh.launches()  # fmt: skip


def main(given: argparse.Namespace) -> tuple[list[rb.Measured], list[dict[str, Any]]]:
    """Measure where there is a device."""
    try:
        check()
    except TeidenError as missing:
        return [(row, None, str(missing)) for row in (EVENTS, COLLECTION, STORM)], []
    small, large = (20_000, 100_000) if given.quick else (1_000_000, given.nodes)
    cases = [rb.apart(__file__, "storm", nodes=small, seconds=10), rb.apart(__file__, "collection", nodes=large),
             rb.apart(__file__, "storm", nodes=large, seconds=10)]  # fmt: skip
    remark = f"{large:,} nodes"
    rows: list[rb.Measured] = [
        (EVENTS, cases[0]["giga_events_per_s"], f"{small:,} nodes"),
        (COLLECTION, cases[1]["times_real_time"], remark),
        (STORM, cases[2]["times_real_time"], remark),
    ]
    return rows, cases


def options(parser: argparse.ArgumentParser) -> None:
    """Add the size of the country."""
    parser.add_argument("--nodes", type=int, default=METERS)


if __name__ == "__main__":
    rb.bench(__doc__ or "", main, options)
