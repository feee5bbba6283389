"""Times real time of the full IEC 61000-4-11 campaign on the stand-ins, beside the compiled front-end alone.

    python benches/campaign_speed.py [--quick]

Every dip three times, 10 s apart, at 0 and 180 degrees, evidence included. The bar is 2. The floor is a 50 Hz sine
pushed into the same front-end without source, link or evidence, before and after. --quick plays each dip once with
0.5 s of rest and leaves no result file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from hdl import scaling
from hdl.driver import FrontEnd
from hdl.sim.frontend import CompiledFrontEnd
from hil.campaign.run import run_campaigns
from hil.evidence.folder import commit
from hil.evidence.transcript import REGISTERS
from teiden.files import write_text

RESULT = Path(__file__).resolve().parent / "results" / "campaign_speed.json"
BAR = 2.0
FLOOR_S = 20


def campaign(quick: bool) -> tuple[float, float, int]:
    """Return simulated seconds, wall seconds and tests of the campaign."""
    with tempfile.TemporaryDirectory() as place:
        station = Path(place) / "station.toml"
        station.write_text("[campaign]\nrepeats = 1\ninterval_s = 0.5\n" if quick else "")
        start = time.perf_counter()
        records = run_campaigns(station, ["4-11"], Path(place) / "kept", False, lambda record, place: None)
        wall_s = time.perf_counter() - start
        last = (Path(place) / "kept" / REGISTERS).read_text(encoding="utf-8").splitlines()[-1]
    if any(record.verdict != "pass" for record in records):
        raise SystemExit("; ".join(f"{record.title}: {record.verdict} {record.why}" for record in records))
    return float(json.loads(last)["t_s"]), wall_s, len(records)


def floor() -> float:
    """Return how many times faster than real the front-end runs when nobody asks it anything, by processor time."""
    port = CompiledFrontEnd()
    FrontEnd(port).configure(50, 100, quality=True)
    turns = 50 / port.sample_rate_hz * np.arange(FLOOR_S * port.sample_rate_hz)
    codes, _ = scaling.codes_from_volts(141.4 * np.sin(2 * np.pi * turns))
    start = time.process_time()
    port.push(codes)
    cpu_s = time.process_time() - start
    port.close()
    return FLOOR_S / cpu_s


def cpu() -> str:
    """Return the processor's name."""
    lines = subprocess.run(["lscpu"], capture_output=True, text=True).stdout.splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("Model name")), "unknown")


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    load = os.getloadavg()[0]
    before = floor()
    spent_s = time.process_time()
    simulated_s, wall_s, tests = campaign(quick)
    cpu_s = time.process_time() - spent_s
    floors = (before, floor())
    result = {
        "machine": f"{cpu()}, {platform.machine()}, {os.cpu_count()} cores, load {load:.2f} before",
        "commit": commit(),
        "command": "python benches/campaign_speed.py",
        "bar_times_real": BAR,
        "tests": tests,
        "simulated_s": round(simulated_s, 1),
        "wall_s": round(wall_s, 1),
        "cpu_s": round(cpu_s, 1),
        "times_real": round(simulated_s / wall_s, 2),
        "times_real_by_cpu_time": round(simulated_s / cpu_s, 2),
        "front_end_alone_by_cpu_time": [round(one, 2) for one in floors],
        "share_of_front_end": round(simulated_s / cpu_s / (sum(floors) / 2), 2),
    }
    print(json.dumps(result, indent=1))
    if not quick:
        write_text(RESULT, json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
