"""The rig in real time: a simulated board paced by the wall clock, as a real one is by its oscillator."""

from __future__ import annotations

import time

from hil.rig_lockstep import LOOK_SAMPLES, Rig
from teiden.errors import PartFailed
from twin import wire
from twin.field.meters import SAMPLE_NS

CATCH_UP_SAMPLES = 800  # 0.1 s; a machine too slow for real time still hears what the twin says, and when to stop
NO_CREDIT_NEEDED = 2**31  # nobody waits: what the twin has not taken yet lies in the link


class PacedRig(Rig):
    """A `Rig` that no grant holds back; what the twin sends acts when it arrives."""

    def run(self) -> None:
        """Run the board from `Start` to `Stop`."""
        self._link.allow(NO_CREDIT_NEEDED)
        message = self._link.receive()
        self._start_ns = time.monotonic_ns()
        self._behind_ns = 0
        self._asked: int | None = None  # the reading of the counter that the twin waits for
        while not isinstance(message, wire.Stop):
            caught_up = self._advance()
            self._act_on(message)
            if caught_up:
                self._answer()
            message = self._link.take(self._until_next_step_s())
        self._advance()
        self._answer()  # of a board that never caught up too: how far behind it was is heard at the end
        self._report()

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
        self._link.send(wire.Counter(self._asked, self._front_end.measure().samples, self._behind_ns))
        self._asked, self._behind_ns = None, 0

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
