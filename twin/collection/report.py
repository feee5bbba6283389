"""One self-contained HTML page and the pictures of a collection run's folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from teiden.files import write_text
from twin.collection.pictures import draw_pictures
from twin.collection.report_services import attainable, commands, freshness, island, municipalities, retailers
from twin.collection.report_text import headline, tiles, words
from twin.collection.tables import SCHEMAS
from twin.study import report_facts as facts
from twin.study.pictures import Picture
from twin.study.pictures_data import RunTables, open_tables
from twin.study.pictures_style import count, percent
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
from twin.study.report_html import Html, element, joined, table

OPTIONAL = ("trace", "returns", "island", "firmware")
TRACED_ROWS = 60
HEAD_END_NOTE = "What the office had to do; the nation is this run's mean, scaled by meters."
RESTORATION_NOTE = (
    "Meters that lost their supply. First value: measured after the return of supply, and stored. Gaps: values "
    "measured before the loss that the head end had not got yet."
)
MANAGEMENT_NOTE = (
    "What the store's own functions make of the billing values: in time for retailers, found by validation "
    "(everybody's contract assumed the same), estimated and marked so. Breach: time of the intervals of which less "
    "than the share that is due was there in time."
)
LINKS_NOTE = (
    "Power line: share of the time in which a cell's line was taken. Cellular: share of the sessions a cell can hold. "
    "Handy terminal: who owes old values over any link is visited, oldest first."
)
FIRMWARE_NOTE = (
    "Broadcast, passed on by relays, repaired meter by meter, activated. Concentrators work side by side, so a fleet "
    "takes as long as its slowest one; in waves, that many times. Meanwhile: billing values offered while the image "
    "was on air."
)
AIR_NOTE = "Over all nodes and the whole run; 360 s an hour is the legal limit of a station."


def render(run_dir: Path) -> Path:
    """Draw the pictures of a finished collection run and write its report; return the page."""
    run = open_tables(run_dir, SCHEMAS, OPTIONAL)
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
        _classes(summary),
        freshness(summary),
        attainable(summary),
        _stages(summary),
        _by_link(summary),
        block("Links beside the mesh", summary["links"], LINKS_NOTE),
        municipalities(summary),
        _worst(summary),
        block("Restoration", summary["restoration"], RESTORATION_NOTE),
        _errands(summary),
        commands(summary),
        island(summary),
        block("New image", summary["firmware"], FIRMWARE_NOTE),
        _trace(run),
        block("Head end", summary["head_end"], HEAD_END_NOTE),
        block("Data management", summary["management"], MANAGEMENT_NOTE),
        retailers(summary),
        _sizing(summary),
        block("Store", summary["store"], "What is on disk in the folder store/: Parquet and store.sql."),
        block("Air", summary["air"], AIR_NOTE),
        _elsewhere(summary),
        settings(run.run),
        provenance(run.run),
    )
    return document(summary["name"], body)


def _classes(summary: dict[str, Any]) -> Html:
    head = ("Class", "Meters", "Values", "Stored", "Due within", "In time", "First pass", "Age p50", "p99", "p99.9")
    rows = []
    for name, found in summary["classes"].items():
        ages = [facts.with_unit(found["age_s"][key], "s") for key in ("p50", "p99", "p99.9")]
        shares = [_share(found[key]) for key in ("within_limit_share", "first_pass_share")]
        rows.append([words(name), count(found["meters"]), count(found["values"]), count(found["stored_values"]),
                     facts.with_unit(found["limit_s"], "s"), *shares, *ages])  # fmt: skip
    note = "First pass: stored without having been asked for again. Age: from the end of the interval to the store."
    return element(
        "section", element("h2", "Classes"), table(head, rows, range(1, 10)), element("p", note, class_="note")
    )


def _stages(summary: dict[str, Any]) -> Html:
    stages = list(next(iter(summary["classes"].values()))["by_stage_s"])
    head = ["Class", *(f"{stage.replace('_', ' ')}: p50 / p99 [s]" for stage in stages)]
    rows = [
        [
            words(name),
            *(f"{facts.number(part['p50'])} / {facts.number(part['p99'])}" for part in found["by_stage_s"].values()),
        ]
        for name, found in summary["classes"].items()
    ]
    note = "Of what was stored. In the meter: the random moment at which it reports."
    return section("Where the time goes", head, rows, range(1, len(head)), note)


def _by_link(summary: dict[str, Any]) -> Html:
    if not summary["by_link"]:
        return Html("")
    head = ("Link", "Meters", "Values", "In time", "First pass", "At the end", "Of these by handy terminal",
            "On the link p50", "p99", "Age p50", "p99")  # fmt: skip
    rows = [
        [name, count(found["meters"]), count(found["values"]),
         *(_share(found[key]) for key in ("within_limit_share", "first_pass_share", "stored_share")),
         count(found["by_handy_terminal"]),
         *(facts.with_unit(found[key][rank], "s") for key in ("link_s", "age_s") for rank in ("p50", "p99"))]
        for name, found in summary["by_link"].items()
    ]  # fmt: skip
    note = "Billing values. On the link: from the meter's first offer to where the message comes out."
    return section("By link", head, rows, range(1, len(head)), note)


def _worst(summary: dict[str, Any]) -> Html:
    worst = summary["worst"]
    if not worst["concentrators"]:
        return Html("")
    head = ("Concentrator", "Meters", "In time", "First pass", "Meters without a route")
    rows = [
        [c["concentrator"], count(c["meters"]), percent(c["on_time_share"]), percent(c["first_pass_share"]),
         count(c["without_route"])]
        for c in worst["concentrators"]
    ]  # fmt: skip
    note = (f"The worst 1 % are the first {worst['count']}; the median concentrator has {percent(worst['p50_share'])} "
            "in time. A meter without a route counts for the nearest concentrator of its substation.")  # fmt: skip
    return section("The worst concentrators", head, rows, range(5), note)


def _sizing(summary: dict[str, Any]) -> Html:
    head = ("Kept", "Meters", "Readings a day", "Readings", "Bytes a reading", "Size [TB]")
    keys = ("meters", "readings_a_day", "readings")
    rows = [
        [kept["requirement"], *(count(kept[key]) for key in keys), facts.number(kept["bytes_a_reading"]),
         facts.number(kept["size_tb"])]
        for kept in summary["sizing"]
    ]  # fmt: skip
    note = "The nation's store, one copy, from the bytes a reading took in this run's Parquet files."
    return section("How large the nation's store would be", head, rows, range(1, 6), note) if rows else Html("")


def _elsewhere(summary: dict[str, Any]) -> Html:
    head = ("Figure", "This run", "Elsewhere", "Where")
    rows = [
        [line["text"].replace("_", " "), _rounded(line["ours"]), _rounded(line["theirs"]), line["source"]]
        for line in summary["elsewhere"]
    ]
    note = "Not a verdict: whether the figures are of the right size."
    return section("Beside closed forms and measurements", head, rows, (1, 2), note)


def _errands(summary: dict[str, Any]) -> Html:
    found = summary["errands"]
    if not found:
        return Html("")
    head = ("Kind", "Sent", "Reached", "Answered", "Received twice", "Latency p50", "p90", "p99", "p99.9")
    rows = [
        [kind, count(e["sent"]), count(e["reached"]), count(e["answered"]), count(e["received_twice"]),
         *(facts.with_unit(e["latency_s"][key], "s") for key in ("p50", "p90", "p99", "p99.9"))]
        for kind, e in found.items()
    ]  # fmt: skip
    note = ("Missing: values asked for again. Latency: from the request at the head end to the answer there, waiting "
            "for the pace included, over what was answered; a level can be set from it (R53).")  # fmt: skip
    return section("Requests and commands", head, rows, range(1, 9), note)


def _trace(run: RunTables) -> Html:
    if not run.rows("trace"):
        return Html("")
    found = run.query(f"SELECT * FROM trace ORDER BY offered_s LIMIT {TRACED_ROWS}")
    stages = ("offered_s", "concentrator_s", "head_end_s", "stored_s")
    rows = [
        [words(found["class"][k]), f"{found['interval_end_s'][k]:.0f}",
         *(f"{found[s][k]:.3f}" if found[s][k] == found[s][k] else "–" for s in stages), found["place"][k],
         found["cause"][k]]
        for k in range(found["class"].size)
    ]  # fmt: skip
    head = ("Class", "Interval's end [s]", "Offered to the radio", "At the concentrator", "At the head end", "Stored",
            "Is now", "Trouble")  # fmt: skip
    note = f"{len(rows)} of {run.rows('trace')} messages; all are in trace.parquet. Seconds of the run."
    return section("One meter, stage by stage", head, rows, range(1, 6), note)


def _rounded(value: Any) -> str:
    return count(value) if isinstance(value, float) and value >= 1000 else facts.number(value)


def _share(value: float | None) -> str:
    return "–" if value is None else percent(value)
