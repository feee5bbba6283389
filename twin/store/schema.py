"""The one schema of a reading, from the head end's door to the retailer's table.

A reading is what one meter says of one interval. Its key is (meter, series, interval_end_ns); a second arrival with the
same key and value is a duplicate, with another value a conflict. Times are simulated nanoseconds.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from teiden.errors import InputError

SECOND_NS = 10**9
MINUTE_NS = 60 * SECOND_NS
HOUR_NS = 60 * MINUTE_NS
DAY_NS = 24 * HOUR_NS


class Series(IntEnum):
    """What is measured, and how often."""

    HALF_HOUR = 0
    QUARTER_HOUR = 1
    FIVE_MINUTE = 2
    ONE_MINUTE = 3
    GAS = 4
    WATER = 5

    @property
    def label(self) -> str:
        """Return the name used in folders and tables."""
        return self.name.lower()


class Mark(IntEnum):
    """How a reading came about."""

    VALID = 0
    NO_DATA = 1  # the meter has nothing for this interval
    ESTIMATED = 2  # made by the head end, never by a meter
    CLOCK_ADJUSTED = 3
    REBOOT = 4


# Gas and water: hourly, assumed; DOMAIN R39 gives no interval.
INTERVAL_NS = {
    Series.HALF_HOUR: 30 * MINUTE_NS,
    Series.QUARTER_HOUR: 15 * MINUTE_NS,
    Series.FIVE_MINUTE: 5 * MINUTE_NS,
    Series.ONE_MINUTE: MINUTE_NS,
    Series.GAS: HOUR_NS,
    Series.WATER: HOUR_NS,
}

# A reading stored later than this after its interval's end is late: R8 and R9 60 min, R11 10 min, R12 the hour a meter
# keeps its minutes; a day for gas and water, assumed.
DUE_NS = {
    Series.HALF_HOUR: HOUR_NS,
    Series.QUARTER_HOUR: HOUR_NS,
    Series.FIVE_MINUTE: 10 * MINUTE_NS,
    Series.ONE_MINUTE: HOUR_NS,
    Series.GAS: DAY_NS,
    Series.WATER: DAY_NS,
}

# Registers are cumulative. Of gas and water, import_wh holds litres and export_wh is null.
SCHEMA = pa.schema(
    [
        pa.field("meter", pa.uint32(), nullable=False),
        pa.field("series", pa.uint8(), nullable=False),
        pa.field("interval_end_ns", pa.int64(), nullable=False),
        pa.field("import_wh", pa.int64()),
        pa.field("export_wh", pa.int64()),
        pa.field("p_w", pa.int32()),
        pa.field("q_var", pa.int32()),
        pa.field("u_dv", pa.int32()),  # 0.1 V
        pa.field("mark", pa.uint8(), nullable=False),
        pa.field("received_ns", pa.int64(), nullable=False),  # at the head end
        pa.field("stored_ns", pa.int64(), nullable=False),  # handed to the store
    ]
)
KEY = ("meter", "series", "interval_end_ns")
MEASURED = ("import_wh", "export_wh", "p_w", "q_var", "u_dv")
VALUE = (*MEASURED, "mark")


def empty() -> pa.Table:
    """Return a table of no readings."""
    return SCHEMA.empty_table()


def day_of(interval_end_ns: np.ndarray) -> np.ndarray:
    """Return the day a reading belongs to: the one its interval lies in, so midnight's end is the day before's."""
    return (interval_end_ns - 1) // DAY_NS


def checked(readings: pa.Table, where: str) -> pa.Table:
    """Return readings in the schema's columns, order and types, in one chunk.

    Parameters
    ----------
    readings : pyarrow.Table
        (N,) rows with every column of ``SCHEMA``.
    where : str
        What the table is, for messages.

    Raises
    ------
    InputError
        If a column is missing, unknown or of another type, a value is out of its range, an interval's end is off the
        grid of its series, ``stored_ns`` is before ``received_ns``, a valid reading carries no value or a ``no_data``
        one carries some. The message names the first such row.
    """
    typed = _typed(readings, where)
    for wrong, text in _rules(typed):
        found = np.flatnonzero(wrong)
        if found.size:
            row = int(found[0])
            shown = ", ".join(f"{name} = {typed[name][row]}" for name in (*KEY, "mark", "received_ns", "stored_ns"))
            raise InputError(f"{where}: row {row} ({shown}): {text} ({found.size:,} of {typed.num_rows:,} rows)")
    return typed


def _typed(readings: pa.Table, where: str) -> pa.Table:
    """Return the table cast to the schema."""
    names = set(readings.column_names)
    if names != set(SCHEMA.names) or len(readings.column_names) != len(SCHEMA):
        missing, unknown = sorted(set(SCHEMA.names) - names), sorted(names - set(SCHEMA.names))
        raise InputError(
            f"{where}: columns missing: {', '.join(missing) or 'none'}; unknown or twice: "
            f"{', '.join(unknown) or 'none'}; expected {', '.join(SCHEMA.names)}"
        )
    columns = []
    for field in SCHEMA:
        column = readings[field.name]
        try:
            column = column.cast(field.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise InputError(f"{where}: column {field.name}: {error}; expected {field.type}") from error
        if not field.nullable and column.null_count:
            row = pc.index(pc.is_null(column), True).as_py()
            raise InputError(f"{where}: column {field.name}: row {row} is empty; every reading needs one")
        columns.append(column)
    return pa.table(columns, schema=SCHEMA).combine_chunks()


def _rules(typed: pa.Table) -> list[tuple[np.ndarray, str]]:
    """Return the rows that break each rule, and the rule."""
    series, mark = typed["series"].to_numpy(), typed["mark"].to_numpy()
    steps = np.array([INTERVAL_NS[known] for known in Series], np.int64)
    unknown = series >= len(Series)
    step = steps[np.where(unknown, 0, series)]
    carries = np.zeros(typed.num_rows, bool)
    for name in MEASURED:
        if typed[name].null_count < typed.num_rows:
            carries |= typed[name].is_valid().to_numpy()
    return [
        (unknown, f"series expected 0 to {len(Series) - 1}"),
        (mark >= len(Mark), f"mark expected 0 to {len(Mark) - 1}"),
        (typed["interval_end_ns"].to_numpy() % step != 0, "interval_end_ns is no end of an interval of its series"),
        (typed["stored_ns"].to_numpy() < typed["received_ns"].to_numpy(), "stored_ns is before received_ns"),
        ((mark == Mark.VALID) & ~carries, "a valid reading (mark 0) carries at least one value"),
        ((mark == Mark.NO_DATA) & carries, "a no_data reading (mark 1) carries no value"),
    ]
