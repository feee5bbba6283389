"""Compare the engine with ns-3's lr-wpan: same layouts, same frames, same constants, paired by seed.

ns-3 is GPL and no dependency: it runs as a process of its own, built here from the program below against the wheel
``ns3==3.44.post0`` in any virtual environment::

    python3 -m venv ENV && ENV/bin/pip install --no-deps ns3==3.44.post0
    python benches/radio_vs_ns3.py --ns3 ENV/lib/python3.11/site-packages/ns3 --out benches/results/radio_vs_ns3.json
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import gpu

PSDU_BYTES = 100  # 9 header, 89 payload, 2 FCS

PROGRAM = r"""
// Reads nodes and frames, runs them through lr-wpan, prints what became of each frame.
#include <ns3/core-module.h>
#include <ns3/lr-wpan-module.h>
#include <ns3/mobility-module.h>
#include <ns3/network-module.h>
#include <ns3/propagation-loss-model.h>
#include <ns3/single-model-spectrum-channel.h>
#include <deque>
#include <iostream>
#include <vector>
using namespace ns3;
using namespace ns3::lrwpan;

struct Result { double given, received = -1; int status = -1; };
static std::vector<Result> results;
static std::vector<std::deque<uint32_t>> waiting;  // per node, in the order the MAC serves them
static uint64_t dataOnAir = 0, acksOnAir = 0;

static void Send(Ptr<LrWpanNetDevice> device, uint32_t node, uint32_t dst, uint32_t frame) {
  std::vector<uint8_t> bytes(89, 0);
  for (int i = 0; i < 4; ++i) bytes[i] = frame >> (8 * i);
  McpsDataRequestParams params;
  params.m_srcAddrMode = SHORT_ADDR;
  params.m_dstAddrMode = SHORT_ADDR;
  params.m_dstPanId = 1;
  uint8_t address[2] = {uint8_t((dst + 1) >> 8), uint8_t(dst + 1)};
  Mac16Address to;
  to.CopyFrom(address);
  params.m_dstAddr = to;
  params.m_txOptions = TX_OPTION_ACK;
  waiting[node].push_back(frame);
  device->GetMac()->McpsDataRequest(params, Create<Packet>(bytes.data(), bytes.size()));
}

static void Confirmed(uint32_t node, McpsDataConfirmParams params) {
  results[waiting[node].front()].status = static_cast<int>(params.m_status);
  waiting[node].pop_front();
}

static void Received(Ptr<const Packet> packet) {
  std::vector<uint8_t> bytes(packet->GetSize());
  packet->CopyData(bytes.data(), bytes.size());
  if (bytes.size() < 89) return;
  const uint8_t* at = bytes.data() + (bytes.size() == 89 ? 0 : 9);
  const uint32_t frame = at[0] | at[1] << 8 | at[2] << 16 | uint32_t(at[3]) << 24;
  if (results.at(frame).received < 0) results[frame].received = Simulator::Now().GetSeconds();
}

static void OnAir(Ptr<const Packet> packet) { ++(packet->GetSize() > 50 ? dataOnAir : acksOnAir); }

int main() {
  uint32_t seed, count, frames;
  double until;
  std::cin >> seed >> until >> count;
  RngSeedManager::SetSeed(12345);
  RngSeedManager::SetRun(seed);
  Ptr<SingleModelSpectrumChannel> channel = CreateObject<SingleModelSpectrumChannel>();
  Ptr<LogDistancePropagationLossModel> loss = CreateObject<LogDistancePropagationLossModel>();
  loss->SetPathLossExponent(3.0);
  loss->SetReference(1.0, 46.68);
  channel->AddPropagationLossModel(loss);
  std::vector<Ptr<LrWpanNetDevice>> devices;
  waiting.resize(count);
  for (uint32_t i = 0; i < count; ++i) {
    double x, y;
    std::cin >> x >> y;
    Ptr<Node> node = CreateObject<Node>();
    Ptr<LrWpanNetDevice> device = CreateObject<LrWpanNetDevice>();
    device->SetChannel(channel);
    Ptr<ConstantPositionMobilityModel> place = CreateObject<ConstantPositionMobilityModel>();
    place->SetPosition(Vector(x, y, 0));
    device->GetPhy()->SetMobility(place);
    node->AggregateObject(place);
    node->AddDevice(device);
    uint8_t address[2] = {uint8_t((i + 1) >> 8), uint8_t(i + 1)};
    Mac16Address own;
    own.CopyFrom(address);
    device->GetMac()->SetPanId(1);
    device->GetMac()->SetShortAddress(own);
    device->GetMac()->SetMcpsDataConfirmCallback(
        Callback<void, McpsDataConfirmParams>([i](McpsDataConfirmParams p) { Confirmed(i, p); }));
    device->GetMac()->TraceConnectWithoutContext("MacRx", MakeCallback(&Received));
    device->GetPhy()->TraceConnectWithoutContext("PhyTxBegin", MakeCallback(&OnAir));
    devices.push_back(device);
  }
  std::cin >> frames;
  results.resize(frames);
  for (uint32_t f = 0; f < frames; ++f) {
    int64_t t;
    uint32_t src, dst;
    std::cin >> t >> src >> dst;
    results[f].given = t * 1e-9;
    Simulator::Schedule(NanoSeconds(t), &Send, devices[src], src, dst, f);
  }
  Simulator::Stop(Seconds(until));
  Simulator::Run();
  std::cout << dataOnAir << " " << acksOnAir << "\n";
  std::cout.precision(12);
  for (const Result& r : results) std::cout << r.given << " " << r.received << " " << r.status << "\n";
  Simulator::Destroy();
  return 0;
}
"""

LIBRARIES = ("lr-wpan", "spectrum", "propagation", "mobility", "network", "stats", "core")
CHANNEL_ACCESS_FAILURE, NO_ACK = 0xE1, 0xE9


def build_peer(ns3: Path, folder: Path) -> Path:
    """Compile the program against an installed ns-3 wheel."""
    source, binary = folder / "peer.cc", folder / "peer"
    source.write_text(PROGRAM)
    links = [f"-lns3.44-{name}" for name in LIBRARIES]
    rpath = f"-Wl,-rpath,{ns3 / 'lib64'}:{ns3.parent / 'ns3.libs'}"
    command = ["g++", "-std=c++20", "-O2", f"-I{ns3 / 'include'}", str(source), "-o", str(binary),
               f"-L{ns3 / 'lib64'}", *links, rpath, "-Wl,--allow-shlib-undefined"]  # fmt: skip
    subprocess.run(command, check=True)
    return binary


def star(count: int, window_s: float, seed: int) -> tuple[np.ndarray, ...]:
    """Return senders uniform within 30 m of node 0, one frame each in the window."""
    draw = np.random.default_rng(seed)
    radius, angle = 30 * np.sqrt(draw.uniform(0.01, 1, count)), draw.uniform(0, 2 * math.pi, count)
    xy = np.vstack([[0, 0], np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])])
    t_us = draw.integers(0, int(window_s * 1e6), count)
    return xy, t_us, np.arange(1, count + 1), np.zeros(count, int)


def field(count: int, window_s: float, seed: int) -> tuple[np.ndarray, ...]:
    """Return a field of 25 neighbours within 60 m; one frame a node, to one of them, in the window."""
    draw = np.random.default_rng(seed)
    xy = draw.uniform(0, math.sqrt(count * math.pi * 60**2 / 25), (count, 2))
    distance = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1))
    np.fill_diagonal(distance, np.inf)
    dst = np.array([draw.choice(np.flatnonzero(row < 60)) if (row < 60).any() else row.argmin() for row in distance])
    return xy, draw.integers(0, int(window_s * 1e6), count), np.arange(count), dst


def run_peer(binary: Path, plan: tuple[np.ndarray, ...], until_s: float, seed: int) -> dict[str, float]:
    """Run ns-3 on a plan."""
    xy, t_us, src, dst = plan
    lines = [f"{seed} {until_s} {len(xy)}", *(f"{x:.3f} {y:.3f}" for x, y in xy), str(len(src))]
    lines += [f"{t * 1000} {a} {b}" for t, a, b in zip(t_us, src, dst, strict=True)]
    done = subprocess.run([binary], input="\n".join(lines), capture_output=True, text=True, check=True)
    head, *rows = done.stdout.splitlines()
    table = np.array([[float(word) for word in row.split()] for row in rows])
    arrived = table[:, 1] >= 0
    latency = table[arrived, 1] - table[arrived, 0]
    attempts, status = int(head.split()[0]) / len(src), table[:, 2]
    caf, no_ack = (status == CHANNEL_ACCESS_FAILURE).mean(), (status == NO_ACK).mean()
    return figures(arrived.mean(), attempts, latency, caf, no_ack)


def run_engine(plan: tuple[np.ndarray, ...], until_s: float, seed: int) -> dict[str, float]:
    """Run the engine on a plan."""
    xy, t_us, src, dst = plan
    radio = gpu.profile("oqpsk-250k-2450", interference_cut_dbm=-160.0, queue_frames=1000)
    mesh = gpu.Mesh.build(np.round(xy, 3), [], radio, seed, route=False)
    mesh.inject(t_us * 1000, src, dst, PSDU_BYTES)
    mesh.run_until(round(until_s * 1e9))
    frames, counts = mesh.frames(), mesh.counters()
    arrived = frames["first_rx_ns"] >= 0
    latency = (frames["first_rx_ns"] - frames["t_ns"])[arrived] / 1e9
    return figures(arrived.mean(), counts["tx_data"] / len(src), latency, frames["access_failure"].mean(),
                   frames["no_ack"].mean())  # fmt: skip


def figures(delivery: float, attempts: float, latency_s: np.ndarray, caf: float, no_ack: float) -> dict[str, float]:
    """Return the figures of one run that are compared."""
    return {
        "delivery": float(delivery), "tx_per_frame": float(attempts), "latency_mean_ms": float(latency_s.mean() * 1e3),
        "latency_p95_ms": float(np.percentile(latency_s, 95) * 1e3), "caf_share": float(caf),
        "no_ack_share": float(no_ack),
    }  # fmt: skip


LIMITS = {  # RADIO.md: absolute or relative limit, or 3 standard errors of the paired difference
    "delivery": (0.01, 0.0), "tx_per_frame": (0.0, 0.03), "latency_mean_ms": (0.0, 0.04), "latency_p95_ms": (0.0, 0.08),
    "caf_share": (0.01, 0.0), "no_ack_share": (0.01, 0.0),
}  # fmt: skip


def compare(name: str, binary: Path, layout: Any, count: int, window_s: float, seeds: int) -> dict[str, Any]:
    """Run both on every seed and return means, paired differences and verdicts."""
    until_s = window_s + 5.0
    plans = [layout(count, window_s, seed) for seed in range(1, seeds + 1)]
    clock = time.perf_counter()
    ours = [run_engine(plan, until_s, seed) for seed, plan in enumerate(plans, 1)]
    engine_s = time.perf_counter() - clock
    clock = time.perf_counter()
    theirs = [run_peer(binary, plan, until_s, seed) for seed, plan in enumerate(plans, 1)]
    ns3_s = time.perf_counter() - clock
    out: dict[str, Any] = {"case": name, "nodes": count, "window_s": window_s, "seeds": seeds,
                           "engine_wall_s": round(engine_s, 2), "ns3_wall_s": round(ns3_s, 2)}  # fmt: skip
    for key, (absolute, relative) in LIMITS.items():
        a, b = np.array([run[key] for run in ours]), np.array([run[key] for run in theirs])
        error = float((a - b).std(ddof=1) / math.sqrt(seeds))
        limit = max(absolute, relative * float(b.mean()), 3 * error)
        out[key] = {"engine": float(a.mean()), "ns3": float(b.mean()), "difference": float((a - b).mean()),
                    "standard_error": error, "within": bool(abs((a - b).mean()) <= limit)}  # fmt: skip
    return out


def main() -> None:
    """Compare stars and fields and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ns3", type=Path, required=True, help="folder of the installed ns3 package")
    parser.add_argument("--seeds", type=float, default=1.0, help="factor on the number of seeds")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    cases = [("star", star, 50, 1.0, 60), ("star", star, 50, 0.1, 60), ("star", star, 200, 1.0, 30),
             ("field", field, 100, 1.0, 100), ("field", field, 300, 1.0, 30),
             ("field", field, 300, 0.25, 30)]  # fmt: skip
    results = []
    with tempfile.TemporaryDirectory() as folder:
        binary = build_peer(given.ns3, Path(folder))
        for name, layout, count, window_s, seeds in cases:
            row = compare(name, binary, layout, count, window_s, max(2, round(seeds * given.seeds)))
            results.append(row | {"load_average": os.getloadavg()[0]})
            print(json.dumps(results[-1]), flush=True)
            if given.out:
                given.out.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
