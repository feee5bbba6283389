"""What the link costs a run in lockstep: the round trip of an empty window against a window of a real run.

``python benches/link_lockstep.py [--seconds 20] [--rounds 3]`` writes ``benches/results/link_lockstep.json``. A run of
the default scenario with windows of 10 ms gives the wall time of a window; a rig that answers every grant at once, in
a process of its own as the real one, gives what of it is encoding, sockets and waking up. That is more than the link
costs, because part of it happens while mesh and board work. Both are measured in turn. The bar is 5 %.
On a busy machine both ends mostly wait for a core: a round trip of ZeroMQ alone, beside it, tells how long.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import zmq
from radio_bench import RESULTS, head

from hil.link import RigEnd
from hil.run import load_scenario, run_scenario
from twin import wire
from twin.link.lockstep import Lockstep
from twin.link.states import State
from twin.link.twin_end import TwinEnd

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


def run_window_us(seconds: int, folder: Path) -> float:
    """Return the mean time of a window of a real run [us]."""
    changes = [f"time.duration_s={seconds}", f"time.window_ms={WINDOW_MS}", "fault.at_s=2", "fault.isolate_s=8"]
    done = run_scenario(load_scenario("feeder_fault", [*changes, "fault.tie_s=12"], None), folder)
    return 1e6 * done.manifest["wall_s"] / (seconds * 1000 / WINDOW_MS)


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
            whole_us = run_window_us(arguments.seconds, Path(folder) / str(number))
            rows.append(
                {
                    "empty_us": round(empty_us, 1),
                    "empty_twin_cpu_us": round(cpu_us, 1),
                    "zeromq_alone_us": round(bare_us, 1),
                    "run_us": round(whole_us, 1),
                    "share": round(empty_us / whole_us, 4),
                }
            )
    share = statistics.median(row["share"] for row in rows)
    result |= {"bar": BAR, "share": round(share, 4), "within_bar": share <= BAR, "rows": rows}
    result["load_average_after"] = round(os.getloadavg()[0], 2)
    print(json.dumps(result, indent=1))
    (RESULTS / "link_lockstep.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
