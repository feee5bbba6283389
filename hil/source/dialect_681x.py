"""The Keysight 681x dialect, which AMETEK / California Instruments sources share almost word for word.

Written from the programming guides named in docs/source.md; not yet compared with an instrument. Where they leave
a question open, the answer chosen here is said in the code as assumed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from hil.source.dialect import Settings, add_common_commands, add_output, reading
from hil.source.dialect_trigger import TriggerCommands, questionable
from hil.source.instrument import Instrument
from hil.source.machine import SourceMachine
from hil.source.parameters import (
    AMPERE,
    DEGREE,
    HERTZ,
    INFINITY,
    NO_UNIT,
    SECOND,
    VOLT,
    Number,
    none,
    only,
    read_boolean,
    read_name,
    read_numbers,
)
from hil.source.scpi import CommandTree, ScpiError, Status
from hil.source.transient import Point, Transient
from hil.source.waveform import TRACE_POINTS, TURN, Shape, arbitrary, clipped_sine, sine, square

_MODES = ("FIXed", "STEP", "PULSe", "LIST")
_FUNCTIONS = ("voltage", "slew", "frequency", "phase")  # those with a mode of their own


def _volts(value: Decimal) -> float:
    return float(value)


def _slew(value: Decimal) -> float:
    return math.inf if value >= INFINITY else float(value)


def _uhz(value: Decimal) -> int:
    return round(value * 10**6)


def _ns(value: Decimal) -> int:
    return round(value * 10**9)


def _angle(value: Decimal) -> int:
    return round(value * TURN / 360) % TURN


_POINT_FIELDS = {
    "voltage": ("voltage_v", _volts),
    "slew": ("slew_v_per_s", _slew),
    "frequency": ("frequency_uhz", _uhz),
    "phase": ("offset", _angle),
}


class Dialect681x:
    """Commands of a 681x, acting on a machine.

    Parameters
    ----------
    machine : SourceMachine
        What the commands act on.
    instrument : Instrument
        Its limits.
    status : Status
        Its status registers and error queue.
    serial : str
        Serial number for ``*IDN?``.
    """

    def __init__(self, machine: SourceMachine, instrument: Instrument, status: Status, serial: str):
        self.tree = CommandTree()
        self._machine = machine
        self._instrument = instrument
        self._settings = Settings(self.tree)
        self._traces: dict[str, Shape | None] = {}
        self._shape_name = "SIN"
        identity = f"TEIDEN,SIMULATED {instrument.model},{serial},1"
        add_common_commands(self.tree, status, identity, "1990.0", self._reset)
        self._add_output()
        self._add_levels()
        self._add_pulse()
        self._add_lists()
        self._add_trigger()
        self._add_waveforms()
        self._add_queries()
        self._limit_output()

    # --- headers ------------------------------------------------------------------------------------------------

    def _add_output(self) -> None:
        settings = self._settings
        add_output(self.tree, "OUTPut[:STATe]", self._machine)
        settings.boolean("OUTPut:TTLTrg[:STATe]", "ttl")
        settings.choice("OUTPut:TTLTrg:SOURce", "ttl source", ("BOT", "EOT", "LIST"), "BOT")
        top_a, peak_a = Decimal(str(self._instrument.current_a)), Decimal(str(self._instrument.peak_current_a))
        amperes = Number(Decimal(0), top_a, top_a, AMPERE)
        settings.number("[SOURce:]CURRent[:LEVel][:IMMediate]", "current", amperes, self._limit_output)
        settings.boolean("[SOURce:]CURRent:PROTection:STATe", "current protection", self._limit_output)
        peak_v = Number(Decimal(0), Decimal(500), Decimal(500), VOLT)
        protect = "[SOURce:]VOLTage:PROTection[:LEVel]"
        settings.number(protect, "peak voltage", peak_v, self._limit_output)
        settings.number(
            "[SOURce:]CURRent:PEAK[:IMMediate]", "peak", Number(Decimal(0), peak_a, peak_a, AMPERE), self._limit_output
        )
        self.tree.add("OUTPut:PROTection:CLEar", command=self._clear_protection)

    def _add_levels(self) -> None:
        settings, numbers = self._settings, self._numbers()
        for name, header in (
            ("voltage", "[SOURce:]VOLTage"),
            ("frequency", "[SOURce:]FREQuency"),
            ("phase", "[SOURce:]PHASe"),
        ):
            level = f"{header}[:LEVel]"
            amplitude = "[:AMPLitude]" if name == "voltage" else ""
            self._add_level(f"{level}[:IMMediate]{amplitude}", name, numbers[name])
            settings.number(f"{level}:TRIGgered{amplitude}", f"{name} triggered", numbers[name])
            settings.choice(f"{header}:MODE", f"{name} mode", _MODES, "FIX")
        self._add_level("[SOURce:]VOLTage:SLEW[:IMMediate]", "slew", numbers["slew"])
        settings.number("[SOURce:]VOLTage:SLEW:TRIGgered", "slew triggered", numbers["slew"])
        settings.choice("[SOURce:]VOLTage:SLEW:MODE", "slew mode", _MODES, "FIX")
        self.tree.add("[SOURce:]VOLTage:RANGe", command=self._set_range, query=self._ask_range)
        settings["range"] = self._instrument.max_v

    def _add_level(self, header: str, name: str, number: Number) -> None:
        """Add a level; the machine keeps its value, because a triggered step changes it too."""

        def command(parameters: list[str]) -> None:
            value = number.read(only(parameters))
            if name == "voltage" and value > Decimal(str(self._settings["range"])):
                raise ScpiError(-222)
            self._settings[name] = value
            field, convert = _POINT_FIELDS[name]
            self._machine.set_levels(**{field: convert(value)})

        def query(parameters: list[str]) -> str:
            if parameters:
                return number.format(number.read(only(parameters)))
            return number.format(self._level(name))

        self.tree.add(header, command=command, query=query)

    def _add_pulse(self) -> None:
        settings = self._settings
        width = Number(*self._dwell_limits(), Decimal("0.01667"), SECOND)
        settings.number("[SOURce:]PULSe:WIDTh", "width", width)
        settings.number("[SOURce:]PULSe:PERiod", "period", replace(width, default=Decimal("0.03333")))
        settings.number("[SOURce:]PULSe:COUNt", "pulses", _count())
        percent = Number(Decimal(0), Decimal(100), Decimal(50), {"PCT": Decimal(1)})

        def set_duty() -> None:
            settings["width"] = settings["period"] * settings["duty"] / 100

        settings.number("[SOURce:]PULSe:DCYCle", "duty", percent, set_duty)

    def _add_lists(self) -> None:
        settings, numbers, most = self._settings, self._numbers(), self._instrument.list_points
        dwell = Number(*self._dwell_limits(), Decimal(1), SECOND)
        headers = {
            "voltage": "[SOURce:]LIST:VOLTage",
            "slew": "[SOURce:]LIST:VOLTage:SLEW",
            "frequency": "[SOURce:]LIST:FREQuency",
            "phase": "[SOURce:]LIST:PHASe",
        }
        for name, header in headers.items():
            settings.numbers(header, f"{name} list", numbers[name], [numbers[name].default], most)
        settings.numbers("[SOURce:]LIST:DWELl", "dwell list", dwell, [dwell.default], most)
        settings.number("[SOURce:]LIST:COUNt", "list count", _count())
        settings.choice("[SOURce:]LIST:STEP", "list step", ("AUTO", "ONCE"), "AUTO")
        settings["ttl list"] = (False,)
        settings.choice("[SOURce:]FUNCtion:MODE", "shape mode", ("FIXed", "LIST"), "FIX")
        settings["shape list"] = ("SIN",)
        self.tree.add("[SOURce:]LIST:SHAPe", command=self._set_shape_list, query=self._ask_shape_list)
        self.tree.add("[SOURce:]LIST:TTLTrg", command=self._set_ttl_list, query=self._ask_ttl_list)

    def _add_trigger(self) -> None:
        delay = Number(Decimal(0), self._dwell_limits()[1], Decimal(0), SECOND)
        self._trigger = TriggerCommands(self.tree, self._settings, self._machine, self._transient)
        # TRIG:SOUR and INIT:SEQ, and the transient trigger spelled out: all name sequence 1
        self._trigger.add(("[:SEQuence1]", ":TRANsient"), ("[:IMMediate][:SEQuence1]", "[:IMMediate]:TRANsient"), delay)

    def wire_trigger(self) -> None:
        """Take a pulse at the trigger input; ignored unless armed for it."""
        self._trigger.by_wire()

    def _add_waveforms(self) -> None:
        percent = Number(Decimal(1), Decimal(100), Decimal(100), {"PCT": Decimal(1)})
        self.tree.add(
            "[SOURce:]FUNCtion[:SHAPe][:SYMBol]", command=self._set_function, query=lambda p: self._shape_name
        )
        self._settings.number("[SOURce:]FUNCtion[:SHAPe]:CSINusoid", "clip", percent, self._renew_shape)
        self.tree.add("TRACe[:DATA]", command=self._load_trace)
        self.tree.add("TRACe:DEFine", command=self._define_trace)
        self.tree.add("TRACe:DELete[:NAME]", command=self._delete_trace)
        self.tree.add(
            "TRACe:CATalog", query=lambda p: ",".join(f'"{n}"' for n in ("SIN", "SQU", "CSIN", *self._traces))
        )

    def _add_queries(self) -> None:
        for verb in ("MEASure", "FETCh"):
            self.tree.add(f"{verb}[:SCALar]:VOLTage:AC", query=lambda p: reading(self._machine.readback.rms_v()))
            self.tree.add(f"{verb}[:SCALar]:FREQuency", query=lambda p: reading(self._machine.readback.frequency_hz()))
            self.tree.add(f"{verb}[:SCALar]:CURRent:AC", query=lambda p: reading(self._machine.readback.rms_a()))
            self.tree.add(f"{verb}[:SCALar]:POWer:AC[:REAL]", query=lambda p: reading(self._machine.readback.power_w()))
        self.tree.add("STATus:QUEStionable:CONDition", query=lambda p: str(questionable(self._machine.protection)))

    def _numbers(self) -> dict[str, Number]:
        """Return the limits of everything that has a level, a triggered level and a list."""
        low_hz, high_hz = (Decimal(str(hz)) for hz in self._instrument.frequency_hz)
        slow, fast = (Decimal(str(slew)) for slew in self._instrument.slew_v_per_s)
        return {
            "voltage": Number(Decimal(0), Decimal(str(self._instrument.max_v)), Decimal(0), VOLT),
            "frequency": Number(low_hz, high_hz, Decimal(60), HERTZ),
            "phase": Number(Decimal(-360), Decimal(360), Decimal(0), DEGREE),
            "slew": Number(slow, fast, INFINITY, NO_UNIT, infinite=True),
        }

    def _dwell_limits(self) -> tuple[Decimal, Decimal]:
        shortest_s, longest_s = self._instrument.dwell_s
        return Decimal(str(shortest_s)), Decimal(str(longest_s))

    # --- levels, range, waveforms -------------------------------------------------------------------------------

    def _level(self, name: str) -> Decimal:
        """Return a level as the machine has it now."""
        levels = self._machine.programmed
        if name == "frequency":
            return Decimal(levels.frequency_uhz) / 10**6
        if name == "phase":
            return Decimal(levels.offset) * 360 / TURN
        value = levels.voltage_v if name == "voltage" else levels.slew_v_per_s
        return INFINITY if math.isinf(value) else Decimal(str(value))

    def _set_range(self, parameters: list[str]) -> None:
        """Select the lowest range that holds a voltage; a change interrupts the output."""
        volts = float(self._numbers()["voltage"].read(only(parameters)))
        selected = next(range_v for range_v in self._instrument.ranges_v if range_v >= volts)
        if self._machine.programmed.voltage_v > selected:
            raise ScpiError(-221)
        if selected != self._settings["range"]:
            self._machine.blank()
        self._settings["range"] = selected

    def _ask_range(self, parameters: list[str]) -> str:
        none(parameters)
        return f"{self._settings['range']:+.6E}"

    def _set_function(self, parameters: list[str]) -> None:
        name = _shape_name(only(parameters))
        self._shape(name)
        self._shape_name = name
        self._renew_shape()

    def _renew_shape(self) -> None:
        self._machine.set_levels(shape=self._shape(self._shape_name))

    def _shape(self, name: str) -> Shape:
        if name == "SIN":
            return sine()
        if name == "SQU":
            return square()
        if name == "CSIN":
            return clipped_sine(self._settings["clip"])
        shape = self._traces.get(name)
        if shape is None:
            raise ScpiError(-224)
        return shape

    def _define_trace(self, parameters: list[str]) -> None:
        name = read_name(only(parameters))
        if name in self._traces or name in ("SIN", "SQU", "CSIN") or len(self._traces) == self._instrument.traces:
            raise ScpiError(-224)
        self._traces[name] = None

    def _load_trace(self, parameters: list[str]) -> None:
        if not parameters:
            raise ScpiError(-109)
        name = read_name(parameters[0])
        if name not in self._traces:
            raise ScpiError(-224)
        number = Number(Decimal("-1E9"), Decimal("1E9"), Decimal(0), NO_UNIT)
        values = read_numbers(number, parameters[1:], TRACE_POINTS)
        if len(values) < TRACE_POINTS:
            raise ScpiError(-109)
        if min(values) == max(values):
            raise ScpiError(-222)
        self._traces[name] = arbitrary(values)
        if name == self._shape_name:
            self._renew_shape()

    def _delete_trace(self, parameters: list[str]) -> None:
        name = read_name(only(parameters))
        if name not in self._traces or name == self._shape_name:
            raise ScpiError(-224)
        del self._traces[name]

    def _set_ttl_list(self, parameters: list[str]) -> None:
        if not parameters:
            raise ScpiError(-109)
        if len(parameters) > self._instrument.list_points:
            raise ScpiError(-223)
        self._settings["ttl list"] = tuple(read_boolean(text) for text in parameters)

    def _set_shape_list(self, parameters: list[str]) -> None:
        if not parameters:
            raise ScpiError(-109)
        if len(parameters) > self._instrument.list_points:
            raise ScpiError(-223)
        self._settings["shape list"] = tuple(_shape_name(text) for text in parameters)

    def _ask_shape_list(self, parameters: list[str]) -> str:
        none(parameters)
        return ",".join(self._settings["shape list"])

    def _ask_ttl_list(self, parameters: list[str]) -> str:
        none(parameters)
        return ",".join(str(int(value)) for value in self._settings["ttl list"])

    # --- what an initiation arms ----------------------------------------------------------------------------

    def _reset(self) -> None:
        self._settings.reset()
        self._settings["range"] = self._instrument.max_v
        self._settings["ttl list"] = (False,)
        self._settings["shape list"] = ("SIN",)
        self._shape_name = "SIN"
        self._limit_output()
        self._machine.reset()

    def _limit_output(self) -> None:
        """Hand the limits to the machine, which acts on them at every sample."""
        protection = self._machine.protection
        protection.peak_v = float(self._settings["peak voltage"])
        protection.rms_a, protection.peak_a = float(self._settings["current"]), float(self._settings["peak"])
        protection.trip_on_current = self._settings["current protection"]

    def _clear_protection(self, parameters: list[str]) -> None:
        none(parameters)
        self._machine.protection.clear()

    def _transient(self) -> Transient:
        """Return what the modes ask for; settings conflict where pulse and list are mixed."""
        modes = {name: self._settings[f"{name} mode"] for name in _FUNCTIONS}
        in_list = [name for name, mode in modes.items() if mode == "LIST"]
        in_pulse = [name for name, mode in modes.items() if mode == "PULS"]
        stepped = [name for name, mode in modes.items() if mode == "STEP"]
        if in_list and in_pulse:
            raise ScpiError(-221)
        transient = self._list(in_list) if in_list else self._pulse(in_pulse) if in_pulse else Transient()
        self._refuse_above_range(in_list, in_pulse + stepped)
        new_levels = dict(_output_setting(name, self._settings[f"{name} triggered"]) for name in stepped)
        ttl = self._settings["ttl source"] if self._settings["ttl"] else ""
        return replace(transient, new_levels=new_levels, edge_at_start=ttl == "BOT", edge_at_end=ttl == "EOT")

    def _refuse_above_range(self, in_list: Sequence[str], triggered: Sequence[str]) -> None:
        volts: tuple[Decimal, ...] = self._settings["voltage list"] if "voltage" in in_list else ()
        if "voltage" in triggered:
            volts += (self._settings["voltage triggered"],)
        if any(float(v) > self._settings["range"] for v in volts):
            raise ScpiError(-222)

    def _list(self, names: Sequence[str]) -> Transient:
        """Return the lists as a transient; all lists in use have one length, or 1."""
        use_ttl = self._settings["ttl"] and self._settings["ttl source"] == "LIST"
        lists = {name: self._settings[f"{name} list"] for name in [*names, "dwell"]}
        in_shapes = self._settings["shape mode"] == "LIST"
        lists["shape"] = tuple(map(self._shape, self._settings["shape list"])) if in_shapes else (None,)
        lists["ttl"] = self._settings["ttl list"] if use_ttl else (False,)
        size = max(len(values) for values in lists.values())
        if any(len(values) not in (1, size) for values in lists.values()):
            raise ScpiError(-226)
        rows = {name: values * size if len(values) == 1 else values for name, values in lists.items()}
        points = tuple(
            Point(
                duration_ns=_ns(rows["dwell"][i]),
                trigger_out=rows["ttl"][i],
                shape=rows["shape"][i],
                **dict(_output_setting(name, rows[name][i]) for name in names),
            )
            for i in range(size)
        )
        return Transient(points, _times(self._settings["list count"]), self._settings["list step"] == "ONCE")

    def _pulse(self, names: Sequence[str]) -> Transient:
        """Return the pulses as a transient: the triggered levels for the width, then the levels."""
        width, period = _ns(self._settings["width"]), _ns(self._settings["period"])
        if width > period:
            raise ScpiError(-221)
        levels = self._machine.programmed
        high = dict(_output_setting(name, self._settings[f"{name} triggered"]) for name in names)
        points = [Point(duration_ns=width, **high), Point(period - width, **{f: getattr(levels, f) for f in high})]
        return Transient(tuple(p for p in points if p.duration_ns > 0), _times(self._settings["pulses"]))


def _shape_name(text: str) -> str:
    """Return a waveform's name, that of a built-in one in its short form."""
    name = read_name(text)
    return {"SINUSOID": "SIN", "SQUARE": "SQU", "CSINUSOID": "CSIN"}.get(name, name)


def _output_setting(name: str, value: Decimal) -> tuple[str, Any]:
    """Return the machine's name and value of a setting."""
    field, convert = _POINT_FIELDS[name]
    return field, convert(value)


def _count() -> Number:
    """Return the limits of a repeat count; assumed."""
    return Number(Decimal(1), Decimal(10**9), Decimal(1), NO_UNIT, infinite=True, whole=True)


def _times(count: Decimal) -> int | None:
    """Return a repeat count, None for endless."""
    return None if count >= INFINITY else int(count)
