"""A message link to one SCPI instrument over PyVISA that never gives a late reply to the wrong question."""

from __future__ import annotations

import errno
import os
import select
import socket
from collections.abc import Callable

import pyvisa
from pyvisa import rname
from pyvisa.resources import MessageBasedResource

from teiden.errors import InputError, MissingPart, PartFailed

Transcript = Callable[[str, str], None]

PROBE = "SYST:VERS?;*IDN?"  # two queries in one: no single query's late reply looks like its reply
_OPEN_TIMEOUT_MS = 5000
_MOST_ERRORS = 200  # more than any instrument queues


class NobodyListens(MissingPart):
    """The machine is there, and nothing listens at the port: what served the instrument has ended."""


class ScpiLink:
    """Messages to an instrument and its replies.

    After a timeout the link is brought back in step: what came late is cleared, then replies are read up to
    that of a probe. If the probe is not answered either, the connection is given up, because nothing would tell
    a late reply from a timely one. Not yet run on hardware.

    Parameters
    ----------
    resource_name : str
        VISA resource name, such as ``TCPIP::192.0.2.10::5025::SOCKET``.
    timeout_s : float
        How long to wait for a reply [s].
    transcript : callable or None
        Called with "write" or "read" and the text of every message.

    Raises
    ------
    MissingPart
        If nothing answers there.
    InputError
        If it is no resource name.
    """

    def __init__(self, resource_name: str, timeout_s: float = 2.0, transcript: Transcript | None = None):
        self.resource_name = resource_name
        self._timeout_s = timeout_s
        self._transcript = transcript
        self._manager = pyvisa.ResourceManager("@py")
        self._session: MessageBasedResource | None = self._open()
        self._socket = self._raw_socket()
        try:
            self._probe_reply = self._first_probe()
        except BaseException:
            self.close()
            raise

    @property
    def identity(self) -> str:
        """The reply to ``*IDN?`` when the link was made."""
        return self._probe_reply.partition(";")[2]

    @property
    def is_open(self) -> bool:
        """Whether the connection still stands, as far as is known."""
        return self._session is not None

    def query(self, message: str) -> str:
        """Send a message and return its one line of reply, without the terminator."""
        session = self._send(message)
        try:
            self._await_reply()
            return self._read(session)
        except TimeoutError as error:
            raise PartFailed(self._resynchronise(message)) from error
        except OSError as error:
            raise self._gone(message, error) from error

    def errors(self) -> list[str]:
        """Return and clear the instrument's error queue, oldest first; PartFailed if it does not get empty."""
        errors: list[str] = []
        while error_number(reply := self.query("SYST:ERR?")) != 0:
            errors.append(reply)
            if len(errors) > _MOST_ERRORS:
                raise PartFailed(f"source at {self.resource_name}: reports errors without end, the last {reply}")
        return errors

    def close(self) -> None:
        """End the connection."""
        session, self._session, self._socket = self._session, None, None
        if session is not None:
            session.close()

    def _open(self) -> MessageBasedResource:
        try:
            rname.ResourceName.from_string(self.resource_name)
        except rname.InvalidResourceName:
            raise InputError(
                f"source at {self.resource_name}: no VISA resource name, expected one such as "
                "TCPIP::192.0.2.10::5025::SOCKET"
            ) from None
        try:
            session = self._manager.open_resource(
                self.resource_name, open_timeout=_OPEN_TIMEOUT_MS, read_termination="\n", write_termination="\n"
            )
        except Exception as error:  # pyvisa-py raises bare Exception for a host that does not answer
            raise self._missing(" ".join(str(error).split())) from error
        if not isinstance(session, MessageBasedResource):
            session.close()
            raise self._missing("not a resource that takes messages")
        session.timeout = self._timeout_s * 1000
        return session

    def _raw_socket(self) -> socket.socket | None:
        """Return the connection's socket with Nagle's algorithm off, or None for a resource without one.

        pyvisa-py leaves it on and refuses the VISA attribute: write, write, query then takes 40 ms.
        """
        assert self._session is not None
        interface = getattr(self._session.visalib.sessions[self._session.session], "interface", None)  # type: ignore[attr-defined]
        interface = getattr(interface, "_sync", interface)  # of a HiSLIP connection, the channel of the messages
        if not isinstance(interface, socket.socket):
            return None
        failed = interface.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failed:  # pyvisa-py takes a refused connection for an established one
            self.close()
            missing = self._missing(os.strerror(failed))
            raise NobodyListens(str(missing)) if failed == errno.ECONNREFUSED else missing
        interface.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return interface

    def _first_probe(self) -> str:
        """Return the reply to the probe, which every later resynchronisation waits for."""
        try:
            session = self._send(PROBE)
            self._await_reply()
            return self._read(session)
        except (OSError, PartFailed) as error:
            raise self._missing(f"{error}; does another program hold it?") from error

    def _send(self, message: str) -> MessageBasedResource:
        if self._session is None:
            raise PartFailed(f"source at {self.resource_name}: not connected any more; connect again")
        try:
            if self._peer_closed():
                raise ConnectionResetError("end of stream")
            self._note("write", message)
            self._session.write(message)
        except (OSError, pyvisa.VisaIOError) as error:
            raise self._gone(message, error) from error
        return self._session

    def _await_reply(self) -> None:
        """Wait for the first byte of a reply on a socket, so that a closed connection is seen as one at once.

        PyVISA reports it as a timeout.
        """
        if self._socket is None:
            return
        if not select.select([self._socket], [], [], self._timeout_s)[0]:
            raise TimeoutError(f"no reply in {self._timeout_s:g} s")
        if self._peer_closed():
            raise ConnectionResetError("end of stream")

    def _read(self, session: MessageBasedResource) -> str:
        """Return the next line; TimeoutError or another OSError if there is none."""
        try:
            reply = session.read()
        except pyvisa.VisaIOError as error:
            if error.error_code == pyvisa.constants.StatusCode.error_timeout:
                raise TimeoutError(f"no reply in {self._timeout_s:g} s") from error
            raise ConnectionError(str(error)) from error
        except UnicodeDecodeError as error:
            raise PartFailed(f"source at {self.resource_name}: a reply is not ASCII text ({error})") from error
        return self._note("read", reply)

    def _peer_closed(self) -> bool:
        """Return whether the other end has closed the connection and nothing is left to read."""
        if self._socket is None or not select.select([self._socket], [], [], 0)[0]:
            return False
        return not self._socket.recv(1, socket.MSG_PEEK)

    def _resynchronise(self, unanswered: str) -> str:
        """Bring questions and replies back in step; return what to say of the message that was not answered."""
        said = f'source at {self.resource_name}: no reply to "{unanswered}" in {self._timeout_s:g} s'
        assert self._session is not None
        try:
            self._session.clear()
            session = self._send(PROBE)
            while self._read(session) != self._probe_reply:
                pass
        except (pyvisa.VisaIOError, OSError, PartFailed):
            self.close()
            return f"{said}, nor to *IDN? after it; the connection is given up. Is the source switched on?"
        errors = "".join(f", and reports {error}" for error in self.errors())
        return f"{said}; it answers again{errors}"

    def _gone(self, message: str, error: Exception) -> PartFailed:
        self.close()
        return PartFailed(
            f'source at {self.resource_name} closed the connection at "{message}"; '
            f"was the source switched off? ({error})"
        )

    def _missing(self, reason: str) -> MissingPart:
        return MissingPart(
            f"source at {self.resource_name}: cannot connect ({reason}); "
            "is the source switched on, and its remote port enabled?"
        )

    def _note(self, direction: str, text: str) -> str:
        if self._transcript is not None:
            self._transcript(direction, text)
        return text


def error_number(reply: str) -> int:
    """Return the number of a reply to ``SYST:ERR?`` such as ``-222,"Data out of range"``."""
    number = reply.partition(",")[0].strip()
    try:
        return int(number)
    except ValueError:
        raise PartFailed(f'reply to "SYST:ERR?" is "{reply}", expected a number and a text') from None
