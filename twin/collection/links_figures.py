"""What a run says of each link: sums, shares, ages, verdicts, and what limited it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from twin.collection import kpis
from twin.collection.ledger import NEVER, At, Messages
from twin.collection.links_fleet import Link
from twin.collection.settings import Levels
from twin.study.kpis import verdict

if TYPE_CHECKING:
    from twin.collection.day import Collection
    from twin.collection.outcome import Outcome

WORDS = {Link.MESH: "mesh", Link.PLC: "power line", Link.CELLULAR: "cellular"}


def link_sums(run: Collection) -> list[tuple[str, int, int]]:
    """Return sums (text, left, right) of a fleet with several links: by class and link, and over each link."""
    fleet = run.plan.fleet
    if not fleet.mixed:
        return []
    found = [_class_sum(run, code, link) for code in range(len(run.classes)) for link in fleet.there()]
    for link, medium in run.links.media.items():
        ended = medium.arrivals + medium.failures + medium.on_their_way
        found.append(
            (f"{WORDS[link]}: sendings handed over = arrived + given up + on their way", medium.offered, ended)
        )
    return found


def _class_sum(run: Collection, code: int, link: Link) -> tuple[str, int, int]:
    """Return what the members of a class on one link owe by the calendar, and their values in the ledger."""
    kind, rows = run.classes[code], run.ledger.rows
    members = kind.members[run.plan.fleet.link[kind.members] == link]
    until_ns = min(run.office.env.now - 1, run.generated_until_ns)
    dark = run.blackout.intervals_lost(members, kind.period_ns, until_ns)
    generated = kind.records * (members.size * (until_ns // kind.period_ns) - dark)
    mine = rows[(rows["kind"] == code) & (run.plan.fleet.link[rows["meter"]] == link)]
    at = np.bincount(mine["at"], weights=mine["values"], minlength=len(At)).astype(np.int64)
    queued = int(at[: At.STORED].sum())
    text = (f"{kind.name} over {WORDS[link]}: generated = {at[At.STORED]:,} delivered + {queued:,} queued + "
            f"{at[At.EXPIRED]:,} expired + {at[At.LOST]:,} lost")  # fmt: skip
    return text, generated, int(at.sum())


def by_link(outcome: Outcome, billing: Messages) -> dict[str, dict[str, Any]]:
    """Return figures of the billing values by link, by the link's name; empty where all are on the mesh."""
    run, fleet = outcome.run, outcome.run.plan.fleet
    if not fleet.mixed:
        return {}
    limit_s, found = outcome.limit_s("half_hour"), {}
    for link in fleet.there():
        rows = billing[fleet.link[billing["meter"]] == link]
        stored = rows["stored_ns"] != NEVER
        by_hand = stored & (rows["sink"] == fleet.terminals_lane)
        found[WORDS[link]] = {
            "meters": int((fleet.link == link).sum()),
            "values": rows.size,
            "stored_share": float(stored.mean()) if rows.size else None,
            "first_pass_share": float((stored & (rows["asked"] == 0)).mean()) if rows.size else None,
            "within_limit_share": kpis.share_within(rows, limit_s, run.end_ns),
            "by_handy_terminal": int(by_hand.sum()),
            "link_s": kpis.percentiles((rows["radio_ns"] - rows["offered_ns"])[stored & ~by_hand] / 1e9, (50, 99)),
            "age_s": kpis.percentiles(kpis.ages_s(rows)[stored], (50, 99)),
        }
    return found


def limits(run: Collection) -> dict[str, Any] | None:
    """Return what the links beside the mesh had to do within their limits; None where there are none."""
    fleet, links, handy = run.plan.fleet, run.links, run.handy
    found: dict[str, Any] = {}
    if fleet.plc_cells:
        found |= _medium(run, Link.PLC, "power_line", fleet.plc_cells)
    if fleet.cellular_cells:
        sessions = fleet.cellular_cells * run.plan.scenario.cellular.sessions
        found |= _medium(run, Link.CELLULAR, "cellular", fleet.cellular_cells, sessions)
        found["cellular_random_access_collisions"] = links.cellular.collisions
        found["cellular_registrations"] = links.cellular.registrations
    if run.plan.scenario.handy.crews:
        found["handy_visits"] = handy.visits
        found["handy_visits_possible_per_day"] = handy.visits_a_day
        found["handy_values_read"] = handy.read_values
        found["handy_meters_waiting_at_the_end"] = handy.backlog().size
    return found or None


def _medium(run: Collection, link: Link, name: str, cells: int, servers: int | None = None) -> dict[str, Any]:
    medium = run.links.media[link]
    found = {
        f"{name}_cells": cells,
        f"{name}_sendings": medium.offered,
        f"{name}_given_up": medium.failures,
        f"{name}_share_of_capacity_used": medium.busy_ns / run.end_ns / (servers or cells),
    }
    return found | {f"{name}_given_up_{cause}": count for cause, count in sorted(medium.causes.items())}


def link_levels(levels: Levels, found: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return R8's verdict for each link."""
    limit = levels.half_hour_share
    return [
        {"id": "R8", "text": f"... over {name}, within {levels.half_hour_min:g} min", "limit": limit, "at_least": True,
         "value": value, "unit": "1", "margin": None if value is None else value - limit,
         "verdict": verdict(value, limit, True)}
        for name, figures in found.items()
        for value in (figures["within_limit_share"],)
    ]  # fmt: skip
