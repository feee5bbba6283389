"""The link: messages survive the trip, garbage and misbehaviour are named, every wait ends."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import get_args, get_type_hints

import msgspec
import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from hil.link import RigEnd, TwinLost
from teiden.errors import MissingPart, PartFailed
from twin import wire
from twin.link.channel import Channel
from twin.link.lockstep import Lockstep
from twin.link.states import FITS, State
from twin.link.twin_end import TwinEnd

pytestmark = pytest.mark.usefixtures("ends_are_closed")


def event(sequence, t_ns=0):
    return wire.BoardEvent(sequence, t_ns, "power_fail", 0, "trigger", 10)


def configure():
    blank = {bytes: b"", float: 0.0, int: 0, bool: False, str: ""}
    return wire.Configure(**{name: blank[kind] for name, kind in get_type_hints(wire.Configure).items()})


@pytest.mark.parametrize(
    "message",
    [
        wire.Call(wire.PROTO),
        wire.Hello(wire.PROTO),
        wire.Hello(wire.PROTO, 7001),
        wire.Configured(),
        wire.Start(),
        wire.ReadCounter(3),
        wire.Counter(3, 8000, 5),
        wire.Telemetry(1, 2, 100.5, 50.0),
        wire.Grant(3, 20_000_000, [wire.SupplyChange(1, 0.25)], [wire.Downlink(5, 7)]),
        event(4, 2**62),
        wire.Notice(1, 2, "last_gasp", 3, 4, 5, 6, b"\x00\xff", -1),
        wire.Stopped(1, [0.5, -2.0], [1], [2.0], [float("inf")], 9, ["flag"]),
        wire.Failed("no", missing=True),
    ],
)
def test_messages_survive_the_trip(message):
    assert wire.decode(wire.encode(message)) == message


@given(st.binary(max_size=200))
def test_garbage_is_refused_and_named(data):
    with pytest.raises(PartFailed, match=f"^link: {len(data)} bytes that are no message"):
        wire.decode(data)


def test_a_wrong_type_is_refused_with_its_field():
    data = msgspec.msgpack.encode({"type": "grant", "window": "three", "until_ns": 1})
    with pytest.raises(PartFailed, match=r"Expected `int`, got `str` - at `\$.window`"):
        wire.decode(data)


class Scripted:
    """A peer that sends raw messages from a thread, as told."""

    def __init__(self, endpoint, act):
        self._context = zmq.Context()
        self.socket = self._context.socket(zmq.DEALER)
        self.socket.connect(endpoint)
        self._channel = Channel()
        self._thread = threading.Thread(target=act, args=(self,))
        self._thread.start()

    def send(self, *messages):
        for message in messages:
            self.socket.send(self._channel.pack(message if isinstance(message, bytes) else wire.encode(message)))

    def next(self):
        while True:
            assert self.socket.poll(5000)
            payload = self._channel.unpack(self.socket.recv())
            if payload is not None:
                return wire.decode(payload)

    def close(self):
        self._thread.join()
        self.socket.close(0)
        self._context.term()


def bring_to_run(end, rig):
    """Take both ends through the states up to running."""
    for one, other, message in (
        (rig, end, wire.Hello(wire.PROTO)),
        (end, rig, configure()),
        (rig, end, wire.Configured()),
        (rig, end, wire.Ready("sim", "idn", "hash", "none", 8000)),
        (end, rig, wire.Start()),
    ):
        one.send(message)
        assert other.take(10.0) == message
    end.take(0.0), rig.take(0.0)  # acknowledges


def lockstep_with(act, until=Lockstep.collect):
    """Run one window against a scripted rig; return what the window gave."""
    end = TwinEnd()

    def whole(peer):
        peer.send(wire.Hello(wire.PROTO))
        peer.next()
        peer.send(wire.Configured(), wire.Ready("sim", "idn", "hash", "none", 8000))
        peer.next()
        act(peer)

    peer = Scripted(end.endpoint, whole)
    try:
        lockstep = Lockstep(end, timeout_s=0.5)
        lockstep.start(configure(), patience_s=5.0)
        lockstep.grant(20_000_000, [], [])
        return until(lockstep)
    finally:
        peer.close()
        end.close()


def test_events_come_back_in_order_of_time():
    events = lockstep_with(lambda peer: peer.send(event(1, 9), event(2, 3), event(3, 3), wire.Done(1, 20_000_000, 3)))
    assert [(e.t_ns, e.sequence) for e in events] == [(3, 2), (3, 3), (9, 1)]


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([event(2)], "event 2 came, expected 1; one was lost"),
        ([event(1), wire.Done(1, 20_000_000, 2)], "does not fit window 1 with 1 events"),
        ([wire.Done(7, 20_000_000, 0)], "does not fit window 1"),
        ([wire.Hello(wire.PROTO)], "in state running, expected in state offline"),
        ([b"\xc1garbage"], "no message of protocol 3"),
        ([wire.Failed("the board caught fire")], "the board caught fire"),
        ([], "no window 1 .* within 0.5 s"),
    ],
)
def test_a_rig_that_misbehaves_is_an_error_at_once(messages, expected):
    with pytest.raises(PartFailed, match=expected):
        lockstep_with(lambda peer: peer.send(*messages))


def test_a_missing_part_is_told_as_such():
    with pytest.raises(MissingPart, match="no g"):
        lockstep_with(lambda peer: peer.send(wire.Failed("no g++", missing=True)))


def test_another_protocol_is_refused():
    end = TwinEnd()
    peer = Scripted(end.endpoint, lambda peer: peer.send(wire.Hello(wire.PROTO + 1)))
    try:
        with pytest.raises(PartFailed, match="same version on both sides"):
            Lockstep(end, 1.0).start(configure(), patience_s=5.0)
    finally:
        peer.close()
        end.close()


def test_a_second_rig_is_turned_away_and_the_run_goes_on():
    end = TwinEnd()
    first = Scripted(end.endpoint, lambda peer: peer.send(wire.Hello(wire.PROTO)))
    try:
        end.receive(5.0, "hello")
        second = Scripted(end.endpoint, lambda peer: peer.send(wire.Hello(wire.PROTO)))
        with pytest.raises(PartFailed, match=r"no more within .*; 1 messages of others were refused"):
            end.receive(1.0, "more")
        assert second.next() == wire.Failed("link: this run has a rig already")
        second.close()
        first.send(wire.Configured())
        assert end.receive(5.0, "configured") == wire.Configured()
    finally:
        first.close()
        end.close()


def test_both_ends_know_the_state_and_it_ends_stopped():
    end = TwinEnd()
    rig = RigEnd(end.endpoint, patience_s=5.0)
    assert end.state == rig.state == State.OFFLINE
    bring_to_run(end, rig)
    assert end.state == rig.state == State.RUNNING
    end.send(wire.Stop())
    rig.receive()
    rig.send(wire.Stopped(0, [], [], [], [], 0, []))
    end.receive(5.0, "stopped")
    assert end.state == rig.state == State.STOPPED
    with pytest.raises(PartFailed, match="in state stopped, expected in state initialised, running"):
        end.send(wire.Grant(1, 1))
    rig.close()
    end.close()


def test_a_failed_rig_is_in_error_at_both_ends():
    end = TwinEnd()
    rig = RigEnd(end.endpoint)
    bring_to_run(end, rig)
    rig.send(wire.Failed("smoke"))
    with pytest.raises(PartFailed, match="smoke"):
        end.receive(5.0, "anything")
    assert end.state == rig.state == State.ERROR
    rig.close()
    end.close()


def test_every_message_of_events_has_its_states():
    assert set(FITS) | {wire.Telemetry} == set(get_args(wire.AnyMessage))


def open_telemetry(end, rig):
    """Open it while the twin waits for something else, as in a run."""
    with ThreadPoolExecutor() as pool:
        opening = pool.submit(rig.open_telemetry, end.telemetry.port)
        while not opening.done():
            end.take(0.01)
        return opening.result()


def test_dropped_telemetry_is_counted():
    """Of ten values three are never published: two in a gap, one at the end; what is behind the last counts too."""
    end = TwinEnd()
    rig = RigEnd(end.endpoint)
    out = open_telemetry(end, rig)
    for number in range(1, 10):
        if number in (4, 5):
            out.sent += 1
        else:
            out.publish(number, 100.0, 50.0)
    end.telemetry.finish(out.sent + 1)
    assert end.telemetry.newest == wire.Telemetry(9, 9, 100.0, 50.0)
    assert (end.telemetry.received, end.telemetry.dropped) == (7, 3)
    rig.close()
    end.close()


def test_telemetry_that_is_none_is_refused():
    end = TwinEnd()
    rig = RigEnd(end.endpoint)
    out = open_telemetry(end, rig)
    out._socket.send(wire.encode(wire.Stop()))
    with pytest.raises(PartFailed, match="instead of telemetry"):
        end.telemetry.finish(1)
    rig.close()
    end.close()


def test_a_rig_without_credit_waits_for_acknowledgement():
    end = TwinEnd()
    rig = RigEnd(end.endpoint, patience_s=0.3)
    rig.allow(2)
    bring_to_run(end, rig)
    for _ in range(2):
        rig.send_event(event(rig.next_sequence()))
    with pytest.raises(TwinLost, match="no credit within"):
        rig.send_event(event(rig.next_sequence()))
    assert [end.receive(5.0, "event").sequence for _ in range(2)] == [1, 2]
    assert end.take(0.0) is None  # nothing waits, so the twin acknowledges
    rig.send_event(event(3))
    assert end.receive(5.0, "event").sequence == 3
    rig.close()
    end.close()


def test_a_twin_that_is_silent_is_given_up():
    end = TwinEnd()
    rig = RigEnd(end.endpoint, patience_s=0.2)
    with pytest.raises(TwinLost, match=r"no message within 0.2 s"):
        rig.receive()
    rig.close()
    end.close()


def test_an_oversized_message_is_refused_where_it_is_made():
    with pytest.raises(PartFailed, match=f"Failed of .* bytes, expected {wire.MAX_BYTES} or fewer"):
        wire.encode(wire.Failed("x" * wire.MAX_BYTES))
