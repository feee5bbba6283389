"""A whole collection run: plan, simulated time, store, tables, report, manifest. No rig takes part."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gpu
from hil.manifest import RESUMED, Checkpoints, begin_manifest
from hil.progress import Watch
from hil.run import Finished
from twin.collection.capacity import air_warnings
from twin.collection.day import Collection
from twin.collection.notes import modelled, not_modelled
from twin.collection.outcome import Outcome
from twin.collection.plan import CollectionPlan, make_plan
from twin.collection.report import render
from twin.collection.settings import CollectionScenario
from twin.collection.telling import tell
from twin.store.store import Store
from twin.study import folder as folders

TOOLS = ("numpy", "scipy", "simpy", "pandapower", "pyarrow", "duckdb")
STORE = "store"


def run_collection(
    scenario: CollectionScenario,
    place: Path,
    *,
    backend: str = "cpu",
    resume: bool = False,
    trace_meter: str | None = None,
    watch: Watch | None = None,
) -> Finished:
    """Run a collection scenario into a folder.

    Parameters
    ----------
    scenario : CollectionScenario
    place : Path
        The run folder to make.
    backend : str
        What runs the mesh, "cpu" or "cuda".
    resume : bool
        Repeat an interrupted run and hold it to that run's checkpoints.
    trace_meter : str, optional
        Name of a meter whose every value is told stage by stage.
    watch : Watch, optional
        Shows progress.

    Raises
    ------
    TeidenError
        Input that is wrong, a part that is missing, a part that failed; what was written by then is in
        ``<place>.partial``, whose manifest says "incomplete".
    """
    watch = watch or Watch(quiet=True)
    manifest = _begin_manifest(scenario, backend)
    folders.check_place(place)
    plan = make_plan(scenario, backend, watch.stage)
    traced = None if trace_meter is None else plan.population.find_meter(trace_meter)
    warnings = air_warnings(plan)
    for warning in warnings:
        watch.stage(f"warning: {warning}")
    with folders.opened(place, manifest, resume) as folder, watch:
        with Store.open(folder.path / STORE) as store:
            run = _play(plan, store, folder, watch)
            watch.stage("tables and report")
            store.compact()
            summary, told_flags = tell(Outcome(run), folder.path, traced)
        manifest |= _end_manifest(run, told_flags + warnings, folder)
        folders.write_json(folder.path / "summary.json", summary)
        folder.manifest(manifest)
        render(folder.path)
        folder.finish()
    return Finished(place, summary, manifest)


def _play(plan: CollectionPlan, store: Store, folder: folders.RunFolder, watch: Watch) -> Collection:
    run = Collection(plan, store)
    watch.start(run.end_ns / 1e9)
    run.run(_after_window(folder, watch))
    return run


def _after_window(folder: folders.RunFolder, watch: Watch) -> Callable[[int, Collection], None]:
    checkpoints = Checkpoints(folder)

    def after(now_ns: int, run: Collection) -> None:
        checkpoints.write(run.record.checkpoints)
        if watch.due():
            head_end = run.office.head_end
            note = f"{head_end.stored_so_far:,} values stored, {head_end.waiting} batches wait"
            watch.show(now_ns / 1e9, run.end_ns / 1e9, note)

    return after


def _begin_manifest(scenario: CollectionScenario, backend: str) -> dict[str, Any]:
    radio = gpu.profile(scenario.radio.profile, **scenario.radio.overrides)
    beside = scenario.fleet.mesh_share < 1 or scenario.handy.crews > 0
    return begin_manifest(scenario, backend, modelled(radio, beside), not_modelled(radio), TOOLS)


def _end_manifest(run: Collection, flags: list[str], folder: folders.RunFolder) -> dict[str, Any]:
    if folder.resumed:
        flags.append(RESUMED)
    return {
        "status": "complete",
        "digest": run.digest(),
        "flags": flags,
        "wall_s": round(run.record.wall_s, 3),
        "radio_wall_s": round(run.record.radio_wall_s, 3),
        "sim_s": run.end_ns / 1e9,
        "times_real_time": round(run.end_ns / 1e9 / run.record.wall_s, 1),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
