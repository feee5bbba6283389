"""The line between concentrators and head end: delay, loss, resending, giving up."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

from twin.chance import Purpose, uniform
from twin.scenario import Wan as WanSettings
from twin.scenario import ms_ns, ns

BLOCK = 4096  # message numbers whose first tries are drawn at once: one by one they took most of a day's run


LOST = -1
"""Delay of a sending that does not arrive."""


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
        self._seed = seed
        self._numbers = 0
        self._first_tries: list[int] = []  # delay of each message of the present block [ns], LOST for a lost one
        self._later_tries: dict[int, list[int]] = {}  # of messages whose first sending is lost
        self.sent = self.lost_sendings = self.given_up = 0

    def carry(self, deliver: Callable[[], Any], give_up: Callable[[], Any]) -> None:
        """Deliver a message after its delay, resending lost ones; call exactly one of the two in the end."""
        delay_ns = self.first_try_ns()
        if delay_ns == LOST:
            self.insist(deliver, give_up)
            return
        # Nearly all get through at once: one event instead of a process, which takes three.
        there = self._env.timeout(delay_ns)
        there.callbacks.append(lambda _: deliver())

    def carry_word(self, told: Callable[[int], Any]) -> None:
        """Carry a message that changes nothing when it arrives but what is looked up later: no event of its own.

        ``told(t_ns)`` hears when it arrives, at once if it gets through at once, else when it has; never if it is
        given up.
        """
        delay_ns = self.first_try_ns()
        if delay_ns == LOST:
            self.insist(lambda: told(int(self._env.now)), lambda: None)
        else:
            told(int(self._env.now) + delay_ns)

    def insist(self, deliver: Callable[[], Any], give_up: Callable[[], Any]) -> None:
        """Carry the message whose first sending has just been found lost as `carry` does."""
        self._env.process(self._carry(self._numbers, deliver, give_up))

    def first_try_ns(self) -> int:
        """Number the next message and return the delay of its first sending [ns], `LOST` if that is lost."""
        self._numbers += 1
        place = self._numbers % BLOCK
        if place == 0 or not self._first_tries:
            self._draw_block(np.arange(self._numbers - place, self._numbers - place + BLOCK))
        delay_ns = self._first_tries[place]
        self.sent += delay_ns != LOST
        return delay_ns

    def _draw_block(self, numbers: NDArray[np.int64]) -> None:
        """Draw what becomes of the first sending of messages, and of the later ones of those it is lost of."""
        self._first_tries = self._delays_ns(numbers, 0)
        lost = numbers[np.array(self._first_tries) == LOST]
        later = [self._delays_ns(lost, attempt) for attempt in range(1, self._settings.tries)]
        for place, number in enumerate(lost.tolist()):
            self._later_tries[number] = [tries[place] for tries in later]

    def _delays_ns(self, numbers: NDArray[np.int64], attempt: int) -> list[int]:
        """Return the delay of a sending of each message [ns], `LOST` for a lost one."""
        lost = uniform(self._seed, numbers, attempt, Purpose.WAN_LOSS) < self._settings.loss
        shares = uniform(self._seed, numbers, attempt, Purpose.WAN_DELAY)
        least_ms, mean_ms = self._settings.latency_ms, self._settings.jitter_ms
        return [
            LOST if gone else ms_ns(least_ms - mean_ms * math.log1p(-share))
            for gone, share in zip(lost.tolist(), shares.tolist(), strict=True)
        ]

    def _carry(
        self, number: int, deliver: Callable[[], Any], give_up: Callable[[], Any]
    ) -> Generator[simpy.Event, Any, None]:
        for delay_ns in [LOST, *self._later_tries.pop(number)]:
            self.sent += 1
            if delay_ns != LOST:
                yield self._env.timeout(delay_ns)
                deliver()
                return
            self.lost_sendings += 1
            yield self._env.timeout(ns(self._settings.resend_s))
        self.given_up += 1
        give_up()
