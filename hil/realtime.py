"""Real time: twin and board both run by the wall clock and nobody waits for anybody.

Hardware cannot stop and cannot roll back. So the twin holds its windows to its own clock, takes what has arrived by a
window's end, and keeps book of what that costs: how far either side fell behind, what came too late to act when it
should have, how well the board's counter is known in the twin's time. Above a limit the run is marked invalid.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

import msgspec

from hil.clock import ClockMap
from teiden.errors import InputError, PartFailed, TeidenError
from twin import wire
from twin.field.meters import SAMPLE_NS
from twin.link.end import wait_for_any
from twin.link.lockstep import meet, take_stopped
from twin.link.twin_end import TwinSide

BURST = 8  # readings of the counter, of which the one with the shortest round trip counts
BURST_EVERY_NS = 10**9
NEAR_NS = 10**9  # after a trigger, whose time is then as good for what follows: 0.1 ms at 100 ppm
READ_TIMEOUT_NS = 10**9  # a reading without an answer by then is given up
INVALID = "invalid: "  # begins a flag of a run whose results do not count


@dataclass
class Book:
    """What went wrong so far; nothing in it ever goes back."""

    twin_overruns: int = 0  # windows that the twin ended more than a window late
    twin_behind_ns: int = 0  # the worst
    board_behind_ns: int = 0  # the worst, beyond a step
    late: int = 0  # notices that came after their moment
    late_ns: int = 0  # the worst
    after_end: int = 0  # events of the run that came when it was over
    clock_bound_ns: int = 0  # the worst bound of an event's time on the twin's clock
    clock_fault: str = ""


class WallClock:
    """The clock of a run in real time: one time 0 for all its boards, and waits in which all of them are heard."""

    def __init__(self) -> None:
        self._origin_ns = 0  # of the twin's time, on the monotonic clock
        self._rigs: list[RealTime] = []

    def add(self, rig: RealTime) -> None:
        """Hear this rig too."""
        self._rigs.append(rig)

    def start(self) -> None:
        """Let the twin's time begin, unless another board's has."""
        if not self._origin_ns:
            self._origin_ns = time.monotonic_ns()

    def now_ns(self) -> int:
        """Return the twin's time."""
        return time.monotonic_ns() - self._origin_ns

    def wait(self, until_ns: int) -> None:
        """Hear all rigs until a moment has come, or one of them has failed."""
        while all(rig.hear() for rig in self._rigs) and (left_ns := until_ns - self.now_ns()) > 0:
            wait_for_any([rig.end for rig in self._rigs], left_ns / 1e9)

    def stop(self) -> None:
        """Tell all rigs to stop, each once: none runs on while another one's records come."""
        for rig in self._rigs:
            rig.tell_to_stop()


class RealTime:
    """One rig by the wall clock; to the loop it looks like a lockstep.

    Parameters
    ----------
    end : TwinSide
        The twin's socket.
    timeout_s : float
        Longest wait for what the rig recorded, at the end.
    limit_ms : float
        Overrun, lateness or clock bound above it make the run invalid.
    wall : WallClock, optional
        Of the run, for several boards.
    """

    ahead = False  # what is sent acts when it arrives

    def __init__(self, end: TwinSide, timeout_s: float, limit_ms: float, wall: WallClock | None = None):
        self._wall = wall or WallClock()
        self._wall.add(self)
        self.end = end
        self._timeout_s = timeout_s
        self._limit_ns = round(limit_ms * 1e6)
        self.book = Book()
        self._failure: TeidenError | None = None  # heard while another board was waited for
        self._told_to_stop = False
        self._begun = False
        self._begin_ns = self._until_ns = 0
        self._clock = ClockMap(1e9 / SAMPLE_NS)
        self._bursts = 0
        self._burst_ns = 0  # when the next is due
        self._readings: list[tuple[int, int, int]] = []
        self._asked: tuple[int, int] | None = None  # number and time of the reading on its way
        self._number = 0
        self._held: list[wire.BoardEvent | wire.Notice] = []  # until the clocks have met
        self._events = 0
        self._t0: tuple[int, int] | None = None  # the last trigger, on the board's and on the twin's clock

    def start(self, configure: wire.Configure, patience_s: float = 600.0) -> wire.Ready:
        """Meet the rig and configure it; the board does not run yet."""
        return meet(self.end, configure, patience_s)

    def grant(self, until_ns: int, supply: list[wire.SupplyChange], downlinks: list[wire.Downlink]) -> None:
        """Begin the window that ends at ``until_ns``; what is sent acts when it arrives."""
        if not self._begun:
            self.end.send(wire.Start())
            self._wall.start()
            self._begun = True
        self._begin_ns, self._until_ns = self._until_ns, until_ns
        for change in supply:
            self.end.send(change)
        for downlink in downlinks:
            self.end.send(wire.Downlink(self._board_ns(downlink.t_ns), downlink.poll))

    def collect(self) -> list[wire.BoardEvent | wire.Notice]:
        """Wait for the window's end on the clock; return what has arrived, on the twin's time, by (time, sequence)."""
        self._wall.wait(self._until_ns)
        if self._failure is not None:
            raise self._failure
        behind_ns = self._now_ns() - self._until_ns
        self.book.twin_behind_ns = max(self.book.twin_behind_ns, behind_ns)
        self.book.twin_overruns += behind_ns > self._until_ns - self._begin_ns
        if not self._bursts:
            return []
        events, self._held = [self._on_twin_time(event) for event in self._held], []
        return sorted(events, key=lambda e: (e.t_ns, e.sequence))

    def stop(self) -> wire.Stopped:
        """End the rig's run and return what it recorded; its events that come only now are counted, not heard."""
        self._wall.stop()
        if self._failure is not None:
            raise self._failure
        while isinstance(
            message := self.end.receive(self._timeout_s, "stopped"), (wire.BoardEvent, wire.Notice, wire.Counter)
        ):
            self._take_message(message)
        if self._readings:
            self._add_burst(*zip(*self._readings, strict=True))
        self.book.after_end = sum(not self._bursts or self._twin_ns(e.t_ns) < self._until_ns for e in self._held)
        return take_stopped(self.end, self._timeout_s, message)

    def hear(self) -> bool:
        """Take what has come and read the counter if it is time; return whether the rig is well.

        What it fails with is raised by its own `collect`, so that it is not taken for another board's.
        """
        try:
            self._read_counter()
            while self._take():
                pass
        except TeidenError as error:
            self._failure = error
        return self._failure is None

    def tell_to_stop(self) -> None:
        """End the rig's run, if it has not been told yet; a last burst compares the clocks up to there."""
        if self._told_to_stop or self._failure is not None:
            return
        self._told_to_stop = True
        try:
            self._readings = []
            for _ in range(BURST):
                self._read_now()
            self.end.send(wire.Stop())
        except TeidenError as error:
            self._failure = error

    def report(self) -> dict[str, Any]:
        """Return the book, for the run's manifest."""
        return {**asdict(self.book), "limit_ns": self._limit_ns, "clock_readings": self._bursts}

    def flags(self) -> list[str]:
        """Return what a reader must know, a line each; those that make the run invalid begin with `INVALID`."""
        book, window_ns = self.book, self._until_ns - self._begin_ns
        flags = [
            self._flag(what, worst_ns)
            for what, worst_ns in (
                (f"overrun: the twin ended {book.twin_overruns} windows late, the worst", book.twin_behind_ns),
                ("overrun: the board fell behind the clock, at worst", book.board_behind_ns),
                (f"late: {book.late} notices went on the air after their moment, the worst", book.late_ns),
                ("clock bound: the time of an event is known to", book.clock_bound_ns),
            )
            if worst_ns > window_ns or worst_ns > self._limit_ns
        ]
        if book.after_end:
            flags.append(f"{INVALID}late: {book.after_end} events came when the run was over")
        if book.clock_fault:
            flags.append(f"{INVALID}{book.clock_fault}")
        if not self._bursts:
            flags.append(f"{INVALID}clock bound: the board's counter was never read")
        return flags

    def _flag(self, what: str, worst_ns: int) -> str:
        told = f"{what} {worst_ns / 1e6:.1f} ms"
        return f"{INVALID}{told}, limit {self._limit_ns / 1e6:g} ms" if worst_ns > self._limit_ns else told

    def _now_ns(self) -> int:
        return self._wall.now_ns()

    def _take(self, timeout_s: float = 0.0) -> bool:
        """Take one message, if one comes within a time, and return whether one did."""
        message = self.end.take(timeout_s)
        if message is not None:
            self._take_message(message)
        return message is not None

    def _take_message(self, message: wire.Message) -> None:
        if isinstance(message, (wire.BoardEvent, wire.Notice)):
            self._events += 1
            if message.sequence != self._events:
                raise PartFailed(f"link: event {message.sequence} came, expected {self._events}; one was lost")
            self._held.append(message)
        elif isinstance(message, wire.Counter):
            self._take_counter(message)
        else:
            raise PartFailed(f"link: {message!r} does not fit a run in real time")

    # --- clocks

    def _read_counter(self) -> None:
        """Ask for the next reading of a burst, if it is time."""
        now_ns = self._now_ns()
        if self._asked is not None and now_ns - self._asked[1] < READ_TIMEOUT_NS:
            return
        if now_ns >= self._burst_ns:
            self._ask()

    def _read_now(self) -> None:
        """Read the counter and wait for the answer."""
        self._ask()
        until_ns = self._now_ns() + READ_TIMEOUT_NS
        while self._asked is not None and (left_ns := until_ns - self._now_ns()) > 0:
            self._take(left_ns / 1e9)

    def _ask(self) -> None:
        self._number += 1
        self._asked = (self._number, self._now_ns())  # before it is sent: the board may be read at once
        self.end.send(wire.ReadCounter(self._number))

    def _take_counter(self, counter: wire.Counter) -> None:
        self.book.board_behind_ns = max(self.book.board_behind_ns, counter.behind_ns)
        if self._asked is None or counter.number != self._asked[0]:
            return
        self._readings.append((self._asked[1], counter.samples, self._now_ns()))
        self._asked = None
        if len(self._readings) == BURST:
            self._add_burst(*zip(*self._readings, strict=True))
            self._readings = []
            self._burst_ns += BURST_EVERY_NS

    def _add_burst(self, sent_ns: tuple[int, ...], counts: tuple[int, ...], received_ns: tuple[int, ...]) -> None:
        try:
            self._clock.add_burst(sent_ns, counts, received_ns)
            self._bursts += 1
        except (PartFailed, InputError) as error:
            self.book.clock_fault = self.book.clock_fault or str(error)

    def _board_ns(self, t_ns: int) -> int:
        """Return the board's time at a moment of the twin's."""
        if not self._bursts:
            return t_ns
        ahead_ns = float(self._clock.host_ns(t_ns / SAMPLE_NS).middle) - t_ns  # the rates differ by ppm only
        return max(round(t_ns - ahead_ns), 0)

    def _on_twin_time(self, event: wire.BoardEvent | wire.Notice) -> wire.BoardEvent | wire.Notice:
        """Return an event with its times on the twin's clock; a notice whose moment has passed goes out now."""
        if isinstance(event, wire.BoardEvent):
            return msgspec.structs.replace(event, t_ns=self._event_ns(event))
        t_ns = self._twin_ns(event.t_ns)
        if t_ns < self._until_ns:
            self.book.late += 1
            self.book.late_ns = max(self.book.late_ns, self._until_ns - t_ns)
        return msgspec.structs.replace(
            event, t_ns=max(t_ns, self._until_ns), detected_ns=self._twin_ns(event.detected_ns)
        )

    def _event_ns(self, event: wire.BoardEvent) -> int:
        """Return when the front-end registered something; its delay from a trigger stays the difference of counts."""
        if event.kind == "t0":
            self._t0 = event.t_ns, self._twin_ns(event.t_ns)
        if self._t0 is not None and 0 <= event.t_ns - self._t0[0] <= NEAR_NS:
            return self._t0[1] + event.t_ns - self._t0[0]
        return self._twin_ns(event.t_ns)

    def _twin_ns(self, board_ns: int) -> int:
        at = self._clock.host_ns(board_ns / SAMPLE_NS)
        self.book.clock_bound_ns = max(self.book.clock_bound_ns, round(float(at.bound)))
        return round(float(at.middle))
