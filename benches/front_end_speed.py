"""Times real time of the compiled front-end: four channels at 8 kS/s in blocks of 0.1 s, one core, CPU time.

    python benches/front_end_speed.py [--seconds N] [--quick]

The bar is 8 on a quiet core and 3 under load. Every function of the RTL is compiled in; the detector and the dips run.
The result file notes the load it met. --quick leaves none.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path

import numpy as np

from hdl.driver import FrontEnd
from hdl.sim.frontend import CompiledFrontEnd
from hdl.sim.toolchain import rtl_hash
from teiden.files import write_text

RESULT = Path(__file__).resolve().parent / "results" / "front_end_speed.json"
RATE_HZ, BLOCK_S = 8000, 0.1
BAR_QUIET, BAR_LOADED = 8.0, 3.0


def block() -> np.ndarray:
    """Return (800, 4) codes: nominal voltages and half-scale currents at 50 Hz, five whole cycles."""
    turns = 2 * np.pi * 50 * np.arange(round(RATE_HZ * BLOCK_S)) / RATE_HZ
    u, i = (1 << 22) * np.sin(turns), (1 << 21) * np.sin(turns - 0.5)
    return np.rint(np.column_stack([u, i, u, i])).astype(np.int32)


def times_real_time(seconds: float) -> float:
    """Return simulated over CPU time of one front-end."""
    board = CompiledFrontEnd()
    FrontEnd(board).configure(quality=True)
    samples = block()
    board.push(samples)
    started = time.process_time()
    for _ in range(round(seconds / BLOCK_S)):
        board.push(samples)
    spent = time.process_time() - started
    board.close()
    return seconds / spent


def main() -> None:
    """Measure five times, print and keep the median."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0, help="simulated seconds a run  [default: 5]")
    parser.add_argument("--quick", action="store_true", help="one run of one second, no result file")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    runs = [times_real_time(1.0)] if given.quick else sorted(times_real_time(given.seconds) for _ in range(5))
    median = runs[len(runs) // 2]
    print(f"{median:.2f} times real time (median of {len(runs)}; load average {load:.2f}); "
          f"bar {BAR_QUIET:g} quiet, {BAR_LOADED:g} under load")  # fmt: skip
    if not given.quick:
        report = {
            "command": "python benches/front_end_speed.py", "machine": platform.machine(), "cores": os.cpu_count(),
            "rtl_hash": rtl_hash(), "load_average_before": load, "times_real_time": runs, "median": median,
            "bar_quiet": BAR_QUIET, "bar_under_load": BAR_LOADED,
        }  # fmt: skip
        write_text(RESULT, json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
