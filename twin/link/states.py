"""In which state a rig is, and which message fits it.

The states are those of DCP 1.0 (Modelica Association, 2019), without its wire format. Both ends follow the messages
they send and take, so both know the state; a message that does not fit is refused at the end that sees it first.
"""

from __future__ import annotations

from enum import StrEnum

from teiden.errors import PartFailed
from twin import wire


class State(StrEnum):
    """State of the rig; `OFFLINE` is before its first word."""

    OFFLINE = "offline"
    ALIVE = "alive"
    CONFIGURED = "configured"
    INITIALISED = "initialised"
    RUNNING = "running"
    STOPPED = "stopped"
    ERROR = "error"


READY = (State.INITIALISED, State.RUNNING)
FITS: dict[type, tuple[State, ...]] = {
    wire.Call: (State.OFFLINE,),
    wire.Hello: (State.OFFLINE,),
    wire.Configure: (State.ALIVE,),
    wire.Configured: (State.ALIVE,),
    wire.Ready: (State.CONFIGURED,),
    wire.Grant: READY,
    wire.Start: (State.INITIALISED,),
    wire.SupplyChange: (State.RUNNING,),
    wire.Downlink: (State.RUNNING,),
    wire.ReadCounter: (State.RUNNING,),
    wire.Counter: (State.RUNNING,),
    wire.BoardEvent: (State.RUNNING,),
    wire.Notice: (State.RUNNING,),
    wire.Done: (State.RUNNING,),
    wire.Stop: READY,
    wire.HalfCycles: READY,
    wire.Stopped: READY,
    wire.Failed: tuple(State),
}
LEADS_TO: dict[type, State] = {
    wire.Hello: State.ALIVE,
    wire.Configured: State.CONFIGURED,
    wire.Ready: State.INITIALISED,
    wire.Grant: State.RUNNING,
    wire.Start: State.RUNNING,
    wire.Stopped: State.STOPPED,
    wire.Failed: State.ERROR,
}


def next_state(state: State, message: wire.Message) -> State:
    """Return the state after a message; PartFailed if it does not fit the state."""
    kind = type(message)
    if state not in FITS[kind]:
        expected = ", ".join(FITS[kind])
        raise PartFailed(f"link: {message!r} in state {state}, expected in state {expected}")
    return LEADS_TO.get(kind, state)
