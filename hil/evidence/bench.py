"""What a bench test works on: source, front-end, and the time that passes between commands."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hdl import scaling
from hdl.driver import BoardPort, Event, FrontEnd
from hil.clock import T0, TriggerDelay
from hil.source.dialects import find_kind
from hil.source.interface import AcSource
from hil.source.program import Program, Step
from hil.station import Station
from twin.field.meters import SAMPLE_NS

SETTLE_S = 0.5  # relay, command latency, *RST dead time of the stand-ins and ten cycles; Urms(1/2) is steady then
LEAD_S = 0.1  # from the command to the begin of a program: a period to wait for its angle, and the source's latency
LOOK_S = 0.35  # after that the ring still holds the begin of the program, and what a power failure froze
HOST_BOUND_NS = 50_000_000  # assumed: a command's time on the host says nothing below this


@dataclass(frozen=True)
class Identity:
    """What stands on the bench."""

    board: str
    rtl_hash: str
    rtl_version: str
    register_map: str
    source: str
    hardware: str


class Captured(NamedTuple):
    """Samples of the board's ring."""

    first: int  # number of the first one
    volts: NDArray[np.float64]  # (n,) [V]


@dataclass(frozen=True)
class Played:
    """What came of a program.

    Parameters
    ----------
    t0 : T0
        Begin of the program on the board's counter.
    edges : int
        Edges on the trigger wire.
    events : tuple of Event
        What the front-end made of it, in order.
    capture : Captured
        The voltage around the begin.
    """

    t0: T0
    edges: int
    events: tuple[Event, ...]
    capture: Captured

    def count(self, kind: str) -> int:
        """Return how many events of a kind there were."""
        return sum(event.kind == kind for event in self.events)

    def first(self, kind: str) -> Event | None:
        """Return the first event of a kind."""
        return next((event for event in self.events if event.kind == kind), None)

    def delay_s(self, kind: str) -> float:
        """Return the time from t0 to the first event of a kind [s]; NaN if there was none."""
        event = self.first(kind)
        return math.nan if event is None else (event.sample * SAMPLE_NS - self.t0.t_ns) * 1e-9


class Bench:
    """A board on a source.

    Parameters
    ----------
    station : Station
    source : AcSource
        Its driver.
    port : BoardPort
        The board.
    elapse : callable
        Lets so many seconds pass.
    """

    def __init__(self, station: Station, source: AcSource, port: BoardPort, elapse: Callable[[float], object]):
        self.station = station
        self.source = source
        self.front_end = FrontEnd(port)
        self.elapse = elapse
        self.instrument = find_kind(station.source.dialect).instrument
        self.nominal_hz: int = station.supply.nominal_hz

    @property
    def rate_hz(self) -> int:
        """Sampling rate of the board [Hz]."""
        return scaling.SAMPLE_RATE_HZ

    def supply(self, hz: int, volts: float | None = None) -> None:
        """Bring the bench to a known state: nominal supply, detector armed, no old event or flag.

        Parameters
        ----------
        hz : int
            50 or 60.
        volts : float or None
            RMS voltage [V]; None for the nominal one, which the limits follow in any case.
        """
        self.nominal_hz = hz
        nominal_v = self.station.supply.nominal_v
        self.source.energise(
            nominal_v if volts is None else volts,
            float(hz),
            current_limit_a=self.station.source.current_limit_a,
            voltage_limit_v=self.station.source.voltage_limit_v,
        )
        self.front_end.configure(hz, nominal_v, quality=True)
        self.elapse(SETTLE_S)
        self.front_end.events()
        self.front_end.clear_status()

    def playable(self, program: Program) -> Program:
        """Return a program without the marks that the source cannot give."""
        return program if self.instrument.trigger_out else program.unmarked()

    def play(self, program: Program, tail_s: float = SETTLE_S, look_s: float = LOOK_S) -> Played:
        """Play a program that leaves the nominal supply and comes back to it.

        Parameters
        ----------
        program : Program
            A mark that the source cannot give is left out; t0 is then that of the command.
        tail_s : float
            How long to look on after its last step has begun [s].
        look_s : float
            When to take the capture, if no power failure has frozen it before, from the begin on [s].
        """
        front_end = self.front_end
        before = front_end.trigger_count
        self.source.arm(self.playable(program))
        fired = front_end.measure().samples
        self.source.fire()
        left_s = LEAD_S + lasting_s(program) + tail_s
        first_s = min(look_s + LEAD_S, left_s)
        self.elapse(first_s)
        capture = self.capture()
        self.elapse(left_s - first_s)
        edges = (front_end.trigger_count - before) & 0xFFFF
        t0 = latched_t0(front_end, self.station.source.trigger_delay) if edges else None
        t0 = t0 or T0(fired * SAMPLE_NS, "host", HOST_BOUND_NS)
        return Played(t0, edges, tuple(front_end.events()), capture)

    def capture(self) -> Captured:
        """Return the ring, as a power failure froze it, else the newest samples; it records again from here on."""
        if not self.front_end.capture_ready:
            self.front_end.freeze_capture()
        captured = Captured(*self.front_end.read_capture())
        self.front_end.arm_capture()
        return captured


def lasting_s(program: Sequence[Step]) -> float:
    """Return how long the steps with an end last [s]."""
    return math.fsum(step.duration_s or 0.0 for step in program)


def latched_t0(front_end: FrontEnd, delay: TriggerDelay) -> T0 | None:
    """Return when the output changed after the trigger edge that the board latched last; None if there was none."""
    trigger = front_end.trigger()
    if trigger is None:
        return None
    at = trigger.sample + trigger.fraction
    return T0(round(at * SAMPLE_NS) + delay.ns, "trigger", math.ceil(trigger.bound * SAMPLE_NS) + delay.bound_ns)
