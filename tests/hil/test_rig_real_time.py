"""The rig of a real board by itself: a board that has seen things before the run, one without a trigger wire."""

from collections import deque

import numpy as np
import pytest

from hdl.driver import FrontEnd
from hdl.sim.frontend import CompiledFrontEnd
from hil.board import Wiring
from hil.clock import TriggerDelay
from hil.rig_real_time import HardwareRig
from hil.source.simulated import SimulatedSource
from teiden.errors import PartFailed
from twin import wire

RATE_HZ = 8000
LOOK = 40  # samples that pass between two looks
CONFIGURE = wire.Configure(
    meter=1, key=bytes(16), seed=1, nominal_v=100.0, nominal_hz=50, point_on_wave_deg=90.0, source_port=0,
    clocks_per_sample=64, declare_ns=10**9, window_ns=10**9, confirm_return_ns=10**9, notice_window_ns=10**9,
    handoff_ns=20_000_000, answer_ns=60_000_000, holdup_nj=10**9, listen_nw=10**8, sends_notices=True, credits=64,
    telemetry_port=0, real_time=True,
)  # fmt: skip


class Telemetry:
    """Nobody listens."""

    sent = 0

    def publish(self, *values):
        self.sent += 1


class Script:
    """The rig's end of a link: while it waits for the twin, time passes on the bench; says `Stop` in the end.

    Parameters
    ----------
    pass_time : callable
        Lets so many samples pass.
    seconds : float
        How long the run is.
    messages : dict
        What the twin says, by the sample of the run at which it does.
    """

    def __init__(self, pass_time, seconds, messages):
        self._pass_time, self._messages = pass_time, messages
        self._left = round(seconds * RATE_HZ)
        self._now = 0
        self._queue = deque()
        self.sent = []
        self._sequence = 0

    def allow(self, credits):
        pass

    def open_telemetry(self, port):
        return Telemetry()

    def receive(self):
        return wire.Start()

    def take(self, timeout_s):
        if self._now >= self._left:
            return wire.Stop()
        self._pass_time(LOOK)
        self._now += LOOK
        return self._messages.pop(self._now, None)

    def next_sequence(self):
        self._sequence += 1
        return self._sequence

    def send(self, message):
        self.sent.append(message)

    send_event = send

    def flush(self):
        pass

    def of(self, kind):
        """Return what was sent of a kind of message."""
        return [message for message in self.sent if isinstance(message, kind)]


class Source:
    """The driver of the instrument: acts at once, and its trigger-out with it."""

    output_enabled = True

    def __init__(self, simulated):
        self._simulated = simulated

    def arm(self, program):
        self._program = program

    def fire(self):
        (step,) = self._program
        for command in ("OUTP:TTLT ON", "OUTP:TTLT:SOUR BOT", f"VOLT:TRIG {step.voltage_v}", "VOLT:MODE STEP",
                        "TRIG:SOUR BUS", "INIT:SEQ1", "*TRG"):  # fmt: skip
            self._simulated.execute(command.encode())
        assert self._simulated.execute(b"SYST:ERR?").startswith("+0")


class Lab:
    """A compiled board on a simulated source, moved by hand."""

    def __init__(self, trigger_wire=True):
        self.board, self.simulated = CompiledFrontEnd(), SimulatedSource(1)
        self.source = Source(self.simulated)
        self._wiring = Wiring(self.simulated if trigger_wire else Untriggered(self.simulated), self.board)
        for command in (b"FREQ 50", b"VOLT 100", b"OUTP ON"):
            self.simulated.execute(command)

    def pass_time(self, samples):
        self._wiring.run(samples)

    def rig(self, seconds, messages=None, delay=None):
        """Return a rig that is prepared, and its link."""
        self.pass_time(RATE_HZ)
        link = Script(self.pass_time, seconds, messages or {})
        made = HardwareRig(CONFIGURE, link, self.source, self.board, delay or TriggerDelay())
        made.prepare()
        self.pass_time(RATE_HZ)
        return made, link


class Untriggered:
    """A source whose trigger-out leads nowhere."""

    def __init__(self, source):
        self._source = source

    def play(self, n_samples, rate_hz):
        block = self._source.play(n_samples, rate_hz)
        return type(block)(block.volts, (), block.amps)


@pytest.fixture
def make_lab():
    made = []

    def make(**options):
        made.append(Lab(**options))
        return made[-1]

    yield make
    for lab in made:
        lab.board.close()


def test_what_the_board_has_seen_before_the_run_is_of_no_run(make_lab):
    """A loss that is over, a sample beyond full scale, a capture that a failure has frozen."""
    lab = make_lab()
    rig, link = lab.rig(0.5)
    lab.simulated.execute(b"VOLT 0")
    lab.pass_time(RATE_HZ // 2)
    lab.simulated.execute(b"VOLT 100")
    lab.pass_time(RATE_HZ)
    lab.board.push(np.full(2, 2**23 - 1, np.int32))
    lab.pass_time(RATE_HZ)
    front_end = FrontEnd(lab.board)
    assert lab.board.wait_irq(0.0)  # the queue holds the loss
    assert front_end.status().saturated
    assert front_end.capture_ready
    rig.run()
    assert link.of(wire.BoardEvent) == []
    (stopped,) = link.of(wire.Stopped)
    assert stopped.flags == []
    assert stopped.waveform_v == []
    assert 0.5 * RATE_HZ <= stopped.samples <= 0.5 * RATE_HZ + LOOK
    times = [t_ns for part in link.of(wire.HalfCycles) for t_ns in part.t_ns]
    assert len(times) == pytest.approx(50, abs=2)  # half cycles of 50 Hz
    assert min(times) >= 0


def test_a_run_does_not_begin_on_a_board_that_sees_no_supply(make_lab):
    lab = make_lab()
    rig, link = lab.rig(0.5)
    lab.simulated.execute(b"VOLT 0")
    lab.pass_time(RATE_HZ // 2)
    with pytest.raises(PartFailed, match="its detector says confirmed at the start of the run; is the source on"):
        rig.run()
    assert link.of(wire.BoardEvent) == []


@pytest.mark.parametrize("trigger_wire", [True, False])
def test_a_loss_has_a_t0_with_a_trigger_wire_only(make_lab, trigger_wire):
    loss = wire.SupplyChange(0, 0.0)
    rig, link = make_lab(trigger_wire=trigger_wire).rig(1.0, {800: loss})
    rig.run()
    events = {event.kind: event for event in link.of(wire.BoardEvent)}
    assert list(events) == [*(["t0"] if trigger_wire else []), "power_fail", "power_fail_confirmed"]
    fail = events["power_fail"]
    assert 0.1e9 < fail.t_ns < 0.11e9
    if trigger_wire:
        assert (fail.t0_source, fail.t0_bound_ns) == ("trigger", round(2 / 64 * 125_000))  # two clocks
        assert 1.5e6 <= fail.t_ns - events["t0"].t_ns <= 1.88e6 + 125_000  # docs/front-end.md
    else:
        assert (fail.t0_source, fail.t0_bound_ns) == ("none", 0)


def test_the_delay_of_a_trigger_moves_t0_and_widens_its_bound(make_lab):
    seen = []
    for delay in (TriggerDelay(), TriggerDelay(-40_000, 5_000)):
        rig, link = make_lab().rig(1.0, {800: wire.SupplyChange(0, 0.0)}, delay=delay)
        rig.run()
        seen.append({event.kind: event for event in link.of(wire.BoardEvent)})
    plain, delayed = seen
    assert delayed["t0"].t_ns == plain["t0"].t_ns - 40_000
    assert delayed["power_fail"].t_ns == plain["power_fail"].t_ns  # counts are what they are
    assert delayed["power_fail"].t0_bound_ns == plain["power_fail"].t0_bound_ns + 5_000


def test_flags_of_the_board_are_those_of_the_run(make_lab):
    lab = make_lab()
    rig, link = lab.rig(0.5)
    pass_time = link._pass_time

    def beyond(samples):
        lab.board.push(np.full(1, 2**23 - 1, np.int32))
        link._pass_time = pass_time

    link._pass_time = beyond
    rig.run()
    assert link.of(wire.Stopped)[0].flags == ["board: saturated"]
