"""The readings in messages of the ledger."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gpu import rng
from twin.collection.traffic import TrafficClass
from twin.metering.readings import Readings, blank, join
from twin.store.schema import INTERVAL_NS, Series


def readings_of(ledger: NDArray, classes: list[TrafficClass], rows: NDArray[np.int64], stored_ns: int) -> pa.Table:
    """Return one row a value, in the store's schema; messages of several intervals give one each."""
    kinds = ledger["kind"][rows]
    chosen = [(kind, rows[kinds == kind.code]) for kind in classes if (kinds == kind.code).any()]
    received = [np.repeat(ledger["head_end_ns"][part], kind.records) for kind, part in chosen]
    return join([_read(ledger, kind, part) for kind, part in chosen]).to_table(np.concatenate(received), stored_ns)


def _read(ledger: NDArray, kind: TrafficClass, rows: NDArray[np.int64]) -> Readings:
    step = INTERVAL_NS[kind.series]
    back = np.arange(kind.records - 1, -1, -1, dtype=np.int64) * step
    meters = np.repeat(ledger["meter"][rows], kind.records).astype(np.int64)
    ends = (ledger["interval_ns"][rows][:, None] - back).reshape(-1)
    columns = blank(meters, kind.series, ends)
    if kind.series == Series.FIVE_MINUTE:
        for name in ("p_w", "q_var", "u_dv"):
            columns[name] = (rng.draw_unit(1, 1, meters, ends) * 1000).astype(np.int64)
    else:
        columns["import_wh"] = ends // step * 250
        if kind.series < 2:
            columns["export_wh"] = ends // step * 0
    return Readings(**columns)
