"""Telemetry: the board's newest values for whoever looks, numbered, so that what is dropped is counted.

PUB/SUB drops what a slow reader does not take, without a word. Nothing that a result depends on goes this way.
"""

from __future__ import annotations

import time

import zmq

from teiden.errors import PartFailed
from twin.link.keys import Keys, guard_client, guard_server
from twin.wire import Telemetry, decode, encode

QUEUE = 1000  # messages either side holds before it drops
MEET_S = 1.0  # for the twin's subscription to reach a new publisher
LAST_S = 0.5  # for what is on its way at the end


class Subscriber:
    """The twin's side: it binds, keeps the newest value and counts gaps in the numbers.

    Parameters
    ----------
    context : zmq.Context
        Of the link, with whose authenticator it shares the keys.
    address : str
        Where to listen.
    keys : Keys, optional
        As of the link.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], address: str, keys: Keys | None):
        self.newest: Telemetry | None = None
        self.received = 0
        self.dropped = 0
        self._socket = context.socket(zmq.SUB)
        self._socket.setsockopt(zmq.RCVHWM, QUEUE)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.SUBSCRIBE, b"")
        if keys is not None:
            guard_server(self._socket, keys)
        self.port = self._socket.bind_to_random_port(f"tcp://{address}")

    def drain(self) -> None:
        """Take what is there; PartFailed for what is no telemetry."""
        while self._socket.poll(0):
            message = decode(self._socket.recv())
            if not isinstance(message, Telemetry):
                raise PartFailed(f"link: {message!r} instead of telemetry")
            self._take(message)

    def finish(self, sent: int) -> None:
        """Wait a moment for the last of so many messages and count what did not come."""
        deadline_s = time.monotonic() + LAST_S
        self.drain()
        while self._last < sent and time.monotonic() < deadline_s:
            self._socket.poll(50)
            self.drain()
        self.dropped += sent - self._last

    @property
    def _last(self) -> int:
        return self.newest.number if self.newest is not None else 0

    def _take(self, message: Telemetry) -> None:
        self.dropped += message.number - self._last - 1
        self.received += 1
        self.newest = message

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class Publisher:
    """The rig's side: it connects, and never waits for the twin but at the beginning.

    Parameters
    ----------
    context : zmq.Context
    endpoint : str
        Of the twin's subscriber.
    keys : Keys, optional
        As of the link.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], endpoint: str, keys: Keys | None):
        self.sent = 0
        self._socket = context.socket(zmq.XPUB)  # a PUB that is told of its subscriber
        self._socket.setsockopt(zmq.SNDHWM, QUEUE)
        self._socket.setsockopt(zmq.LINGER, 200)
        if keys is not None:
            guard_client(self._socket, keys)
        self._socket.connect(endpoint)
        if self._socket.poll(round(MEET_S * 1000)):
            self._socket.recv()

    def publish(self, t_ns: int, u_rms_half_v: float, frequency_hz: float) -> None:
        """Send the values of a moment; drop them if the twin does not keep up."""
        self.sent += 1
        self._socket.send(encode(Telemetry(self.sent, t_ns, u_rms_half_v, frequency_hz)), zmq.NOBLOCK)

    def close(self) -> None:
        """Close the socket after what was sent is out, within a fifth of a second."""
        self._socket.close()
