"""The summary of a run for a terminal or a log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from twin.study import report_facts as facts
from twin.study.report_text import Tile, headline, tiles

VERDICT_STYLES = {"pass": "green", "fail": "bold red", "inconclusive": "yellow", "not applicable": "dim"}
PROVENANCE = ("version", "seed", "backend", "board", "simulator", "digest")
MOOD_STYLES = {"good": "green", "bad": "bold red"}


def summary_table(summary: Mapping[str, Any], run: Mapping[str, Any], report: Path | None = None) -> RenderableType:
    """Return what a run found: the answer, its figures, the service levels, and where the report is.

    Parameters
    ----------
    summary, run : mapping
        ``summary.json`` and ``run.json``; keys that do not apply may be absent.
    report : Path, optional
        The page written by `twin.study.report.render`; its path is the last line.

    Returns
    -------
    rich renderable
        Plain text when the console is not a terminal; made for 100 columns, narrower ones wrap.
    """
    return summary_of(headline(summary), tiles(summary), summary, run, report)


def summary_of(
    answer: str, made: Sequence[Tile], summary: Mapping[str, Any], run: Mapping[str, Any], report: Path | None = None
) -> RenderableType:
    """Return an answer, its figures, and what every kind of run has."""
    parts: list[RenderableType] = [Text(answer), Text(), _figures(made)]
    if summary.get("service_levels"):
        parts += [Text(), _levels(summary["service_levels"])]
    parts += [Text(), *_last_lines(summary, run)]
    if report is not None:
        parts.append(Text(f"report: {report}", overflow="fold"))
    return Group(*parts)


def _figures(made: Sequence[Tile]) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(min_width=24)
    grid.add_column(justify="right")
    grid.add_column(overflow="fold")
    for tile in made:
        value = Text(tile.value, style=MOOD_STYLES.get(tile.mood, "bold"))
        grid.add_row(Text(tile.label), value, Text(tile.note, style="dim"))
    return grid


def _levels(levels: list[Mapping[str, Any]]) -> Table:
    found = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    for name in ("service level", "", "limit", "this run", "verdict"):
        found.add_column(name, justify="right" if name in ("limit", "this run") else "left", overflow="fold")
    for level in levels:
        verdict, unit = str(level.get("verdict", "inconclusive")), str(level.get("unit") or "")
        found.add_row(
            Text(str(level.get("id", ""))),
            Text(str(level.get("text", ""))),
            Text(facts.limit(level)),
            Text(facts.with_unit(level.get("value"), unit)),
            Text(verdict, style=VERDICT_STYLES.get(verdict, "")),
        )
    return found


def _last_lines(summary: Mapping[str, Any], run: Mapping[str, Any]) -> list[Text]:
    """Return the sums, the latched flags and what ran where."""
    found = []
    said = summary.get("conservation") or {}
    if said.get("text"):
        mark, style = ("adds up", "green") if said.get("ok") else ("DOES NOT ADD UP", "bold red")
        found.append(Text.assemble((f"{mark}: ", style), str(said["text"])))
    if run.get("flags"):
        found.append(Text("flags: " + ", ".join(str(flag) for flag in run["flags"]), style="bold red"))
    shown = [f"{key} {run[key]}" for key in PROVENANCE if run.get(key) is not None]
    sim_s = run.get("sim_s", summary.get("sim_s"))
    if sim_s is not None and run.get("wall_s") is not None:
        shown.append(f"{facts.number(sim_s)} s simulated in {run['wall_s']:.1f} s")
    if shown:
        found.append(Text(", ".join(shown), style="dim"))
    return found
