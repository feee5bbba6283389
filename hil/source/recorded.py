"""A recording as a program: cycles, each an uploaded waveform or a sine of its RMS voltage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from hil.source.program import OURS, Program, Step, Trace
from hil.source.waveform import TRACE_POINTS
from teiden.errors import InputError

Cycles = NDArray[np.float64]  # (C, TRACE_POINTS), volts


def cycles_of(volts: NDArray[np.float64], rate_hz: float, hz: float) -> Cycles:
    """Return the whole cycles of a recording, each read at 1024 instants by linear interpolation.

    Parameters
    ----------
    volts : (n,) float64
        Voltage, from `hil.recording.Recording.samples` [V]; what is left after the last whole cycle is not played.
    rate_hz : float
        Its sampling rate [Hz].
    hz : float
        Frequency of the recorded supply, which is played at the same [Hz].

    Returns
    -------
    (C, 1024) float64
        Volts, the mean of each cycle included.

    Raises
    ------
    InputError
        If there is not one whole cycle, a value is not finite, or fewer than 16 samples make a cycle.
    """
    if not np.isfinite(volts).all():
        bad = int(np.flatnonzero(~np.isfinite(volts))[0])
        raise InputError(f"sample {bad} of the recording is {volts[bad]}, expected a number; cut the recording there")
    if rate_hz < 16 * hz:
        raise InputError(f"rate_hz = {rate_hz:g}, expected at least {16 * hz:g}: 16 samples a cycle of {hz:g} Hz")
    count = int(volts.size * hz / rate_hz + 1e-9)
    if count < 1:
        raise InputError(f"{volts.size} samples at {rate_hz:g} Hz, expected at least one cycle of {hz:g} Hz")
    at = (np.arange(count)[:, None] + np.arange(TRACE_POINTS) / TRACE_POINTS) * rate_hz / hz
    read: Cycles = np.interp(at, np.arange(volts.size), volts)
    return read


def playable(cycles: Cycles) -> Cycles:
    """Return cycles less the mean of each: a source removes it, so what a recording has of direct voltage is lost."""
    less: Cycles = cycles - cycles.mean(axis=1, keepdims=True)
    return less


def alike(rows: NDArray[np.float64], tolerance: float, at_most: int) -> list[int]:
    """Return for each row the first one that stands for it: in no place are the two further apart than told.

    It ends before the first row that would be one of more than ``at_most`` that stand for others or themselves.
    """
    first: list[int] = []
    stands: list[int] = []
    for place, row in enumerate(rows):
        near = np.abs(rows[first] - row).max(axis=1) <= tolerance
        if near.any():
            stands.append(first[int(np.argmax(near))])
        elif len(first) < at_most:
            first.append(place)
            stands.append(place)
        else:
            break
    return stands


def waveform_program(cycles: Cycles, hz: float, stands: Sequence[int] | None = None) -> Program:
    """Return a program that plays cycles from uploaded waveforms.

    Parameters
    ----------
    cycles : (C, 1024) float64
        From `playable`; one without any voltage is played as 0 V.
    hz : float
        Their frequency [Hz].
    stands : sequence of int, optional
        The cycle that is played in the place of each, from `alike`; neighbours that are played alike are one step.

    Returns
    -------
    Program
        With a trigger-out pulse at the first cycle, which begins at a rising zero of the reference.
    """
    played = range(len(cycles)) if stands is None else stands
    numbers = {cycle: number for number, cycle in enumerate(dict.fromkeys(played))}  # few names, used again and again
    return _program(played, hz, lambda cycle: _traced(cycles[cycle], f"{OURS}{numbers[cycle]}"))


def level_program(cycles: Cycles, hz: float, stands: Sequence[int]) -> Program:
    """Return a program that plays each cycle as a sine of its RMS voltage: the shape is lost.

    Parameters as of `waveform_program`; volts are rounded to a millivolt, so that lists stay short.
    """
    return _program(stands, hz, lambda k: (round(rms_v(cycles[k]), 3), None))


def program_from_samples(volts: NDArray[np.float64], rate_hz: float, hz: float) -> Program:
    """Return a program that plays a recording cycle by cycle, each from a waveform of its own.

    Parameters and errors as of `cycles_of`, result as of `waveform_program`.
    """
    return waveform_program(playable(cycles_of(volts, rate_hz, hz)), hz)


def rms_v(cycle: NDArray[np.float64]) -> float:
    """Return the RMS voltage of a cycle [V]."""
    return float(np.sqrt(np.mean(cycle**2)))


def _program(stands: Sequence[int], hz: float, play: Callable[[int], tuple[float, Trace | None]]) -> Program:
    steps: list[Step] = []
    for cycle, run in groupby(stands):
        volts, trace = play(cycle)
        steps.append(Step(volts, hz, len(list(run)) / hz, trigger_out=not steps, waveform=trace))
    return Program(tuple(steps), 0.0)


def _traced(cycle: NDArray[np.float64], name: str) -> tuple[float, Trace]:
    """Return RMS voltage and waveform of a cycle."""
    volts = rms_v(cycle)
    if volts < 1e-6:  # nothing to rescale: any shape at 0 V
        volts, shape = 0.0, np.sin(2 * np.pi * np.arange(TRACE_POINTS) / TRACE_POINTS)
    else:
        shape = cycle / np.abs(cycle).max()
    return volts, Trace(name, tuple(round(float(v), 5) for v in shape))
