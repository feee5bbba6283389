"""``teiden meter``: play a recording into the compiled front-end and read its registers."""

from __future__ import annotations

import csv
import itertools
import math
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from hdl import scaling
from hdl.codes import CHANNELS
from hdl.driver import MAX_A, Event, FrontEnd, Measurement, Power
from hdl.metering import WIRINGS, Meter
from hdl.sim.frontend import CompiledFrontEnd
from hil.recording import Recording, Segment, read_recording, resample
from teiden.errors import InputError
from teiden.files import written_whole

RATE_HZ = scaling.SAMPLE_RATE_HZ
LOWEST_V, HIGHEST_V = 10.0, 166.0  # nominal voltages the front-end's input takes without a divider
RUN_DELAY = 8  # samples that E_RUN is behind
SATURATED = ("saturated", "current_saturated", "voltage2_saturated", "current2_saturated")  # u1, i1, u2, i2
BLOCK = 4000  # samples between looks at the progress


@dataclass(frozen=True)
class Options:
    """What to play and how."""

    file: Path
    voltage: str | None = None  # channel; None: the first in volts
    current: str | None = None  # channel; None: no current
    segment: int = 0
    voltage_scale: float | None = None  # volts per unit of the file; None: what the file says its unit is, else 1
    current_scale: float | None = None  # amperes
    nominal_v: float = 100.0
    nominal_hz: float = 50.0
    max_a: float = MAX_A  # largest RMS current, a fifth below full scale
    voltage2: str | None = None  # channels of the second element; None: one element
    current2: str | None = None
    wiring: str = WIRINGS[1]  # of two elements
    settle_s: float = 0.0
    trace: Path | None = None
    waves: Path | None = None


class Row(NamedTuple):
    """One published half cycle."""

    t_s: float  # its end, from the first sample
    u_half_rms_v: float | None  # Urms(1/2); None until it covers one cycle
    i_half_rms_a: float | None
    p_w: float | None
    q_var: float | None
    f_hz: float | None  # over the last ten cycles


class HalfCycle(NamedTuple):
    """What the registers said of one half cycle."""

    end: float  # samples from the first, on the voltage's own time axis
    u_v: float  # RMS of this half cycle alone
    real: bool  # it and the one before lie between zero crossings
    power: Power
    meter: Meter | None  # with two elements


@dataclass
class Played:
    """What the front-end gave."""

    rows: list[Row] = field(default_factory=list)
    half_cycles: list[HalfCycle] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    run_ws: list[float] = field(default_factory=list)  # active energy at the end of the settling time, and of all


@dataclass(frozen=True)
class Inputs:
    """Codes for the front-end, and where they first left its range: kind of event, sample, value."""

    rows: NDArray[np.int32]  # (n, 4) of u1, i1, u2, i2; zeros where there is no channel
    beyond: list[tuple[str, int, float]]


def meter(options: Options, progress: Callable[[float], None] = lambda share: None) -> dict[str, Any]:
    """Play a recording and return the summary; the trace and the waves are written when all is done.

    Raises
    ------
    InputError
        If an option or the recording is no good; then nothing is written.
    """
    _check(options)
    recording = read_recording(options.file)
    voltage = recording.first_voltage() if options.voltage is None else recording.find(options.voltage)
    chosen = [voltage, *(None if name is None else recording.find(name) for name in
                         (options.current, options.voltage2, options.current2))]  # fmt: skip
    current = chosen[1]
    segment = recording.segment(options.segment)
    if options.settle_s >= segment.duration_s:
        raise InputError(
            f"settle_s = {options.settle_s:g}, expected below the {segment.duration_s:g} s of segment {options.segment}"
        )
    divider = input_divider(options.nominal_v)
    inputs = _inputs(recording, segment, chosen, options)
    with ExitStack() as files:
        waves = files.enter_context(written_whole(options.waves)) if options.waves else None
        trace = files.enter_context(written_whole(options.trace)) if options.trace else None
        board = CompiledFrontEnd(trace=waves)
        files.callback(board.close)
        front_end = FrontEnd(board, max_a=options.max_a)
        front_end.identify()
        if options.voltage2 is not None:
            front_end.set_wiring(options.wiring)
        causes = ("event", "half_cycle")
        front_end.configure(options.nominal_hz, options.nominal_v / divider, causes, quality=True)
        played = _play(front_end, board, inputs, options, progress)
        summary = {
            "file": str(options.file),
            "voltage": recording.channels[voltage].name,
            "current": None if current is None else recording.channels[current].name,
            "nominal_v": options.nominal_v,
            "nominal_hz": options.nominal_hz,
            "rate_hz": segment.rate_hz,
            "samples": segment.last - segment.first,
            **_voltage_figures(played, options),
            **_power_figures(played, options, divider),
            **_element_figures(
                played, options, [None if one is None else recording.channels[one].name for one in chosen]
            ),
            "events": _events(front_end, played, divider, inputs.beyond),
            "rtl_hash": board.rtl_hash,
        }
        if trace:
            _write_trace(trace, played.rows)
    return summary


def input_divider(nominal_v: float) -> float:
    """Return by what a divider before the front-end's input reduces the voltage: 1 for 10 to 166 V nominal.

    Any other nominal voltage is brought to 100 V, so full scale stays at twice the nominal peak.
    """
    return 1.0 if LOWEST_V <= nominal_v <= HIGHEST_V else nominal_v / 100


def _check(options: Options) -> None:
    problems = []
    if not (math.isfinite(options.nominal_v) and options.nominal_v > 0):
        problems.append(f"nominal_v = {options.nominal_v:g}, expected above 0")
    if options.nominal_hz not in (50, 60):
        problems.append(f"nominal_hz = {options.nominal_hz:g}, expected 50 or 60")
    if not (math.isfinite(options.max_a) and options.max_a > 0):
        problems.append(f"max_a = {options.max_a:g}, expected above 0")
    if options.voltage2 is None and options.current2 is not None:
        problems.append(
            f"current2 = {options.current2}, expected voltage2 with it: an element is a voltage and a current"
        )
    if options.voltage2 is not None and options.current is None:
        problems.append(f"voltage2 = {options.voltage2}, expected current and current2 with it to make two elements")
    if options.wiring not in WIRINGS[1:]:
        problems.append(f"wiring = {options.wiring!r}, expected {' or '.join(WIRINGS[1:])}")
    for name, scale in (("voltage_scale", options.voltage_scale), ("current_scale", options.current_scale)):
        if scale is not None and not (math.isfinite(scale) and scale):
            problems.append(f"{name} = {scale:g}, expected a number other than 0")
    if not options.settle_s >= 0:
        problems.append(f"settle_s = {options.settle_s:g}, expected 0 or more")
    if options.trace and options.trace.suffix.lower() not in (".parquet", ".csv"):
        problems.append(f"trace = {options.trace}, expected a name that ends in .parquet or .csv")
    if options.waves and options.waves.suffix.lower() != ".fst":
        problems.append(f"waves = {options.waves}, expected a name that ends in .fst")
    for name, path in (("trace", options.trace), ("waves", options.waves)):
        if path and not path.absolute().parent.is_dir():
            problems.append(f"{name} = {path}, expected a file in a folder that exists")
    if problems:
        raise InputError("; ".join(problems))


def _inputs(recording: Recording, segment: Segment, chosen: list[int | None], options: Options) -> Inputs:
    """Return the codes that the ADCs would give for the chosen channels: u1, i1, u2, i2."""
    divider = input_divider(options.nominal_v)
    columns: list[NDArray[np.int32]] = []
    beyond: list[tuple[str, int, float]] = []
    for place, channel in enumerate(chosen):
        if channel is None:
            columns.append(np.zeros(len(columns[0]), np.int32))
            continue
        scale = options.current_scale if place % 2 else options.voltage_scale
        if scale is None:
            symbol, option = ("A", "--current-scale") if place % 2 else ("V", "--voltage-scale")
            scale = recording.base_units(channel, symbol, f"give {option}, {symbol} per unit of the file")
        wave = resample(recording.samples(channel, segment) * scale, segment.rate_hz, RATE_HZ)
        if place % 2:
            codes, saturated = scaling.codes_from_amps(wave, options.max_a)
            full_scale = (1 << 23) / scaling.codes_per_amp(options.max_a)
        else:
            codes, saturated = scaling.codes_from_volts(wave / divider)
            full_scale = scaling.FULL_SCALE_V * divider
        columns.append(codes)
        if saturated:
            beyond.append(_first_beyond(SATURATED[place], wave, full_scale))
    return Inputs(np.stack(columns, axis=1), beyond)


def _first_beyond(kind: str, wave: NDArray[np.float64], full_scale: float) -> tuple[str, int, float]:
    at = int(np.flatnonzero(np.abs(wave) > full_scale * (1 - 1e-7))[0])
    return kind, at, float(wave[at])


def _play(
    front_end: FrontEnd,
    board: CompiledFrontEnd,
    inputs: Inputs,
    options: Options,
    progress: Callable[[float], None],
) -> Played:
    """Push every sample, stopping wherever the interrupt line says there is something to read."""
    played = Played()
    rows = inputs.rows
    settled = round(options.settle_s * RATE_HZ)
    mark = min(settled + RUN_DELAY, len(rows))  # E_RUN then holds what came before the settling time's end
    at = 0
    while at < len(rows):
        until = min(at + BLOCK, mark if at < mark else len(rows))
        at += board.push(rows[at:until], stop_on_irq=True)
        causes = front_end.take_interrupts()
        if "event" in causes:
            played.events += front_end.events()
        if "half_cycle" in causes:
            _take_half_cycle(played, front_end, front_end.measure(), options)
        if at == mark:
            played.run_ws.append(front_end.power().run_ws)
        progress(at / len(rows))
    board.push(np.zeros((RUN_DELAY, CHANNELS), np.int32))  # brings the last samples into E_RUN
    played.run_ws.append(front_end.power().run_ws)
    return played


def _take_half_cycle(played: Played, front_end: FrontEnd, now: Measurement, options: Options) -> None:
    divider, flows = input_divider(options.nominal_v), options.current is not None
    meter = None if options.voltage2 is None else front_end.meter()
    status = front_end.status()
    power = front_end.power()
    valid = status.u_rms_half_valid
    played.rows.append(
        Row(
            now.half_cycle_end / RATE_HZ,
            now.u_rms_half_v * divider if valid else None,
            power.i_rms_half_a if valid and flows else None,
            power.p_w * divider if valid and flows else None,
            power.q_var * divider if valid and flows else None,
            None if math.isnan(now.frequency_hz) else now.frequency_hz,
        )
    )
    real = valid and not status.crossing_lost
    played.half_cycles.append(HalfCycle(now.half_cycle_end, now.u_half_v * divider, real, power, meter))


def _settled(played: Played, options: Options) -> list[HalfCycle]:
    """Return the half cycles that end behind the settling time."""
    return [one for one in played.half_cycles if one.end >= options.settle_s * RATE_HZ]


def _first_cycle_end_s(options: Options) -> float:
    """Return the earliest end of a whole cycle behind the settling time [s]."""
    return options.settle_s + 1 / options.nominal_hz if options.settle_s else 0.0


def _voltage_figures(played: Played, options: Options) -> dict[str, float | None]:
    """Return frequency and RMS over the cycles that lie behind the settling time."""
    kept = [row for row in played.rows if row.u_half_rms_v is not None and row.t_s >= _first_cycle_end_s(options)]
    if not kept:
        raise InputError(
            f"{options.file}: no full cycle between zero crossings behind settle_s = {options.settle_s:g}; expected a "
            "longer recording, of a voltage of 42 to 70 Hz with an offset below 0.4 of its peak"
        )
    extremes = [row.u_half_rms_v for row in kept if row.u_half_rms_v is not None]
    tens = [row.f_hz for row in kept if row.f_hz and row.t_s >= options.settle_s + 10 / row.f_hz]
    ends = [(one.end, one.real) for one in _settled(played, options)]
    return {
        # The middle one of the ten-cycle values: those that a loss or a phase jump falls into do not count.
        "frequency_hz": float(np.median(tens)) if tens else _frequency_hz(ends),
        "u_rms_v": _rms_v(_settled(played, options)) or extremes[-1],
        "u_half_rms_min_v": min(extremes),
        "u_half_rms_max_v": max(extremes),
    }


def _rms_v(half_cycles: list[HalfCycle]) -> float:
    lengths = [late.end - early.end for early, late in itertools.pairwise(half_cycles)]
    squares = sum(one.u_v**2 * length for one, length in zip(half_cycles[1:], lengths, strict=True))
    return math.sqrt(squares / sum(lengths)) if lengths else 0.0


def _power_figures(played: Played, options: Options, divider: float) -> dict[str, float | None]:
    """Return powers over whole cycles and the energy of every sample behind the settling time."""
    kept = _settled(played, options)
    while kept and not kept[0].real and any(one.real for one in kept):
        kept.pop(0)  # from a crossing on: a piece of a half cycle has another power than the whole
    cycles = (len(kept) - 1) // 2
    if options.current is None or cycles < 1:
        return dict.fromkeys(("p_w", "q_var", "s_va", "e_wh"))
    first, last = kept[0], kept[2 * cycles]
    hours = (last.end - first.end) / RATE_HZ / 3600
    before, after = first.power, last.power
    rows = [row for row in played.rows if row.t_s >= _first_cycle_end_s(options)]
    amps = [row.i_half_rms_a for row in rows if row.i_half_rms_a is not None]
    i_rms_a = math.sqrt(sum(value**2 for value in amps) / len(amps)) if amps else 0.0
    active_wh = (after.forward_wh - before.forward_wh) - (after.reverse_wh - before.reverse_wh)
    reactive_varh = (after.lagging_varh - before.lagging_varh) - (after.leading_varh - before.leading_varh)
    return {
        "p_w": active_wh / hours * divider,
        "q_var": reactive_varh / hours * divider,
        "s_va": _rms_v(kept) * i_rms_a if options.voltage2 is None else _apparent_va(kept) * divider,
        "e_wh": (played.run_ws[-1] - played.run_ws[0]) / 3600 * divider,
    }


def _whole(half_cycles: list[HalfCycle]) -> list[Meter]:
    """Return the publications of two elements that cover a whole cycle."""
    return [one.meter for one in half_cycles if one.meter is not None and one.meter.whole]


def _apparent_va(kept: list[HalfCycle]) -> float:
    return float(np.mean([meter.total.s_va for meter in _whole(kept)]))


def _element_figures(played: Played, options: Options, names: list[str | None]) -> dict[str, Any]:
    """Return what two elements add: each by itself, line voltage and common current, over the cycles kept."""
    if options.voltage2 is None:
        return {}
    kept = [
        one.meter
        for one in _settled(played, options)
        if one.meter is not None and one.meter.whole and one.end / RATE_HZ >= _first_cycle_end_s(options)
    ]
    divider = input_divider(options.nominal_v)

    def rms(values: list[float]) -> float:
        return math.sqrt(sum(value**2 for value in values) / len(values))

    elements = []
    for place in range(2) if kept else ():
        loads = [meter.elements[place].load for meter in kept]
        elements.append(
            {
                "voltage": names[2 * place],
                "current": names[2 * place + 1],
                "u_rms_v": rms([meter.elements[place].u_rms_v for meter in kept]) * divider,
                "i_rms_a": rms([meter.elements[place].i_rms_a for meter in kept]),
                "p_w": float(np.mean([load.p_w for load in loads])) * divider,
                "q_var": float(np.mean([load.q_var for load in loads])) * divider,
                "s_va": float(np.mean([load.s_va for load in loads])) * divider,
            }
        )
    return {
        "wiring": options.wiring,
        "elements": elements,
        "u_line_rms_v": rms([meter.u_line_rms_v for meter in kept]) * divider if kept else None,
        "i_common_rms_a": rms([meter.i_common_rms_a for meter in kept]) if kept else None,
    }


def _frequency_hz(ends: list[tuple[float, bool]]) -> float | None:
    """Return the frequency over the longest unbroken row of whole cycles between crossings; None without one.

    For recordings of fewer than ten cycles.
    """
    rows: list[list[float]] = [[]]
    for end, real in ends:
        if real:
            rows[-1].append(end)
        elif rows[-1]:
            rows.append([])
    longest = max(rows, key=len)
    cycles = (len(longest) - 1) // 2
    return cycles * RATE_HZ / (longest[2 * cycles] - longest[0]) if cycles > 0 else None


def _events(
    front_end: FrontEnd, played: Played, divider: float, beyond: list[tuple[str, int, float]]
) -> list[dict[str, Any]]:
    """Return the front-end's events in the order of time, and where an input first left its range."""
    listed: list[dict[str, Any]] = []
    for event in played.events:
        value = event.u_rms_half_v if event.extreme_v is None else event.extreme_v
        entry = {"kind": event.kind, "t_s": event.sample / RATE_HZ, "value": value * divider}
        if event.kind == "power_fail":
            entry["onset_s"] = front_end.onset_s(event)[1]
        listed.append(entry)
    listed += [{"kind": kind, "t_s": first / RATE_HZ, "value": value} for kind, first, value in beyond]
    return sorted(listed, key=lambda entry: float(entry["t_s"]))


def _write_trace(path: Path, rows: list[Row]) -> None:
    if path.suffix.lower() == ".csv":
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(Row._fields)
            writer.writerows(rows)
        return
    kind = pa.float64()
    pq.write_table(pa.table({name: pa.array([getattr(row, name) for row in rows], kind) for name in Row._fields}), path)
