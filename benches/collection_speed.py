"""A day of collection with all classes on: its CPU time, where it goes, and what a meter takes of memory.

An hour is run and the day told from it: the day is 48 equal half hours. CPU seconds are those of the process and of its
threads, so that a loaded machine spoils them less. Radio and store work beside the office where they may: what the main
thread does is what a day lasts on free cores, if it never has to wait for them. With ``--whole`` the day itself is run
too, as ``teiden run`` runs it, in seconds of wall time: for a machine with nothing else to do.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import radio_bench as rb

import gpu
from hil.collect import run_collection
from twin import scenario as scenarios
from twin.collection import day
from twin.collection.day import Collection
from twin.collection.office import Office
from twin.collection.outcome import Outcome
from twin.collection.plan import make_plan
from twin.collection.reporting import Reporting
from twin.collection.telling import tell
from twin.collection.verification import Verification
from twin.store.store import Store

DAY_ROW = rb.Row("a day of 1 M meters, all classes, told from an hour", "CPU s", 1200, 600, smaller_is_better=True)
MAIN_ROW = rb.Row("... of these on the main thread", "CPU s", 600, 400, smaller_is_better=True)
WHOLE_ROW = rb.Row("a day of 1 M meters, all classes, plan to report", "s", 600, 300, smaller_is_better=True)
MEMORY_ROW = rb.Row("peak memory of a day, per million meters", "GB", 24, 12, smaller_is_better=True)
HOURS = 24
STAGES: list[tuple[Any, str, str]] = [
    (gpu.Mesh, "run_until", "radio"),
    (gpu.Mesh, "drain", "what the radio tells"),
    (gpu.Mesh, "frames", "what the radio tells"),
    (Reporting, "end_intervals", "meters report"),
    (Collection, "_take_deliveries", "concentrators take"),
    (Collection, "_take_ends", "frames end"),
    (Office, "run_until", "batches, WAN, head end"),
    (day, "contents", "values are read"),
    (Verification, "check", "values verified as bytes"),
    (Store, "ingest", "store takes them"),
    (Collection, "_checkpoint", "sums and digests"),
]


class Stages:
    """CPU seconds by stage, each without the stages inside it."""

    def __init__(self) -> None:
        self.cpu_s: dict[str, float] = defaultdict(float)
        self._local = threading.local()

    def watch(self, owner: Any, name: str, stage: str) -> None:
        """Time every call of an attribute from now on."""
        called: Callable[..., Any] = getattr(owner, name)

        def timed(*given: Any, **named: Any) -> Any:
            outer = getattr(self._local, "inside_s", 0.0)
            self._local.inside_s = 0.0
            began_s = time.thread_time()
            try:
                return called(*given, **named)
            finally:
                spent_s = time.thread_time() - began_s
                self.cpu_s[stage] += spent_s - self._local.inside_s
                self._local.inside_s = outer + spent_s

        setattr(owner, name, timed)


def measure(meters: int, hours: float) -> dict[str, Any]:
    """Return what so many hours of collection cost."""
    changes = [f"population.meters={meters}", f"time.duration_h={hours}", "time.after_h=0.5"]
    scenario = scenarios.load("collection_day", changes)
    stages = Stages()
    with rb.Clock() as planning:
        plan = make_plan(scenario, "cpu")  # type: ignore[arg-type]
    before = rb.memory_bytes("VmRSS")
    for stage in STAGES:
        stages.watch(*stage)
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "store") as store:
        run = Collection(plan, store)
        began_s = time.thread_time()
        with rb.Clock() as clock:
            run.run(lambda now_ns, collection: None)
        main_s = time.thread_time() - began_s
        peak = rb.memory_bytes("VmHWM")
        with rb.Clock() as telling:
            store.compact()
            tell(Outcome(run), Path(folder))
        values = run.office.head_end.stored_values
    stages.cpu_s["the rest"] = clock.cpu_s - sum(stages.cpu_s.values())
    by_time = sorted(stages.cpu_s.items(), key=lambda one: one[1], reverse=True)
    return {
        "meters": meters, "hours": hours, "wall_s": round(clock.wall_s, 2), "cpu_s": round(clock.cpu_s, 2),
        "main_thread_cpu_s": round(main_s, 2), "beside_cpu_s": round(clock.cpu_s - main_s, 2),
        "windows": run.record.windows, "runs_ahead": run.record.runs_ahead,
        "cpu_s_by_stage": {name: round(spent_s, 2) for name, spent_s in by_time},
        "plan_cpu_s": round(planning.cpu_s, 2), "tables_cpu_s": round(telling.cpu_s, 2),
        "times_real_time": round(hours * 3600 / clock.wall_s, 1), "batches": run.office.concentrators.batches,
        "values_stored": values, "us_cpu_per_value": round(clock.cpu_s / values * 1e6, 2),
        "memory_mb_before": before >> 20, "memory_mb_peak": peak >> 20,
        "memory_mb_peak_with_tables": rb.memory_bytes("VmHWM") >> 20,
        "ledger_bytes_per_message": run.ledger.bytes_per_message, "messages": run.ledger.rows.size,
        "conserved": not run.record.broken, "digest": run.digest(),
    }  # fmt: skip


def measure_whole(meters: int) -> dict[str, Any]:
    """Return what a whole day costs, from the plan to the report."""
    scenario = scenarios.load("collection_day", [f"population.meters={meters}"])
    with tempfile.TemporaryDirectory() as folder, rb.Clock() as clock:
        done = run_collection(scenario, Path(folder) / "day")  # type: ignore[arg-type]
    told = {key: done.manifest[key] for key in ("digest", "flags", "wall_s", "times_real_time", "peak_memory_mb")}
    return {"meters": meters, "whole_wall_s": round(clock.wall_s, 1), "whole_cpu_s": round(clock.cpu_s, 1)} | told


def main(given: argparse.Namespace) -> tuple[list[rb.Measured], list[dict[str, Any]]]:
    """Measure an hour of each size, and a whole day if asked for."""
    sizes = (2_000,) if given.quick else tuple(given.meters)
    cases = [rb.apart(__file__, "measure", meters=meters, hours=1.0) for meters in sizes]
    largest = cases[-1]
    scale = 1_000_000 / largest["meters"]
    day_s, main_s = (largest[key] * HOURS * scale for key in ("cpu_s", "main_thread_cpu_s"))
    later = largest["messages"] / largest["hours"] * (HOURS - 1) * largest["ledger_bytes_per_message"] * 1.5
    memory_gb = scale * (largest["memory_mb_peak"] * 2**20 + later) / 1e9
    from_what = f"from {largest['meters']:,} meters and an hour"
    remark = (f"{from_what}: {largest['cpu_s']} CPU s, of which "
              + ", ".join(f"{name} {spent_s}" for name, spent_s in largest["cpu_s_by_stage"].items()))  # fmt: skip
    beside = (f"{from_what}: {largest['main_thread_cpu_s']} CPU s, and {largest['beside_cpu_s']} of radio, store and "
              "real bytes beside it")  # fmt: skip
    note = "the hour's peak scaled by meters, and the ledger of the other 23 hours with the room it grows into"
    rows = [(DAY_ROW, day_s, remark), (MAIN_ROW, main_s, beside), (MEMORY_ROW, memory_gb, note)]
    if given.whole:
        cases.append(rb.apart(__file__, "measure_whole", meters=largest["meters"]))
        seconds = cases[-1]["whole_wall_s"]
        what = f"{largest['meters']:,} meters: {seconds} s, of these simulated time {cases[-1]['wall_s']} s"
        rows.append((WHOLE_ROW, seconds if scale == 1 else None, what))
    return rows, cases


def options(parser: argparse.ArgumentParser) -> None:
    """Add the sizes."""
    parser.add_argument("--whole", action="store_true", help="run the day of the largest size too")
    parser.add_argument("--meters", type=int, nargs="+", default=[20_000, 100_000], help="sizes; the last is scaled")


if __name__ == "__main__":
    rb.bench(__doc__ or "", main, options)
