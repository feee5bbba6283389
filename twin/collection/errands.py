"""Errands: requests and commands from the head end to single meters, paced, by priority, tried again, answered."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

from twin.collection.settings import Requests
from twin.office.wan import Wan
from twin.scenario import ns

COMMANDS = ("limit", "lift", "reserve", "cancel", "open", "close")
"""An ampere limit at once and the contract's again, one that begins by itself and its end, the switch."""


REPAIRS = ("image_status", "image_block", "image_activate")
"""Which blocks of a new image are there, one of them, and to use it."""
FOLLOWED = ("missing", *REPAIRS)
"""Kinds whose answer may make the head end send the next errand."""


@dataclass
class Errand:
    """One question or command to one meter.

    Attributes
    ----------
    kind : str
        "missing" (re-request of ``rows``), "read", one of `COMMANDS` or of `REPAIRS`.
    rows : (R,) int
        Messages of the ledger that are asked for.
    sent_ns : int or None
        When the head end's limiter first let it pass.
    received, acted, refused : int
        How often its meter received it, and how often it was carried out: once, however often it comes; how often
        a meter that it was not sealed for refused it.
    request, answer_bytes : bytes or None
        Sealed.
    block : int
        Of an image, that it brings; -1 for none.
    blocks_held : (B,) bool or None
        What the meter answered to "image_status".
    """

    number: int
    kind: str
    meter: int
    priority: int
    rows: NDArray[np.int64]
    asked_ns: int
    block: int = -1
    blocks_held: NDArray[np.bool_] | None = field(default=None, repr=False)
    tries: int = 0
    sent_ns: int | None = None
    reached_ns: int | None = None
    answered_ns: int | None = None
    received: int = 0
    acted: int = 0
    refused: int = 0
    request: bytes | None = field(default=None, repr=False)
    answer_bytes: bytes | None = field(default=None, repr=False)
    done: simpy.Event | None = field(default=None, repr=False)
    process: simpy.Process | None = field(default=None, repr=False)

    def reach(self, t_ns: int, acted: bool) -> None:
        """Take note that a meter took it, and whether it carried it out."""
        self.received += 1
        self.acted += acted
        if self.reached_ns is None:
            self.reached_ns = t_ns

    def answer(self, t_ns: int) -> None:
        """Take the meter's answer at the head end; a second one changes nothing."""
        if self.answered_ns is None:
            self.answered_ns = t_ns
            if self.done is not None and not self.done.triggered:
                self.done.succeed()


class Errands:
    """The head end's way down to the meters.

    Parameters
    ----------
    env : simpy.Environment
        Clock in nanoseconds.
    settings : twin.collection.settings.Requests
    wan : Wan
    turnaround_ns : int
        From the WAN to a concentrator's radio.
    concentrator_of : callable
        Returns the concentrator of a meter as it is now; -1 for a meter that no radio reaches.
    transmit : callable
        ``transmit(errand, t_ns)``: a concentrator's radio may send it from ``t_ns`` on.
    """

    def __init__(
        self, env: simpy.Environment, settings: Requests, wan: Wan, turnaround_ns: int,
        concentrator_of: Callable[[int], int], transmit: Callable[[Errand, int], None],
    ):  # fmt: skip
        self._env = env
        self._settings = settings
        self._wan = wan
        self._turnaround_ns = turnaround_ns
        self._concentrator_of = concentrator_of
        self._transmit = transmit
        self._slots: dict[int, simpy.PriorityResource] = {}
        self._pace = simpy.PriorityResource(env, capacity=1)
        self.all: list[Errand] = []
        self.open = 0
        self._to_send: set[int] = set()  # numbers

    @property
    def to_send(self) -> bool:
        """Whether any errand may still be sent, for the first time or again, or be followed by one."""
        return bool(self._to_send)

    def of(self, kind: str) -> list[Errand]:
        """Return the errands of a kind, in the order in which they began."""
        return [errand for errand in self.all if errand.kind == kind]

    def send(
        self, kind: str, meter: int, priority: int, tries: int, rows: NDArray[np.int64] | None = None,
        rate_per_s: float | None = None, block: int = -1,
    ) -> Errand:  # fmt: skip
        """Begin an errand now."""
        nothing = np.empty(0, np.int64)
        errand = Errand(len(self.all), kind, meter, priority, nothing if rows is None else rows, int(self._env.now))
        errand.block = block
        self.all.append(errand)
        self.open += 1
        self._to_send.add(errand.number)
        errand.process = self._env.process(self._run(errand, tries, rate_per_s or self._settings.rate_per_s))
        return errand

    def _run(self, errand: Errand, tries: int, rate_per_s: float) -> Generator[simpy.Event, Any, None]:
        concentrator = self._concentrator_of(errand.meter)
        slots = self._slots.get(concentrator)
        if slots is None:
            slots = self._slots[concentrator] = simpy.PriorityResource(self._env, self._settings.per_concentrator)
        while errand.answered_ns is None and errand.tries < tries:
            with slots.request(priority=-errand.priority) as slot:
                yield slot
                with self._pace.request(priority=-errand.priority) as turn:
                    yield turn
                    yield self._env.timeout(ns(1 / rate_per_s))
                errand.tries += 1
                errand.sent_ns = int(self._env.now) if errand.sent_ns is None else errand.sent_ns
                errand.done = self._env.event()
                self._wan.carry(partial(self._pass_on, errand, errand.tries == tries), lambda: None)
                yield errand.done | self._env.timeout(ns(self._settings.timeout_s))
        self.open -= 1
        self._to_send.discard(errand.number)

    def _pass_on(self, errand: Errand, last: bool) -> None:
        """Let an errand's concentrator send it; after its last try nothing of it is to come but its answer."""
        self._transmit(errand, int(self._env.now) + self._turnaround_ns)
        if last and errand.kind not in FOLLOWED:
            self._to_send.discard(errand.number)
