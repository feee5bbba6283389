"""Lockstep: nobody runs past a grant, so results depend on no clock but the simulated one."""

from __future__ import annotations

from collections import deque
from typing import Any, Protocol

import msgspec

from teiden.errors import PartFailed
from twin import wire
from twin.link.twin_end import TwinSide


class RigDriver(Protocol):
    """What the loop needs of a rig, in lockstep or in real time."""

    @property
    def ahead(self) -> bool:
        """Whether the next window may be granted before what happened in this one is collected."""

    def grant(self, until_ns: int, supply: list[wire.SupplyChange], downlinks: list[wire.Downlink]) -> None:
        """Let the rig run to ``until_ns``; returns at once."""

    def collect(self) -> list[wire.BoardEvent | wire.Notice]:
        """Return the events up to the end of the window, ordered by (time, sequence)."""

    def stop(self) -> wire.Stopped:
        """End the rig's run and return what it recorded."""


class Lockstep:
    """One rig in lockstep: the handshake, then window after window.

    Parameters
    ----------
    end : TwinSide
        The twin's socket.
    timeout_s : float
        Longest wait for an answer once the rig runs.
    """

    ahead = True  # it runs no further than it is granted

    def __init__(self, end: TwinSide, timeout_s: float):
        self._end = end
        self._timeout_s = timeout_s
        self._windows = 0
        self._granted: deque[wire.Grant] = deque()  # and not collected
        self._received = 0

    def start(self, configure: wire.Configure, patience_s: float = 600.0) -> wire.Ready:
        """Meet the rig and configure it."""
        return meet(self._end, configure, patience_s)

    def grant(self, until_ns: int, supply: list[wire.SupplyChange], downlinks: list[wire.Downlink]) -> None:
        """Let the rig run to ``until_ns``; returns at once."""
        self._windows += 1
        grant = wire.Grant(self._windows, until_ns, supply, downlinks)
        self._granted.append(grant)
        self._end.send(grant)

    def collect(self) -> list[wire.BoardEvent | wire.Notice]:
        """Wait for the end of the oldest granted window; return its events ordered by (time, sequence)."""
        grant = self._granted.popleft()
        events: list[wire.BoardEvent | wire.Notice] = []
        while True:
            message = self._end.receive(self._timeout_s, f"window {grant.window} (to t = {grant.until_ns / 1e9:g} s)")
            if isinstance(message, (wire.BoardEvent, wire.Notice)):
                self._received += 1
                if message.sequence != self._received:
                    raise PartFailed(f"link: event {message.sequence} came, expected {self._received}; one was lost")
                events.append(message)
            elif isinstance(message, wire.Done) and message.window == grant.window and message.sent == self._received:
                return sorted(events, key=lambda e: (e.t_ns, e.sequence))
            else:
                raise PartFailed(f"link: {message!r} does not fit window {grant.window} with {self._received} events")

    def stop(self) -> wire.Stopped:
        """End the rig's run and return what it recorded."""
        self._end.send(wire.Stop())
        return take_stopped(self._end, self._timeout_s)


def meet(end: TwinSide, configure: wire.Configure, patience_s: float) -> wire.Ready:
    """Meet the rig and configure it; it may take long to be ready, because it may have to compile its RTL."""
    hello = end.meet(patience_s)
    if not isinstance(hello, wire.Hello) or hello.proto != wire.PROTO:
        raise PartFailed(f"rig: {hello!r} instead of a hello of protocol {wire.PROTO}; same version on both sides?")
    end.allow(configure.credits)
    end.send(configure)
    _expect(end, wire.Configured, "configured", patience_s)
    ready: wire.Ready = _expect(end, wire.Ready, "ready", patience_s)
    return ready


def take_stopped(end: TwinSide, timeout_s: float, first: Any = None) -> wire.Stopped:
    """Return what the rig recorded, put together from its chunks; ``first`` is a message that was taken already."""
    chunks: list[wire.HalfCycles] = []
    message = first or end.receive(timeout_s, "stopped")
    while isinstance(message, wire.HalfCycles):
        chunks.append(message)
        message = end.receive(timeout_s, "stopped")
    if not isinstance(message, wire.Stopped):
        raise PartFailed(f"rig: {message!r} instead of stopped")
    end.acknowledge()  # the rig waits for it before it ends
    end.telemetry.finish(message.telemetry)
    return msgspec.structs.replace(
        message,
        half_cycle_t_ns=[t_ns for chunk in chunks for t_ns in chunk.t_ns],
        half_cycle_v=[volts for chunk in chunks for volts in chunk.rms_v],
        half_cycle_hz=[hertz for chunk in chunks for hertz in chunk.hz],
    )


def _expect(end: TwinSide, kind: type, name: str, patience_s: float) -> Any:
    message = end.receive(patience_s, name)
    if not isinstance(message, kind):
        raise PartFailed(f"rig: {message!r} instead of {name}")
    return message
