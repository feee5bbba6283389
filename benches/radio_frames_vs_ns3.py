"""Frames on air per CPU second against ns-3's lr-wpan: the same dense fields, alternating runs.

N = 1,000 without a cut and N = 3,000 with a cut at 120 dB on both sides; 25 neighbours within 60 m, a frame a node in
1 s. Both count the CPU time of the simulation alone. The engine, which needs milliseconds where ns-3 needs minutes,
repeats its run before and after each of ns-3's, so that both see the same machine. Needs the ns-3 wheel, which is no
dependency (see radio_vs_ns3.py): --ns3, or the environment variable TEIDEN_NS3.
"""

from __future__ import annotations

import argparse
import math
import os
import tempfile
from pathlib import Path
from typing import Any

import radio_bench as rb
import radio_ns3 as peer

ROWS = {
    1000: rb.Row("frames per CPU s against ns-3, N = 1,000, no cut", "x", 3000, 10_000),
    3000: rb.Row("frames per CPU s against ns-3, N = 3,000, 120 dB cut", "x", 2000, 8000),
}
NO_CUT_DBM = -160.0


def engine_rate(nodes: int, seed: int, cut_dbm: float, least_cpu_s: float) -> tuple[float, int]:
    """Return the engine's frames per CPU second, over repeated runs of one plan, and the frames of one."""
    plan, clock, frames = rb.field_plan(nodes, 1.0, seed), rb.Clock(), 0
    once = 0
    while clock.cpu_s < least_cpu_s:
        mesh = rb.field_mesh(plan, seed, cut_dbm, threads=1)
        with clock:
            mesh.run_until(6 * 10**9)
        once = rb.on_air(mesh)
        frames += once
    return frames / clock.cpu_s, once


def compare(binary: Path, nodes: int, max_loss_db: float | None, rounds: int) -> dict[str, Any]:
    """Return both rates of one size, over rounds with a seed each."""
    cut_dbm = NO_CUT_DBM if max_loss_db is None else -max_loss_db
    each = []
    for seed in range(1, rounds + 1):
        before, frames = engine_rate(nodes, seed, cut_dbm, 0.5)
        xy, t_ns, src, dst = rb.field_plan(nodes, 1.0, seed)
        done = peer.run(binary, xy, t_ns, src, dst, until_s=6.0, seed=seed, max_loss_db=max_loss_db)
        after, _ = engine_rate(nodes, seed, cut_dbm, 0.5)
        theirs = done.on_air / done.cpu_s
        ours = math.sqrt(before * after)
        each.append({"seed": seed, "engine_frames": frames, "ns3_frames": done.on_air,
                     "ns3_cpu_s": round(done.cpu_s, 2), "engine_frames_per_cpu_s": round(ours),
                     "ns3_frames_per_cpu_s": round(theirs, 2), "ratio": round(ours / theirs)})  # fmt: skip
        print(each[-1], flush=True)
    ratio = math.exp(sum(math.log(run["ratio"]) for run in each) / len(each))
    return {"nodes": nodes, "max_loss_db": max_loss_db, "ratio": ratio, "runs": each}


def main(given: argparse.Namespace) -> tuple[list[rb.Measured], list[dict[str, Any]]]:
    """Compare at both sizes."""
    if given.ns3 is None:
        return [(row, None, "no ns-3: give --ns3 or TEIDEN_NS3") for row in ROWS.values()], []
    cases = []
    with tempfile.TemporaryDirectory() as folder:
        binary = peer.build(given.ns3, Path(folder))
        for nodes, max_loss_db, rounds in [(1000, None, given.rounds), (3000, 120.0, max(1, given.rounds - 1))]:
            cases.append(compare(binary, 100 if given.quick else nodes, max_loss_db, 1 if given.quick else rounds))
    rows = []
    for (_, row), case in zip(ROWS.items(), cases, strict=True):
        run = case["runs"][0]
        remark = f"{run['engine_frames_per_cpu_s']:,} against {run['ns3_frames_per_cpu_s']:,} frames per CPU s"
        rows.append((row, None if given.quick else case["ratio"], remark))
    return rows, cases


def options(parser: argparse.ArgumentParser) -> None:
    """Add the peer."""
    known = os.environ.get("TEIDEN_NS3")
    parser.add_argument(
        "--ns3", type=Path, default=Path(known) if known else None, help="folder of the installed package"
    )
    parser.add_argument("--rounds", type=int, default=3, help="seeds at N = 1,000; one fewer at 3,000")


if __name__ == "__main__":
    rb.bench(__doc__ or "", main, options)
