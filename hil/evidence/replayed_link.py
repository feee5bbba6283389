"""A message link that answers from a transcript instead of an instrument."""

from __future__ import annotations

import socket
from typing import cast

from pyvisa.resources import MessageBasedResource

from hil.evidence.transcript import Tape
from hil.source.link import ScpiLink


class ReplayedLink(ScpiLink):
    """Answer every message as the instrument did; another message than the recorded one is a `Departure`.

    A reply that did not come does not come again, and the link does about it what it did then.

    Parameters
    ----------
    resource_name : str
        What messages call the source.
    tape : Tape
    """

    def __init__(self, resource_name: str, tape: Tape):
        self._tape = tape
        super().__init__(resource_name)

    def _open(self) -> MessageBasedResource:
        return cast(MessageBasedResource, _TapeSession(self._tape))

    def _raw_socket(self) -> socket.socket | None:
        return None


class _TapeSession:
    """What the link uses of a VISA session."""

    def __init__(self, tape: Tape):
        self._tape = tape

    def write(self, message: str) -> None:
        """Compare a message with the recorded one."""
        self._tape.take(way="write", text=message)

    def read(self) -> str:
        """Return the recorded reply; TimeoutError where there was none."""
        if not self._tape.follows(way="read"):
            raise TimeoutError("no reply in the recording")
        return str(self._tape.take(way="read")["text"])

    def clear(self) -> None:
        """Do nothing: what came late is in the recording."""

    def close(self) -> None:
        """Do nothing."""
