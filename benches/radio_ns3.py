"""ns-3's lr-wpan as a peer: a program of our own against the wheel, and its runs.

ns-3 is GPL and no dependency: it runs as a process of its own, built here from the program below against the wheel
``ns3==3.44.post0`` in any virtual environment::

    python3 -m venv ENV && ENV/bin/pip install --no-deps ns3==3.44.post0
    python benches/radio_vs_ns3.py --ns3 ENV/lib/python3.11/site-packages/ns3
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

PROGRAM = r"""
// Reads nodes and frames, runs them through lr-wpan, prints what became of each frame.
#include <ns3/core-module.h>
#include <ns3/lr-wpan-module.h>
#include <ns3/mobility-module.h>
#include <ns3/network-module.h>
#include <ns3/propagation-loss-model.h>
#include <ns3/single-model-spectrum-channel.h>
#include <cmath>
#include <ctime>
#include <deque>
#include <iostream>
#include <unordered_map>
#include <vector>
using namespace ns3;
using namespace ns3::lrwpan;

struct Result { double given, received = -1; int status = -1; };
static std::vector<Result> results;
static std::vector<std::deque<uint32_t>> waiting;  // per node, in the order the MAC serves them
static uint64_t dataOnAir = 0, acksOnAir = 0;

// Hard capture, which ns-3 does not know: a reception overlapped by anything audible is kept from the MAC.
struct OnAirFrame { Time start, end; uint32_t src; };
static std::deque<OnAirFrame> recent;
static std::unordered_map<uint64_t, OnAirFrame> byUid;
static std::vector<Vector> places;

static bool Audible(uint32_t src, uint32_t at) {  // at -5 dB above the noise a frame could be locked on
  const double d = std::max(1.0, CalculateDistance(places[src], places[at]));
  return -(46.68 + 30 * std::log10(d)) >= -106.99 - 5.0;
}

static void Sent(uint32_t node, Ptr<const Packet> packet) {
  const Time now = Simulator::Now();
  const OnAirFrame frame{now, now + MicroSeconds((6 + packet->GetSize()) * 32), node};
  while (!recent.empty() && recent.front().end + MilliSeconds(10) < now) recent.pop_front();
  recent.push_back(frame);
  byUid[packet->GetUid()] = frame;
}

static void Indicate(Ptr<LrWpanMac> mac, uint32_t node, uint32_t length, Ptr<Packet> packet, uint8_t lqi) {
  const OnAirFrame own = byUid.at(packet->GetUid());
  for (const OnAirFrame& other : recent)
    if (other.src != own.src && other.src != node && other.start < own.end && other.end > own.start &&
        Audible(other.src, node))
      return;
  mac->PdDataIndication(length, packet, lqi);
}

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
  double until, maxLossDb;
  bool hard;
  std::cin >> seed >> until >> maxLossDb >> hard >> count;
  RngSeedManager::SetSeed(12345);
  RngSeedManager::SetRun(seed);
  Ptr<SingleModelSpectrumChannel> channel = CreateObject<SingleModelSpectrumChannel>();
  Ptr<LogDistancePropagationLossModel> loss = CreateObject<LogDistancePropagationLossModel>();
  loss->SetPathLossExponent(3.0);
  loss->SetReference(1.0, 46.68);
  channel->AddPropagationLossModel(loss);
  if (maxLossDb > 0) channel->SetAttribute("MaxLossDb", DoubleValue(maxLossDb));
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
    places.push_back(Vector(x, y, 0));
    if (hard) {
      const Callback<void, Ptr<const Packet>> sent([i](Ptr<const Packet> p) { Sent(i, p); });
      device->GetPhy()->TraceConnectWithoutContext("PhyTxBegin", sent);
      device->GetPhy()->SetPdDataIndicationCallback(Callback<void, uint32_t, Ptr<Packet>, uint8_t>(
          [mac = device->GetMac(), i](uint32_t n, Ptr<Packet> p, uint8_t lqi) { Indicate(mac, i, n, p, lqi); }));
    }
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
  const std::clock_t started = std::clock();
  Simulator::Run();
  const double cpu = double(std::clock() - started) / CLOCKS_PER_SEC;
  std::cout << dataOnAir << " " << acksOnAir << " " << cpu << "\n";
  std::cout.precision(12);
  for (const Result& r : results) std::cout << r.given << " " << r.received << " " << r.status << "\n";
  Simulator::Destroy();
  return 0;
}
"""

LIBRARIES = ("lr-wpan", "spectrum", "propagation", "mobility", "network", "stats", "core")
CHANNEL_ACCESS_FAILURE, NO_ACK = 0xE1, 0xE9


@dataclass(frozen=True)
class Done:
    """A run of ns-3: frames on air, CPU time of the simulation, and one row a frame."""

    data_on_air: int
    acks_on_air: int
    cpu_s: float
    given_s: np.ndarray  # (M,)
    received_s: np.ndarray  # (M,) first reception, -1 for none
    status: np.ndarray  # (M,) of McpsDataConfirm, -1 while none came

    @property
    def on_air(self) -> int:
        """Frames put on air, data and ACKs."""
        return self.data_on_air + self.acks_on_air


def build(ns3: Path, folder: Path) -> Path:
    """Compile the program against an installed ns-3 wheel."""
    source, binary = folder / "peer.cc", folder / "peer"
    source.write_text(PROGRAM)
    links = [f"-lns3.44-{name}" for name in LIBRARIES]
    rpath = f"-Wl,-rpath,{ns3 / 'lib64'}:{ns3.parent / 'ns3.libs'}"
    command = ["g++", "-std=c++20", "-O2", f"-I{ns3 / 'include'}", str(source), "-o", str(binary),
               f"-L{ns3 / 'lib64'}", *links, rpath, "-Wl,--allow-shlib-undefined"]  # fmt: skip
    subprocess.run(command, check=True)
    return binary


def run(
    binary: Path, xy_m: np.ndarray, t_ns: np.ndarray, src: np.ndarray, dst: np.ndarray, *, until_s: float, seed: int,
    max_loss_db: float | None = None, hard: bool = False,
) -> Done:  # fmt: skip
    """Run ns-3 on nodes and frames: what is lost more than max_loss_db does not exist; hard: any overlap kills."""
    lines = [f"{seed} {until_s} {max_loss_db or 0} {int(hard)} {len(xy_m)}", *(f"{x:.3f} {y:.3f}" for x, y in xy_m)]
    lines += [str(len(src)), *(f"{t} {a} {b}" for t, a, b in zip(t_ns, src, dst, strict=True))]
    done = subprocess.run([binary], input="\n".join(lines), capture_output=True, text=True, check=True)
    head, *rows = done.stdout.splitlines()
    data, acks, cpu = head.split()
    table = np.array([[float(word) for word in row.split()] for row in rows])
    return Done(int(data), int(acks), float(cpu), *table.T)
