"""Instructions a frame on air under callgrind: validation field, N = 10,000, one channel, W = 1 s, one thread.

Needs valgrind. Counts what happens inside Mesh::run_until and nothing else; the frames are those of the whole second.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import radio_bench as rb

ROW = rb.Row("instructions a frame, N = 10,000, W = 1 s", "instructions", 8000, 4000, smaller_is_better=True)


def load(nodes: int) -> None:
    """Run the case; called under callgrind."""
    mesh = rb.field_mesh(rb.field_plan(nodes, 1.0, 1), 1, threads=1)
    mesh.run_until(2 * 10**9)
    print(rb.on_air(mesh))


def main(given: argparse.Namespace) -> tuple[list[rb.Measured], list[dict[str, Any]]]:
    """Count at one size, or two."""
    if shutil.which("valgrind") is None:
        return [(ROW, None, "valgrind is not installed: apt-get install valgrind")], []
    cases = []
    for nodes in [1000] if given.quick else [1000, 10_000]:
        script = (f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import radio_instructions as r;"
                  f"r.load({nodes})")  # fmt: skip
        with tempfile.TemporaryDirectory() as work:
            command = ["valgrind", "--tool=callgrind", "--toggle-collect=teiden::Mesh::run_until*",
                       f"--callgrind-out-file={work}/out", sys.executable, "-c", script]  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True, check=True)
        found = re.search(r"Collected : (\d+)", done.stderr)
        if found is None:
            raise SystemExit(f"valgrind counted nothing: {done.stderr}")
        collected, frames = int(found[1]), int(done.stdout.split()[-1])
        cases.append({"nodes": nodes, "instructions": collected, "on_air_frames": frames,
                      "per_frame": round(collected / frames)})  # fmt: skip
    value = next((case["per_frame"] for case in cases if case["nodes"] == 10_000), None)
    return [(ROW, value, "; ".join(f"{c['per_frame']:,} at {c['nodes']:,} nodes" for c in cases))], cases


if __name__ == "__main__":
    rb.bench(__doc__ or "", main)
