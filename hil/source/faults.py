"""Faults of a simulated source, at given messages: what goes wrong on a bench, made to order."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

KINDS = ("drop", "stale", "overflow", "trip")
TRIP_AFTER_NS = 50_000_000  # in the middle of a usual program
OVERFLOW_ERRORS = 20  # more than the error queue holds


@dataclass(frozen=True)
class Fault:
    """One fault.

    Parameters
    ----------
    message : int
        At which message since the server was started, the first being 0.
    kind : str
        "drop": the connection is cut and the message lost. "stale": the reply comes `FaultScript.stale_s` late.
        "overflow": the error queue overflows. "trip": over-current opens the output 50 ms of simulated time later.
    """

    message: int
    kind: str


class FaultScript:
    """The faults of one server by message.

    Parameters
    ----------
    faults : sequence of Fault
        In any order; a second one at a message replaces the first.
    stale_s : float
        Delay of a stale reply, wall-clock [s].
    """

    def __init__(self, faults: Sequence[Fault] = (), stale_s: float = 1.0):
        self._kinds = {fault.message: fault.kind for fault in faults}
        self._messages = 0
        self.stale_s = stale_s

    def next_kind(self) -> str:
        """Count a message and return the fault it meets, or nothing."""
        kind = self._kinds.get(self._messages, "")
        self._messages += 1
        return kind


def random_faults(seed: int, count: int, messages: int) -> tuple[Fault, ...]:
    """Return faults of random kinds at different random ones of the first so many messages; same seed, same faults."""
    rng = random.Random(seed)
    at = sorted(rng.sample(range(messages), count))
    return tuple(Fault(message, rng.choice(KINDS)) for message in at)
