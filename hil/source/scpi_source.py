"""What the drivers of all dialects share: properties with units and limits, arming, and an end that is safe."""

from __future__ import annotations

import contextlib
import math
import time
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

from hil.source.ending import OffAtEnd
from hil.source.instrument import Instrument
from hil.source.link import ScpiLink, Transcript, error_number
from hil.source.program import Program, Step, check_program
from teiden.errors import InputError, PartFailed

WAITING_FOR_TRIGGER = 32  # STAT:OPER:COND? bit 5: SCPI-1999 volume 1, 9.3; Keysight 6811C Programming Guide, table 5-1
_AND_ERROR = ";:SYST:ERR?"  # sent with every command
_READ_BACK = 1e-3  # a limit counts as set if it reads back this close, relative: more than any instrument's rounding

Limits = tuple[float, float]
Connect = Callable[[str, float, Transcript | None], ScpiLink]


class Refused(PartFailed):
    """The source has queued errors."""


class Quantity:
    """A number of the instrument: ``HEADER value`` sets it, ``HEADER?`` asks for it.

    Parameters
    ----------
    doc : str
        What it is, with its unit.
    unit : str
        The unit, for messages.
    limits : callable
        Lowest and highest value of an instrument.
    levels : bool
        A setting shown only while no program plays: setting it ends what a program holds.
    """

    def __init__(self, doc: str, unit: str, limits: Callable[[Instrument], Limits], *, levels: bool = False):
        self.__doc__ = doc
        self._unit = unit
        self._limits = limits
        self._levels = levels

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, source: ScpiSource, owner: type) -> float:
        """Ask the instrument."""
        return source.ask_number(f"{source.headers[self._name]}?")

    def __set__(self, source: ScpiSource, value: float) -> None:
        """Check the limits, then send."""
        source.within(self._name, value, self._limits(source.instrument), self._unit)
        if self._levels:
            source.leave_hold()
        source.command(f"{source.headers[self._name]} {float(value)!r}")


class ScpiSource(OffAtEnd):
    """An AC source that speaks SCPI; the dialects are its subclasses.

    Every command is sent in one message with ``SYST:ERR?``, so that an error is raised at the command that caused
    it. Written from the manuals named in docs/source.md and tested against the simulated source; not yet run on
    hardware.

    Parameters
    ----------
    resource_name : str
        VISA resource name, such as ``TCPIP::192.0.2.10::5025::SOCKET``.
    timeout_s : float
        How long to wait for a reply [s].
    instrument : Instrument or None
        Limits of the model; what exceeds them is refused before it is sent. None for the dialect's usual model.
    transcript : callable or None
        Called with "write" or "read" and the text of every message.
    connect : callable
        Makes the link of resource name, timeout and transcript.

    Raises
    ------
    MissingPart
        If nothing answers there.
    InputError
        If what answers is of another make.
    """

    default_instrument: ClassVar[Instrument]
    headers: ClassVar[dict[str, str]]
    unverified: ClassVar[tuple[str, ...]]  # what no manual was found for; `teiden rig check` shows it

    def __init__(
        self,
        resource_name: str,
        timeout_s: float = 2.0,
        *,
        instrument: Instrument | None = None,
        transcript: Transcript | None = None,
        connect: Connect = ScpiLink,
    ):
        self.instrument = instrument or self.default_instrument
        self._timeout_s = timeout_s
        self._link = connect(resource_name, timeout_s, transcript)
        self._last_command = ""
        self._armed: Step | None = None
        self._held: Step | None = None
        self._check_identity()
        try:
            self.errors()  # of whoever was there before: they would be taken for those of the first command
        except BaseException:
            self._link.close()
            raise

    @property
    def resource_name(self) -> str:
        """VISA resource name."""
        return self._link.resource_name

    @property
    def is_open(self) -> bool:
        """Whether the connection still stands, as far as is known."""
        return self._link.is_open

    @property
    def identity(self) -> str:
        """Maker, model, serial number and firmware, as the source gives them."""
        return self._link.identity

    voltage_v = Quantity(
        "RMS voltage set while no program plays [V]; setting it ends what a program holds.",
        "V",
        lambda instrument: (0.0, instrument.max_v),
        levels=True,
    )
    frequency_hz = Quantity(
        "Frequency set while no program plays [Hz]; setting it ends what a program holds.",
        "Hz",
        lambda instrument: instrument.frequency_hz,
        levels=True,
    )
    current_limit_a = Quantity("RMS current limit [A].", "A", lambda instrument: (0.0, instrument.current_a))
    voltage_limit_v = Quantity(
        "Most RMS voltage that a command may set [V].", "V", lambda instrument: (0.0, instrument.max_v)
    )

    @property
    def output_enabled(self) -> bool:
        """Whether the output is on."""
        return self.link_query(f"{self.headers['output']}?").strip().upper() in ("1", "ON")

    @output_enabled.setter
    def output_enabled(self, value: bool) -> None:
        self.command(f"{self.headers['output']} {'ON' if value else 'OFF'}")

    def energise(
        self, voltage_v: float, frequency_hz: float, *, current_limit_a: float, voltage_limit_v: float
    ) -> None:
        """Set limits, read them back, set levels and only then switch the output on.

        Parameters
        ----------
        voltage_v, frequency_hz : float
            RMS voltage [V] and frequency [Hz].
        current_limit_a : float
            RMS current limit [A].
        voltage_limit_v : float
            Most RMS voltage [V]; not below `voltage_v`.

        Raises
        ------
        InputError
            For what the instrument cannot do; the output is then as it was.
        PartFailed
            If a limit reads back as another value; the output is then as it was.
        """
        if voltage_v > voltage_limit_v:
            raise InputError(f"voltage_v = {voltage_v:g}, expected at most voltage_limit_v = {voltage_limit_v:g} V")
        for name, value in (("voltage_limit_v", voltage_limit_v), ("current_limit_a", current_limit_a)):
            setattr(self, name, value)
            seen = getattr(self, name)
            if not math.isclose(seen, value, rel_tol=_READ_BACK):
                raise PartFailed(
                    f"source at {self.resource_name}: {name} set to {value:g} reads back as {seen:g}; "
                    "the output is not switched on"
                )
        self.frequency_hz = frequency_hz
        self.voltage_v = voltage_v
        self.check()
        self.output_enabled = True
        if not self.output_enabled:
            raise PartFailed(f"source at {self.resource_name}: output still off after {self._last_command}")

    def reset(self) -> None:
        """Put the source into its reset state: output off, 0 V. What was queued as error stays."""
        self._armed = self._held = None
        self.command("*RST")

    def errors(self) -> list[str]:
        """Return and clear the errors the source has queued, oldest first."""
        return self._link.errors()

    def check(self) -> None:
        """Raise PartFailed if the source has queued errors, naming them and the last command."""
        self._raise(self.errors())

    def measure_voltage_v(self) -> float:
        """Return the RMS voltage, averaged over about 0.1 s [V]; nan if there is nothing to measure."""
        return self._measure(self.headers["measured voltage"])

    def measure_frequency_hz(self) -> float:
        """Return the frequency, averaged over about 0.1 s [Hz]; nan if there is nothing to measure."""
        return self._measure(self.headers["measured frequency"])

    def measure_current_a(self) -> float:
        """Return the RMS current, averaged over about 0.1 s [A]; nan if there is nothing to measure."""
        return self._measure(self.headers["measured current"])

    def measure_power_w(self) -> float:
        """Return the active power, averaged over about 0.1 s [W]; nan if there is nothing to measure."""
        return self._measure(self.headers["measured power"])

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
        check_program(program, self.instrument)
        starts = self._start_voltages(program)
        commands = self._program_commands(program, starts)
        self._check_lengths(commands)
        self.leave_hold()
        self.abort()
        if isinstance(program, Program):
            self.phase_sync_deg = program.start_angle_deg
        for command in commands:
            self.command(command)
        self._initiate()
        self._armed = program[-1]

    def fire(self) -> None:
        """Start the armed program."""
        self._trigger()
        self._held = self._armed if self._armed is not None and self._armed.duration_s is None else None
        self._armed = None

    def abort(self) -> None:
        """Stop a program and disarm; the output returns to `voltage_v` and `frequency_hz`."""
        self._armed = self._held = None
        self._stop()

    # --- what a dialect says its own way ------------------------------------------------------------------------

    @property
    def phase_sync_deg(self) -> float | None:
        """Reference angle that a fired program waits for [degree]; None begins at once."""
        return self._ask_phase_sync()

    @phase_sync_deg.setter
    def phase_sync_deg(self, value: float | None) -> None:
        self._set_phase_sync(value)

    @abstractmethod
    def _program_commands(self, program: Sequence[Step], starts_v: Sequence[float]) -> list[str]:
        """Return the commands that load a program, given the voltage at which each step starts if it ramps."""

    @abstractmethod
    def _initiate(self) -> None:
        """Make the source wait for the trigger."""

    @abstractmethod
    def _trigger(self) -> None:
        """Trigger what is armed."""

    @abstractmethod
    def _stop(self) -> None:
        """Stop what plays and go back to the levels."""

    # --- the end ------------------------------------------------------------------------------------------------

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
            with contextlib.suppress(Refused):  # perhaps for an error of before; what counts is asked for next
                self.output_enabled = False
            if self.output_enabled:
                raise PartFailed(f"source at {self.resource_name}: output still on after OUTP OFF")
        finally:
            self._link.close()

    def _check_lengths(self, commands: Sequence[str]) -> None:
        """Refuse a program whose lists do not fit into a message."""
        for command in commands:
            if len(command + _AND_ERROR) > self.instrument.line_chars:
                raise InputError(
                    f"program for {self.instrument.model}: {command.split()[0]} takes {len(command + _AND_ERROR)} "
                    f"characters, expected at most {self.instrument.line_chars}; use fewer steps"
                )

    def _start_voltages(self, program: Sequence[Step]) -> list[float]:
        """Return the voltage before each step; that before the first one is asked for only if it matters."""
        before_v = math.nan
        if program[0].ramp:
            before_v = self.voltage_v if self._held is None else self._held.voltage_v
        return [before_v, *(step.voltage_v for step in program[:-1])]

    def leave_hold(self) -> None:
        """If a program holds its last step, stop it without a change of the output.

        The levels are first set to the held ones: they show only after the ABORt, which therefore changes nothing.
        """
        held = self._held
        if held is None:
            return
        self.command(f"{self.headers['voltage_v']} {float(held.voltage_v)!r}")
        self.command(f"{self.headers['frequency_hz']} {float(held.frequency_hz)!r}")
        if held.phase_deg is not None:
            self.command(f"PHAS {float(held.phase_deg)!r}")
        self.abort()

    def command(self, command: str) -> None:
        """Send a command and raise at once if the source refuses it."""
        self._last_command = command
        reply = self._link.query(command + _AND_ERROR)
        if error_number(reply) != 0:
            self._raise([reply, *self.errors()])

    def _raise(self, errors: Sequence[str]) -> None:
        if errors:
            raise Refused(f'source at {self.resource_name} refused "{self._last_command}": {"; ".join(errors)}')

    def link_query(self, query: str) -> str:
        """Return the reply to a query as it came."""
        return self._link.query(query)

    def ask_number(self, query: str) -> float:
        """Return the number that answers a query."""
        reply = self._link.query(query)
        try:
            return float(reply)
        except ValueError:
            raise PartFailed(
                f'source at {self.resource_name} answered "{reply}" to "{query}", expected a number'
            ) from None

    def _measure(self, query: str) -> float:
        value = self.ask_number(query)
        return math.nan if value > 9e37 else value  # SCPI's not-a-number is 9.91E37

    def within(self, name: str, value: float, limits: Limits, unit: str) -> None:
        """Refuse a value outside an instrument's limits."""
        low, high = limits
        if not low <= value <= high:
            raise InputError(
                f"{name} = {value:g}, expected {low:g} to {high:g} {unit} ({self.instrument.model} at "
                f"{self.resource_name})"
            )

    def _check_identity(self) -> None:
        """Refuse an instrument of another make: it would take some commands and misread others."""
        known = self.instrument.identities
        if known and not any(word in self.identity.upper() for word in known):
            self._link.close()
            raise InputError(
                f'source at {self.resource_name} calls itself "{self.identity}", expected one of '
                f"{', '.join(known)}; give the dialect that it speaks"
            )

    def _await_waiting(self, initiated_by: str) -> None:
        """Wait until the source waits for the trigger: one sent before that is ignored."""
        limit_s = time.monotonic() + self._timeout_s
        while not int(self.ask_number("STAT:OPER:COND?")) & WAITING_FOR_TRIGGER:
            if time.monotonic() > limit_s:
                raise PartFailed(
                    f"source at {self.resource_name}: not waiting for a trigger "
                    f"{self._timeout_s:g} s after {initiated_by}"
                )

    def _set_phase_sync(self, value: float | None) -> None:
        """Set the start angle as the dialects with a synchronisation sequence do."""
        if value is None:
            self.command("TRIG:SYNC:SOUR IMM")
            return
        self.within("phase_sync_deg", value, (0.0, 360.0), "degrees")
        self.command(f"TRIG:SYNC:PHAS {float(value)!r}")
        self.command("TRIG:SYNC:SOUR PHAS")

    def _ask_phase_sync(self) -> float | None:
        """Return the start angle as the dialects with a synchronisation sequence do."""
        if not self.link_query("TRIG:SYNC:SOUR?").upper().startswith("PHAS"):
            return None
        return self.ask_number("TRIG:SYNC:PHAS?")


def number_list(values: Sequence[float]) -> str:
    """Return numbers as a list parameter, every digit kept."""
    return ",".join(repr(float(value)) for value in values)
