"""What the board's meter does with its front-end's events: declare, gasp, return, answer polls.

The same rules as the virtual meters of ``twin.field.meters``, driven by what the hardware saw. Times
are board time, the front-end's sample counter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from twin.chance import Purpose, between_ns
from twin.field.meters import SAMPLE_NS
from twin.field.notice import Notice as NoticeContent
from twin.field.notice import seal
from twin.wire import Configure, Downlink


@dataclass(frozen=True)
class Outgoing:
    """A notice the meter wants on the air."""

    t_ns: int
    content: NoticeContent
    detected_ns: int
    data: bytes


@dataclass
class _Pending:
    kind: str
    decide_ns: int  # still true then? then it goes out, a handoff later
    detected_ns: int


class Firmware:
    """State of the board's meter.

    Parameters
    ----------
    configure : Configure
        Identity, key, times and hold-up store, as the twin sent them.
    """

    def __init__(self, configure: Configure):
        self._set = configure
        self._sequences: Counter[str] = Counter()
        self._lost_ns: int | None = None  # detection of the present outage
        self._history: list[tuple[int, int | None]] = [(0, None)]  # (since, detection of the outage or None)
        self._pending: _Pending | None = None

    def event(self, kind: str, t_ns: int) -> None:
        """Take one event of the front-end: power_fail, power_fail_confirmed, power_fail_withdrawn or power_return.

        What was due before it must have been taken from `due` already.
        """
        if kind == "power_fail" and self._lost_ns is None:
            self._change(t_ns, t_ns)
            start = self._draw(t_ns, Purpose.GASP_START, self._set.window_ns)
            self._plan("last_gasp", t_ns + self._set.declare_ns + start, t_ns)
        elif kind == "power_fail_withdrawn" and self._lost_ns is not None:
            self._change(t_ns, None)
        elif kind == "power_return" and self._lost_ns is not None:
            declared = t_ns - self._lost_ns >= self._set.declare_ns
            self._change(t_ns, None)
            if declared:
                start = self._draw(t_ns, Purpose.RETURN_START, self._set.notice_window_ns)
                self._plan("power_return", t_ns + self._set.confirm_return_ns + start, t_ns)

    def poll(self, downlink: Downlink) -> Outgoing:
        """Answer a poll that the board's radio received, with the state of that moment."""
        lost_ns = next(lost for since_ns, lost in reversed(self._history) if since_ns <= downlink.t_ns)
        return self._seal("poll_answer", downlink.t_ns + self._set.answer_ns, downlink.t_ns, lost_ns)

    def due(self, until_ns: int) -> Iterator[Outgoing]:
        """Give the notices whose moment has come before ``until_ns``."""
        pending = self._pending
        if pending is not None and pending.decide_ns < until_ns:
            self._pending = None
            at_ns = pending.decide_ns + self._set.handoff_ns
            yield self._seal(pending.kind, at_ns, pending.detected_ns, self._lost_ns)

    def energy_left_nj(self, t_ns: int, lost_ns: int | None) -> int:
        """Return what the hold-up store has left at ``t_ns``, less listening since the loss was detected [nJ]."""
        if lost_ns is None:
            return self._set.holdup_nj
        return max(self._set.holdup_nj - (t_ns - lost_ns) * self._set.listen_nw // 10**9, 0)

    def _change(self, t_ns: int, lost_ns: int | None) -> None:
        self._lost_ns, self._pending = lost_ns, None
        self._history.append((t_ns, lost_ns))

    def _plan(self, kind: str, decide_ns: int, detected_ns: int) -> None:
        if self._set.sends_notices:
            self._pending = _Pending(kind, decide_ns, detected_ns)

    def _draw(self, t_ns: int, purpose: Purpose, width_ns: int) -> int:
        return int(between_ns(self._set.seed, self._set.meter, t_ns, purpose, 0, width_ns))

    def _seal(self, kind: str, t_ns: int, detected_ns: int, lost_ns: int | None) -> Outgoing:
        self._sequences[kind] += 1
        content = NoticeContent(
            kind,
            self._set.meter,
            self._sequences[kind],
            detected_ns // SAMPLE_NS,
            self.energy_left_nj(t_ns, lost_ns) // 1000,
            lost_ns is None,
        )
        return Outgoing(t_ns, content, detected_ns, seal(self._set.key, content))
