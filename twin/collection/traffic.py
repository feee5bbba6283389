"""Traffic classes: who sends what how often, with what priority, and how large it is on air."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.chance import Purpose, between_ns, uniform
from twin.collection.frames import message_psdu_bytes, rider_bytes
from twin.collection.settings import CollectionScenario
from twin.scenario import ns
from twin.store.schema import INTERVAL_NS, MINUTE_NS, Series

COMMAND, READ, REAL_TIME, BILLING, BACKGROUND = 5, 4, 3, 2, 1
"""Priorities in the queues of radio and head end; higher goes first."""


@dataclass(frozen=True)
class TrafficClass:
    """One scheduled kind of message.

    Attributes
    ----------
    code : int
        ``kind`` of its rows in the ledger; its place in the list of classes.
    series : Series
    records : int
        Intervals in a message.
    members : (M,) int
        Meters that send it, ascending.
    spread_ns : int
        It is offered to the radio at random within this after its last interval.
    priority : int
    urgent : bool
        Whether a concentrator hurries it on.
    asked_again : bool
        Whether the head end re-requests it; otherwise what fails on air is lost.
    rides : bool
        Whether it has no frame of its own: it goes in the billing class's.
    psdu_bytes : int
        Of a message alone on air, or what it adds to the frame in which it rides.
    """

    code: int
    name: str
    series: Series
    records: int
    members: NDArray[np.int64]
    spread_ns: int
    priority: int
    urgent: bool
    asked_again: bool
    rides: bool
    psdu_bytes: int

    @property
    def period_ns(self) -> int:
        """Time from one message to the next."""
        return INTERVAL_NS[self.series] * self.records

    def offers_ns(self, seed: int, interval_end_ns: int) -> NDArray[np.int64]:
        """Return (M,) when each member offers its message of this interval to the radio [ns]."""
        occasion = self.code << 40 | interval_end_ns // MINUTE_NS
        first_ns = interval_end_ns + 1
        return between_ns(seed, self.members, occasion, Purpose.REPORT_START, first_ns, first_ns + self.spread_ns)


BILLING_CODE = 0


def traffic_classes(s: CollectionScenario) -> list[TrafficClass]:
    """Return the scheduled classes that have members; the billing class is the first."""
    meters = np.arange(s.population.meters)
    luck = uniform(s.seed, meters, 0, Purpose.CLASS_MEMBER)
    billing = Series.HALF_HOUR if s.half_hour.minutes == 30 else Series.QUARTER_HOUR
    # Nobody is in both five-minute classes: real time takes the lower end of the draw, history the upper.
    real_time = np.flatnonzero(luck < s.real_time.share)
    history = np.flatnonzero(luck >= 1 - s.history.share)
    five, records, profile = Series.FIVE_MINUTE, s.history.records, s.meter.profile
    found = [
        TrafficClass(BILLING_CODE, billing.label, billing, 1, meters, ns(s.half_hour.spread_s), BILLING, False, True,
                     False, message_psdu_bytes(billing, 1, profile))
    ]  # fmt: skip
    if history.size:
        found.append(TrafficClass(len(found), "history", five, records, history, ns(s.history.spread_s), BACKGROUND,
                                  False, True, False, message_psdu_bytes(five, records, profile)))  # fmt: skip
    if real_time.size:
        found.append(TrafficClass(len(found), "real_time", five, 1, real_time, ns(s.real_time.spread_s), REAL_TIME,
                                  True, False, False, message_psdu_bytes(five, 1, profile)))  # fmt: skip
    for occasion, series, share in ((1, Series.GAS, s.gas_water.gas_share), (2, Series.WATER, s.gas_water.water_share)):
        beside = np.flatnonzero(uniform(s.seed, meters, occasion, Purpose.CLASS_MEMBER) < share)
        if beside.size:
            found.append(TrafficClass(len(found), series.label, series, 1, beside, 0, BILLING, False, False, True,
                                      rider_bytes(series, 1, profile)))  # fmt: skip
    return found
