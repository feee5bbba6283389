"""Driver for AC sources of the Keysight 681x dialect, which AMETEK / California Instruments sources share."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hil.source.instrument import KEYSIGHT_6812B
from hil.source.program import OURS, Step, Trace, traces_of
from hil.source.scpi_source import Quantity, ScpiSource, number_list
from teiden.errors import InputError

_NO_SLEW = 9.9e37
LISTED = 3  # names in a message


class AcSource681x(ScpiSource):
    """A source of the 681x dialect.

    ``LIST:SHAP`` stands in the Agilent 6814B programming guide (page 71) and, beside ``LIST:FUNC:SHAP`` elsewhere,
    in the AMETEK Sequoia manual (page 136), which has ``TRAC`` with 1024 values too; Sequoia's keep 50 waveforms.

    Besides what holds for all drivers, no manual was found for what stands in `unverified`.
    """

    default_instrument = KEYSIGHT_6812B
    unverified = (
        "VOLT:PROT as the limit of the peak voltage",
        "FUNC:MODE LIST, the one way that the guides have for other functions, for the waveform",
    )
    headers = {  # noqa: RUF012 (ClassVar in the base class)
        "output": "OUTP",
        "voltage_v": "VOLT",
        "frequency_hz": "FREQ",
        "current_limit_a": "CURR",
        "peak_current_limit_a": "CURR:PEAK",
        "peak_voltage_limit_v": "VOLT:PROT",
        "measured voltage": "MEAS:VOLT:AC?",
        "measured frequency": "MEAS:FREQ?",
        "measured current": "MEAS:CURR:AC?",
        "measured power": "MEAS:POW:AC:REAL?",
    }

    peak_current_limit_a = Quantity("Peak current limit [A].", "A", lambda instrument: (0.0, instrument.peak_current_a))
    peak_voltage_limit_v = Quantity(
        "Peak voltage above which the output trips [V].", "V", lambda instrument: (0.0, 500.0)
    )

    _shapes_in_list = False
    _uploaded: frozenset[str] = frozenset()  # over this connection

    def reset(self) -> None:
        """Put the source into its reset state: output off, 0 V. What was queued as error stays."""
        super().reset()
        self._shapes_in_list = False

    def arm(self, program: Sequence[Step]) -> None:
        """Load a program and wait for `fire`, as all drivers do."""
        super().arm(program)
        self._shapes_in_list = program[0].waveform is not None
        self._uploaded |= {trace.name for trace in traces_of(program)}

    @property
    def voltage_limit_v(self) -> float:
        """RMS voltage of the largest sine that does not trip the output [V]."""
        return self.peak_voltage_limit_v / math.sqrt(2)

    @voltage_limit_v.setter
    def voltage_limit_v(self, value: float) -> None:
        self.within("voltage_limit_v", value, (0.0, self.instrument.max_v), "V")
        self.peak_voltage_limit_v = value * math.sqrt(2)

    def _program_commands(self, program: Sequence[Step], starts_v: Sequence[float]) -> list[str]:
        """Return the lists; a last step without an end dwells as long as can be."""
        hold_s = self.instrument.dwell_s[1]
        phases = [step.phase_deg for step in program if step.phase_deg is not None]
        commands = [
            "VOLT:MODE LIST",
            "FREQ:MODE LIST",
            f"PHAS:MODE {'LIST' if phases else 'FIX'}",
            "VOLT:SLEW:MODE LIST",
            "LIST:VOLT " + number_list([step.voltage_v for step in program]),
            "LIST:VOLT:SLEW " + number_list([self._slew(*row) for row in zip(program, starts_v, strict=True)]),
            "LIST:FREQ " + number_list([step.frequency_hz for step in program]),
            "LIST:DWEL " + number_list([hold_s if step.duration_s is None else step.duration_s for step in program]),
            "LIST:TTLT " + ",".join("ON" if step.trigger_out else "OFF" for step in program),
            "LIST:COUN 1",
            "LIST:STEP AUTO",
            "OUTP:TTLT:SOUR LIST",
            "OUTP:TTLT ON",
            "TRIG:TRAN:DEL 0",
            "TRIG:TRAN:SOUR BUS",
        ]
        if phases:
            commands.append("LIST:PHAS " + number_list(phases))
        return commands + self._shape_commands(program)

    def _slew(self, step: Step, start_v: float) -> float:
        """Return the slew of a step [V/s], that of a ramp from its two ends."""
        if not step.ramp or step.voltage_v == start_v:
            return _NO_SLEW if step.slew_v_per_s is None else step.slew_v_per_s
        assert step.duration_s is not None
        slew = abs(step.voltage_v - start_v) / step.duration_s
        low, high = self.instrument.slew_v_per_s
        if not low <= slew <= high:
            raise InputError(
                f"program for {self.instrument.model}: ramp from {start_v:g} to {step.voltage_v:g} V in "
                f"{step.duration_s:g} s is {slew:g} V/s, expected {low:g} to {high:g} V/s"
            )
        return slew

    def _shape_commands(self, program: Sequence[Step]) -> list[str]:
        """Return what uploads the waveforms and makes a list of them; nothing if the program names none."""
        if program[0].waveform is None:
            return ["FUNC:MODE FIX"] if self._shapes_in_list else []
        names = [shape.name if isinstance(shape := step.waveform, Trace) else str(shape) for step in program]
        traces, uploads = traces_of(program), []
        known = self._known_shapes() if traces else []
        wanted = [trace.name for trace in traces]
        self._check_foreign(known, wanted)
        self._check_memory(known, wanted)
        for trace in traces:
            if trace.name not in known:
                uploads.append(f"TRAC:DEF {trace.name}")
            uploads.append(f"TRAC {trace.name},{number_list(trace.values)}")
        return [*uploads, "FUNC:MODE LIST", "LIST:SHAP " + ",".join(names)]

    def _known_shapes(self) -> list[str]:
        """Return the names of all waveforms of the instrument, its own and those of users."""
        return self.link_query("TRAC:CAT?").replace('"', "").split(",")

    def _check_foreign(self, known: Sequence[str], wanted: Sequence[str]) -> None:
        """Refuse to write over a waveform that somebody keeps in the instrument."""
        free = [name for name in wanted if name.startswith(OURS) or name in self._uploaded or name not in known]
        foreign = [name for name in wanted if name not in free]
        if foreign:
            raise InputError(
                f"program for {self.instrument.model}: {_listed(foreign)}: {self.resource_name} keeps a waveform of "
                "that name already, expected another; or delete it there (TRAC:DEL)"
            )

    def _check_memory(self, known: Sequence[str], wanted: Sequence[str]) -> None:
        """Refuse more waveforms than there is room for beside those that somebody keeps in the instrument."""
        others = set(known) - set(wanted) - set(self.instrument.shapes)
        if len(others) + len(wanted) > self.instrument.traces:
            raise InputError(
                f"program for {self.instrument.model}: {len(wanted)} waveforms to upload beside {len(others)} that "
                f"{self.resource_name} keeps ({_listed(sorted(others))}), expected at most "
                f"{self.instrument.traces} in all; delete some there (TRAC:DEL)"
            )

    def _initiate(self) -> None:
        self.command("INIT:SEQ1")
        self._await_waiting("INIT:SEQ1")

    def _trigger(self) -> None:
        self.command("*TRG")

    def _stop(self) -> None:
        self.command("ABOR")


def _listed(names: Sequence[str]) -> str:
    """Return the first names of some, and how many more there are."""
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more} more" if more > 0 else "")
