"""Readings as columns of numpy, before the head end stamps them."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa

from twin.field.topology import Ints
from twin.store.schema import MEASURED, SCHEMA

ABSENT = np.iinfo(np.int64).min  # a value that a series does not carry, or that the meter does not have


@dataclass(frozen=True, eq=False)
class Readings:
    """R readings in the units of ``twin.store.schema``; every column is (R,) int64.

    Attributes
    ----------
    meter, series, interval_end_ns, mark : (R,) int
    import_wh, export_wh, p_w, q_var, u_dv : (R,) int
        ``ABSENT`` where there is no value.
    """

    meter: Ints
    series: Ints
    interval_end_ns: Ints
    import_wh: Ints
    export_wh: Ints
    p_w: Ints
    q_var: Ints
    u_dv: Ints
    mark: Ints

    def __len__(self) -> int:
        """Return R."""
        return self.meter.size

    def take(self, rows: Ints | slice) -> Readings:
        """Return some of the rows."""
        return Readings(*(getattr(self, name)[rows] for name in COLUMNS))

    def same_as(self, other: Readings) -> bool:
        """Return whether every value is equal."""
        return all(getattr(self, name).tobytes() == getattr(other, name).tobytes() for name in COLUMNS)

    def to_table(self, received_ns: int | Ints, stored_ns: int | Ints) -> pa.Table:
        """Return the table that the store takes.

        Parameters
        ----------
        received_ns, stored_ns : int or (R,) int
            When the head end had them, and handed them over.
        """
        columns = {name: getattr(self, name) for name in COLUMNS}
        columns["received_ns"] = np.broadcast_to(received_ns, len(self))
        columns["stored_ns"] = np.broadcast_to(stored_ns, len(self))
        return pa.table(
            [
                pa.array(
                    columns[field.name], mask=columns[field.name] == ABSENT if field.name in MEASURED else None
                ).cast(field.type)
                for field in SCHEMA
            ],
            schema=SCHEMA,
        )


COLUMNS = tuple(field.name for field in fields(Readings))


def from_table(table: pa.Table) -> Readings:
    """Return the readings in a table of the store."""
    columns = {name: table[name] for name in COLUMNS}
    return Readings(**{name: column.cast(pa.int64()).fill_null(ABSENT).to_numpy() for name, column in columns.items()})


def blank(meter: int | Ints, series: int, interval_end_ns: Ints) -> dict[str, Ints]:
    """Return the columns of valid readings that carry no value yet; (R,) meters or the one of all, (R,) ends [ns]."""
    ends_ns = np.asarray(interval_end_ns, np.int64).reshape(-1)
    size = ends_ns.size
    meters = np.full(size, meter, np.int64) if isinstance(meter, int) else np.asarray(meter, np.int64)
    columns = {name: np.full(size, ABSENT, np.int64) for name in MEASURED}
    return {
        "meter": meters,
        "series": np.full(size, int(series), np.int64),
        "interval_end_ns": ends_ns,
        "mark": np.zeros(size, np.int64),
        **columns,
    }


def join(parts: list[Readings]) -> Readings:
    """Return all rows of several sets of readings, one after the other."""
    return Readings(*(np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS))
