"""The twin's end of the link: it binds, talks to exactly one rig, and turns everybody else away."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import zmq
from zmq.auth.thread import ThreadAuthenticator

from teiden.errors import MissingPart, PartFailed
from twin.link.channel import HEADER
from twin.link.end import HEARTBEAT_MS, End
from twin.link.keys import Keys, admit_only, guard_server, require_keys
from twin.link.telemetry import Subscriber
from twin.wire import Failed, Hello, decode, encode

GRACE_S = 2.0  # for a lost rig to come back, or for its dying process to end, before it is called lost or frozen


class TwinEnd(End):
    """The twin's socket.

    The first peer that says hello is the rig. What others send is answered with `Failed`, counted, and forgotten.

    Parameters
    ----------
    port : int
        TCP port; 0 takes any free one.
    alive : callable
        Returns None while the rig's process lives, else a line saying how it ended.
    address : str
        Where to listen; other than loopback it needs keys.
    keys : Keys, optional
        Encrypts, and lets the holder of the rig's key in only.
    heartbeat_ms : int
        See `End`.

    Raises
    ------
    MissingPart
        If the port is taken.
    InputError
        If the address is not loopback and there are no keys.
    """

    def __init__(
        self,
        port: int = 0,
        alive: Callable[[], str | None] = lambda: None,
        *,
        address: str = "127.0.0.1",
        keys: Keys | None = None,
        heartbeat_ms: int = HEARTBEAT_MS,
    ):
        require_keys(address, keys)
        super().__init__(zmq.ROUTER, heartbeat_ms)
        self.alive = alive
        self.strangers = 0
        self._peer: bytes | None = None
        self._socket.setsockopt(zmq.ROUTER_HANDOVER, 1)  # a rig that comes back takes its name over
        self._authenticator: ThreadAuthenticator | None = None
        if keys is not None:
            self._authenticator = admit_only(self._context, keys)
            guard_server(self._socket, keys)
        self.telemetry = Subscriber(self._context, address, keys)
        try:
            self._socket.bind(f"tcp://{address}:{port or '*'}")
        except zmq.ZMQError as error:
            self.close()
            raise MissingPart(f"link.port = {port}: {error.strerror}; choose another, or 0 for any free one") from error
        self.endpoint = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)

    def receive(self, timeout_s: float, waiting_for: str) -> Any:
        """Return the next message.

        Raises
        ------
        PartFailed
            If the rig's process ended, its connection broke, it reported a failure, or nothing
            came within ``timeout_s``; the message says what was waited for.
        """
        try:
            message = self.take(timeout_s)
        except RigLost as lost:
            raise PartFailed(f"{lost} while the twin waited for {waiting_for}") from None
        if message is None:
            raise PartFailed(f"rig ({self.state}): no {waiting_for} within {timeout_s:g} s{self._turned_away()}")
        return message

    def _turned_away(self) -> str:
        said = f"; {self.strangers} messages of others were refused" if self.strangers else ""
        if self.refused:
            said += f"; {len(self.refused)} peers were not let in, the last because {self.refused[-1]}"
        return said

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
            reason = Failed("link: this run has a rig already" if self._peer else "link: no hello of this protocol")
            self._socket.send_multipart([peer, HEADER.pack(1, 0) + encode(reason)])

    def _welcome(self, peer: bytes, frame: bytes) -> bool:
        """Take the sender of a hello as the rig."""
        try:
            hello = isinstance(decode(frame[HEADER.size :]), Hello)
        except PartFailed:
            return False
        if hello:
            self._peer = peer
        return hello

    def _put(self, frame: bytes) -> None:
        if self._peer is None:
            raise PartFailed("link: no rig has connected yet")
        self._socket.send_multipart([self._peer, frame])

    def _look(self) -> None:
        self.telemetry.drain()
        ended = self.alive()
        if ended is not None and not self._socket.poll(0):
            raise RigLost(f"rig ({self.state}): {ended}")
        if self._peer is not None and self.lost_s is not None and time.monotonic() - self.lost_s > GRACE_S:
            raise RigLost(f"rig ({self.state}): connection lost or frozen")

    def _close_more(self) -> None:
        self.telemetry.close()
        if self._authenticator is not None:
            self._authenticator.stop()


class RigLost(PartFailed):
    """The rig is gone, and how."""
