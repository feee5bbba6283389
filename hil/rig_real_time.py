"""The rig in real time: a simulated board paced by the wall clock, or a real one that runs by its own oscillator."""

from __future__ import annotations

import time
from abc import abstractmethod

from hil.rig_board import POST_SAMPLES, BoardOnSource
from hil.rig_lockstep import LOOK_SAMPLES, Rig
from teiden.errors import PartFailed
from twin import wire
from twin.field.meters import SAMPLE_NS

CATCH_UP_SAMPLES = 800  # 0.1 s; a machine too slow for real time still hears what the twin says, and when to stop
NO_CREDIT_NEEDED = 2**31  # nobody waits: what the twin has not taken yet lies in the link
LOOK_S = 5e-3  # how often a real board is looked at, besides what looking takes
OUTPUT_EVERY_S = 1.0  # and whether its source still gives something


class RealTimeRig(BoardOnSource):
    """A board that no grant holds back; what the twin sends acts when it arrives."""

    _behind_ns = 0
    _asked: int | None = None  # the reading of the counter that the twin waits for

    def run(self) -> None:
        """Run the board from `Start` to `Stop`."""
        self._link.allow(NO_CREDIT_NEEDED)
        message = self._link.receive()
        self._begin()
        while not isinstance(message, wire.Stop):
            caught_up = self._advance()
            self._act_on(message)
            if caught_up:
                self._answer()
            message = self._link.take(self._until_next_step_s())
        self._advance()
        self._answer()  # of a board that never caught up too: how far behind it was is heard at the end
        self._report()

    @abstractmethod
    def _begin(self) -> None:
        """Let the run's time begin."""

    @abstractmethod
    def _advance(self) -> bool:
        """Take what has happened by now; return whether that is all."""

    @abstractmethod
    def _until_next_step_s(self) -> float:
        """Return how long to wait for what the twin says."""

    def _act_on(self, message: wire.Message | None) -> None:
        if isinstance(message, wire.SupplyChange):
            self._play_supply(message)
        elif isinstance(message, wire.Downlink):
            self._send_notice(self._firmware.poll(message), message.poll)
        elif isinstance(message, wire.ReadCounter):
            self._asked = message.number
        elif not (message is None or isinstance(message, wire.Start)):
            raise PartFailed(f"link: {message!r} does not fit a run in real time")

    def _answer(self) -> None:
        """Tell the counter; only a board that has caught up stands where its oscillator would have it."""
        if self._asked is None:
            return
        counted = self._front_end.measure().samples - self._origin
        self._link.send(wire.Counter(self._asked, counted, self._behind_ns))
        self._asked, self._behind_ns = None, 0


class PacedRig(RealTimeRig, Rig):
    """A simulated board, paced by the wall clock as a real one is by its oscillator."""

    def _begin(self) -> None:
        self._start_ns = time.monotonic_ns()

    def _advance(self) -> bool:
        """Let the board take the samples that are due by now, or as many as it catches up in one go: did it?"""
        due = (time.monotonic_ns() - self._start_ns) // SAMPLE_NS
        self._behind_ns = max(self._behind_ns, (due - self._wiring.samples - LOOK_SAMPLES) * SAMPLE_NS)
        until = min(due, self._wiring.samples + CATCH_UP_SAMPLES)
        while (left := until - self._wiring.samples) > 0:
            self._step(min(LOOK_SAMPLES, left))
        self._send_due(due * SAMPLE_NS)
        return until == due

    def _until_next_step_s(self) -> float:
        due_ns = self._start_ns + (self._wiring.samples + LOOK_SAMPLES) * SAMPLE_NS
        return max((due_ns - time.monotonic_ns()) / 1e9, 0.0)


class HardwareRig(RealTimeRig):
    """A real board on an instrument: nothing moves it, it is looked at. Not yet run on hardware.

    Times count from the board's counter at `Start`.
    """

    def _begin(self) -> None:
        self._front_end.events()  # what the board has seen since it was configured is of no run
        self._front_end.clear_status()
        self._front_end.arm_capture(POST_SAMPLES)
        seen = self._front_end.measure()
        if seen.state in ("suspect", "confirmed"):
            raise PartFailed(f"board: its detector says {seen.state} at the start of the run; is the source on?")
        self._origin = seen.samples
        self._edges = self._front_end.trigger_count
        self._output_seen_s = time.monotonic()

    def _advance(self) -> bool:
        """Take what the board has registered up to a reading of its counter."""
        now_ns = self._samples() * SAMPLE_NS  # read first: what is before it is taken below
        count = self._front_end.trigger_count
        edges, self._edges = count - self._edges, count  # wraps at 65536: any change is an edge
        self._look(edges)
        self._send_due(now_ns)
        self._look_at_output()
        return True

    def _look_at_output(self) -> None:
        """End the run if the source has been switched off: by its interlock, a protection, or somebody."""
        if time.monotonic() - self._output_seen_s < OUTPUT_EVERY_S:
            return
        self._output_seen_s = time.monotonic()
        if not self._source.output_enabled:
            raise PartFailed("source: its output is off; is the interlock open, or has a protection tripped?")

    def _until_next_step_s(self) -> float:
        return LOOK_S

    def _samples(self) -> int:
        return self._front_end.measure().samples - self._origin
