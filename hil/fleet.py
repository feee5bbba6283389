"""A whole fleet run: towns one after the other, the nation told from them, tables, report, manifest."""

from __future__ import annotations

import gc
import resource
import time
from pathlib import Path
from typing import Any

import gpu
from hil.manifest import RESUMED, Checkpoints, begin_manifest
from hil.progress import Watch
from hil.run import Finished
from twin.chance import Purpose, uniform
from twin.collection.notes import modelled, not_modelled
from twin.fleet.nation import Nation
from twin.fleet.report import render
from twin.fleet.settings import FleetScenario
from twin.fleet.shard import Shard, run_shard
from twin.fleet.strata import Stratum, make_strata
from twin.fleet.tables import write_tables
from twin.fleet.towns import Place, plan_towns
from twin.study import folder as folders

TOOLS = ("numpy", "scipy", "simpy", "pyarrow", "duckdb")
SAMPLED = (
    "Sampling: of each utility's dense and sparse places some towns are simulated packet by packet and weighted by "
    "meters; radio does not reach from town to town. Head end, WAN and store of the nation carry the weighted flows."
)
NOT_SAMPLED = (
    "Strata are two densities a utility, means of it; islands, valleys and high-rise blocks are not told apart. One "
    "half hour on its own: what the half hours before it left on the air is not there."
)


def run_fleet(
    scenario: FleetScenario, place: Path, *, backend: str = "cpu", resume: bool = False, watch: Watch | None = None
) -> Finished:
    """Run a fleet scenario into a folder; errors and leftovers as with `hil.collect.run_collection`."""
    watch = watch or Watch(quiet=True)
    manifest = _begin(scenario, backend)
    folders.check_place(place)
    started = time.monotonic()
    with folders.opened(place, manifest, resume) as folder, watch:
        nation = _play(scenario, backend, folder, watch)
        write_tables(nation, folder.path)
        summary = nation.content()
        manifest |= _end(nation, folder, time.monotonic() - started)
        folders.write_json(folder.path / "summary.json", summary)
        folder.manifest(manifest)
        render(folder.path)
        folder.finish()
    return Finished(place, summary, manifest)


def town_seed(seed: int, town: int) -> int:
    """Return the seed of one town."""
    return int(float(uniform(seed, town, 0, Purpose.TOWN)) * 2**53)


def run_town(scenario: FleetScenario, strata: list[Stratum], h: int, town: int, backend: str, scratch: Path) -> Shard:
    """Simulate one town of a stratum."""
    stratum = strata[h]
    settled = scenario.town_scenario(
        f"town-{town}", town_seed(scenario.seed, town), stratum.mix, stratum.density_per_km2
    )
    plan = plan_towns([Place(scenario.sample.town_meters, stratum.density_per_km2)], settled, backend)
    shard = run_shard(plan, h, scratch)
    del plan
    gc.collect()  # a run's parts refer to each other: without this the memory of some towns adds up
    return shard


def _play(scenario: FleetScenario, backend: str, folder: folders.RunFolder, watch: Watch) -> Nation:
    strata = make_strata(scenario)
    homes = [h for h, stratum in enumerate(strata) for _ in range(stratum.towns)]
    checkpoints, so_far, shards = Checkpoints(folder), [], []
    watch.stage(f"{len(homes)} towns of {scenario.sample.town_meters:,} meters in {len(strata)} strata")
    watch.start(float(len(homes)))
    for town, h in enumerate(homes):
        shards.append(run_town(scenario, strata, h, town, backend, folder.path))
        so_far.append((town, shards[-1].digest))
        checkpoints.write(so_far)
        if watch.due():
            watch.show(town + 1.0, float(len(homes)), f"towns; last: {strata[h].name}")
    return Nation(scenario, strata, shards)


def _begin(scenario: FleetScenario, backend: str) -> dict[str, Any]:
    radio = gpu.profile(scenario.radio.profile, **scenario.radio.overrides)
    shown, hidden = [SAMPLED, *modelled(radio, True)], [NOT_SAMPLED, *not_modelled(radio)]
    return begin_manifest(scenario, backend, shown, hidden, TOOLS)


def _end(nation: Nation, folder: folders.RunFolder, wall_s: float) -> dict[str, Any]:
    flags = [f"conservation: {text}" for text in nation.broken()[:1]]
    if folder.resumed:
        flags.append(RESUMED)
    return {
        "status": "complete", "digest": nation.digest(), "flags": flags, "wall_s": round(wall_s, 3),
        "sim_s": 3600 * (nation.scenario.time.duration_h + nation.scenario.time.after_h),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }  # fmt: skip
