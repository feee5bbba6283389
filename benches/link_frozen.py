"""How soon each end of the link sees the other one frozen, in every way that they meet, with and without keys.

``python benches/link_frozen.py [--repeats 10]`` writes ``benches/results/link_frozen.json``. The other end is a process
that is stopped (SIGSTOP) at a random moment and goes on once it was seen; it must then be the same peer again.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import signal
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from radio_bench import RESULTS, head

from hil.link import RigEnd, ServedRig
from twin import wire
from twin.link.end import End
from twin.link.keys import Keys, load_keys, make_keys
from twin.link.twin_end import CallingTwin, TwinEnd

WAYS: tuple[tuple[type[End], type[End]], ...] = (
    (TwinEnd, RigEnd),
    (RigEnd, TwinEnd),
    (CallingTwin, ServedRig),
    (ServedRig, CallingTwin),
)  # which end looks, which one freezes
OWNS = {TwinEnd: "twin", CallingTwin: "twin", RigEnd: "rig", ServedRig: "rig"}
BAR_S = 0.5


def make(kind: type[End], endpoint: str, folder: str) -> Any:
    """Return an end, at an endpoint if it is one that connects."""
    keys: Keys | None = load_keys(Path(folder), OWNS[kind]) if folder else None
    return kind(endpoint, keys=keys) if kind in (RigEnd, CallingTwin) else kind(keys=keys)  # type: ignore[call-arg]


def greet(end: Any) -> None:
    """Say the first word, if it is this end's."""
    if isinstance(end, RigEnd):
        end.hello()
    elif isinstance(end, CallingTwin):
        end.send(wire.Call(wire.PROTO))


def listen(end: Any) -> None:
    """Take what comes for a moment; a served rig answers its call."""
    if isinstance(end.take(0.01), wire.Call):
        end.hello()


def other(kind: type[End], endpoint: str, folder: str, pipe: Any) -> None:
    """Be the end that freezes, until the process is killed."""
    end = make(kind, endpoint, folder)
    pipe.send(end.endpoint)
    greet(end)
    while True:
        listen(end)


def wait(end: Any, condition: Callable[[], bool]) -> None:
    """Listen until a condition holds."""
    until_s = time.monotonic() + 30
    while not condition():
        listen(end)
        if time.monotonic() > until_s:
            raise SystemExit(f"{type(end).__name__}: nothing happened within 30 s")


def seen_after_s(kind: type[End], frozen: type[End], folder: str, repeats: int, rng: random.Random) -> list[float]:
    """Return after how long each freeze was seen [s]."""
    first = make(kind, "", folder) if kind in (TwinEnd, ServedRig) else None
    ours, theirs = multiprocessing.Pipe()
    place = first.endpoint if first is not None else ""
    process = multiprocessing.get_context("forkserver").Process(target=other, args=(frozen, place, folder, theirs))
    process.start()
    endpoint = ours.recv()
    end = first if first is not None else make(kind, endpoint, folder)
    try:
        greet(end)
        wait(end, lambda: end.connections > 0 and end.channel.taken + end.channel.acknowledged > 0)
        return [_freeze(end, process, rng) for _ in range(repeats)]
    finally:
        process.kill()
        process.join()
        end.close()


def _freeze(end: Any, process: Any, rng: random.Random) -> float:
    until_s = time.monotonic() + rng.uniform(0.2, 0.4)
    wait(end, lambda: time.monotonic() > until_s)
    os.kill(process.pid, signal.SIGSTOP)
    frozen_s = time.monotonic()
    wait(end, lambda: end.lost_s is not None)
    after_s = float(end.lost_s - frozen_s)
    os.kill(process.pid, signal.SIGCONT)
    wait(end, lambda: end.lost_s is None)
    return after_s


def main() -> None:
    """Freeze, print and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=10)
    repeats = parser.parse_args().repeats
    multiprocessing.get_context("forkserver").set_forkserver_preload(["link_frozen"])
    result: dict[str, Any] = head() | {"bar_s": BAR_S, "seen": []}
    times: list[float] = []
    with tempfile.TemporaryDirectory() as work:
        make_keys(Path(work) / "keys")
        for number, (kind, frozen) in enumerate(WAYS):
            for folder in ("", str(Path(work) / "keys")):
                seen = seen_after_s(kind, frozen, folder, repeats, random.Random(number))
                times += seen
                result["seen"].append(
                    {
                        "by": kind.__name__,
                        "frozen": frozen.__name__,
                        "curve": bool(folder),
                        "median_s": round(statistics.median(seen), 3),
                        "worst_s": round(max(seen), 3),
                    }
                )
    result |= {"freezes": len(times), "worst_s": round(max(times), 3), "within_bar": sum(s < BAR_S for s in times)}
    print(json.dumps(result, indent=1))
    (RESULTS / "link_frozen.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
