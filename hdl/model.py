"""Bit-exact integer model of the front-end, one sample a step, written from HDL.md section 7.

It holds no clocks: what the RTL does in the background is done at once and shown at the sample
where the RTL publishes it. Order within a sample: publication, detector, half-cycle boundary.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import repeat
from math import isqrt
from typing import NamedTuple

TAPS = 16  # moving sum in front of the zero-crossing detector
DELAYED = 8  # the sample split at a boundary: the sum's delay of 7.5, and the cell of a sample starting at it
PUBLISH_SAMPLES = 16
MIN_PERIOD, MAX_PERIOD, FIRST_PERIOD = 114, 188, 160  # samples
HALF_CYCLES_IN_PERIOD10 = 20
OFF, IDLE, SUSPECT, CONFIRMED = range(4)
POWER_FAIL, POWER_FAIL_CONFIRMED, POWER_FAIL_WITHDRAWN, POWER_RETURN = 1, 2, 3, 4
DIP_START, DIP_END, SWELL_START, SWELL_END, INTERRUPTION_START, INTERRUPTION_END = range(5, 11)
WITHDRAW_SAMPLES = 32  # behind the confirmation time: Urms(1/2) is then of a cycle behind the fall
DC_SHIFT = 12
SIN36_TERMS = (1293629, 1329959, 1334494)  # of 1 / cos(pi/2 r) = 1 + c1 r^2 + c2 r^4 + c3 r^6, 2^-20


@dataclass(frozen=True)
class Settings:
    """The settings registers; the defaults are their reset values, 100 V and 50 Hz at 8 kS/s."""

    hysteresis: int = 1342177
    blank: int = 40
    timeout: int = 104
    cadence: int = 80
    k: int = 6516
    drop: int = 27472225
    low: int = 11792955
    floor: int = 6030488
    ratio: int = 80
    persist: int = 13
    confirm: int = 160
    confirm_rms: int = 21353910
    return_rms: int = 35589850
    return_samples: int = 800
    dip: int = 42707820
    swell: int = 52198446
    interruption: int = 4745313
    quality_hysteresis: int = 949063


class Boundary(NamedTuple):
    """End of a half cycle, seen at a sample; it lies at that sample's number - 1 + fraction / 65536."""

    crossing: bool
    restart: bool
    fraction: int


class ZeroCross:
    """Half-cycle boundaries from the 16-sample moving sum (td_zero_cross)."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.line = deque([0] * (TAPS + 1), maxlen=TAPS + 1)  # newest last
        self.sum = 0
        self.count = 0
        self.lost = True
        self.above = self.under = False

    @property
    def delayed(self) -> int:
        """The sample `DELAYED` before the newest."""
        return self.line[-1 - DELAYED]

    def step(self, sample: int) -> Boundary | None:
        """Take one sample and return the boundary found at it."""
        limits = self.settings
        before = self.sum
        self.line.append(sample)
        self.sum = now = before + sample - self.line[0]
        self.count = min(self.count + 1, 255)
        turned = (self.under and before <= 0 < now) or (self.above and before >= 0 > now)
        crossing = turned and (self.lost or self.count >= limits.blank)
        expired = not crossing and self.count >= (limits.cadence if self.lost else limits.timeout)
        if crossing or (expired and not self.lost):
            self.above = self.under = False
        self.above = self.above or now > limits.hysteresis
        self.under = self.under or now < -limits.hysteresis
        if not (crossing or expired):
            return None
        restart = crossing and self.lost
        self.lost = not crossing
        self.count = 0
        fraction = (abs(before) << 16) // (abs(before) + abs(now)) if crossing else 0
        return Boundary(crossing, restart, fraction)


class Published(NamedTuple):
    """Half-cycle values as the registers show them."""

    half_cycles: int = 0
    u_half: int = 0  # 1/16 code
    urms: int = 0  # 1/16 code
    urms_valid: bool = False
    period10: int = 0  # 1/65536 sample
    period: int = FIRST_PERIOD  # samples
    cross: int = 0  # 1/65536 sample, on the time axis of the moving sum


class HalfCycle:
    """Sums of squares between boundaries, their roots, and the length of ten cycles (td_half_cycle)."""

    def __init__(self) -> None:
        self.shown = Published()
        self.running = 0
        self.place = 0  # of the last boundary, 1/65536 sample
        self.closed: list[tuple[int, int]] = []  # sum and length of up to two neighbouring half cycles
        self.crossings: list[int] = []  # places in a row without a gap
        self.pending: Published | None = None
        self.wait = 0

    def publish(self) -> bool:
        """Count down at a new sample; return whether new values are shown from here on."""
        if self.pending is None:
            return False
        self.wait -= 1
        if self.wait:
            return False
        new = self.pending
        if not new.urms_valid or not self.closed:  # a crossing that ended a loss came in between
            new = new._replace(urms=self.shown.urms, urms_valid=self.shown.urms_valid)
        if not self.closed:
            new = new._replace(period=self.shown.period)
        self.shown = new._replace(half_cycles=self.shown.half_cycles + 1 & 0xFFFFFFFF)
        self.pending = None
        return True

    def step(self, index: int, delayed: int, boundary: Boundary | None) -> None:
        """Take the delayed sample belonging to sample ``index`` and the boundary found there."""
        square = delayed * delayed
        if boundary is None:
            self.running += square
            return
        part = (square * boundary.fraction + 0x8000) >> 16
        place = (index - 1 << 16) + boundary.fraction
        total, length = self.running + part, place - self.place
        self.running, self.place = square - part, place
        if boundary.restart:
            self.closed = []
            self.crossings = [place]
            self.shown = self.shown._replace(urms_valid=False)
            return
        self.closed = [*self.closed[-1:], (total, length)]
        self.crossings = [*self.crossings[-HALF_CYCLES_IN_PERIOD10:], place] if boundary.crossing else []
        self.pending, self.wait = self._values(place), PUBLISH_SAMPLES

    def _values(self, place: int) -> Published:
        sums = sum(total for total, _ in self.closed)
        lengths = sum(length for _, length in self.closed)
        half_sum, half_length = self.closed[-1]
        samples = (lengths + 0x8000) >> 16
        full = len(self.crossings) > HALF_CYCLES_IN_PERIOD10
        tracked = len(self.crossings) > 2 and MIN_PERIOD <= samples <= MAX_PERIOD
        return Published(
            u_half=isqrt((half_sum << 24) // half_length),
            urms=isqrt((sums << 24) // lengths),
            urms_valid=len(self.closed) == 2,
            period10=place - self.crossings[0] if full else 0,
            period=samples if tracked else self.shown.period,
            cross=place,
        )


class PowerFail:
    """Quadrature envelope, its limits and the states of the detector (td_power_fail)."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.volts = deque([0, 0, 0], maxlen=3)
        self.envelopes = deque([0] * 256, maxlen=256)
        self.row = 0
        self.below = False
        self.state = OFF
        self.wait = 0

    @property
    def envelope(self) -> int:
        """The envelope of the last sample."""
        return self.envelopes[-1]

    def step(self, sample: int, shown: Published, fresh: bool, enabled: bool = True) -> int:
        """Take one sample and return the kind of event it makes, 0 for none.

        ``shown`` are the published half-cycle values; ``fresh``: they were published with this sample.
        """
        limits = self.settings
        self.volts.append(sample >> 6)
        total = self.volts[2] + self.volts[0]
        slope = (self.volts[2] - self.volts[0]) * limits.k >> 8
        slope = max(-(1 << 19), min((1 << 19) - 1, slope))
        envelope = total * total + slope * slope >> 8
        earlier = max(self.envelopes[256 - shown.period], limits.floor)
        self.envelopes.append(envelope)
        dropped = envelope < limits.drop and envelope << 8 < earlier * limits.ratio
        self.below = dropped or envelope < limits.low
        self.row = min(self.row + 1, limits.persist) if self.below else 0
        if not enabled:
            self.state, self.wait = OFF, 0
            return 0
        return self._decide(shown, fresh and shown.urms_valid)

    def _decide(self, shown: Published, fresh: bool) -> int:
        limits = self.settings
        tripped = self.row >= limits.persist
        if self.state == IDLE:
            if not tripped:
                return 0
            self.state, self.wait = SUSPECT, 1
            return POWER_FAIL
        if self.state == SUSPECT:
            due, over = self.wait >= limits.confirm, self.wait >= limits.confirm + WITHDRAW_SAMPLES
            self.wait += not over
            if due and (tripped or (fresh and shown.urms < limits.confirm_rms)):
                self.state, self.wait = CONFIRMED, 0
                return POWER_FAIL_CONFIRMED
            if over and fresh:
                self.state = IDLE
                return POWER_FAIL_WITHDRAWN
            return 0
        back = shown.urms_valid and shown.urms >= limits.return_rms
        if back and self.wait >= limits.return_samples:
            former, self.state = self.state, IDLE
            return POWER_RETURN if former == CONFIRMED else 0
        self.wait = self.wait + 1 if back else 0
        return 0


class DcRemove:
    """One pole of 2^-12 a sample behind 4096 samples that only fill it (td_dc_remove)."""

    def __init__(self) -> None:
        self.accumulator = 0
        self.count = 0

    def step(self, code: int) -> int:
        """Take one sample and return it without DC, 1/16 code."""
        settled = self.count >= 1 << DC_SHIFT
        plain = 16 * code - (self.accumulator >> DC_SHIFT if settled else 0)
        self.accumulator += plain
        self.count += 1
        return plain - (plain >> 13) + (plain >> 16) if settled else plain


class Measured(NamedTuple):
    """Current, powers and energies as the registers show them."""

    irms: int = 0  # 1/16 code
    p: int = 0  # squared codes
    q: int = 0
    s: int = 0
    forward: int = 0  # 2^16 squared codes x sample
    reverse: int = 0
    lagging: int = 0
    leading: int = 0


class PowerMeter:
    """Current, powers and energies over the half cycles of `HalfCycle` (td_power)."""

    def __init__(self) -> None:
        self.dc = (DcRemove(), DcRemove())
        self.volts = deque([0] * 73, maxlen=73)  # newest last
        self.amps = deque([0] * 73, maxlen=73)
        self.run = [0, 0, 0]  # squares of the current, active, reactive since the last boundary
        self.more = [0, 0]  # active and reactive of pieces that belong to no half cycle
        self.former: tuple[int, int, int] = (0, 0, 0)
        self.energies = [0, 0, 0, 0]  # forward, reverse, lagging, leading, 2^8 squared codes x sample
        self.total = 0  # active, every sample
        self.pending: Measured | None = None
        self.shown = Measured()

    def publish(self, cycle: bool) -> None:
        """Show what is pending; ``cycle``: the values of the cycle too."""
        assert self.pending is not None
        new = self.pending
        if not cycle:
            new = new._replace(irms=self.shown.irms, p=self.shown.p, q=self.shown.q, s=self.shown.s)
        self.shown = new

    def step(self, code_u: int, code_i: int, boundary: Boundary | None, half_cycle: HalfCycle) -> None:
        """Take one sample and the boundary found at it; ``half_cycle`` has already taken it."""
        self.volts.append(self.dc[0].step(code_u))
        self.amps.append(self.dc[1].step(code_i))
        u, i = self.volts, self.amps
        products = (i[-9] * i[-9] >> 16, u[-9] * i[-9] >> 16, i[-37] * (u[-73] - u[-1]) >> 17)
        self.total += products[1]
        if boundary is None:
            self.run = [total + product for total, product in zip(self.run, products, strict=True)]
            return
        parts = [product * boundary.fraction + 0x8000 >> 16 for product in products]
        closing = [total + part for total, part in zip(self.run, parts, strict=True)]
        self.run = [product - part for product, part in zip(products, parts, strict=True)]
        if boundary.restart:
            self.more = [self.more[0] + closing[1], self.more[1] + closing[2]]
            return
        self._close(closing, half_cycle)

    def _close(self, closing: list[int], half_cycle: HalfCycle) -> None:
        lengths = [length for _, length in half_cycle.closed]
        both = sum(lengths) if len(lengths) == 2 else 2 * lengths[0]
        reactive = _toward_zero(closing[2] * _over_sin36(both), 20)
        for place, energy in enumerate((closing[1] + self.more[0], reactive + self.more[1])):
            self.energies[2 * place + (energy < 0)] += abs(energy)
        self.more = [0, 0]
        half = (closing[0], closing[1], reactive)
        squares, active, reactive = (new + old for new, old in zip(half, self.former, strict=True))
        self.former = half
        irms = isqrt((squares << 32) // both)
        self.pending = Measured(
            irms,
            _mean(active, both),
            _mean(reactive, both),
            half_cycle.pending.urms * irms >> 8 if half_cycle.pending else 0,
            *(energy >> 8 for energy in self.energies),
        )


def _toward_zero(value: int, shift: int) -> int:
    return -(-value >> shift) if value < 0 else value >> shift


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


class Quality:
    """Dips, swells and interruptions of Urms(1/2) (td_quality)."""

    def __init__(self, settings: Settings):
        self.settings = settings
        self.ready = False
        self.dip: int | None = None  # lowest or highest Urms(1/2) since the start, while it lasts
        self.swell: int | None = None
        self.interruption: int | None = None

    def step(self, urms: int) -> list[tuple[int, int]]:
        """Take a published, valid Urms(1/2) and return the events it makes: kind and extreme."""
        limits = self.settings
        back = limits.quality_hysteresis
        self.ready = self.ready or urms >= limits.dip + back
        if not self.ready:
            return []
        events = []
        if self.interruption is not None:
            if urms >= limits.interruption + back:
                events.append((INTERRUPTION_END, self.interruption))
                self.interruption = None
            else:
                self.interruption = min(self.interruption, urms)
        if self.dip is None:
            if urms < limits.dip:
                self.dip = urms
                events.append((DIP_START, urms))
        elif urms >= limits.dip + back:
            events.append((DIP_END, self.dip))
            self.dip = None
        else:
            self.dip = min(self.dip, urms)
        if self.swell is None:
            if urms > limits.swell:
                self.swell = urms
                events.append((SWELL_START, urms))
        elif urms + back <= limits.swell:
            events.append((SWELL_END, self.swell))
            self.swell = None
        else:
            self.swell = max(self.swell, urms)
        if self.interruption is None and urms < limits.interruption:
            self.interruption = urms
            events.append((INTERRUPTION_START, urms))
        return events


@dataclass
class FrontEndModel:
    """The whole front-end: push samples, read `shown`, `events` (kind, sample, urms) and the rest.

    With ``quality`` on, `events` also holds dips, swells and interruptions, and `extremes` their lowest
    or highest Urms(1/2) by place in `events`.
    """

    settings: Settings = field(default_factory=Settings)
    quality_on: bool = False

    def __post_init__(self) -> None:
        self.zero_cross = ZeroCross(self.settings)
        self.half_cycle = HalfCycle()
        self.power_fail = PowerFail(self.settings)
        self.power = PowerMeter()
        self.quality = Quality(self.settings)
        self.samples = 0
        self.events: list[tuple[int, int, int]] = []
        self.extremes: dict[int, int] = {}
        self.published: list[tuple[int, Published]] = []  # sample of publication and values
        self.measured: list[Measured] = []  # of the same publications

    @property
    def shown(self) -> Published:
        """The half-cycle values as the registers show them."""
        return self.half_cycle.shown

    def push(self, codes: Iterable[int], currents: Iterable[int] | None = None) -> None:
        """Take samples, ADC codes of the voltage and of the current; without the latter none flows."""
        for code, current in zip(codes, repeat(0) if currents is None else currents, strict=currents is not None):
            self._step(int(code), int(current))

    def _step(self, code: int, current: int) -> None:
        index = self.samples
        self.samples += 1
        cycle = len(self.half_cycle.closed) == 2
        fresh = self.half_cycle.publish()
        if fresh:
            self.power.publish(cycle)
            self.published.append((index, self.shown))
            self.measured.append(self.power.shown)
            if self.quality_on and self.shown.urms_valid:
                for kind, extreme in self.quality.step(self.shown.urms):
                    self.extremes[len(self.events)] = extreme
                    self.events.append((kind, index, self.shown.urms))
        kind = self.power_fail.step(code, self.shown, fresh)
        if kind:
            self.events.append((kind, index, self.shown.urms))
        boundary = self.zero_cross.step(code)
        self.half_cycle.step(index, self.zero_cross.delayed, boundary)
        self.power.step(code, current, boundary, self.half_cycle)
