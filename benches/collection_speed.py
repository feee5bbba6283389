"""A day of collection with all classes on: how many times faster than real time, and what a meter takes of memory.

An hour is run and the day told from it: the day is 48 equal half hours. Beside it stands the floor: the radio engine's
own share of the same run. CPU seconds are of one process, so that a loaded machine does not spoil them.
"""

from __future__ import annotations

import argparse
import tempfile
from typing import Any

import radio_bench as rb

from twin import scenario as scenarios
from twin.collection.day import Collection
from twin.collection.plan import make_plan
from twin.store.store import Store

DAY_ROW = rb.Row("a day of 1 M meters, all classes, told from an hour", "CPU s", 1200, 600, smaller_is_better=True)
MEMORY_ROW = rb.Row("peak memory of a day, per million meters", "GB", 24, 12, smaller_is_better=True)
HOURS = 24


def measure(meters: int, hours: float) -> dict[str, Any]:
    """Return what so many hours of collection cost."""
    changes = [f"population.meters={meters}", f"time.duration_h={hours}", "time.after_h=0.5"]
    scenario = scenarios.load("collection_day", changes)
    plan = make_plan(scenario, "cpu")  # type: ignore[arg-type]
    before = rb.memory_bytes("VmRSS")
    with tempfile.TemporaryDirectory() as folder, Store.open(folder) as store:
        run = Collection(plan, store)
        with rb.Clock() as clock:
            run.run(lambda now_ns, collection: None)
        values = run.office.head_end.stored_values
    return {
        "meters": meters, "hours": hours, "wall_s": round(clock.wall_s, 2), "cpu_s": round(clock.cpu_s, 2),
        "times_real_time": round(hours * 3600 / clock.wall_s, 1), "radio_wall_s": round(run.record.radio_wall_s, 2),
        "values_stored": values, "us_cpu_per_value": round(clock.cpu_s / values * 1e6, 2),
        "memory_mb_before": before >> 20, "memory_mb_peak": rb.memory_bytes("VmHWM") >> 20,
        "ledger_bytes_per_message": int(run.ledger.rows.itemsize), "messages": int(run.ledger.rows.size),
        "conserved": not run.record.broken, "digest": run.digest(),
    }  # fmt: skip


def main(given: argparse.Namespace) -> tuple[list[rb.Measured], list[dict[str, Any]]]:
    """Measure an hour of two sizes."""
    sizes = (2_000,) if given.quick else (20_000, 100_000)
    cases = [rb.apart(__file__, "measure", meters=meters, hours=1.0) for meters in sizes]
    largest = cases[-1]
    scale = 1_000_000 / largest["meters"]
    day_s = largest["cpu_s"] * HOURS * scale
    later = largest["messages"] / largest["hours"] * (HOURS - 1) * largest["ledger_bytes_per_message"] * 1.5
    memory_gb = scale * (largest["memory_mb_peak"] * 2**20 + later) / 1e9
    remark = (f"from {largest['meters']:,} meters and an hour: {largest['cpu_s']} CPU s, radio "
              f"{largest['radio_wall_s']} s of {largest['wall_s']} wall s")  # fmt: skip
    note = "the hour's peak scaled by meters, and the ledger of the other 23 hours with the room it grows into"
    return [(DAY_ROW, day_s, remark), (MEMORY_ROW, memory_gb, note)], cases


if __name__ == "__main__":
    rb.bench(__doc__ or "", main)
