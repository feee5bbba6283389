"""The rig's end of the link to the twin: DEALER socket, credits, bounded waits."""

from __future__ import annotations

import time
import uuid
from collections import deque
from contextlib import suppress
from typing import Any

import zmq

from teiden.errors import PartFailed
from twin.link.end import HEARTBEAT_MS, POLL_MS, UNKNOWN_KEY, End
from twin.link.keys import Keys, guard_client
from twin.link.telemetry import Publisher
from twin.wire import Message

RETRY_S = 1.0  # after a handshake failed; a cut connection is made anew within 0.05 s
FLUSH_S = 2.0  # for the twin to take the last messages


class TwinLost(PartFailed):
    """The twin has gone: nothing came from it for too long."""


class RigEnd(End):
    """Talk to one twin.

    Parameters
    ----------
    endpoint : str
        ``tcp://address:port`` of the twin's socket.
    patience_s : float
        Longest silence of the twin before the rig gives up: a window of a million meters may take a while.
    keys : Keys, optional
        Of the rig; see `twin.link.keys`.
    heartbeat_ms : int
        See `End`.
    """

    def __init__(
        self,
        endpoint: str,
        patience_s: float = 600.0,
        keys: Keys | None = None,
        heartbeat_ms: int = HEARTBEAT_MS,
    ):
        super().__init__(zmq.DEALER, heartbeat_ms)
        self._endpoint = endpoint
        self._patience_s = patience_s
        self._keys = keys
        self._publisher: Publisher | None = None
        self._socket.setsockopt(zmq.ROUTING_ID, uuid.uuid4().bytes)  # stays the same when the connection is made anew
        self._socket.setsockopt(zmq.RECONNECT_IVL, 50)
        if keys is not None:
            guard_client(self._socket, keys)
        self._socket.connect(endpoint)
        self._sequence = 0
        self._events: deque[int] = deque()  # numbers of those not acknowledged

    @property
    def sent(self) -> int:
        """Sequence of the last event sent."""
        return self._sequence

    def next_sequence(self) -> int:
        """Return the sequence of the next event; every number must be sent."""
        self._sequence += 1
        return self._sequence

    def send_event(self, event: Message) -> None:
        """Send a numbered event, waiting for credit first."""
        deadline_s = time.monotonic() + self._patience_s
        while self._on_their_way() >= self._credits:
            if self._read():
                continue
            if time.monotonic() > deadline_s:
                raise TwinLost(f"twin: no credit within {self._patience_s:g} s")
            self._wait(POLL_MS / 1000)
        self.send(event)
        self._events.append(self.channel.sent)

    def _on_their_way(self) -> int:
        """Return how many events are not acknowledged."""
        while self._events and self._events[0] <= self.channel.acknowledged:
            self._events.popleft()
        return len(self._events)

    def receive(self) -> Any:
        """Return the twin's next message."""
        message = self.take(self._patience_s)
        if message is None:
            raise TwinLost(f"twin: no message within {self._patience_s:g} s")
        return message

    def flush(self) -> None:
        """Wait until the twin has acknowledged everything, but no longer than `FLUSH_S`."""
        deadline_s = time.monotonic() + FLUSH_S
        while self.channel.unacknowledged and time.monotonic() < deadline_s:
            if not self._read():
                self._wait(POLL_MS / 1000)

    def open_telemetry(self, port: int) -> Publisher:
        """Return the way for telemetry to the twin, at a port of the same address; closed with the link."""
        address = self._endpoint.rpartition(":")[0]
        self._publisher = Publisher(self._context, f"{address}:{port}", self._keys)
        return self._publisher

    def _close_more(self) -> None:
        if self._publisher is not None:
            self._publisher.close()

    def _put(self, frame: bytes) -> None:
        with suppress(zmq.Again):  # no connection now; what is unacknowledged is sent again when there is one
            self._socket.send(frame, zmq.NOBLOCK)

    def _get(self) -> bytes | None:
        try:
            return self._socket.recv(zmq.NOBLOCK)
        except zmq.Again:
            return None

    def _look(self) -> None:
        waited_s = time.monotonic() - self.refused_s
        if UNKNOWN_KEY in self.refused or (self.refused and not self.connections and waited_s > RETRY_S):
            raise PartFailed(f"twin at {self._endpoint}: this rig was refused: {self.refused[-1]}")
