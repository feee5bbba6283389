"""``teiden rig check``: is this the right board, is it wired right, and what does it see?

On the stand-ins, a front-end on a simulated source that is driven over VISA; on a PYNQ board and an instrument, which
it has not met yet: tested with what poses as both.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hdl.driver import FrontEnd
from hdl.regs.generated import regs
from hil.check_places import NS, SECOND, Place, hardware, stand_ins
from hil.clock import PROOF_RATIO, T0, TOLERANCE_PPM
from hil.evidence.bench import latched_t0
from hil.evidence.benches import no_hardware, require_consent
from hil.findings import Finding, compare, same
from hil.onset import narrowest, onset
from hil.source.dialects import find_kind
from hil.source.interface import AcSource
from hil.source.program import Program, Step
from hil.station import Station
from teiden import __version__
from teiden.errors import InputError, PartFailed
from teiden.files import write_text

SAMPLE_US = 1e6 / SECOND
SETTLE_S = 0.5  # relay, command latency, *RST dead time of the stand-ins and ten cycles: below 0.5 s
ANGLE_DEG = 90.0  # not a zero, and not the same when the voltage's two wires are swapped
ONSETS = 15  # changes of the output that are looked for: so many parts of a sample are told apart
ONSET_PU = 0.7  # of nominal: no power failure (docs/front-end.md), and at the crest a step of 0.3 of it
ONSET_SEEN = 0.02  # of the nominal peak: far above the noise floor, a fifteenth of the step
FALL_US = 10.0  # until a step shows; assumed: a fifteenth of it, of an output that falls within tens of us


def check_station(station: Station, out: Path, armed: bool = False) -> dict[str, Any]:
    """Check a station and write what was seen to ``out``: check.json, with the SCPI transcript, and check.md.

    The board is looked at before the source is connected, and the output is switched on last. A real instrument is
    energised with ``armed`` and an interlock only; else what needs its voltage is not looked at, and the page says so.
    The same station of stand-ins and version give the same bytes.

    Returns
    -------
    dict
        What check.json holds.

    Raises
    ------
    InputError
        For another make of instrument than the dialect's, consent without an interlock, or no folder to write to.
    MissingPart
        If the board or the instrument is not there.
    PartFailed
        If a part does not answer as it must; nothing is written then.
    """
    if armed and not station.simulated:
        require_consent(station, armed)
    _require_folder(out)
    transcript: list[tuple[str, str]] = []
    with (stand_ins if station.simulated else hardware)(station, armed, transcript) as place:
        bench = _Bench(station, place)
        findings = list(bench.look_at_board())
        with place.connect() as source:
            findings += bench.look_at_source(source)
            identity = source.identity
        findings.append(same("output after the check", "on" if place.output_on() else "off", "off"))
    t0 = bench.t0
    seen = {
        "passed": all(finding.passed for finding in findings),
        "teiden": __version__,
        "board": place.board,
        "rtl_hash": place.rtl_hash,
        "rtl_version": bench.rtl_version,
        "register_map": f"0x{regs.MAP_HASH_EXPECTED:08X}",
        "source": identity,
        "hardware": no_hardware(station) if station.simulated else "a real bench",
        "unverified": list(find_kind(station.source.dialect).driver.unverified),
        "station": station.model_dump(),
        "t0_source": "none" if t0 is None else t0.source,
        "t0_bound_us": None if t0 is None else t0.bound_ns / 1000,
        "shortest_limit_us": None if t0 is None else PROOF_RATIO * t0.bound_ns / 1000,
        "findings": [asdict(finding) for finding in findings],
        "not_looked_at": bench.not_looked_at,
        "scpi": transcript,
    }
    out.mkdir(exist_ok=True)
    write_text(out / "check.json", json.dumps(seen, indent=1, allow_nan=False) + "\n")
    write_text(out / "check.md", page(seen))
    return seen


def _require_folder(out: Path) -> None:
    """Raise InputError unless files can be written to a folder, which need not be there yet."""
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: exists and is no folder; choose another --out")
    place = out if out.exists() else out.parent
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise InputError(f"{place}: cannot write there ({error.strerror}); choose another --out") from error


class _Bench:
    """Board and source while they are being looked at."""

    def __init__(self, station: Station, place: Place):
        self._station = station
        self._place = place
        self._front_end = FrontEnd(place.port)
        self.t0: T0 | None = None
        self.rtl_version = ""
        self.not_looked_at: list[str] = []
        self._sound = False  # the board by itself
        self._energised = False

    def look_at_board(self) -> Iterator[Finding]:
        """Look at what needs no source; PartFailed for another board or map: nothing else would mean anything."""
        self.rtl_version = self._front_end.identify()
        supply = self._station.supply
        self._front_end.configure(supply.nominal_hz, supply.nominal_v)
        second = self._place.second(self._front_end)
        yield second
        ticks = self._place.port.read32(regs.TICKS_PER_SAMPLE)
        expected = self._station.board.ticks_per_sample
        # two oscillators on a real board, one of the logic and one of the ADC
        apart = 0.0 if self._station.simulated else 1 + 2 * expected * TOLERANCE_PPM * 1e-6
        sample = compare("ticks of a sample", ticks, expected, apart, "ticks")
        yield sample
        self._sound = second.passed and sample.passed

    def look_at_source(self, source: AcSource) -> Iterator[Finding]:
        """Look at the rest, with the output off and then on, if it may be."""
        left_on = source.output_enabled
        yield same("output before the check", "on" if left_on else "off", "off")
        if left_on:
            self.not_looked_at.append("all that follows: the output was on when the source was connected")
            return
        quiet = self._noise()
        yield quiet
        if why := self._why_off(quiet.passed):
            self.not_looked_at.append(f"voltage, frequency, trigger wire and polarity: {why}")
        else:
            self._energised = True
            yield from self._supply(source)
            yield from self._current(source)
            if find_kind(self._station.source.dialect).instrument.trigger_out:
                yield from self._trigger(source)
        status = self._front_end.status()
        flags = [name for name in ("saturated", "event_overflow", "overrun", "crossing_lost") if getattr(status, name)]
        if not self._energised:
            flags = [name for name in flags if name != "crossing_lost"]  # there is no voltage to cross zero
        yield same("flags of the board", ", ".join(flags) or "none", "none")
        errors = source.errors()
        yield same("errors of the source", "; ".join(errors) or "none", "none")

    def _why_off(self, quiet: bool) -> str:
        """Return why the output stays off, or nothing."""
        if not self._place.energises:
            return "a real output needs --arm"
        if not (self._sound and quiet):
            return "nothing is energised on a board whose clock or input is not as it must be"
        return ""

    def _noise(self) -> Finding:
        """Measure the voltage channel with the output off; a board without samples has none."""
        _, volts = self._capture()
        noise_pu = float(np.std(volts)) / self._station.supply.nominal_v if volts.size else math.nan
        return compare("noise floor, output off", noise_pu, 0, self._limits.noise_pu, "pu")

    def _supply(self, source: AcSource) -> Iterator[Finding]:
        """Switch on; what the board measures is what the source says it gives."""
        supply = self._station.supply
        source.energise(
            supply.nominal_v,
            float(supply.nominal_hz),
            current_limit_a=self._station.source.current_limit_a,
            voltage_limit_v=self._station.source.voltage_limit_v,
        )
        self._place.elapse(2 * SETTLE_S)
        seen = self._front_end.measure()
        given_v, given_hz = source.measure_voltage_v(), source.measure_frequency_hz()
        yield compare("RMS voltage", seen.u_rms_half_v, given_v, self._limits.voltage_pu * supply.nominal_v, "V")
        yield compare("frequency", seen.frequency_hz, given_hz, self._limits.frequency_hz, "Hz")
        self._front_end.events()
        self._front_end.clear_status()

    def _current(self, source: AcSource) -> Iterator[Finding]:
        """Compare what flows into the load with the source's read-back, and see which way the board has it."""
        if not self._station.load.power_w:
            self.not_looked_at.append("current: the station has no load")
            return
        if self._station.board.kind == "model":
            self.not_looked_at.append("current: the integer model has no current channel")
            return
        seen, limits = self._front_end.power(), self._limits
        given_a, given_w = source.measure_current_a(), source.measure_power_w()
        yield compare("RMS current", seen.i_rms_half_a, given_a, limits.current_pu * given_a, "A")
        yield compare("active power", abs(seen.p_w), given_w, (limits.voltage_pu + limits.current_pu) * given_w, "W")
        yield same("way of the load's power", "forward" if seen.p_w > 0 else "reverse", "forward")

    def _trigger(self, source: AcSource) -> Iterator[Finding]:
        """Let the source mark a point on wave without changing anything, and see where the board found it."""
        supply = self._station.supply
        before = self._front_end.trigger_count
        mark = Step(supply.nominal_v, float(supply.nominal_hz), None, trigger_out=True)
        source.arm(Program((mark,), ANGLE_DEG))
        source.fire()
        self._place.elapse(SETTLE_S / 2)
        edges = (self._front_end.trigger_count - before) & 0xFFFF
        yield compare("edges on the trigger wire, for one sent", edges, 1, 0, "edges")
        self.t0 = latched_t0(self._front_end, self._station.source.trigger_delay)
        if self.t0 is None:
            return
        first, volts = self._capture()
        angle = phase_deg(volts, self.t0.t_ns * SECOND / NS - first, supply.nominal_hz / SECOND)
        apart = (angle - ANGLE_DEG + 180) % 360 - 180
        yield compare("point on wave at the trigger", ANGLE_DEG + apart, ANGLE_DEG, self._limits.angle_deg, "degrees")
        events = ", ".join(event.kind for event in self._front_end.events())
        yield same("events of a trigger without a change", events or "none", "none")
        yield from self._delay(source)

    def _delay(self, source: AcSource) -> Iterator[Finding]:
        """See when the output changes, against the trigger edge, at points on wave apart by parts of a sample."""
        supply, stated = self._station.supply, self._station.source
        hz, found, bound_us = supply.nominal_hz, [], 0.0
        for number in range(ONSETS):
            low = Step(ONSET_PU * supply.nominal_v, float(hz), 1 / hz, trigger_out=True)
            shift_deg = 360 * hz / SECOND * number / ONSETS
            source.arm(Program((low, Step(supply.nominal_v, float(hz), None)), ANGLE_DEG + shift_deg))
            self._place.elapse(SETTLE_S / 5)  # the ring, begun anew, then holds the supply before the change
            source.fire()
            self._place.elapse(SETTLE_S / 5)
            trigger = self._front_end.trigger()
            first, volts = self._capture()
            if trigger is not None:
                at = trigger.sample + trigger.fraction - first
                found.append(onset(volts, at, hz / SECOND, ONSET_SEEN * math.sqrt(2) * supply.nominal_v))
                bound_us = trigger.bound * SAMPLE_US
        behind = narrowest(found)
        seen_us, half_us = float(behind.middle) * SAMPLE_US, float(behind.bound) * SAMPLE_US
        known_us = bound_us + FALL_US + stated.trigger_delay_bound_us
        within_us = max(half_us, 0.0) + known_us
        yield compare("change of the output, after the trigger edge", seen_us, stated.trigger_delay_us, within_us, "us")
        yield compare("spread of that, beyond what is seen of one change", max(-half_us, 0.0), 0.0, known_us, "us")

    def _capture(self) -> tuple[int, NDArray[np.float64]]:
        """Return the newest samples of the board's ring, whose number is that of the first."""
        self._front_end.freeze_capture()
        captured = self._front_end.read_capture()
        self._front_end.arm_capture()
        return captured

    @property
    def _limits(self) -> Any:
        return self._station.limits


def phase_deg(volts: NDArray[np.float64], at: float, cycles_per_sample: float) -> float:
    """Return the angle of a sine at a place among its samples, 0 the rising zero, by least squares.

    Parameters
    ----------
    volts : (n,) float
        Samples.
    at : float
        Place, counted from the first; need not be whole.
    cycles_per_sample : float
        Frequency over sample rate.
    """
    turns = 2 * np.pi * cycles_per_sample * (np.arange(volts.size) - at)
    basis = np.column_stack([np.sin(turns), np.cos(turns), np.ones(volts.size)])
    (in_phase, quadrature, _), *_ = np.linalg.lstsq(basis, volts, rcond=None)
    return math.degrees(math.atan2(quadrature, in_phase)) % 360


def page(seen: dict[str, Any]) -> str:
    """Return what was seen as a page of Markdown, a table in it."""
    t0 = "none: no trigger edge, so every limit that counts from t0 would be inconclusive"
    if seen["t0_source"] != "none":
        t0 = f"{seen['t0_source']}, within {seen['t0_bound_us']:g} us; "
        t0 += f"a limit below {seen['shortest_limit_us']:g} us would be inconclusive"
    lines = [
        f"# Rig check: {'passed' if seen['passed'] else 'FAILED'}",
        "",
        f"- board: {seen['board']}; RTL {seen['rtl_version']}, {seen['rtl_hash'][:16]}; map {seen['register_map']}",
        f"- source: {seen['source']}",
        f"- hardware: {seen['hardware']}",
        f"- t0: {t0}",
        *(f"- not looked at: {what}" for what in seen["not_looked_at"]),
        f"- of the driver, not yet seen on an instrument of this dialect: {'; '.join(seen['unverified'])}",
        "",
        "| looked at | seen | expected | within | unit | |",
        "|---|---|---|---|---|---|",
    ]
    for finding in seen["findings"]:
        cells = [_cell(finding[name]) for name in ("name", "value", "expected", "limit", "unit")]
        lines.append(f"| {' | '.join(cells)} | {'pass' if finding['passed'] else 'FAIL'} |")
    return "\n".join(lines) + "\n"


def require_passed(seen: dict[str, Any]) -> None:
    """Raise PartFailed naming every finding that failed."""
    failed = [_failure(finding) for finding in seen["findings"] if not finding["passed"]]
    if failed:
        raise PartFailed("rig check: " + "\nrig check: ".join(failed))


def _failure(finding: dict[str, Any]) -> str:
    """Return a finding that failed as one line."""
    value, expected, limit = (_cell(finding[name]) for name in ("value", "expected", "limit"))
    return (
        f"{finding['name']}: {value} {finding['unit']}".rstrip()
        + f", expected {expected}"
        + f" within {limit}" * (finding["limit"] is not None)
    )


def _cell(value: float | str | None) -> str:
    if value is None:
        return "–"
    return value if isinstance(value, str) else f"{value:.6g}"
