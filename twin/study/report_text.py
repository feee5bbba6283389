"""What a report says in words: the answer, the tiles, truth against belief, and whether the sums hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from twin.study import report_facts as facts
from twin.study.pictures_data import RunTables, section_name
from twin.study.pictures_style import count, percent, seconds

__all__ = ["Line", "Tile", "by_stage", "conservation", "facts", "headline", "tiles"]


class Tile(NamedTuple):
    """One figure of the summary: mood is good, bad or empty."""

    label: str
    value: str
    note: str
    mood: str = ""


class Line(NamedTuple):
    """One statement and whether it holds."""

    text: str
    ok: bool


def headline(summary: Mapping[str, Any]) -> str:
    """Answer in one paragraph: what did the head end know, when, and was it right?"""
    sentences = [_what_happened(summary), _what_was_known(summary), _was_it_right(summary)]
    return " ".join(sentence for sentence in sentences if sentence)


def _what_happened(summary: Mapping[str, Any]) -> str:
    fault, dark = summary.get("fault"), summary.get("dark") or {}
    meters = f" of {count(summary['meters'])}" if summary.get("meters") is not None else ""
    peak = dark.get("peak")
    if not fault:
        return f"{count(peak)}{meters} meters went dark with no fault on the grid." if peak else "No meter lost supply."
    text = fault.get("text") or "a fault"
    where = f" on {fault['line']}" if fault.get("line") is not None and str(fault["line"]) not in text else ""
    feeder = str(fault.get("feeder") or "")
    where += f" ({feeder})" if feeder and feeder not in text else ""
    happened = f"{text[0].upper()}{text[1:]}{where}".rstrip(". ")
    return f"{happened} left {count(peak)}{meters} meters dark." if peak is not None else f"{happened}."


def _what_was_known(summary: Mapping[str, Any]) -> str:
    gasps = summary.get("gasps") or {}
    if not gasps.get("made"):
        return "No meter sent a Last Gasp." if (summary.get("dark") or {}).get("peak") else ""
    text = f"{count(gasps.get('delivered', 0))} of {count(gasps['made'])} Last Gasps reached the head end"
    if gasps.get("time_to_50_s") is not None:
        text += f", half of them within {seconds(gasps['time_to_50_s'])} of the loss of supply"
    if gasps.get("time_to_90_s") is not None:
        text += f" and 90 % within {seconds(gasps['time_to_90_s'])}"
    return text + "."


def _was_it_right(summary: Mapping[str, Any]) -> str:
    sections, belief = summary.get("sections") or [], _moments(summary)
    parts = []
    if sections:
        parts.append(_sections_named(sections, (summary.get("fault") or {}).get("t_s")))
    if belief:
        wrong, missed = belief[-1].get("wrongly_dark", 0), belief[-1].get("missed", 0)
        held = f"it held {count(wrong)} meters dark that were not and missed {count(missed)} that were"
        parts.append(f"at the end {held if wrong or missed else 'it was right about every meter'}")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _sections_named(sections: Sequence[Mapping[str, Any]], fault_s: float | None) -> str:
    right = [entry for entry in sections if entry.get("right")]
    text = f"it named the right section {count(len(right))} of {count(len(sections))} times"
    if right and fault_s is not None and right[0].get("t_s") is not None:
        text += f", first {seconds(right[0]['t_s'] - fault_s)} after the fault"
    last = sections[-1]
    return f"{text}, and last {section_name(last.get('named'))} ({'right' if last.get('right') else 'wrong'})"


def _moments(summary: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the belief's moments; a summary with a single one may give it bare."""
    belief = summary.get("belief") or []
    return [belief] if isinstance(belief, Mapping) else list(belief)


def tiles(summary: Mapping[str, Any]) -> list[Tile]:
    """Return the figures a reader looks for first, those the run has."""
    found: list[Tile] = []
    dark, gasps = summary.get("dark") or {}, summary.get("gasps") or {}
    if dark.get("peak") is not None:
        share = f"{percent(dark['peak'] / summary['meters'])} of all meters" if summary.get("meters") else ""
        found.append(Tile("Meters dark at the worst", count(dark["peak"]), share))
    if gasps.get("made"):
        ratio = gasps.get("delivery_ratio", gasps.get("delivered", 0) / gasps["made"])
        note = f"{count(gasps.get('lost', 0))} lost, {count(gasps.get('died', 0))} died"
        found.append(Tile("Last Gasps delivered", percent(ratio), note))
    for part in (50, 90):
        if gasps.get(f"time_to_{part}_s") is not None:
            found.append(
                Tile(f"{part} % of arrivals within", seconds(gasps[f"time_to_{part}_s"]), "after the loss of supply")
            )
    found += _judged_tiles(summary)
    return found


def _judged_tiles(summary: Mapping[str, Any]) -> list[Tile]:
    found: list[Tile] = []
    belief, sections, board = _moments(summary), summary.get("sections") or [], summary.get("board") or {}
    if belief:
        wrong, missed = belief[-1].get("wrongly_dark", 0), belief[-1].get("missed", 0)
        note = f"and {count(missed)} dark ones missed, at the end"
        found.append(Tile("Wrongly believed dark", count(wrong), note, "" if wrong else "good"))
    if sections:
        right = sum(bool(entry.get("right")) for entry in sections)
        mood = "good" if right == len(sections) else "" if sections[-1].get("right") else "bad"
        note = f"last: {section_name(sections[-1].get('named'))}"
        found.append(Tile("Section named right", f"{right} of {len(sections)}", note, mood))
    if board.get("detection_latency_ms") is not None:
        note = f"by the front-end, t0 from {board.get('t0_source', 'unknown')}"
        found.append(Tile("Failure detected in", f"{board['detection_latency_ms']:.4g}\u00a0ms", note))
    return found + levels_tile(summary)


def levels_tile(summary: Mapping[str, Any]) -> list[Tile]:
    """Return how many service levels are met, of those that were judged; nothing if none was."""
    levels = [level.get("verdict") for level in summary.get("service_levels") or []]
    judged = [verdict for verdict in levels if verdict in ("pass", "fail")]
    if not judged:
        return []
    note = f"{len(levels) - len(judged)} more not judged" if len(levels) > len(judged) else "all judged"
    mood = "bad" if "fail" in judged else "good"
    return [Tile("Service levels met", f"{judged.count('pass')} of {len(judged)}", note, mood)]


def by_stage(run: RunTables, summary: Mapping[str, Any]) -> list[list[str]]:
    """Return one row per moment of the belief: stage, time after the fault, truth and belief."""
    rows = []
    for moment in _moments(summary):
        right, wrong, missed = (moment.get(key) for key in ("rightly_dark", "wrongly_dark", "missed"))
        truly = moment.get("truly_dark")
        if truly is None and right is not None and missed is not None:
            truly = right + missed
        t_s = moment.get("t_s")
        rows.append(
            [
                str(moment.get("stage", "")),
                seconds(t_s - run.fault_s) if t_s is not None else "–",
                *(facts.number(value) for value in (truly, moment.get("believed_dark"), right, wrong, missed)),
            ]
        )
    return rows


def conservation(run: RunTables, summary: Mapping[str, Any]) -> list[Line]:
    """Return what the run says of its sums, and the same sum counted again from the table of notices."""
    found = []
    said = summary.get("conservation") or {}
    if said.get("text"):
        found.append(Line(str(said["text"]), bool(said.get("ok"))))
    counted = run.query(
        """
        SELECT kind, count(*) AS made, count(*) FILTER (outcome = 'delivered') AS delivered,
          count(*) FILTER (outcome = 'lost') AS lost, count(*) FILTER (outcome = 'died') AS died
        FROM gasps GROUP BY kind ORDER BY kind
        """
    )
    for kind, made, delivered, lost, died in zip(*counted.values(), strict=True):
        text = f"{count(delivered)} delivered + {count(lost)} lost + {count(died)} died"
        name = str(kind).replace("_", " ")
        # Against the summary too, where it counts this kind.
        part = summary.get({"last_gasp": "gasps", "power_return": "returns"}.get(str(kind), "")) or {}
        ok = made == delivered + lost + died and part.get("made", made) == made
        text += f" = {count(delivered + lost + died)} of {count(made)} made"
        found.append(Line(f"Counted again in the table, {name}: {text}", ok))
    return found
