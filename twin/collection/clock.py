"""The office's clock: SimPy's, which also makes plain calls, in one order with its events."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

import simpy
from simpy.events import NORMAL


class Clock(simpy.Environment):
    """A SimPy environment in nanoseconds for what happens often and simply; driven by `run_until`, not by `run`.

    What is done once after a delay needs no event that others could wait for: a call takes a third of the time of a
    `simpy.Timeout` with a callback. Calls and events of one moment come in the order in which they were planned.
    """

    def call(self, delay_ns: int, act: Callable[..., Any], *given: Any) -> None:
        """Call ``act(*given)`` after a delay [ns]."""
        heappush(self._queue, (self._now + delay_ns, NORMAL, next(self._eid), (act, given)))

    def run_until(self, t_ns: int) -> None:
        """Let everything before ``t_ns`` happen; what was planned for ``t_ns`` itself is still to come."""
        queue = self._queue
        while queue and queue[0][0] < t_ns:
            planned: Any = queue[0][3]
            if type(planned) is tuple:
                self._now = heappop(queue)[0]
                act, given = planned
                act(*given)
            else:
                self.step()
        self._now = t_ns
