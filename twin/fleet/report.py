"""One self-contained HTML page of a fleet run's folder, and what it says in words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from teiden.files import write_text
from twin.fleet.pictures import draw_pictures
from twin.fleet.tables import SCHEMAS
from twin.study import report_facts as facts
from twin.study.pictures import Picture
from twin.study.pictures_data import RunTables, open_tables
from twin.study.pictures_style import count, percent, seconds
from twin.study.report import (
    REPORT,
    block,
    document,
    figures,
    flags,
    provenance,
    section,
    service_levels,
    settings,
    sums,
    tile_row,
)
from twin.study.report_html import Html, element, joined
from twin.study.report_text import Tile, levels_tile

SAMPLE_NOTE = (
    "Towns out of reach of each other are simulated packet by packet; each stands for its stratum's meters. ± is one "
    "standard error, from how much the towns of a stratum differ; a level within 1.645 of it is inconclusive."
)
HEAD_END_NOTE = (
    "The weighted flow of all towns through one national head end: batches and values take workers' time, what is too "
    "much waits. Its waits are on top of every age on this page."
)


def headline(summary: Mapping[str, Any]) -> str:
    """Answer in one paragraph: does every value arrive in time, and how large must the office be?"""
    share, said = summary["in_time"], summary["head_end"]
    worst = summary["concentrator_in_time"]["worst_1_percent"]
    text = (f"Of the billing values of {count(summary['meters'])} meters {_share(share)} are stored within "
            f"{seconds(summary['limit_s'])} of their interval's end")  # fmt: skip
    if worst is not None:
        text += f", {percent(worst)} at the worst 1 % of the concentrators"
    return (f"{text}. Told from {count(summary['simulated_meters'])} meters in {count(summary['towns'])} towns. The "
            f"head end checks {count(said['peak_values_per_second'])} values a second at the peak, for which "
            f"{count(said['workers_enough'])} workers are enough.")  # fmt: skip


def tiles(summary: Mapping[str, Any]) -> list[Tile]:
    """Return the figures a reader looks for first."""
    note = f"within {seconds(summary['limit_s'])}, {count(summary['meters'])} meters"
    found = [_share_tile("In time", summary["in_time"], note)]
    for name, figures_of in summary["by_link"].items():
        found.append(_share_tile(f"... over {name}", figures_of["in_time"], f"{count(figures_of['values'])} values"))
    found.append(Tile("Peak at the head end", f"{count(summary['head_end']['peak_values_per_second'])}/s",
                      f"{count(summary['head_end']['workers_enough'])} workers are enough"))  # fmt: skip
    found += [Tile("Store", f"{kept['size_tb']:.3g}\u00a0TB", kept["requirement"]) for kept in summary["sizing"]]
    return found + levels_tile(summary)


def _share_tile(label: str, estimate: Mapping[str, Any] | None, note: str) -> Tile:
    if estimate is None:
        return Tile(label, "–", note)
    error = "" if estimate["error"] is None else f"±\u00a0{100 * estimate['error']:.2g} points, "
    return Tile(label, f"{100 * estimate['value']:.2f}\u00a0%", f"{error}{note}")


def render(run_dir: Path) -> Path:
    """Draw the pictures of a finished fleet run and write its report; return the page."""
    run = open_tables(run_dir, SCHEMAS)
    path = run_dir / REPORT
    write_text(path, str(page(run, draw_pictures(run))))
    return path


def page(run: RunTables, pictures: list[Picture]) -> Html:
    """Return the whole page."""
    summary = run.summary
    body = joined(
        element("header", element("p", "Teiden run", class_="kicker"), element("h1", summary["name"])),
        element("p", headline(summary), class_="answer"),
        flags(run.run),
        tile_row(tiles(summary)),
        service_levels(summary),
        sums(summary["conservation"]),
        figures(run.path, pictures),
        _strata(summary),
        _links(summary),
        block("Share in time by concentrator", summary["concentrator_in_time"], "Modems have none and do not count."),
        block("Head end", summary["head_end"], HEAD_END_NOTE),
        block("Store: how many processes", summary["store"], "One process takes office.store_values_per_s."),
        _sizing(summary),
        block("Air", summary["air"], "Weighted over all towns. Missed: locked to another frame, noise, interference."),
        _elsewhere(summary),
        settings(run.run),
        provenance(run.run),
    )
    return document(summary["name"], body)


def _strata(summary: dict[str, Any]) -> Html:
    head = ("Stratum", "Meters", "Meters per km²", "Towns", "In time", "Mesh meters without a route")
    rows = [[s["name"], count(s["meters"]), count(s["density_per_km2"]), s["towns"], _share(s["in_time"]),
             percent(s["without_route_share"])] for s in summary["by_stratum"]]  # fmt: skip
    return section("Where", head, rows, range(1, len(head)), SAMPLE_NOTE)


def _links(summary: dict[str, Any]) -> Html:
    head = ("Link", "Values", "In time", "Age p50", "p99")
    rows = [[name, count(f["values"]), _share(f["in_time"]), facts.with_unit(f["age_s"]["p50"], "s"),
             facts.with_unit(f["age_s"]["p99"], "s")] for name, f in summary["by_link"].items()]  # fmt: skip
    note = "Ages of what arrived; from the interval's end to the store."
    return section("By link", head, rows, range(1, len(head)), note)


def _sizing(summary: dict[str, Any]) -> Html:
    head = ("Kept", "Meters", "Readings a day", "Readings", "Bytes a reading", "Size [TB]")
    rows = [[kept["requirement"], *(count(kept[key]) for key in ("meters", "readings_a_day", "readings")),
             facts.number(kept["bytes_a_reading"]), facts.number(kept["size_tb"])]
            for kept in summary["sizing"]]  # fmt: skip
    note = "One copy, from the bytes a reading took in the towns."
    return section("How large the nation's store is", head, rows, range(1, len(head)), note)


def _elsewhere(summary: dict[str, Any]) -> Html:
    head = ("Figure", "This run", "Elsewhere", "Where")
    rows = [[line["text"], _rounded(line["ours"]), _rounded(line["theirs"]), line["source"]]
            for line in summary["elsewhere"]]  # fmt: skip
    note = "Whether the figures are of the right size."
    return section("Beside closed forms and measurements", head, rows, range(1, len(head)), note)


def _share(estimate: Mapping[str, Any] | None) -> str:
    if estimate is None:
        return "–"
    error = "" if estimate["error"] is None else f"\u00a0±\u00a0{100 * estimate['error']:.2g}"
    return f"{100 * estimate['value']:.2f}{error}\u00a0%"


def _rounded(value: Any) -> str:
    return count(value) if isinstance(value, float) and value >= 1000 else facts.number(value)
