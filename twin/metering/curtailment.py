"""What ampere limits and open switches keep from customers, and so from the registers of their meters (R21, R25).

Meters that a command reached are followed minute by minute, by what they would draw and what their limit and switch
were when the minute began. The others cost nothing. Minutes are worked out when somebody asks for a reading, up to the
one in which it was taken; the past of a limit does not change, so it does not matter when that is.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from twin.field.coordinates import Floats
from twin.field.topology import Bools, Ints
from twin.metering.breaker import VOLTS, let_through
from twin.metering.loads import SCALE_ONE, Loads
from twin.store.schema import MINUTE_NS

SUMMED_EVERY = 30  # minutes
NOT_FOLLOWED = -1
_STATE = np.dtype([("meter", "i8"), ("limit_w", "f8"), ("closed", "?"), ("change_ns", "i8")])
"""Of a meter that is followed; ``change_ns``: when its limit or switch may be another than these."""


class Limited(Protocol):
    """A meter's own account of its limit and switch, at any moment of the past."""

    meter: int

    def allowed_a(self, t_ns: int) -> float:
        """Return the limit [A]."""

    def closed(self, t_ns: int) -> bool:
        """Return whether the switch is closed."""

    def next_change_ns(self, t_ns: int) -> int:
        """Return the first moment after `t_ns` at which either may change, by what is known now."""


class Curtailment:
    """The loads of N meters less what is kept from them; registers, power and voltage as of `Loads`.

    Parameters
    ----------
    loads : Loads
        What customers would draw.
    adapts : (N,) bool
        Who draws no more than the limit; the breaker of the others trips (`breaker`).
    contract_a : float
        A limit from here on is none: what is drawn by contract is not cut.
    """

    def __init__(self, loads: Loads, adapts: Bools, contract_a: float):
        self.loads = loads
        self._adapts = adapts
        self._contract_a = contract_a
        self._place = np.broadcast_to(np.int32(NOT_FOLLOWED), loads.meter_count)  # costs nothing while nobody is
        self._followed: list[Limited] = []
        self._room = np.empty(64, _STATE)
        self._trips: list[npt.NDArray[np.uint8]] = []  # at the end of each minute
        self._cut: list[npt.NDArray[np.int32]] = []  # (K, 2) import and export of each minute [W min / 1024]
        self._sums: list[Ints] = []  # (K, 2) of all minutes before each `SUMMED_EVERY`th
        self._first_ns = 0

    @property
    def bytes_held(self) -> int:
        """Return what is held for the meters that are followed: 9 B a minute each, and a sum each half hour."""
        return sum(array.nbytes for held in (self._trips, self._cut, self._sums) for array in held)

    def note(self, meter: Limited, t_ns: int) -> None:
        """Follow a meter whose limit or switch changed at a moment."""
        if not self._followed:
            self._place = self._place.copy()
            self._first_ns = (t_ns // MINUTE_NS + 1) * MINUTE_NS
        if self._place[meter.meter] == NOT_FOLLOWED:
            self._place[meter.meter] = len(self._followed)
            self._followed.append(meter)
            if len(self._followed) > self._room.size:
                self._room = np.concatenate([self._room, np.empty_like(self._room)])
            self._state[-1] = meter.meter, np.inf, True, t_ns
        self._forget_from(t_ns // MINUTE_NS + 1)
        changes_ns, place = self._state["change_ns"], self._place[meter.meter]
        changes_ns[place] = min(changes_ns[place], t_ns)

    def advance(self, until_ns: int) -> None:
        """Work out all minutes that begin before a moment."""
        while self._followed and self._until_ns < until_ns:
            self._pass_minute()

    def trips_in_a_row(self, meters: Ints) -> npt.NDArray[np.uint8]:
        """Return (M,) how often meters' breakers have tripped in a row after the last minute that was worked out."""
        place = self._place[meters]
        trips = np.zeros(len(self._followed) + 1, np.uint8)  # the last place is that of everybody else
        if self._trips:
            trips[: self._trips[-1].size] = self._trips[-1]
        return trips[place]

    def registers_wmin(self, meters: npt.ArrayLike, t_ns: npt.ArrayLike) -> tuple[Ints, Ints]:
        """Return both registers as `Loads.registers_wmin` does; minutes that are not worked out yet cut nothing."""
        which = np.asarray(meters, np.int64)
        drawn, fed = self.loads.registers_wmin(which, t_ns)
        rows = self._rows(which)
        if rows.size:
            when = np.broadcast_to(np.asarray(t_ns, np.int64), drawn.shape)[rows]
            lost = self._lost(which[rows], when)
            drawn[rows] -= lost[..., 0]
            fed[rows] -= lost[..., 1]
        return drawn, fed

    def power(self, meters: npt.ArrayLike, ends_ns: npt.ArrayLike, step_ns: int) -> tuple[Ints, Ints]:
        """Return mean power as `Loads.power` does; Q falls as the energy does that is drawn and fed in."""
        which, ends = np.asarray(meters, np.int64), np.asarray(ends_ns, np.int64)
        p_w, q_var = self.loads.power(which, ends, step_ns)
        rows = self._rows(which)
        if rows.size:
            kept_w, _, share = self._kept(which[rows], ends, step_ns)
            p_w[rows] = np.floor(kept_w + 0.5)
            q_var[rows] = np.floor(q_var[rows] * share + 0.5)
        return p_w, q_var

    def voltage(self, meters: npt.ArrayLike, ends_ns: npt.ArrayLike, step_ns: int) -> tuple[Floats, Floats]:
        """Return both legs as `Loads.voltage` does: on its own drop wire a meter feels what is kept, the street not."""
        which, ends = np.asarray(meters, np.int64), np.asarray(ends_ns, np.int64)
        rows = self._rows(which)
        if not rows.size:
            return self.loads.voltage(which, ends, step_ns)
        cut_w, share = np.zeros((which.size, ends.size)), np.ones((which.size, ends.size))
        _, cut_w[rows], share[rows] = self._kept(which[rows], ends, step_ns)
        return self.loads.voltage(which, ends, step_ns, (cut_w, share))

    def energy_kept_wh(self, until_ns: int) -> float:
        """Return what customers would have drawn by a moment but did not [Wh]; what holds then counts up to it."""
        self.advance(until_ns)
        meters = self._state["meter"]
        lost = self._lost(meters, np.full((meters.size, 1), until_ns))
        return float(lost[..., 0].sum()) / (60 * SCALE_ONE)

    @property
    def _state(self) -> npt.NDArray[Any]:
        return self._room[: len(self._followed)]

    @property
    def _until_ns(self) -> int:
        return self._first_ns + len(self._cut) * MINUTE_NS

    def _forget_from(self, minute: int) -> None:
        """Forget minutes from one on (whole minutes since time 0): they were worked out without what is known now."""
        self._first_ns, before_ns = min(self._first_ns, minute * MINUTE_NS), self._first_ns
        keep = minute - before_ns // MINUTE_NS if self._first_ns == before_ns else 0
        if keep >= len(self._cut):
            return
        del self._cut[keep:], self._trips[keep:], self._sums[-(-keep // SUMMED_EVERY) :]
        changes_ns = self._state["change_ns"]
        changes_ns[:] = np.minimum(changes_ns, self._until_ns - MINUTE_NS)

    def _pass_minute(self) -> None:
        begin_ns, state = self._until_ns, self._state
        trips = np.zeros(len(self._followed), np.uint8)
        if self._trips:
            trips[: self._trips[-1].size] = self._trips[-1]
        for k in np.flatnonzero(state["change_ns"] < begin_ns).tolist():
            trips[k] = self._renewed(k, begin_ns - 1, int(trips[k]))
        meters = state["meter"]
        drawn, fed = (np.diff(total)[:, 0] for total in self._demand(meters, begin_ns))
        through, trips = let_through(drawn - fed, SCALE_ONE * state["limit_w"], self._adapts[meters], trips)
        through = np.where(state["closed"], through, 0).astype(np.int64)
        kept = np.stack([np.maximum(through, 0), np.maximum(-through, 0)], axis=1)
        if len(self._cut) % SUMMED_EVERY == 0:
            self._sums.append(self._upto(len(self._cut)))
        self._cut.append((np.stack([drawn, fed], axis=1) - kept).astype(np.int32))
        self._trips.append(trips)

    def _renewed(self, k: int, t_ns: int, trips: int) -> int:
        """Take over a meter's limit and switch as they were at a moment; return trips: none where more is allowed."""
        meter = self._followed[k]
        before = self._allowed_w(meter, t_ns - MINUTE_NS)
        now = self._allowed_w(meter, t_ns)
        self._state[k] = meter.meter, *now, meter.next_change_ns(t_ns)
        more = now[0] > before[0] or (now[1] and not before[1])
        return 0 if more else trips

    def _allowed_w(self, meter: Limited, t_ns: int) -> tuple[float, bool]:
        amperes = meter.allowed_a(t_ns)
        return VOLTS * amperes if amperes < self._contract_a else np.inf, meter.closed(t_ns)

    def _demand(self, meters: Ints, begin_ns: int) -> tuple[Ints, Ints]:
        """Return (K, 2) both registers of the loads at the beginning and end of a minute."""
        return self.loads.registers_wmin(meters, np.array([begin_ns, begin_ns + MINUTE_NS]))

    def _rows(self, meters: Ints) -> Ints:
        """Return where in `meters` those stand that are followed."""
        return np.flatnonzero(self._place[meters] != NOT_FOLLOWED) if self._followed else np.empty(0, np.int64)

    def _upto(self, minute: int) -> Ints:
        """Return (K, 2) what was cut in the first minutes."""
        total = np.zeros((len(self._followed), 2), np.int64)
        block = min(minute // SUMMED_EVERY, len(self._sums) - 1)
        if block >= 0:
            total[: len(self._sums[block])] = self._sums[block]
        for cut in self._cut[max(block, 0) * SUMMED_EVERY : minute]:
            total[: len(cut)] += cut
        return total

    def _lost(self, meters: Ints, t_ns: Ints) -> Ints:
        """Return (M, T, 2) what was cut of import and export before times (M, T) of meters that are followed."""
        minute, rest_ns = np.divmod(np.clip(t_ns, self._first_ns, self._until_ns) - self._first_ns, MINUTE_NS)
        lost, place = np.empty((*minute.shape, 2), np.int64), self._place[meters].astype(np.int64)
        for now in np.unique(minute).tolist():
            rows, columns = np.nonzero(minute == now)
            lost[rows, columns] = self._upto(now)[place[rows]]
            if now < len(self._cut) and rest_ns[rows, columns].any():
                part = self._lost_within(now, meters[rows], place[rows], rest_ns[rows, columns])
                lost[rows, columns] += part
        return lost

    def _lost_within(self, minute: int, meters: Ints, place: Ints, rest_ns: Ints) -> Ints:
        """Return (E, 2) what was cut in the first `rest_ns` of a minute, so that what is left never falls."""
        cut = np.zeros((len(self._followed), 2), np.int64)
        cut[: len(self._cut[minute])] = self._cut[minute]
        begin_ns = self._first_ns + minute * MINUTE_NS
        into_ns = np.stack([np.zeros_like(rest_ns), rest_ns, np.full_like(rest_ns, MINUTE_NS)], axis=1)
        found = np.stack(self.loads.registers_wmin(meters, begin_ns + into_ns), axis=2)  # (E, 3, 2)
        kept = found[:, 2] - found[:, 0] - cut[place]
        part = found[:, 1] - found[:, 0] - kept * rest_ns[:, None] // MINUTE_NS
        return np.where(cut[place] != 0, part, 0)

    def _kept(self, meters: Ints, ends: Ints, step_ns: int) -> tuple[Floats, Floats, Floats]:
        """Return (M, T) net power that is left and that is cut [W], and the share of energy both ways that is left."""
        edges = np.stack([ends - step_ns, ends], axis=1).ravel()
        whole = np.stack(self.loads.registers_wmin(meters, edges), axis=2).reshape(meters.size, ends.size, 2, 2)
        wanted = whole[:, :, 1] - whole[:, :, 0]
        lost = self._lost(meters, np.broadcast_to(edges, (meters.size, edges.size))).reshape(whole.shape)
        cut = lost[:, :, 1] - lost[:, :, 0]
        unit = SCALE_ONE * (step_ns // MINUTE_NS)
        left = wanted - cut
        total = wanted.sum(axis=2)
        share = np.where(total > 0, left.sum(axis=2) / np.maximum(total, 1), 1.0)
        return (left[..., 0] - left[..., 1]) / unit, (cut[..., 0] - cut[..., 1]) / unit, share
