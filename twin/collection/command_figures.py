"""What came of a wave of commands, and of an island that it was to help; for summary and tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.collection import kpis
from twin.collection.day import Collection
from twin.collection.errands import COMMANDS, Errand
from twin.collection.island import Supply
from twin.collection.targets import wave_kinds
from twin.metering.breaker import LOCKS_AT, VOLTS
from twin.store.schema import HOUR_NS

COMPARED_A = 30.0  # between a contract of 60 A and the 10 A of R23; section 6 of DOMAIN.md asks for all three


def command_figures(run: Collection) -> dict[str, Any] | None:
    """Return who was addressed, what acted, what was confirmed and how safely; None without a wave."""
    wave = run.plan.scenario.commands
    if wave.kind == "none":
        return None
    sent = [errand for errand in run.office.errands.all if errand.kind in COMMANDS]
    counts = run.dialogue.counts
    return {
        "addressed": run.addressed.size,
        "without_route": run.addressed.size - run.office.targets.size,
        "waves": [_wave(run.office.errands.of(kind), kind, round((wave.at_h + after_h) * HOUR_NS))
                  for kind, after_h in wave_kinds(wave)],
        "most_sent_in_a_second": _most_in_a_second([e.sent_ns for e in sent if e.sent_ns is not None]),
        "received_twice": sum(e.received > 1 for e in sent),
        "acted_twice": sum(e.acted > 1 for e in sent),
        "misdirected": counts["strayed"],
        "misdirected_and_refused": sum(e.refused for e in sent),
        "misdirected_and_acted": counts["acted_astray"],
        "answers_genuine": counts["answers"],
        "answers_faulty": counts["faulty"],
        "switched_kw": _switched_kw(run),
        "kept_from_customers_kwh": run.plan.memory.curtailed.energy_kept_wh(run.end_ns) / 1000,
    }  # fmt: skip


def _wave(errands: list[Errand], kind: str, begin_ns: int) -> dict[str, Any]:
    acted = [errand.reached_ns for errand in errands if errand.reached_ns is not None]
    confirmed = [errand.answered_ns for errand in errands if errand.answered_ns is not None]
    return {
        "kind": kind,
        "begin_s": begin_ns / 1e9,
        "sent": len(errands),
        "acted": len(acted),
        "confirmed": len(confirmed),
        "acted_s": kpis.percentiles((np.array(acted) - begin_ns) / 1e9),
        "confirmed_s": kpis.percentiles((np.array(confirmed) - begin_ns) / 1e9),
    }


def _most_in_a_second(sent_ns: list[int]) -> int:
    """Return the most that fall into a second, wherever it begins."""
    times = np.sort(np.array(sent_ns, np.int64))
    return int((np.searchsorted(times, times + 10**9) - np.arange(times.size)).max(initial=0))


def _switched_kw(run: Collection) -> float:
    """Return the power that the wave took away: cut off, or drawn above the limit when it began to hold [kW]."""
    kind = run.plan.scenario.commands.kind
    meters, times, _ = openings(run) if kind == "open" else _limits_begun(run)
    kw = run.load_kw(meters, times)
    if kind == "limit":
        kw = np.maximum(kw - VOLTS * run.plan.scenario.commands.amperes / 1000, 0)
    return float(kw.sum())


def openings(run: Collection) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return (K,) meters whose switch opened, when, and until when [ns], by the meters' own account."""
    found = []
    for meter, agent in sorted(run.dialogue.agents.items()):
        opened = [t_ns for t_ns, closed in agent.switch if not closed]
        closed = [t_ns for t_ns, closed in agent.switch if closed]
        if opened:
            found.append((meter, opened[0], min(closed, default=run.end_ns)))
    columns = np.array(found, np.int64).reshape(-1, 3)
    return columns[:, 0], columns[:, 1], columns[:, 2]


def _limits_begun(run: Collection) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return (K,) meters whose limit began to hold within the run, when, and the run's end [ns]."""
    found = []
    for kind in ("limit", "reserve"):
        for errand in run.office.errands.of(kind):
            begin_ns = _begun_ns(run, errand)
            if begin_ns is not None and begin_ns < run.end_ns:
                found.append((errand.meter, begin_ns, run.end_ns))
    columns = np.array(found, np.int64).reshape(-1, 3)
    return columns[:, 0], columns[:, 1], columns[:, 2]


def _begun_ns(run: Collection, errand: Errand) -> int | None:
    """Return when a limit began to hold [ns]: at once, or when a reservation that was not cancelled came due."""
    if errand.reached_ns is None or errand.kind == "limit":
        return errand.reached_ns
    spans = run.dialogue.agents[errand.meter].limit.reservations
    return spans[0].from_ns if spans else None


def island_cases(run: Collection) -> Iterator[tuple[str, Supply]]:
    """Yield the island as it went, and as it would have gone with one limit for everybody from the first minute on."""
    if run.island is None or run.supply is None:
        return
    scenario = run.plan.scenario
    yield "this run", run.supply
    for amperes in sorted({scenario.meter.contract_a, COMPARED_A, scenario.commands.amperes}, reverse=True):
        yield f"{amperes:g} A from the start", run.island.lasting(amperes)


def island_figures(run: Collection, cases: list[tuple[str, Supply]]) -> dict[str, Any] | None:
    """Return how long the island lasted and whom the command reached in time; None without an island."""
    if run.island is None or run.supply is None:
        return None
    begin_ns, dark_ns = run.island.begin_ns, run.supply.dark_ns
    until_ns = run.end_ns if dark_ns is None else dark_ns
    acted = {e.meter for kind in ("limit", "reserve") for e in run.office.errands.of(kind)
             if e.reached_ns is not None and e.reached_ns < until_ns}  # fmt: skip
    limited = np.isin(run.island.meters, sorted(acted))
    return {
        "meters": run.island.meters.size,
        "begin_s": begin_ns / 1e9,
        "dark_s": None if dark_ns is None else dark_ns / 1e9,
        "commanded_before_dark": int(limited.sum()),
        "commanded_before_dark_share": float(limited.mean()),
        "locked_out": int((run.supply.trips >= LOCKS_AT).sum()),
        "cases": [_case(name, supply, begin_ns) for name, supply in cases],
    }


def _case(name: str, supply: Supply, begin_ns: int) -> dict[str, Any]:
    drawn = np.concatenate([np.zeros(0), *supply.drawn_w])
    wanted = np.concatenate([np.zeros(0), *supply.wanted_w])
    last_ns = int(supply.ends_ns[-1][-1]) if supply.ends_ns else begin_ns
    return {
        "case": name,
        "lasted_h": (last_ns - begin_ns) / HOUR_NS,
        "went_dark": supply.dark_ns is not None,
        "net_wanted_kwh": float(wanted.sum()) / 60_000,
        "net_drawn_kwh": float(drawn.sum()) / 60_000,
        "most_drawn_kw": float(drawn.max(initial=0)) / 1000,
        "locked_out": int((supply.trips >= LOCKS_AT).sum()),
    }
