"""The line between concentrators and head end: delay, loss, resending, giving up."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import Any

import simpy

from twin.chance import Purpose, uniform
from twin.scenario import Wan as WanSettings
from twin.scenario import ms_ns, ns


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
        self.sent = self.lost_sendings = self.given_up = 0

    def carry(self, deliver: Callable[[], Any], give_up: Callable[[], Any]) -> None:
        """Deliver a message after its delay, resending lost ones; call exactly one of the two in the end."""
        self._numbers += 1
        self._env.process(self._carry(self._numbers, deliver, give_up))

    def _carry(
        self, number: int, deliver: Callable[[], Any], give_up: Callable[[], Any]
    ) -> Generator[simpy.Event, Any, None]:
        for attempt in range(self._settings.tries):
            self.sent += 1
            if float(uniform(self._seed, number, attempt, Purpose.WAN_LOSS)) >= self._settings.loss:
                yield self._env.timeout(self._delay_ns(number, attempt))
                deliver()
                return
            self.lost_sendings += 1
            yield self._env.timeout(ns(self._settings.resend_s))
        self.given_up += 1
        give_up()

    def _delay_ns(self, number: int, attempt: int) -> int:
        share = float(uniform(self._seed, number, attempt, Purpose.WAN_DELAY))
        return ms_ns(self._settings.latency_ms - self._settings.jitter_ms * math.log1p(-share))
