"""How large a store of the whole country is: readings by what is kept how long, times bytes a reading as measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from twin.store.presence import slots
from twin.store.schema import Series
from twin.store.store import Store

METERS = 61_050_000  # R1


@dataclass(frozen=True)
class Kept:
    """What is kept of a series: whose, and how long."""

    requirement: str
    series: Series
    share: float  # of all meters
    days: int


KEPT = (
    Kept("R8: half hours, two years", Series.HALF_HOUR, 1.0, 730),
    Kept("R9: quarter hours instead, two years", Series.QUARTER_HOUR, 1.0, 730),
    Kept("R10, R11: five minutes of 13 %, three years", Series.FIVE_MINUTE, 0.13, 1095),
)


def bytes_a_reading(store: Store) -> dict[Series, float]:
    """Return the size of the store's Parquet files over the readings in them [B], for each series that has any."""
    found = {}
    for series in Series:
        held = store.files.of("readings", series)
        if held:
            size = sum((store.root / part.file).stat().st_size for part in held)
            found[series] = size / sum(part.rows for part in held)
    return found


def sizing(bytes_each: Mapping[Series, float], meters: int = METERS) -> pa.Table:
    """Return readings and terabytes of each requirement, for those series whose bytes a reading are given.

    Returns
    -------
    pyarrow.Table
        ``requirement, meters, readings_a_day, days, readings, bytes_a_reading, size_tb`` (1 TB: 10^12 B, one copy).
    """
    rows = []
    for kept in KEPT:
        if kept.series in bytes_each:
            a_day = round(meters * kept.share) * slots(kept.series)
            rows.append(
                {
                    "requirement": kept.requirement,
                    "meters": round(meters * kept.share),
                    "readings_a_day": a_day,
                    "days": kept.days,
                    "readings": a_day * kept.days,
                    "bytes_a_reading": bytes_each[kept.series],
                    "size_tb": a_day * kept.days * bytes_each[kept.series] / 1e12,
                }
            )
    return pa.Table.from_pylist(rows)
