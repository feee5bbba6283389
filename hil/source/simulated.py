"""The simulated AC source: what speaks SCPI on one side and plays samples on the other."""

from __future__ import annotations

import threading

from hil.source.dialect import MakeDialect
from hil.source.dialect_681x import Dialect681x
from hil.source.instrument import KEYSIGHT_6812B, Instrument, Timing
from hil.source.load import Impedance, RectifierLoad
from hil.source.machine import PlayedBlock, SourceMachine
from hil.source.scpi import Interpreter, Status
from teiden.errors import InputError


class SimulatedSource:
    """An AC source whose clock is moved by `play` only.

    Commands and `play` may come from different threads: each takes effect whole, one after the other. What is
    played depends on the seed, the commands, and the standing times at which they came.

    Parameters
    ----------
    seed : int
        Key of the command latencies; also the serial number.
    instrument : Instrument
        Its limits.
    timing : Timing
        Its times.
    dialect : callable
        Makes what it speaks.
    load : RectifierLoad or None
        What hangs on its terminals.
    impedance : Impedance
        Its own; it shows with a load only.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        instrument: Instrument = KEYSIGHT_6812B,
        timing: Timing = Timing(),  # noqa: B008 (frozen)
        dialect: MakeDialect = Dialect681x,
        load: RectifierLoad | None = None,
        impedance: Impedance = Impedance(),  # noqa: B008 (frozen)
    ):
        self.lock = threading.RLock()
        self.line_chars = instrument.line_chars
        self._status = Status()
        self._machine = SourceMachine(seed, timing, load, impedance)
        self._dialect = dialect(self._machine, instrument, self._status, f"SIM{seed}")
        self._interpreter = Interpreter(
            self._dialect.tree, self._status, instrument.line_chars, self._machine.begin_command
        )

    @property
    def now_ns(self) -> int:
        """The standing time: that of the next sample to be played [ns]."""
        return self._machine.now_ns

    @property
    def output_on(self) -> bool:
        """Whether the output was last commanded on."""
        return self._machine.output_on

    def play(self, n_samples: int, rate_hz: int) -> PlayedBlock:
        """Play the next samples and advance time by them.

        Parameters
        ----------
        n_samples : int
            How many.
        rate_hz : int
            Their rate [Hz]; a new rate begins at the standing time.

        Returns
        -------
        PlayedBlock
            The voltage at each sample and the trigger-out pulses since the first of them.
        """
        if n_samples < 0:
            raise InputError(f"n_samples = {n_samples}, expected 0 or more")
        if not 1 <= rate_hz <= 10**9:
            raise InputError(f"rate_hz = {rate_hz}, expected 1 to 1000000000")
        with self.lock:
            return self._machine.play(n_samples, rate_hz)

    def execute(self, message: bytes) -> str | None:
        """Execute one program message, terminator excluded, and return its reply, if any."""
        with self.lock:
            return self._interpreter.execute(message)

    def status_byte(self) -> int:
        """Return the status byte, as a serial poll reads it."""
        with self.lock:
            return self._status.byte()

    def report(self, number: int) -> None:
        """Queue an error that the instrument found by itself."""
        with self.lock:
            self._status.report(number)

    def trip(self, reason: str = "over-current", after_ns: int = 0) -> None:
        """Let the protection open the output some simulated time from now."""
        with self.lock:
            self._machine.trip(reason, after_ns)

    @property
    def tripped(self) -> str:
        """Why the protection opened the output, or nothing."""
        return self._machine.protection.tripped

    def report_overrun(self) -> None:
        """Queue the error for a message longer than the input buffer."""
        with self.lock:
            self._status.report(-363)

    def trigger_in(self) -> None:
        """Put a pulse on the trigger input at the standing time; it counts if armed with ``TRIG:SOUR EXT``."""
        with self.lock:
            self._dialect.wire_trigger()
