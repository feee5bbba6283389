"""The Chroma 61500 / 61600 dialect of the simulated source: modes FIXED, LIST and PULSE.

Written from the 61500 series manual and what drivers of others send, as named in docs/source.md. What a list does
between ``OUTP:MODE LIST`` and ``TRIG ON``, and that it waits for the first step's angle, is assumed. Not yet
compared with an instrument.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal

from hil.source.dialect import LevelCommands, Settings, add_common_commands
from hil.source.instrument import Instrument
from hil.source.machine import SourceMachine, TriggerState
from hil.source.parameters import DEGREE, NO_UNIT, Number, none, only, read_boolean, read_choice
from hil.source.scpi import CommandTree, ScpiError, Status
from hil.source.transient import Point, Transient
from hil.source.waveform import TURN, Shape, clipped_sine, sine, square

_MS = 10**6  # nanoseconds
_FORMS: dict[str, Callable[[], Shape]] = {
    "SINE": sine,
    "SQUA": square,
    "CSIN": lambda: clipped_sine(Decimal(80)),  # the level is a setting of the instrument; assumed
}
_ONE_CYCLE = Decimal("0.1")


class DialectChroma:
    """Commands of a 61600, acting on a machine; parameters as for all dialects."""

    def __init__(self, machine: SourceMachine, instrument: Instrument, status: Status, serial: str):
        self.tree = CommandTree()
        self._machine = machine
        self._instrument = instrument
        self._settings = Settings(self.tree)
        identity = f"TEIDEN,SIMULATED {instrument.model},{serial},1"
        add_common_commands(self.tree, status, identity, "1993.0", self._reset)
        self._levels = LevelCommands(self.tree, self._settings, machine, instrument)
        self._levels.add(
            output="OUTPut[:STATe]",
            voltage="[SOURce:]VOLTage[:LEVel][:IMMediate][:AMPLitude]:AC",
            voltage_limit="[SOURce:]VOLTage:LIMit:AC",
            frequency="[SOURce:]FREQuency[:IMMediate]",
            current="[SOURce:]CURRent:LIMit",
        )
        self._levels.add_readings(("MEASure", "FETCh"))
        self._settings.choice("OUTPut:MODE", "mode", ("FIXED", "LIST", "PULSE"), "FIXED", self._leave)
        self._add_shapes()
        self._add_lists()
        self._add_pulse()
        self.tree.add("TRIGger", command=self._trigger)
        self.tree.add("TRIGger:STATe", query=self._ask_state)
        self.tree.add("OUTPut:PROTection:CLEar", command=lambda p: machine.protection.clear())

    def wire_trigger(self) -> None:
        """Take a pulse at the trigger input: this model of the instrument has none."""

    # --- headers ------------------------------------------------------------------------------------------------

    def _add_shapes(self) -> None:
        forms = ("SINE", "SQUAre", "CSINe")
        self._settings.choice("[SOURce:]FUNCtion:SHAPe", "shape", ("A", "B"), "A", self._renew_shape)
        for name in ("A", "B"):
            header = f"[SOURce:]FUNCtion:SHAPe:{name}"
            self._settings.choice(header, f"shape {name}", forms, "SINE", self._renew_shape)

    def _add_lists(self) -> None:
        settings, most = self._settings, self._instrument.list_points
        volts, hertz = self._levels.volts, self._levels.hertz
        milliseconds = Number(Decimal(0), Decimal("99999999.9"), Decimal(0), NO_UNIT)
        degrees = Number(Decimal(0), Decimal("359.9"), Decimal(0), DEGREE)
        settings.choice("[SOURce:]LIST:BASE", "base", ("TIME", "CYCLE"), "TIME")
        settings.number(
            "[SOURce:]LIST:COUNt", "count", Number(Decimal(0), Decimal(65535), Decimal(1), NO_UNIT, whole=True)
        )
        settings.numbers("[SOURce:]LIST:DWELl", "dwell", milliseconds, [Decimal(0)], most)
        for end in ("STARt", "END"):
            settings.numbers(f"[SOURce:]LIST:VOLTage:AC:{end}", f"voltage {end}", volts, [volts.default], most)
            settings.numbers(f"[SOURce:]LIST:FREQuency:{end}", f"frequency {end}", hertz, [hertz.default], most)
        settings.numbers("[SOURce:]LIST:DEGRee", "degrees", degrees, [degrees.default], most)
        settings["shapes"] = ("A",)
        self.tree.add("[SOURce:]LIST:SHAPe", command=self._set_shapes, query=lambda p: ",".join(settings["shapes"]))

    def _add_pulse(self) -> None:
        settings, levels = self._settings, self._levels
        one = Decimal(1)
        settings.number("[SOURce:]PULSe:VOLTage:AC", "pulse voltage", levels.volts)
        settings.number("[SOURce:]PULSe:FREQuency", "pulse frequency", levels.hertz)
        settings.choice("[SOURce:]PULSe:SHAPe", "pulse shape", ("A", "B"), "A")
        settings.number(
            "[SOURce:]PULSe:SPHase", "pulse angle", Number(Decimal(0), Decimal("359.9"), Decimal(0), DEGREE)
        )
        settings.number("[SOURce:]PULSe:COUNt", "pulses", Number(Decimal(0), Decimal(65535), one, NO_UNIT, whole=True))
        settings.number("[SOURce:]PULSe:DCYCle", "duty", Number(Decimal(0), Decimal(100), Decimal(50), NO_UNIT))
        settings.number(
            "[SOURce:]PULSe:PERiod", "period", Number(_ONE_CYCLE, Decimal("99999999.9"), Decimal(1000), NO_UNIT)
        )

    def _set_shapes(self, parameters: list[str]) -> None:
        if not parameters:
            raise ScpiError(-109)
        if len(parameters) > self._instrument.list_points:
            raise ScpiError(-223)
        self._settings["shapes"] = tuple(read_choice(("A", "B"), text) for text in parameters)

    def _renew_shape(self) -> None:
        self._machine.set_levels(shape=self._shape(self._settings["shape"]))

    def _shape(self, name: str) -> Shape:
        return _FORMS[self._settings[f"shape {name}"]]()

    # --- trigger ------------------------------------------------------------------------------------------------

    def _trigger(self, parameters: list[str]) -> None:
        """Start or stop what the mode plays; starting it twice, or in mode FIXED, is refused."""
        if not read_boolean(only(parameters)):
            self._machine.abort()
            return
        if self._machine.trigger_state is not TriggerState.IDLE:
            raise ScpiError(-211)
        if self._settings["mode"] == "LIST":
            transient, angle = self._list(), self._settings["degrees"][0]
        elif self._settings["mode"] == "PULSE":
            transient, angle = self._pulse(), self._settings["pulse angle"]
        else:
            raise ScpiError(-221)
        self._machine.initiate(transient)
        self._machine.trigger(0, round(angle * TURN / 360) % TURN)

    def _ask_state(self, parameters: list[str]) -> str:
        none(parameters)
        return "OFF" if self._machine.trigger_state is TriggerState.IDLE else "RUNNING"

    def _leave(self) -> None:
        """Stop what another mode was playing."""
        self._machine.abort()

    def _list(self) -> Transient:
        """Return the lists as a transient; all have one length, and steps without a dwell are left out."""
        settings = self._settings
        names = ("dwell", "voltage STARt", "voltage END", "frequency STARt", "frequency END", "shapes")
        columns = [settings[name] for name in names]
        if len({len(column) for column in columns}) > 1:
            raise ScpiError(-226)
        self._levels.check_limit([*settings["voltage STARt"], *settings["voltage END"]])
        points: list[Point] = []
        for dwell, start_v, end_v, start_hz, end_hz, shape in zip(*columns, strict=True):
            if start_hz != end_hz:  # a ramp of frequency is not modelled
                raise ScpiError(-221)
            duration_ns = round(dwell * 10**9 / start_hz) if settings["base"] == "CYCLE" else round(dwell * _MS)
            if duration_ns:
                points += self._ramp(duration_ns, start_v, end_v, start_hz, self._shape(shape))
        return Transient(tuple(points), int(settings["count"]) or None)

    def _ramp(self, duration_ns: int, start_v: Decimal, end_v: Decimal, hertz: Decimal, shape: Shape) -> list[Point]:
        """Return one step: the start voltage for the shortest time that the machine has, then the way to the end."""
        fixed = Point(duration_ns, float(end_v), math.inf, round(hertz * 10**6), shape=shape)
        if start_v == end_v:
            return [fixed]
        tick_ns = min(1000, duration_ns - 1)
        slew = abs(float(end_v - start_v)) / ((duration_ns - tick_ns) * 1e-9)
        start = Point(tick_ns, float(start_v), math.inf, fixed.frequency_uhz, shape=shape)
        return [start, Point(duration_ns - tick_ns, float(end_v), slew, fixed.frequency_uhz, shape=shape)]

    def _pulse(self) -> Transient:
        """Return the pulses: the pulse voltage for the duty part of the period, then the levels."""
        settings, levels = self._settings, self._machine.programmed
        self._levels.check_limit([settings["pulse voltage"]])
        period_ns = round(settings["period"] * _MS)
        width_ns = round(period_ns * settings["duty"] / 100)
        pulse_uhz = round(settings["pulse frequency"] * 10**6)
        points = (
            Point(
                width_ns,
                float(settings["pulse voltage"]),
                math.inf,
                pulse_uhz,
                shape=self._shape(settings["pulse shape"]),
            ),
            Point(period_ns - width_ns, levels.voltage_v, math.inf, levels.frequency_uhz, shape=levels.shape),
        )
        return Transient(tuple(point for point in points if point.duration_ns), int(settings["pulses"]) or None)

    def _reset(self) -> None:
        self._settings.reset()
        self._settings["shapes"] = ("A",)
        self._levels.limit()
        self._machine.reset()
