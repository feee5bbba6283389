"""The path from samples to power-fail events for many cases at once: the integer model of `hdl.model`, over arrays.

Bit for bit what `ZeroCross`, `HalfCycle` and `PowerFail` make of each case from reset on (Urms(1/2), tracked
period, detector), some thousand times faster than one case after the other. Cases lie along the last axis.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from hdl.model import (
    CONFIRMED,
    DELAYED,
    FIRST_PERIOD,
    IDLE,
    MAX_PERIOD,
    MIN_PERIOD,
    OFF,
    POWER_FAIL,
    POWER_FAIL_CONFIRMED,
    POWER_FAIL_WITHDRAWN,
    POWER_RETURN,
    PUBLISH_SAMPLES,
    SUSPECT,
    TAPS,
    WITHDRAW_SAMPLES,
    Settings,
)

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class Found(NamedTuple):
    """What the detector made of a batch: one entry an event, in order of samples."""

    case: Ints  # (E,) place in the batch
    sample: Ints  # (E,) that decided it, from 0 at reset
    kind: Ints  # (E,) as in the event register
    idle: Flags  # (N,) whether the detector was idle just before ``look`` and had made no event


def roots(sums: Ints, lengths: Ints) -> Ints:
    """Return floor(sqrt(sums 2^24 / lengths)), (n,), for sums below 2^55 and lengths below 2^26."""
    whole, rest = np.divmod(sums, lengths)
    quotient = (whole << 24) + (rest << 24) // lengths
    root = np.sqrt(quotient.astype(np.float64)).astype(np.int64)  # within 1 of the floor: 55 of 53 bits
    root -= root * root > quotient
    return root + ((root + 1) * (root + 1) <= quotient)


def envelopes(codes: Ints, k: int) -> Ints:
    """Return the quadrature envelope, (T, N), of samples, (T, N), behind a line of zeros."""
    volts = codes >> 6
    before = np.zeros_like(volts)
    before[2:] = volts[:-2]
    total = volts + before
    slope = np.clip((volts - before) * k >> 8, -(1 << 19), (1 << 19) - 1)
    return total * total + slope * slope >> 8


class HalfCycles:
    """Boundaries, Urms(1/2) and tracked period of N cases (td_zero_cross, td_half_cycle)."""

    def __init__(self, codes: Ints, settings: Settings):
        self.settings = settings
        count = codes.shape[1]
        self.delayed = np.zeros_like(codes)
        self.delayed[DELAYED:] = codes[:-DELAYED]
        self.squares = np.cumsum(self.delayed * self.delayed, axis=0)
        sums = np.cumsum(codes, axis=0)
        sums[TAPS:] -= sums[:-TAPS].copy()
        self.sums = np.vstack([np.zeros((1, count), np.int64), sums])  # row t + 1: after sample t
        self.positive, self.negative = self.sums > 0, self.sums < 0
        self.high, self.low = self.sums > settings.hysteresis, self.sums < -settings.hysteresis
        self.lost = np.ones(count, bool)
        self.above, self.under = np.zeros(count, bool), np.zeros(count, bool)
        self.since = np.zeros(count, np.int64)  # samples since the last boundary
        self.base, self.place = np.zeros(count, np.int64), np.zeros(count, np.int64)
        self.former_sum, self.former_length = np.zeros(count, np.int64), np.zeros(count, np.int64)
        self.closed, self.crossings = np.zeros(count, np.int64), np.zeros(count, np.int64)
        self.due = np.full(count, -1, np.int64)  # sample at which the pending values are shown
        self.next_urms, self.next_period = np.zeros(count, np.int64), np.full(count, FIRST_PERIOD)
        self.next_valid = np.zeros(count, bool)
        self.urms, self.period = np.zeros(count, np.int64), np.full(count, FIRST_PERIOD)
        self.valid = np.zeros(count, bool)

    def publish(self, t: int) -> Flags:
        """Show what is due at sample ``t``; return where, (N,)."""
        fresh = self.due == t
        if fresh.any():
            self.due[fresh] = -1
            cycle = fresh & self.next_valid & (self.closed > 0)
            self.urms[cycle] = self.next_urms[cycle]
            self.valid[cycle] = True
            piece = fresh & (self.closed > 0)
            self.period[piece] = self.next_period[piece]
        return fresh

    def step(self, t: int) -> None:
        """Look for boundaries at sample ``t``."""
        limits = self.settings
        self.since = np.minimum(self.since + 1, 255)
        turned = (self.under & ~self.positive[t] & self.positive[t + 1]) | (
            self.above & ~self.negative[t] & self.negative[t + 1]
        )
        crossing = turned & (self.lost | (self.since >= limits.blank))
        expired = ~crossing & (self.since >= np.where(self.lost, limits.cadence, limits.timeout))
        spent = crossing | (expired & ~self.lost)
        self.above = (self.above & ~spent) | self.high[t + 1]
        self.under = (self.under & ~spent) | self.low[t + 1]
        at = np.flatnonzero(crossing | expired)
        if at.size:
            self._bound(t, at, crossing[at])

    def _bound(self, t: int, at: Ints, crossing: Flags) -> None:
        restart = crossing & self.lost[at]
        self.lost[at] = ~crossing
        self.since[at] = 0
        before, now = np.abs(self.sums[t, at]), np.abs(self.sums[t + 1, at])
        fraction = np.where(crossing, (before << 16) // np.maximum(before + now, 1), 0)
        part = (self.delayed[t, at] ** 2 * fraction + 0x8000) >> 16
        place = (t - 1 << 16) + fraction
        until = (self.squares[t - 1, at] if t else np.zeros(at.size, np.int64)) + part
        total, length = until - self.base[at], place - self.place[at]
        self.base[at], self.place[at] = until, place
        self.closed[at[restart]] = 0
        self.crossings[at[restart]] = 1
        self.valid[at[restart]] = False
        kept = ~restart
        self._close(t, at[kept], crossing[kept], total[kept], length[kept])

    def _close(self, t: int, at: Ints, crossing: Flags, total: Ints, length: Ints) -> None:
        both = self.closed[at] > 0
        sums = total + np.where(both, self.former_sum[at], 0)
        lengths = length + np.where(both, self.former_length[at], 0)
        self.former_sum[at], self.former_length[at] = total, length
        self.closed[at] = np.minimum(self.closed[at] + 1, 2)
        self.crossings[at] = np.where(crossing, self.crossings[at] + 1, 0)
        samples = (lengths + 0x8000) >> 16
        tracked = (self.crossings[at] > 2) & (samples >= MIN_PERIOD) & (samples <= MAX_PERIOD)
        self.next_urms[at] = roots(sums, lengths)
        self.next_valid[at] = self.closed[at] == 2
        self.next_period[at] = np.where(tracked, samples, self.period[at])
        self.due[at] = t + PUBLISH_SAMPLES


def detect(codes: npt.NDArray[np.int32], settings: Settings, look: Ints) -> Found:
    """Run the detector over a batch, each case from reset on.

    Parameters
    ----------
    codes : (T, N) int32
        Samples, one case a column.
    settings : Settings
    look : (N,) int
        Samples just before which the detector should be idle.
    """
    wide = codes.astype(np.int64)
    envelope = envelopes(wide, settings.k)
    half_cycles = HalfCycles(wide, settings)
    line = np.vstack([np.zeros((256, wide.shape[1]), np.int64), envelope])  # row t + 256: sample t
    low, under_drop = envelope < settings.low, envelope < settings.drop
    scaled = envelope << 8
    everyone = np.arange(wide.shape[1])
    state, wait, row = np.full(everyone.size, OFF), np.zeros(everyone.size, np.int64), np.zeros(everyone.size, np.int64)
    idle, quiet = np.zeros(everyone.size, bool), np.ones(everyone.size, bool)
    cases, samples, kinds = [], [], []
    for t in range(len(wide)):
        idle |= (look == t) & (state == IDLE) & quiet
        fresh = half_cycles.publish(t) & half_cycles.valid
        below = low[t]
        near = np.flatnonzero(under_drop[t])
        if near.size:
            earlier = np.maximum(line[t + 256 - half_cycles.period[near], near], settings.floor)
            below = below.copy()
            below[near] |= scaled[t, near] < earlier * settings.ratio
        row = np.where(below, np.minimum(row + 1, settings.persist), 0)
        kind = _decide(state, wait, row >= settings.persist, fresh, half_cycles, settings)
        hit = np.flatnonzero(kind)
        if hit.size:
            quiet[hit] = False
            cases.append(hit)
            samples.append(np.full(hit.size, t))
            kinds.append(kind[hit])
        half_cycles.step(t)
    return Found(_joined(cases), _joined(samples), _joined(kinds), idle)


def _joined(parts: list[Ints]) -> Ints:
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def _decide(
    state: Ints, wait: Ints, tripped: Flags, fresh: Flags, shown: HalfCycles, limits: Settings
) -> npt.NDArray[np.int64]:
    """Move the states and their waits on by one sample, in place; return the kinds of event, (N,)."""
    kind = np.zeros(state.size, np.int64)
    was = state.copy()
    suspects = was == SUSPECT
    if suspects.any():
        due, over = suspects & (wait >= limits.confirm), suspects & (wait >= limits.confirm + WITHDRAW_SAMPLES)
        wait[suspects & ~over] += 1
        sure = due & (tripped | (fresh & (shown.urms < limits.confirm_rms)))
        spared = over & ~sure & fresh
        state[sure], wait[sure], kind[sure] = CONFIRMED, 0, POWER_FAIL_CONFIRMED
        state[spared], kind[spared] = IDLE, POWER_FAIL_WITHDRAWN
    trips = (was == IDLE) & tripped
    state[trips], wait[trips], kind[trips] = SUSPECT, 1, POWER_FAIL
    away = (was == OFF) | (was == CONFIRMED)
    if away.any():
        back = away & shown.valid & (shown.urms >= limits.return_rms)
        returns = back & (wait >= limits.return_samples)
        wait[away] = np.where(back, wait + 1, 0)[away]
        state[returns] = IDLE
        kind[returns & (was == CONFIRMED)] = POWER_RETURN
    return kind
