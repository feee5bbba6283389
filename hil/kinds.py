"""The kinds of scenario: who runs each, draws its report and puts its summary in words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import RenderableType

from hil.collect import run_collection
from hil.fleet import run_fleet
from hil.progress import Watch
from hil.run import Finished, run_scenario
from teiden.errors import InputError
from twin.collection import report as collection_report
from twin.collection import report_text as collection_text
from twin.collection.settings import CollectionScenario
from twin.fleet import report as fleet_report
from twin.fleet.settings import FleetScenario
from twin.scenario import Scenario, Study
from twin.study import report as outage_report
from twin.study import terminal
from twin.study.folder import read_json

COLLECTION, FLEET = "collection", "fleet"


def run_any(
    scenario: Study, place: Path, *, backend: str, resume: bool, trace_meter: str | None, watch: Watch
) -> Finished:
    """Run a scenario of whatever kind into a folder."""
    if isinstance(scenario, CollectionScenario):
        return run_collection(scenario, place, backend=backend, resume=resume, trace_meter=trace_meter, watch=watch)
    if trace_meter is not None:
        raise InputError(f"--trace-meter {trace_meter}: expected with a collection scenario, {scenario.name} is none")
    if isinstance(scenario, FleetScenario):
        return run_fleet(scenario, place, backend=backend, resume=resume, watch=watch)
    assert isinstance(scenario, Scenario)
    return run_scenario(scenario, place, backend=backend, resume=resume, watch=watch)


def render_any(run_dir: Path) -> Path:
    """Draw the pictures and write the report of a finished run folder."""
    kind = read_json(run_dir / "run.json").get("scenario", {}).get("kind")
    renderers = {COLLECTION: collection_report.render, FLEET: fleet_report.render}
    return renderers.get(str(kind), outage_report.render)(run_dir)


def summary_of(summary: Mapping[str, Any], run: Mapping[str, Any]) -> RenderableType:
    """Return what a run found, for a terminal."""
    if summary.get("kind") == FLEET:
        return terminal.summary_of(fleet_report.headline(summary), fleet_report.tiles(summary), summary, run)
    if summary.get("kind") != COLLECTION:
        return terminal.summary_table(summary, run)
    answer, made = collection_text.headline(summary), collection_text.tiles(summary)
    return terminal.summary_of(answer, made, summary, run)
