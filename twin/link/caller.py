"""The end of the link that connects; ZeroMQ makes a broken connection anew."""

from __future__ import annotations

import time
import uuid
from contextlib import suppress

import zmq

from teiden.errors import PartFailed
from twin.link.end import UNKNOWN_KEY, End
from twin.link.keys import Keys, guard_client

RETRY_S = 1.0  # after a handshake failed; a cut connection is made anew within 0.05 s


class Caller(End):
    """A socket that connects.

    Parameters
    ----------
    endpoint : str
        ``tcp://address:port`` of the other end.
    keys : Keys, optional
        Of this end; see `twin.link.keys`.
    heartbeat_ms : int
        See `End`.
    peer, own : str
        What the two ends are called in messages.
    """

    def __init__(self, endpoint: str, keys: Keys | None, heartbeat_ms: int, peer: str, own: str):
        super().__init__(zmq.DEALER, heartbeat_ms)
        self.endpoint = endpoint
        self._names = peer, own
        self._connected = False
        self._socket.setsockopt(zmq.ROUTING_ID, uuid.uuid4().bytes)  # stays the same when the connection is made anew
        self._socket.setsockopt(zmq.RECONNECT_IVL, 50)
        if keys is not None:
            guard_client(self._socket, keys)
        self._socket.connect(endpoint)

    def _put(self, frame: bytes) -> None:
        with suppress(zmq.Again):  # no connection now; what is unacknowledged is sent again when there is one
            self._socket.send(frame, zmq.NOBLOCK)

    def _get(self) -> bytes | None:
        try:
            return self._socket.recv(zmq.NOBLOCK)
        except zmq.Again:
            return None

    def _watch(self, event: int) -> None:
        super()._watch(event)
        self._connected = event == zmq.EVENT_HANDSHAKE_SUCCEEDED

    def _reaches_peer(self) -> bool:
        return self._connected or not self.connections

    def _look(self) -> None:
        """Raise PartFailed if the other end does not let this one in."""
        waited_s = time.monotonic() - self.refused_s
        if UNKNOWN_KEY in self.refused or (self.refused and not self.connections and waited_s > RETRY_S):
            peer, own = self._names
            raise PartFailed(f"{peer} at {self.endpoint}: this {own} was refused: {self.refused[-1]}")
