"""Validation: what a reading may not say.

``backwards``: a register is below the meter's previous one. ``implausible``: more energy than the contract's amperes
let through since the previous reading, or more power. ``gap``: intervals between two readings are missing.
``no_contract``: nothing is known of the meter.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from teiden.errors import InputError
from twin.store.schema import HOUR_NS, INTERVAL_NS, Series

# Contract amperes are counted at 100 V, both legs of a 3-wire service together (60 A: 6 kVA).
CONTRACT_V = 100.0
MARGIN = 1.1  # assumed: a limiter lets a small overload through for minutes

FINDINGS = pa.schema(
    [
        ("meter", pa.uint32()),
        ("series", pa.uint8()),
        ("interval_end_ns", pa.int64()),
        ("finding", pa.string()),
        ("value", pa.float64()),  # Wh since the previous reading; W; missing intervals
        ("limit", pa.float64()),
    ]
)


def validate(
    readings: pa.Table, series: Series, contract_meter: np.ndarray, contract_a: np.ndarray, margin: float = MARGIN
) -> pa.Table:
    """Return what is wrong with readings of one series, sorted by meter, interval and finding.

    Parameters
    ----------
    readings : pyarrow.Table
        (N,) readings of ``series``, sorted by meter and interval, as ``Store.readings`` gives them.
    contract_meter : (M,) integer
        Meters with a contract, distinct and rising.
    contract_a : (M,) float
        Their contract amperes.
    margin : float
        How far over the contract is still plausible.

    Raises
    ------
    InputError
        If meters do not rise or amperes are not above 0.
    """
    _check_contracts(contract_meter, contract_a)
    meter, end = readings["meter"].to_numpy(), readings["interval_end_ns"].to_numpy()
    at = np.minimum(np.searchsorted(contract_meter, meter), max(contract_meter.size - 1, 0))
    has = contract_meter[at] == meter if contract_meter.size else np.zeros(meter.size, bool)
    limit_w = np.where(has, contract_a[at] * CONTRACT_V * margin, np.inf) if contract_meter.size else np.inf
    limit_w = np.broadcast_to(limit_w, meter.shape)
    findings = [
        _gaps(meter, end, INTERVAL_NS[series]),
        *(_register(readings, name, limit_w) for name in ("import_wh", "export_wh")),
        _power(readings, limit_w),
        _without(has, meter),
    ]
    return _table(readings, findings)


Found = tuple[str, np.ndarray, np.ndarray, np.ndarray]  # finding, rows, values, limits


def _check_contracts(meter: np.ndarray, ampere: np.ndarray) -> None:
    """Refuse contracts that make no sense."""
    falls = np.flatnonzero(np.diff(meter.astype(np.int64)) <= 0)
    if falls.size:
        raise InputError(f"contracts: row {falls[0] + 1}: meter {meter[falls[0] + 1]} expected distinct and rising")
    wrong = np.flatnonzero(~(ampere > 0))
    if wrong.size:
        raise InputError(f"contracts: meter {meter[wrong[0]]}: {ampere[wrong[0]]} A, expected above 0")


def _gaps(meter: np.ndarray, end: np.ndarray, step_ns: int) -> list[Found]:
    """Return readings before which intervals are missing."""
    missing = (end[1:] - end[:-1]) // step_ns - 1
    row = np.flatnonzero((meter[1:] == meter[:-1]) & (missing > 0))
    return [("gap", row + 1, missing[row], np.zeros(row.size))]


def _register(readings: pa.Table, name: str, limit_w: np.ndarray) -> list[Found]:
    """Return readings whose register fell, or rose by more than the contract lets through.

    Export is not limited by a contract: a roof may feed in more than its house may draw.
    """
    row = np.flatnonzero(readings[name].is_valid().to_numpy())
    wh = readings[name].drop_null().to_numpy()
    meter, end = (readings[column].to_numpy()[row] for column in ("meter", "interval_end_ns"))
    same = meter[1:] == meter[:-1]
    energy_wh, hours = np.diff(wh), np.diff(end) / HOUR_NS
    fell = np.flatnonzero(same & (energy_wh < 0))
    found: list[Found] = [("backwards", row[fell + 1], energy_wh[fell], np.zeros(fell.size))]
    if name == "import_wh":
        limit_wh = limit_w[row][1:] * hours + 1  # registers count whole Wh
        over = np.flatnonzero(same & (energy_wh > limit_wh))
        found.append(("implausible", row[over + 1], energy_wh[over], limit_wh[over]))
    return found


def _power(readings: pa.Table, limit_w: np.ndarray) -> list[Found]:
    """Return readings that draw more power than the contract lets through."""
    power_w = readings["p_w"].fill_null(0).to_numpy()
    row = np.flatnonzero(power_w > limit_w)
    return [("implausible", row, power_w[row], limit_w[row])]


def _without(has: np.ndarray, meter: np.ndarray) -> list[Found]:
    """Return the first reading of each meter without a contract."""
    first = np.ones(meter.size, bool)
    first[1:] = meter[1:] != meter[:-1]
    row = np.flatnonzero(~has & first)
    return [("no_contract", row, np.zeros(row.size), np.zeros(row.size))]


def _table(readings: pa.Table, findings: list[list[Found]]) -> pa.Table:
    """Return findings as a table."""
    tables = []
    for name, row, value, limit in (found for several in findings for found in several):
        at = readings.select(["meter", "series", "interval_end_ns"]).take(pa.array(row))
        names = pa.array([name] * row.size, pa.string())
        figures = [pa.array(values.astype(float)) for values in (value, limit)]
        tables.append(pa.table([*at.columns, names, *figures], schema=FINDINGS))
    order = [(name, "ascending") for name in ("meter", "interval_end_ns", "finding")]
    return pa.concat_tables([FINDINGS.empty_table(), *tables]).sort_by(order)
