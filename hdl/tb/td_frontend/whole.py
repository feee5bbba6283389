"""The whole front-end as one model: rows of codes in, events of measurement and control out as registers show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from hdl.model import CONFIRMED, SUSPECT, FrontEndModel, Settings
from hdl.model_control import (
    CROSSING_LOST,
    Event,
    Holdup,
    Intervals,
    LastGasp,
    Limiter,
    LimiterSettings,
    Overcurrent,
    RapidChange,
)
from hdl.model_meter import Energies, MeterSettings, PulseSettings
from hdl.model_spectrum import FundamentalMeter, HarmonicsMeter, Resampler
from hdl.regs.generated import regs

CURRENT_MAX = (1 << 29) - 1  # control takes currents of 29 bits
SUSPECTED = 1  # kind of event


class Seen(NamedTuple):
    """An event as EVENT, EVENT_LO, EVENT_HI, EVENT_URMS, EVENT_EXTREME and EVENT_EXTRA show it."""

    kind: int
    sample: int
    urms: int
    value: int = 0
    extra: int = 0


@dataclass(frozen=True)
class Limits:
    """Settings of the control blocks, as their registers hold them."""

    rvc_threshold: int = 1 << 20
    rvc_hysteresis: int = 1 << 19
    rvc_window: int = 4
    oc_threshold: int = 90_000_000
    oc_hysteresis: int = 4_000_000
    limiter: LimiterSettings = field(default_factory=lambda: LimiterSettings(60, 90, 4000, 2, most=1 << 29))
    declare: int = 30
    delay: int = 948_961
    hold_low: int = 2000
    hold_hysteresis: int = 60
    hold_stop: int = 1500

    def registers(self) -> dict[int, int]:
        """Return address and word of each."""
        limit = self.limiter
        return {
            regs.RVC_THRESHOLD: self.rvc_threshold,
            regs.RVC_HYSTERESIS: self.rvc_hysteresis,
            regs.RVC_WINDOW: self.rvc_window,
            regs.OC_THRESHOLD: self.oc_threshold,
            regs.OC_HYSTERESIS: self.oc_hysteresis,
            regs.LIM_TRIP: limit.trip,
            regs.LIM_RECLOSE: limit.reclose,
            regs.LIM_CLEAR: limit.clear,
            regs.LIM_MODE: limit.tries << regs.LIM_MODE_TRIES_SHIFT | limit.add << regs.LIM_MODE_SUM_SHIFT,
            regs.LIM_MIN: limit.least,
            regs.LIM_MAX: limit.most,
            regs.LG_DECLARE: self.declare,
            regs.LG_DELAY: self.delay,
            regs.HOLD_LOW: self.hold_low | self.hold_hysteresis << regs.HOLD_LOW_HYSTERESIS_SHIFT,
            regs.HOLD_STOP: self.hold_stop,
        }


class Whole:
    """`hdl.model.FrontEndModel` with the control blocks behind it, all switched on.

    Parameters
    ----------
    settings, limits, meter, pulses
        What the registers hold.
    first : int
        Number of the first sample.
    """

    def __init__(self, settings: Settings, limits: Limits, meter: MeterSettings, pulses: PulseSettings, first: int):
        self.front_end = FrontEndModel(settings, True, True, meter, pulses)
        self.front_end.samples = first
        self.front_end.half_cycle.place = first << 16
        self.rapid_change = RapidChange(limits.rvc_threshold, limits.rvc_hysteresis, limits.rvc_window)
        self.overcurrent = Overcurrent(limits.oc_threshold, limits.oc_hysteresis)
        self.limiter = Limiter(limits.limiter)
        self.last_gasp = LastGasp(limits.declare, limits.delay)
        self.holdup = Holdup(limits.hold_low, limits.hold_hysteresis, limits.hold_stop)
        self.intervals = Intervals()
        self.resampler, self.fundamental, self.harmonics = Resampler(), FundamentalMeter(), HarmonicsMeter()
        self.lost = True
        self.frozen: Energies | None = None  # as registers show them from the suspicion on
        self.events: list[Seen] = []

    def push(self, row: Sequence[int]) -> None:
        """Take one sample of u1, i1, u2, i2; `events` grows by what it makes."""
        model = self.front_end
        index, before, published = model.samples, len(model.events), len(model.published)
        model.push_rows([row])
        fresh, shown = len(model.published) > published, model.shown
        own = [(place, model.events[place][0]) for place in range(before, len(model.events))]
        said = [Event(kind, model.extremes.get(place, 0)) for place, kind in own]
        detected = next((kind for _, kind in own if kind <= 4), 0)
        cycle = model.meter.cycle
        currents = [min(current, CURRENT_MAX) for current in (cycle.i1, cycle.i2)]
        disturbed = model.quality.dip is not None or model.quality.swell is not None
        gasp = self.last_gasp.step(index, detected)
        falls, self.lost = model.zero_cross.lost and not self.lost, model.zero_cross.lost
        control = [
            self.rapid_change.step(fresh, shown.urms_valid, shown.urms, disturbed),
            self.overcurrent.step(fresh, max(currents)),
            self.limiter.step(index, fresh, currents[0], currents[1]),
            gasp and gasp._replace(value=self.holdup.energy),
            self.holdup.step(),
            Event(CROSSING_LOST) if falls else None,
        ]
        said += [event for event in control if event]
        points = self.resampler.step([words[-1] for words in model.meter.words], shown.period10 if fresh else 0)
        self.fundamental.step(points)
        self.harmonics.step(points)
        totals = model.meter.shown.energies
        if model.power_fail.state not in (SUSPECT, CONFIRMED):
            self.frozen = None
        elif detected == SUSPECTED:
            self.frozen = totals
        sides = (totals.forward >> 8, totals.reverse >> 8, totals.lagging >> 8, totals.leading >> 8)
        self.intervals.step(index, sides, model.power_fail.state in (SUSPECT, CONFIRMED))
        self.events += [Seen(event.kind, index, shown.urms, event.value, event.extra) for event in said]
