"""Sections of a collection run's page: retailers, attainable levels, fresh values, commands, an island."""

from __future__ import annotations

from typing import Any

from twin.collection.report_text import words
from twin.study import report_facts as facts
from twin.study.pictures_style import count, percent
from twin.study.report import block, section
from twin.study.report_html import Html, joined

COMMANDS_NOTE = "Times from the wave's beginning, the limiter's pace included, over what was carried out or confirmed."
SAFETY_NOTE = (
    "Every command is a sealed DLMS request. A meter knows its invocation counter and carries a repeated one out once; "
    "one sealed for another meter does not open and gets no answer."
)
ISLAND_NOTE = (
    "Net of what roofs feed in. Customers above their limit switch something off, or their breaker locks them out "
    "(load.adapts_share); limits of the battery's power, and loads that come back later, are left out."
)


def freshness(summary: dict[str, Any]) -> Html:
    """Return how fresh five-minute values are."""
    head = ("Class", "Age of the newest value, mean", "Peaks p50", "p90", "p99", "p99.9", "Older than 10 min")
    rows = [
        [words(name), facts.with_unit(found["freshness"]["mean_s"], "s"),
         *(facts.with_unit(found["freshness"]["peak_s"][key], "s") for key in ("p50", "p90", "p99", "p99.9")),
         percent(found["freshness"]["older_than_10_min_share"])]
        for name, found in summary["classes"].items() if found["freshness"]
    ]  # fmt: skip
    note = ("Over time and the class's meters, from each one's first value in the store on. A peak is the age just "
            "before a newer value is stored.")  # fmt: skip
    return section("How fresh five-minute values are", head, rows, range(1, 7), note) if rows else Html("")


def attainable(summary: dict[str, Any]) -> Html:
    """Return which service levels could be set."""
    found = summary["attainable"]
    if not found:
        return Html("")
    shares = list(found[0]["after_s"])
    head = ("Function", "Of", "Done", *(f"{share} after" for share in shares))
    rows = [
        [words(entry["function"]), count(entry["count"]), percent(entry["done_share"]),
         *(facts.with_unit(entry["after_s"][share], "s") for share in shares)]
        for entry in found
    ]  # fmt: skip
    note = ("Of all that were owed, asked or commanded: what never came counts, and a share that was never reached has "
            "no time. A level can be set from it (R53).")  # fmt: skip
    return section("Which service levels could be set", head, rows, range(1, 3 + len(shares)), note)


def retailers(summary: dict[str, Any]) -> Html:
    """Return what each retailer got."""
    head = (
        "Retailer",
        "Meters",
        "Values owed",
        "In time",
        "Late",
        "Missing",
        "Bills measured",
        "With estimates",
        "Open",
    )
    keys = ("meters", "expected", "in_time", "late", "missing", "measured", "estimated", "open")
    rows = [[each["retailer"], *(count(each[key]) for key in keys)] for each in summary["retailers"]]
    note = ("Each interval's values go out when they are due (retailers.parquet). A bill is measured, leans on marked "
            "estimates, or stays open where nothing could be estimated.")  # fmt: skip
    return section("What retailers got", head, rows, range(9), note) if rows else Html("")


def municipalities(summary: dict[str, Any]) -> Html:
    """Return how each municipality is served."""
    head = ("Municipality", "Meters", "Without a route", "Billing values in time")
    rows = [
        [each["name"], count(each["meters"]), count(each["without_route"]),
         "–" if each["on_time_share"] is None else percent(each["on_time_share"])]
        for each in summary["municipalities"]
    ]  # fmt: skip
    note = ("Whole towns were drawn until they had the meters, at the density of the settled area; no grid is known, "
            "so voltages are those behind a nominal medium voltage.")  # fmt: skip
    return section("Where the meters are", head, rows, range(1, 4), note) if rows else Html("")


def commands(summary: dict[str, Any]) -> Html:
    """Return the wave of commands and how safe it was."""
    found = summary["commands"]
    if found is None:
        return Html("")
    head = ("Command", "Sent", "Carried out", "Confirmed", *(f"{what} {p}" for what in ("Carried out", "Confirmed")
                                                            for p in ("p50", "p90", "p99")))  # fmt: skip
    rows = [
        [wave["kind"], count(wave["sent"]), count(wave["acted"]), count(wave["confirmed"]),
         *(facts.with_unit(wave[what][p], "s") for what in ("acted_s", "confirmed_s") for p in ("p50", "p90", "p99"))]
        for wave in found["waves"]
    ]  # fmt: skip
    rest = {key: value for key, value in found.items() if key != "waves"}
    return joined(section("The wave of commands", head, rows, range(1, 10), COMMANDS_NOTE),
                  block("Safety of commands", rest, SAFETY_NOTE))  # fmt: skip


def island(summary: dict[str, Any]) -> Html:
    """Return how the island fared, beside other limits."""
    found = summary["island"]
    if found is None:
        return Html("")
    head = ("Case", "Lasted [h]", "Went dark", "Asked for [kWh]", "Drawn [kWh]", "Most at once [kW]", "Locked out")
    rows = [
        [case["case"], facts.number(case["lasted_h"]), "yes" if case["went_dark"] else "no",
         facts.number(case["net_wanted_kwh"]), facts.number(case["net_drawn_kwh"]), facts.number(case["most_drawn_kw"]),
         count(case["locked_out"])]
        for case in found["cases"]
    ]  # fmt: skip
    note = (f"{count(found['commanded_before_dark'])} of {count(found['meters'])} meters had the command before the "
            f"island went dark or the run ended. {ISLAND_NOTE}")  # fmt: skip
    return section("The island", head, rows, (1, 3, 4, 5, 6), note)
