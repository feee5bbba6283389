"""The trigger subsystem of dialects with a synchronisation sequence, and the status bits that go with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal

from hil.source.dialect import Settings
from hil.source.load import Protection
from hil.source.machine import SourceMachine, TriggerError, TriggerState
from hil.source.parameters import DEGREE, Number, none
from hil.source.scpi import CommandTree, ScpiError
from hil.source.transient import Transient
from hil.source.waveform import TURN

WAITING_FOR_TRIGGER = 32  # STAT:OPER:COND? bit 5: Keysight 6811C Programming Guide, table 5-1
LIMITING_RMS = 4096  # bit 12 of the questionable condition


class TriggerCommands:
    """Sources, initiation, ABORt, ``*TRG`` and the trigger input of one sequence that plays transients.

    Parameters
    ----------
    tree : CommandTree
        Where the headers are added.
    settings : Settings
        Where the sources, the angle and the delay are kept.
    machine : SourceMachine
        What is triggered.
    transient : callable
        Returns what an initiation arms.
    """

    def __init__(
        self, tree: CommandTree, settings: Settings, machine: SourceMachine, transient: Callable[[], Transient]
    ):
        self._tree = tree
        self._settings = settings
        self._machine = machine
        self._transient = transient

    def add(self, triggers: Sequence[str], initiations: Sequence[str], delay: Number | None = None) -> None:
        """Add the headers.

        Parameters
        ----------
        triggers : sequence of str
            What follows ``TRIGger`` for the sequence, all alike.
        initiations : sequence of str
            What follows ``INITiate``.
        delay : Number or None
            Limits of a delay behind the trigger; None where the dialect has none.
        """
        settings = self._settings
        for trigger in triggers:
            settings.choice(f"TRIGger{trigger}:SOURce", "trigger source", ("BUS", "EXTernal", "IMMediate"), "BUS")
            if delay is not None:
                settings.number(f"TRIGger{trigger}:DELay", "trigger delay", delay)
            self._tree.add(f"TRIGger{trigger}[:IMMediate]", command=self._trigger_now)
        angle = Number(Decimal(0), Decimal(360), Decimal(0), DEGREE)
        for sync in (":SEQuence2", ":SYNChronize"):
            settings.choice(f"TRIGger{sync}:SOURce", "sync source", ("IMMediate", "PHASe"), "IMM")
            settings.number(f"TRIGger{sync}:PHASe", "sync phase", angle)
        for initiation in initiations:
            self._tree.add(f"INITiate{initiation}", command=self._initiate)
        self._tree.add("ABORt", command=self._abort)
        self._tree.add_common("*TRG", command=self._bus_trigger)
        self._tree.add("STATus:OPERation:CONDition", query=lambda p: str(WAITING_FOR_TRIGGER * self._waits()))

    def by_wire(self) -> None:
        """Take a pulse at the trigger input; ignored unless armed for it."""
        if self._settings["trigger source"] == "EXT" and self._waits():
            self._machine.trigger_by_wire(*self._when())

    def _waits(self) -> bool:
        return self._machine.trigger_state is TriggerState.WTG

    def _initiate(self, parameters: list[str]) -> None:
        none(parameters)
        if self._machine.trigger_state is not TriggerState.IDLE:
            raise ScpiError(-213)
        self._machine.initiate(self._transient())
        if self._settings["trigger source"] == "IMM":
            self._fire()

    def _bus_trigger(self, parameters: list[str]) -> None:
        none(parameters)
        if self._settings["trigger source"] != "BUS":
            raise ScpiError(-211)
        self._fire()

    def _trigger_now(self, parameters: list[str]) -> None:
        none(parameters)
        self._fire()

    def _fire(self) -> None:
        try:
            self._machine.trigger(*self._when())
        except TriggerError:
            raise ScpiError(-211) from None

    def _when(self) -> tuple[int, int | None]:
        """Return the delay [ns] and the angle that a trigger starts."""
        delay_ns = round(self._settings.values.get("trigger delay", Decimal(0)) * 10**9)
        if self._settings["sync source"] != "PHAS":
            return delay_ns, None
        return delay_ns, round(self._settings["sync phase"] * TURN / 360) % TURN

    def _abort(self, parameters: list[str]) -> None:
        none(parameters)
        self._machine.abort()


def questionable(protection: Protection) -> int:
    """Return bit 0 for over-voltage, 1 for over-current, 12 for the RMS current limit at work.

    Keysight 6811C Programming Guide, p. 175, and Kikusui PCR-LE2 communication interface manual.
    """
    tripped = {"over-voltage": 1, "over-current": 2}.get(protection.tripped, 0)
    return tripped | (LIMITING_RMS if protection.limiting else 0)
