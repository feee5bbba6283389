"""The line between concentrators and head end: delay, loss, resending, giving up."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import simpy

from twin.chance import Purpose, uniform
from twin.scenario import Wan as WanSettings
from twin.scenario import ms_ns, ns


class _Draws:
    """The draws of first tries, made a block of message numbers at a time: one by one they took most of a day's run."""

    BLOCK = 4096

    def __init__(self, seed: int, purpose: Purpose):
        self._seed = seed
        self._purpose = purpose
        self._block = -1
        self._values: list[float] = []

    def of(self, number: int, attempt: int) -> float:
        """Return the draw in [0, 1) of one sending of one message."""
        if attempt:
            return float(uniform(self._seed, number, attempt, self._purpose))
        block, place = divmod(number, self.BLOCK)
        if block != self._block:
            numbers = np.arange(block * self.BLOCK, (block + 1) * self.BLOCK)
            self._block, self._values = block, uniform(self._seed, numbers, 0, self._purpose).tolist()
        return self._values[place]


class Wan:
    """Carry messages either way; each sending is drawn from (seed, message number, try).

    Parameters
    ----------
    env : simpy.Environment
        Clock in nanoseconds.
    settings : twin.scenario.Wan
    seed : int
    """

    def __init__(self, env: simpy.Environment, settings: WanSettings, seed: int):
        self._env = env
        self._settings = settings
        self._losses = _Draws(seed, Purpose.WAN_LOSS)
        self._delays = _Draws(seed, Purpose.WAN_DELAY)
        self._numbers = 0
        self.sent = self.lost_sendings = self.given_up = 0

    def carry(self, deliver: Callable[[], Any], give_up: Callable[[], Any]) -> None:
        """Deliver a message after its delay, resending lost ones; call exactly one of the two in the end."""
        self._numbers += 1
        number = self._numbers
        if self._losses.of(number, 0) < self._settings.loss:
            self._env.process(self._carry(number, deliver, give_up))
            return
        # Nearly all get through at once: one event instead of a process, which takes three.
        self.sent += 1
        there = self._env.timeout(self._delay_ns(number, 0))
        there.callbacks.append(lambda _: deliver())

    def _carry(
        self, number: int, deliver: Callable[[], Any], give_up: Callable[[], Any]
    ) -> Generator[simpy.Event, Any, None]:
        for attempt in range(self._settings.tries):
            self.sent += 1
            if self._losses.of(number, attempt) >= self._settings.loss:
                yield self._env.timeout(self._delay_ns(number, attempt))
                deliver()
                return
            self.lost_sendings += 1
            yield self._env.timeout(ns(self._settings.resend_s))
        self.given_up += 1
        give_up()

    def _delay_ns(self, number: int, attempt: int) -> int:
        share = self._delays.of(number, attempt)
        return ms_ns(self._settings.latency_ms - self._settings.jitter_ms * math.log1p(-share))
