"""Bit-exact integer model of the two elements: calibration, DC removal, sums, powers, energies, pulses.

Written from HDL.md section 7 and the register description; one sample a step, as `hdl.model`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from hdl.model import Boundary, HalfCycle

MIN_PERIOD, MAX_PERIOD = 114, 188  # samples; longer and shorter cycles count as these in sin(36 w)
DC_SHIFT = 12
GAIN_SHIFT = 22  # a gain of 2**22 is 1
PHASE_SHIFT = 17
HIGHEST = (1 << 27) - 1  # largest size of a calibrated word, 1/16 code
SIN36_TERMS = (1293629, 1329959, 1334494)  # of 1 / cos(pi/2 r) = 1 + c1 r^2 + c2 r^4 + c3 r^6, 2^-20
HALF_ROOT3 = 908093  # sqrt(3) / 2, 2^-20
SINGLE, SINGLE_3_WIRE, THREE_3_WIRE = range(3)  # wiring
DELAY, QUARTER, HALF = 7, 36, 72  # samples
UU1, II1, P1, Q1, UU2, II2, P2, LINE, Q2, COMMON = range(10)  # places of the sums


class Calibration(NamedTuple):
    """Settings of one channel; the defaults change nothing."""

    gain: int = 1 << GAIN_SHIFT  # 2^-22
    offset: int = 0  # codes
    phase: int = 0  # 2^-17


@dataclass(frozen=True)
class MeterSettings:
    """Settings registers of the two elements; the defaults are their reset values."""

    wiring: int = SINGLE
    no_load_p: int = 0  # 256 squared codes
    no_load_q: int = 0
    calibration: tuple[Calibration, Calibration, Calibration, Calibration] = (Calibration(),) * 4  # u1, i1, u2, i2


class Channel:
    """Gain, DC removal and all-pass of one channel (td_channels)."""

    def __init__(self, calibration: Calibration):
        self.calibration = calibration
        self.accumulator = 0
        self.count = 0
        self.before = 0  # word in front of the all-pass, 1/16 code
        self.turned = 0  # word behind it, 1/256 code
        self.clipped = False  # at the last sample

    def step(self, code: int) -> int:
        """Take one sample and return the word behind calibration and DC removal, 1/16 code."""
        gain, offset, phase = self.calibration
        exact = (code + offset) * gain >> GAIN_SHIFT - 4
        word = max(-HIGHEST, min(HIGHEST, exact))
        self.clipped = word != exact
        settled = self.count >= 1 << DC_SHIFT
        word -= self.accumulator >> DC_SHIFT if settled else 0
        self.accumulator += word
        self.count += 1
        if settled:
            word += -(word >> 13) + (word >> 16)
        self.turned = 16 * self.before + ((16 * word - self.turned) * phase >> PHASE_SHIFT)
        self.before = word
        return self.turned + 8 >> 4


class Measured(NamedTuple):
    """Results of a half cycle as the registers show them; RMS in 1/16 code, powers in squared codes."""

    u1: int = 0
    i1: int = 0
    u2: int = 0
    i2: int = 0
    line: int = 0
    common: int = 0
    p1: int = 0
    q1: int = 0
    s1: int = 0
    p2: int = 0
    q2: int = 0
    s2: int = 0
    p: int = 0
    q: int = 0
    s: int = 0
    loaded_p: bool = False  # above the no-load threshold
    loaded_q: bool = False


class Energies(NamedTuple):
    """Energies, 2^8 squared codes x sample; the registers show them by 2^16."""

    forward1: int = 0
    reverse1: int = 0
    forward2: int = 0
    reverse2: int = 0
    quadrant1: int = 0
    quadrant2: int = 0
    quadrant3: int = 0
    quadrant4: int = 0
    apparent: int = 0
    forward: int = 0
    reverse: int = 0
    lagging: int = 0
    leading: int = 0


class Shown(NamedTuple):
    """What a publication shows."""

    whole: bool  # the values cover a cycle without a gap
    values: Measured
    energies: Energies


class Meter:
    """Two elements over the half cycles of `hdl.model.HalfCycle` (td_metrology)."""

    def __init__(self, settings: MeterSettings):
        self.settings = settings
        self.channels = [Channel(one) for one in settings.calibration]
        self.words = [deque([0] * (HALF + 1), maxlen=HALF + 1) for _ in range(4)]  # newest last
        self.running = [0] * 10  # since the last boundary
        self.more = [0] * 10  # of pieces that belong to no half cycle
        self.half = [0] * 10
        self.former = [0] * 10
        self.total = 0  # active energy of every sample, 2^8 squared codes x sample
        self.energies = Energies()
        self.pending: tuple[Measured, Energies] | None = None
        self.shown = Shown(False, Measured(), Energies())
        self.cycle = Measured()  # of the last publication that covered a whole cycle

    def publish(self, whole: bool) -> None:
        """Show what is pending; ``whole``: it covers a cycle."""
        assert self.pending is not None
        self.shown = Shown(whole, *self.pending)
        if whole:
            self.cycle = self.shown.values

    def step(self, codes: Sequence[int], boundary: Boundary | None, half_cycle: HalfCycle) -> None:
        """Take one sample of each channel and the boundary found at it; ``half_cycle`` has already taken it."""
        for words, channel, code in zip(self.words, self.channels, codes, strict=True):
            words.append(channel.step(code))
        products = self._products()
        self.total += products[P1] + (products[P2] if self.settings.wiring else 0)
        if boundary is None:
            self.running = [total + product for total, product in zip(self.running, products, strict=True)]
            return
        parts = [product * boundary.fraction + 0x8000 >> 16 for product in products]
        closing = [total + part for total, part in zip(self.running, parts, strict=True)]
        self.running = [product - part for product, part in zip(products, parts, strict=True)]
        joined = [one + more for one, more in zip(closing, self.more, strict=True)]
        if boundary.restart:
            self.more = joined
            return
        self.more = [0] * 10
        self.former, self.half = self.half, closing
        self._close(joined, [length for _, length in half_cycle.closed])

    def _products(self) -> list[int]:
        u1, i1, u2, i2 = (words[-1 - DELAY] for words in self.words)
        sign = -1 if self.settings.wiring == THREE_3_WIRE else 1
        turned = [
            i[-1 - QUARTER] * (u[-1 - HALF] - u[-1]) >> 17
            for u, i in ((self.words[0], self.words[1]), (self.words[2], self.words[3]))
        ]
        plain = (
            u1 * u1,
            i1 * i1,
            u1 * i1,
            0,
            u2 * u2,
            i2 * i2,
            u2 * i2,
            (u1 + sign * u2) ** 2,
            0,
            (i1 - sign * i2) ** 2,
        )
        products = [product >> 16 for product in plain]
        products[Q1], products[Q2] = turned
        return products

    def _close(self, energies: list[int], lengths: list[int]) -> None:
        """Turn the sums of a half cycle into values and add its energies; ``lengths`` of one or two half cycles."""
        both = sum(lengths) if len(lengths) == 2 else 2 * lengths[0]
        sums = [new + (old if len(lengths) == 2 else new) for new, old in zip(self.half, self.former, strict=True)]
        series = _over_sin36(both)
        u1, i1, u2, i2, line, common = (isqrt((sums[k] << 32) // both) for k in (UU1, II1, UU2, II2, LINE, COMMON))
        p1, p2 = _mean(sums[P1], both), _mean(sums[P2], both)
        q1, q2 = _mean(sums[Q1], both) * series >> 20, _mean(sums[Q2], both) * series >> 20
        s1, s2 = u1 * i1 >> 8, u2 * i2 >> 8
        p, q, s = p1, q1, s1
        wiring = self.settings.wiring
        if wiring:
            p, q, s = p1 + p2, q1 + q2, s1 + s2
        if wiring == THREE_3_WIRE:
            s = s * HALF_ROOT3 >> 20
        loaded_p, loaded_q = abs(p) >> 8 >= self.settings.no_load_p, abs(q) >> 8 >= self.settings.no_load_q
        values = Measured(u1, i1, u2, i2, line, common, p1, q1, s1, p2, q2, s2, p, q, s, loaded_p, loaded_q)
        turned = [energies[Q1] * series >> 20, energies[Q2] * series >> 20]
        self._add(values, (energies[P1], energies[P2]), turned, s * lengths[-1] >> 24)
        self.pending = values, self.energies

    def _add(self, values: Measured, active: tuple[int, int], turned: list[int], apparent: int) -> None:
        """Add the energies of a half cycle, each to the side of its sign."""
        both = self.settings.wiring != SINGLE
        p, q = (one[0] + (one[1] if both else 0) for one in (active, turned))
        more = dict.fromkeys(Energies._fields, 0)
        if values.loaded_p:
            for name, energy in (("1", active[0]), ("2", active[1]), ("", p)):
                more[("reverse" if energy < 0 else "forward") + name] = abs(energy)
        if values.loaded_q:
            more["leading" if q < 0 else "lagging"] = abs(q)
            more[f"quadrant{(4 if p >= 0 else 3) if q < 0 else (1 if p >= 0 else 2)}"] = abs(q)
        if values.loaded_p or values.loaded_q:
            more["apparent"] = apparent
        self.energies = Energies(*(old + more[name] for name, old in self.energies._asdict().items()))


def _mean(total: int, length: int) -> int:
    size = (abs(total) << 24) // length
    return -size if total < 0 else size


def _over_sin36(length: int) -> int:
    """Return 1 / sin(36 w), 2^-20, for a cycle of so many 1/65536 samples."""
    cycle = max(MIN_PERIOD << 16, min(MAX_PERIOD << 16, length))
    ratio = (abs((144 << 16) - cycle) << 20) // cycle
    square = ratio * ratio >> 20
    series = SIN36_TERMS[2]
    for term in (SIN36_TERMS[1], SIN36_TERMS[0], 1 << 20):
        series = term + (square * series >> 20)
    return series


@dataclass(frozen=True)
class PulseSettings:
    """Settings registers of the pulse output."""

    enable: bool = False
    source: int = 0  # 0 active, 1 forward, 2 reverse, 3 reactive
    energy: int = 0  # 65536 squared codes x sample
    width: int = 640  # samples


class Pulse:
    """Energy pulses (td_pulse)."""

    def __init__(self, settings: PulseSettings):
        self.settings = settings
        self.account = 0
        self.left = 0
        self.level = False
        self.count = 0
        self.late = False

    def step(self, cycle: Measured) -> bool:
        """Take one sample; ``cycle`` are the values shown. Return the level of the output behind it."""
        limits = self.settings
        on = limits.enable and limits.energy > 0
        power, loaded = (cycle.q, cycle.loaded_q) if limits.source == 3 else (cycle.p, cycle.loaded_p)
        wanted = {0: abs(power), 1: max(power, 0), 2: max(-power, 0), 3: abs(power)}[limits.source]
        if not on:
            self.account = 0
        elif self.account < 1 << 64:
            self.account += wanted if loaded else 0
        due = on and self.account >= limits.energy << 16
        width = max(limits.width, 1)
        if due and not self.left:
            self.account -= limits.energy << 16
            self.level = True
            self.count += 1
            self.left = 2 * width - 1
            return True
        self.late = self.late or due
        if self.left <= width:
            self.level = False
        self.left = max(self.left - 1, 0)
        return self.level
