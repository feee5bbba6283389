"""Values a second and core of loads, meter memory and payloads, beside what numpy needs for the look-up alone.

    python benches/loads_speed.py [--meters N] [--quick]

CPU time, one process, the best of three. The floor is one gather of rows and one multiplication of the same block: no
value that comes from a table by meter and day can be had for less. A day of 5-minute values, grid and roofs included.
Then a million meters: what building takes, one half hour read from each of them, and bytes a meter by tracemalloc.
--quick leaves no result file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")  # per core

import numpy as np

from teiden.files import write_text
from twin.field.grid import load_grid
from twin.field.population import populate
from twin.metering.feeder import build_feeder
from twin.metering.loads import Loads
from twin.metering.memory import MeterMemory
from twin.metering.payload import Receiver, encode
from twin.metering.profile import find_profile
from twin.metering.readings import Readings
from twin.metering.security import meter_keys, seal
from twin.metering.shapes import generate_shapes
from twin.store.schema import DAY_NS, INTERVAL_NS, Series

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "benches" / "results" / "loads_speed.json"
MESSAGES = 300


def least_cpu_s(work: Callable[[], Any], runs: int = 3) -> float:
    """Return the least CPU time of some runs."""
    spent = []
    for _ in range(runs):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return min(spent)


def town(meters: int) -> MeterMemory:
    """Return the memory of a town on the default grid, a tenth of its meters with a roof."""
    grid = load_grid()
    stations = populate(grid, meters, 1).meter_substation
    loads = Loads(
        generate_shapes(1), stations, 1, feeder=build_feeder(grid), substation_p_mw=grid.substation_p_mw, pv_share=0.1
    )
    return MeterMemory(loads, find_profile("final-2022"))


def floor(meters: int, intervals: int) -> Callable[[], Any]:
    """Return a gather of rows times a column, the least a block of values costs."""
    rng = np.random.default_rng(1)
    table, row = rng.random((912, intervals)), rng.integers(0, 912, meters)
    scale = rng.random((meters, 1))
    return lambda: scale * table[row]


def block_rates(memory: MeterMemory, meters: int) -> dict[str, float]:
    """Return million values a second of each kind."""
    loads, ids = memory.loads, np.arange(meters)
    step = INTERVAL_NS[Series.FIVE_MINUTE]
    ends = np.arange(1, DAY_NS // step + 1) * step
    half_hours = ends[5::6]
    loads.voltage(ids[:10], ends, step)  # the day's feeder and midnights are solved once for all meters
    loads.registers_wmin(ids[:10], np.append(half_hours, ends[-1]))
    day = (0, DAY_NS, DAY_NS)
    return {
        "floor": ids.size * ends.size / least_cpu_s(floor(meters, ends.size)) / 1e6,
        "p_and_q": 2 * ids.size * ends.size / least_cpu_s(lambda: loads.power(ids, ends, step)) / 1e6,
        "voltage_of_two_legs": 2 * ids.size * ends.size / least_cpu_s(lambda: loads.voltage(ids, ends, step)) / 1e6,
        "registers": 2 * ids.size * half_hours.size
        / least_cpu_s(lambda: loads.registers_wmin(ids, half_hours)) / 1e6,
        "readings_half_hour": ids.size * half_hours.size
        / least_cpu_s(lambda: memory.readings(ids, Series.HALF_HOUR, *day)) / 1e6,
        "readings_five_minute": ids.size * ends.size
        / least_cpu_s(lambda: memory.readings(ids, Series.FIVE_MINUTE, *day)) / 1e6,
    }  # fmt: skip


def message_us(memory: MeterMemory) -> dict[str, float]:
    """Return the microseconds of a sealed half hour at the meter and at the head end."""
    keys = meter_keys(1, 5)
    reading: Readings = memory.readings([5], Series.HALF_HOUR, 0, INTERVAL_NS[Series.HALF_HOUR], DAY_NS)
    sealed: list[bytes] = []

    def send() -> None:
        sealed[:] = [seal(encode(reading, number), 5, number, keys) for number in range(MESSAGES)]

    def receive() -> None:
        head_end = Receiver(lambda _: keys, 6)
        for data in sealed:
            head_end.open(data)

    return {
        "encode_and_seal": least_cpu_s(send) / MESSAGES * 1e6,
        "open_and_decode": least_cpu_s(receive) / MESSAGES * 1e6,
    }


def all_of_them(meters: int) -> dict[str, float]:
    """Return CPU seconds of building a town and of one half hour of it, and bytes a meter at the worst and held."""
    ids, half = np.arange(meters), INTERVAL_NS[Series.HALF_HOUR]

    def read(memory: MeterMemory, first: int, last: int) -> None:
        memory.readings(ids[first:last], Series.HALF_HOUR, DAY_NS, DAY_NS + half, DAY_NS + half)

    def read_all(memory: MeterMemory) -> None:
        for first in range(0, meters, 100_000):
            read(memory, first, first + 100_000)

    start = time.process_time()
    memory = town(meters)
    built = time.process_time()
    read(memory, 0, 1)
    caught_up = time.process_time()
    read_all(memory)
    done = time.process_time()
    del memory
    tracemalloc.start()  # numpy's arrays are in it; it is on only here, because it costs time
    memory = town(meters)
    read_all(memory)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return {
        "meters": meters,
        "build_cpu_s": round(built - start, 2),
        "registers_of_46_days_cpu_s": round(caught_up - built, 2),
        "one_half_hour_cpu_s": round(done - caught_up, 2),
        "peak_bytes_per_meter": round(peak / meters, 1),
        "held_bytes_per_meter": round(held / meters, 1),
    }


def cpu_name() -> str:
    """Return the processor's name as Linux gives it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--meters", type=int, default=20_000)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    load_before = os.getloadavg()[0]
    memory = town(given.meters)
    rates = block_rates(memory, given.meters)
    result = {
        "command": " ".join(["python benches/loads_speed.py", *sys.argv[1:]]),
        "commit": subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.strip(),
        "cpu": f"{cpu_name()}, {os.cpu_count()} cores, load {load_before:.1f} before",
        "meters": given.meters,
        "million_values_per_cpu_second": {name: round(rate, 2) for name, rate in rates.items()},
        "share_of_floor": {name: round(rate / rates["floor"], 3) for name, rate in rates.items() if name != "floor"},
        "message_us": {name: round(spent, 1) for name, spent in message_us(memory).items()},
        "bytes_per_meter": memory.bytes_per_meter,
        "all_of_them": all_of_them(100_000 if given.quick else 1_000_000),
    }
    print(json.dumps(result, indent=1))
    if not given.quick:
        write_text(RESULT, json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
