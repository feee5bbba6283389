"""The Kikusui PCR-LE dialect of the simulated source.

``PROG:EDIT`` and the trigger sequences are written from the PCR-LE2 communication interface manual, as named in
docs/source.md; the remaining headers are assumed. Not yet compared with an instrument.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

from hil.source.dialect import LevelCommands, Settings, add_common_commands
from hil.source.dialect_trigger import TriggerCommands, questionable
from hil.source.instrument import Instrument
from hil.source.machine import SourceMachine
from hil.source.parameters import NO_UNIT, SECOND, VOLT, Number, read_boolean
from hil.source.scpi import CommandTree, ScpiError, Status
from hil.source.transient import Point, Transient
from hil.source.waveform import Shape, sine, square

_FIELDS = 13
_BANKS = {0: sine, 1: square}  # bank 0 is the sine; what is in bank 1 is assumed


@dataclass(frozen=True)
class _Step:
    """One step of the program as ``PROG:EDIT`` gives it."""

    hertz: Decimal
    ramp: bool
    volts: Decimal
    seconds: Decimal
    bank: int
    trigger_out: bool


class DialectKikusuiLe:
    """Commands of a PCR-LE, acting on a machine; parameters as for all dialects."""

    def __init__(self, machine: SourceMachine, instrument: Instrument, status: Status, serial: str):
        self.tree = CommandTree()
        self._machine = machine
        self._instrument = instrument
        self._settings = Settings(self.tree)
        self._steps: dict[int, _Step] = {}
        identity = f"TEIDEN,SIMULATED {instrument.model},{serial},1"
        add_common_commands(self.tree, status, identity, "1999.0", self._reset)
        self._levels = LevelCommands(self.tree, self._settings, machine, instrument)
        self._levels.add(
            output="OUTPut[:STATe]",
            voltage="[SOURce:]VOLTage[:LEVel][:IMMediate][:AMPLitude]",
            voltage_limit="[SOURce:]VOLTage:LIMit:UPPer",
            frequency="[SOURce:]FREQuency[:IMMediate]",
            current="[SOURce:]CURRent[:LEVel][:IMMediate]",
        )
        self._levels.add_readings(("MEASure", "FETCh"))
        self._add_program()
        self._trigger = TriggerCommands(self.tree, self._settings, machine, self._transient)
        self._trigger.add((":SEQuence5", ":PROGram"), ("[:IMMediate]:SEQuence5", "[:IMMediate]:PROGram"))
        self.tree.add(
            "STATus:QUEStionable:INSTrument:ISUMmary1:CONDition",
            query=lambda p: str(questionable(machine.protection)),
        )
        self.tree.add("OUTPut:PROTection:CLEar", command=lambda p: machine.protection.clear())

    def wire_trigger(self) -> None:
        """Take a pulse at the trigger input; ignored unless armed for it."""
        self._trigger.by_wire()

    # --- headers ------------------------------------------------------------------------------------------------

    def _add_program(self) -> None:
        steps = Number(Decimal(1), Decimal(self._instrument.list_points), Decimal(1), NO_UNIT, whole=True)
        loops = Number(Decimal(1), Decimal(9999), Decimal(1), NO_UNIT, whole=True)
        self.tree.add("PROGram:EDIT", command=self._edit)
        self._settings.number("PROGram:STEP:STARt", "first step", steps)
        self._settings.number("PROGram:STEP:END", "last step", steps)
        self._settings.number("PROGram:LOOP", "loops", loops)

    # --- program ------------------------------------------------------------------------------------------------

    def _edit(self, parameters: list[str]) -> None:
        if len(parameters) < _FIELDS:
            raise ScpiError(-109)
        if len(parameters) > _FIELDS:
            raise ScpiError(-108)
        steps = Number(Decimal(1), Decimal(self._instrument.list_points), Decimal(1), NO_UNIT, whole=True)
        shortest, longest = (Decimal(str(s)) for s in self._instrument.dwell_s)
        no_volts = Number(Decimal(0), Decimal(0), Decimal(0), VOLT)  # direct voltage is not modelled
        bank = Number(Decimal(0), Decimal(len(_BANKS) - 1), Decimal(0), NO_UNIT, whole=True)
        (number, f_ramp, hertz, v_ramp, volts, dc_change, dc, time, wave, status_out, trigger_out, trigger_in, on) = (
            parameters
        )
        no_volts.read(dc)
        # a ramp of frequency, a step that waits for a trigger and one with the output off are not modelled
        for switch in (f_ramp, dc_change, status_out, trigger_in):
            if read_boolean(switch):
                raise ScpiError(-221)
        if not read_boolean(on):
            raise ScpiError(-221)
        self._steps[int(steps.read(number))] = _Step(
            self._levels.hertz.read(hertz),
            read_boolean(v_ramp),
            self._levels.volts.read(volts),
            Number(shortest, longest, shortest, SECOND).read(time),
            int(bank.read(wave)),
            read_boolean(trigger_out),
        )

    def _transient(self) -> Transient:
        """Return the program from its first to its last step; every one of them must have been edited."""
        numbers = range(int(self._settings["first step"]), int(self._settings["last step"]) + 1)
        if not numbers or any(number not in self._steps for number in numbers):
            raise ScpiError(-221)
        steps = [self._steps[number] for number in numbers]
        self._levels.check_limit([step.volts for step in steps])
        before_v = self._machine.programmed.voltage_v
        points = []
        for step in steps:
            points.append(_point(step, before_v))
            before_v = float(step.volts)
        return Transient(tuple(points), int(self._settings["loops"]))

    def _reset(self) -> None:
        self._settings.reset()
        self._levels.limit()
        self._machine.reset()


def _point(step: _Step, before_v: float) -> Point:
    """Return a step in the machine's terms; a ramp lasts the whole step."""
    volts, duration_ns = float(step.volts), round(step.seconds * 10**9)
    slew = abs(volts - before_v) / float(step.seconds) if step.ramp else math.inf
    return Point(
        duration_ns,
        voltage_v=volts,
        slew_v_per_s=slew,
        frequency_uhz=round(step.hertz * 10**6),
        shape=_bank(step.bank),
        trigger_out=step.trigger_out,
    )


def _bank(number: int) -> Shape:
    return _BANKS[number]()
