"""The head end: verifies, de-duplicates and time-stamps notices, and keeps what it believes of every meter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import simpy

from twin.field.notice import Notice, NoticeRefused, claimed_meter, unseal
from twin.scenario import HeadEnd as HeadEndSettings
from twin.scenario import ms_ns

LIT, DARK = 0, 1
STATE_NAMES = ("lit", "dark")
SEQUENCE_WINDOW = 32  # how far behind the newest a notice may still come; as in IPsec's anti-replay (RFC 4303, 3.4.3)


@dataclass(frozen=True)
class Verdict:
    """What became of one message at the head end."""

    reason: str  # accepted, repeated, forged, malformed, unknown_meter
    t_ns: int
    notice: Notice | None = None


class SequenceWindow:
    """Which sequence numbers of one sender were accepted; a number passes once, and never from far behind."""

    __slots__ = ("_newest", "_seen")

    def __init__(self) -> None:
        self._newest = -1
        self._seen = 0

    def accept(self, sequence: int) -> bool:
        """Return whether the number is new, and remember it."""
        ahead = sequence - self._newest
        if ahead > 0:
            self._seen = ((self._seen << ahead) | 1) & ((1 << SEQUENCE_WINDOW) - 1)
            self._newest = sequence
            return True
        bit = 1 << -ahead
        if -ahead >= SEQUENCE_WINDOW or self._seen & bit:
            return False
        self._seen |= bit
        return True


class Beliefs:
    """What the office believes of each meter, and every change of it.

    Attributes
    ----------
    dark : (N,) bool
        Believed without supply.
    heard : (N,) bool
        Has said or shown anything since the run began.
    said_ns : (N,) int64
        When the meter itself was last heard, -1 for never.
    changes : list of (t_ns, meter, state, source)
    """

    def __init__(self, meters: int):
        self.dark = np.zeros(meters, dtype=bool)
        self.heard = np.zeros(meters, dtype=bool)
        self.said_ns = np.full(meters, -1, dtype=np.int64)
        self.changes: list[tuple[int, int, int, str]] = []

    def learn(self, t_ns: int, meter: int, state: int, source: str) -> None:
        """Take over a state; only a change is recorded."""
        self.heard[meter] = True
        if bool(self.dark[meter]) != (state == DARK):
            self.dark[meter] = state == DARK
            self.changes.append((t_ns, meter, state, source))


class HeadEnd:
    """Workers that verify one message each, in order of arrival.

    Parameters
    ----------
    env : simpy.Environment
        Clock in nanoseconds.
    settings : twin.scenario.HeadEnd
    key_of : callable
        Returns the key of a meter.
    meters : int
        Number of meters in the asset data, N.
    on_gasp : callable
        Hears the meter of each Last Gasp that is accepted.
    """

    def __init__(
        self,
        env: simpy.Environment,
        settings: HeadEndSettings,
        key_of: Callable[[int], bytes],
        meters: int,
        on_gasp: Callable[[int], None] = lambda meter: None,
    ):
        self._env = env
        self._settings = settings
        self._key_of = key_of
        self._meters = meters
        self._inbox: simpy.Store = simpy.Store(env)
        self._on_gasp = on_gasp
        self._windows: dict[tuple[int, str], SequenceWindow] = {}
        self._newest: dict[int, int] = {}
        self.beliefs = Beliefs(meters)
        self.verdicts: Counter[str] = Counter()
        for _ in range(settings.workers):
            env.process(self._work())

    def receive(self, data: bytes, tell: Callable[[Verdict], None]) -> None:
        """Queue a message; ``tell`` hears the verdict once a worker has verified it."""
        self._inbox.put((data, tell))

    def _work(self) -> Generator[simpy.Event, Any, None]:
        verify_ns = ms_ns(self._settings.verify_ms)
        while True:
            data, tell = yield self._inbox.get()
            yield self._env.timeout(verify_ns)
            verdict = self._judge(data)
            self.verdicts[verdict.reason] += 1
            if verdict.notice is not None:
                self._believe(verdict.notice)
            tell(verdict)

    def _judge(self, data: bytes) -> Verdict:
        now = self._env.now
        try:
            meter = claimed_meter(data)
            if meter >= self._meters:
                return Verdict("unknown_meter", now)
            notice = unseal(self._key_of(meter), data)
        except NoticeRefused as refusal:
            return Verdict(refusal.reason, now)
        window = self._windows.setdefault((meter, notice.kind), SequenceWindow())
        if not window.accept(notice.sequence):
            return Verdict("repeated", now)
        return Verdict("accepted", now, notice)

    def _believe(self, notice: Notice) -> None:
        """Let the notice that tells of the latest moment decide; an older one that comes late changes nothing."""
        if notice.kind == "last_gasp":
            self._on_gasp(notice.meter)
        if notice.counter < self._newest.get(notice.meter, -1):
            return
        self._newest[notice.meter] = notice.counter
        self.beliefs.said_ns[notice.meter] = self._env.now
        state = LIT if notice.supply else DARK
        self.beliefs.learn(self._env.now, notice.meter, state, notice.kind)
