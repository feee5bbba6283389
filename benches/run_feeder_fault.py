"""Time the second call of ./run.sh: the default scenario, 20,000 meters, everything compiled already.

``python benches/run_feeder_fault.py [--runs 3]`` writes ``benches/results/run_feeder_fault.json``. The bar is
120 s of wall time on two cores; times are this machine's, the ratio to real time says more.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "benches" / "results" / "run_feeder_fault.json"
BAR_S = 120.0


def timed_run(folder: Path) -> dict[str, Any]:
    """Run the scenario once and return its times and digest."""
    started = time.monotonic()
    subprocess.run([ROOT / "run.sh", "--out", folder / "run"], check=True, capture_output=True)
    wall_s = time.monotonic() - started
    manifest = json.loads((folder / "run" / "run.json").read_text())
    return {
        "wall_s": round(wall_s, 1),
        "simulation_s": manifest["wall_s"],
        "times_real": round(manifest["sim_s"] / manifest["wall_s"], 2),
        "digest": manifest["digest"],
    }


def main() -> None:
    """Run, print and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        runs = [timed_run(Path(folder)) for _ in range(arguments.runs)]
    wall_s = statistics.median(run["wall_s"] for run in runs)
    result = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {load_before:.1f} before",
        "commit": subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.strip(),
        "bar_s": BAR_S,
        "median_wall_s": wall_s,
        "within_bar": wall_s <= BAR_S,
        "same_digest": len({run["digest"] for run in runs}) == 1,
        "runs": runs,
    }
    print(json.dumps(result, indent=1))
    RESULT.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
