"""Readings for the store's tests, and a slow reference of what a store holds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from twin.store.schema import HOUR_NS, INTERVAL_NS, MEASURED, MINUTE_NS, SCHEMA, VALUE, Series

STEP = INTERVAL_NS[Series.HALF_HOUR]


def row(meter: int, number: int, import_wh: int | None = 100, series: int = 0, **more: Any) -> dict[str, Any]:
    """Return one reading of the interval with this number, from 0, received 5 and stored 6 minutes after its end."""
    end = (number + 1) * INTERVAL_NS[Series(series)]
    empty = dict.fromkeys(MEASURED)
    times = {"received_ns": end + 5 * MINUTE_NS, "stored_ns": end + 6 * MINUTE_NS}
    return {"meter": meter, "series": series, "interval_end_ns": end, "mark": 0, **empty, "import_wh": import_wh,
            **times, **more}  # fmt: skip


def table(rows: Iterable[dict[str, Any]]) -> pa.Table:
    """Return readings as a table."""
    return pa.Table.from_pylist(list(rows), schema=SCHEMA)


def random_batches(seed: int, count: int, rows: int = 40, meters: int = 6, days: int = 2) -> list[pa.Table]:
    """Return batches of few keys and values: many arrive twice, with the same value or another, in any order."""
    draw = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        series = draw.choice([Series.HALF_HOUR, Series.FIVE_MINUTE], rows, p=[0.7, 0.3])
        step = np.where(series == Series.HALF_HOUR, STEP, INTERVAL_NS[Series.FIVE_MINUTE])
        end = (draw.integers(0, days * 24 * HOUR_NS, rows) // step + 1) * step // (6 * HOUR_NS) * (6 * HOUR_NS)
        value = draw.integers(0, 2, rows)
        none = draw.random(rows) < 0.2
        columns = {
            "meter": draw.integers(0, meters, rows) * 65_537,  # several blocks
            "series": series,
            "interval_end_ns": end,
            "import_wh": pa.array(value, mask=none | (series != 0)),
            "p_w": pa.array(value, mask=none | (series == 0)),
            "mark": none.astype(int),
            "received_ns": end + draw.integers(0, HOUR_NS, rows),
            "stored_ns": end + HOUR_NS + draw.integers(-1, 2, rows),
        }
        found.append(pa.table([_as(columns.get(field.name), field, rows) for field in SCHEMA], schema=SCHEMA))
    return found


def _as(column: Any, field: pa.Field, rows: int) -> pa.Array:
    """Return a column in its type; one that is not given is null."""
    return pa.nulls(rows, field.type) if column is None else pa.array(column).cast(field.type)


def reference(batches: Iterable[pa.Table]) -> tuple[dict[tuple, dict], list[dict], int]:
    """Return what a store must hold after these batches, by a dictionary: readings by key, conflicts, duplicates."""
    held: dict[tuple, dict] = {}
    conflicts, duplicates = [], 0
    for batch in batches:
        for found in batch.to_pylist():
            key = (found["meter"], found["series"], found["interval_end_ns"])
            known = held.setdefault(key, found)
            if known is found:
                continue
            if all(known[name] == found[name] for name in VALUE):
                duplicates += 1
            else:
                conflicts.append(found)
    return held, conflicts, duplicates
