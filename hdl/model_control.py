"""Bit-exact integer models of the control blocks, one call a sample, written from docs/front-end.md.

They hold no clocks. An event is (kind, value, extra) as EVENT, EVENT_EXTREME and EVENT_EXTRA show it.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

RVC_START, RVC_END, OVERCURRENT_START, OVERCURRENT_END = 11, 12, 13, 14
LIMIT_TRIP, LIMIT_RECLOSE, LIMIT_LOCKOUT, LIMIT_RELEASE = 15, 16, 17, 18
LAST_GASP, HOLDUP_LOW, CHECKSUM_ERROR, CROSSING_LOST = 19, 20, 21, 22
DISCARDED = 1 << 31
RVC_DECIDE_SAMPLES = 4  # from a value to its decision
CLOSED, OPEN, LOCKED = 0, 1, 2
IDLE, SUSPECTED, DECLARED, SENT, RETURNED = range(5)
ENERGY_SHIFT = 22
RING, WORDS = 60, 8
LENGTHS = (1, 5, 15, 30)  # minutes
WHOLE, FROZEN = 1 << 16, 1 << 17


class Event(NamedTuple):
    """What an event register shows besides the sample and Urms(1/2)."""

    kind: int
    value: int = 0
    extra: int = 0


class RapidChange:
    """Rapid voltage changes of Urms(1/2) (td_rapid_change)."""

    def __init__(self, threshold: int, hysteresis: int, count: int):
        self.threshold, self.hysteresis, self.count = threshold, hysteresis, count
        self.window: deque[int] = deque(maxlen=count)
        self.steady = False
        self.before = 0  # mean while it was last steady
        self.values: list[int] | None = None  # since the start of a change
        self.due: tuple[int, int] | None = None  # samples to the decision, the value

    def step(self, fresh: bool, valid: bool, urms: int, disturbed: bool) -> Event | None:
        """Take one sample; ``fresh``: with a new Urms(1/2). Return the event it makes."""
        if fresh and not valid:
            changing, self.values = self.values is not None, None
            self.window.clear()
            self.steady, self.due = False, None
            return Event(RVC_END, 0, DISCARDED) if changing else None
        if fresh:
            self.window.append(urms)
            self.due = (RVC_DECIDE_SAMPLES, urms)
            return None
        if self.due is None:
            return None
        left, value = self.due
        self.due = (left - 1, value) if left > 1 else None
        return self._decide(value, disturbed) if left == 1 else None

    def _decide(self, urms: int, disturbed: bool) -> Event | None:
        limit = self.threshold if self.steady else max(0, self.threshold - self.hysteresis)
        mean = sum(self.window) // self.count
        steady = len(self.window) == self.count and all(abs(value - mean) <= limit for value in self.window)
        former, self.steady = self.steady, steady
        event = None
        if self.values is not None:
            self.values.append(urms)
            if disturbed:
                self.values, self.steady, event = None, False, Event(RVC_END, 0, DISCARDED)
            elif steady:
                settled = abs(mean - self.before)
                changing = self.values[: -self.count]
                largest = max([settled, *(abs(value - self.before) for value in changing)])
                self.values, event = None, Event(RVC_END, largest, settled)
        elif former and not steady and not disturbed:
            self.values, event = [urms], Event(RVC_START, urms, self.before)
        if steady:
            self.before = mean
        return event


class Overcurrent:
    """Over-current (td_overcurrent)."""

    def __init__(self, threshold: int, hysteresis: int):
        self.threshold, self.hysteresis = threshold, hysteresis
        self.peak: int | None = None
        self.samples = 0

    def step(self, fresh: bool, irms: int) -> Event | None:
        """Take one sample; ``fresh``: with a new current. Return the event it makes."""
        self.samples += 1
        if not fresh:
            return None
        if self.peak is None:
            if irms <= self.threshold:
                return None
            self.peak, self.samples = irms, 0
            return Event(OVERCURRENT_START, irms, 0)
        if irms <= self.threshold - self.hysteresis:
            event = Event(OVERCURRENT_END, self.peak, min(self.samples, 0xFFFFFFFF))
            self.peak = None
            return event
        self.peak = max(self.peak, irms)
        return None


@dataclass
class LimiterSettings:
    """The locked registers of the ampere limit; times in samples, currents in 1/16 ADC code."""

    trip: int = 80000
    reclose: int = 80000
    clear: int = 4800000
    tries: int = 8
    add: bool = False
    least: int = 0
    most: int = (1 << 30) - 1


class Pending(NamedTuple):
    """A scheduled limit: when, as a sample or as ticks left."""

    by_tick: bool
    at: int
    limit: int
    id: int


@dataclass
class Limiter:
    """Remote ampere limit (td_limiter): commands between samples, then `step`."""

    settings: LimiterSettings = field(default_factory=LimiterSettings)
    limit: int = 0
    state: int = CLOSED
    tries: int = 0
    current: int = 0
    above: int = 0  # samples above the limit in a row
    below: int = 0
    opened: int = 0  # samples open
    pending: Pending | None = None
    id: int | None = None
    applied: tuple[int, int] = (0, 0)  # id and newest sample
    released: bool = False  # its event is still to come

    def command(self, operation: str, identity: int, index: int, value: int = 0, at: int = 0) -> str:
        """Take a command after sample ``index`` and return accepted, duplicate or refused."""
        if identity == self.id:
            return "duplicate"
        limits = self.settings
        in_range = value == 0 or limits.least <= value <= limits.most
        later = at > index if operation == "schedule" else at & 0xFFFF > 0
        if operation in ("apply", "schedule", "schedule_tick") and not in_range:
            return "refused"
        if operation.startswith("schedule") and (self.pending is not None or not later):
            return "refused"
        if operation == "cancel" and self.pending is None:
            return "refused"
        self.id = identity
        if operation == "apply":
            self._apply(value, identity, index)
        elif operation == "cancel":
            self.pending = None
        elif operation == "release":
            self._close()
        else:
            by_tick = operation == "schedule_tick"
            self.pending = Pending(by_tick, at & 0xFFFF if by_tick else at, value, identity)
        return "accepted"

    def tick(self) -> None:
        """Take a time tick."""
        if self.pending is not None and self.pending.by_tick:
            self.pending = self.pending._replace(at=max(0, self.pending.at - 1))

    def disable(self) -> None:
        """Switch it off: the breaker closes."""
        self._close()

    def _close(self) -> None:
        self.released = self.released or self.state != CLOSED
        self.state, self.tries = CLOSED, 0
        self.above = self.below = 0

    def _apply(self, limit: int, identity: int, index: int) -> None:
        self.limit, self.applied = limit, (identity, index)
        self.tries = 0
        if self.state == CLOSED:
            self.above = self.below = 0

    def step(self, index: int, fresh: bool, irms1: int, irms2: int, enabled: bool = True) -> Event | None:
        """Take sample ``index``; ``fresh``: with new currents. Return the event it makes.

        The current of a sample counts from the next one on; so does a limit scheduled for it.
        """
        event = None
        if self.released:
            self.released = False
            event = Event(LIMIT_RELEASE, 0, 0)
        elif enabled:
            event = self._breaker()
        if self.pending is not None and self._due(index):
            new, self.pending = self.pending, None
            self._apply(new.limit, new.id, index)
        if fresh:
            self.current = irms1 + irms2 if self.settings.add else max(irms1, irms2)
        return event and event._replace(value=self.current, extra=self.limit)

    def _due(self, index: int) -> bool:
        assert self.pending is not None
        return self.pending.at == 0 if self.pending.by_tick else index >= self.pending.at

    def _breaker(self) -> Event | None:
        limits = self.settings
        if self.state == LOCKED:
            return None
        if self.state == OPEN:
            self.opened += 1
            if self.tries >= limits.tries:
                self.state = LOCKED
                return Event(LIMIT_LOCKOUT)
            if self.opened >= limits.reclose:
                self.state, self.above, self.below = CLOSED, 0, 0
                return Event(LIMIT_RECLOSE)
            return None
        if self.limit and self.current > self.limit:
            self.above, self.below = self.above + 1, 0
        else:
            self.above, self.below = 0, self.below + 1
        if self.above >= limits.trip:
            self.state, self.tries, self.opened = OPEN, min(self.tries + 1, 15), 0
            return Event(LIMIT_TRIP)
        if self.below >= limits.clear:
            self.tries = 0
        return None


class LastGasp:
    """States of the Last Gasp (td_last_gasp)."""

    def __init__(self, declare: int, delay: int):
        self.declare, self.delay = declare, delay
        self.state = IDLE
        self.onset = self.returned_at = self.declared = self.momentary = 0
        self.waited = 0
        self.confirmed = False

    def sent(self) -> None:
        """Tell that the message is sent."""
        if self.state == DECLARED:
            self.state = SENT

    def clear(self) -> None:
        """Tell that the return is reported."""
        if self.state == RETURNED:
            self.state = IDLE

    def step(self, index: int, detected: int) -> Event | None:
        """Take sample ``index`` and the detector's event of it (0: none); return the event it makes."""
        if self.state in (IDLE, RETURNED):
            if detected == 1:
                self.state, self.waited, self.confirmed = SUSPECTED, 0, False
                self.onset = ((index << 16) - self.delay) % (1 << 64)
        elif self.state == SUSPECTED:
            self.waited = min(self.waited + 1, (1 << 28) - 1)
            self.confirmed = self.confirmed or detected == 2
            if detected in (3, 4):
                self.state = IDLE
                self.momentary += self.confirmed
            elif self.confirmed and self.waited >= self.declare:
                self.state = DECLARED
                self.declared += 1
                return Event(LAST_GASP, 0, self.waited)
        elif detected == 4:
            self.state, self.returned_at = RETURNED, index
        return None


class Holdup:
    """Monitor of the hold-up capacitor (td_holdup)."""

    def __init__(self, low: int, hysteresis: int, stop: int):
        self.below, self.hysteresis, self.stop = low, hysteresis, stop
        self.low = self.told = False
        self.energy = 0

    def code(self, code: int) -> None:
        """Take an ADC code."""
        if code < self.below:
            self.low = True
        elif code >= self.below + self.hysteresis:
            self.low = self.told = False
        self.energy = code**2 - self.stop**2 if code > self.stop else 0

    def step(self) -> Event | None:
        """Take one sample and return the event it makes."""
        event = Event(HOLDUP_LOW, self.energy) if self.low and not self.told else None
        self.told = self.low
        return event


class Record(NamedTuple):
    """One interval as its eight words show it."""

    energies: tuple[int, int, int, int]
    samples: int
    at: int
    whole: bool
    frozen: bool
    tick: int

    def words(self) -> list[int]:
        """Return the words in order of address."""
        flags = self.whole * WHOLE | self.frozen * FROZEN
        return [*self.energies, self.samples, self.at & 0xFFFFFFFF, self.at >> 32 | flags, self.tick]


class Intervals:
    """Energies of 1, 5, 15 and 30 minutes (td_intervals); ticks between samples, then `step`."""

    def __init__(self) -> None:
        self.totals = (0, 0, 0, 0)
        self.ticks = self.minute = 0
        self.pending = False
        self.opened: dict[int, tuple[tuple[int, ...], int] | None] = dict.fromkeys(LENGTHS)  # totals, sample
        self.inside = dict.fromkeys(LENGTHS, 0)  # ticks
        self.frozen = dict.fromkeys(LENGTHS, False)
        self.ring: list[Record] = []  # oldest first, up to 60
        self.latest: dict[int, Record] = {}

    def tick(self) -> bool:
        """Take a time tick; return whether it came too early and was merged with the one before."""
        early, self.pending = self.pending, True
        return early

    def align(self, minute: int) -> bool:
        """Set the minute of the half hour that now runs; return False for one above 29."""
        if minute > 29:
            return False
        self.minute = minute
        return True

    def step(self, index: int, totals: tuple[int, int, int, int], frozen: bool) -> None:
        """Take sample ``index`` with the energy registers at it."""
        closing, self.pending = self.pending, False
        if frozen:
            self.frozen = dict.fromkeys(LENGTHS, True)
        else:
            self.totals = (
                totals[0] >> ENERGY_SHIFT & 0xFFFFFFFF,
                totals[1] >> ENERGY_SHIFT & 0xFFFFFFFF,
                totals[2] >> ENERGY_SHIFT & 0xFFFFFFFF,
                totals[3] >> ENERGY_SHIFT & 0xFFFFFFFF,
            )
        if closing:
            self._close(index)

    def _close(self, index: int) -> None:
        self.ticks = (self.ticks + 1) % (1 << 32)
        for length in LENGTHS:
            self.inside[length] += 1
            if (self.minute + 1) % length:
                continue
            begin, start = self.opened[length] or ((0, 0, 0, 0), 0)
            a, b, c, d = ((now - then) % (1 << 32) for now, then in zip(self.totals, begin, strict=True))
            whole = self.opened[length] is not None and self.inside[length] == length
            span = (index - start) % (1 << 32)
            record = Record((a, b, c, d), span, index, whole, self.frozen[length], self.ticks)
            if length == 1:
                self.ring = [*self.ring[-RING + 1 :], record]
            else:
                self.latest[length] = record
            self.opened[length], self.inside[length] = (self.totals, index), 0
            self.frozen[length] = False
        self.minute = (self.minute + 1) % 30


def checksum(words: Iterable[int]) -> int:
    """Return the CRC-32 of locked registers in address order (td_guard)."""
    return zlib.crc32(b"".join(word.to_bytes(4, "little") for word in words))
