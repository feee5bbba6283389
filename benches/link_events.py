"""Events over the link, rig to twin, each in a process of its own; none may be lost, repeated or out of order.

``python benches/link_events.py [--events 200000] [--rounds 5] [--credits 64]`` writes
``benches/results/link_events.json``: events a second with CURVE and without, and beside them what ZeroMQ alone does
with the same messages and credits. ``--soak`` plays a day's worth of events once, over the link with CURVE alone, and
writes ``link_events_soak.json``. The bar is 30,000 events a second with CURVE. On a machine that is busy, the CPU time
of the slower process says more than the wall does.
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
from twin import wire
from twin.link.keys import Keys, guard_client, guard_server, load_keys, make_keys
from twin.link.states import State
from twin.link.twin_end import TwinEnd

BAR_PER_S = 30_000
SOAK = 10_000_000


def event(number: int) -> wire.BoardEvent:
    """Return an event like those of a run."""
    return wire.BoardEvent(number, 125_000 * number, "power_fail_confirmed", number, "trigger", 62)


def rig(endpoint: str, folder: str, count: int, credits: int) -> None:
    """Send so many events over the link."""
    link = RigEnd(endpoint, keys=load_keys(Path(folder), "rig") if folder else None)
    link.allow(credits)
    link.send(wire.Hello(wire.PROTO))
    link.state = State.RUNNING
    for _ in range(count):
        link.send_event(event(link.next_sequence()))
    link.flush()
    link.close()


def over_link(folder: str, count: int, credits: int) -> dict[str, float]:
    """Take so many events and look at each one's number."""
    end = TwinEnd(keys=load_keys(Path(folder), "twin") if folder else None)
    process = get_context("spawn").Process(target=rig, args=(end.endpoint, folder, count, credits))
    process.start()
    end.receive(60.0, "hello")
    end.state = State.RUNNING
    end.allow(credits)
    started_s, cpu_s = time.perf_counter(), time.process_time()
    for number in range(1, count + 1):
        message = end.receive(60.0, "event")
        if message.sequence != number:
            raise SystemExit(f"event {message.sequence} came, expected {number}")
    figures = _figures(count, started_s, cpu_s)
    end.acknowledge()
    process.join()
    end.close()
    return figures | {"lost": 0, "duplicates_dropped": end.channel.duplicates}


def bare_rig(endpoint: str, keys: Keys | None, count: int, credits: int) -> None:
    """Send so many events with ZeroMQ alone, which counts credits only."""
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    if keys is not None:
        guard_client(socket, keys)
    socket.connect(endpoint)
    credit = credits
    for number in range(1, count + 1):
        if not credit:
            credit += int(socket.recv())
        credit -= 1
        socket.send(wire.encode(event(number)))
    socket.recv()
    socket.close()
    context.term()


def bare(folder: str, count: int, credits: int) -> dict[str, float]:
    """Take so many events with ZeroMQ alone."""
    context = zmq.Context()
    socket = context.socket(zmq.ROUTER)
    if folder:
        guard_server(socket, load_keys(Path(folder), "twin"))
    socket.bind("tcp://127.0.0.1:*")
    endpoint = socket.getsockopt_string(zmq.LAST_ENDPOINT)
    keys = load_keys(Path(folder), "rig") if folder else None
    process = get_context("spawn").Process(target=bare_rig, args=(endpoint, keys, count, credits))
    process.start()
    socket.poll(60_000)
    started_s, cpu_s = time.perf_counter(), time.process_time()
    half = max(credits // 2, 1)
    for number in range(1, count + 1):
        peer, data = socket.recv_multipart()
        if wire.decode(data).sequence != number:
            raise SystemExit(f"event {number} did not come")
        if number % half == 0:
            socket.send_multipart([peer, str(half).encode()])
    figures = _figures(count, started_s, cpu_s)
    socket.send_multipart([peer, b"0"])
    process.join()
    socket.close()
    context.term()
    return figures


def _figures(count: int, started_s: float, cpu_s: float) -> dict[str, float]:
    wall_s, cpu_s = time.perf_counter() - started_s, time.process_time() - cpu_s
    return {"events_per_s": round(count / wall_s), "twin_cpu_us_per_event": round(1e6 * cpu_s / count, 2)}


def main() -> None:
    """Measure side by side, print and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--credits", type=int, default=64)
    parser.add_argument("--soak", action="store_true")
    arguments = parser.parse_args()
    events, rounds = (SOAK, 1) if arguments.soak else (arguments.events, arguments.rounds)
    result: dict[str, Any] = head() | {"events": events, "credits": arguments.credits, "bar": BAR_PER_S}
    with tempfile.TemporaryDirectory() as folder:
        keys = f"{folder}/keys"
        make_keys(Path(keys))
        rows: dict[str, list[dict[str, float]]] = {}
        ways = (
            ("link_curve", over_link, keys),
            ("zeromq_curve", bare, keys),
            ("link_plain", over_link, ""),
            ("zeromq_plain", bare, ""),
        )
        for _ in range(rounds):
            for name, measure, where in ways[:1] if arguments.soak else ways:
                rows.setdefault(name, []).append(measure(where, events, arguments.credits))
    result["median_events_per_s"] = {
        name: statistics.median(row["events_per_s"] for row in found) for name, found in rows.items()
    }
    result["best_events_per_s"] = {name: max(row["events_per_s"] for row in found) for name, found in rows.items()}
    result |= {"rows": rows, "load_average_after": round(os.getloadavg()[0], 2)}
    print(json.dumps(result, indent=1))
    place = RESULTS / ("link_events_soak.json" if arguments.soak else "link_events.json")
    place.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
