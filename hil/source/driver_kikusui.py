"""Driver for AC sources of the Kikusui PCR-LE dialect."""

from __future__ import annotations

from collections.abc import Sequence

from hil.source.instrument import KIKUSUI_PCR2000LE
from hil.source.program import Step
from hil.source.scpi_source import ScpiSource


class AcSourceKikusuiLe(ScpiSource):
    """A source of the PCR-LE dialect: programs are its sequence 5, PROGram, one ``PROG:EDIT`` a step.

    Found in the PCR-LE2 communication interface manual (manual.kikusui.co.jp/P/PCR_LE/i_f_manual_LE2): ``OUTP``
    (05-Mess-3), ``TRIG:SEQ2`` with ``SOUR PHAS`` and ``PHAS`` for the start angle (05-Mess-2), ``MEAS:VOLT:AC?`` and
    ``MEAS:CURR:AC?`` (11-tur-06), ``PROG:EDIT`` and sequence 5 (11-tur-08), the bits of ``QUES:INST:ISUM`` (08-Res-6).

    Besides what holds for all drivers, no manual was found for what stands in `unverified`.
    """

    default_instrument = KIKUSUI_PCR2000LE
    unverified = (
        "the headers of voltage, frequency, limits, measured frequency and measured power",
        "that sequence 5 waits for the start angle",
        "bit 5 of STAT:OPER:COND? for waiting",
    )
    headers = {  # noqa: RUF012 (ClassVar in the base class)
        "output": "OUTP",
        "voltage_v": "VOLT",
        "frequency_hz": "FREQ",
        "current_limit_a": "CURR",
        "voltage_limit_v": "VOLT:LIM:UPP",
        "measured voltage": "MEAS:VOLT:AC?",
        "measured frequency": "MEAS:FREQ?",
        "measured current": "MEAS:CURR:AC?",
        "measured power": "MEAS:POW:AC?",
    }

    def _program_commands(self, program: Sequence[Step], starts_v: Sequence[float]) -> list[str]:
        """Return the steps; a last step without an end lasts as long as can be."""
        edits = [f"PROG:EDIT {number},{self._fields(step)}" for number, step in enumerate(program, start=1)]
        return [*edits, "PROG:STEP:STAR 1", f"PROG:STEP:END {len(program)}", "PROG:LOOP 1", "TRIG:PROG:SOUR BUS"]

    def _fields(self, step: Step) -> str:
        """Return what ``PROG:EDIT`` takes after the number of the step, in the manual's order."""
        duration_s = self.instrument.dwell_s[1] if step.duration_s is None else step.duration_s
        # ten digits are more than the instrument keeps, and fit its line of 128 characters
        return (
            f"OFF,{step.frequency_hz:.10g}HZ,{_on(step.ramp)},{step.voltage_v:.10g}V,OFF,0V,{duration_s:.10g}S,"
            f"{step.waveform or 0},OFF,{_on(step.trigger_out)},OFF,ON"
        )

    def _initiate(self) -> None:
        self.command("INIT:PROG")
        self._await_waiting("INIT:PROG")

    def _trigger(self) -> None:
        self.command("*TRG")

    def _stop(self) -> None:
        self.command("ABOR")


def _on(value: bool) -> str:
    return "ON" if value else "OFF"
