"""Concentrators: take notices off the mesh, hand them to the WAN; take polls off the WAN, hand them to the mesh."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import simpy

from twin.office.wan import Wan
from twin.scenario import Concentrator as ConcentratorSettings
from twin.scenario import ms_ns


class Concentrators:
    """All concentrators of the run; each forwards one message at a time, in order of arrival.

    Parameters
    ----------
    env : simpy.Environment
        Clock in nanoseconds.
    settings : twin.scenario.Concentrator
    wan : Wan
    count : int
        Number of concentrators, C.
    """

    def __init__(self, env: simpy.Environment, settings: ConcentratorSettings, wan: Wan, count: int):
        self._env = env
        self._wan = wan
        self._process_ns = ms_ns(settings.process_ms)
        self._turnaround_ns = ms_ns(settings.turnaround_ms)
        self._free_at_ns = [0] * count

    def uplink(self, concentrator: int, deliver: Callable[[], Any], give_up: Callable[[], Any]) -> None:
        """Forward a received message: it waits for those before it, is processed, then enters the WAN."""
        start_ns = max(self._env.now, self._free_at_ns[concentrator])
        self._free_at_ns[concentrator] = start_ns + self._process_ns
        self._after(self._free_at_ns[concentrator] - self._env.now, lambda: self._wan.carry(deliver, give_up))

    def downlink(self, transmit: Callable[[int], Any], give_up: Callable[[], Any]) -> None:
        """Bring a message from the head end to a concentrator; ``transmit`` hears when the radio may have it [ns]."""
        self._wan.carry(lambda: transmit(self._env.now + self._turnaround_ns), give_up)

    def _after(self, delay_ns: int, act: Callable[[], Any]) -> None:
        event = self._env.timeout(delay_ns)
        event.callbacks.append(lambda _: act())
