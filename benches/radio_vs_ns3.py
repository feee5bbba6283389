"""Compare the engine with ns-3's lr-wpan: same layouts, same frames, same constants, paired by seed.

Pairs that hear each other or not, stars lightly loaded to saturated, lines, clusters, rings of exposed senders, dense
and wide fields of up to 1,000 nodes with and without a cut; capture as in ns-3, and hard. Every seed is a layout of its
own; --first-seed takes others. Needs the ns-3 wheel, which is no dependency: see radio_ns3.py. ::

    python benches/radio_vs_ns3.py --ns3 ENV/lib/python3.11/site-packages/ns3 --out benches/results/radio_vs_ns3.json
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import radio_bench as rb
import radio_ns3 as peer
from radio_bench import Plan

import gpu

PSDU_BYTES = 100  # 9 header, 89 payload, 2 FCS


def star(count: int, window_s: float, seed: int) -> Plan:
    """Return senders uniform within 30 m of node 0, one frame each in the window."""
    draw = np.random.default_rng(seed)
    xy = around(draw, count, 30.0)
    return xy, draw.integers(0, int(window_s * 1e6), count) * 1000, np.arange(1, count + 1), np.zeros(count, int)


def around(draw: np.random.Generator, count: int, radius_m: float) -> np.ndarray:
    """Return node 0 in the middle and others uniform around it, 0.1 radii away at least."""
    radius, angle = radius_m * np.sqrt(draw.uniform(0.01, 1, count)), draw.uniform(0, 2 * math.pi, count)
    return np.vstack([[0, 0], np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])])


def saturated(count: int, window_s: float, seed: int) -> Plan:
    """Return a star whose senders have all their frames from the start: 300 a second of window, together."""
    draw = np.random.default_rng(seed)
    each = max(1, round(300 * window_s / count))
    src = np.tile(np.arange(1, count + 1), each)
    return around(draw, count, 30.0), np.zeros(src.size, np.int64), src, np.zeros(src.size, int)


def pair(distance_m: float) -> Callable[[int, float, int], Plan]:
    """Return a layout of two senders left and right of node 0, about this far; 100 rounds of a frame each in 20 ms."""

    def layout(count: int, window_s: float, seed: int) -> Plan:
        draw = np.random.default_rng(seed)
        left, right = distance_m * draw.uniform(0.95, 1.05, 2)
        xy = np.array([[0.0, 0.0], [-left, 0.0], [right, 0.0]])
        rounds = np.arange(round(window_s * 10)) * 100_000_000
        t_ns = np.concatenate([rounds + draw.integers(0, 20_000, rounds.size) * 1000 for _ in range(2)])
        src = np.repeat([1, 2], rounds.size)
        order = np.argsort(t_ns, kind="stable")
        return xy, t_ns[order], src[order], np.zeros(t_ns.size, int)

    return layout


def both_ways(count: int, window_s: float, seed: int) -> Plan:
    """Return two nodes 10 to 30 m apart that send each other 100 frames in the window."""
    draw = np.random.default_rng(seed)
    src = np.tile([0, 1], 100)
    t_ns = np.sort(draw.integers(0, int(window_s * 1e6), src.size)) * 1000
    return np.array([[0.0, 0.0], [draw.uniform(10, 30), 0.0]]), t_ns, src, 1 - src


def hidden_star(count: int, window_s: float, seed: int) -> Plan:
    """Return senders 60 to 85 m around node 0, most of them hidden from each other; 5 frames each in the window."""
    draw = np.random.default_rng(seed)
    angle, radius = draw.uniform(0, 2 * math.pi, count), draw.uniform(60, 85, count)
    xy = np.vstack([[0, 0], np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])])
    src = np.tile(np.arange(1, count + 1), 5)
    return xy, np.sort(draw.integers(0, int(window_s * 1e6), src.size)) * 1000, src, np.zeros(src.size, int)


def busy_field(count: int, window_s: float, seed: int) -> Plan:
    """Return the dense field with 10 frames a node: queues fill, and nodes receive while they want to send."""
    xy, _, _, dst = rb.field_plan(count, 1.0, seed)
    src = np.tile(np.arange(count), 10)
    t_ns = np.sort(np.random.default_rng(seed).integers(0, int(window_s * 1e6), src.size)) * 1000
    return xy, t_ns, src, dst[src]


def in_line(count: int, window_s: float, seed: int) -> Plan:
    """Return a line of nodes 25 to 55 m apart, each sending 6 frames to the one before it in the window."""
    draw = np.random.default_rng(seed)
    xy = np.column_stack([np.cumsum(draw.uniform(25, 55, count)), draw.uniform(-5, 5, count)])
    src = np.tile(np.arange(1, count), 6)
    return xy, np.sort(draw.integers(0, int(window_s * 1e6), src.size)) * 1000, src, src - 1


def clusters(count: int, window_s: float, seed: int) -> Plan:
    """Return four clusters within 150 m, 8 m wide, whose nodes send 4 frames each to their first one in the window."""
    draw = np.random.default_rng(seed)
    xy = draw.uniform(0, 150, (4, 2))[np.arange(count) % 4] + draw.normal(0, 8, (count, 2))
    src = draw.permutation(np.repeat(np.arange(4, count), 4))
    return xy, np.sort(draw.integers(0, int(window_s * 1e6), src.size)) * 1000, src, src % 4


def exposed_ring(count: int, window_s: float, seed: int) -> Plan:
    """Return senders on a ring of 60 m, each with a receiver 20 to 45 m outside; 5 frames a pair in the window."""
    draw = np.random.default_rng(seed)
    pairs = count // 2
    angle = np.linspace(0, 2 * math.pi, pairs, endpoint=False)
    around_it = np.column_stack([np.cos(angle), np.sin(angle)])
    xy = np.vstack([60 * around_it, (60 + draw.uniform(20, 45, (pairs, 1))) * around_it])
    src = np.tile(np.arange(pairs), 5)
    return xy, np.sort(draw.integers(0, int(window_s * 1e6), src.size)) * 1000, src, src + pairs


def wide_field(count: int, window_s: float, seed: int) -> Plan:
    """Return nodes uniform in 250 m x 250 m, each sending 3 frames to one of its five nearest in the window."""
    draw = np.random.default_rng(seed)
    xy = draw.uniform(0, 250, (count, 2))
    src = draw.permutation(np.repeat(np.arange(count), 3))
    apart = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1))
    nearest = np.argsort(apart, axis=1)[:, 1:6]
    dst = nearest[src, draw.integers(0, 5, src.size)]
    return xy, np.sort(draw.integers(0, int(window_s * 1e6), src.size)) * 1000, src, dst


@dataclass(frozen=True)
class Setting:
    """A case: its layout and what both engines are told."""

    name: str
    layout: Callable[[int, float, int], Plan]
    nodes: int
    window_s: float
    seeds: int
    max_loss_db: float | None = None
    hard: bool = False


CASES = (
    Setting("pair, visible", pair(15.0), 3, 10, 60),
    Setting("pair, visible", pair(15.0), 3, 10, 60, hard=True),
    Setting("pair, hidden", pair(80.0), 3, 10, 60),  # 160 m: 0.9 dB too weak to lock on
    Setting("pair, hidden", pair(80.0), 3, 10, 60, hard=True),
    Setting("both ways, busy", both_ways, 2, 1.2, 30),
    Setting("both ways, saturated", both_ways, 2, 0.001, 30),
    Setting("star, hidden", hidden_star, 12, 1.0, 60),
    Setting("star", star, 50, 1.0, 60),
    Setting("star", star, 50, 0.1, 60),
    Setting("star", star, 50, 0.1, 60, hard=True),
    Setting("star", star, 200, 1.0, 30),
    Setting("star, saturated", saturated, 5, 4.0, 12),
    Setting("star, saturated", saturated, 20, 4.0, 12),
    Setting("star, saturated", saturated, 20, 4.0, 12, hard=True),
    Setting("field", rb.field_plan, 100, 1.0, 100),
    Setting("field", rb.field_plan, 300, 1.0, 30),
    Setting("field", rb.field_plan, 300, 0.25, 30),
    Setting("field", rb.field_plan, 300, 0.25, 30, hard=True),
    Setting("field", rb.field_plan, 300, 0.25, 30, max_loss_db=120.0),
    Setting("field, busy", busy_field, 60, 3.0, 30),
    Setting("field, busy", busy_field, 60, 1.0, 30),
    Setting("field, wide", wide_field, 150, 1.0, 30),
    Setting("field, wide", wide_field, 150, 0.4, 30, hard=True),
    Setting("line", in_line, 15, 0.5, 60),
    Setting("line", in_line, 15, 0.5, 60, hard=True),
    Setting("clusters", clusters, 60, 1.0, 30),
    Setting("clusters", clusters, 60, 0.3, 30, max_loss_db=115.0),
    Setting("ring, exposed", exposed_ring, 24, 0.5, 60),
    Setting("ring, exposed", exposed_ring, 24, 0.2, 60, hard=True),
    Setting("field", rb.field_plan, 1000, 1.0, 4),
    Setting("field", rb.field_plan, 1000, 0.25, 6, max_loss_db=120.0),
)


def run_peer(binary: Path, setting: Setting, plan: Plan, until_s: float, seed: int) -> dict[str, float]:
    """Run ns-3 on a plan."""
    done = peer.run(binary, *plan, until_s=until_s, seed=seed, max_loss_db=setting.max_loss_db, hard=setting.hard)
    arrived = done.received_s >= 0
    caf, no_ack = (done.status == peer.CHANNEL_ACCESS_FAILURE).mean(), (done.status == peer.NO_ACK).mean()
    return figures(arrived, done.data_on_air, done.received_s - done.given_s, caf, no_ack)


def run_engine(setting: Setting, plan: Plan, until_s: float, seed: int) -> dict[str, float]:
    """Run the engine on a plan."""
    xy, t_ns, src, dst = plan
    cut_dbm = -160.0 if setting.max_loss_db is None else -setting.max_loss_db
    capture = "hard" if setting.hard else "sinr"
    radio = gpu.profile("oqpsk-250k-2450", queue_frames=10_000, capture=capture, interference_cut_dbm=cut_dbm)
    mesh = gpu.Mesh.build(np.round(xy, 3), [], radio, seed, route=False)
    mesh.inject(t_ns, src, dst, PSDU_BYTES)
    mesh.run_until(round(until_s * 1e9))
    frames = mesh.frames()
    latency_s = (frames["first_rx_ns"] - frames["t_ns"]) / 1e9
    return figures(frames["first_rx_ns"] >= 0, mesh.counters()["tx_data"], latency_s, frames["access_failure"].mean(),
                   frames["no_ack"].mean())  # fmt: skip


def figures(arrived: np.ndarray, sent: int, latency_s: np.ndarray, caf: float, no_ack: float) -> dict[str, float]:
    """Return the figures of one run that are compared; latencies are those of what arrived."""
    latency_ms = latency_s[arrived] * 1e3 if arrived.any() else np.zeros(1)
    return {
        "delivery": float(arrived.mean()), "tx_per_frame": sent / arrived.size,
        "latency_mean_ms": float(latency_ms.mean()), "latency_p95_ms": float(np.percentile(latency_ms, 95)),
        "caf_share": float(caf), "no_ack_share": float(no_ack),
    }  # fmt: skip


LIMITS = {  # RADIO.md: absolute or relative limit, or 3 standard errors of the paired difference
    "delivery": (0.01, 0.0), "tx_per_frame": (0.0, 0.03), "latency_mean_ms": (0.0, 0.04), "latency_p95_ms": (0.0, 0.08),
    "caf_share": (0.01, 0.0), "no_ack_share": (0.01, 0.0),
}  # fmt: skip


def compare(binary: Path, setting: Setting, seeds: range) -> dict[str, Any]:
    """Run both on every seed and return means, paired differences and verdicts."""
    until_s = setting.window_s + 5.0
    if setting.layout is saturated:
        until_s = 60.0  # everything is sent or given up by then
    ours, theirs = [], []
    for seed in seeds:
        plan = setting.layout(setting.nodes, setting.window_s, seed)
        ours.append(run_engine(setting, plan, until_s, seed))
        theirs.append(run_peer(binary, setting, plan, until_s, seed))
    out: dict[str, Any] = {
        "case": setting.name, "capture": "hard" if setting.hard else "sinr", "nodes": setting.nodes,
        "window_s": setting.window_s, "max_loss_db": setting.max_loss_db, "seeds": len(seeds),
    }  # fmt: skip
    for key, (absolute, relative) in LIMITS.items():
        a, b = np.array([run[key] for run in ours]), np.array([run[key] for run in theirs])
        error = float((a - b).std(ddof=1) / math.sqrt(len(seeds)))
        limit = max(absolute, relative * float(b.mean()), 3 * error)
        out[key] = {"engine": float(a.mean()), "ns3": float(b.mean()), "difference": float((a - b).mean()),
                    "standard_error": error, "within": bool(abs((a - b).mean()) <= limit)}  # fmt: skip
    return out


def line(row: dict[str, Any]) -> str:
    """Return a case as one line: each figure's difference and its standard error, a star where it is too large."""
    cut = "" if row["max_loss_db"] is None else f" {row['max_loss_db']:g} dB"
    parts = [f"{key} {row[key]['engine']:.4g} {row[key]['difference']:+.3g}({row[key]['standard_error']:.2g})"
             + ("" if row[key]["within"] else " *") for key in LIMITS]  # fmt: skip
    return f"{row['case']} {row['capture']} N={row['nodes']} W={row['window_s']:g}{cut}: " + ", ".join(parts)


def main() -> None:
    """Compare and print a line a case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = os.environ.get("TEIDEN_NS3")
    parser.add_argument("--ns3", type=Path, default=known and Path(known), required=known is None,
                        help="folder of the installed ns3 package  [default: $TEIDEN_NS3]")  # fmt: skip
    parser.add_argument("--seeds", type=float, default=1.0, help="factor on the number of seeds")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--cases", default="", metavar="TEXT", help="only those whose name has TEXT in it")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    report: dict[str, Any] = rb.head() | {"ns3": "3.44", "first_seed": given.first_seed, "cases": []}
    with tempfile.TemporaryDirectory() as folder:
        binary = peer.build(given.ns3, Path(folder))
        for setting in CASES:
            if given.cases not in setting.name:
                continue
            seeds = range(given.first_seed, given.first_seed + max(2, round(setting.seeds * given.seeds)))
            report["cases"].append(compare(binary, setting, seeds))
            print(line(report["cases"][-1]), flush=True)
            if given.out:
                given.out.write_text(json.dumps(report, indent=1) + "\n")
    outside = sum(not case[key]["within"] for case in report["cases"] for key in LIMITS)
    print(f"{len(report['cases'])} cases, {outside} figures outside the limits")


if __name__ == "__main__":
    main()
