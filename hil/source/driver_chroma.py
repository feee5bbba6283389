"""Driver for AC sources of the Chroma 61500 / 61600 dialect."""

from __future__ import annotations

from collections.abc import Sequence

from hil.source.instrument import CHROMA_61602
from hil.source.program import Step
from hil.source.scpi_source import ScpiSource, number_list
from teiden.errors import InputError, PartFailed


class AcSourceChroma(ScpiSource):
    """A source of the Chroma dialect: programs are its LIST mode; `fire` is ``TRIG ON``.

    It marks no step at a trigger output, so t0 must come from the front-end, and a list begins at an angle always.
    Found in the 61501 to 61504 user's manual: ``SOUR:CURR:LIM``, ``SOUR:VOLT:LIM:AC`` (page 8-12), the lists of
    voltage and frequency and their base (8-18).

    Besides what holds for all drivers, no manual was found for what stands in `unverified`.
    """

    default_instrument = CHROMA_61602
    unverified = (
        "the header of measured power",
        "that LIST:DEGR of the first step is waited for",
        "that the output stays on when OUTP:MODE LIST is selected",
    )
    headers = {  # noqa: RUF012 (ClassVar in the base class)
        "output": "OUTP:STAT",
        "voltage_v": "SOUR:VOLT:LEV:IMM:AMPL:AC",
        "frequency_hz": "SOUR:FREQ:IMM",
        "current_limit_a": "SOUR:CURR:LIM",
        "voltage_limit_v": "SOUR:VOLT:LIM:AC",
        "measured voltage": "MEAS:VOLT:AC?",
        "measured frequency": "MEAS:FREQ?",
        "measured current": "MEAS:CURR:AC?",
        "measured power": "MEAS:POW:AC:REAL?",
    }

    _start_deg = 0.0

    @property
    def phase_sync_deg(self) -> float | None:
        """Reference angle that a fired program waits for [degree], 0 to below 360; sent with the next program."""
        return self._start_deg

    @phase_sync_deg.setter
    def phase_sync_deg(self, value: float | None) -> None:
        if value is None:
            raise InputError(
                f"phase_sync_deg = None, expected an angle: a list of a {self.instrument.model} begins at one"
            )
        self.within("phase_sync_deg", value, (0.0, 359.9), "degrees")
        self._start_deg = float(value)

    def arm(self, program: Sequence[Step]) -> None:
        """Load a program and wait for `fire`, as all drivers do; its start angle is set before anything is sent."""
        start_deg = getattr(program, "start_angle_deg", self._start_deg)
        before, self.phase_sync_deg = self._start_deg, start_deg
        try:
            super().arm(program)
        except InputError:
            self._start_deg = before
            raise

    def _program_commands(self, program: Sequence[Step], starts_v: Sequence[float]) -> list[str]:
        """Return the lists; a last step without an end dwells as long as can be."""
        hold_s = self.instrument.dwell_s[1]
        volts = [step.voltage_v for step in program]
        starts = [start if step.ramp else step.voltage_v for step, start in zip(program, starts_v, strict=True)]
        hertz = number_list([step.frequency_hz for step in program])
        # three decimals of a millisecond are more than the 0.1 ms the instrument keeps
        dwells = [round(1000 * (hold_s if step.duration_s is None else step.duration_s), 3) for step in program]
        return [
            "SOUR:LIST:BASE TIME",
            "SOUR:LIST:COUN 1",
            "SOUR:LIST:DWEL " + number_list(dwells),
            "SOUR:LIST:VOLT:AC:STAR " + number_list(starts),
            "SOUR:LIST:VOLT:AC:END " + number_list(volts),
            "SOUR:LIST:FREQ:STAR " + hertz,
            "SOUR:LIST:FREQ:END " + hertz,
            "SOUR:LIST:DEGR " + number_list([self._start_deg] * len(program)),
            "SOUR:LIST:SHAP " + ",".join(str(step.waveform or "A") for step in program),
        ]

    def _initiate(self) -> None:
        self.command("OUTP:MODE LIST")
        state = self.link_query("TRIG:STATE?")
        if state != "OFF":
            raise PartFailed(f'source at {self.resource_name} answered "{state}" to "TRIG:STATE?", expected "OFF"')

    def _trigger(self) -> None:
        self.command("TRIG ON")

    def _stop(self) -> None:
        self.command("TRIG OFF")
        self.command("OUTP:MODE FIXED")
