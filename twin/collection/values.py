"""The readings in messages of the ledger, as a table of the store's schema."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gpu import rng
from twin.collection.traffic import TrafficClass
from twin.store.schema import INTERVAL_NS, SCHEMA, Mark, Series


def readings_of(ledger: NDArray, classes: list[TrafficClass], rows: NDArray[np.int64], stored_ns: int) -> pa.Table:
    """Return one row a value; messages of several intervals give one each."""
    kinds = ledger["kind"][rows]
    parts = [_of_class(ledger, kind, rows[kinds == kind.code], stored_ns) for kind in classes
             if (kinds == kind.code).any()]  # fmt: skip
    return pa.concat_tables(parts)


def _of_class(ledger: NDArray, kind: TrafficClass, rows: NDArray[np.int64], stored_ns: int) -> pa.Table:
    step = INTERVAL_NS[kind.series]
    back = np.arange(kind.records - 1, -1, -1, dtype=np.int64) * step
    meters = np.repeat(ledger["meter"][rows], kind.records).astype(np.uint32)
    ends = (ledger["interval_ns"][rows][:, None] - back).reshape(-1)
    received = np.repeat(ledger["head_end_ns"][rows], kind.records)
    nothing = pa.nulls(meters.size, pa.int64())
    p = (rng.draw_unit(1, 1, meters.astype(np.int64), ends) * 1000).astype(np.int64)
    return pa.table(
        {
            "meter": meters,
            "series": np.full(meters.size, kind.series, np.uint8),
            "interval_end_ns": ends,
            "import_wh": ends // step * 250 if kind.series != Series.FIVE_MINUTE else nothing,
            "export_wh": nothing,
            "p_w": p,
            "q_var": nothing,
            "u_dv": nothing,
            "mark": np.full(meters.size, Mark.VALID, np.uint8),
            "received_ns": received,
            "stored_ns": np.full(meters.size, stored_ns),
        }
    ).cast(SCHEMA)
