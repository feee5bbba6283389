"""Bit-exact integer model of the front-end, one sample a step, written from HDL.md section 7.

It holds no clocks: what the RTL does in the background is done at once and shown at the sample
where the RTL publishes it. Order within a sample: publication, detector, half-cycle boundary.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import isqrt
from typing import NamedTuple

from hdl.model_meter import MAX_PERIOD, MIN_PERIOD, Meter, MeterSettings, Pulse, PulseSettings, Shown

TAPS = 16  # moving sum in front of the zero-crossing detector
DELAYED = 8  # the sample split at a boundary: the sum's delay of 7.5, and the cell of a sample starting at it
PUBLISH_SAMPLES = 16
FIRST_PERIOD = 160  # samples
HALF_CYCLES_IN_PERIOD10 = 20
OFF, IDLE, SUSPECT, CONFIRMED = range(4)
POWER_FAIL, POWER_FAIL_CONFIRMED, POWER_FAIL_WITHDRAWN, POWER_RETURN = 1, 2, 3, 4
DIP_START, DIP_END, SWELL_START, SWELL_END, INTERRUPTION_START, INTERRUPTION_END = range(5, 11)
WITHDRAW_SAMPLES = 32  # behind the confirmation time: Urms(1/2) is then of a cycle behind the fall


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
    detect_on: bool = True
    meter_settings: MeterSettings = field(default_factory=MeterSettings)
    pulse_settings: PulseSettings = field(default_factory=PulseSettings)

    def __post_init__(self) -> None:
        self.zero_cross = ZeroCross(self.settings)
        self.half_cycle = HalfCycle()
        self.power_fail = PowerFail(self.settings)
        self.meter = Meter(self.meter_settings)
        self.pulse = Pulse(self.pulse_settings)
        self.quality = Quality(self.settings)
        self.samples = 0
        self.events: list[tuple[int, int, int]] = []
        self.extremes: dict[int, int] = {}
        self.published: list[tuple[int, Published]] = []  # sample of publication and values
        self.measured: list[Shown] = []  # of the same publications

    def set(self, settings: Settings) -> None:
        """Take other settings from the next sample on."""
        self.settings = settings
        for part in (self.zero_cross, self.power_fail, self.quality):
            part.settings = settings

    @property
    def shown(self) -> Published:
        """The half-cycle values as the registers show them."""
        return self.half_cycle.shown

    def push(self, codes: Iterable[int], currents: Iterable[int] | None = None) -> None:
        """Take samples, ADC codes of u1 and of i1; without the latter none flows."""
        if currents is None:
            self.push_rows((code, 0, 0, 0) for code in codes)
        else:
            self.push_rows((code, current, 0, 0) for code, current in zip(codes, currents, strict=True))

    def push_rows(self, rows: Iterable[Sequence[int]]) -> None:
        """Take samples, rows of ADC codes of u1, i1, u2, i2."""
        for row in rows:
            self._step([int(code) for code in row])

    def _step(self, codes: Sequence[int]) -> None:
        index = self.samples
        self.samples += 1
        whole = len(self.half_cycle.closed) == 2
        fresh = self.half_cycle.publish()
        if fresh:
            self.meter.publish(whole)
            self.published.append((index, self.shown))
            self.measured.append(self.meter.shown)
            if self.quality_on and self.shown.urms_valid:
                for kind, extreme in self.quality.step(self.shown.urms):
                    self.extremes[len(self.events)] = extreme
                    self.events.append((kind, index, self.shown.urms))
        self.pulse.step(self.meter.cycle)
        kind = self.power_fail.step(codes[0], self.shown, fresh, self.detect_on)
        if kind:
            self.events.append((kind, index, self.shown.urms))
        boundary = self.zero_cross.step(codes[0])
        self.half_cycle.step(index, self.zero_cross.delayed, boundary)
        self.meter.step(codes, boundary, self.half_cycle)
