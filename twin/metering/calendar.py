"""Simulated nanoseconds and the civil time of the meters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

JST = timezone(timedelta(hours=9), "JST")  # no summer time
EPOCH = datetime(2025, 4, 1, tzinfo=JST)  # simulated time 0: midnight of the day the roll-out of DOMAIN 4.1 begins
EPOCH_UNIX_S = int(EPOCH.timestamp())
EPOCH_WEEKDAY = EPOCH.weekday()  # 0 is Monday

SECOND_NS = 10**9
DAY_NS = 86_400 * SECOND_NS


def civil_time(t_ns: int) -> datetime:
    """Return the civil time (JST) of a simulated time, whole seconds."""
    return EPOCH + timedelta(seconds=t_ns // SECOND_NS)


def simulated_ns(when: datetime) -> int:
    """Return the simulated time of a civil time."""
    return round((when.astimezone(UTC) - EPOCH).total_seconds()) * SECOND_NS
