"""Same seed, same bytes: whatever the speed of the processes, however messages are delayed."""

import random
import threading
import time
from collections import Counter

import zmq

from hil.process import RigProcess
from hil.rigs import BoardRig
from hil.run import run_scenario
from twin.study.tables import SCHEMAS


class SlowWire:
    """A ZeroMQ proxy that holds back every message for a random while; messages keep their order, as in TCP."""

    def __init__(self, endpoint, seed, most_s):
        self._luck = random.Random(seed)
        self._most_s = most_s
        self._context = zmq.Context()
        self._front = self._context.socket(zmq.ROUTER)
        self._front.bind("tcp://127.0.0.1:*")
        self.endpoint = self._front.getsockopt_string(zmq.LAST_ENDPOINT)
        self._back = self._context.socket(zmq.DEALER)
        self._back.connect(endpoint)
        self.passed = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def _carry(self):
        peer = None
        poller = zmq.Poller()
        poller.register(self._front, zmq.POLLIN)
        poller.register(self._back, zmq.POLLIN)
        while not self._stop.is_set():
            for socket, _ in poller.poll(50):
                if self._luck.random() < 0.2:
                    time.sleep(self._luck.random() * self._most_s)
                if socket is self._front:
                    peer, data = self._front.recv_multipart()
                    self._back.send(data)
                else:
                    self._front.send_multipart([peer, self._back.recv()])
                self.passed += 1
        self._front.close(0)
        self._back.close(0)

    def close(self):
        self._stop.set()
        self._thread.join()
        self._context.term()


def run_through(scenario, place, seed=None):
    """Run, optionally with a slow wire between twin and rig."""
    wires = []

    def slow_rig(endpoint, log, **options):
        wires.append(SlowWire(endpoint, seed, most_s=0.02))
        return RigProcess(wires[-1].endpoint, log, **options)

    try:
        return run_scenario(scenario, place, rig=RigProcess if seed is None else slow_rig), wires
    finally:
        for wire in wires:
            wire.close()


def test_delayed_messages_change_nothing(make_small, tmp_path):
    scenario = make_small("time.duration_s=20", "policy.kind=last_gasp+polling", "policy.poll_round_s=3")
    plain, _ = run_through(scenario, tmp_path / "plain")
    assert plain.summary["gasps"]["delivered"] > 0
    for seed in (1, 2):
        slow, wires = run_through(scenario, tmp_path / f"slow{seed}", seed)
        assert wires[0].passed > 2000
        assert slow.manifest["digest"] == plain.manifest["digest"]
        assert slow.summary == plain.summary
        for name in SCHEMAS:
            file = f"{name}.parquet"
            assert (slow.folder / file).read_bytes() == (plain.folder / file).read_bytes(), file


def test_another_seed_is_another_run(make_small, tmp_path):
    digests = {
        run_scenario(make_small("time.duration_s=8", f"seed={seed}", "fault.line=Line 21"), tmp_path / str(seed))
        .manifest["digest"]
        for seed in (1, 2)
    }  # fmt: skip
    assert len(digests) == 2


def test_windows_do_not_matter(make_small, tmp_path):
    """Board, polls and all: as short as 2.5 ms and as long as every reaction in the scenario allows."""
    slow = ("meter.handoff_ms=500", "concentrator.turnaround_ms=500", "wan.latency_ms=500", "time.duration_s=45",
            "policy.kind=last_gasp+polling", "policy.poll_round_s=3", "adversary.forged=5", "adversary.replayed=5",
            "adversary.replay_after_s=3")  # fmt: skip
    runs = [
        run_scenario(make_small(*slow, f"time.window_ms={window_ms}"), tmp_path / str(window_ms))
        for window_ms in (2.5, 20, 500)
    ]
    assert runs[0].summary["gasps"]["delivered"] > 100
    assert runs[0].summary["polls"]["answered"] > 10
    for other in runs[1:]:
        assert other.manifest["digest"] == runs[0].manifest["digest"]
        assert other.summary == runs[0].summary


def test_a_rig_that_has_its_next_grant_early_sees_what_one_does_that_waits(make_small, tmp_path, monkeypatch):
    """The board's meter goes dark, is polled and comes back, so that supply and downlinks both cross the link."""
    scenario = make_small("time.duration_s=40", "policy.kind=polling", "policy.poll_round_s=1")
    outstanding, most, crossed = 0, {}, Counter()
    grant, collect = BoardRig.grant, BoardRig.collect

    def counted_grant(self, until_ns, supply, downlinks):
        nonlocal outstanding
        outstanding += 1
        most[self.ahead] = max(most.get(self.ahead, 0), outstanding)
        crossed.update(supply=len(supply), downlinks=len(downlinks))
        return grant(self, until_ns, supply, downlinks)

    def counted_collect(self):
        nonlocal outstanding
        outstanding -= 1
        return collect(self)

    monkeypatch.setattr(BoardRig, "grant", counted_grant)
    monkeypatch.setattr(BoardRig, "collect", counted_collect)
    early = run_scenario(scenario, tmp_path / "early")
    assert crossed["supply"] >= 2
    assert crossed["downlinks"] >= 1
    monkeypatch.setattr(BoardRig, "ahead", False)
    waits = run_scenario(scenario, tmp_path / "waits")
    assert most == {True: 2, False: 1}
    assert early.manifest["boards"][0]["events"] > 2
    assert early.manifest["digest"] == waits.manifest["digest"]
    assert early.manifest["boards"][0]["events_digest"] == waits.manifest["boards"][0]["events_digest"]
    assert early.summary == waits.summary
