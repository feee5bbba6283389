"""A board on a source, as a rig drives it: supply, triggers, events, notices, and what is recorded of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hdl.driver import FrontEnd
from hdl.metering import BoardPort
from hil.clock import TriggerDelay
from hil.firmware import Firmware, Outgoing
from hil.link import RigSide
from hil.source.interface import AcSource
from hil.source.program import Program, Step, supply_return
from twin import wire
from twin.field.meters import SAMPLE_NS

TELEMETRY_EVERY = 10  # half cycles; ten values a second or so
CHUNK = 10_000  # half cycles in one message, 270 kB of the link's 1 MiB
POST_SAMPLES = 3600  # 450 ms after the suspicion stay in the capture, so the breaker's trip is in the picture


class BoardOnSource(ABC):
    """One board on one source; subclasses say how time passes.

    Parameters
    ----------
    configure : wire.Configure
    link : RigSide
    source : AcSource
        The driver; it has switched the output on at nominal voltage.
    port : BoardPort
    delay : TriggerDelay
        Of the source.
    """

    _origin = 0  # sample from which the run's time counts

    def __init__(
        self,
        configure: wire.Configure,
        link: RigSide,
        source: AcSource,
        port: BoardPort,
        delay: TriggerDelay,
    ):
        self._delay = delay
        self._set = configure
        self._link = link
        self._source = source
        self._port = port
        self._telemetry = link.open_telemetry(configure.telemetry_port)
        self._front_end = FrontEnd(port)
        self._firmware = Firmware(configure)
        self._t0s: list[tuple[int, int]] = []  # (time, bound) of each latched trigger
        self._capture: tuple[int, NDArray[np.float64]] = (0, np.zeros(0))
        self._half_cycles: list[tuple[int, float, float]] = []

    @abstractmethod
    def run(self) -> None:
        """Run the board until the twin says stop, and report."""

    @abstractmethod
    def _samples(self) -> int:
        """Return how many samples the board has taken since the run's time 0."""

    def prepare(self) -> None:
        """Identify and configure the front-end."""
        self._front_end.identify()
        self._front_end.configure(self._set.nominal_hz, self._set.nominal_v)
        self._front_end.arm_capture(POST_SAMPLES)

    def _look(self, edges: int) -> None:
        """Take what the front-end registered; ``edges`` came on the trigger wire."""
        if edges:
            self._latch_t0()
        if self._port.wait_irq(0.0):
            self._take_events()
        self._measure()

    def _time_ns(self, sample: float) -> int:
        """Return the run's time of a place on the board's counter."""
        return round((sample - self._origin) * SAMPLE_NS)

    def _play_supply(self, change: wire.SupplyChange) -> None:
        """Command the source; the change waits for its point on wave."""
        volts, hertz = self._set.nominal_v, self._set.nominal_hz
        if change.residual_pu >= 1:
            program = supply_return(change.residual_pu * volts, hertz)
        else:
            step = Step(change.residual_pu * volts, hertz, None, trigger_out=True)
            program = Program((step,), self._set.point_on_wave_deg)
        self._source.arm(program)
        self._source.fire()

    def _latch_t0(self) -> None:
        """Read the trigger that the front-end latched: the instant at which the source acted."""
        trigger = self._front_end.trigger()
        if trigger is None:
            return
        t0_ns = self._time_ns(trigger.sample + trigger.fraction) + self._delay.ns
        self._t0s.append((t0_ns, round(trigger.bound * SAMPLE_NS) + self._delay.bound_ns))
        self._send_event("t0", t0_ns, trigger.sample)

    def _take_events(self) -> None:
        self._front_end.take_interrupts()
        for event in self._front_end.events():
            if event.sample < self._origin:  # it came while the run's time began
                continue
            t_ns = self._time_ns(event.sample + event.fraction)
            self._send_due(t_ns)
            self._firmware.event(event.kind, t_ns)
            self._send_event(event.kind, t_ns, event.sample)

    def _measure(self) -> None:
        """Keep the half cycle that the registers show, if it is a new one of the run, and the first frozen capture."""
        values = self._front_end.measure()
        at_ns = self._time_ns(values.half_cycle_end)
        if at_ns > (self._half_cycles[-1][0] if self._half_cycles else 0):
            self._half_cycles.append((at_ns, values.u_rms_half_v, values.frequency_hz))
            if len(self._half_cycles) % TELEMETRY_EVERY == 0:
                self._telemetry.publish(*self._half_cycles[-1])
        if not self._capture[1].size and self._front_end.capture_ready:
            self._capture = self._front_end.read_capture()

    def _send_due(self, until_ns: int) -> None:
        for outgoing in self._firmware.due(until_ns):
            self._send_notice(outgoing)

    def _send_event(self, kind: str, t_ns: int, sample: int) -> None:
        """Report an event with the source and bound of the t0 it counts from: the last trigger up to then."""
        bounds = [bound_ns for t0_ns, bound_ns in self._t0s if t0_ns <= t_ns]
        source, bound_ns = ("trigger", bounds[-1]) if bounds else ("none", 0)
        self._link.send_event(
            wire.BoardEvent(self._link.next_sequence(), t_ns, kind, sample - self._origin, source, bound_ns)
        )

    def _send_notice(self, outgoing: Outgoing, poll: int = -1) -> None:
        content = outgoing.content
        self._link.send_event(
            wire.Notice(
                self._link.next_sequence(),
                outgoing.t_ns,
                content.kind,
                content.sequence,
                outgoing.detected_ns,
                content.counter,
                content.energy_left_uj,
                outgoing.data,
                poll,
            )
        )

    def _report(self) -> None:
        """Send what was recorded."""
        for first in range(0, len(self._half_cycles), CHUNK):
            times, rms, hertz = zip(*self._half_cycles[first : first + CHUNK], strict=True)
            self._link.send(wire.HalfCycles(list(times), list(rms), list(hertz)))
        first_sample, volts = self._capture
        if volts.size:
            first_sample -= self._origin
        self._link.send(
            wire.Stopped(
                first_sample,
                volts.tolist(),
                [],
                [],
                [],
                self._samples(),
                list(self._flags()),
                self._telemetry.sent,
            )
        )
        self._link.flush()

    def _flags(self) -> Iterator[str]:
        status = self._front_end.status()
        for name in ("saturated", "event_overflow", "overrun"):
            if getattr(status, name):
                yield f"board: {name}"
