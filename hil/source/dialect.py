"""What every dialect of the simulated source has: common commands, the error queue and kept settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Protocol

from hil.source.instrument import Instrument
from hil.source.machine import SourceMachine, TrippedError
from hil.source.parameters import (
    AMPERE,
    HERTZ,
    NO_UNIT,
    NOT_A_NUMBER,
    VOLT,
    Number,
    none,
    only,
    read_boolean,
    read_choice,
    read_numbers,
)
from hil.source.scpi import OPERATION_COMPLETE, CommandTree, ScpiError, Status

Apply = Callable[[], None]


class Dialect(Protocol):
    """What a simulated source needs of a dialect; it is made with a machine, its limits, its status and a serial."""

    tree: CommandTree

    def wire_trigger(self) -> None:
        """Take a pulse at the trigger input; ignored unless armed for it."""


MakeDialect = Callable[[SourceMachine, Instrument, Status, str], Dialect]


class Settings:
    """Settings by name, their header, reader and reply; `reset` restores what they had first.

    Parameters
    ----------
    tree : CommandTree
        Where the headers are added.
    """

    def __init__(self, tree: CommandTree):
        self._tree = tree
        self._defaults: dict[str, Any] = {}
        self.values: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.values[name] = value

    def reset(self) -> None:
        """Restore every setting's default."""
        self.values = dict(self._defaults)

    def number(self, header: str, name: str, number: Number, apply: Apply | None = None) -> None:
        """Add a numeric setting; ``HEADER? MIN|MAX|DEF`` asks for its limits."""

        def ask(parameters: list[str]) -> str:
            if parameters:
                return number.format(number.read(only(parameters)))
            return number.format(self.values[name])

        self._add(header, name, number.default, lambda p: number.read(only(p)), ask, apply)

    def numbers(self, header: str, name: str, number: Number, default: Sequence[Decimal], at_most: int) -> None:
        """Add a list of numbers, and how many there are as ``HEADER:POINts?``."""

        def ask(parameters: list[str]) -> str:
            none(parameters)
            return ",".join(number.format(value) for value in self.values[name])

        self._add(header, name, tuple(default), lambda p: tuple(read_numbers(number, p, at_most)), ask)
        self._tree.add(f"{header}:POINts", query=lambda p: str(len(self.values[name])))

    def choice(self, header: str, name: str, choices: Sequence[str], default: str, apply: Apply | None = None) -> None:
        """Add a setting that is one of several words."""
        self._add(header, name, default, lambda p: read_choice(choices, only(p)), lambda p: self.values[name], apply)

    def boolean(self, header: str, name: str, apply: Apply | None = None) -> None:
        """Add a setting that is off at first."""
        self._add(header, name, False, lambda p: read_boolean(only(p)), lambda p: str(int(self.values[name])), apply)

    def _add(
        self,
        header: str,
        name: str,
        default: Any,
        read: Callable[[list[str]], Any],
        ask: Callable[[list[str]], str],
        apply: Apply | None = None,
    ) -> None:
        def command(parameters: list[str]) -> None:
            self.values[name] = read(parameters)
            if apply is not None:
                apply()

        self._defaults[name] = self.values[name] = default
        self._tree.add(header, command=command, query=ask)


class LevelCommands:
    """Voltage, frequency, output switch and limits as dialects without a triggered level have them.

    Parameters
    ----------
    tree : CommandTree
        Where the headers are added.
    settings : Settings
        Where the output switch and the limits are kept.
    machine : SourceMachine
        What they act on; it keeps the levels, because programs end on them.
    instrument : Instrument
        Limits of the numbers.
    """

    def __init__(self, tree: CommandTree, settings: Settings, machine: SourceMachine, instrument: Instrument):
        self._tree = tree
        self._settings = settings
        self._machine = machine
        top_v = Decimal(str(instrument.max_v))
        low_hz, high_hz = (Decimal(str(hz)) for hz in instrument.frequency_hz)
        self.volts = Number(Decimal(0), top_v, Decimal(0), VOLT)
        self.hertz = Number(low_hz, high_hz, Decimal(60), HERTZ)
        self.amperes = Number(
            Decimal(0), Decimal(str(instrument.current_a)), Decimal(str(instrument.current_a)), AMPERE
        )

    def add(self, *, output: str, voltage: str, voltage_limit: str, frequency: str, current: str) -> None:
        """Add the headers under these patterns."""
        settings, machine = self._settings, self._machine
        add_output(self._tree, output, machine)
        settings.number(current, "current", self.amperes, self._limit_current)
        settings.number(voltage_limit, "voltage limit", replace(self.volts, default=self.volts.high))
        self._add_level(voltage, self.volts, self._set_voltage, lambda: Decimal(str(machine.programmed.voltage_v)))
        self._add_level(
            frequency,
            self.hertz,
            lambda value: machine.set_levels(frequency_uhz=round(value * 10**6)),
            lambda: Decimal(machine.programmed.frequency_uhz) / 10**6,
        )

    def add_readings(self, verbs: Sequence[str]) -> None:
        """Add RMS voltage, RMS current, active power and frequency under each verb."""
        readback = self._machine.readback
        for verb in verbs:
            self._tree.add(f"{verb}[:SCALar]:VOLTage:AC", query=lambda p: reading(readback.rms_v()))
            self._tree.add(f"{verb}[:SCALar]:CURRent:AC", query=lambda p: reading(readback.rms_a()))
            self._tree.add(f"{verb}[:SCALar]:POWer:AC[:REAL]", query=lambda p: reading(readback.power_w()))
            self._tree.add(f"{verb}[:SCALar]:FREQuency", query=lambda p: reading(readback.frequency_hz()))

    def check_limit(self, volts: Sequence[Decimal]) -> None:
        """Refuse voltages above the limit."""
        if any(value > self._settings["voltage limit"] for value in volts):
            raise ScpiError(-222)

    def _set_voltage(self, value: Decimal) -> None:
        self.check_limit([value])
        self._machine.set_levels(voltage_v=float(value))

    def limit(self) -> None:
        """Hand the limits to the machine; called again after a reset."""
        self._limit_current()

    def _limit_current(self) -> None:
        self._machine.protection.rms_a = float(self._settings["current"])

    def _add_level(
        self, header: str, number: Number, apply: Callable[[Decimal], None], now: Callable[[], Decimal]
    ) -> None:
        def query(parameters: list[str]) -> str:
            return number.format(number.read(only(parameters)) if parameters else now())

        self._tree.add(header, command=lambda p: apply(number.read(only(p))), query=query)


def add_output(tree: CommandTree, header: str, machine: SourceMachine) -> None:
    """Add the output switch; what has tripped is refused as a settings conflict until it is cleared."""

    def command(parameters: list[str]) -> None:
        try:
            machine.switch_output(read_boolean(only(parameters)))
        except TrippedError:
            raise ScpiError(-221) from None

    def query(parameters: list[str]) -> str:
        none(parameters)
        return str(int(machine.output_on))

    tree.add(header, command=command, query=query)


def reading(value: float | None) -> str:
    """Return a measurement as a reply."""
    return NOT_A_NUMBER if value is None else f"{value:+.6E}"


def add_common_commands(tree: CommandTree, status: Status, identity: str, scpi_version: str, reset: Apply) -> None:
    """Add what IEEE 488.2 and SCPI require of every instrument.

    ``*OPC?`` and ``*WAI`` do not wait: simulated time stands still while a command is executed, so a wait for
    something that happens in it would never end.
    """

    def event(action: Apply) -> Callable[[list[str]], None]:
        def command(parameters: list[str]) -> None:
            none(parameters)
            action()

        return command

    def answer(reply: Callable[[], Any]) -> Callable[[list[str]], str]:
        def query(parameters: list[str]) -> str:
            none(parameters)
            return str(reply())

        return query

    def mask(name: str) -> Callable[[list[str]], None]:
        number = Number(Decimal(0), Decimal(255), Decimal(0), NO_UNIT, whole=True)
        return lambda parameters: setattr(status, name, int(number.read(only(parameters))))

    def complete() -> None:
        status.event |= OPERATION_COMPLETE

    tree.add_common("*IDN", query=answer(lambda: identity))
    tree.add_common("*RST", command=event(reset))
    tree.add_common("*CLS", command=event(status.clear))
    tree.add_common("*ESR", query=answer(status.take_event))
    tree.add_common("*ESE", command=mask("event_enable"), query=answer(lambda: status.event_enable))
    tree.add_common("*SRE", command=mask("request_enable"), query=answer(lambda: status.request_enable))
    tree.add_common("*STB", query=answer(status.byte))
    tree.add_common("*OPC", command=event(complete), query=answer(lambda: 1))
    tree.add_common("*WAI", command=event(lambda: None))
    tree.add_common("*TST", query=answer(lambda: 0))
    tree.add("SYSTem:ERRor[:NEXT]", query=answer(status.errors.pop))
    tree.add("SYSTem:VERSion", query=answer(lambda: scpi_version))
