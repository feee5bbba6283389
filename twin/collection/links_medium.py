"""What every link beside the mesh has in common: sendings in order of time, those that arrive, those given up."""

from __future__ import annotations

import heapq
from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass
from typing import Any

from twin.collection.blackout import Blackout
from twin.collection.ledger import NEVER


@dataclass(slots=True)
class Sending:
    """A message, request or answer on its way over a link.

    Attributes
    ----------
    key : int
        Names it in draws: it does not depend on anything else that is sent.
    row : int
        Message of the ledger, `NEVER` for a request or an answer.
    luck : float
        In [0, 1), decides about losses.
    errand : Errand, optional
    down : bool
        From the office to the meter.
    """

    key: int
    meter: int
    psdu_bytes: int
    luck: float
    row: int = NEVER
    errand: Any = None
    down: bool = False
    attempt: int = 0


class Medium(ABC):
    """Cells of one kind of link, on a clock of their own that follows the run's windows.

    Attributes
    ----------
    arrived, given_up : list
        ``(t_ns, sending)`` and ``(t_ns, sending, cause)`` since they were last taken.
    offered, arrivals, failures : int
        Counts of sendings, for the sums.
    busy_ns : int
        Time for which cells were in use, summed.
    """

    def __init__(self) -> None:
        self._events: list[tuple[int, int, int, int, Sending]] = []  # t_ns, cell, stage, key, sending
        self.arrived: list[tuple[int, Sending]] = []
        self.given_up: list[tuple[int, Sending, str]] = []
        self.offered = self.arrivals = self.failures = self.busy_ns = 0
        self.causes: Counter[str] = Counter()

    @property
    def on_their_way(self) -> int:
        """Sendings that have neither arrived nor been given up."""
        return len(self._events)

    @abstractmethod
    def offer(self, t_ns: int, sending: Sending) -> None:
        """Take a sending that wants to begin at a moment not before the end of the last window."""

    @abstractmethod
    def run_until(self, end_ns: int) -> None:
        """Let everything happen that happens before ``end_ns``."""

    def take(self) -> tuple[list[tuple[int, Sending]], list[tuple[int, Sending, str]]]:
        """Return what arrived and what was given up since the last time."""
        arrived, self.arrived = self.arrived, []
        given_up, self.given_up = self.given_up, []
        return arrived, given_up

    def _at(self, t_ns: int, cell: int, stage: int, sending: Sending) -> None:
        heapq.heappush(self._events, (t_ns, cell, stage, sending.key, sending))

    def _arrive(self, t_ns: int, sending: Sending) -> None:
        self.arrivals += 1
        self.arrived.append((t_ns, sending))

    def _give_up(self, t_ns: int, sending: Sending, cause: str) -> None:
        self.failures += 1
        self.causes[cause] += 1
        self.given_up.append((t_ns, sending, cause))


def without_supply(blackout: Blackout, meter: int, t_ns: int) -> bool:
    """Return whether a meter has no supply at a moment."""
    return bool(blackout.off_ns[meter] <= t_ns < blackout.on_ns[meter])
