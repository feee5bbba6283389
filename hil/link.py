"""The rig's end of the link to the twin: DEALER socket, credits, bounded waits."""

from __future__ import annotations

import time
from typing import Any

import zmq

from teiden.errors import PartFailed
from twin.wire import HEARTBEAT_MS, POLL_MS, Ack, Failed, Message, decode, encode


class TwinLost(PartFailed):
    """The twin has gone: nothing came from it for too long."""


class RigEnd:
    """Talk to one twin.

    Parameters
    ----------
    endpoint : str
        ``tcp://127.0.0.1:port`` of the twin's socket.
    patience_s : float
        Longest silence of the twin before the rig gives up: a window of a million meters may take a while.
    """

    def __init__(self, endpoint: str, patience_s: float = 600.0):
        self._patience_s = patience_s
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 1000)
        self._socket.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
        self._socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 3 * HEARTBEAT_MS)
        self._socket.connect(endpoint)
        self._sequence = 0
        self._acknowledged = 0
        self._credits = 1

    @property
    def sent(self) -> int:
        """Sequence of the last event sent."""
        return self._sequence

    def allow(self, credits: int) -> None:
        """Take the number of events that may be unacknowledged."""
        self._credits = credits

    def next_sequence(self) -> int:
        """Return the sequence of the next event; every number must be sent."""
        self._sequence += 1
        return self._sequence

    def send(self, message: Message) -> None:
        """Send a message that needs no credit."""
        self._socket.send(encode(message))

    def send_event(self, event: Message) -> None:
        """Send a numbered event, waiting for credit first."""
        while self._sequence - self._acknowledged > self._credits:
            message = self._next("credit")
            if not isinstance(message, Ack):
                raise PartFailed(f"link: {message!r} while waiting for credit")
            self._acknowledged = max(self._acknowledged, message.sequence)
        self.send(event)

    def receive(self) -> Any:
        """Return the twin's next message that is no acknowledgement."""
        while True:
            message = self._next("message")
            if isinstance(message, Ack):
                self._acknowledged = max(self._acknowledged, message.sequence)
            elif isinstance(message, Failed):
                raise PartFailed(message.text)
            else:
                return message

    def _next(self, what: str) -> Any:
        deadline = time.monotonic() + self._patience_s
        while time.monotonic() < deadline:
            if self._socket.poll(POLL_MS):
                return decode(self._socket.recv())
        raise TwinLost(f"twin: no {what} within {self._patience_s:g} s")

    def close(self) -> None:
        """Close the socket after what was sent is out, within a second."""
        self._socket.close()
        self._context.term()
