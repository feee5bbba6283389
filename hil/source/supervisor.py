"""The process that owns a source's output.

Run as ``python -m hil.source.supervisor FD SETUP``; `GuardedSource` does.
"""

from __future__ import annotations

import math
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from hil.source.dialects import open_source
from hil.source.guard import ERRORS, Reply, Request, Setup
from hil.source.link import NobodyListens
from hil.source.program import Program
from hil.source.scpi_source import ScpiSource
from teiden.errors import InputError, PartFailed, TeidenError

_LOOK_S = 0.1  # how often the interlock is looked at
OFF_ATTEMPTS = 10
_PAUSE_S = 0.2  # for an instrument to notice that its last client is gone
_READ_BYTES = 65536
SIMULATED = "TEIDEN,SIMULATED"
_CALLS = ("reset", "errors", "check", "fire", "abort", "energise")
_MEASUREMENTS = ("measure_voltage_v", "measure_frequency_hz", "measure_current_a", "measure_power_w")


class Interlock:
    """Whether the output may be on.

    Parameters
    ----------
    path : str
        The interlock file; empty for none.
    armed : bool
        Consent to energise a real instrument.
    identity : str
        What the instrument calls itself; a simulated one needs neither.
    """

    def __init__(self, path: str, armed: bool, identity: str):
        self._path = Path(path) if path else None
        self._armed = armed
        self._real = not identity.startswith(SIMULATED)

    def why_open(self) -> str:
        """Return why the output may not be on, or nothing."""
        if self._real and not self._armed:
            return "a real instrument is not energised without consent; give armed=True"
        if self._path is None:
            return "a real instrument needs an interlock file; give one that says closed" if self._real else ""
        try:
            text = self._path.read_text(errors="replace").strip()
        except OSError as error:
            return f"interlock {self._path}: {error.strerror}, expected a file that says closed"
        return "" if text == "closed" else f'interlock {self._path} says "{text[:40]}", expected closed'


class Supervisor:
    """Serve requests until the user's process ends, falls silent or opens the interlock, then switch off.

    Parameters
    ----------
    link : socket
        To the user's process.
    setup : Setup
        Silence and interlock.
    source : ScpiSource
        The driver; `run` closes it.
    messages : list or None
        What the driver said and heard; each reply takes what came since the one before.
    """

    def __init__(
        self,
        link: socket.socket,
        setup: Setup,
        source: ScpiSource,
        messages: list[tuple[str, str]] | None = None,
    ):
        self._messages = [] if messages is None else messages
        self._link = link
        self._setup = setup
        self._source = source
        self._interlock = Interlock(setup.interlock, setup.armed, source.identity)
        self._energised = False
        self._opened = ""  # how the interlock was seen open while the output may have been on
        self._off = False

    def run(self) -> None:
        """Serve; the source is closed, its output off, however this ends."""
        try:
            self._serve()
        finally:
            self._energised = False
            if not self._off:
                switch_off(self._source, self._setup)

    def watch(self, way: str) -> None:
        """Break a request off between two messages to the instrument if the interlock opens; `_serve` switches off."""
        if way == "write" and self._energised and (why := self._why_off()):
            raise PartFailed(f"source at {self._setup.resource_name}: broken off, the output is switched off: {why}")

    def _serve(self) -> None:
        pending, heard_s = b"", time.monotonic()
        while True:
            if select.select([self._link], [], [], min(_LOOK_S, self._setup.silence_s / 4))[0]:
                data = self._heard()
                if not data:
                    return
                heard_s = time.monotonic()
                *lines, pending = (pending + data).split(b"\n")
                for line in lines:
                    if not self._take(msgspec.json.decode(line, type=Request)):
                        return
                heard_s = max(heard_s, time.monotonic() - self._setup.silence_s / 2)  # a slow instrument is no silence
            elif time.monotonic() - heard_s > self._setup.silence_s:
                return
            if self._energised and self._why_off():
                self._energised = False
                self._source.output_enabled = False

    def _take(self, request: Request) -> bool:
        """Execute a request and reply; False to end."""
        if request.op == "beat":
            return True
        try:
            if request.op == "close":
                self._energised = False
                switch_off(self._source, self._setup)
                self._off = True
            value = None if request.op == "close" else self._execute(request)
            if isinstance(value, float) and math.isnan(value):
                value = "nan"  # JSON has no such number
            reply = Reply(value)
        except TeidenError as error:
            reply = _failure(error)
        reply.messages = take_all(self._messages)
        return tell(self._link, reply) and request.op != "close"

    def _heard(self) -> bytes:
        """Return what the user's process has sent, nothing if it is gone."""
        try:
            return self._link.recv(_READ_BYTES)
        except ConnectionError:  # with a reply unread
            return b""

    def _execute(self, request: Request) -> Any:
        source = self._source
        if request.op == "get":
            return getattr(source, request.name)
        if request.op == "arm":
            steps = tuple(request.steps)
            source.arm(Program(steps, request.angle_deg) if request.is_program else steps)
            return None
        if request.op == "set":
            if request.name == "output_enabled" and request.value:
                self._permit()
            setattr(source, request.name, request.value)
            return None
        if request.name not in (*_CALLS, *_MEASUREMENTS):
            raise InputError(f"call of {request.name!r}, expected one of {', '.join((*_CALLS, *_MEASUREMENTS))}")
        if request.name == "energise":
            self._permit()
        call: Callable[..., Any] = getattr(source, request.name)
        return call(**request.limits)

    def _why_off(self) -> str:
        """Return how the interlock is open, or was: it may be closed again before the output is switched off."""
        self._opened = self._opened or self._interlock.why_open()
        return self._opened

    def _permit(self) -> None:
        """Refuse to energise while the interlock is open, or for good once it was open with the output on."""
        name = self._setup.resource_name
        if self._opened:
            raise PartFailed(
                f"source at {name}: output stays off: {self._opened} (seen while the output was on; connect again once "
                "the cause is known)"
            )
        if why := self._interlock.why_open():
            raise PartFailed(f"source at {name}: output stays off: {why}")
        self._energised = True


def tell(link: socket.socket, reply: Reply) -> bool:
    """Send a reply and return whether the user's process is still there to read it."""
    try:
        link.sendall(msgspec.json.encode(reply) + b"\n")
    except ConnectionError:
        return False
    return True


def switch_off(source: ScpiSource, setup: Setup) -> None:
    """Switch the output off and see that it is; over new connections if the one there was lost or fails.

    A simulated source that has ended has no output any more.

    Raises
    ------
    TeidenError
        What the last of `OFF_ATTEMPTS` connections failed with.
    """
    simulated = source.identity.startswith(SIMULATED)
    if source.is_open:
        try:
            source.close()
            return
        except TeidenError:
            pass  # the new connection's failure says more
    for left in reversed(range(OFF_ATTEMPTS)):
        try:
            open_source(setup.resource_name, setup.dialect, setup.timeout_s).close()
            return
        except TeidenError as error:
            if simulated and isinstance(error, NobodyListens):
                return
            if not left:
                raise
            time.sleep(_PAUSE_S)


def take_all(messages: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the messages and leave the list empty."""
    taken = list(messages)
    messages.clear()
    return taken


def _failure(error: TeidenError) -> Reply:
    """Return an error as a reply."""
    return Reply(failed=next(name for name, kind in ERRORS.items() if isinstance(error, kind)), why=str(error))


def main(arguments: list[str]) -> int:
    """Own one source; return the exit code: 0 if its output was seen to be off at the end."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the user's process decides what Ctrl-C means
    setup = msgspec.json.decode(arguments[1], type=Setup)
    messages: list[tuple[str, str]] = []
    supervisor: Supervisor | None = None

    def note(way: str, text: str) -> None:
        if supervisor is not None:
            supervisor.watch(way)
        messages.append((way, text))

    with socket.socket(fileno=int(arguments[0])) as link:
        try:
            source = open_source(setup.resource_name, setup.dialect, setup.timeout_s, transcript=note)
        except TeidenError as error:
            tell(link, _failure(error))
            return 0
        if not tell(link, Reply(source.identity, messages=take_all(messages))):
            switch_off(source, setup)
            return 0
        supervisor = Supervisor(link, setup, source, messages)
        try:
            supervisor.run()
        except SystemExit:  # SIGTERM in the middle of switching off
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            switch_off(source, setup)
        except TeidenError as error:
            print(f"supervisor of {setup.resource_name}: the output may still be on: {error}", file=sys.stderr)
            return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
