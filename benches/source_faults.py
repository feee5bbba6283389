"""Random faults of a simulated source under a supervised campaign: every run ends valid or says why, output off.

python benches/source_faults.py [RUNS] [FIRST_SEED] writes benches/results/source_faults.json; 1,000 runs by default. A
run that met a fault must end with a reason that this fault gives, one that met none must be valid; others are listed as
wrong.
"""

from __future__ import annotations

import collections
import json
import random
import socket
import sys
import threading
from collections.abc import Callable

import msgspec
from radio_bench import RESULTS, head

from hil.source.dialects import open_source, simulate
from hil.source.faults import Fault, FaultScript, random_faults
from hil.source.guard import Reply, Request, Setup
from hil.source.program import interruption
from hil.source.server import SourceServer
from hil.source.supervisor import Supervisor
from teiden.errors import TeidenError

_MESSAGES = 60  # about what energise, two programs and the end take
_TIMEOUT_S = 0.5  # a loaded machine may stand still for a fifth of a second
_REASONS = {
    "drop": {"closed the connection", "not connected any more"},
    "stale": {"it answers again", "connection is given up", "no reply"},
    "overflow": {"Queue overflow"},
    "trip": {"tripped", "Settings conflict"},
}


class Counting(FaultScript):
    """A script that knows how many messages there have been."""

    count = 0

    def next_kind(self) -> str:
        """Count a message and return the fault it meets, or nothing."""
        self.count += 1
        return super().next_kind()


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


def play(link: socket.socket, play_simulated: Callable[[], None]) -> None:
    """Switch on, play two interruptions, and ask at the end for errors, as a campaign's test does."""
    limits = {"voltage_v": 100.0, "frequency_hz": 50.0, "current_limit_a": 5.0, "voltage_limit_v": 120.0}
    ask(link, Request("call", "energise", limits=limits))
    for _ in range(2):
        program = interruption(100, 50, 40, 0.1, off_s=0.0)
        ask(link, Request("arm", steps=list(program), angle_deg=0.0, is_program=True))
        ask(link, Request("call", "fire"))
        play_simulated()
    ask(link, Request("get", "output_enabled"))
    ask(link, Request("call", "check"))


def trial(seed: int) -> tuple[str, bool, str]:
    """Return how a run with random faults ended ("valid" or why), whether the output is off, and what is wrong."""
    rng = random.Random(seed)
    simulated = simulate("681x", seed)
    planned = random_faults(seed, rng.randint(1, 3), _MESSAGES)
    faults = Counting(planned, stale_s=rng.choice((0.01, 0.75)))
    played: list[int] = []  # at which message each play ended

    def play_simulated() -> None:
        simulated.play(4000, 8000)
        played.append(faults.count)

    with SourceServer(simulated, faults=faults) as server:
        setup = Setup(server.resource_name, "681x", _TIMEOUT_S, 5.0, "", False)
        for _ in range(5):  # faults may meet the first message, too
            try:
                source = open_source(server.resource_name, "681x", setup.timeout_s)
                break
            except TeidenError:
                continue
        opened = faults.count
        mine, theirs = socket.socketpair()
        with mine, theirs:
            supervisor = Supervisor(theirs, setup, source)
            errors: list[str] = []
            thread = threading.Thread(target=_run, args=(supervisor, errors))
            thread.start()
            try:
                play(mine, play_simulated)
                how = f"tripped: {simulated.tripped}" if simulated.tripped else "valid"
            except RunFailed as error:
                how = str(error)
            ended = faults.count
            mine.shutdown(socket.SHUT_RDWR)  # as at the death of the user's process
            thread.join()
        # a trip that a message of the connecting sets off comes when there is playing; the other faults were got over
        met = [fault for fault in planned if (0 if fault.kind == "trip" else opened) <= fault.message < ended]
        return how + "".join(errors), not simulated.output_on, judge(how, met, faults.stale_s, (played or [0])[-1])


def judge(how: str, met: list[Fault], stale_s: float, last_play: int) -> str:
    """Return what is wrong with the end of a run that met these faults, or nothing.

    A reply that is late by less than the time-out is no fault, and a trip needs 50 ms of playing to come.
    """
    kinds = {fault.kind for fault in met if fault.kind != "stale" or stale_s > _TIMEOUT_S}
    must = {fault.kind for fault in met if fault.kind in kinds and (fault.kind != "trip" or fault.message < last_play)}
    reason = kind_of(how)
    if reason == "valid":
        return f"valid in spite of {', '.join(sorted(must))}" if must else ""
    allowed = set().union(*(_REASONS[kind] for kind in kinds))
    return "" if reason in allowed else f"{reason} after {', '.join(sorted(kinds)) or 'no fault'}"


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
    still_on, wrong = [], []
    for seed in range(first, first + runs):
        how, off, mistake = trial(seed)
        ends[kind_of(how)] += 1
        if not off:
            still_on.append((seed, how))
        if mistake:
            wrong.append((seed, mistake, how))
    result |= {"runs": runs, "output_left_on": still_on, "wrong": wrong, "ends": dict(sorted(ends.items()))}
    print(json.dumps(result, indent=1))
    (RESULTS / "source_faults.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
