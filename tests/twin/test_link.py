"""The link under stress: cut connections, wrong keys, frozen peers, garbage. Nothing lost, nothing twice."""

import importlib.util
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from hil.link import RigEnd, ServedRig
from teiden.errors import InputError, PartFailed
from twin import wire
from twin.link.channel import HEADER, Channel
from twin.link.end import CUT_BYTES
from twin.link.keys import load_keys, make_keys, require_keys
from twin.link.states import State
from twin.link.twin_end import CallingTwin, TwinEnd


def load_bench(name):
    """Import a module of the benches."""
    file = Path(__file__).resolve().parents[2] / "benches" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CuttingWire = load_bench("cutting_wire").CuttingWire


def running(end, rig=None):
    """Take for granted that the handshake is over, and let the twin know its rig."""
    if rig is not None:
        rig.send(wire.Hello(wire.PROTO))
        rig.state = State.RUNNING
    end.receive(10.0, "hello")
    end.state = State.RUNNING


def event(sequence):
    return wire.BoardEvent(sequence, sequence * 10, "power_fail", sequence, "trigger", 10)


@pytest.fixture
def twin():
    ends = []

    def make(**options):
        ends.append(TwinEnd(**options))
        return ends[-1]

    yield make
    for end in ends:
        end.close()


@pytest.fixture
def keys(tmp_path):
    make_keys(tmp_path / "keys")
    return tmp_path / "keys"


# --- the channel, without sockets


@given(st.lists(st.sampled_from(["send", "deliver", "lose", "resend", "answer", "lose answer"]), max_size=60))
def test_whatever_is_lost_on_the_way_every_message_is_taken_once_and_in_order(steps):
    """The channel against a plain queue that loses frames; at the end a resend without loss brings the rest."""
    here, there = Channel(), Channel()
    on_the_way, taken, sent = [], [], 0

    def deliver():
        payload = there.unpack(on_the_way.pop(0))
        if payload is not None:
            taken.append(int(payload))

    for step in steps:
        if step == "send":
            sent += 1
            on_the_way.append(here.pack(b"%d" % sent))
        elif step == "deliver" and on_the_way:
            deliver()
        elif step == "lose" and on_the_way:
            on_the_way.pop(0)
        elif step == "resend":
            on_the_way += here.again()
        elif step == "answer":
            here.unpack(there.acknowledgement())
    on_the_way += here.again()
    while on_the_way:
        deliver()
    here.unpack(there.acknowledgement())
    assert taken == list(range(1, sent + 1))
    assert here.unacknowledged == 0 == there.owed


@given(st.binary(max_size=64))
def test_any_bytes_are_a_message_or_a_refusal(data):
    try:
        payload = Channel().unpack(data)
        if payload is not None:
            wire.decode(payload)
    except PartFailed as error:
        assert str(error).startswith("link: ")  # noqa: PT017 (both ends are right; no other exception is)


@given(st.lists(st.binary(max_size=40), max_size=4))
def test_strangers_garbage_leaves_the_run_alone(parts):
    end = fuzzed.end
    before = end.strangers
    fuzzed.stranger.send_multipart(parts or [b""])
    fuzzed.rig.send(wire.Done(1, 2, 3))
    deadline = time.monotonic() + 10
    while end.strangers == before:
        assert end.take(0.05) in (None, wire.Done(1, 2, 3))
        assert time.monotonic() < deadline


class Fuzzed:
    """A twin with its rig and a stranger, made once."""

    def open(self):
        self.end = TwinEnd()
        self.rig = RigEnd(self.end.endpoint)
        running(self.end, self.rig)
        self.context = zmq.Context()
        self.stranger = self.context.socket(zmq.DEALER)
        self.stranger.connect(self.end.endpoint)

    def close(self):
        self.stranger.close(0)
        self.context.term()
        self.rig.close()
        self.end.close()


fuzzed = Fuzzed()


@pytest.fixture(autouse=True, scope="module")
def _one_fuzzed_twin():
    fuzzed.open()
    yield
    fuzzed.close()


# --- connections that break


def test_nothing_is_lost_or_repeated_when_connections_are_cut(twin):
    end = twin()
    relay = CuttingWire(end.endpoint)
    count = 3000

    def rig():
        link = RigEnd(relay.endpoint, patience_s=30)
        link.allow(64)
        link.send(wire.Hello(wire.PROTO))
        link.state = State.RUNNING
        for _ in range(count):
            link.send_event(event(link.next_sequence()))
        link.flush()
        link.close()

    sender = threading.Thread(target=rig)
    sender.start()
    try:
        running(end)
        end.allow(64)
        for number in range(1, count + 1):
            assert end.receive(30.0, "event").sequence == number
            if number % 500 == 0:
                relay.cut()
        end.take(0.1)  # acknowledges the last
    finally:
        sender.join()
        relay.close()
    assert relay.made > 1
    assert end.connections == relay.made


def test_a_message_of_the_twin_survives_a_cut_too(twin):
    end = twin()
    relay = CuttingWire(end.endpoint)
    rig = RigEnd(relay.endpoint, patience_s=30)
    try:
        running(end, rig)
        for window in range(1, 6):
            end.send(wire.Grant(window, window))
            relay.cut()
            deadline = time.monotonic() + 30
            while (message := rig.take(0.05)) is None:
                end.take(0.05)
                assert time.monotonic() < deadline
            assert message.window == window
        assert rig.take(0.0) is None
    finally:
        rig.close()
        relay.close()


def test_a_rig_that_stays_away_is_lost(twin):
    end = twin()
    rig = RigEnd(end.endpoint)
    running(end, rig)
    rig.close()
    with pytest.raises(
        PartFailed, match=r"connection lost or frozen \(.*link.heartbeat_ms = 100.*\) while the twin waited for more"
    ):
        end.receive(30.0, "more")


PEERS = """
import sys
from pathlib import Path
from hil.link import RigEnd, ServedRig
from twin import wire
from twin.link.keys import load_keys
from twin.link.twin_end import CallingTwin, TwinEnd

kind, place, keys = sys.argv[1:]
own = "rig" if kind in ("RigEnd", "ServedRig") else "twin"
made = {"RigEnd": RigEnd, "CallingTwin": CallingTwin, "ServedRig": ServedRig, "TwinEnd": TwinEnd}[kind]
end = made(*[place] * bool(place), keys=load_keys(Path(keys), own) if keys else None)
print(end.endpoint, flush=True)
if kind == "RigEnd":
    end.hello()
if kind == "CallingTwin":
    end.meet(60)
while True:
    message = end.take(0.1)
    if isinstance(message, wire.Call):
        end.hello()
"""
ROLES = {"RigEnd": "rig", "ServedRig": "rig", "TwinEnd": "twin", "CallingTwin": "twin"}
PAIRS = [(TwinEnd, "RigEnd"), (RigEnd, "TwinEnd"), (CallingTwin, "ServedRig"), (ServedRig, "CallingTwin")]


class Peer:
    """The other end of a link, in a process of its own."""

    def __init__(self, kind, place, keys):
        words = [sys.executable, "-c", PEERS, kind, place, str(keys or "")]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        self.endpoint = self.process.stdout.readline().strip()

    def signal(self, number):
        os.kill(self.process.pid, number)

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def meet():
    """Give the function that lets an end here meet another kind of end in a process of its own; gives both."""
    made = []

    def make(kind, other, keys=None):
        own = load_keys(keys, ROLES[kind.__name__]) if keys else None
        if kind in (TwinEnd, ServedRig):
            end = kind(keys=own)
            made.append(end.close)
            peer = Peer(other, end.endpoint, keys)
        else:
            peer = Peer(other, "", keys)
            end = kind(peer.endpoint, keys=own)
            made.append(end.close)
        made.append(peer.end)
        if kind is RigEnd:
            end.hello()
        if kind is CallingTwin:
            end.meet(60)
        if kind is ServedRig:
            assert end.take(60) == wire.Call(wire.PROTO)
            end.hello()
        if kind is TwinEnd:
            end.receive(60, "hello")
        wait_at(end, lambda: end.connections and not end.channel.unacknowledged)
        return end, peer

    yield make
    for close in reversed(made):
        close()


def wait_at(end, condition):
    """Wait at an end of the link; the limit only ends a failing test."""
    deadline = time.monotonic() + 60
    while not condition():
        end.take(0.01)
        assert time.monotonic() < deadline


class Stalls:
    """How much longer sleeps of 5 ms took than that, all together: for so long this machine stood still."""

    def __enter__(self):
        self.total_s, self._over = 0.0, threading.Event()
        self._watch = threading.Thread(target=self._sleep)
        self._watch.start()
        return self

    def _sleep(self):
        while not self._over.is_set():
            before = time.monotonic()
            time.sleep(0.005)
            self.total_s += time.monotonic() - before - 0.005

    def __exit__(self, *_):
        self._over.set()
        self._watch.join()


pytestmark = pytest.mark.usefixtures("ends_are_closed")


@pytest.mark.parametrize("keyed", [False, True])
@pytest.mark.parametrize(("kind", "other"), PAIRS)
def test_a_frozen_peer_is_seen_within_half_a_second(kind, other, keyed, meet, request):
    """Theory: up to an interval of 0.1 s, three without an answer, a look every 0.05 s; the rest is this machine's."""
    end, peer = meet(kind, other, request.getfixturevalue("keys") if keyed else None)
    with Stalls() as stalls:
        peer.signal(signal.SIGSTOP)
        frozen_s = time.monotonic()
        wait_at(end, lambda: end.lost_s is not None)
    assert end.lost_s - frozen_s < 0.5 + stalls.total_s
    peer.signal(signal.SIGCONT)
    wait_at(end, lambda: end.lost_s is None)  # and it comes back as the same peer
    assert getattr(end, "strangers", 0) == 0
    assert end.channel.resent == 0


@pytest.mark.parametrize(("kind", "other"), PAIRS)
def test_a_peer_that_stays_frozen_ends_the_wait(kind, other, meet):
    end, peer = meet(kind, other)
    peer.signal(signal.SIGSTOP)
    setting = "--heartbeat-ms" if kind is ServedRig else "link.heartbeat_ms"
    with pytest.raises(PartFailed, match=rf"connection lost or frozen \(.* 3 times {setting} = 100, .* 2 s\)"):
        end.take(60)


@pytest.mark.parametrize(("kind", "other"), [(TwinEnd, "RigEnd"), (ServedRig, "CallingTwin")])
def test_a_stranger_that_stays_connected_does_not_hide_a_frozen_peer(kind, other, meet):
    end, peer = meet(kind, other)
    context = zmq.Context()
    stranger = context.socket(zmq.DEALER)
    stranger.connect(end.endpoint)
    wait_at(end, lambda: end.connections == 2)
    peer.signal(signal.SIGSTOP)
    wait_at(end, lambda: end.lost_s is not None)
    stranger.close(0)
    context.term()


def test_a_message_too_long_to_read_cuts_the_connection_and_harms_nobody(twin):
    end = twin()
    rig = RigEnd(end.endpoint)
    running(end, rig)
    context = zmq.Context()
    stranger = context.socket(zmq.DEALER)
    cut = stranger.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    stranger.connect(end.endpoint)
    stranger.send(b"x" * (CUT_BYTES + 1))
    deadline = time.monotonic() + 10
    while not cut.poll(0):  # it came and was cut off
        assert end.take(0.05) is None
        assert time.monotonic() < deadline
    stranger.disable_monitor()
    cut.close(0)
    stranger.close(0)
    context.term()
    rig.send(wire.Done(1, 2, 0))
    assert end.receive(5.0, "done") == wire.Done(1, 2, 0)
    assert end.strangers == 0
    rig.close()


def test_a_known_rig_that_sends_garbage_is_an_error(twin):
    end = twin()
    rig = RigEnd(end.endpoint)
    running(end, rig)
    rig._put(HEADER.pack(2, 99))
    with pytest.raises(PartFailed, match="acknowledges message 99, but only 0 were sent"):
        end.receive(5.0, "more")
    rig.close()


# --- keys


def test_keys_are_readable_by_their_owner_only(keys):
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in keys.iterdir()}
    assert set(modes) == {"twin.key", "twin.key_secret", "rig.key", "rig.key_secret"}
    assert modes["twin.key_secret"] == modes["rig.key_secret"] == 0o600
    with pytest.raises(InputError, match="is there already"):
        make_keys(keys)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_secret_key_open_to_others_is_refused(keys, mode):
    (keys / "rig.key_secret").chmod(mode)
    with pytest.raises(InputError, match=rf"open to others \(mode {mode:04o}\), expected 0600"):
        load_keys(keys, "rig")


@pytest.mark.parametrize(
    "text", [b"", b"\x00\xff\xfe", b'public-key = "short"\n', b'public-key = "' + b"~" * 40 + b'"\n']
)
def test_what_is_no_key_is_refused(keys, text):
    (keys / "twin.key").write_bytes(text)
    with pytest.raises(InputError, match=r"twin\.key: no key of ZeroMQ"):
        load_keys(keys, "rig")


def test_a_missing_key_is_named(tmp_path):
    with pytest.raises(InputError, match=r"twin\.key_secret: no such file; make keys with teiden rig keys DIR"):
        load_keys(tmp_path, "twin")


@pytest.mark.parametrize("address", ["0.0.0.0", "192.0.2.7"])
def test_off_loopback_there_is_no_link_without_keys(address):
    with pytest.raises(InputError, match=f"link.address = {address} is not loopback"):
        require_keys(address, None)
    require_keys("127.0.0.1", None)


@pytest.mark.parametrize("address", ["localhost", "::1", "300.1.1.1"])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(InputError, match=f"link.address = {address}, expected an IPv4 address"):
        require_keys(address, None)


def test_with_keys_both_ends_meet(twin, keys):
    end = twin(keys=load_keys(keys, "twin"))
    rig = RigEnd(end.endpoint, keys=load_keys(keys, "rig"))
    running(end, rig)
    end.send(wire.Stop())
    assert rig.receive() == wire.Stop()
    rig.close()


def test_an_unknown_rig_is_refused_and_both_ends_say_why(twin, keys, tmp_path):
    end = twin(keys=load_keys(keys, "twin"))
    make_keys(tmp_path / "other")
    for name in ("twin.key",):  # it knows the twin, but the twin does not know it
        (tmp_path / "other" / name).write_bytes((keys / name).read_bytes())
    rig = RigEnd(end.endpoint, patience_s=10.0, keys=load_keys(tmp_path / "other", "rig"))
    rig.send(wire.Hello(wire.PROTO))
    with pytest.raises(PartFailed, match=r"this rig was refused: unknown key"):
        rig.receive()
    with pytest.raises(PartFailed, match=r"no hello within .* not let in, the last because unknown key"):
        end.receive(1.0, "hello")
    rig.close()


def test_a_rig_without_keys_is_not_let_in(twin, keys):
    end = twin(keys=load_keys(keys, "twin"))
    rig = RigEnd(end.endpoint, patience_s=10.0)
    rig.send(wire.Hello(wire.PROTO))
    with pytest.raises(PartFailed, match=r"no hello within .* not let in, the last because .*keys on one side only"):
        end.receive(2.0, "hello")
    with pytest.raises(PartFailed, match="this rig was refused: the handshake failed; keys on one side only"):
        rig.receive()
    rig.close()
