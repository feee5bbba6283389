"""A recording as a program: one uploaded waveform and one step a cycle."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hil.source.program import Program, Step, Trace
from hil.source.waveform import TRACE_POINTS
from teiden.errors import InputError


def program_from_samples(
    volts: NDArray[np.float64], rate_hz: float, hz: float, *, scale: float = 1.0, name: str = "REC"
) -> Program:
    """Return a program that plays a recording cycle by cycle.

    Each cycle is read at 1024 instants by linear interpolation. A source removes the mean of an uploaded cycle, so
    what a recording has of direct voltage is lost; a cycle without any alternating voltage is played as 0 V.

    Parameters
    ----------
    volts : (n,) float64
        Voltage, from `hil.recording.Recording.samples` [V]; what is left after the last whole cycle is not played.
    rate_hz : float
        Its sampling rate [Hz].
    hz : float
        Frequency of the recorded supply, which is played at the same [Hz].
    scale : float
        Volts of the source per volt of the recording.
    name : str
        Waveforms are called this and a number.

    Returns
    -------
    Program
        With a trigger-out pulse at the first cycle, which begins at a rising zero of the reference.

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
    cycles = int(volts.size * hz / rate_hz + 1e-9)
    if cycles < 1:
        raise InputError(f"{volts.size} samples at {rate_hz:g} Hz, expected at least one cycle of {hz:g} Hz")
    steps = []
    for number in range(cycles):
        at = (number + np.arange(TRACE_POINTS) / TRACE_POINTS) * rate_hz / hz
        cycle: NDArray[np.float64] = np.interp(at, np.arange(volts.size), volts * scale)
        cycle = cycle - np.mean(cycle)
        rms_v = float(np.sqrt(np.mean(cycle**2)))
        if rms_v < 1e-6:  # nothing to rescale: any shape at 0 V
            rms_v, shape = 0.0, np.sin(2 * np.pi * np.arange(TRACE_POINTS) / TRACE_POINTS)
        else:
            shape = cycle / np.abs(cycle).max()
        trace = Trace(f"{name}{number}", tuple(round(float(v), 5) for v in shape))
        steps.append(Step(rms_v, hz, 1 / hz, trigger_out=number == 0, waveform=trace))
    return Program(tuple(steps), 0.0)
