"""Times real time of the compiled front-end: four channels at 8 kS/s in blocks of 0.1 s, one core, CPU time.

    python benches/front_end_speed.py [--seconds N] [--quick] [--beside CHECKOUT]

The bar is 8 on a quiet core and 3 under load. Every function of the RTL is compiled in; the detector and the dips run.
In turn with it runs the model that clocks every register in every clock and, with --beside, the bench of another
commit (its folder). The result file notes the load it met. --quick leaves none.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from hdl.driver import FrontEnd
from hdl.sim.frontend import CompiledFrontEnd
from hdl.sim.toolchain import rtl_hash
from teiden.files import write_text

HERE = Path(__file__).resolve().parent
RESULT = HERE / "results" / "front_end_speed.json"
RATE_HZ, BLOCK_S = 8000, 0.1
BAR_QUIET, BAR_LOADED = 8.0, 3.0
ROUNDS = 5


def block() -> np.ndarray:
    """Return (800, 4) codes: nominal voltages and half-scale currents at 50 Hz, five whole cycles."""
    turns = 2 * np.pi * 50 * np.arange(round(RATE_HZ * BLOCK_S)) / RATE_HZ
    u, i = (1 << 22) * np.sin(turns), (1 << 21) * np.sin(turns - 0.5)
    return np.rint(np.column_stack([u, i, u, i])).astype(np.int32)


def times_real_time(seconds: float, every_clock: bool = False) -> float:
    """Return simulated over CPU time of one front-end."""
    board = CompiledFrontEnd(every_clock=every_clock)
    FrontEnd(board).configure(quality=True)
    samples = block()
    board.push(samples)
    started = time.process_time()
    for _ in range(round(seconds / BLOCK_S)):
        board.push(samples)
    spent = time.process_time() - started
    board.close()
    return seconds / spent


def times_beside(checkout: Path) -> float:
    """Return what the bench of another checkout prints for one second."""
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    command = [sys.executable, "benches/front_end_speed.py", "--quick"]
    said = subprocess.run(command, cwd=checkout, env=environment, check=True, capture_output=True, text=True).stdout
    return float(said.split()[0])


def commit_of(checkout: Path) -> str:
    """Return the commit of a checkout."""
    command = ["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def cpu_name() -> str:
    """Return what the kernel calls the processor."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))


def main() -> None:
    """Measure five times, print and keep the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="simulated seconds a run  [default: 5]")
    parser.add_argument("--quick", action="store_true", help="one run of one second, no result file")
    parser.add_argument("--beside", type=Path, metavar="CHECKOUT", help="another commit, run in turn")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    if given.quick:
        print(f"{times_real_time(1.0):.2f} times real time (load average {load:.2f}); "
              f"bar {BAR_QUIET:g} quiet, {BAR_LOADED:g} under load")  # fmt: skip
        return
    runs, every, beside = [], [], []
    for _ in range(ROUNDS):
        runs.append(times_real_time(given.seconds))
        every.append(times_real_time(given.seconds, every_clock=True))
        beside += [times_beside(given.beside)] if given.beside else []
    report = {
        "command": "python benches/front_end_speed.py" + " --beside CHECKOUT" * bool(given.beside),
        "commit": commit_of(HERE), "cpu": cpu_name(), "machine": platform.machine(), "cores": os.cpu_count(),
        "rtl_hash": rtl_hash(), "load_average_before": load, "load_average_after": os.getloadavg()[0],
        "times_real_time": runs, "median": statistics.median(runs),
        "every_clock": every, "every_clock_median": statistics.median(every),
        "bar_quiet": BAR_QUIET, "bar_under_load": BAR_LOADED,
    }  # fmt: skip
    if beside:
        report |= {
            "beside_commit": commit_of(given.beside),
            "beside": beside,
            "beside_median": statistics.median(beside),
        }
    for name in ("median", "every_clock_median", "beside_median"):
        if name in report:
            print(f"{name}: {report[name]:.2f} times real time")
    write_text(RESULT, json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
