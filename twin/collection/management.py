"""Meter data management after a run, from the store alone: validation, estimates, what retailers got, sizing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from twin.store.delivery import by_retailer
from twin.store.estimation import estimate
from twin.store.retention import bytes_a_reading, sizing
from twin.store.schema import Series
from twin.store.store import Store
from twin.store.validation import validate

METERS_AT_ONCE = 20_000
CONTRACT_A = 60.0  # assumed for everybody: the commonest contract


@dataclass
class Management:
    """What the store's own functions say of the billing values.

    Attributes
    ----------
    in_time, late, missing : int
        By the times in the store; intervals that a meter spent in the dark count as missing.
    estimated : int
        Missing values that were estimated, kept beside the received ones with their mark.
    findings : Counter
        What validation found, by its name.
    """

    in_time: int = 0
    late: int = 0
    missing: int = 0
    estimated: int = 0
    findings: Counter[str] = field(default_factory=Counter)
    sizes: list[dict[str, Any]] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "in_time": self.in_time,
            "late": self.late,
            "missing": self.missing,
            "estimated": self.estimated,
            "findings": dict(sorted(self.findings.items())),
        }


def manage(store: Store, series: Series, meters: int, until_ns: int, limit_ns: int) -> Management:
    """Validate, estimate and count what retailers got of all intervals that end by ``until_ns``.

    In time: stored no later than ``limit_ns`` after the interval's end. Estimates are kept in the store, which must
    have been compacted for its size to mean something.
    """
    found = Management(sizes=sizing(bytes_a_reading(store)).to_pylist())
    for some in _blocks(meters):
        readings = store.readings(series, 0, until_ns, some)
        told = by_retailer(readings, series, some, np.zeros(some.size, np.int64), 0, until_ns, limit_ns)
        found.in_time += int(told["in_time"].to_numpy().sum())
        found.late += int(told["late"].to_numpy().sum())
        found.missing += int(told["missing"].to_numpy().sum())
        for entry in pc.value_counts(validate(readings, series, some, np.full(some.size, CONTRACT_A))["finding"]):
            found.findings[entry["values"].as_py()] += entry["counts"].as_py()
        estimates = estimate(store, series, some, 0, until_ns)
        found.estimated += estimates.num_rows
        if estimates.num_rows:
            store.keep_estimates(estimates)
    return found


def _blocks(meters: int) -> Iterator[NDArray[np.int64]]:
    for start in range(0, meters, METERS_AT_ONCE):
        yield np.arange(start, min(start + METERS_AT_ONCE, meters))
