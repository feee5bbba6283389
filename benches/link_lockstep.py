"""What the link costs a run in lockstep, of its wall time.

``python benches/link_lockstep.py [--seconds 20] [--rounds 3]`` writes ``benches/results/link_lockstep.json``. In a run
of the default scenario with windows of 10 ms, twin and rig note when each of them works and when the twin grants and
collects. The same work is then laid out in time with a link that costs nothing: a grant is there when it is given, an
answer when the rig has it. What the run lasted longer is the link's: encoding, sockets, waking up. The bar is 5 %.
Beside it, the round trip of a window in which nothing happens, with a rig in a process of its own that answers at once,
and one of ZeroMQ alone: on a busy machine both ends mostly wait for a core.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import zmq
from radio_bench import RESULTS, head

from hil import rig, rig_lockstep
from hil.link import RigEnd, RigSide
from hil.process import RigProcess
from hil.progress import Watch
from hil.rigs import BoardRig
from hil.run import load_scenario, started
from twin import wire
from twin.link.lockstep import Lockstep
from twin.link.states import State
from twin.link.twin_end import TwinEnd
from twin.scenario import Scenario

BAR = 0.05
WINDOW_MS = 10


def echo(endpoint: str) -> None:
    """Answer every grant with its end."""
    link = RigEnd(endpoint)
    link.send(wire.Hello(wire.PROTO))
    link.state = State.INITIALISED
    while isinstance(message := link.receive(), wire.Grant):
        link.send(wire.Done(message.window, message.until_ns, 0))
    link.close()


def empty_window(count: int) -> tuple[float, float]:
    """Return the mean time of a window in which nothing happens, and the twin's CPU time of it [us]."""
    end = TwinEnd()
    process = get_context("spawn").Process(target=echo, args=(end.endpoint,))
    process.start()
    end.receive(60.0, "hello")
    end.state = State.INITIALISED
    lockstep = Lockstep(end, 60.0)
    started_s, cpu_s = time.perf_counter(), time.process_time()
    for window in range(1, count + 1):
        lockstep.grant(window * WINDOW_MS * 1_000_000, [], [])
        lockstep.collect()
    figures = _mean_us(count, started_s), 1e6 * (time.process_time() - cpu_s) / count
    end.send(wire.Stop())
    process.join()
    end.close()
    return figures


def bare_echo(endpoint: str) -> None:
    """Give every message back, until an empty one."""
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.connect(endpoint)
    socket.send(b"hello")
    while data := socket.recv():
        socket.send(data)
    socket.close()
    context.term()


def bare_window_us(count: int) -> float:
    """Return the mean time of a round trip of ZeroMQ alone [us]."""
    context = zmq.Context()
    socket = context.socket(zmq.ROUTER)
    port = socket.bind_to_random_port("tcp://127.0.0.1")
    process = get_context("spawn").Process(target=bare_echo, args=(f"tcp://127.0.0.1:{port}",))
    process.start()
    peer, _ = socket.recv_multipart()
    data = wire.encode(wire.Grant(1, 10_000_000))
    started_s = time.perf_counter()
    for _ in range(count):
        socket.send_multipart([peer, data])
        socket.recv_multipart()
    mean_us = _mean_us(count, started_s)
    socket.send_multipart([peer, b""])
    process.join()
    socket.close()
    context.term()
    return mean_us


def _mean_us(count: int, started_s: float) -> float:
    return 1e6 * (time.perf_counter() - started_s) / count


class TimedRig:
    """A `RigDriver` that notes when it is asked for what.

    Attributes
    ----------
    calls : list of (bool, int, int)
        Whether it is a grant (or a collection), and when it began and ended [ns].
    """

    def __init__(self, driver: BoardRig):
        self.calls: list[tuple[bool, int, int]] = []
        self.ahead = driver.ahead
        self._driver = driver

    def grant(self, until_ns: int, supply: list[wire.SupplyChange], downlinks: list[wire.Downlink]) -> None:
        """Let the rig run to ``until_ns``."""
        began_ns = time.monotonic_ns()
        self._driver.grant(until_ns, supply, downlinks)
        self.calls.append((True, began_ns, time.monotonic_ns()))

    def collect(self) -> list[wire.BoardEvent | wire.Notice]:
        """Return the window's events."""
        began_ns = time.monotonic_ns()
        events = self._driver.collect()
        self.calls.append((False, began_ns, time.monotonic_ns()))
        return events

    def stop(self) -> wire.Stopped:
        """End the rig's run."""
        return self._driver.stop()


def without_link_ns(calls: list[tuple[bool, int, int]], rig_ns: list[int]) -> int:
    """Return how long all windows would have lasted with a link that costs nothing.

    Parameters
    ----------
    calls : list of (bool, int, int)
        Of a `TimedRig`; between two of them the twin works.
    rig_ns : list of int
        How long the rig worked in each window.
    """
    now_ns = rig_ready_ns = 0
    done_ns: list[int] = []  # when the rig has done each granted window
    collected = 0
    ended_ns = calls[0][1]
    for is_grant, began_ns, call_ended_ns in calls:
        now_ns += began_ns - ended_ns
        ended_ns = call_ended_ns
        if is_grant:
            rig_ready_ns = max(rig_ready_ns, now_ns) + rig_ns[len(done_ns)]
            done_ns.append(rig_ready_ns)
        else:
            now_ns = max(now_ns, done_ns[collected])
            collected += 1
    return now_ns


def timed_rig(file: str, arguments: list[str]) -> int:
    """Be the rig's process; leave how long it worked in each window [ns] in a file."""
    began_ns: list[int] = []
    ended_ns: list[int] = []
    window, send = rig_lockstep.Rig._window, RigSide.send

    def timed_window(self: rig_lockstep.Rig, grant: wire.Grant) -> None:
        began_ns.append(time.monotonic_ns())
        window(self, grant)

    def timed_send(self: RigSide, message: wire.Message) -> None:
        if isinstance(message, wire.Done):
            ended_ns.append(time.monotonic_ns())
        send(self, message)

    rig_lockstep.Rig._window = timed_window  # type: ignore[method-assign]
    RigSide.send = timed_send  # type: ignore[method-assign, assignment]
    try:
        return rig.main(arguments)
    finally:
        np.save(file, np.array(ended_ns) - np.array(began_ns))


def run(seconds: int, folder: Path) -> tuple[float, float]:
    """Return the mean wall time of a window of a run, and what the link takes of it [us]."""
    changes = [f"time.duration_s={seconds}", f"time.window_ms={WINDOW_MS}", "fault.at_s=2", "fault.isolate_s=8"]
    scenario = load_scenario("feeder_fault", [*changes, "fault.tie_s=12"], None)
    assert isinstance(scenario, Scenario)
    folder.mkdir()
    file = str(folder / "rig.npy")
    process = partial(RigProcess, program=(__file__, "--rig", file))
    with started(scenario, folder / "run", watch=Watch(quiet=True), rig=process) as way:
        timed = TimedRig(way.loop.rigs[0])  # type: ignore[arg-type]
        way.loop.rigs = (timed,)
        way.step(way.loop.end_ns)
        way.finish()
    rig_ns = np.load(file).tolist()
    lasted_ns = timed.calls[-1][2] - timed.calls[0][1]
    per_window_us = 1e-3 / len(rig_ns)
    return lasted_ns * per_window_us, (lasted_ns - without_link_ns(timed.calls, rig_ns)) * per_window_us


def main() -> None:
    """Measure in turn, print and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    result: dict[str, Any] = head()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(arguments.rounds):
            windows = arguments.seconds * 1000 // WINDOW_MS
            empty_us, cpu_us = empty_window(windows)
            bare_us = bare_window_us(windows)
            whole_us, link_us = run(arguments.seconds, Path(folder) / str(number))
            rows.append(
                {
                    "empty_us": round(empty_us, 1),
                    "empty_twin_cpu_us": round(cpu_us, 1),
                    "zeromq_alone_us": round(bare_us, 1),
                    "run_us": round(whole_us, 1),
                    "link_us": round(link_us, 1),
                    "share": round(link_us / whole_us, 4),
                }
            )
    share = statistics.median(row["share"] for row in rows)
    result |= {"bar": BAR, "share": round(share, 4), "within_bar": share <= BAR, "rows": rows}
    result["load_average_after"] = round(os.getloadavg()[0], 2)
    print(json.dumps(result, indent=1))
    (RESULTS / "link_lockstep.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--rig"]:
        sys.exit(timed_rig(sys.argv[2], sys.argv[3:]))
    main()
