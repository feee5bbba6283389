"""The messages between twin and rig; `twin.link` carries them.

The twin is the time master. In lockstep it grants the rig one window at a time; the rig runs its board to the
end of the grant, reports what happened as numbered events, and closes the window with `Done`.
Events carry board time; the twin orders them by (time, sequence), never by arrival.
"""

from __future__ import annotations

from typing import Any

import msgspec

from teiden.errors import PartFailed

PROTO = 3
MAX_BYTES = 1 << 20  # of one message; the longest, a chunk of half cycles, takes a third of it


class Message(msgspec.Struct, frozen=True, tag_field="type", array_like=False):
    """Base of all messages; msgspec tags each with its class name."""


class Call(Message, frozen=True, tag="call"):
    """Twin to a rig that is served: I speak this protocol and want you for a run; it answers with `Hello`."""

    proto: int


class Hello(Message, frozen=True, tag="hello"):
    """Rig to twin, first: somebody is there and speaks this protocol."""

    proto: int
    telemetry_port: int = 0  # where a rig that is served publishes


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
    telemetry_port: int
    real_time: bool
    adapter: str = "compiled"  # what the front-end runs on; a rig that is served has its own
    python: str = ""  # interpreter of that adapter, if it needs one
    source_seed: int = 1  # of the command latencies of a simulated source


class Configured(Message, frozen=True, tag="configured"):
    """Rig to twin: the configuration is understood; now the bench is made ready."""


class Ready(Message, frozen=True, tag="ready"):
    """Rig to twin: configured, source on, board armed, at simulated time 0; and what the rig is made of."""

    board: str  # "sim", "model" or "pynq-simulated"
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


class Start(Message, frozen=True, tag="start"):
    """Twin to rig, in real time: let the board run from now on, its time 0; nobody waits for anybody."""


class ReadCounter(Message, frozen=True, tag="read_counter"):
    """Twin to rig, in real time: read the board's counter and say at once what it reads."""

    number: int


class Counter(Message, frozen=True, tag="counter"):
    """Rig to twin: the board's counter at some moment between `ReadCounter` and this; how far the board is behind."""

    number: int
    samples: int
    behind_ns: int  # of the wall clock; the worst since the last one


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


class Done(Message, frozen=True, tag="done"):
    """Rig to twin: the window is over; ``sent`` is the sequence of the last event sent so far."""

    window: int
    t_ns: int
    sent: int


class Stop(Message, frozen=True, tag="stop"):
    """Twin to rig: the run is over; answer with `Stopped` and end."""


class HalfCycles(Message, frozen=True, tag="half_cycles"):
    """Rig to twin, before `Stopped`: some of what was recorded each half cycle, in order, as parallel lists."""

    t_ns: list[int]
    rms_v: list[float]
    hz: list[float]


class Stopped(Message, frozen=True, tag="stopped"):
    """Rig to twin, last: what was recorded.

    Waveform and half-cycle values as parallel lists; ``waveform_first`` is the sample counter of the first value. On
    the wire the half cycles are empty: they come in `HalfCycles` before.
    """

    waveform_first: int
    waveform_v: list[float]
    half_cycle_t_ns: list[int]
    half_cycle_v: list[float]
    half_cycle_hz: list[float]
    samples: int
    flags: list[str]
    telemetry: int = 0  # messages published


class Telemetry(Message, frozen=True, tag="telemetry"):
    """Rig to whoever listens: what the board measures; some may be dropped, see the gaps in ``number``."""

    number: int
    t_ns: int
    u_rms_half_v: float
    frequency_hz: float


class Failed(Message, frozen=True, tag="failed"):
    """Either way: the sender cannot go on, and why; ``missing`` tells a part that is not there."""

    text: str
    missing: bool = False


AnyMessage = (
    Call
    | Hello
    | Configure
    | Configured
    | Ready
    | SupplyChange
    | Downlink
    | Grant
    | Start
    | ReadCounter
    | Counter
    | BoardEvent
    | Notice
    | Done
    | Stop
    | HalfCycles
    | Stopped
    | Telemetry
    | Failed
)

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(AnyMessage)


def encode(message: Message) -> bytes:
    """Return the message as msgpack; PartFailed if it is too long for the link."""
    data = _encoder.encode(message)
    if len(data) > MAX_BYTES:
        raise PartFailed(f"link: {type(message).__name__} of {len(data)} bytes, expected {MAX_BYTES} or fewer")
    return data


def decode(data: bytes) -> Any:
    """Return the message in ``data``; PartFailed if it is none of ours, or too long."""
    if len(data) > MAX_BYTES:
        raise PartFailed(f"link: a message of {len(data)} bytes, expected {MAX_BYTES} or fewer")
    try:
        return _decoder.decode(data)
    except msgspec.MsgspecError as error:
        raise PartFailed(f"link: {len(data)} bytes that are no message of protocol {PROTO}: {error}") from error
