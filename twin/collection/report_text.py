"""What a collection report says in words: the answer and the tiles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twin.study.pictures_style import count, percent, seconds
from twin.study.report_text import Tile, levels_tile


def headline(summary: Mapping[str, Any]) -> str:
    """Answer in one paragraph: does every value arrive in time?"""
    name, billing = next(iter(summary["classes"].items()))
    share, worst = billing["within_limit_share"], summary["worst"]["on_time_share"]
    if share is None:
        return f"No {words(name)} value came due: the run is shorter than an interval and its limit."
    text = (
        f"Of the {words(name)} values of {count(summary['meters'])} meters {percent(share)} were stored within "
        f"{seconds(billing['limit_s'])} of their interval's end, at the worst 1 % of the concentrators {percent(worst)}"
    )
    if billing["age_s"]["p50"] is not None:
        text += f"; half of what arrived was there after {seconds(billing['age_s']['p50'])}"
    if billing["age_s"]["p99"] is not None:
        text += f", 99 % after {seconds(billing['age_s']['p99'])}"
    missing = billing["values"] - billing["stored_values"]
    return f"{_island(summary)}{text}. At the end {count(missing)} of {count(billing['values'])} were missing."


def _island(summary: Mapping[str, Any]) -> str:
    """Say how long the island lasted and how long it would have with other limits; nothing if there was none."""
    found = summary.get("island")
    if found is None:
        return ""
    mine, *others = [
        (case["case"], ("" if case["went_dark"] else "more than ") + seconds(3600 * case["lasted_h"]))
        for case in found["cases"]
    ]
    beside = ", ".join(f"{lasted} with {case}" for case, lasted in others)
    return (
        f"The island of {count(found['meters'])} meters lasted {mine[1]} ({beside}); "
        f"{count(found['commanded_before_dark'])} meters had the command by then. "
    )


def tiles(summary: Mapping[str, Any]) -> list[Tile]:
    """Return the figures a reader looks for first."""
    found = []
    for name, figures in summary["classes"].items():
        if figures["within_limit_share"] is not None:
            note = f"within {seconds(figures['limit_s'])}, {count(figures['meters'])} meters"
            label = f"{words(name)[:1].upper()}{words(name)[1:]} in time"
            found.append(Tile(label, percent(figures["within_limit_share"]), note))
    if summary["worst"]["on_time_share"] is not None:
        note = f"of {count(summary['concentrators'])}, in time"
        found.append(Tile("Worst 1 % of concentrators", percent(summary["worst"]["on_time_share"]), note))
    requested = summary["errands"].get("missing")
    if requested:
        note = f"{count(requested['answered'])} answered"
        found.append(Tile("Values asked for again", count(requested["sent"]), note))
    air = summary["air"]
    found.append(
        Tile("Busiest radio", f"{air['busiest_node_s_per_h']:.3g}\u00a0s/h", f"{air['busiest_node']}, of 360 s")
    )
    return found + levels_tile(summary)


def words(name: str) -> str:
    """Return a class's name as words."""
    return name.replace("_", "-" if name.startswith(("half", "quarter", "real", "five")) else " ")
