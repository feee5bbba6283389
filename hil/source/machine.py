"""The simulated source's clock, output and trigger system, in the terms of no particular dialect.

Time stands still until `play` moves it. A command is taken at the standing time and takes effect a modelled
latency later, one command after the other; what it makes the trigger system accept or refuse is known at once.
So what is played is a function of seed, commands and samples asked for, and of nothing else.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hil.source.instrument import Timing
from hil.source.load import Impedance, Protection, RectifierLoad, Terminals
from hil.source.measurement import Readback
from hil.source.output import OutputStage
from hil.source.transient import Levels, Point, Transient

_NS = 10**9
_MASK = 2**64 - 1


class TriggerState(Enum):
    """Where the transient trigger stands; INITiated is passed through in no time."""

    IDLE = "idle"
    WTG = "waiting for trigger"
    RUNNING = "delayed, waiting for its angle, or playing"


class TrippedError(Exception):
    """The output cannot be switched on before a trip is cleared."""


class TriggerError(Exception):
    """A trigger or an initiation came in a state that does not take it."""


@dataclass(frozen=True)
class PlayedBlock:
    """What a source put out.

    Parameters
    ----------
    volts : (n,) float64
        Terminal voltage at each sample [V].
    trigger_edges : tuple of int
        Times of the trigger-out pulses that began since the block's first sample and before the next block's [ns].
    amps : (n,) float64
        Current into the load at each sample [A].
    """

    volts: NDArray[np.float64]
    trigger_edges: tuple[int, ...]
    amps: NDArray[np.float64]


@dataclass(eq=False)
class _Run:
    """A transient on its way; `index` is the point to come."""

    transient: Transient
    index: int = 0
    repetition: int = 0
    cancelled: bool = False


@dataclass(frozen=True)
class _AngleWait:
    """A triggered run that waits for its angle."""

    run: _Run
    since_ns: int
    angle: int


class SourceMachine:
    """A source without a front panel: `play` moves time, everything else is a command at the standing time.

    Parameters
    ----------
    seed : int
        Key of the command latencies.
    timing : Timing
        The times of the model.
    load : RectifierLoad or None
        What hangs on the terminals.
    impedance : Impedance
        The source's own.
    """

    def __init__(
        self,
        seed: int,
        timing: Timing,
        load: RectifierLoad | None = None,
        impedance: Impedance = Impedance(),  # noqa: B008 (frozen)
    ):
        self.now_ns = 0
        self.trigger_state = TriggerState.IDLE
        self.programmed = Levels()
        self.output_on = False
        self.readback = Readback()
        self.protection = Protection()
        self._terminals = Terminals(load, impedance, self.protection)
        self._seed = seed
        self._timing = timing
        self._levels = Levels()
        self._output = OutputStage(timing.fall_ns, self._levels.frequency_uhz)
        self._events: list[tuple[int, int, Callable[[int], None]]] = []
        self._sequence = 0
        self._commands = 0
        self._busy_ns = 0
        self._run: _Run | None = None
        self._playing: _Run | None = None
        self._waiting: _AngleWait | None = None
        self._edges: list[int] = []
        self._rate_hz = 0
        self._origin_ns = 0
        self._sample = 0

    # --- commands -----------------------------------------------------------------------------------------------

    def begin_command(self) -> None:
        """Draw the latency of the command that follows; every command that changes something calls this first."""
        least_ns, width_ns = self._timing.latency_ns
        extra_ns = _draw(self._seed, self._commands) % (width_ns + 1)
        self._commands += 1
        self._busy_ns = max(self.now_ns, self._busy_ns) + least_ns + extra_ns

    def set_levels(self, **changes: Any) -> None:
        """Change levels by their names in `Levels`; a running transient keeps what it holds until it ends."""
        self.programmed = replace(self.programmed, **changes)
        self._at_effect(lambda t_ns: self._apply_levels(t_ns, changes))

    def switch_output(self, on: bool) -> None:
        """Close or open the output relay; TrippedError for a relay that a trip holds open."""
        if on and self.protection.tripped:
            raise TrippedError
        self.output_on = on
        self._at_effect(lambda t_ns: self._close(t_ns, on), self._timing.relay_ns)

    def blank(self) -> None:
        """Interrupt a closed output for the time that a change of range takes."""
        if self.output_on:
            self._at_effect(lambda t_ns: self._output.change(t_ns, closed=False))
            self._at_effect(self._end_blanking, self._timing.blank_ns)

    def trip(self, reason: str, after_ns: int = 0) -> None:
        """Open the output some time from now, as a protection does, and end what plays."""
        self._at(self.now_ns + after_ns, lambda t_ns: self._trip(t_ns, reason))

    def initiate(self, transient: Transient) -> None:
        """Arm a transient; TriggerError unless the trigger system is idle."""
        if self.trigger_state is not TriggerState.IDLE:
            raise TriggerError
        self._run = _Run(transient)
        self.trigger_state = TriggerState.WTG

    def trigger(self, delay_ns: int, angle: int | None) -> None:
        """Fire what is armed: after the latency and a delay, at a reference angle [1e-15 turn] if one is given."""
        self._fire(self._busy_ns + delay_ns, angle)

    def trigger_by_wire(self, delay_ns: int, angle: int | None) -> None:
        """Fire what is armed from the trigger input, without a command's latency."""
        self._fire(self.now_ns + delay_ns, angle)

    def abort(self) -> None:
        """Make the trigger system idle; what plays or waits goes back to the levels."""
        run, self._run = self._run, None
        self.trigger_state = TriggerState.IDLE
        if run is not None:
            self._at_effect(lambda t_ns: self._cancel(t_ns, run))

    def reset(self) -> None:
        """Open the output and restore all levels, then take no effect for the dead time."""
        self.abort()
        self.output_on = False
        self.programmed = Levels()
        self._at_effect(self._restore_all)
        self._busy_ns += self._timing.reset_ns

    # --- time ---------------------------------------------------------------------------------------------------

    def play(self, n_samples: int, rate_hz: int) -> PlayedBlock:
        """Advance time by `n_samples` at a rate and return what the terminals carried at each of them.

        A sample is the voltage at its instant; the block ends where the next block's first sample lies.
        """
        times_ns, end_ns = self._sample_times(n_samples, rate_hz)
        volts, amps = np.empty(n_samples), np.empty(n_samples)
        done = 0
        while (event := self._next_event(end_ns)) is not None:
            t_ns, action = event
            until = int(np.searchsorted(times_ns, t_ns))
            if until > done:
                self._render(times_ns[done:until], volts[done:until], amps[done:until])
                done = until
            self.now_ns = t_ns
            action(t_ns)
        self._render(times_ns[done:], volts[done:], amps[done:])
        self.now_ns = end_ns
        self.readback.add(volts, amps, rate_hz)
        edges, self._edges = tuple(self._edges), []
        return PlayedBlock(volts, edges, amps)

    def _render(self, times_ns: NDArray[np.int64], volts: NDArray[np.float64], amps: NDArray[np.float64]) -> None:
        """Fill in what the terminals carry between two events; a trip acts from the next sample on."""
        done = 0
        while done < times_ns.size:
            emf = self._output.volts(times_ns[done:])
            held = self.protection.tripped
            v, a, good = self._terminals.play(emf, 1.0 / self._rate_hz)
            if held or good == emf.size:
                volts[done:], amps[done:] = v, a
                return
            stop = done + good + 1
            volts[done:stop], amps[done:stop] = v[: good + 1], a[: good + 1]
            self._trip(int(times_ns[stop - 1]), self.protection.tripped)
            done = stop

    def _sample_times(self, n_samples: int, rate_hz: int) -> tuple[NDArray[np.int64], int]:
        """Return the times of the next samples, and of the one after them, counted from the last change of rate."""
        if rate_hz != self._rate_hz:
            self._rate_hz, self._origin_ns, self._sample = rate_hz, self.now_ns, 0
        whole_ns, rest = divmod(self._sample * _NS, rate_hz)
        ticks = np.arange(n_samples, dtype=np.int64) * _NS + rest
        times_ns = self._origin_ns + whole_ns + ticks // rate_hz
        self._sample += n_samples
        return times_ns, self._origin_ns + self._sample * _NS // rate_hz

    def _next_event(self, end_ns: int) -> tuple[int, Callable[[int], None]] | None:
        """Take the next event before a time, or None: a scheduled one, or a run whose angle is reached."""
        scheduled_ns = self._events[0][0] if self._events else end_ns
        if self._waiting is not None:
            wait = self._waiting
            since_ns = max(wait.since_ns, self._output.anchor_ns)
            reached_ns = self._output.crossing_ns(since_ns, wait.angle, self._timing.update_ns)
            if reached_ns < min(scheduled_ns, end_ns):
                self._waiting = None
                return reached_ns, lambda t_ns: self._advance(t_ns, wait.run)
        if scheduled_ns >= end_ns:
            return None
        t_ns, _, action = heapq.heappop(self._events)
        return t_ns, action

    def _at(self, t_ns: int, action: Callable[[int], None]) -> None:
        """Schedule an action for the first update tick at or after a time."""
        update_ns = self._timing.update_ns
        heapq.heappush(self._events, (-(-t_ns // update_ns) * update_ns, self._sequence, action))
        self._sequence += 1

    def _at_effect(self, action: Callable[[int], None], extra_ns: int = 0) -> None:
        """Schedule what the command begun last does to the output."""
        self._at(self._busy_ns + extra_ns, action)

    # --- what happens in time -----------------------------------------------------------------------------------

    def _apply_levels(self, t_ns: int, changes: dict[str, Any]) -> None:
        self._levels = replace(self._levels, **changes)
        held = self._playing.transient.controls() if self._playing else frozenset()
        self._set_output(t_ns, {name: value for name, value in changes.items() if name not in held})

    def _set_output(self, t_ns: int, settings: dict[str, Any], slew_v_per_s: float | None = None) -> None:
        """Make settings on the output; a new voltage is approached at the given slew or the level's."""
        settings = {**settings, "slew_v_per_s": self._levels.slew_v_per_s if slew_v_per_s is None else slew_v_per_s}
        self._output.change(t_ns, **settings)

    def _fire(self, t_ns: int, angle: int | None) -> None:
        run = self._run
        if run is None or self.trigger_state is not TriggerState.WTG:
            raise TriggerError
        self.trigger_state = TriggerState.RUNNING
        self._at(t_ns, lambda at_ns: self._await_angle(at_ns, run, angle))

    def _await_angle(self, t_ns: int, run: _Run, angle: int | None) -> None:
        if run.cancelled:
            return
        if angle is None:
            self._advance(t_ns, run)
        else:
            self._waiting = _AngleWait(run, t_ns, angle)

    def _advance(self, t_ns: int, run: _Run) -> None:
        """Enter the next point of a run, or end it."""
        if self._playing is not run:
            self._begin(t_ns, run)
        points, count = run.transient.points, run.transient.count
        if run.index == len(points):
            run.index, run.repetition = 0, run.repetition + 1
        if not points or (count is not None and run.repetition >= count):
            self._finish(t_ns, run)
            return
        self._enter(t_ns, points[run.index])
        run.index += 1
        self._at(t_ns + points[run.index - 1].duration_ns, lambda at_ns: self._dwell_over(at_ns, run))

    def _begin(self, t_ns: int, run: _Run) -> None:
        self._playing = run
        if run.transient.edge_at_start:
            self._edges.append(t_ns)
        if run.transient.new_levels:
            self.programmed = replace(self.programmed, **run.transient.new_levels)
            self._apply_levels(t_ns, dict(run.transient.new_levels))

    def _enter(self, t_ns: int, point: Point) -> None:
        self._set_output(t_ns, point.settings(), point.slew_v_per_s)
        if point.trigger_out:
            self._edges.append(t_ns)

    def _dwell_over(self, t_ns: int, run: _Run) -> None:
        if run.cancelled:
            return
        transient = run.transient
        last = run.index == len(transient.points) and run.repetition + 1 == transient.count
        if transient.by_trigger and not last:
            if self._run is run:  # else an ABORt is on its way
                self.trigger_state = TriggerState.WTG
        else:
            self._advance(t_ns, run)

    def _finish(self, t_ns: int, run: _Run) -> None:
        if run.transient.edge_at_end:
            self._edges.append(t_ns)
        self._release(t_ns, run)
        if self._run is run:
            self._run, self.trigger_state = None, TriggerState.IDLE

    def _cancel(self, t_ns: int, run: _Run) -> None:
        run.cancelled = True
        if self._waiting is not None and self._waiting.run is run:
            self._waiting = None
        if self._playing is run:
            self._release(t_ns, run)

    def _release(self, t_ns: int, run: _Run) -> None:
        """Give the settings a run held back to the levels."""
        self._playing = None
        held = run.transient.controls()
        if held:
            self._set_output(t_ns, {name: getattr(self._levels, name) for name in held})

    def _trip(self, t_ns: int, reason: str) -> None:
        self.protection.tripped = reason
        self.output_on = False
        run, self._run, self.trigger_state = self._run, None, TriggerState.IDLE
        if run is not None:
            self._cancel(t_ns, run)
        self._output.change(t_ns, closed=False)

    def _end_blanking(self, t_ns: int) -> None:
        if self.output_on:
            self._output.change(t_ns, closed=True)

    def _close(self, t_ns: int, on: bool) -> None:
        """Move the relay; a trip between command and contact keeps it open."""
        self._output.change(t_ns, closed=on and not self.protection.tripped)

    def _restore_all(self, t_ns: int) -> None:
        self._levels = Levels()
        self._output.change(
            t_ns,
            voltage_v=self._levels.voltage_v,
            frequency_uhz=self._levels.frequency_uhz,
            offset=self._levels.offset,
            shape=self._levels.shape,
            closed=False,
        )


def _draw(seed: int, index: int) -> int:
    """Return 64 random bits for a key: SplitMix64, Steele, Lea and Flood, OOPSLA 2014."""
    z = (seed * 0xD1342543DE82EF95 + index * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)
