"""How many readings a second the store takes, each on disk when it is acknowledged.

``python benches/store_ingest.py`` writes ``benches/results/store_ingest.json``: rate against batch size on one and two
processes (a store each, shards of the meters), a sustained run with compactions and merges, the same batches merely
written and forced to disk (floor) and put into a DuckDB table with that primary key (peer), bytes a reading, and the
country. Files go to the system's temporary folder (TMPDIR). Readings are made before the clock starts; the clock stops
when the store is closed and all of it is Parquet. On a shared machine the rate a CPU second says more than the other.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from twin.store import log
from twin.store.receipt import Receipt
from twin.store.retention import bytes_a_reading, sizing
from twin.store.schema import INTERVAL_NS, MINUTE_NS, SCHEMA, SECOND_NS, Series
from twin.store.store import LOG_ROWS, Store

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "benches" / "results" / "store_ingest.json"
MEAN_RATE = 33_900  # DOMAIN 2.8: half hours of 61.05 M meters over a day
BAR_RATE = 34_000
BURST_RATE = 1_000_000  # DOMAIN 2.8: all half hours within one minute
RESENT = 0.02  # share of readings that arrive twice; assumed
CONCENTRATOR = 500  # meters, DOMAIN 2.8: one batch of a concentrator

Batch = tuple[pa.Table, str]


def readings(meters: np.ndarray, number: int, series: Series, draw: np.random.Generator, tick_ns: int = 1) -> pa.Table:
    """Return one interval of meters: energy of gamma shape, arrival within half an hour, stored some seconds later."""
    end = np.full(meters.size, (number + 1) * INTERVAL_NS[series])
    received = end + draw.integers(0, 30 * MINUTE_NS // tick_ns, meters.size) * tick_ns
    mean_wh = 200 * INTERVAL_NS[series] / INTERVAL_NS[Series.HALF_HOUR]
    columns: dict[str, Any] = {
        "meter": meters,
        "series": np.full(meters.size, series),
        "interval_end_ns": end,
        "mark": np.zeros(meters.size),
        "received_ns": received,
        "stored_ns": received + draw.integers(SECOND_NS // tick_ns, 10 * SECOND_NS // tick_ns, meters.size) * tick_ns,
    }
    if series == Series.FIVE_MINUTE:
        power = draw.gamma(1.5, 300, meters.size).astype(int)
        columns |= {"p_w": power, "q_var": power // 5, "u_dv": draw.normal(1010, 15, meters.size).astype(int)}
    else:  # a cumulative register: the meter's own level and some energy of this interval
        energy = draw.gamma(1.5, mean_wh / 1.5, meters.size)
        columns |= {"import_wh": meters.astype(int) % 9973 * 1000 + (number * mean_wh + energy).astype(int)}
        columns |= {"export_wh": np.zeros(meters.size)}
    arrays = [pa.array(columns[f.name]).cast(f.type) if f.name in columns else pa.nulls(meters.size, f.type)
              for f in SCHEMA]  # fmt: skip
    return pa.table(arrays, schema=SCHEMA)


def batches(first: int, meters: int, intervals: int, rows: int, seed: int) -> list[Batch]:
    """Return batches of consecutive meters, some of whose readings are those of the batch before."""
    draw = np.random.default_rng(seed)
    found: list[Batch] = []
    for number in range(intervals):
        whole = readings(np.arange(first, first + meters, dtype=np.uint32), number, Series.HALF_HOUR, draw)
        for start in range(0, meters, rows):
            some = whole.slice(start, rows)
            again = round(RESENT * some.num_rows)
            if again and found:
                some = pa.concat_tables([some.slice(again), found[-1][0].slice(0, again)])
            found.append((some.combine_chunks(), f"{first}/{number}/{start}"))
    return found


# ------------------------------------------------------------------------------------------- what takes readings


def into_store(folder: Path, given: list[Batch], log_rows: int = LOG_ROWS) -> Iterator[int]:
    """Ingest, yielding after each acknowledgement the readings so far; at the end everything is Parquet."""
    total = Receipt()
    with Store.open(folder / "store", log_rows=log_rows) as store:
        for table, name in given:
            total += store.ingest(table, name)
            yield total.arrived


def onto_disk(folder: Path, given: list[Batch]) -> Iterator[int]:
    """Write and force each batch, and nothing else: no keys, no compaction. The floor of anything durable."""
    file, total = log.Log(folder), 0
    for number, (table, name) in enumerate(given, start=1):
        file.append(log.Entry(number, name, "", {}, table, table.slice(0, 0)))
        total += table.num_rows
        yield total
    file.close()


def into_duckdb(folder: Path, given: list[Batch]) -> Iterator[int]:
    """Insert into a DuckDB table with the same key, a transaction a batch. The peer."""
    with duckdb.connect(str(folder / "peer.duckdb")) as connection:
        connection.execute("set threads = 1")
        connection.register("empty", SCHEMA.empty_table())
        connection.execute("create table readings as from empty")
        connection.execute("alter table readings add primary key (meter, series, interval_end_ns)")
        total = 0
        for table, _ in given:
            connection.register("batch", table)
            connection.execute("insert or ignore into readings from batch")
            total += table.num_rows
            yield total


TAKERS: dict[str, Callable[[Path, list[Batch]], Iterator[int]]] = {
    "store": into_store,
    "store, small log": partial(into_store, log_rows=LOG_ROWS // 4),
    "write and force only": onto_disk,
    "DuckDB with primary key": into_duckdb,
}


# ------------------------------------------------------------------------------------------------------ measuring


def work(taker: str, folder: str, plan: tuple[int, ...], begin: Any, told: Any) -> None:
    """Be one process: make the readings, wait for the others, take them, tell how it went."""
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    given = batches(*plan)
    begin.wait()
    start, cpu_s, taken, pause = time.monotonic(), time.process_time(), 0, 0.0
    last = start
    for rows in TAKERS[taker](Path(folder), given):
        now = time.monotonic()
        last, pause, taken = now, max(pause, now - last), rows
    told.put((start, time.monotonic(), taken, time.process_time() - cpu_s, pause))


def measure(taker: str, processes: int, meters: int, intervals: int, rows: int) -> dict[str, Any]:
    """Return readings a second of some processes with a share of the meters each."""
    context = multiprocessing.get_context("spawn")
    begin, told = context.Barrier(processes), context.Queue()
    with tempfile.TemporaryDirectory() as folder:
        started = []
        for shard in range(processes):
            place = Path(folder) / str(shard)
            place.mkdir()
            plan = (shard * meters, meters, intervals, rows, shard)
            started.append(context.Process(target=work, args=(taker, str(place), plan, begin, told)))
            started[-1].start()
        results = [told.get() for _ in started]
        for process in started:
            process.join()
        size = sum(path.stat().st_size for path in Path(folder).rglob("*.parquet"))
    wall_s = max(end for _, end, *_ in results) - min(start for start, *_ in results)
    taken = sum(count for _, _, count, *_ in results)
    cpu_s = sum(cpu for *_, cpu, _ in results)
    case = {"taker": taker, "processes": processes, "batch_rows": rows, "readings": taken, "wall_s": round(wall_s, 3),
            "readings_per_s": round(taken / wall_s), "readings_per_cpu_s": round(taken / cpu_s),
            "longest_pause_s": round(max(pause for *_, pause in results), 3), "parquet_bytes": size}  # fmt: skip
    print(json.dumps(case), flush=True)
    return case


def sizes(meters: int, tick_ns: int) -> list[dict[str, Any]]:
    """Return what the country's store takes, by bytes a reading of a day of some meters as merged Parquet.

    Of a reading most bytes are when it was received and stored: ``tick_ns`` is how finely that is said.
    """
    draw, ids = np.random.default_rng(1), np.arange(meters, dtype=np.uint32)
    with tempfile.TemporaryDirectory() as folder, Store.open(Path(folder) / "store") as store:
        for series, intervals in ((Series.HALF_HOUR, 48), (Series.QUARTER_HOUR, 96), (Series.FIVE_MINUTE, 288)):
            for number in range(intervals):
                store.ingest(readings(ids, number, series, draw, tick_ns), f"{series} {number}")
        store.compact(merge=True)
        return sizing(bytes_a_reading(store)).to_pylist()


def extrapolated(cases: list[dict[str, Any]], force_s: float) -> list[dict[str, Any]]:
    """Return for each batch size what a burst of 1 M readings/s needs: cores, and shards of the meters.

    Cores follow from the measured readings a CPU second of two processes. A shard forces one batch after the other to
    disk, so that there must be as many as batches a second times the time of one. Both suppose that cores and disks
    beyond those measured do as well.
    """
    return [
        {
            "batch_rows": case["batch_rows"],
            "measured_per_s": case["readings_per_s"],
            "cores_for_the_burst": math.ceil(BURST_RATE / case["readings_per_cpu_s"]),
            "shards_for_the_disk": math.ceil(BURST_RATE / case["batch_rows"] * force_s),
        }
        for case in cases
        if case["processes"] == 2
    ]


def head() -> dict[str, Any]:
    """Return where and with what the bench ran."""
    model = [line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
             if line.startswith("model name")]  # fmt: skip
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return {"command": " ".join(["python", "benches/store_ingest.py", *sys.argv[1:]]), "commit": commit.stdout.strip(),
            "machine": f"{model[0] if model else platform.machine()}, {os.cpu_count()} cores",
            "python": platform.python_version(), "pyarrow": pa.__version__, "duckdb": duckdb.__version__,
            "force_ms": round(force_ms(), 2), "load_average_before": round(os.getloadavg()[0], 2)}  # fmt: skip


def force_ms() -> float:
    """Return the median time to force 4 KiB to disk [ms]."""
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "file").open("wb") as file:
        times = []
        for _ in range(50):
            file.write(bytes(4096))
            file.flush()
            start = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a hundredth of the readings, no result file")
    given = parser.parse_args()
    part = 100 if given.quick else 1
    top = head()
    curve = [measure("store", processes, max(rows, meters // part), intervals, rows)
             for rows, meters, intervals in ((100, 20_000, 4), (CONCENTRATOR, 100_000, 4), (5_000, 200_000, 8),
                                             (50_000, 200_000, 20), (500_000, 500_000, 10))
             for processes in (1, 2)]  # fmt: skip
    sustained = measure("store, small log", 2, 60_000 // part, 48, CONCENTRATOR)  # so that parts are merged
    beside = [measure(taker, 1, max(rows, meters // part), intervals, rows)
              for rows, meters, intervals in ((CONCENTRATOR, 100_000, 4), (50_000, 200_000, 20))
              for taker in TAKERS if "small" not in taker]  # fmt: skip
    country = {name: sizes(10_000 // part, tick_ns) for name, tick_ns in (("nanoseconds", 1), ("seconds", SECOND_NS))}
    report = top | {
        "load_average_after": round(os.getloadavg()[0], 2),
        "bar_per_s": BAR_RATE, "sustained": sustained,
        "sustained_over_bar": round(sustained["readings_per_s"] / BAR_RATE, 2),
        "curve": curve, "burst": extrapolated(curve, top["force_ms"] / 1000), "beside": beside, "country": country,
    }  # fmt: skip
    print(json.dumps({name: report[name] for name in ("sustained_over_bar", "burst", "country")}, indent=1))
    if not given.quick:
        RESULT.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
