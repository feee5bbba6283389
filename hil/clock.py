"""Clocks of the bench: host time of a board's counter, with bounds that hold; what a time may prove.

The board's counter is the time base: t0 is the trigger-out edge it latched, and delays are differences of its
counts. Host time is an annotation. It comes from bursts of readings, of which the one with the shortest round
trip is kept (Cristian, "Probabilistic clock synchronization", Distributed Computing 3, 1989): the counter was
read somewhere between request and reply, wherever the delay was. All that follows is interval arithmetic, so a
bound is a guarantee as long as the oscillator keeps to its tolerance and wander.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from teiden.errors import InputError, PartFailed

Floats = npt.NDArray[np.float64]

TOLERANCE_PPM = 100.0  # assumed; crystal oscillators of such boards are sold as 25 to 50 ppm over temperature
WANDER_PPM_PER_S = 1.0  # assumed; self-heating after power-on is slower
PROOF_RATIO = 10.0  # a limit has to be so many times the bound of t0


class Interval(NamedTuple):
    """Where a value lies for certain, of any shape, the same for both."""

    low: Floats
    high: Floats

    @property
    def middle(self) -> Floats:
        """Return the best single value."""
        return (self.low + self.high) / 2

    @property
    def bound(self) -> Floats:
        """Return how far the value may be from `middle`."""
        return (self.high - self.low) / 2


class Anchor(NamedTuple):
    """A reading of the counter, and the host time at which it got there [ns]."""

    counter: Floats
    host_ns: Interval


def anchor(sent_ns: npt.ArrayLike, counts: npt.ArrayLike, received_ns: npt.ArrayLike, count_ns: float) -> Anchor:
    """Return the anchor of a burst: its reading of the shortest round trip.

    Parameters
    ----------
    sent_ns, received_ns : (..., P)
        Host's monotonic time before the request and after the reply of each of P readings [ns].
    counts : (..., P)
        What the counter read.
    count_ns : float
        Longest time the counter may stand at one count [ns]: when it is read, that count began up to so long ago.

    Raises
    ------
    InputError
        If shapes differ, there is no reading, or a reply came before its request.
    """
    sent, count, received = (np.asarray(a, np.float64) for a in (sent_ns, counts, received_ns))
    if not sent.shape == count.shape == received.shape or not sent.ndim or not sent.shape[-1]:
        raise InputError(f"burst of shapes {sent.shape}, {count.shape}, {received.shape}: expected (..., P) thrice")
    if np.any(received < sent):
        raise InputError("burst: a reply came before its request; host times must be of a monotonic clock")
    best = np.argmin(received - sent, axis=-1)[..., np.newaxis]
    sent, count, received = (np.take_along_axis(a, best, axis=-1)[..., 0] for a in (sent, count, received))
    return Anchor(count, Interval(sent - count_ns, received))


class ClockMap:
    """Host time of a counter, from anchors about a second apart.

    Parameters
    ----------
    nominal_hz : float
        Rate of the counter [Hz].
    tolerance_ppm : float
        How far its true rate may be from that [ppm].
    wander_ppm_per_s : float
        How fast its true rate may change [ppm/s].

    Raises
    ------
    InputError
        If a parameter is negative, or the rate 0.
    """

    def __init__(
        self,
        nominal_hz: float,
        tolerance_ppm: float = TOLERANCE_PPM,
        wander_ppm_per_s: float = WANDER_PPM_PER_S,
    ):
        if nominal_hz <= 0 or tolerance_ppm < 0 or wander_ppm_per_s < 0:
            raise InputError(
                f"nominal_hz = {nominal_hz:g}, tolerance_ppm = {tolerance_ppm:g}, wander_ppm_per_s = "
                f"{wander_ppm_per_s:g}: expected above 0, and 0 or more"
            )
        self._nominal_ns = 1e9 / nominal_hz
        self._tolerance = tolerance_ppm * 1e-6
        self._wander_per_s = wander_ppm_per_s * 1e-6
        self._anchors: list[Anchor] = []

    @property
    def longest_count_ns(self) -> float:
        """Return the longest time that one count may last [ns]."""
        return self._nominal_ns * (1 + self._tolerance)

    def add_burst(self, sent_ns: npt.ArrayLike, counts: npt.ArrayLike, received_ns: npt.ArrayLike) -> None:
        """Take a burst of readings, later than those before; see `anchor`.

        Raises
        ------
        InputError
            If the counter has not moved since the burst before.
        PartFailed
            If no rate within the tolerance leads from the burst before to this one: another clock, or a reset.
        """
        new = anchor(sent_ns, counts, received_ns, self.longest_count_ns)
        if self._anchors:
            if np.any(new.counter <= self._anchors[-1].counter):
                raise InputError("burst: the counter stands where it stood in the burst before, or behind")
            self._ns_per_count(self._anchors[-1], new)
        self._anchors.append(new)

    def host_ns(self, count: npt.ArrayLike) -> Interval:
        """Return the host time at which the counter reached a count [ns].

        Raises
        ------
        InputError
            If there was no burst yet.
        """
        if not self._anchors:
            raise InputError("clock: no burst yet")
        low: Floats = np.asarray(-np.inf)
        high: Floats = np.asarray(np.inf)
        for place, one in enumerate(self._anchors):
            away = np.asarray(count, np.float64) - one.counter
            rate = self._rate_near(place, away)
            ends = away * rate.low, away * rate.high
            low = np.maximum(low, one.host_ns.low + np.minimum(*ends))
            high = np.minimum(high, one.host_ns.high + np.maximum(*ends))
        return Interval(low, high)

    def _rate_near(self, place: int, away: Floats) -> Interval:
        """Return the mean time of a count between an anchor and ``away`` counts from it [ns]."""
        rate = self._tolerated(away)
        for first, second in ((place - 1, place), (place, place + 1)):
            if first < 0 or second >= len(self._anchors):
                continue
            one, two = self._anchors[first], self._anchors[second]
            measured = self._ns_per_count(one, two)
            # The two spans touch or overlap, so no instant of one is further from one of the other than this.
            apart_s = (np.abs(away) + two.counter - one.counter) * self.longest_count_ns * 1e-9
            slack = self._wander_per_s * apart_s * self._nominal_ns
            rate = Interval(np.maximum(rate.low, measured.low - slack), np.minimum(rate.high, measured.high + slack))
        return rate

    def _ns_per_count(self, one: Anchor, two: Anchor) -> Interval:
        counts = two.counter - one.counter
        low = (two.host_ns.low - one.host_ns.high) / counts
        high = (two.host_ns.high - one.host_ns.low) / counts
        allowed = self._tolerated(counts)
        if np.any(low > allowed.high) or np.any(high < allowed.low):
            found = np.ravel((low + high) / 2 / self._nominal_ns - 1)[0] * 1e6
            raise PartFailed(
                f"clock: the counter's period is {found:+.0f} ppm from nominal, expected within "
                f"{self._tolerance * 1e6:g} ppm; was the board reset, or is its clock another?"
            )
        return Interval(np.maximum(low, allowed.low), np.minimum(high, allowed.high))

    def _tolerated(self, like: Floats) -> Interval:
        ones = np.ones_like(like)
        return Interval(
            ones * self._nominal_ns * (1 - self._tolerance), ones * self._nominal_ns * (1 + self._tolerance)
        )


@dataclass(frozen=True)
class T0:
    """Where a bench run's time begins, how that is known, and how well [ns of the board's counter]."""

    t_ns: int
    source: str  # trigger: latched trigger-out; adc: seen in the samples; host: the command's host time
    bound_ns: int


@dataclass(frozen=True)
class TriggerDelay:
    """Time from a source's trigger-out to the change of its output, and how well that is known [ns]."""

    ns: int = 0
    bound_ns: int = 0


def judge(value_s: float, limit_s: float, t0: T0) -> str:
    """Return the verdict on a delay from t0 that shall be at most ``limit_s``: pass, fail or inconclusive.

    A limit below ten times the bound of t0 proves nothing; neither does a value that is nearer to it than the bound.
    """
    bound_s = t0.bound_ns * 1e-9
    if limit_s < PROOF_RATIO * bound_s or (bound_s and abs(value_s - limit_s) < bound_s):
        return "inconclusive"
    return "pass" if value_s <= limit_s else "fail"
