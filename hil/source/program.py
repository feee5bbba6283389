"""Programs for an AC source: steps of voltage and frequency, and the outages made of them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import overload

from hil.source.instrument import Instrument
from teiden.errors import InputError

OURS = "TEIDEN_"  # begins the name of every waveform that a recording is played from; those may be written over


@dataclass(frozen=True)
class Trace:
    """One cycle of a waveform to upload; the instrument takes its mean away and scales it to the set RMS.

    Parameters
    ----------
    name : str
        A letter, then up to 15 letters, digits and underscores; in capitals. One that the instrument has already is
        refused, unless it was uploaded over the same connection or its name begins with `OURS`.
    values : tuple of float
        One cycle from its reference zero, in any unit.
    """

    name: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class Step:
    """One step of a program.

    Parameters
    ----------
    voltage_v : float
        RMS voltage [V].
    frequency_hz : float
        Frequency [Hz]; a change keeps the phase.
    duration_s : float or None
        How long [s]; None, for the last step only, until the next command.
    phase_deg : float or None
        Phase of the output against the source's reference: a jump of the vector [degree]. None in all steps
        of a program leaves the phase alone; it is not the point on wave, which is the program's start angle.
    slew_v_per_s : float or None
        How fast the step's voltage is approached [V/s]; None for at once.
    trigger_out : bool
        A pulse at the trigger output when the step begins.
    ramp : bool
        The voltage goes from the step before to this step's over the whole duration. A first step ramps from the
        voltage in force when the program is armed.
    waveform : str, Trace or None
        A waveform of the instrument by its name there, or one to upload; None in all steps for the one in use.
    """

    voltage_v: float
    frequency_hz: float
    duration_s: float | None
    phase_deg: float | None = None
    slew_v_per_s: float | None = None
    trigger_out: bool = False
    ramp: bool = False
    waveform: str | Trace | None = None


@dataclass(frozen=True)
class Program(Sequence[Step]):
    """Steps and the angle of the reference at which the first one begins.

    Parameters
    ----------
    steps : tuple of Step
        Played in order.
    start_angle_deg : float or None
        Point on wave of the beginning, 0 the rising zero [degree]; None begins at once.
    """

    steps: tuple[Step, ...]
    start_angle_deg: float | None = None

    @overload
    def __getitem__(self, index: int) -> Step: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Step, ...]: ...
    def __getitem__(self, index: int | slice) -> Step | tuple[Step, ...]:
        return self.steps[index]

    def __len__(self) -> int:
        return len(self.steps)

    def unmarked(self) -> Program:
        """Return the program without trigger-out pulses, for an instrument that has none."""
        return replace(self, steps=tuple(replace(step, trigger_out=False) for step in self.steps))

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)


def interruption(
    nominal_v: float,
    hz: float,
    dip_v: float = 0.0,
    dip_s: float = 0.0,
    angle_deg: float | None = 0.0,
    *,
    off_s: float | None = None,
) -> Program:
    """Return a fault as a feeder sees it: a dip until the breaker trips, nothing, and perhaps the supply again.

    Parameters
    ----------
    nominal_v : float
        Voltage that comes back [V].
    hz : float
        Frequency throughout [Hz].
    dip_v : float
        Residual voltage during the fault [V].
    dip_s : float
        Time from the fault to the trip [s]; 0 for an interruption without a dip.
    angle_deg : float or None
        Point on wave of the fault [degree]; None for as soon as possible.
    off_s : float or None
        Time without voltage [s]: None until the next command, 0 for a dip only.

    Returns
    -------
    Program
        With a trigger-out pulse at the fault, and at the trip if that is another moment.
    """
    if dip_s < 0 or (off_s is not None and off_s < 0) or (dip_s == 0 and off_s == 0):
        raise InputError(f"dip_s = {dip_s:g}, off_s = {off_s}: expected 0 or more, and not both 0")
    if not 0 <= dip_v <= nominal_v:
        raise InputError(f"dip_v = {dip_v:g}, expected 0 to nominal_v = {nominal_v:g} V")
    steps = []
    if dip_s > 0:
        steps.append(Step(dip_v, hz, dip_s, trigger_out=True))
    if off_s is None or off_s > 0:
        steps.append(Step(0.0, hz, off_s, trigger_out=True))
    if off_s is not None:
        steps.append(Step(nominal_v, hz, None))
    return Program(tuple(steps), angle_deg)


def supply_return(
    nominal_v: float, hz: float, angle_deg: float | None = 0.0, *, slew_v_per_s: float | None = None
) -> Program:
    """Return the supply coming back for good, with a trigger-out pulse.

    Parameters
    ----------
    nominal_v : float
        Voltage that comes back [V].
    hz : float
        Its frequency [Hz].
    angle_deg : float or None
        Point on wave of the return [degree]; None for as soon as possible.
    slew_v_per_s : float or None
        How fast the voltage rises [V/s]; None for at once.
    """
    return Program((Step(nominal_v, hz, None, slew_v_per_s=slew_v_per_s, trigger_out=True),), angle_deg)


def check_program(program: Sequence[Step], instrument: Instrument) -> None:
    """Refuse a program that an instrument cannot play.

    Raises
    ------
    InputError
        Naming every step, value and limit that does not fit, one a line.
    """
    problems = []
    if not 1 <= len(program) <= instrument.list_points:
        problems.append(f"{len(program)} steps, expected 1 to {instrument.list_points}")
    for number, step in enumerate(program, start=1):
        last = number == len(program)
        problems += [f"step {number}: {problem}" for problem in _step_problems(step, instrument, last)]
    for name in ("phase_deg", "waveform"):
        if len({getattr(step, name) is None for step in program}) > 1:
            problems.append(f"{name} is given for some steps only, expected for all or none")
    problems += _trace_problems(traces_of(program), instrument)
    if problems:
        raise InputError("\n".join(f"program for {instrument.model}: {problem}" for problem in problems))


def _step_problems(step: Step, instrument: Instrument, last: bool) -> Iterator[str]:
    """Yield what an instrument cannot do of one step."""
    limits = [
        ("voltage_v", step.voltage_v, (0.0, instrument.max_v), "V"),
        ("frequency_hz", step.frequency_hz, instrument.frequency_hz, "Hz"),
        ("duration_s", step.duration_s, instrument.dwell_s, "s"),
        ("phase_deg", step.phase_deg, (-360.0, 360.0), "degrees"),
        ("slew_v_per_s", step.slew_v_per_s, instrument.slew_v_per_s, "V/s"),
    ]
    for name, value, (low, high), unit in limits:
        if value is not None and not (math.isfinite(value) and low <= value <= high):
            yield f"{name} = {value:g}, expected {low:g} to {high:g} {unit}"
    if step.duration_s is None and not last:
        yield "duration_s = None, expected a time (only the last step can last until the next command)"
    if step.ramp and (step.duration_s is None or step.slew_v_per_s is not None):
        yield "ramp = True, expected a duration_s and no slew_v_per_s with it"
    if step.slew_v_per_s is not None and not instrument.slews:
        yield "slew_v_per_s is given, but this instrument has none for a step; use ramp"
    if step.phase_deg is not None and not instrument.shifts:
        yield "phase_deg is given, but this instrument cannot jump in phase; leave it out"
    if step.trigger_out and not instrument.trigger_out:
        yield "trigger_out = True, but this instrument marks no step; use Program.unmarked() and take t0 elsewhere"
    if isinstance(step.waveform, str) and step.waveform not in instrument.shapes:
        yield f"waveform = {step.waveform!r}, expected {' or '.join(instrument.shapes)}"


def traces_of(program: Sequence[Step]) -> list[Trace]:
    """Return the waveforms a program uploads, each once, in the order of their first use."""
    return list(dict.fromkeys(step.waveform for step in program if isinstance(step.waveform, Trace)))


def _trace_problems(traces: Sequence[Trace], instrument: Instrument) -> Iterator[str]:
    """Yield what an instrument cannot take of the waveforms to upload."""
    if traces and not instrument.trace_points:
        yield "waveforms to upload, but no command to upload one is known for this instrument"
        return
    if len(traces) > instrument.traces:
        yield f"{len(traces)} waveforms to upload, expected at most {instrument.traces}"
    if len({trace.name for trace in traces}) < len(traces):
        yield "two waveforms to upload have one name, expected a name each"
    for trace in traces:
        if re.fullmatch(r"[A-Z][A-Z0-9_]{0,15}", trace.name) is None or trace.name in instrument.shapes:
            yield f"waveform {trace.name!r}: expected a name of 1 to 16 capitals, digits and _ that is not built in"
        if len(trace.values) != instrument.trace_points:
            yield f"waveform {trace.name}: {len(trace.values)} values, expected {instrument.trace_points}"
        elif not all(map(math.isfinite, trace.values)) or min(trace.values) == max(trace.values):
            yield f"waveform {trace.name}: expected finite values that differ"
