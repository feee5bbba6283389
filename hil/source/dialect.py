"""What every dialect of the simulated source has: common commands, the error queue and kept settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Protocol

from hil.source.instrument import Instrument
from hil.source.machine import SourceMachine
from hil.source.parameters import (
    NO_UNIT,
    Number,
    none,
    only,
    read_boolean,
    read_choice,
    read_numbers,
)
from hil.source.scpi import OPERATION_COMPLETE, CommandTree, Status

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
