"""The end of the link that binds: it talks to exactly one peer and turns everybody else away."""

from __future__ import annotations

from typing import ClassVar

import zmq

from teiden.errors import MissingPart, PartFailed
from twin.link.channel import HEADER
from twin.link.end import End
from twin.link.keys import Keys, admit_only, guard_server, require_keys
from twin.wire import Failed, Message, decode, encode


class Listener(End):
    """A socket that binds. The first peer that begins with `begins_with` is the peer; others are refused and counted.

    Parameters
    ----------
    port : int
        TCP port; 0 takes any free one.
    address : str
        Where to listen; other than loopback it needs keys.
    keys : Keys, optional
        Encrypts, and lets the holder of the peer's key in only.
    heartbeat_ms : int
        See `End`.

    Raises
    ------
    MissingPart
        If the port is taken.
    InputError
        If the address is not loopback and there are no keys.
    """

    begins_with: ClassVar[type[Message]]
    taken: ClassVar[str]  # what a second peer is told

    def __init__(self, port: int, address: str, keys: Keys | None, heartbeat_ms: int):
        require_keys(address, keys)
        super().__init__(zmq.ROUTER, heartbeat_ms)
        self.strangers = 0
        self._peer: bytes | None = None
        self._socket.setsockopt(zmq.ROUTER_HANDOVER, 1)  # a peer that comes back takes its name over
        self._socket.setsockopt(zmq.ROUTER_MANDATORY, 1)  # who is not connected is told apart, not dropped in silence
        if keys is not None:
            self._with_it.append(admit_only(self._context, keys).stop)
            guard_server(self._socket, keys)
        try:
            self._socket.bind(f"tcp://{address}:{port or '*'}")
        except zmq.ZMQError as error:
            self.close()
            raise MissingPart(f"link.port = {port}: {error.strerror}; choose another, or 0 for any free one") from error
        self.endpoint = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)

    def _get(self) -> bytes | None:
        while True:
            try:
                peer, *frames = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return None
            frame = frames[0] if len(frames) == 1 else b""
            if peer == self._peer or (self._peer is None and self._welcome(peer, frame)):
                return frame
            self.strangers += 1
            kind = self.begins_with.__name__.lower()
            reason = Failed(self.taken if self._peer else f"link: no {kind} of this protocol")
            self._give(peer, HEADER.pack(1, 0) + encode(reason))

    def _welcome(self, peer: bytes, frame: bytes) -> bool:
        """Take the sender of the first right message as the peer."""
        try:
            right = isinstance(decode(frame[HEADER.size :]), self.begins_with)
        except PartFailed:
            return False
        if right:
            self._peer = peer
        return right

    def _put(self, frame: bytes) -> None:
        if self._peer is None:
            raise PartFailed("link: nobody has connected yet")
        self._give(self._peer, frame)  # without a connection: what is unacknowledged is sent again when there is one

    def _reaches_peer(self) -> bool:
        """Ask by an acknowledgement: connections of others say nothing of the peer."""
        return self._peer is None or self._give(self._peer, self.channel.acknowledgement())

    def _give(self, peer: bytes, frame: bytes) -> bool:
        """Send a frame to somebody, and return whether there is a connection to it."""
        try:
            self._socket.send_multipart([peer, frame])
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            return False
        return True
