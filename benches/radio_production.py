"""The production profile (Wi-SUN FAN FSK, 920 MHz) against what was measured on hardware, with the reason of each gap.

- JEIC measured Japanese smart meters: the commonest burst lasts 13 ms; 17 bursts in half an hour at a detached house,
  23 in an apartment (report "smart meter" of the Electromagnetic Field Information Center).
- TI measured a network of 100 nodes in 5 hops: mean delay 373, 471, 574, 760, 899 ms by hop (SWRA714A).

python benches/radio_production.py [--quick] writes benches/results/radio_production.json and prints the table.
"""

from __future__ import annotations

import argparse
import json
import math
from typing import Any

import numpy as np
import radio_bench as rb

import gpu

JEIC_BURST_MS, JEIC_BURSTS = 13.0, {"detached houses": 17, "apartments": 23}
TI_MS = np.array([373, 471, 574, 760, 899])
HOURS = 2


def burst_lengths_ms() -> dict[str, float]:
    """Return the airtime of a reading and of its ACK by bit rate."""
    radios = {rate: gpu.profile(f"fsk-{rate}k-920") for rate in (50, 100, 150, 300)}
    return {f"{rate} kb/s": radio.air_us(rb.READING_BYTES) / 1000 for rate, radio in radios.items()}


# A quarter: nodes a km2, extra loss. Detached: one meter a house. Apartments: meters in pipe shafts behind metal doors.
QUARTERS: dict[str, dict[str, float]] = {
    "detached houses": {"per_km2": 2500, "shaft_share": 0.0},
    "apartments": {"per_km2": 10_000, "shaft_share": 1.0},
}


def bursts(quarter: str, nodes: int, hours: int) -> dict[str, Any]:
    """Return what a node sends in half an hour of metering: readings, those of others, ACKs, control."""
    what = QUARTERS[quarter]
    draw = np.random.default_rng(1)
    xy = draw.uniform(0, math.sqrt(nodes / what["per_km2"]) * 1000, (nodes, 2))
    sinks = np.arange(0, nodes, rb.NODES_PER_SINK)
    loss = np.where(draw.random(nodes) < what["shaft_share"], 20.0 + draw.choice([-3.5, 3.5], nodes), 0.0)
    loss[sinks] = 0.0
    radio = gpu.profile("fsk-100k-920", channels=14, tree="living", network="medium")
    mesh = gpu.Mesh.build(xy, sinks, radio, 1, extra_loss_db=loss)
    meters = np.setdiff1d(np.arange(nodes), sinks)
    mesh.run_until(1800 * 10**9)  # the trickle timers grow long
    before, air_before = mesh.counters(), mesh.airtime_ns
    for half_hour in range(1, 2 * hours + 1):
        t_ns = half_hour * 1800 * 10**9 + draw.integers(0, 1800 * 10**9, meters.size)
        mesh.inject(t_ns, meters, -1, rb.READING_BYTES)
        mesh.run_until((half_hour + 1) * 1800 * 10**9)
        mesh.drain()
        mesh.forget_ended()
    after = mesh.counters()
    halves = nodes * 2 * hours
    sent = {key: (after[key] - before[key]) / halves for key in ("tx_data", "tx_ack", "control_sent")}
    busy_ms = (mesh.airtime_ns - air_before)[meters] / 1e6 / (2 * hours)
    hops = mesh.hops[meters]
    return {
        "quarter": quarter, "nodes": nodes, "hours": hours, "mean_hops": round(float(hops[hops > 0].mean()), 2),
        "bursts": sum(sent.values()), "readings": sent["tx_data"], "acks": sent["tx_ack"],
        "control": sent["control_sent"],
        "airtime_ms": {f"p{q}": round(float(np.percentile(busy_ms, q)), 1) for q in (50, 90, 99)},
        "airtime_ms_mean": round(float(busy_ms.mean()), 1),
        "delivered_share": (after["delivered"] - before["delivered"]) / (after["injected"] - before["injected"]),
    }  # fmt: skip


def delays(profile: str, channels: int, pings: int) -> dict[str, Any]:
    """Return mean delays by hop [ms], down and up, of pings of 150 B one at a time over 100 nodes in 5 hops."""
    rings = 5
    node = np.arange(1, 101)
    hop = (node - 1) // 20 + 1
    parents = np.r_[-1, np.where(hop == 1, 0, node - 20)]
    level = np.r_[0, hop]
    a, b = np.nonzero((np.abs(level[:, None] - level[None]) <= 1) & ~np.eye(101, dtype=bool))  # a ring hears the next
    mesh = gpu.Mesh.build(np.zeros((101, 2)), [0], gpu.profile(profile, channels=channels), 1,
                          links=(a, b, np.full(a.size, 90.0)), parents=parents)  # fmt: skip
    draw = np.random.default_rng(3)
    asked = np.tile(node, pings)
    at_ns = (np.arange(asked.size) * 3 + draw.random(asked.size)) * 1e9
    down = mesh.inject(at_ns.astype(np.int64), 0, asked, 150)
    end_ns = (asked.size + 1) * 3 * 10**9
    up = mesh.inject(end_ns + at_ns.astype(np.int64), asked, -1, 150)
    mesh.run_until(2 * end_ns)
    out: dict[str, Any] = {"profile": profile, "channels": channels, "pings": asked.size}
    for key, ids in (("down_ms", down), ("up_ms", up)):
        frames = mesh.frames(ids)
        arrived = frames["first_rx_ns"] >= 0
        latency_ms = (frames["first_rx_ns"] - frames["t_ns"]) / 1e6
        out[key] = [round(float(latency_ms[arrived & (hop[asked - 1] == k)].mean()), 1) for k in range(1, rings + 1)]
        out[f"delivered_{key[:-3]}"] = float(arrived.mean())
    return out


def slope_ms(by_hop: np.ndarray) -> float:
    """Return the least-squares growth a hop."""
    return float(np.polyfit(np.arange(1, by_hop.size + 1), by_hop, 1)[0])


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="smaller; leaves no result file")
    given = parser.parse_args()
    report = rb.head() | {"burst_ms": burst_lengths_ms(), "jeic_burst_ms": JEIC_BURST_MS}
    report["quarters"] = [bursts(q, 2000 if given.quick else 4000, 1 if given.quick else HOURS) for q in QUARTERS]
    report["ti_ms"] = TI_MS.tolist()
    report["delays"] = [delays(f"fsk-{rate}k-920", channels, 1 if given.quick else 5)
                        for rate, channels in ((50, 1), (50, 29), (100, 14), (150, 14))]  # fmt: skip
    print(f"a reading on air: {report['burst_ms']} ms; JEIC: commonest {JEIC_BURST_MS} ms")
    for q in report["quarters"]:
        print(f"{q['quarter']}: {q['bursts']:.1f} bursts a node and half hour ({q['readings']:.1f} of readings, "
              f"{q['acks']:.1f} ACKs, {q['control']:.1f} of control) at {q['mean_hops']} hops, "
              f"{q['airtime_ms_mean']} ms on air; JEIC {JEIC_BURSTS[q['quarter']]}")  # fmt: skip
    print(f"TI: {report['ti_ms']} ms, {slope_ms(TI_MS):.0f} ms a hop")
    for d in report["delays"]:
        there_and_back = np.array(d["down_ms"]) + np.array(d["up_ms"])
        d["slope_one_way_ms"], d["slope_round_trip_ms"] = slope_ms(np.array(d["up_ms"])), slope_ms(there_and_back)
        print(f"{d['profile']}, {d['channels']} channels: up {d['up_ms']}, there and back "
              f"{there_and_back.round(1).tolist()} ms, {d['slope_round_trip_ms']:.0f} ms a hop")  # fmt: skip
    if not given.quick:
        (rb.RESULTS / "radio_production.json").write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
