"""A simulated source that runs by the wall clock, for a user who has no front-end to move it."""

from __future__ import annotations

import threading
import time
from types import TracebackType

from hil.source.simulated import SimulatedSource

RATE_HZ = 8000
_TICK_S = 0.01


class PacedSource:
    """Play a source as time passes while the context is open; a late tick plays what was missed.

    Parameters
    ----------
    source : SimulatedSource
        Its clock is moved by nobody else.
    """

    def __init__(self, source: SimulatedSource):
        self._source = source
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="clock of the source", daemon=True)

    def __enter__(self) -> PacedSource:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        start_s, played = time.monotonic(), 0
        while not self._ended.wait(_TICK_S):
            due = int((time.monotonic() - start_s) * RATE_HZ) - played
            self._source.play(due, RATE_HZ)
            played += due
