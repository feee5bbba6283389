"""What service levels could be set: by what age or delay which share of all is there, by function (R53)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.collection.day import Collection
from twin.collection.errands import COMMANDS, Errand
from twin.collection.ledger import NEVER
from twin.store import completeness

SHARES = (0.5, 0.9, 0.95, 0.99, 0.999)


def attainable(run: Collection) -> list[dict[str, Any]]:
    """Return one entry a function: how many there were, and after how long each share of them was done.

    What never came counts: a share that was never reached has no time. Each value had ``time.after_h`` at least.
    """
    return [_entry(name, delays_ns) for name, delays_ns in _functions(run) if delays_ns.size]


def _functions(run: Collection) -> Iterator[tuple[str, NDArray[np.int64]]]:
    rows = run.ledger.rows
    for kind in run.classes:
        mine = rows[rows["kind"] == kind.code]
        yield f"{kind.name}: age when stored", _delays_ns(mine["stored_ns"], mine["interval_ns"])
    errands = run.office.errands
    yield "missing: answered", _answered(errands.of("missing"))
    yield "read: answered", _answered(errands.of("read"))
    for name in COMMANDS:
        yield f"{name}: confirmed", _answered(errands.of(name))


def _answered(errands: list[Errand]) -> NDArray[np.int64]:
    done = np.array([NEVER if e.answered_ns is None else e.answered_ns for e in errands], np.int64)
    return _delays_ns(done, np.array([e.asked_ns for e in errands], np.int64))


def _delays_ns(done_ns: NDArray[np.int64], since_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.where(done_ns == NEVER, completeness.NEVER, done_ns - since_ns)


def _entry(name: str, delays_ns: NDArray[np.int64]) -> dict[str, Any]:
    return {
        "function": name,
        "count": delays_ns.size,
        "done_share": float((delays_ns != completeness.NEVER).mean()),
        "after_s": {f"{100 * share:g} %": completeness.age_of_share_s(delays_ns, share) for share in SHARES},
    }
