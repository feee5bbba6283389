"""The readings in messages of the ledger, out of the meters' memories."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.collection.ledger import Messages
from twin.collection.traffic import TrafficClass
from twin.metering.memory import MeterMemory
from twin.metering.readings import Readings, join


@dataclass(frozen=True)
class Contents:
    """What messages of one class hold: ``records`` readings each, one message after the other.

    Attributes
    ----------
    rows : (M,) int
        Messages of the ledger.
    readings : Readings
        (M * records,)
    """

    kind: TrafficClass
    rows: NDArray[np.int64]
    readings: Readings

    def of(self, place: int) -> Readings:
        """Return the readings of one message."""
        return self.readings.take(slice(place * self.kind.records, (place + 1) * self.kind.records))


def contents(
    memory: MeterMemory, ledger: Messages, classes: list[TrafficClass], rows: NDArray[np.int64]
) -> list[Contents]:
    """Return what messages hold, by class and interval.

    A value is read when its interval ends; a message that was asked for again holds the same.
    """
    found = []
    for kind in classes:
        mine = rows[ledger["kind"][rows] == kind.code]
        if not mine.size:
            continue
        mine = mine[np.argsort(ledger["interval_ns"][mine], kind="stable")]
        ends, first = np.unique(ledger["interval_ns"][mine], return_index=True)
        parts = [
            memory.readings(ledger["meter"][part], kind.series, end_ns - kind.period_ns, end_ns, end_ns)
            for end_ns, part in zip(ends.tolist(), np.split(mine, first[1:]), strict=True)
        ]
        found.append(Contents(kind, mine, join(parts)))
    return found
