"""Radio cases: a folder of files is run and its results are written whole."""

from __future__ import annotations

import json
import os
import platform
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from gpu.case_files import Case, read_case
from gpu.mesh import OUTCOMES, Mesh
from gpu.native import engine_key
from teiden.errors import InputError
from teiden.files import write_text

_WINDOW_WALL_S = 0.25  # between two progress calls; results do not depend on it
_FIRST_WINDOW_NS = 10_000_000


def run_case(
    case: Path | Case,
    out: Path | None = None,
    seed: int | None = None,
    backend: str = "cpu",
    threads: int = 1,
    progress: Callable[[float], None] | None = None,
) -> dict[str, Any]:
    """Run a radio case and return its summary.

    Parameters
    ----------
    case : Path or Case
        Folder with case.toml, nodes.csv, frames.csv and, optionally, links.csv and routes.csv; or one already read.
    out : Path, optional
        Folder for frames.parquet, run.json and summary.json; appears whole or not at all. An earlier result
        there is replaced, any other folder is not.
    seed : int, optional
        Instead of the case's own.
    backend : str
        "cpu".
    threads : int
        How many share the work, at most as many as the machine has cores; the result does not depend on it.
    progress : callable, optional
        Called with the share of simulated time done, 0 (the mesh is built) to 1.
    """
    if threads < 1:
        raise InputError(f"threads = {threads}, expected 1 or more")
    case = case if isinstance(case, Case) else read_case(Path(case))
    if out is not None:
        _check_place(Path(out))
    used_seed = case.seed if seed is None else int(seed)
    threads = min(threads, os.cpu_count() or 1)  # more would only wait for each other
    mesh = Mesh.build(case.xy_m, case.sinks, case.radio, used_seed, links=case.links, parents=case.parents,
                      route=case.routed, formed=case.formed, backend=backend, threads=threads)  # fmt: skip
    wall, cpu = time.perf_counter(), _cpu_s()
    _simulate(mesh, case, progress)
    wall, cpu = time.perf_counter() - wall, _cpu_s() - cpu
    frames = mesh.frames()
    summary = _summary(case, mesh, frames) | {"wall_s": round(wall, 3), "cpu_s": round(cpu, 3)}
    summary = {key: summary[key] for key in _SUMMARY_KEYS}
    if out is not None:
        _write(Path(out), case, mesh, frames, summary, used_seed, backend, threads)
    return summary


_SUMMARY_KEYS = (
    "frames", "delivery", "tx_per_frame", "latency_mean_s", "latency_p95_s", "caf_share", "no_ack_share",
    "on_air_frames", "sim_s", "wall_s", "cpu_s", "events", "digest",
)  # fmt: skip


def _simulate(mesh: Mesh, case: Case, progress: Callable[[float], None] | None) -> None:
    mesh.inject(case.t_ns, case.src, case.dst, case.psdu_bytes)
    end_ns, step_ns = round(case.duration_s * 1e9), _FIRST_WINDOW_NS
    tell = progress or (lambda share: None)
    tell(0.0)
    now_ns = 0
    while now_ns < end_ns:
        started = time.perf_counter()
        now_ns = min(now_ns + step_ns, end_ns)
        mesh.run_until(now_ns)
        tell(now_ns / end_ns)
        faster = _WINDOW_WALL_S / max(time.perf_counter() - started, 1e-6)
        step_ns = max(1_000_000, int(step_ns * min(max(faster, 0.25), 4.0)))


def _summary(case: Case, mesh: Mesh, frames: NDArray) -> dict[str, Any]:
    """Return the result's figures; shares are over all frames handed to a MAC, latency over those that arrived."""
    counts = mesh.counters()
    handed = max(counts["injected"], 1)
    arrived = frames[frames["first_rx_ns"] >= 0]
    latency_s = (arrived["first_rx_ns"] - arrived["t_ns"]) / 1e9
    return {
        "frames": counts["injected"],
        "delivery": counts["delivered"] / handed,
        "tx_per_frame": counts["tx_data"] / handed,
        "latency_mean_s": float(latency_s.mean()) if latency_s.size else None,
        "latency_p95_s": float(np.percentile(latency_s, 95)) if latency_s.size else None,
        "caf_share": counts["access_verdicts"] / handed,
        "no_ack_share": counts["no_ack_verdicts"] / handed,
        "on_air_frames": counts["tx_data"] + counts["tx_ack"],
        "sim_s": case.duration_s,
        "events": counts["events"],
        "digest": mesh.digest(),
    }


def _write(
    out: Path, case: Case, mesh: Mesh, frames: NDArray, summary: dict[str, Any], seed: int, backend: str, threads: int
) -> None:
    """Write the result folder beside its place and rename it."""
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        pq.write_table(_frame_table(case, frames), beside / "frames.parquet")
        run = {
            "teiden": _version(), "engine": engine_key(), "backend": backend, "form": mesh.form,
            "device": platform.machine(),
            "threads": threads, "seed": seed, "digest": summary["digest"], "sim_s": case.duration_s,
            "wall_s": summary["wall_s"], "cpu_s": summary["cpu_s"], "nodes": mesh.size,
            "sinks": case.node_ids[case.sinks].tolist(), "radio": asdict(case.radio), "counters": mesh.counters(),
        }  # fmt: skip
        write_text(beside / "run.json", json.dumps(run, indent=2) + "\n")
        write_text(beside / "summary.json", json.dumps(summary, indent=2) + "\n")
        os.chmod(beside, 0o755)
        if out.exists():
            shutil.rmtree(out)
        beside.rename(out)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _frame_table(case: Case, frames: NDArray) -> pa.Table:
    arrived = frames["first_rx_ns"] >= 0
    first_rx = np.where(arrived, frames["first_rx_ns"] / 1e9, np.nan)
    latency = np.where(arrived, (frames["first_rx_ns"] - frames["t_ns"]) / 1e9, np.nan)
    codes = pa.DictionaryArray.from_arrays(pa.array(frames["outcome"]), pa.array(OUTCOMES))
    dst = np.where(frames["dst"] < 0, frames["dst"], case.node_ids[frames["dst"]])
    return pa.table(
        {
            "frame": frames["frame"],
            "src": case.node_ids[frames["src"]],
            "dst": dst,
            "outcome": codes.cast(pa.string()),
            "attempts": frames["attempts"],
            "first_rx_s": pa.array(first_rx, mask=~arrived),
            "latency_s": pa.array(latency, mask=~arrived),
            "hops": pa.array(frames["hops"], mask=~arrived),
        }
    )


def _check_place(out: Path) -> None:
    """Refuse to replace anything that is not an earlier result or an empty folder, and a place nobody can write to."""
    above = next(folder for folder in out.absolute().parents if folder.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise InputError(f"{out}: {above} is no folder that can be written to, expected one")
    if not out.exists():
        return
    if not out.is_dir() or (any(out.iterdir()) and not (out / "summary.json").is_file()):
        raise InputError(f"{out}: exists and is not a radio result, expected a new folder or an earlier result")


def _version() -> str:
    try:
        return version("teiden")
    except PackageNotFoundError:
        return "not installed"


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
