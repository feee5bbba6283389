"""Bit-exact integer models of the resampler, the fundamental and the harmonics, one sample a step.

As in `hdl.model` there are no clocks: what the RTL does in the background is done at once and shown at
the sample where the RTL shows it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from math import isqrt
from typing import NamedTuple

from hdl.spectrum_tables import HALF, PHASES, POINTS, TAPS, WINDOW_CYCLES, kernel, sine

WINDOW = POINTS * WINDOW_CYCLES
FIRST_PERIOD10 = 1600 << 16  # ten cycles, 1/65536 sample, until some were measured
LEAST_PERIOD10, MOST_PERIOD10 = 1140 << 16, 1880 << 16  # 70.2 and 42.6 Hz; others are not followed
SAMPLE = 1 << 32  # one, in the resampler's own time
POINT_MAX, POINT_MIN = (1 << 24) - 1, -(1 << 24)  # half codes
FUNDAMENTAL_PUBLISH, HARMONICS_PUBLISH = 16, 200  # samples behind the one with the last point
ORDERS = 40
KERNEL = kernel()
QUARTER = sine()


def _limit(value: int) -> int:
    return max(POINT_MIN, min(POINT_MAX, value))


def sine_of(place: int) -> int:
    """Return the table's sine at a place of 128 a cycle."""
    place %= POINTS
    half = place % (POINTS // 2)
    size = QUARTER[min(half, POINTS // 2 - half)]
    return -size if place >= POINTS // 2 else size


class Point(NamedTuple):
    """One of 128 points a cycle."""

    place: int  # 0 to 1279 in the window of ten cycles
    values: tuple[int, ...]  # half codes, one a channel
    period10: int  # length of the window, 1/65536 sample
    locked: bool  # the length was measured


class Resampler:
    """128 points a tracked cycle from the samples of four channels (td_resample)."""

    def __init__(self) -> None:
        self.lines = [deque([0] * TAPS, maxlen=TAPS) for _ in range(4)]  # newest last
        self.count = 0
        self.due = 0  # of the next point behind tap HALF - 1, in SAMPLE
        self.place = 0
        self.used = (FIRST_PERIOD10, False)  # period10 of the running window, and whether it was measured
        self.waiting: int | None = None  # period10 for the next window
        self.fresh: int | None = None  # came with this sample, counts from the next on

    @property
    def step_size(self) -> int:
        """From point to point, in SAMPLE."""
        return (self.used[0] << 8) // 5

    def step(self, words: Sequence[int], period10: int = 0) -> list[Point]:
        """Take one sample of each channel, 1/16 code, and return the points made from those before it.

        ``period10``: length of the last ten cycles published with this sample, 0 for none.
        """
        if self.fresh is not None:
            self.waiting = self.fresh
        self.fresh = period10 if LEAST_PERIOD10 <= period10 <= MOST_PERIOD10 else None
        points = self._due_points() if self.count >= TAPS else []
        for line, word in zip(self.lines, words, strict=True):
            line.append(_limit(word + 4 >> 3))
        self.count += 1
        return points

    def _due_points(self) -> list[Point]:
        if self.waiting is not None and not self.used[1]:  # the first one measured: begin anew
            self.place = self.due = 0
        points = []
        while self.due < SAMPLE:
            if self.place == 0 and self.waiting is not None:
                self.used, self.waiting = (self.waiting, True), None
            points.append(self._point())
            self.place = (self.place + 1) % WINDOW
            self.due += self.step_size
        self.due -= SAMPLE
        return points

    def _point(self) -> Point:
        phase, rest = divmod(self.due >> 16, (1 << 16) // PHASES)
        taps = []
        for tap in range(TAPS):
            if tap < HALF:  # at a distance of HALF - 1 - tap + mu
                near = (HALF - 1 - tap) * PHASES + phase
                part = rest
            else:  # tap - HALF + 1 - mu
                near = (tap - HALF) * PHASES + PHASES - 1 - phase
                part = 1024 - rest
            taps.append(KERNEL[near] + ((KERNEL[near + 1] - KERNEL[near]) * part + 512 >> 10))
        sums = (sum(tap * value for tap, value in zip(taps, line, strict=True)) for line in self.lines)
        return Point(self.place, tuple(_limit(total + (1 << 16) >> 17) for total in sums), *self.used)


class Fundamental(NamedTuple):
    """Fundamental values of the latest window of ten cycles, as the registers show them."""

    rms: tuple[int, ...] = (0, 0, 0, 0)  # u1, i1, u2, i2; 1/256 code
    windows: int = 0
    period10: int = 0
    locked: bool = False
    powers: tuple[int, ...] = (0, 0, 0, 0)  # P and Q of element 1, of element 2; squared codes
    energies: tuple[int, ...] = (0,) * 8  # forward, reverse, lagging, leading of each; 65536 squared codes x sample


class FundamentalMeter:
    """Fundamental RMS, powers and energies over windows of ten cycles (td_fundamental)."""

    def __init__(self) -> None:
        self.sums = [0] * 8  # of u1 cos, u1 sin, i1 cos, ...
        self.shown = self.pending = Fundamental()
        self.wait = 0

    def step(self, points: Sequence[Point]) -> bool:
        """Take the points of one sample; return whether new values are shown from this sample on."""
        published = self.wait == 1
        self.wait = max(0, self.wait - 1)
        if published:
            self.shown = self.pending
        for point in points:
            if point.place == 0:
                self.sums = [0] * 8
            for channel, value in enumerate(point.values):
                self.sums[2 * channel] += value * sine_of(point.place + POINTS // 4)
                self.sums[2 * channel + 1] += value * sine_of(point.place)
            if point.place == WINDOW - 1:
                self._close(point)
                self.wait = FUNDAMENTAL_PUBLISH
        return published

    def _close(self, point: Point) -> None:
        x = [total + (1 << 18) >> 19 for total in self.sums]
        rms = tuple(isqrt(x[k] ** 2 + x[k + 1] ** 2) for k in range(0, 8, 2))
        powers: list[int] = []
        for k in (0, 4):
            powers.append(x[k] * x[k + 2] + x[k + 1] * x[k + 3] >> 16)
            powers.append(x[k] * x[k + 3] - x[k + 1] * x[k + 2] >> 16)
        energies = list(self.pending.energies)
        for place, power in enumerate(powers):
            if point.locked:
                energy = power * point.period10 >> 32
                energies[2 * place + (power < 0)] += -energy if power < 0 else energy
        self.pending = Fundamental(
            rms, self.pending.windows + 1 & 0xFFFFFFFF, point.period10, point.locked, tuple(powers), tuple(energies)
        )


class Harmonics(NamedTuple):
    """Complex RMS values over one window, cosine and sine part, 1/256 code."""

    orders: tuple[tuple[int, int], ...]  # 1 to 40 of the chosen channel
    reference: tuple[int, int]  # fundamental of u1
    period10: int
    locked: bool


class HarmonicsMeter:
    """Harmonics 1 to 40 of a channel over the window that begins after a start (td_harmonics)."""

    def __init__(self) -> None:
        self.done: Harmonics | None = None
        self.channel: int | None = None  # while armed or running
        self.folded: tuple[list[int], list[int]] | None = None  # chosen channel and u1, summed over the cycles
        self.result: Harmonics | None = None
        self.wait = 0

    def start(self, channel: int) -> None:
        """Begin with the first window that starts behind the last sample; drops what was there."""
        self.__init__()  # type: ignore[misc]
        self.channel = channel

    def step(self, points: Sequence[Point]) -> bool:
        """Take the points of one sample; return whether the result is shown from this sample on."""
        finished = self.wait == 1
        self.wait = max(0, self.wait - 1)
        if finished:
            self.done = self.result
        for point in points:
            if self.channel is None:
                continue
            if point.place == 0:
                self.folded = ([0] * POINTS, [0] * POINTS)
            if self.folded is None:
                continue
            for sums, value in zip(self.folded, (point.values[self.channel], point.values[0]), strict=True):
                sums[point.place % POINTS] += value
            if point.place == WINDOW - 1:
                chosen, first = self.folded
                orders = tuple(_part(chosen, order) for order in range(1, ORDERS + 1))
                self.result = Harmonics(orders, _part(first, 1), point.period10, point.locked)
                self.channel = self.folded = None
                self.wait = HARMONICS_PUBLISH
        return finished


def _part(folded: Sequence[int], order: int) -> tuple[int, int]:
    values = [value + 8 >> 4 for value in folded]
    cosine = sum(value * sine_of(order * m + POINTS // 4) for m, value in enumerate(values))
    sin = sum(value * sine_of(order * m) for m, value in enumerate(values))
    return cosine + (1 << 14) >> 15, sin + (1 << 14) >> 15
