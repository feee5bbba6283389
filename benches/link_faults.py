"""Random faults of link, process and clock: every run ends valid, with all events, or invalid with the right reason.

``python benches/link_faults.py [--trials 1000] [--first-seed 0]`` writes ``benches/results/link_faults.json``. A trial
is a short run of the real link between two processes, with a stand-in of the board that says what its seed tells it to.
What befalls it, and when, is drawn from the seed; it is known beforehand how such a run has to end. Faults of the
source are those of ``benches/source_faults.py``.
"""

from __future__ import annotations

import argparse
import collections
import json
import multiprocessing
import os
import random
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import zmq
from cutting_wire import CuttingWire
from radio_bench import RESULTS, head

from hil.link import RigEnd
from hil.realtime import RealTime
from teiden.errors import TeidenError
from twin import wire
from twin.field.meters import SAMPLE_NS
from twin.link.lockstep import Lockstep
from twin.link.states import State
from twin.link.twin_end import TwinEnd

WINDOWS, REAL_TIME_WINDOWS = 40, 65
WINDOW_NS = 20_000_000
SAMPLES_PER_NS = 1 / SAMPLE_NS
LIMIT_MS = 1000.0  # far above what a busy machine does, so that the injected fault decides

# what befalls a run, and how it has to end: "" for valid, else a pattern of the reason
LOCKSTEP = {
    "nothing": "",
    "connection cut": "",
    "rig frozen for a while": "",
    "stranger": "",
    "rig frozen": "connection lost or frozen",
    "rig killed": "killed by SIGKILL",
    "rig garbles": "no message of protocol",
    "event left out": "one was lost",
}
REAL_TIME = {
    "sound clock": "",
    "counter jumps": "invalid: clock: the counter's period",
    "oscillator off": "invalid: clock: the counter's period",
    "notice late": "invalid: late",
    "board behind": "invalid: overrun: the board",
}


def events_of(seed: int, window: int) -> int:
    """Return how many events the board of a seed has in a window."""
    return random.Random(seed * 1000 + window).choice((0, 0, 1, 5))


def event(number: int) -> wire.BoardEvent:
    """Return an event that says its number."""
    return wire.BoardEvent(number, number, "power_fail", number, "trigger", 62)


def board(endpoint: str, seed: int, kind: str, at: int) -> None:
    """Answer grants with the events of a seed; in real time, count and say what the fault wants."""
    link = RigEnd(endpoint, patience_s=60.0)
    link.allow(64)
    link.send(wire.Hello(wire.PROTO))
    link.state = State.INITIALISED
    (_real_time if kind in REAL_TIME else _lockstep)(link, seed, kind, at)
    link.send(wire.Stopped(0, [], [], [], [], 0, []))
    link.flush()
    link.close()


def _lockstep(link: RigEnd, seed: int, kind: str, at: int) -> None:
    while isinstance(message := link.receive(), wire.Grant):
        if message.window == at and kind == "rig garbles":
            link._put(link.channel.pack(b"\xc1" + bytes(at)))
        if message.window == at and kind == "event left out":
            link.next_sequence()
            link.send_event(event(link.next_sequence()))
        for _ in range(events_of(seed, message.window)):
            link.send_event(event(link.next_sequence()))
        link.send(wire.Done(message.window, message.until_ns, link.sent))


def _real_time(link: RigEnd, seed: int, kind: str, at: int) -> None:
    link.receive()
    start_ns, reads = time.monotonic_ns(), 0
    rate = SAMPLES_PER_NS * (1 + (random.Random(seed).choice((-1, 1)) * 5e-2 if kind == "oscillator off" else 0))
    while not isinstance(message := link.take(0.01), wire.Stop):
        now = int((time.monotonic_ns() - start_ns) * rate)
        if isinstance(message, wire.ReadCounter):
            reads += 1
            jump = 4000 if kind == "counter jumps" and reads > 8 else 0  # the second burst
            behind_ns = 2 * 10**9 if kind == "board behind" else 0
            link.send(wire.Counter(message.number, now + jump, behind_ns))
        if kind == "notice late" and not link.sent and now > at * 100:
            t_ns = now * SAMPLE_NS - 2 * 10**9
            link.send_event(wire.Notice(link.next_sequence(), t_ns, "last_gasp", 1, t_ns, 0, 0, b""))


class Trial:
    """One run with one fault."""

    def __init__(self, seed: int):
        rng = random.Random(seed)
        self.seed = seed
        self.kind = rng.choice([*LOCKSTEP, *REAL_TIME])
        self.at = rng.randrange(2, WINDOWS)
        self.cuts = {rng.randrange(2, WINDOWS) for _ in range(rng.randrange(1, 5))}
        self.pause_s = rng.uniform(0.05, 1.0)

    def play(self) -> str:
        """Return what is wrong with how the run ended; nothing if it ended as it must."""
        expected = {**LOCKSTEP, **REAL_TIME}[self.kind]
        ended = self._run()
        right = re.search(expected, ended) if expected else not ended
        return "" if right else f"seed {self.seed}, {self.kind}: ended {ended!r}, expected {expected!r}"

    def _run(self) -> str:
        end = TwinEnd()
        relay = CuttingWire(end.endpoint)
        process = multiprocessing.get_context("forkserver").Process(
            target=board, args=(relay.endpoint, self.seed, self.kind, self.at)
        )
        process.start()
        end.alive = lambda: None if process.exitcode is None else _how(process.exitcode)
        try:
            end.receive(60.0, "hello")
            end.state = State.INITIALISED
            end.allow(64)
            return self._real_time(end) if self.kind in REAL_TIME else self._lockstep(end, relay, process)
        except TeidenError as error:
            return str(error)
        finally:
            process.kill()
            process.join()
            end.close()
            relay.close()

    def _lockstep(self, end: TwinEnd, relay: CuttingWire, process: Any) -> str:
        lockstep, number = Lockstep(end, 30.0), 0
        lockstep.grant(WINDOW_NS, [], [])
        for window in range(1, WINDOWS + 1):
            self._befall(window, end, relay, process)
            if window < WINDOWS:  # ahead, as a run does
                lockstep.grant((window + 1) * WINDOW_NS, [], [])
            for got in lockstep.collect():
                number += 1
                if got != event(number):
                    return f"{got!r} instead of event {number}"
        lockstep.stop()
        expected = sum(events_of(self.seed, window) for window in range(1, WINDOWS + 1))
        return "" if number == expected else f"{number} events of {expected}"

    def _befall(self, window: int, end: TwinEnd, relay: CuttingWire, process: Any) -> None:
        if self.kind == "connection cut" and window in self.cuts:
            relay.cut()
        if window != self.at:
            return
        if self.kind in ("rig frozen", "rig frozen for a while"):
            os.kill(process.pid, signal.SIGSTOP)
        if self.kind == "rig frozen for a while":
            threading.Timer(self.pause_s, os.kill, (process.pid, signal.SIGCONT)).start()
        if self.kind == "rig killed":
            process.kill()
        if self.kind == "stranger":
            _shout(end.endpoint, random.Random(self.seed).randbytes(40))

    def _real_time(self, end: TwinEnd) -> str:
        driver = RealTime(end, 30.0, LIMIT_MS)
        for window in range(1, REAL_TIME_WINDOWS + 1):
            driver.grant(window * WINDOW_NS, [], [])
            driver.collect()
        driver.stop()
        return "; ".join(flag for flag in driver.flags() if flag.startswith("invalid"))


def _how(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"


def _shout(endpoint: str, data: bytes) -> None:
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.connect(endpoint)
    socket.send(data)
    socket.close(100)
    context.term()


def results(trials: int, first_seed: int, tell: Callable[[str], None]) -> Iterator[tuple[str, str]]:
    """Yield (kind, what is wrong) of each trial."""
    for seed in range(first_seed, first_seed + trials):
        trial = Trial(seed)
        wrong = trial.play()
        if wrong:
            tell(wrong)
        yield trial.kind, wrong


def main() -> None:
    """Play, print and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--first-seed", type=int, default=0)
    arguments = parser.parse_args()
    multiprocessing.get_context("forkserver").set_forkserver_preload(["hil.link", "hil.realtime", "radio_bench"])
    result: dict[str, Any] = head()
    found = list(results(arguments.trials, arguments.first_seed, print))
    result |= {
        "trials": len(found),
        "ended_as_they_must": sum(not wrong for _, wrong in found),
        "wrong": [wrong for _, wrong in found if wrong],
        "trials_by_fault": dict(sorted(collections.Counter(kind for kind, _ in found).items())),
        "load_average_after": round(os.getloadavg()[0], 2),
    }
    print(json.dumps(result, indent=1))
    (RESULTS / "link_faults.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
