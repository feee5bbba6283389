"""Recordings as programs of the source: which part is played, and what the integer model expects of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hdl import scaling
from hdl.model import POWER_FAIL, FrontEndModel, Settings
from hil.recording import LEAST_RATE_HZ, Recording, Segment, read_recording
from hil.source.dialects import find_kind
from hil.source.program import Program, Step, Trace
from hil.source.recorded import Cycles, alike, cycles_of, level_program, playable, rms_v, waveform_program
from hil.source.waveform import TRACE_POINTS
from hil.station import Station
from teiden.errors import InputError

MAINS_HZ = (50, 60)
LEAST_CYCLES = 3  # two that say what is nominal, and one to see something in
NOMINAL_CYCLES = 2
ALIKE_PU = (0.0, 0.001, 0.002, 0.005, 0.01)  # of nominal peak: cycles this near may be played alike, if they must
LEAD_S = 0.5  # of nominal supply before the model's wave: Urms(1/2) is steady and the detector armed
TAIL_S = 0.5  # and behind it
SCALES = (0.998, 1.0, 1.002)  # residual voltage of IEC 61000-4-30:2015, class A: within 0.2 %
PHASES = (0.0, 0.5)  # of a sample, between program and board


@dataclass(frozen=True)
class Recorded:
    """A recording made ready for the source.

    Attributes
    ----------
    hz : int
        Mains frequency, 50 or 60.
    scale : float
        Volts of the source per unit of the file: the first two cycles become nominal.
    begin_s : float
        Where in the segment the program begins: the first rising zero of the fundamental [s].
    program : Program
        All whole cycles, and the nominal supply behind them.
    lowest_s : float
        End of the cycle with the lowest voltage, from the begin of the program [s].
    apart_pu : float
        Largest difference between what is played and the recording, its direct voltage included, of nominal peak.
    """

    hz: int
    scale: float
    begin_s: float
    program: Program
    lowest_s: float
    apart_pu: float


@dataclass(frozen=True)
class Expected:
    """What the integer model makes of the commanded wave, over `SCALES` and `PHASES`.

    Attributes
    ----------
    failures : (int, int)
        Fewest and most power failures suspected.
    first_s : (float, float) or None
        Earliest and latest moment of the first one, from the begin of the program [s]; None where there is none.
    """

    failures: tuple[int, int]
    first_s: tuple[float, float] | None


def find_recordings(place: Path) -> list[Path]:
    """Return the recordings of a folder in order of their names, or the one file.

    Raises
    ------
    InputError
        If there is none.
    """
    if place.is_file():
        return [place]
    if not place.is_dir():
        raise InputError(f"{place}: neither a campaign's name nor a file or folder of recordings")
    found = sorted(path for path in place.iterdir() if path.suffix.lower() in (".cfg", ".csv") and path.is_file())
    if not found:
        raise InputError(f"{place}: no recording in it, expected .cfg (COMTRADE, with its .dat) or .csv")
    return found


def ready(path: Path, station: Station) -> Recorded:
    """Return a recording's voltage in its first usable segment as a program.

    Raises
    ------
    InputError
        If it cannot be read or played, naming why.
    """
    recording = read_recording(path)
    segment = _usable(recording)
    wanted = station.campaign.recorded_channel
    channel = recording.find(wanted) if wanted else recording.first_voltage()
    if not recording.channels[channel].per_unit:  # whatever the unit, the first two cycles become nominal
        recording.base_units(channel, "V", "campaign.recorded_channel names another channel")
    volts = recording.samples(channel, segment)
    hz, phase = _fundamental(path, volts, segment.rate_hz)
    begin = int(np.ceil(phase * segment.rate_hz / hz - 1e-9))
    kept = volts[begin:]
    count = int(kept.size * hz / segment.rate_hz + 1e-9)
    if count < LEAST_CYCLES:
        raise InputError(f"{path}: {count} whole cycles of {hz} Hz, expected {LEAST_CYCLES} or more")
    nominal = kept[: round(NOMINAL_CYCLES * segment.rate_hz / hz)]
    scale = station.supply.nominal_v / float(np.std(nominal))
    recorded = scale * cycles_of(kept, segment.rate_hz, float(hz))
    cycles = playable(recorded)
    _check_range(path, cycles, station)
    program = _fitting(path, cycles, hz, station)
    played = commanded(program, hz * TRACE_POINTS, 0.0, 0.0).reshape(cycles.shape)
    peak_v = station.supply.nominal_v * np.sqrt(2)
    lowest = int(np.argmin([rms_v(cycle) for cycle in cycles]))
    apart_pu = float(np.abs(played - recorded).max() / peak_v)
    return Recorded(hz, scale, begin / segment.rate_hz, program, (lowest + 1) / hz, apart_pu)


def _fitting(path: Path, cycles: Cycles, hz: int, station: Station) -> Program:
    """Return the program that is nearest to the cycles among those that the instrument can hold."""
    instrument = find_kind(station.source.dialect).instrument
    as_waveform = station.campaign.recorded_as == "waveform"
    if as_waveform and not instrument.trace_points:
        raise InputError(
            f"{path}: no command to upload a waveform is known for a {instrument.model}; "
            'campaign.recorded_as = "rms" plays each cycle as a sine of its RMS voltage'
        )
    rows = cycles if as_waveform else np.array([[rms_v(cycle)] for cycle in cycles])
    unit_v = station.supply.nominal_v * (np.sqrt(2) if as_waveform else 1.0)
    most = instrument.traces if as_waveform else instrument.list_points
    back = Step(station.supply.nominal_v, float(hz), None, waveform="SIN" if as_waveform else None)
    for tolerance_pu in ALIKE_PU:
        stands = alike(rows, tolerance_pu * unit_v, most)
        if len(stands) == len(cycles) and _steps(stands) < instrument.list_points:
            program = (waveform_program if as_waveform else level_program)(cycles, float(hz), stands)
            return replace(program, steps=(*program.steps, back))
    while _steps(stands) >= instrument.list_points:
        stands.pop()
    raise InputError(
        f"{path}: {len(cycles)} cycles, too many of which are more than {100 * ALIKE_PU[-1]:g} % of nominal apart: a "
        f"{instrument.model} keeps {most} different ones and {instrument.list_points} steps, enough for the first "
        f"{len(stands)}; cut the recording {len(stands) / hz:g} s behind its first rising zero"
    )


def _steps(stands: Sequence[int]) -> int:
    """Return how many steps a program has in which neighbours that are alike are one."""
    return sum(1 for _ in groupby(stands))


def _usable(recording: Recording) -> Segment:
    """Return the first segment whose rate is high enough."""
    usable = [number for number, one in enumerate(recording.segments) if one.rate_hz >= LEAST_RATE_HZ]
    return recording.segment(usable[0] if usable else 0)


def _fundamental(path: Path, volts: NDArray[np.float64], rate_hz: float) -> tuple[int, float]:
    """Return mains frequency and where its first rising zero is, in cycles, of the recording's first two cycles."""
    if not volts[: round(NOMINAL_CYCLES * rate_hz / min(MAINS_HZ))].any():
        raise InputError(f"{path}: its first cycles are 0 V, expected two cycles of the supply before the disturbance")
    found = []
    for hz in MAINS_HZ:
        count = min(volts.size, round(NOMINAL_CYCLES * rate_hz / hz))
        turns = np.arange(count) * hz / rate_hz
        basis = np.column_stack([np.sin(2 * np.pi * turns), np.cos(2 * np.pi * turns)])
        (sine, cosine), *_ = np.linalg.lstsq(basis, volts[:count], rcond=None)
        rest = float(np.mean((volts[:count] - basis @ [sine, cosine]) ** 2))
        found.append((rest / float(np.mean(volts[:count] ** 2)), hz, float(sine), float(cosine)))
    share, hz, sine, cosine = min(found)
    if share > 0.5:
        raise InputError(f"{path}: its first cycles are no mains voltage: {100 * share:.0f} % of it is not 50 or 60 Hz")
    phase = float(-np.arctan2(cosine, sine) / (2 * np.pi)) % 1.0
    return hz, 0.0 if 1 - phase < 1e-6 else phase  # a zero at the very beginning, but for rounding


def _check_range(path: Path, cycles: Cycles, station: Station) -> None:
    limit_v = station.source.voltage_limit_v
    for number, cycle in enumerate(cycles):
        if rms_v(cycle) > limit_v:
            raise InputError(
                f"{path}: cycle {number} has {rms_v(cycle):.1f} V where the first two have "
                f"{station.supply.nominal_v:g} V, expected at most source.voltage_limit_v = {limit_v:g} V"
            )
    peak_v = float(np.abs(cycles).max())
    if peak_v > scaling.FULL_SCALE_V:
        raise InputError(f"{path}: a peak of {peak_v:.1f} V, expected at most {scaling.FULL_SCALE_V:.1f} V (the ADC)")


def commanded(program: Program, rate_hz: float, lead_s: float = LEAD_S, phase: float = 0.0) -> NDArray[np.float64]:
    """Return the voltage that a program asks for, between stretches of the supply that follows it.

    Parameters
    ----------
    program : Program
        Of steps of whole cycles, each an uploaded one or a sine; the last one is the nominal supply.
    rate_hz : float
        Samples a second of the result.
    lead_s : float
        Of nominal supply before [s]; `TAIL_S` follow.
    phase : float
        Of a sample, by which the samples lie behind the program's begin.

    Returns
    -------
    (n,) float64
        Sample ``round(lead_s rate_hz)`` is the program's first.
    """
    hz = program[0].frequency_hz
    lead = round(lead_s * rate_hz)
    ends = np.cumsum([round(step.duration_s * hz) for step in program.steps[:-1] if step.duration_s is not None])
    count = lead + round((int(ends[-1]) / hz + (TAIL_S if lead else 0.0)) * rate_hz)
    turns = (np.arange(count) - lead + phase) * hz / rate_hz
    wave: NDArray[np.float64] = program[-1].voltage_v * np.sqrt(2) * np.sin(2 * np.pi * turns)
    number = np.floor(turns + 1e-12)
    for step, begin, end in zip(program.steps, [0, *ends], ends, strict=False):
        inside = (number >= begin) & (number < end)
        wave[inside] = step.voltage_v * _cycle(step, turns[inside] - number[inside])
    return wave


def _cycle(step: Step, turns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cycle of a step at RMS 1, at each turn from 0 to 1."""
    if not isinstance(step.waveform, Trace):
        sine: NDArray[np.float64] = np.sqrt(2) * np.sin(2 * np.pi * turns)
        return sine
    values = np.array(step.waveform.values)
    values = (values - values.mean()) / values.std()
    read: NDArray[np.float64] = np.interp(turns, np.arange(TRACE_POINTS + 1) / TRACE_POINTS, [*values, values[0]])
    return read


def expect(recorded: Recorded, settings: Settings) -> Expected:
    """Return what the model expects, from the commanded wave alone."""
    counts, firsts = [], []
    for failures in _variants(recorded, settings):
        counts.append(len(failures))
        firsts += failures[:1]
    return Expected((min(counts), max(counts)), (min(firsts), max(firsts)) if firsts else None)


def _variants(recorded: Recorded, settings: Settings) -> Iterator[list[float]]:
    """Yield the moments of the model's power failures [s from the begin of the program]."""
    rate_hz = scaling.SAMPLE_RATE_HZ
    lead = round(LEAD_S * rate_hz)
    for scale in SCALES:
        for phase in PHASES:
            model = FrontEndModel(settings)
            codes, _ = scaling.codes_from_volts(scale * commanded(recorded.program, rate_hz, LEAD_S, phase))
            model.push(codes.tolist())
            yield [(sample - lead + phase) / rate_hz for kind, sample, _ in model.events if kind == POWER_FAIL]
