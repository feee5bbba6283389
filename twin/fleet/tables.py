"""The tables of a fleet run's folder: one schema each, units in the column names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from twin.collection.links_figures import WORDS
from twin.collection.links_fleet import Link
from twin.fleet.estimate import aged
from twin.fleet.nation import GRID_S, Nation, over
from twin.fleet.shard import BIN_S
from twin.study.tables import write_table

F64, I64, STR = pa.float64(), pa.int64(), pa.string()

SCHEMAS: dict[str, pa.Schema] = {
    # One row a simulated town; a meter of it stands for `weight` meters.
    "towns": pa.schema(
        [("town", I64), ("stratum", STR), ("weight", F64), ("meters", I64), ("concentrators", I64), ("on_mesh", I64),
         ("without_route", I64), ("in_time_share", F64), ("tx_data", I64), ("airtime_s", F64), ("missed_frames", I64),
         ("digest", STR)]
    ),
    # Share of the billing values stored at an age or before, by link.
    "curve": pa.schema([("link", STR), ("age_s", F64), ("stored_share", F64)]),
    # What flows into the nation's head end, and how long it waits there.
    "load": pa.schema(
        [("t_s", F64), ("values_per_s", F64), ("batches_per_s", F64), ("bytes_per_s", F64), ("busy_workers", F64),
         ("wait_s", F64)]
    ),
}  # fmt: skip


def write_tables(nation: Nation, folder: Path) -> None:
    """Write all tables into a run folder."""
    for name, columns in (("towns", _towns(nation)), ("curve", _curve(nation)), ("load", _load(nation))):
        write_table(folder, name, columns, SCHEMAS)


def _towns(nation: Nation) -> dict[str, Any]:
    shards = nation.shards
    air = [s.counters["on_air_data_us"] + s.counters["on_air_ack_us"] for s in shards]
    return {
        "town": np.arange(len(shards)),
        "stratum": [nation.strata[s.stratum].name for s in shards],
        "weight": nation.sampled.weights,
        "meters": [s.meters for s in shards],
        "concentrators": [s.concentrators for s in shards],
        "on_mesh": [s.on_mesh for s in shards],
        "without_route": [s.without_route for s in shards],
        "in_time_share": [float((aged(s, nation.wait_s) <= nation.limit_s).mean()) for s in shards],
        "tx_data": [s.counters["tx_data"] for s in shards],
        "airtime_s": [us / 1e6 for us in air],
        "missed_frames": [s.counters["missed_lock"] + s.counters["missed_noise"] for s in shards],
        "digest": [s.digest for s in shards],
    }


def _curve(nation: Nation) -> dict[str, Any]:
    there = [link for link in Link if any((s.link == link).any() for s in nation.shards)]
    return {
        "link": np.repeat([WORDS[link] for link in there], GRID_S.size),
        "age_s": np.tile(GRID_S, len(there)),
        "stored_share": np.concatenate([nation.curve(over(link)) for link in there]),
    }


def _load(nation: Nation) -> dict[str, Any]:
    load = nation.load
    return {
        "t_s": (np.arange(load.work.size) + 1) * BIN_S, "values_per_s": load.values_per_s,
        "batches_per_s": load.batches_per_s, "bytes_per_s": load.bytes_per_s, "busy_workers": load.work,
        "wait_s": nation.wait_s,
    }  # fmt: skip
