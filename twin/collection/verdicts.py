"""Service levels of a collection run: limit, value, margin, verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twin.collection.settings import Levels
from twin.study.kpis import verdict


@dataclass(frozen=True)
class Figures:
    """What the verdicts are about; None where the run shows nothing of it.

    Attributes
    ----------
    half_hour, worst, history, real_time, billing, usage, reads, commands : float
        Shares.
    command : str
        What the wave commands.
    late_values, breach_min : int
        Billing values later than the limit; time of the intervals of which too few were in time.
    estimated_bills, open_bills : int
        Meters whose bill leans on estimates, or has a gap that could not be estimated.
    cut_off_kw : dict
        By seconds: power that commands cut off for at least so long.
    """

    half_hour: float | None
    worst: float | None
    history: float | None
    real_time: float | None
    billing: float | None
    usage: float | None
    reads: float | None
    commands: float | None
    command: str
    late_values: int
    breach_min: int
    estimated_bills: int
    open_bills: int
    cut_off_kw: dict[int, float | None]


def service_levels(levels: Levels, found: Figures) -> list[dict[str, Any]]:
    """Return one entry a level; a value the run is too short to show is not applicable."""
    within = f"within {levels.half_hour_min:g} min"
    asked = [
        ("R8", f"billing values stored {within} of the interval's end", levels.half_hour_share, found.half_hour),
        ("R8", f"... at the worst 1 % of the concentrators, {within}", levels.worst_share, found.worst),
        ("R10", f"five-minute history stored within {levels.history_days:g} days", levels.history_share, found.history),
        ("R11", f"real-time values stored within {levels.real_time_min:g} min", levels.real_time_share,
         found.real_time),
        ("R15", f"on-demand reads answered within {levels.read_s:g} s", levels.read_share, found.reads),
        ("R25" if found.command == "open" else "R21",
         f"addressed meters that confirmed the command within {levels.command_min:g} min", levels.command_share,
         found.commands),
        ("R49", f"billing values there at the end ({found.estimated_bills:,} bills lean on estimates, "
         f"{found.open_bills:,} stay open)", levels.billing_share, found.billing),
        ("R50", f"values for retailers {within} ({found.late_values:,} were not there; too few in {found.breach_min:,} "
         "minutes)", levels.half_hour_share, found.half_hour),
        ("R51", "meters whose whole usage can be handed over", levels.usage_share, found.usage),
    ]  # fmt: skip
    made = [_entry(*level, "1", at_least=True) for level in asked]
    power = [("R47", "power cut off by commands for an hour", levels.disruption_kw, found.cut_off_kw[3600]),
             ("R48", "power cut off by commands for ten minutes", levels.major_kw, found.cut_off_kw[600])]  # fmt: skip
    made += [_entry(*level, "kW", at_least=False) for level in power]
    return sorted(made, key=lambda entry: int(entry["id"][1:]))


def _entry(identity: str, text: str, limit: float, value: float | None, unit: str, at_least: bool) -> dict[str, Any]:
    margin = None if value is None else (value - limit if at_least else limit - value)
    return {
        "id": identity,
        "text": text,
        "limit": limit,
        "at_least": at_least,
        "value": value,
        "unit": unit,
        "margin": margin,
        "verdict": verdict(value, limit, at_least),
    }
