"""The engine against a slow model written apart from it: eager, in floating point, every node told of every start.

Only the draws are shared (gpu/rng.py). The engine works out locks lazily, in integers and by pull; here each
transmission is pushed to all nodes when it starts. A wrong rule, tie or rounding shows as a different outcome.
"""

import heapq
import itertools
import math
from dataclasses import dataclass, field

import numpy as np
import pytest

import gpu
from gpu import rng

ENDS, STARTS, TIMERS = 0, 1, 2  # within a tick: what ends is over before what starts, and CCA sees both


@dataclass
class OnAir:
    src: int
    dst: int
    start: int
    end: int
    frame: int
    is_ack: bool


@dataclass
class Station:
    queue: list = field(default_factory=list)
    state: str = "idle"
    serving: bool = False
    deaf_until: int = 0
    ready_at: int = 0
    lock: OnAir | None = None
    timer: int = 0
    be: int = 0
    backoffs: int = 0
    retries: int = 0


class SlowMesh:
    """One hop, one channel, unslotted CSMA/CA with ACK, O-QPSK; mW and float everywhere."""

    def __init__(self, loss_db, radio, seed):
        self.radio, self.seed = radio, seed
        self.noise = 10 ** (radio.noise_dbm / 10)
        power_dbm = radio.tx_power_dbm - loss_db
        self.power = np.where(power_dbm >= radio.interference_cut_dbm, 10 ** (power_dbm / 10), 0.0)  # [src, dst]
        self.stations = [Station() for _ in loss_db]
        self.events, self.sequence, self.air = [], 0, []
        self.frames = []

    def at(self, tick, phase, key, call, *args):
        self.sequence += 1
        heapq.heappush(self.events, (tick, phase, key, self.sequence, call, args))

    def inject(self, tick, src, dst, size):
        self.frames.append({"src": src, "dst": dst, "size": size, "attempts": 0, "first_rx": -1, "outcome": None})
        self.at(tick, TIMERS, src, self.queue_up, tick, src, len(self.frames) - 1)

    def run(self):
        while self.events:
            *_, call, args = heapq.heappop(self.events)
            call(*args)

    def sinr(self, node, wanted, tick):
        others = self.noise
        for t in self.air:
            if t is not wanted and t.src != node and t.start <= tick < t.end:
                others += self.power[t.src, node]
        return self.power[wanted.src, node] / others

    # physical layer
    def put_on_air(self, tick, src, dst, frame, size, is_ack):
        start = tick + self.radio.turnaround_us
        t = OnAir(src, dst, start, start + self.radio.air_us(size), frame, is_ack)
        station = self.stations[src]
        station.lock, station.deaf_until = None, t.end + self.radio.turnaround_us
        self.at(t.start, STARTS, src, self.begins, t)
        self.at(t.end, ENDS, dst, self.over, t)
        return t

    def begins(self, t):
        self.air = [a for a in self.air if a.end > t.start - 20_000]
        self.air.append(t)
        for node, station in enumerate(self.stations):
            free = station.lock is None or station.lock.end <= t.start
            if node == t.src or not free or t.start < station.deaf_until or self.power[t.src, node] == 0:
                continue
            if 10 * math.log10(self.sinr(node, t, t.start)) > self.radio.lock_sinr_db:
                station.lock = t

    def decoded(self, node, t):
        if self.stations[node].lock is not t:
            return False
        edges = {t.start, t.end}
        for a in self.air:
            cuts = (a.start, a.end) if self.radio.chunks == "exact" else (a.start,)
            if a.src != node and self.power[a.src, node] > 0:
                edges |= {e for e in cuts if t.start < e < t.end}
        success, edges = 1.0, sorted(edges)
        for a, b in itertools.pairwise(edges):
            s = self.sinr(node, t, b - 1)
            terms = ((-1) ** k * math.comb(16, k) * math.exp(20 * s * (1 / k - 1)) for k in range(2, 17))
            success *= (1 - 8 / 15 / 16 * sum(terms)) ** ((b - a) * self.radio.bit_rate_bps / 1e6)
        return rng.draw_unit(self.seed, rng.DECODE, node, t.end) < success

    def over(self, t):
        if not self.decoded(t.dst, t):
            return
        station, frame = self.stations[t.dst], self.frames[t.frame]
        if t.is_ack:
            if station.state == "sending" and station.queue[0] == t.frame:
                self.finish(t.dst, "acked", t.end, self.radio.lifs_us)
            return
        if frame["first_rx"] < 0:
            frame["first_rx"] = t.end
        if station.state == "sending":
            self.missed(t.dst, t.end)
        station.state = "acking"
        ack = self.put_on_air(t.end, t.dst, t.src, t.frame, self.radio.ack_bytes, True)
        self.set_timer(t.dst, ack.end + self.radio.turnaround_us)

    # medium access
    def set_timer(self, node, tick):
        self.stations[node].timer += 1
        self.at(tick, TIMERS, node, self.fires, node, self.stations[node].timer, tick)

    def queue_up(self, tick, node, frame):
        self.stations[node].queue.append(frame)
        self.serve(node, tick)

    def serve(self, node, tick):
        station = self.stations[node]
        if station.state != "idle" or not station.queue:
            return
        if tick < station.ready_at:
            station.state = "pause"
            self.set_timer(node, station.ready_at)
            return
        if not station.serving:
            station.serving, station.retries = True, 0
        station.state, station.be, station.backoffs = "csma", self.radio.min_be, 0
        self.back_off(node, tick)

    def back_off(self, node, tick):
        units = int(rng.draw_below(1 << self.stations[node].be, self.seed, rng.BACKOFF, node, tick))
        self.set_timer(node, tick + units * self.radio.unit_backoff_us + self.radio.cca_us)

    def fires(self, node, timer, tick):
        station = self.stations[node]
        if timer != station.timer:
            return
        if station.state == "csma":
            self.assess(node, tick)
        elif station.state == "sending":
            station.state = "idle"
            self.missed(node, tick)
            self.serve(node, tick)
        else:
            station.state = "idle"
            self.serve(node, tick)

    def assess(self, node, tick):
        station, radio = self.stations[node], self.radio
        threshold = 10 ** (radio.cca_threshold_dbm / 10)
        before = [t for t in self.air if t.src != node and t.start < tick]  # what starts now comes too late
        instants = [t.start for t in before if tick - radio.cca_us < t.start and self.power[t.src, node] > 0] + [tick]
        levels = [sum(self.power[t.src, node] for t in before if t.start <= i < t.end) for i in instants]
        locked = station.lock is not None and station.lock.start < tick < station.lock.end
        if locked or max(levels) >= threshold:
            station.be, station.backoffs = min(station.be + 1, radio.max_be), station.backoffs + 1
            if station.backoffs <= radio.max_csma_backoffs:
                self.back_off(node, tick)
            else:
                self.finish(node, "channel_access_failure", tick, None)
            return
        frame = self.frames[station.queue[0]]
        frame["attempts"] += 1
        station.state = "sending"
        t = self.put_on_air(tick, node, frame["dst"], station.queue[0], frame["size"], False)
        self.set_timer(node, t.end + radio.ack_wait_us)

    def missed(self, node, tick):
        self.stations[node].retries += 1
        if self.stations[node].retries > self.radio.max_frame_retries:
            self.end_head(node, "no_ack")

    def end_head(self, node, verdict):
        station = self.stations[node]
        frame = self.frames[station.queue.pop(0)]
        station.serving = False
        gave_up = verdict != "acked"
        frame["outcome"] = "unacked_delivered" if gave_up and frame["first_rx"] >= 0 else verdict

    def finish(self, node, verdict, tick, pause):
        self.end_head(node, verdict)
        self.stations[node].state = "idle"
        if pause is not None:
            self.stations[node].ready_at = tick + pause
        self.serve(node, tick)


def random_field(count, neighbours, window_s, rounds, seed):
    draw = np.random.default_rng(seed)
    side = math.sqrt(count * math.pi * 60**2 / neighbours)
    xy = draw.uniform(0, side, (count, 2))
    distance = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1))
    np.fill_diagonal(distance, np.inf)
    t_us = (draw.uniform(0, window_s, (rounds, count)) * 1e6).astype(int) + np.arange(rounds)[:, None] * int(
        window_s * 1.5e6
    )
    src = np.tile(np.arange(count), (rounds, 1))
    near = [np.flatnonzero(row < 60) if (row < 60).any() else [row.argmin()] for row in distance]
    dst = np.array([[draw.choice(near[i]) for i in range(count)] for _ in range(rounds)])
    return xy, distance, t_us.ravel(), src.ravel(), dst.ravel()


@pytest.mark.parametrize(
    ("count", "neighbours", "window_s", "rounds", "cut_dbm"),
    [(30, 8, 0.1, 12, -120), (60, 25, 0.25, 5, -120), (60, 25, 0.1, 4, -160), (40, 12, 0.05, 6, -105)],
)
@pytest.mark.parametrize("chunks", ["exact", "ns-3"])
def test_every_frame_ends_as_in_the_slow_model(count, neighbours, window_s, rounds, cut_dbm, chunks):
    seed = 11
    radio = gpu.profile("oqpsk-250k-2450", interference_cut_dbm=cut_dbm, chunks=chunks)
    xy, distance, t_us, src, dst = random_field(count, neighbours, window_s, rounds, seed)
    mesh = gpu.Mesh.build(xy, [], radio, seed, route=False)
    mesh.inject(t_us * 1000, src, dst, 100)
    mesh.run_until(int(t_us.max()) * 1000 + 5 * 10**9)
    fast = mesh.frames()

    loss = 46.68 + 30 * np.log10(np.maximum(np.where(np.isfinite(distance), distance, 1.0), 1.0))
    slow = SlowMesh(loss, radio, seed)
    for frame in zip(t_us.tolist(), src.tolist(), dst.tolist(), strict=True):
        slow.inject(*frame, 100)
    slow.run()
    expected = [f["outcome"] for f in slow.frames]
    assert len(set(expected)) >= 3  # the load is high enough to show every rule at work
    assert [gpu.OUTCOMES[code] for code in fast["outcome"]] == expected
    assert fast["attempts"].tolist() == [f["attempts"] for f in slow.frames]
    received = [f["first_rx"] * 1000 if f["first_rx"] >= 0 else -1 for f in slow.frames]
    assert fast["first_rx_ns"].tolist() == received
