"""The rig's end of the link to the twin: credits, bounded waits; it connects, or is served for twins that call."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections import deque
from contextlib import suppress
from typing import Any

from teiden.errors import PartFailed
from twin.link.caller import Caller
from twin.link.end import POLL_MS, End
from twin.link.heartbeat import HEARTBEAT_MS
from twin.link.keys import Keys
from twin.link.listener import Listener
from twin.link.telemetry import Publisher
from twin.wire import PROTO, Call, Hello, Message

PATIENCE_S = 600.0  # longest silence of the twin: a window of a million meters may take a while
FLUSH_S = 2.0  # for the twin to take the last messages


class TwinLost(PartFailed):
    """The twin has gone: nothing came from it for too long, or its connection broke."""


class RigSide(End):
    """What the rig asks of its end, however it is connected."""

    publisher: Publisher

    def _begin(self, patience_s: float, keys: Keys | None) -> None:
        self._patience_s = patience_s
        self._sequence = 0
        self._events: deque[int] = deque()  # numbers of those not acknowledged
        self.publisher = Publisher(self._context, keys)
        self._with_it.insert(0, self.publisher.close)

    def hello(self) -> None:
        """Say the first word."""
        self.send(Hello(PROTO))

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
        """Wait until the twin has acknowledged everything or is lost, but no longer than `FLUSH_S`."""
        deadline_s = time.monotonic() + FLUSH_S
        with suppress(TwinLost):
            while self.channel.unacknowledged and time.monotonic() < deadline_s:
                if not self._read():
                    self._wait(POLL_MS / 1000)

    def _look_after_twin(self) -> None:
        """Raise TwinLost if the twin is gone."""
        if self.lost_for_good:
            raise TwinLost(f"twin ({self.state}): {self.loss}")

    @abstractmethod
    def open_telemetry(self, port: int) -> Publisher:
        """Return the way for telemetry to the twin; ``port`` is the twin's, if it listens. Closed with the link."""


class RigEnd(RigSide, Caller):
    """Talk to the twin that started this rig.

    Parameters
    ----------
    endpoint : str
        ``tcp://address:port`` of the twin's socket.
    patience_s : float
        Longest silence of the twin before the rig gives up.
    keys : Keys, optional
        Of the rig; see `twin.link.keys`.
    heartbeat_ms : int
        See `End`.
    """

    def __init__(
        self,
        endpoint: str,
        patience_s: float = PATIENCE_S,
        keys: Keys | None = None,
        heartbeat_ms: int = HEARTBEAT_MS,
    ):
        super().__init__(endpoint, keys, heartbeat_ms, peer="twin", own="rig")
        self._begin(patience_s, keys)

    def open_telemetry(self, port: int) -> Publisher:
        """Return the way for telemetry to the twin, at a port of its address; closed with the link."""
        self.publisher.connect(self.endpoint, port)
        self.publisher.meet()
        return self.publisher

    def _look(self) -> None:
        Caller._look(self)
        self._look_after_twin()


class ServedRig(RigSide, Listener):
    """Talk to the first twin that calls.

    Parameters
    ----------
    port : int
        TCP port; 0 takes any free one.
    address : str
        Where to listen; other than loopback it needs keys.
    keys : Keys, optional
        Of the rig: encrypts, and lets the holder of the twin's key in only.
    heartbeat_ms : int
        See `End`.
    patience_s : float
        Longest silence of the twin before the rig gives up.
    """

    begins_with = Call
    taken = "link: this rig is in another run; wait for its end"
    heartbeat_setting = "--heartbeat-ms"

    def __init__(
        self,
        port: int = 0,
        address: str = "127.0.0.1",
        keys: Keys | None = None,
        heartbeat_ms: int = HEARTBEAT_MS,
        patience_s: float = PATIENCE_S,
    ):
        super().__init__(port, address, keys, heartbeat_ms)
        self._begin(patience_s, keys)
        self._telemetry_port = self.publisher.bind(address)

    def hello(self) -> None:
        """Answer the call, and say where telemetry is."""
        self.send(Hello(PROTO, self._telemetry_port))

    def open_telemetry(self, port: int) -> Publisher:
        """Return the way for telemetry, which the twin has connected to; closed with the link."""
        self.publisher.meet()
        return self.publisher

    def _look(self) -> None:
        self._look_after_twin()
