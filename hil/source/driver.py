"""Driver for AC sources of the Keysight 681x dialect, which AMETEK / California Instruments sources share."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from types import TracebackType

from hil.source.instrument import KEYSIGHT_6812B, Instrument
from hil.source.link import ScpiLink, Transcript, error_number
from hil.source.program import Program, Step, check_program
from teiden.errors import InputError, PartFailed

_WAITING_FOR_TRIGGER = 32  # STAT:OPER:COND? bit 5: Keysight 6811C Programming Guide, table 5-1
_NO_SLEW = 9.9e37
_AND_ERROR = ";:SYST:ERR?"  # sent with every command


class AcSource681x:
    """A source of the 681x dialect.

    Every command is sent in one message with ``SYST:ERR?``, so that an error is raised at the command that caused
    it. Written from the programming guides named in docs/source.md and tested against the simulated source; not
    yet run on hardware.

    Parameters
    ----------
    resource_name : str
        VISA resource name, such as ``TCPIP::192.0.2.10::5025::SOCKET``.
    timeout_s : float
        How long to wait for a reply [s].
    instrument : Instrument
        Limits of the model; what exceeds them is refused before it is sent.
    transcript : callable or None
        Called with "write" or "read" and the text of every message.
    """

    def __init__(
        self,
        resource_name: str,
        timeout_s: float = 2.0,
        *,
        instrument: Instrument = KEYSIGHT_6812B,
        transcript: Transcript | None = None,
    ):
        self._instrument = instrument
        self._timeout_s = timeout_s
        self._link = ScpiLink(resource_name, timeout_s, transcript)
        self._last_command = ""
        self._armed: Step | None = None
        self._held: Step | None = None

    @property
    def identity(self) -> str:
        """Maker, model, serial number and firmware, as the source gives them."""
        return self._link.identity

    @property
    def voltage_v(self) -> float:
        """RMS voltage set while no program plays [V]; setting it ends what a program holds."""
        return self._ask_number("VOLT?")

    @voltage_v.setter
    def voltage_v(self, value: float) -> None:
        self._within("voltage_v", value, (0.0, self._instrument.max_v), "V")
        self._leave_hold()
        self._command(f"VOLT {float(value)!r}")

    @property
    def frequency_hz(self) -> float:
        """Frequency set while no program plays [Hz]; setting it ends what a program holds."""
        return self._ask_number("FREQ?")

    @frequency_hz.setter
    def frequency_hz(self, value: float) -> None:
        self._within("frequency_hz", value, self._instrument.frequency_hz, "Hz")
        self._leave_hold()
        self._command(f"FREQ {float(value)!r}")

    @property
    def current_limit_a(self) -> float:
        """RMS current limit [A]."""
        return self._ask_number("CURR?")

    @current_limit_a.setter
    def current_limit_a(self, value: float) -> None:
        self._within("current_limit_a", value, (0.0, self._instrument.current_a), "A")
        self._command(f"CURR {float(value)!r}")

    @property
    def output_enabled(self) -> bool:
        """Whether the output is on."""
        return self._ask_number("OUTP?") == 1

    @output_enabled.setter
    def output_enabled(self, value: bool) -> None:
        self._command(f"OUTP {'ON' if value else 'OFF'}")

    @property
    def phase_sync_deg(self) -> float | None:
        """Reference angle that a fired program waits for [degree]; None begins at once."""
        if not self._link.query("TRIG:SYNC:SOUR?").upper().startswith("PHAS"):
            return None
        return self._ask_number("TRIG:SYNC:PHAS?")

    @phase_sync_deg.setter
    def phase_sync_deg(self, value: float | None) -> None:
        if value is None:
            self._command("TRIG:SYNC:SOUR IMM")
            return
        self._within("phase_sync_deg", value, (0.0, 360.0), "degrees")
        self._command(f"TRIG:SYNC:PHAS {float(value)!r}")
        self._command("TRIG:SYNC:SOUR PHAS")

    def reset(self) -> None:
        """Put the source into its reset state: output off, 0 V. What was queued as error stays."""
        self._armed = self._held = None
        self._command("*RST")

    def errors(self) -> list[str]:
        """Return and clear the errors the source has queued, oldest first."""
        return self._link.errors()

    def check(self) -> None:
        """Raise PartFailed if the source has queued errors, naming them and the last command."""
        self._raise(self.errors())

    def measure_voltage_v(self) -> float:
        """Return the RMS voltage, averaged over about 0.1 s [V]; nan if there is nothing to measure."""
        return self._measure("MEAS:VOLT:AC?")

    def measure_frequency_hz(self) -> float:
        """Return the frequency, averaged over about 0.1 s [Hz]; nan if there is nothing to measure."""
        return self._measure("MEAS:FREQ?")

    def arm(self, program: Sequence[Step]) -> None:
        """Load a program and wait for `fire`.

        A `Program` brings its start angle, which is set as `phase_sync_deg`; for other sequences that stays as it
        is. What an open last step holds is held until `fire`; a program still playing is ended. After a last step
        with a duration the output returns to `voltage_v` and `frequency_hz`.

        Raises
        ------
        InputError
            Naming steps, values and limits, before anything is sent.
        """
        check_program(program, self._instrument)
        commands = _list_commands(program, self._instrument.dwell_s[1])
        self._check_lengths(commands)
        self._leave_hold()
        self.abort()
        if isinstance(program, Program):
            self.phase_sync_deg = program.start_angle_deg
        for command in commands:
            self._command(command)
        self._command("INIT:SEQ1")
        self._await_armed()
        self._armed = program[-1]

    def fire(self) -> None:
        """Start the armed program."""
        self._command("*TRG")
        self._held = self._armed if self._armed is not None and self._armed.duration_s is None else None
        self._armed = None

    def abort(self) -> None:
        """Stop a program and disarm; the output returns to `voltage_v` and `frequency_hz`."""
        self._armed = self._held = None
        self._command("ABOR")

    def close(self) -> None:
        """Switch the output off, see that it is, and end the connection; does nothing a second time.

        Raises
        ------
        PartFailed
            If the output could not be seen to be off.
        """
        if not self._link.is_open:
            return
        try:
            self.output_enabled = False
            if self.output_enabled:
                raise PartFailed(f"source at {self._link.resource_name}: output still on after OUTP OFF")
        finally:
            self._link.close()

    def __enter__(self) -> AcSource681x:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except PartFailed as failure:
            if error is None:
                raise
            error.add_note(f"the source's output may still be on: {failure}")

    def _check_lengths(self, commands: Sequence[str]) -> None:
        """Refuse a program whose lists do not fit into a message."""
        for command in commands:
            if len(command + _AND_ERROR) > self._instrument.line_chars:
                raise InputError(
                    f"program for {self._instrument.model}: {command.split()[0]} takes {len(command + _AND_ERROR)} "
                    f"characters, expected at most {self._instrument.line_chars}; use fewer steps"
                )

    def _leave_hold(self) -> None:
        """If a program holds its last step, stop it without a change of the output.

        The levels are first set to the held ones: they show only after the ABORt, which therefore changes nothing.
        """
        held = self._held
        if held is None:
            return
        self._command(f"VOLT {float(held.voltage_v)!r}")
        self._command(f"FREQ {float(held.frequency_hz)!r}")
        if held.phase_deg is not None:
            self._command(f"PHAS {float(held.phase_deg)!r}")
        self.abort()

    def _await_armed(self) -> None:
        """Wait until the source waits for the trigger: one sent before that is ignored."""
        limit_s = time.monotonic() + self._timeout_s
        while not int(self._ask_number("STAT:OPER:COND?")) & _WAITING_FOR_TRIGGER:
            if time.monotonic() > limit_s:
                raise PartFailed(
                    f"source at {self._link.resource_name}: not waiting for a trigger "
                    f"{self._timeout_s:g} s after INIT:SEQ1"
                )

    def _command(self, command: str) -> None:
        """Send a command and raise at once if the source refuses it."""
        self._last_command = command
        reply = self._link.query(command + _AND_ERROR)
        if error_number(reply) != 0:
            self._raise([reply, *self.errors()])

    def _raise(self, errors: Sequence[str]) -> None:
        if errors:
            raise PartFailed(
                f'source at {self._link.resource_name} refused "{self._last_command}": {"; ".join(errors)}'
            )

    def _ask_number(self, query: str) -> float:
        reply = self._link.query(query)
        try:
            return float(reply)
        except ValueError:
            raise PartFailed(
                f'source at {self._link.resource_name} answered "{reply}" to "{query}", expected a number'
            ) from None

    def _measure(self, query: str) -> float:
        value = self._ask_number(query)
        return math.nan if value > 9e37 else value  # SCPI's not-a-number is 9.91E37

    def _within(self, name: str, value: float, limits: tuple[float, float], unit: str) -> None:
        low, high = limits
        if not low <= value <= high:
            raise InputError(
                f"{name} = {value:g}, expected {low:g} to {high:g} {unit} ({self._instrument.model} at "
                f"{self._link.resource_name})"
            )


def _list_commands(program: Sequence[Step], hold_s: float) -> list[str]:
    """Return the commands that load a program as lists; a last step without an end dwells as long as can be."""
    slews = [_NO_SLEW if step.slew_v_per_s is None else step.slew_v_per_s for step in program]
    phases = [step.phase_deg for step in program if step.phase_deg is not None]
    commands = [
        "VOLT:MODE LIST",
        "FREQ:MODE LIST",
        f"PHAS:MODE {'LIST' if phases else 'FIX'}",
        "VOLT:SLEW:MODE LIST",
        "LIST:VOLT " + _numbers([step.voltage_v for step in program]),
        "LIST:VOLT:SLEW " + _numbers(slews),
        "LIST:FREQ " + _numbers([step.frequency_hz for step in program]),
        "LIST:DWEL " + _numbers([hold_s if step.duration_s is None else step.duration_s for step in program]),
        "LIST:TTLT " + ",".join("ON" if step.trigger_out else "OFF" for step in program),
        "LIST:COUN 1",
        "LIST:STEP AUTO",
        "OUTP:TTLT:SOUR LIST",
        "OUTP:TTLT ON",
        "TRIG:TRAN:DEL 0",
        "TRIG:TRAN:SOUR BUS",
    ]
    if phases:
        commands.append("LIST:PHAS " + _numbers(phases))
    return commands


def _numbers(values: Sequence[float]) -> str:
    """Return numbers as a list parameter, every digit kept."""
    return ",".join(repr(float(value)) for value in values)
