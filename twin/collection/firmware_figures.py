"""What came of a new image: how far it got when, what it took of the air, what it did to the half hours."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.collection import kpis
from twin.collection.day import Collection
from twin.collection.errands import REPAIRS
from twin.collection.firmware import NEVER, Firmware
from twin.collection.ledger import NEVER as NO_TIME
from twin.collection.reporting import TICK_NS
from twin.collection.traffic import BILLING_CODE


def firmware_figures(run: Collection) -> dict[str, Any] | None:
    """Return the figures of an image; None without one."""
    image = run.firmware
    if image is None:
        return None
    members = int(image.members.sum())
    whole_ns = image.complete_ns[image.members & (image.complete_ns != NEVER)]
    activated = activations_ns(run)
    return {
        "begin_s": image.begin_ns / 1e9,
        "end_s": last_ns(run) / 1e9,
        "blocks": image.blocks,
        "block_air_ms": image.air_us / 1000,
        "meters": members,
        "complete": whole_ns.size,
        "activated": len(activated),
        "complete_after_s": kpis.percentiles((whole_ns - image.begin_ns) / 1e9),
        "activated_after_s": kpis.percentiles((np.array(list(activated.values())) - image.begin_ns) / 1e9),
        "blocks_heard_as_broadcast": image.heard,
        "blocks_brought_one_by_one": image.repaired,
        "blocks_missing": members * image.blocks - int(image.held.sum()),
        "broadcasts": sum(image.sent_us.values()) // image.air_us,
        "most_of_five_minutes_on_air_share": max(image.sent_us.values(), default=0) * 1000 / TICK_NS,
        **_effect(run, image),
    }


def activations_ns(run: Collection) -> dict[int, int]:
    """Return when each meter's activation was confirmed [ns]."""
    return {e.meter: e.answered_ns for e in run.office.errands.of("image_activate") if e.answered_ns is not None}


def last_ns(run: Collection) -> int:
    """Return when the last request or broadcast of the image was answered or given, or its beginning [ns]."""
    image = run.firmware
    assert image is not None
    repairs = [e.answered_ns or e.asked_ns for kind in REPAIRS for e in run.office.errands.of(kind)]
    sent = [(tick + 1) * TICK_NS for _, tick in image.sent_us]
    return min(max([image.begin_ns, *repairs, *sent]), run.end_ns)


def _effect(run: Collection, image: Firmware) -> dict[str, Any]:
    """Return how half hours fared that were offered while the image was on air, and the others."""
    rows = run.ledger.rows
    rows = rows[rows["kind"] == BILLING_CODE]
    during = (rows["offered_ns"] >= image.begin_ns) & (rows["offered_ns"] < last_ns(run))
    found: dict[str, Any] = {}
    for name, some in (("meanwhile", rows[during]), ("otherwise", rows[~during])):
        heard = some["radio_ns"] != NO_TIME
        found[f"billing_heard_{name}_share"] = float(heard.mean()) if some.size else None
        found[f"billing_on_the_radio_{name}_s"] = _on_the_radio(some[heard])
    return found


def _on_the_radio(rows: NDArray) -> dict[str, float | None]:
    return kpis.percentiles((rows["radio_ns"] - rows["offered_ns"]) / 1e9, (50, 99))
