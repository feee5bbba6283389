"""The messages between twin and rig, and the twin's end of the link.

The twin is the time master. It grants the rig one window at a time; the rig runs its board to the
end of the grant, reports what happened as numbered events, and closes the window with `Done`.
Events carry board time; the twin orders them by (time, sequence), never by arrival. The rig may
have at most ``credits`` events unacknowledged. Every wait has an end.

Transport: ZeroMQ ROUTER (twin, binds on loopback) and DEALER (rig), one msgpack frame per message.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec
import zmq
import zmq.utils.monitor

from teiden.errors import MissingPart, PartFailed

PROTO = 1
HEARTBEAT_MS = 1000  # a frozen peer is dropped after three of these; generous on a loaded machine
POLL_MS = 50  # how often a wait looks whether the peer's process still lives
DYING_S = 2.0  # how long a process whose connection closed may take to end before it is called frozen


class Message(msgspec.Struct, frozen=True, tag_field="type", array_like=False):
    """Base of all messages; msgspec tags each with its class name."""


class Hello(Message, frozen=True, tag="hello"):
    """Rig to twin, first: somebody is there and speaks this protocol."""

    proto: int


class Configure(Message, frozen=True, tag="configure"):
    """Twin to rig: which meter the board is and how it shall behave."""

    meter: int
    key: bytes
    seed: int
    nominal_v: float
    nominal_hz: int
    point_on_wave_deg: float
    source_port: int
    clocks_per_sample: int
    declare_ns: int
    window_ns: int  # random start of the Last Gasp
    confirm_return_ns: int
    notice_window_ns: int
    handoff_ns: int  # from metrology to the radio
    answer_ns: int  # from a poll at the radio to its answer at the radio
    holdup_nj: int
    listen_nw: int  # draw on the hold-up store
    sends_notices: bool
    credits: int


class Ready(Message, frozen=True, tag="ready"):
    """Rig to twin: configured, source on, board armed, at simulated time 0; and what the rig is made of."""

    board: str  # "sim" or "pynq"
    source: str  # the source's *IDN?
    rtl_hash: str
    simulator: str
    sample_rate_hz: int


class SupplyChange(Message, frozen=True, tag="supply"):
    """The mains at the board's place changes to ``residual_pu`` of nominal at ``t_ns``."""

    t_ns: int
    residual_pu: float


class Downlink(Message, frozen=True, tag="downlink"):
    """A poll that reached the board's radio at ``t_ns``, in the window before; ``poll`` comes back in the answer."""

    t_ns: int
    poll: int


class Grant(Message, frozen=True, tag="grant"):
    """Twin to rig: run to ``until_ns``.

    ``supply`` holds the changes of the mains inside this window, ``downlinks`` what the radio
    received in the window before.
    """

    window: int
    until_ns: int
    supply: list[SupplyChange] = []
    downlinks: list[Downlink] = []


class BoardEvent(Message, frozen=True, tag="event"):
    """Rig to twin: the front-end registered something.

    ``kind`` is one of t0, power_fail, power_fail_confirmed, power_fail_withdrawn, power_return.
    """

    sequence: int
    t_ns: int
    kind: str
    sample: int
    t0_source: str
    t0_bound_ns: int


class Notice(Message, frozen=True, tag="notice"):
    """Rig to twin: the board's radio sends these bytes at ``t_ns``."""

    sequence: int
    t_ns: int
    kind: str  # last_gasp, power_return or poll_answer
    message_sequence: int
    detected_ns: int
    counter: int
    energy_left_uj: int
    data: bytes
    poll: int = -1  # which poll a poll_answer answers


class Ack(Message, frozen=True, tag="ack"):
    """Twin to rig: everything up to ``sequence`` has arrived."""

    sequence: int


class Done(Message, frozen=True, tag="done"):
    """Rig to twin: the window is over; ``sent`` is the sequence of the last event sent so far."""

    window: int
    t_ns: int
    sent: int


class Stop(Message, frozen=True, tag="stop"):
    """Twin to rig: the run is over; answer with `Stopped` and end."""


class Stopped(Message, frozen=True, tag="stopped"):
    """Rig to twin, last: what was recorded.

    Waveform and half-cycle values as parallel lists; ``waveform_first`` is the sample counter of the first value.
    """

    waveform_first: int
    waveform_v: list[float]
    half_cycle_t_ns: list[int]
    half_cycle_v: list[float]
    half_cycle_hz: list[float]
    samples: int
    flags: list[str]


class Failed(Message, frozen=True, tag="failed"):
    """Either way: the sender cannot go on, and why; ``missing`` tells a part that is not there."""

    text: str
    missing: bool = False


AnyMessage = Hello | Configure | Ready | Grant | BoardEvent | Notice | Ack | Done | Stop | Stopped | Failed

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(AnyMessage)


def encode(message: Message) -> bytes:
    """Return the message as msgpack."""
    return _encoder.encode(message)


def decode(data: bytes) -> Any:
    """Return the message in ``data``; PartFailed if it is none of ours."""
    try:
        return _decoder.decode(data)
    except msgspec.MsgspecError as error:
        raise PartFailed(f"link: {len(data)} bytes that are no message of protocol {PROTO}: {error}") from error


class TwinEnd:
    """The twin's socket: binds, talks to exactly one rig, waits no longer than told.

    Parameters
    ----------
    port : int
        TCP port on loopback; 0 takes any free one.
    alive : callable
        Returns None while the rig's process lives, else a line saying how it ended.

    Raises
    ------
    MissingPart
        If the port is taken.
    """

    def __init__(self, port: int = 0, alive: Callable[[], str | None] = lambda: None):
        self.alive = alive
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.setsockopt(zmq.LINGER, 200)
        self._socket.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
        self._socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 3 * HEARTBEAT_MS)
        self._monitor = self._socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self._peer: bytes | None = None
        try:
            self._socket.bind(f"tcp://127.0.0.1:{port or '*'}")
        except zmq.ZMQError as error:
            self.close()
            raise MissingPart(f"link.port = {port}: {error.strerror}; choose another, or 0 for any free one") from error
        self.endpoint = self._socket.getsockopt_string(zmq.LAST_ENDPOINT)

    def send(self, message: Message) -> None:
        """Send to the rig; PartFailed if none has spoken yet."""
        if self._peer is None:
            raise PartFailed("link: no rig has connected yet")
        self._socket.send_multipart([self._peer, encode(message)])

    def receive(self, timeout_s: float, waiting_for: str) -> Any:
        """Return the next message.

        Raises
        ------
        PartFailed
            If the rig's process ended, its connection broke, it reported a failure, or nothing
            came within ``timeout_s``; the message says what was waited for.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            if self._socket.poll(POLL_MS):
                return self._take()
            ended = self.alive()
            if ended is not None and not self._socket.poll(0):
                raise PartFailed(f"rig: {ended} while the twin waited for {waiting_for}")
            if self._monitor.poll(0):
                zmq.utils.monitor.recv_monitor_message(self._monitor)
                if self._peer is not None and not self._socket.poll(POLL_MS):
                    raise PartFailed(f"rig: {self._why_lost()} while the twin waited for {waiting_for}")
            if time.monotonic() > deadline:
                raise PartFailed(f"rig: no {waiting_for} within {timeout_s:g} s")

    def _why_lost(self) -> str:
        """Return how the rig's process ended; a dying process closes its connection before it can be waited for."""
        deadline = time.monotonic() + DYING_S
        while (ended := self.alive()) is None and time.monotonic() < deadline:
            time.sleep(POLL_MS / 1000)
        return ended or "connection lost or frozen"

    def _take(self) -> Any:
        peer, *parts = self._socket.recv_multipart()
        message = decode(parts[-1] if parts else b"")
        if self._peer is None:
            self._peer = peer
        elif peer != self._peer:
            raise PartFailed("link: a second rig spoke up; one run has one rig")
        if isinstance(message, Failed):
            raise (MissingPart if message.missing else PartFailed)(message.text)
        return message

    def close(self) -> None:
        """Close the sockets; safe to call twice."""
        self._socket.disable_monitor()
        self._monitor.close(linger=0)
        self._socket.close()
        self._context.term()


class Lockstep:
    """One rig in lockstep: the handshake, then window after window.

    Parameters
    ----------
    end : TwinEnd
        The bound socket.
    timeout_s : float
        Longest wait for an answer once the rig runs.
    """

    def __init__(self, end: TwinEnd, timeout_s: float):
        self._end = end
        self._timeout_s = timeout_s
        self._window = 0
        self._received = 0
        self._until_ns = 0

    def start(self, configure: Configure, patience_s: float = 600.0) -> Ready:
        """Meet the rig and configure it; it may take long to be ready, because it may have to compile its RTL."""
        hello = self._end.receive(patience_s, "hello")
        if not isinstance(hello, Hello) or hello.proto != PROTO:
            raise PartFailed(f"rig: {hello!r} instead of a hello of protocol {PROTO}; same version on both sides?")
        self._end.send(configure)
        ready: Ready = self._expect(Ready, "ready", patience_s)
        return ready

    def grant(self, until_ns: int, supply: list[SupplyChange], downlinks: list[Downlink]) -> None:
        """Let the rig run to ``until_ns``; returns at once."""
        self._window += 1
        self._until_ns = until_ns
        self._end.send(Grant(self._window, until_ns, supply, downlinks))

    def collect(self) -> list[BoardEvent | Notice]:
        """Wait for the end of the granted window; return its events ordered by (time, sequence)."""
        events: list[BoardEvent | Notice] = []
        while True:
            message = self._end.receive(self._timeout_s, f"window {self._window} (to t = {self._until_ns / 1e9:g} s)")
            if isinstance(message, (BoardEvent, Notice)):
                self._received += 1
                if message.sequence != self._received:
                    raise PartFailed(f"link: event {message.sequence} came, expected {self._received}; one was lost")
                self._end.send(Ack(message.sequence))
                events.append(message)
            elif isinstance(message, Done) and message.window == self._window and message.sent == self._received:
                return sorted(events, key=lambda e: (e.t_ns, e.sequence))
            else:
                raise PartFailed(f"link: {message!r} does not fit window {self._window} with {self._received} events")

    def stop(self) -> Stopped:
        """End the rig's run and return what it recorded."""
        self._end.send(Stop())
        return self._expect(Stopped, "stopped", self._timeout_s)

    def _expect(self, kind: type, name: str, patience_s: float) -> Any:
        message = self._end.receive(patience_s, name)
        if not isinstance(message, kind):
            raise PartFailed(f"rig: {message!r} instead of {name}")
        return message
