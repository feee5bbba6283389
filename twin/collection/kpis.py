"""Key figures of a collection run, as functions of ledger rows (DOMAIN section 5)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from twin.collection.ledger import NEVER, Messages

AGES_S: NDArray[np.float64] = np.unique(np.round(np.r_[0, np.geomspace(1, 86_400, 400)], 1))


def ages_s(rows: Messages) -> NDArray[np.float64]:
    """Return (R,) age of each message when it was stored [s], infinite if it never was."""
    stored = rows["stored_ns"] != NEVER
    return np.where(stored, (rows["stored_ns"] - rows["interval_ns"]) / 1e9, np.inf)


def due(rows: Messages, limit_s: float, end_ns: int) -> Messages:
    """Return the messages whose time limit lies within the run; others cannot be judged."""
    there = rows["interval_ns"] + round(limit_s * 1e9) <= end_ns
    return rows if there.all() else rows[there]


def share_within(rows: Messages, limit_s: float, end_ns: int) -> float | None:
    """Return the share of due messages stored within a limit; None if none was due."""
    judged = due(rows, limit_s, end_ns)
    return float((ages_s(judged) <= limit_s).mean()) if judged.size else None


def curve(rows: Messages, grid_s: NDArray[np.float64] = AGES_S) -> NDArray[np.float64]:
    """Return (G,) the share of messages stored at each age (G,) [s] or before."""
    ages = np.sort(ages_s(rows))
    return np.searchsorted(ages, grid_s, side="right") / max(ages.size, 1)


def worst_percent(shares: NDArray[np.float64], owed: NDArray[np.int64]) -> tuple[NDArray[np.int64], float]:
    """Return the worst 1 % of the concentrators that owe anything, at least one, and their share over all they owe.

    Parameters
    ----------
    shares : (C,) float
        On time over owed.
    owed : (C,) int
    """
    there = np.flatnonzero(owed)
    worst = there[np.argsort(shares[there], kind="stable")[: max(1, -(-there.size // 100))]]
    return worst, float(np.average(shares[worst], weights=owed[worst]))


def percentiles(values: NDArray[np.float64], which: tuple[float, ...] = (50, 90, 99, 99.9)) -> dict[str, float | None]:
    """Return percentiles by nearest rank (an observed value, never one between two), None if nothing was observed.

    An infinite value, one that never arrived, is None too.
    """
    ordered = np.sort(values)
    found: dict[str, float | None] = {}
    for share in which:
        value = float(ordered[max(int(np.ceil(share / 100 * ordered.size)) - 1, 0)]) if ordered.size else np.inf
        found[f"p{share:g}"] = value if np.isfinite(value) else None
    return found


def lost_power(
    t_ns: NDArray[np.int64], until_ns: NDArray[np.int64], kw: NDArray[np.float64], hold_ns: int
) -> float:  # fmt: skip
    """Return the most power that was cut off together for at least a time without a break [kW].

    Parameters
    ----------
    t_ns, until_ns : (K,) int
        When each meter was cut off, and when it was supplied again or the run ended.
    kw : (K,) float
        What it drew when it was cut off.
    """
    lasting = t_ns + hold_ns <= until_ns
    begin_ns, end_ns, kw = t_ns[lasting], until_ns[lasting] - hold_ns, kw[lasting]
    # A meter counts for every span of that length inside its own: those that begin from t to until - hold, both in.
    moments = np.concatenate([begin_ns, end_ns])
    change = np.concatenate([kw, -kw])
    order = np.lexsort((np.repeat([0, 1], kw.size), moments))
    return float(np.cumsum(change[order]).max(initial=0.0))
