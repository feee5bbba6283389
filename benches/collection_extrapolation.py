"""The nation is told from towns: by how much is that wrong? 100,000 sampled meters against a million simulated.

A nation of a million, seven tenths of it dense and the rest sparse, is told from ten towns of 10,000 as `fleet_61m`
tells all of Japan, and simulated whole: two cities in one plane, one head end. Same seed, one half hour, all classes.
Errors hold what sampling costs and what small towns with long edges cost; times and memory are of the two ways.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import radio_bench as rb

from hil.fleet import run_town
from twin import scenario as scenarios
from twin.fleet.nation import Nation, age_percentiles
from twin.fleet.settings import FleetScenario
from twin.fleet.shard import run_shard
from twin.fleet.strata import Stratum, make_strata
from twin.fleet.towns import Place, plan_towns

APART_M = 100_000.0  # of the two cities' middles: radio does not reach
ROWS = {  # figure: (unit, floor, aim) of the error
    "in_time_share": ("points", 0.5, 0.2),
    "concentrator_in_time_p50": ("points", 1.0, 0.5),
    "concentrator_in_time_p1": ("points", 3.0, 1.0),
    "concentrator_in_time_worst_1_percent": ("points", 5.0, 2.0),
    "age_p50_s": ("%", 2.0, 1.0),
    "age_p99_s": ("%", 5.0, 2.0),
    "age_p99.9_s": ("%", 20.0, 5.0),
    "missed_by_their_receiver_share": ("%", 20.0, 5.0),
    "missed_frames_per_meter": ("%", 20.0, 5.0),
    "airtime_ms_per_meter": ("%", 10.0, 5.0),
    "without_route": ("%", 20.0, 10.0),
    "peak_values_per_second": ("%", 20.0, 10.0),
}


def nation_of(meters: int, seed: int) -> FleetScenario:
    """Return the nation's scenario."""
    town = 10_000 if meters >= 1_000_000 else 2_000
    changes = [
        f"nation.meters={meters}", "nation.share={all=1.0}", "nation.dense_share={all=0.7}",
        "nation.dense_per_km2={all=3000.0}", "nation.mesh_share={all=0.92}", "nation.plc_share={all=0.02}",
        "nation.cellular_share={all=0.06}", f"sample.town_meters={town}", f"sample.towns={meters // town // 10}",
        "sample.least=2", "office.workers=4", "head_end.workers=4",
    ]  # fmt: skip
    loaded = scenarios.load("fleet_61m", changes, seed)
    assert isinstance(loaded, FleetScenario)
    return loaded


def figures(nation: Nation) -> dict[str, Any]:
    """Return what is compared."""
    share, air, head_end = nation.in_time(), nation.content()["air"], nation.content()["head_end"]
    assert share is not None
    missed = nation.sampled.total(lambda s: s.counters["missed_lock"] + s.counters["missed_noise"])
    ages = {f"age_{key}_s": value for key, value in age_percentiles(nation).items()}
    found = {
        "in_time_share": share.value, "in_time_error": share.error,
        **{f"concentrator_in_time_{key}": value for key, value in nation.d60.items()}, **ages,
        "missed_by_their_receiver_share": air["missed_by_their_receiver_share"],
        "missed_frames_per_meter": missed.value / nation.scenario.nation.meters,
        "airtime_ms_per_meter": air["airtime_ms_per_meter"],
        "without_route": nation.sampled.total(lambda s: s.without_route).value,
        "peak_values_per_second": head_end["peak_values_per_second"],
        "longest_fluid_wait_s": head_end["longest_wait_s"],
    }  # fmt: skip
    return found | {"broken": nation.broken(), "digest": nation.digest()}


def cost(clock: rb.Clock) -> dict[str, Any]:
    """Return what a way took."""
    return {"wall_s": round(clock.wall_s, 1), "cpu_s": round(clock.cpu_s, 1),
            "peak_memory_mb": rb.memory_bytes("VmHWM") >> 20}  # fmt: skip


def sampled(meters: int, seed: int) -> dict[str, Any]:
    """Return the nation told from its towns."""
    scenario = nation_of(meters, seed)
    strata = make_strata(scenario)
    homes = [h for h, stratum in enumerate(strata) for _ in range(stratum.towns)]
    with rb.Clock() as clock, tempfile.TemporaryDirectory() as folder:
        shards = [run_town(scenario, strata, h, town, "cpu", Path(folder)) for town, h in enumerate(homes)]
        nation = Nation(scenario, strata, shards)
    return {"way": "sampled", "meters": meters, "simulated": sum(s.meters for s in shards), "towns": len(shards),
            **cost(clock), **figures(nation)}  # fmt: skip


def simulated(meters: int, seed: int) -> dict[str, Any]:
    """Return the nation simulated whole; its head end's queue is the real one, so that no fluid wait is added."""
    scenario = nation_of(meters, seed)
    dense, sparse = make_strata(scenario)
    whole = scenario.model_copy(update={"sample": scenario.sample.model_copy(update={"town_meters": meters})})
    settled = whole.town_scenario("whole", seed, dense.mix, dense.density_per_km2)
    places = [Place(dense.meters, dense.density_per_km2), Place(sparse.meters, sparse.density_per_km2, APART_M)]
    with rb.Clock() as clock, tempfile.TemporaryDirectory() as folder:
        shard = run_shard(plan_towns(places, settled, "cpu"), 0, Path(folder))
    unlimited = whole.model_copy(update={"office": whole.office.model_copy(update={"workers": 1_000_000})})
    stratum = Stratum("whole", "all", meters, dense.density_per_km2, dense.mix, 1)
    return {"way": "simulated", "meters": meters, "simulated": meters, "towns": 2, **cost(clock),
            **figures(Nation(unlimited, [stratum], [shard]))}  # fmt: skip


def main(given: argparse.Namespace) -> tuple[list[rb.Measured], list[dict[str, Any]]]:
    """Compare the two ways."""
    meters = 100_000 if given.quick else 1_000_000
    told, truth = (rb.apart(__file__, way, meters=meters, seed=given.seed) for way in ("sampled", "simulated"))
    rows = []
    for name, (unit, floor, aim) in ROWS.items():
        error = told[name] - truth[name]
        value = abs(100 * error if unit == "points" else 100 * error / truth[name])
        remark = f"sampled {told[name]:.5g}, simulated {truth[name]:.5g}"
        rows.append((rb.Row(f"error of {name}", unit, floor, aim, smaller_is_better=True), value, remark))
    memory = rb.Row("peak memory of a million in one plane", "GB", 6, 2, smaller_is_better=True)
    rows.append((memory, truth["peak_memory_mb"] * 2**20 / 1e9 * 1e6 / meters,
                 f"sampled {told['peak_memory_mb']} MB whatever the nation's size"))  # fmt: skip
    return rows, [told, truth]


def options(parser: argparse.ArgumentParser) -> None:
    """Add the seed."""
    parser.add_argument("--seed", type=int, default=1, help="[default: 1]")


if __name__ == "__main__":
    rb.bench(__doc__ or "", main, options)
