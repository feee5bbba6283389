"""What both ends of the link have in common: a socket that is watched, a channel, waits that end.

ZeroMQ carries frames and mends connections; `Channel` makes up for what is lost meanwhile. A peer that freezes is
noticed by ZeroMQ's heartbeats, a peer that is refused by the handshake's own events.
"""

from __future__ import annotations

import logging
import math
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import zmq
import zmq.utils.monitor

from teiden.errors import MissingPart, PartFailed
from twin.link.channel import Channel
from twin.link.heartbeat import GRACE_S, UNANSWERED
from twin.link.states import State, next_state
from twin.wire import MAX_BYTES, Failed, Message, Telemetry, decode, encode

LOG = logging.getLogger(__name__)
POLL_MS = 50  # how often a wait looks at what no socket tells
RESEND_S, RESEND_MOST_S = 1.0, 16.0  # unacknowledged for so long: sent again, then after twice the time
CUT_BYTES = 2 * MAX_BYTES  # a frame longer than this is not even read: ZeroMQ cuts the connection
UNKNOWN_KEY = "unknown key"
WATCHED = (
    zmq.EVENT_DISCONNECTED
    | zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)
HANDSHAKE_FAILED = (zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL, zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL)


class End(ABC):
    """One end of the link.

    Parameters
    ----------
    kind : int
        zmq.ROUTER or zmq.DEALER.
    heartbeat_ms : int
        How often the peer is asked for a sign of life; it is lost after `UNANSWERED` such times without one.
    """

    heartbeat_setting: ClassVar[str] = "link.heartbeat_ms"  # where a user changes it

    def __init__(self, kind: int, heartbeat_ms: int):
        self.heartbeat_ms = heartbeat_ms
        self.channel = Channel()
        self.state = State.OFFLINE
        self.connections = 0
        self.lost_s: float | None = None  # since when the peer is lost; None while it is there, or was not yet
        self.refused: list[str] = []  # why each peer that was not let in was not
        self.refused_s = 0.0  # when the last handshake failed
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(kind)
        self._socket.setsockopt(zmq.LINGER, 200)
        self._socket.setsockopt(zmq.MAXMSGSIZE, CUT_BYTES)
        self._socket.setsockopt(zmq.SNDHWM, 0)  # credits bound what is on its way; a full ROUTER would drop
        self._socket.setsockopt(zmq.RCVHWM, 0)
        self._socket.setsockopt(zmq.HEARTBEAT_IVL, heartbeat_ms)
        self._socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, UNANSWERED * heartbeat_ms)
        self._monitor = self._socket.get_monitor_socket(WATCHED)
        self._with_it: list[Callable[[], None]] = []  # closes what else is in the context
        self._poller = zmq.Poller()
        self.watch(self._poller)
        self._inbox: deque[Message] = deque()
        self._credits = self._owes_at_most = 1
        self._settle_at_s = 0.0
        self._acknowledged = 0  # when `_settle` looked last
        self._pause_s = RESEND_S
        self._resend_at_s = 0.0

    def allow(self, credits: int) -> None:
        """Take the number of events that the rig may have unacknowledged."""
        self._credits = credits
        self._owes_at_most = max(credits // 2, 1)

    def send(self, message: Message) -> None:
        """Send a message; it arrives once, and in order, for as long as both ends live.

        PartFailed if it does not fit the rig's state.
        """
        self.state = next_state(self.state, message)
        if not self.channel.unacknowledged:
            self._be_patient()
        self._put(self.channel.pack(encode(message)))

    def take(self, timeout_s: float) -> Any:
        """Return the peer's next message, None if none comes within a time.

        Raises
        ------
        PartFailed, MissingPart
            What the peer failed with; that it is lost or refused; that it sent what is no message.
        """
        deadline_s = time.monotonic() + timeout_s
        while not self._inbox:
            if self._read():
                continue
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                self._settle()
                return None
            self._wait(left_s)
        message = self._inbox.popleft()
        self.state = next_state(self.state, message)
        if isinstance(message, Failed):
            raise (MissingPart if message.missing else PartFailed)(message.text)
        return message

    def acknowledge(self) -> None:
        """Acknowledge what was taken now, not with what is sent next."""
        if self.channel.owed:
            self._put(self.channel.acknowledgement())

    def _read(self) -> bool:
        """Take the peer's next frame, if one is there, and return whether one was."""
        frame = self._get()
        if frame is None:
            return False
        payload = self.channel.unpack(frame)
        if payload is not None:
            message = decode(payload)
            if isinstance(message, Telemetry):
                raise PartFailed(f"link: {message!r} on the socket of events")
            self._inbox.append(message)
        if self.channel.owed >= self._owes_at_most:
            self._put(self.channel.acknowledgement())
        return True

    def _wait(self, longest_s: float) -> None:
        """Wait until something comes, or there is something else to do, but no longer than told."""
        self.prepare_wait()
        came = self._poller.poll(min(POLL_MS, math.ceil(longest_s * 1000)))
        if not came or came[0][0] is not self._socket:
            self._settle_at_s = 0.0

    def prepare_wait(self) -> None:
        """Acknowledge what was taken, and do what is due when nothing has come."""
        self.acknowledge()
        if time.monotonic() >= self._settle_at_s:
            self._settle()

    def watch(self, poller: zmq.Poller) -> None:
        """Let a poller see when something comes."""
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._monitor, zmq.POLLIN)

    def _settle(self) -> None:
        """Do what is due when nothing has come: acknowledge, send again, look after the connection."""
        self._settle_at_s = time.monotonic() + POLL_MS / 1000
        self.acknowledge()
        while self._monitor.poll(0):
            self._watch(zmq.utils.monitor.recv_monitor_message(self._monitor)["event"])
        news = self._look_for_peer()
        if self.channel.acknowledged != self._acknowledged:
            self._be_patient()
        elif self.channel.unacknowledged and time.monotonic() > self._resend_at_s:
            self._send_again()
        self._look()
        if news:
            LOG.warning("link: %s", news)

    def _look_for_peer(self) -> str:
        """Keep since when the peer is lost, and return what is new about that; nothing if nothing is."""
        if self._reaches_peer():
            back, self.lost_s = self.lost_s is not None, None
            return "the peer is back" if back else ""
        if self.lost_s is not None:
            return ""
        self.lost_s = time.monotonic()
        return f"the peer is gone or gives no sign of life; it has {GRACE_S:g} s to come back"

    def _watch(self, event: int) -> None:
        """Take what happened to a connection."""
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self.connections += 1
            if self.connections > 1:
                self._send_again()
        elif event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            self.refused.append(UNKNOWN_KEY)
        elif event in HANDSHAKE_FAILED:
            self.refused_s = time.monotonic()
            self.refused.append("the handshake failed; keys on one side only, or another program?")

    @property
    def lost_for_good(self) -> bool:
        """Whether the peer is lost and has had its time to come back."""
        return self.lost_s is not None and time.monotonic() - self.lost_s > GRACE_S

    @property
    def loss(self) -> str:
        """What is said of a peer that is lost for good, with the setting that gives it more time."""
        return (
            f"connection lost or frozen (no sign of life for {UNANSWERED} times {self.heartbeat_setting} = "
            f"{self.heartbeat_ms}, not back within {GRACE_S:g} s)"
        )

    def _be_patient(self) -> None:
        """Give the peer the full time to acknowledge: there is something new to acknowledge, or it just did."""
        self._acknowledged = self.channel.acknowledged
        self._pause_s = RESEND_S
        self._resend_at_s = time.monotonic() + RESEND_S

    def _send_again(self) -> None:
        for frame in self.channel.again():
            self._put(frame)
        self._pause_s = min(2 * self._pause_s, RESEND_MOST_S)
        self._resend_at_s = time.monotonic() + self._pause_s

    @abstractmethod
    def _put(self, frame: bytes) -> None:
        """Give a frame to the socket."""

    @abstractmethod
    def _get(self) -> bytes | None:
        """Return the peer's next frame, None if none is there."""

    @abstractmethod
    def _reaches_peer(self) -> bool:
        """Return whether there is a connection to the peer; true too before there was one."""

    @abstractmethod
    def _look(self) -> None:
        """Raise if waiting makes no sense any more."""

    def close(self) -> None:
        """Acknowledge what was taken and close the sockets; safe to call twice."""
        if self._socket.closed:
            return
        self.acknowledge()
        self._socket.disable_monitor()
        self._monitor.close(linger=0)
        self._socket.close()
        for close in self._with_it:
            close()
        self._context.term()


def wait_for_any(ends: Sequence[End], longest_s: float) -> None:
    """Wait until something comes at one of several ends, or one may have something else to do; no longer than told."""
    poller = zmq.Poller()
    for end in ends:
        end.prepare_wait()
        end.watch(poller)
    poller.poll(min(POLL_MS, math.ceil(longest_s * 1000)))
