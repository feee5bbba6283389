"""An AC source whose output is owned by a supervising process, which switches it off whatever becomes of this one."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from hil.source.ending import OffAtEnd
from hil.source.program import Program, Step
from teiden.errors import InputError, MissingPart, PartFailed

Transcript = Callable[[str, str], None]

BEAT_S = 0.1
SILENCE_S = 2.0  # twenty beats: a loaded machine was seen to delay a thread by a few tens of ms


class Request(msgspec.Struct, omit_defaults=True):
    """What the user's process asks for; `op` is get, set, call, arm, close or beat."""

    op: str
    name: str = ""
    value: float | bool | None = None
    limits: dict[str, float] = {}
    steps: list[Step] = []
    angle_deg: float | None = None
    is_program: bool = False


class Reply(msgspec.Struct, omit_defaults=True):
    """What came of it; `failed` names the kind of error, or is empty."""

    value: float | bool | str | list[str] | None = None
    failed: str = ""
    why: str = ""
    messages: list[tuple[str, str]] = []  # to and from the instrument since the last reply: "write" or "read", text


class Setup(msgspec.Struct):
    """What the supervising process is started with."""

    resource_name: str
    dialect: str
    timeout_s: float
    silence_s: float
    interlock: str
    armed: bool


ERRORS = {"InputError": InputError, "MissingPart": MissingPart, "PartFailed": PartFailed}


class _Remote:
    """A property of the source that lives in the supervising process."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, source: GuardedSource, owner: type) -> Any:
        return source.ask(Request("get", self._name))

    def __set__(self, source: GuardedSource, value: float | bool | None) -> None:
        source.ask(Request("set", self._name, value))


class GuardedSource(OffAtEnd):
    """An `AcSource` in a process of its own.

    That process switches the output off, and looks whether it is, when this object is closed, when this process
    ends in any way, SIGKILL included, when no heartbeat has come for `silence_s`, on SIGTERM, and when the interlock
    opens. It runs in a session of its own, so that Ctrl-C at a terminal reaches this process only. If the supervising
    process itself is killed, this one connects to the source and switches it off. Nothing but the instrument is left
    if both are killed at once. The heartbeat says that this process runs, not that it does something sensible.

    Parameters
    ----------
    resource_name : str
        VISA resource name.
    dialect : str
        A name of `hil.source.dialects.KINDS`.
    timeout_s : float
        How long to wait for a reply of the instrument [s].
    silence_s : float
        How long without a heartbeat until the output is switched off [s].
    interlock : Path or None
        A file that says ``closed`` while the output may be on; the output is switched off within 0.2 s of any
        other content or of its removal, and stays off until somebody connects anew, whatever the file says then.
        It is looked at every 0.1 s and before each message: what lasts shorter may not be seen. Must be given for a
        real instrument.
    armed : bool
        Consent to energise a real instrument.
    transcript : callable or None
        Called with "write" or "read" and the text of every message to and from the instrument, once the request that
        caused it has been answered.

    Raises
    ------
    MissingPart
        If nothing answers there.
    InputError
        For an unknown dialect or another make of instrument.
    """

    voltage_v = _Remote()
    frequency_hz = _Remote()
    current_limit_a = _Remote()
    voltage_limit_v = _Remote()
    output_enabled = _Remote()
    phase_sync_deg = _Remote()
    identity = _Remote()

    def __init__(
        self,
        resource_name: str,
        dialect: str,
        timeout_s: float = 2.0,
        *,
        silence_s: float = SILENCE_S,
        interlock: Path | None = None,
        armed: bool = False,
        transcript: Transcript | None = None,
    ):
        self._transcript = transcript
        self._setup = Setup(
            resource_name, dialect, timeout_s, silence_s, str(interlock.absolute()) if interlock else "", armed
        )
        self._turn = threading.Lock()  # one line at a time, from the user's thread and the heartbeat's
        self._ended = threading.Event()
        self._lost = ""
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "hil.source.supervisor", str(theirs.fileno()), msgspec.json.encode(self._setup)],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._replies = self._socket.makefile("rb")
        self._pulse = threading.Thread(target=self._beat, name="heartbeat of the source", daemon=True)
        self._pulse.start()
        try:
            self._read()
        except BaseException:
            self._release()
            raise

    @property
    def supervisor_pid(self) -> int:
        """Process number of the supervising process."""
        return self._process.pid

    def ask(self, request: Request) -> Any:
        """Send a request and return the value of its reply, or raise what it raised there."""
        if self._ended.is_set():
            raise PartFailed(f"source at {self._setup.resource_name}: not connected any more; connect again")
        self._send(request)
        return self._read()

    def energise(
        self, voltage_v: float, frequency_hz: float, *, current_limit_a: float, voltage_limit_v: float
    ) -> None:
        """Set limits, read them back, set levels and only then switch the output on."""
        limits = {"current_limit_a": current_limit_a, "voltage_limit_v": voltage_limit_v}
        levels = {"voltage_v": voltage_v, "frequency_hz": frequency_hz}
        self.ask(Request("call", "energise", limits={**levels, **limits}))

    def reset(self) -> None:
        """Put the source into its reset state: output off, 0 V."""
        self.ask(Request("call", "reset"))

    def errors(self) -> list[str]:
        """Return and clear the errors the source has queued."""
        return list(self.ask(Request("call", "errors")))

    def check(self) -> None:
        """Raise PartFailed if the source has queued errors."""
        self.ask(Request("call", "check"))

    def measure_voltage_v(self) -> float:
        """Return the measured RMS voltage [V]."""
        return float(self.ask(Request("call", "measure_voltage_v")))

    def measure_frequency_hz(self) -> float:
        """Return the measured frequency [Hz]."""
        return float(self.ask(Request("call", "measure_frequency_hz")))

    def measure_current_a(self) -> float:
        """Return the measured RMS current [A]."""
        return float(self.ask(Request("call", "measure_current_a")))

    def measure_power_w(self) -> float:
        """Return the measured active power [W]."""
        return float(self.ask(Request("call", "measure_power_w")))

    def arm(self, program: Sequence[Step]) -> None:
        """Load a program and wait for `fire`."""
        angle = program.start_angle_deg if isinstance(program, Program) else None
        self.ask(Request("arm", steps=list(program), angle_deg=angle, is_program=isinstance(program, Program)))

    def fire(self) -> None:
        """Start the armed program."""
        self.ask(Request("call", "fire"))

    def abort(self) -> None:
        """Stop a program and disarm."""
        self.ask(Request("call", "abort"))

    def close(self) -> None:
        """Switch the output off, see that it is, and end the supervising process; does nothing a second time."""
        if self._ended.is_set():
            return
        try:
            self.ask(Request("close"))
        finally:
            self._release()

    def _send(self, request: Request) -> None:
        try:
            with self._turn:
                self._socket.sendall(msgspec.json.encode(request) + b"\n")
        except OSError:
            raise PartFailed(self._after_loss()) from None

    def _read(self) -> Any:
        try:
            line = self._replies.readline()
        except OSError:
            line = b""
        if not line:
            raise PartFailed(self._after_loss())
        reply = msgspec.json.decode(line, type=Reply)
        if self._transcript is not None:
            for message in reply.messages:
                self._transcript(*message)
        if reply.failed:
            raise ERRORS[reply.failed](reply.why)
        return float("nan") if reply.value == "nan" else reply.value

    def _beat(self) -> None:
        """Send heartbeats until the end; if the supervising process is gone before, switch the output off."""
        beat = msgspec.json.encode(Request("beat")) + b"\n"
        while not self._ended.wait(BEAT_S):
            try:
                with self._turn:
                    self._socket.sendall(beat)
            except OSError:
                self._after_loss()
                return

    def _after_loss(self) -> str:
        """Return what became of the supervising process; if it was killed, switch the output off from here."""
        with self._turn:
            if self._lost:
                return self._lost
            code = self._process.wait()
            name = self._setup.resource_name
            if code == 0:
                self._lost = f"source at {name}: the supervising process has switched the output off and ended"
            else:
                self._lost = f"source at {name}: the supervising process ended with {code}; {self._off_directly()}"
            self._ended.set()
            return self._lost

    def _off_directly(self) -> str:
        from hil.source.dialects import open_source  # PyVISA takes a second that is not needed otherwise

        try:
            open_source(self._setup.resource_name, self._setup.dialect, self._setup.timeout_s).close()
        except (MissingPart, PartFailed, InputError) as error:
            return f"the output may still be on: {error}"
        return "the output was switched off from this process"

    def _release(self) -> None:
        """End heartbeat and connection, and wait for the supervising process."""
        self._ended.set()
        if threading.current_thread() is not self._pulse:
            self._pulse.join()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._replies.close()
        self._socket.close()
        self._process.wait()
