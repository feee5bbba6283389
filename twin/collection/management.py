"""Meter data management after a run, from the store alone: validation, estimates, what retailers got, sizing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from twin.store.delivery import bills, by_retailer
from twin.store.estimation import estimates_from
from twin.store.retention import bytes_a_reading, sizing
from twin.store.schema import INTERVAL_NS, MINUTE_NS, Series
from twin.store.store import Store
from twin.store.validation import validate

METERS_AT_ONCE = 20_000
THREADS = 2  # some 250 MB each


@dataclass
class Management:
    """What the store's own functions say of the billing values.

    Attributes
    ----------
    deliveries : pyarrow.Table
        One row an interval and retailer: ``interval_end_ns, retailer, expected, in_time, late, missing``, by the times
        in the store; intervals that a meter spent in the dark count as missing.
    bills : pyarrow.Table
        One row a retailer: ``retailer, meters, measured, estimated, open``.
    estimated : int
        Missing values that were estimated, kept beside the received ones with their mark.
    findings : Counter
        What validation found, by its name.
    breach_min : int
        Time of the intervals of which less than the share that is due was there in time, over all retailers.
    """

    deliveries: pa.Table
    bills: pa.Table
    breach_min: int = 0
    estimated: int = 0
    findings: Counter[str] = field(default_factory=Counter)
    sizes: list[dict[str, Any]] = field(default_factory=list)

    def total(self, fate: str) -> int:
        """Return a column of the deliveries summed up: expected, in_time, late or missing."""
        return int(self.deliveries[fate].to_numpy().sum())

    def billed(self, how: str) -> int:
        """Return how many meters' bills are measured, estimated or open."""
        return int(self.bills[how].to_numpy().sum())

    def summary(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "in_time": self.total("in_time"),
            "late": self.total("late"),
            "missing": self.total("missing"),
            "breach_min": self.breach_min,
            "estimated": self.estimated,
            "bills_measured": self.billed("measured"),
            "bills_with_estimates": self.billed("estimated"),
            "bills_open": self.billed("open"),
            "findings": dict(sorted(self.findings.items())),
        }

    def retailers(self) -> list[dict[str, Any]]:
        """Return what each retailer got, and what its bills rest on."""
        sums = self.deliveries.group_by("retailer").aggregate(
            [(name, "sum") for name in ("expected", "in_time", "late", "missing")]
        )
        got = {row["retailer"]: row for row in sums.to_pylist()}
        return [
            row | {name: got[row["retailer"]][f"{name}_sum"] for name in ("expected", "in_time", "late", "missing")}
            for row in self.bills.to_pylist()
            if row["retailer"] in got
        ]


def manage(
    store: Store, series: Series, retailer: NDArray[np.int64], until_ns: int, limit_ns: int, due_share: float,
    contract_a: float,
) -> Management:  # fmt: skip
    """Validate, estimate and count what retailers got of all intervals that end by ``until_ns``.

    Estimates are kept in the store, which must have been compacted for its size to mean something.

    Parameters
    ----------
    retailer : (N,) int
        Of each meter.
    limit_ns : int
        In time: stored no later than this after the interval's end.
    due_share : float
        An interval of which less was there in time is a breach.
    contract_a : float
        Everybody's, for validation.
    """
    ask = partial(_of_block, store, series, retailer, until_ns, limit_ns, contract_a)
    with ThreadPoolExecutor(THREADS) as threads:
        found = list(threads.map(ask, _blocks(retailer.size)))
    deliveries, billed, estimates, findings = zip(*found, strict=True)
    estimated = pa.concat_tables(estimates)
    if estimated.num_rows:
        store.keep_estimates(estimated)
    delivered = _summed(deliveries, ["interval_end_ns", "retailer"], ["expected", "in_time", "late", "missing"])
    return Management(
        delivered,
        _summed(billed, ["retailer"], ["meters", "measured", "estimated", "open"]),
        _breach_min(delivered, series, due_share),
        estimated.num_rows,
        sum(findings, Counter()),
        sizing(bytes_a_reading(store)).to_pylist(),
    )


def _of_block(
    store: Store, series: Series, retailer: NDArray[np.int64], until_ns: int, limit_ns: int, contract_a: float,
    some: NDArray[np.int64],
) -> tuple[pa.Table, pa.Table, pa.Table, Counter[str]]:  # fmt: skip
    """Return what some meters' retailers got, their bills, estimates and what validation found."""
    readings = store.readings(series, 0, until_ns, some)  # none is older: a run begins at 0
    estimates = estimates_from(readings, series, some, 0, until_ns)
    wrong = validate(readings, series, some, np.full(some.size, contract_a))["finding"]
    findings = Counter({entry["values"].as_py(): entry["counts"].as_py() for entry in pc.value_counts(wrong)})
    return (
        by_retailer(readings, series, some, retailer[some], 0, until_ns, limit_ns),
        bills(readings, estimates, series, some, retailer[some], 0, until_ns),
        estimates,
        findings,
    )


def _summed(parts: Sequence[pa.Table], keys: list[str], counts: list[str]) -> pa.Table:
    """Return the parts' counts added up by key, sorted."""
    added = pa.concat_tables(parts).group_by(keys).aggregate([(name, "sum") for name in counts])
    added = added.select([*keys, *(f"{name}_sum" for name in counts)]).rename_columns([*keys, *counts])
    return added.sort_by([(key, "ascending") for key in keys])


def _breach_min(deliveries: pa.Table, series: Series, due_share: float) -> int:
    everybody = deliveries.group_by("interval_end_ns").aggregate([("expected", "sum"), ("in_time", "sum")])
    short = everybody["in_time_sum"].to_numpy() < due_share * everybody["expected_sum"].to_numpy()
    return int(short.sum()) * INTERVAL_NS[series] // MINUTE_NS


def _blocks(meters: int) -> Iterator[NDArray[np.int64]]:
    for start in range(0, meters, METERS_AT_ONCE):
        yield np.arange(start, min(start + METERS_AT_ONCE, meters))
