"""Random faults of a simulated source under a supervised campaign: every run ends valid or says why, output off.

python benches/source_faults.py [RUNS] [FIRST_SEED] writes benches/results/source_faults.json; 1,000 runs by default.
"""

from __future__ import annotations

import collections
import json
import random
import socket
import sys
import threading

import msgspec
from radio_bench import RESULTS, head

from hil.source.dialects import open_source, simulate
from hil.source.faults import FaultScript, random_faults
from hil.source.guard import Reply, Request, Setup
from hil.source.program import interruption
from hil.source.server import SourceServer
from hil.source.supervisor import Supervisor
from teiden.errors import TeidenError

_MESSAGES = 60  # about what energise, two programs and the end take


class RunFailed(Exception):
    """A request came back as an error, or the connection ended."""


def ask(link: socket.socket, request: Request) -> None:
    """Send a request to the supervisor and read its reply."""
    link.sendall(msgspec.json.encode(request) + b"\n")
    data = b""
    while not data.endswith(b"\n"):
        part = link.recv(65536)
        if not part:
            raise RunFailed("the supervisor has ended")
        data += part
    reply = msgspec.json.decode(data, type=Reply)
    if reply.failed:
        raise RunFailed(reply.why)


def play(link: socket.socket, play_simulated: object) -> None:
    """Switch on and play two interruptions."""
    limits = {"voltage_v": 100.0, "frequency_hz": 50.0, "current_limit_a": 5.0, "voltage_limit_v": 120.0}
    ask(link, Request("call", "energise", limits=limits))
    for _ in range(2):
        program = interruption(100, 50, 40, 0.1, off_s=0.0)
        ask(link, Request("arm", steps=list(program), angle_deg=0.0, is_program=True))
        ask(link, Request("call", "fire"))
        play_simulated()
    ask(link, Request("get", "output_enabled"))


def trial(seed: int) -> tuple[str, bool]:
    """Return how a run with random faults ended ("valid" or the reason) and whether the output is off."""
    rng = random.Random(seed)
    simulated = simulate("681x", seed)
    faults = FaultScript(random_faults(seed, rng.randint(1, 3), _MESSAGES), stale_s=rng.choice((0.01, 0.3)))
    with SourceServer(simulated, faults=faults) as server:
        setup = Setup(server.resource_name, "681x", 0.2, 5.0, "", False)
        for _ in range(5):  # faults may meet the first message, too
            try:
                source = open_source(server.resource_name, "681x", setup.timeout_s)
                break
            except TeidenError:
                continue
        mine, theirs = socket.socketpair()
        with mine, theirs:
            supervisor = Supervisor(theirs, setup, source)
            errors: list[str] = []
            thread = threading.Thread(target=_run, args=(supervisor, errors))
            thread.start()
            try:
                play(mine, lambda: simulated.play(4000, 8000))
                how = f"tripped: {simulated.tripped}" if simulated.tripped else "valid"
            except RunFailed as error:
                how = str(error)
            mine.shutdown(socket.SHUT_RDWR)  # as at the death of the user's process
            thread.join()
        return how + "".join(errors), not simulated.output_on


def _run(supervisor: Supervisor, errors: list[str]) -> None:
    try:
        supervisor.run()
    except TeidenError as error:
        errors.append(f"; at the end: {error}")


def kind_of(how: str) -> str:
    """Return the kind of an end."""
    for word in ("closed the connection", "not connected any more", "connection is given up", "it answers again",
                 "Queue overflow", "Settings conflict", "refused", "reads back", "still o", "no reply"):  # fmt: skip
        if word in how:
            return word
    return how.partition(":")[0]


def main() -> None:
    """Print and keep how the runs ended, and of how many the output stayed on."""
    result = head()
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    ends: collections.Counter[str] = collections.Counter()
    still_on = []
    for seed in range(first, first + runs):
        how, off = trial(seed)
        ends[kind_of(how)] += 1
        if not off:
            still_on.append((seed, how))
    result |= {"runs": runs, "output_left_on": still_on, "ends": dict(sorted(ends.items()))}
    print(json.dumps(result, indent=1))
    (RESULTS / "source_faults.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
