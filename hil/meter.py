"""``teiden meter``: play a recording into the compiled front-end and read its registers."""

from __future__ import annotations

import csv
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
from hdl.driver import Event, FrontEnd, Measurement
from hdl.sim.frontend import CompiledFrontEnd
from hil.recording import read_recording, resample
from teiden.errors import InputError
from teiden.files import written_whole

RATE_HZ = scaling.SAMPLE_RATE_HZ
LOWEST_V, HIGHEST_V = 10.0, 166.0  # nominal voltages the front-end's input takes without a divider
BLOCK = 4000  # samples between looks at the progress


@dataclass(frozen=True)
class Options:
    """What to play and how."""

    file: Path
    voltage: str | None = None  # channel; None: the first in volts
    segment: int = 0
    voltage_scale: float = 1.0  # volts per unit of the file
    nominal_v: float = 100.0
    nominal_hz: float = 50.0
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


@dataclass
class Played:
    """What the front-end gave."""

    rows: list[Row] = field(default_factory=list)
    half_cycles: list[tuple[float, float, bool]] = field(default_factory=list)  # end [samples], RMS [V], at a crossing
    events: list[Event] = field(default_factory=list)


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
    segment = recording.segment(options.segment)
    if options.settle_s >= segment.duration_s:
        raise InputError(
            f"settle_s = {options.settle_s:g}, expected below the {segment.duration_s:g} s of segment {options.segment}"
        )
    volts = resample(recording.samples(voltage, segment) * options.voltage_scale, segment.rate_hz, RATE_HZ)
    divider = input_divider(options.nominal_v)
    codes, saturated = scaling.codes_from_volts(volts / divider)
    with ExitStack() as files:
        waves = files.enter_context(written_whole(options.waves)) if options.waves else None
        trace = files.enter_context(written_whole(options.trace)) if options.trace else None
        board = CompiledFrontEnd(trace=waves)
        files.callback(board.close)
        front_end = FrontEnd(board)
        front_end.identify()
        front_end.configure(options.nominal_hz, options.nominal_v / divider, ("event", "half_cycle"))
        played = _play(front_end, board, codes, divider, progress)
        summary = {
            "file": str(options.file),
            "voltage": recording.channels[voltage].name,
            "current": None,
            "nominal_v": options.nominal_v,
            "nominal_hz": options.nominal_hz,
            "rate_hz": segment.rate_hz,
            "samples": segment.last - segment.first,
            **_figures(played, options),
            "events": _events(front_end, played, divider, volts if saturated else None),
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
    if not (math.isfinite(options.voltage_scale) and options.voltage_scale):
        problems.append(f"voltage_scale = {options.voltage_scale:g}, expected a number other than 0")
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


def _play(
    front_end: FrontEnd,
    board: CompiledFrontEnd,
    codes: NDArray[np.int32],
    divider: float,
    progress: Callable[[float], None],
) -> Played:
    """Push every sample, stopping wherever the interrupt line says there is something to read."""
    played = Played()
    at = 0
    while at < codes.size:
        at += board.push(codes[at : at + BLOCK], stop_on_irq=True)
        causes = front_end.take_interrupts()
        if "event" in causes:
            played.events += front_end.events()
        if "half_cycle" in causes:
            _take_half_cycle(played, front_end, front_end.measure(), divider)
        progress(at / codes.size)
    return played


def _take_half_cycle(played: Played, front_end: FrontEnd, now: Measurement, divider: float) -> None:
    status = front_end.status()
    u_v = now.u_rms_half_v * divider if status.u_rms_half_valid else None
    hertz = None if math.isnan(now.frequency_hz) else now.frequency_hz
    played.rows.append(Row(now.half_cycle_end / RATE_HZ, u_v, None, None, None, hertz))
    played.half_cycles.append((now.half_cycle_end, now.u_half_v * divider, not status.crossing_lost))


def _figures(played: Played, options: Options) -> dict[str, float | None]:
    """Return frequency and RMS over the half cycles that lie behind the settling time."""
    settled = options.settle_s * RATE_HZ
    earliest = options.settle_s + 1 / options.nominal_hz if options.settle_s else 0.0  # end of a whole cycle behind it
    kept = [row for row in played.rows if row.u_half_rms_v is not None and row.t_s >= earliest]
    if not kept:
        raise InputError(
            f"{options.file}: no full cycle behind settle_s = {options.settle_s:g}; expected a longer recording"
        )
    extremes = [row.u_half_rms_v for row in kept if row.u_half_rms_v is not None]
    lengths, squares = 0.0, 0.0
    for (start, _, _), (end, rms_v, _) in zip(played.half_cycles, played.half_cycles[1:], strict=False):
        if start >= settled:
            lengths += end - start
            squares += rms_v**2 * (end - start)
    tens = [row.f_hz for row in kept if row.f_hz and row.t_s >= options.settle_s + 10 / row.f_hz]
    ends = [(end, real) for end, _, real in played.half_cycles if end >= settled]
    return {
        # The middle one of the ten-cycle values: those that a loss or a phase jump falls into do not count.
        "frequency_hz": float(np.median(tens)) if tens else _frequency_hz(ends),
        "u_rms_v": math.sqrt(squares / lengths) if lengths else kept[-1].u_half_rms_v,
        "u_half_rms_min_v": min(extremes),
        "u_half_rms_max_v": max(extremes),
        "p_w": None,
        "q_var": None,
        "s_va": None,
        "e_wh": None,
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
    front_end: FrontEnd, played: Played, divider: float, beyond: NDArray[np.float64] | None
) -> list[dict[str, Any]]:
    """Return the front-end's events in the order of time, and where the voltage first left the input's range."""
    listed: list[dict[str, Any]] = []
    for event in played.events:
        entry = {"kind": event.kind, "t_s": event.sample / RATE_HZ, "value": event.u_rms_half_v * divider}
        if event.kind == "power_fail":
            entry["onset_s"] = front_end.onset_s(event)[1]
        listed.append(entry)
    if beyond is not None:
        first = int(np.flatnonzero(np.abs(beyond) > scaling.FULL_SCALE_V * divider * (1 - 1e-7))[0])
        listed.append({"kind": "saturated", "t_s": first / RATE_HZ, "value": float(beyond[first])})
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
