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
    """The twin's side: it keeps the newest value and counts gaps in the numbers.

    Parameters
    ----------
    context : zmq.Context
        Of the link, with whose authenticator it shares the keys.
    keys : Keys, optional
        As of the link.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], keys: Keys | None):
        self.newest: Telemetry | None = None
        self.received = 0
        self.dropped = 0
        self.port = 0
        self._keys = keys
        self._socket = context.socket(zmq.SUB)
        self._socket.setsockopt(zmq.RCVHWM, QUEUE)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.SUBSCRIBE, b"")

    def bind(self, address: str) -> None:
        """Listen at any port of an address."""
        if self._keys is not None:
            guard_server(self._socket, self._keys)
        self.port = self._socket.bind_to_random_port(f"tcp://{address}")

    def connect(self, endpoint: str, port: int) -> None:
        """Listen to the publisher at a port of the endpoint's host."""
        if self._keys is not None:
            guard_client(self._socket, self._keys)
        self._socket.connect(at_port(endpoint, port))

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
    """The rig's side; it never waits for the twin but at the beginning.

    Parameters
    ----------
    context : zmq.Context
    keys : Keys, optional
        As of the link.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], keys: Keys | None):
        self.sent = 0
        self._keys = keys
        self._socket = context.socket(zmq.XPUB)  # a PUB that is told of its subscriber
        self._socket.setsockopt(zmq.SNDHWM, QUEUE)
        self._socket.setsockopt(zmq.LINGER, 200)

    def connect(self, endpoint: str, port: int) -> None:
        """Publish to the subscriber at a port of the endpoint's host."""
        if self._keys is not None:
            guard_client(self._socket, self._keys)
        self._socket.connect(at_port(endpoint, port))

    def bind(self, address: str) -> int:
        """Publish at any port of an address, and return it."""
        if self._keys is not None:
            guard_server(self._socket, self._keys)
        return self._socket.bind_to_random_port(f"tcp://{address}")

    def meet(self) -> None:
        """Wait a moment for the subscriber, so that the first values are not dropped."""
        if self._socket.poll(round(MEET_S * 1000)):
            self._socket.recv()

    def publish(self, t_ns: int, u_rms_half_v: float, frequency_hz: float) -> None:
        """Send the values of a moment; drop them if the twin does not keep up."""
        self.sent += 1
        self._socket.send(encode(Telemetry(self.sent, t_ns, u_rms_half_v, frequency_hz)), zmq.NOBLOCK)

    def close(self) -> None:
        """Close the socket after what was sent is out, within a fifth of a second."""
        self._socket.close()


def at_port(endpoint: str, port: int) -> str:
    """Return the endpoint at another port of the same host."""
    return f"{endpoint.rpartition(':')[0]}:{port}"
