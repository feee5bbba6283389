"""Key figures of a run: truth against belief, delivery, times, verdicts, and the account that must balance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import gpu
from twin.field.book import KINDS, NEVER, OPEN
from twin.office.headend import DARK

UNFINISHED = "unfinished"  # still on its way when the run ended


@dataclass(frozen=True)
class Fates:
    """What became of each notice, (G,) arrays."""

    outcome: NDArray[Any]  # delivered | lost | died
    cause: NDArray[Any]  # empty when delivered


def settle(rows: NDArray[Any]) -> Fates:
    """Give every notice of the book exactly one fate.

    Delivered if the head end accepted it. Otherwise what ended it last: the WAN if a concentrator had
    it, else the engine's outcome; whatever had no end yet is lost as `UNFINISHED`.
    """
    delivered = rows["head_end_ns"] != NEVER
    heard = rows["concentrator_ns"] != NEVER
    radio = np.array([*gpu.OUTCOMES, UNFINISHED])[np.where(rows["radio"] == OPEN, len(gpu.OUTCOMES), rows["radio"])]
    cause = np.where(heard, np.where(rows["wan_lost"], "wan", UNFINISHED), radio)
    died = ~delivered & (cause == "died")
    outcome = np.where(delivered, "delivered", np.where(died, "died", "lost"))
    return Fates(outcome, np.where(delivered, "", cause))


def account(rows: NDArray[Any], fates: Fates, kind: str, since_ns: int | NDArray[np.int64]) -> dict[str, Any]:
    """Return the counts and times of one kind of notice; times count from ``since_ns`` [ns], one for all or each."""
    chosen = rows["kind"] == KINDS.index(kind)
    outcome, cause = fates.outcome[chosen], fates.cause[chosen]
    made = int(chosen.sum())
    delivered = int((outcome == "delivered").sum())
    arrived = chosen & (rows["head_end_ns"] != NEVER)
    arrived_s = np.sort((rows["head_end_ns"] - since_ns)[arrived]) / 1e9
    return {
        "made": made,
        "delivered": delivered,
        "lost": int((outcome == "lost").sum()),
        "died": int((outcome == "died").sum()),
        "causes": dict(sorted(Counter(cause[outcome != "delivered"].tolist()).items())),
        "delivery_ratio": delivered / made if made else None,
        **{f"time_to_{share}_s": time_to_share_s(arrived_s, share / 100) for share in (50, 90, 99)},
    }


def time_to_share_s(arrived_s: NDArray[np.float64], share: float) -> float | None:
    """Return when the given share of what arrives has arrived; None if nothing arrives.

    Parameters
    ----------
    arrived_s : (D,) float
        Ascending.
    """
    if arrived_s.size == 0:
        return None
    return float(arrived_s[int(np.ceil(share * arrived_s.size)) - 1])


def believed_at(
    changes: Sequence[tuple[int, int, int, str]], meters: int, times_ns: Sequence[int]
) -> Iterator[NDArray[np.bool_]]:
    """Give (N,) who is believed dark at each of the ascending times; each array is valid until the next."""
    dark = np.zeros(meters, dtype=bool)
    place = 0
    for t_ns in times_ns:
        while place < len(changes) and changes[place][0] <= t_ns:
            dark[changes[place][1]] = changes[place][2] == DARK
            place += 1
        yield dark


def conservation(accounts: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the balance of all notices as a sentence and whether it holds."""
    parts, ok = [], True
    for kind, a in accounts.items():
        ok &= a["made"] == a["delivered"] + a["lost"] + a["died"] == a["delivered"] + sum(a["causes"].values())
        parts.append(f"{a['made']:,} {kind} = {a['delivered']:,} delivered + {a['lost']:,} lost + {a['died']:,} died")
    return {"text": "; ".join(parts), "ok": bool(ok)}


def verdict(value: float | None, limit: float, at_least: bool, bound: float = 0.0) -> str:
    """Return pass, fail, inconclusive or not applicable; a limit under ten times the bound proves nothing."""
    if value is None:
        return "not applicable"
    if bound and limit < 10 * bound:
        return "inconclusive"
    return "pass" if (value >= limit if at_least else value <= limit) else "fail"
