"""One self-contained HTML page and the pictures of a run folder."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from teiden.files import write_text
from twin.study.pictures import Picture, RunTables, draw_pictures, open_run
from twin.study.pictures_data import section_name
from twin.study.report_html import CSS, Html, element, fact_list, joined, table
from twin.study.report_text import Tile, by_stage, conservation, facts, headline, tiles

REPORT = "report.html"
MAX_EVENTS = 40
MODEL_NOTES = ("modelled", "not_modelled")
VERDICT_SIGNS = {"pass": "✓", "fail": "✗", "inconclusive": "?", "not applicable": "–"}


def render(run_dir: Path) -> Path:
    """Draw the pictures of a finished run folder and write its report.

    Parameters
    ----------
    run_dir : Path
        A folder with ``run.json``, ``summary.json`` and the tables of `twin.study.tables`.

    Returns
    -------
    Path
        The page, ``report.html`` inside the folder; it needs no other file and no network.

    Raises
    ------
    InputError
        If the run is incomplete or a file is missing; the message names all of them.
    """
    run = open_run(run_dir)
    path = run_dir / REPORT
    write_text(path, str(page(run, draw_pictures(run))))
    return path


def page(run: RunTables, pictures: list[Picture]) -> Html:
    """Return the whole page."""
    name = str(run.summary.get("name") or run.run.get("name") or run.path.name)
    summary = run.summary
    body = joined(
        element("header", element("p", "Teiden run", class_="kicker"), element("h1", name)),
        element("p", headline(summary), class_="answer"),
        flags(run.run),
        _tiles(summary),
        service_levels(summary),
        _belief(run, summary),
        figures(run.path, pictures),
        _sections(summary),
        block("Last Gasps", summary.get("gasps"), "Times count from the loss of supply, over what arrived."),
        block(
            "Power-return notices",
            summary.get("returns"),
            "Times count from the return of each meter's own supply, over what arrived.",
        ),
        block("Polls", summary.get("polls"), "The head end asks meters one by one; no answer counts as dark."),
        block(
            "The board", summary.get("board"), "The metering front-end itself stands for this meter of the population."
        ),
        _board_events(run),
        _boards(summary.get("boards") or []),
        block("Energy", summary.get("energy"), "What the meters' hold-up capacitors had and spent."),
        block("Radio", summary.get("air"), "Over all nodes and the whole run."),
        _security(summary.get("security")),
        settings(run.run),
        provenance(run.run),
    )
    return document(name, body)


def document(name: str, body: Html) -> Html:
    """Return a whole page around its body."""
    return joined(
        Html("<!DOCTYPE html>\n"),
        element(
            "html",
            element(
                "head",
                element("meta", charset="utf-8"),
                element("meta", name="viewport", content="width=device-width, initial-scale=1"),
                element("title", f"{name} – Teiden"),
                element("style", Html(CSS)),
            ),
            element("body", element("main", body)),
            lang="en",
        ),
    )


def flags(run: dict[str, Any]) -> Html:
    """Return the latched flags as a warning, nothing if there are none."""
    latched = run.get("flags") or []
    if not latched:
        return Html("")
    text = "; ".join(str(flag) for flag in latched)
    return element("p", element("strong", "Flags latched during the run: "), text, class_="warning")


def _tiles(summary: dict[str, Any]) -> Html:
    return tile_row(tiles(summary))


def tile_row(made: Sequence[Tile]) -> Html:
    """Return the figures a reader looks for first, side by side."""
    cells = [
        element(
            "div",
            element("span", tile.label, class_="label"),
            element("span", tile.value, class_="value"),
            element("span", tile.note, class_="note"),
            class_=f"tile {tile.mood}".strip(),
        )
        for tile in made
    ]
    return element("div", *cells, class_="tiles") if cells else Html("")


def service_levels(summary: dict[str, Any]) -> Html:
    """Return limit, value and verdict of each level."""
    levels = summary.get("service_levels") or []
    if not levels:
        return Html("")
    with_margin = all("margin" in level for level in levels)
    rows = []
    for level in levels:
        verdict = str(level.get("verdict", "inconclusive"))
        sign = VERDICT_SIGNS.get(verdict, "?")
        mark = element("span", f"{sign} {verdict}", class_=f"verdict {verdict.replace(' ', '-')}")
        value = facts.with_unit(level.get("value"), str(level.get("unit") or ""))
        margin = [facts.with_unit(level["margin"], str(level.get("unit") or ""))] if with_margin else []
        rows.append([level.get("id", ""), level.get("text", ""), facts.limit(level), value, *margin, mark])
    head = ("Id", "What is asked", "Limit", "This run", *(["Margin"] if with_margin else []), "Verdict")
    return element(
        "section",
        element("h2", "Service levels"),
        table(head, rows, numeric=range(2, len(head) - 1)),
    )


def _belief(run: RunTables, summary: dict[str, Any]) -> Html:
    """Return truth against belief per stage, and the conservation of notices."""
    parts = [element("h2", "Truth and belief")]
    rows = by_stage(run, summary)
    if rows:
        head = ("Stage", "After the fault", "Truly dark", "Believed dark", "of these rightly", "wrongly", "Missed")
        parts.append(table(head, rows, numeric=(1, 2, 3, 4, 5, 6)))
    for line in conservation(run, summary):
        mark = element("span", "✓" if line.ok else "✗ does not add up:", class_="good" if line.ok else "bad")
        parts.append(element("p", mark, " ", line.text, class_="conservation"))
    return element("section", *parts)


def figures(folder: Path, pictures: list[Picture]) -> Html:
    """Return the pictures inline, each with what its reader must know."""
    made = []
    for picture in pictures:
        data = b64encode((folder / picture.file).read_bytes()).decode("ascii")
        made.append(
            element(
                "figure",
                element("img", src=f"data:image/png;base64,{data}", alt=picture.title),
                element("figcaption", element("strong", "How to read this. "), picture.how_to_read),
            )
        )
    return element("section", element("h2", "Pictures"), *made)


def _sections(summary: dict[str, Any]) -> Html:
    named = summary.get("sections") or []
    if not named:
        return Html("")
    rows = [
        [
            first.get("stage", ""),
            facts.number(first.get("t_s")) + (f" to {facts.number(last.get('t_s'))}" if last is not first else ""),
            section_name(first.get("named")),
            section_name(first.get("truth")),
            _verdict(bool(first.get("right"))),
            facts.number(first.get("jaccard")),
            facts.number(first.get("distance_hops")),
            facts.number(last.get("margin")),
        ]
        for first, last in _runs_of_the_same(named)
    ]
    head = ("Stage", "Asked at [s]", "Named", "Truth", "", "Jaccard", "Distance [hops]", "Margin at last")
    note = (
        "Jaccard: meters behind both the named and the true section over meters behind either. "
        "Distance: switches between the two. Margin: how far the best explanation was ahead of the next."
    )
    return element(
        "section",
        element("h2", "Which section the head end named"),
        table(head, rows, numeric=(1, 5, 6, 7)),
        element("p", note, class_="note"),
    )


def _runs_of_the_same(named: Sequence[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return first and last of each row of equal answers."""
    found: list[tuple[dict[str, Any], dict[str, Any]]] = []
    for entry in named:
        same = ("stage", "named", "truth", "right", "jaccard", "distance_hops")
        if found and all(found[-1][0].get(key) == entry.get(key) for key in same):
            found[-1] = (found[-1][0], entry)
        else:
            found.append((entry, entry))
    return found


def _verdict(right: bool) -> Html:
    return element("span", "✓ right" if right else "✗ wrong", class_="good" if right else "bad")


def section(
    title: str, head: Sequence[str], rows: Sequence[Sequence[object]], numeric: Sequence[int], note: str
) -> Html:
    """Return a section that is a table with a note; ``numeric`` are the places of columns with numbers."""
    return element("section", element("h2", title), table(head, rows, numeric), element("p", note, class_="note"))


def sums(said: Mapping[str, Any]) -> Html:
    """Return whether the sums hold; ``said``: ``ok``, the ``lines`` of every sum, and those that are ``broken``."""
    wrong = element("span", "✗ does not add up:", class_="bad")
    mark = element("span", "✓" if said["ok"] else "·", class_="good" if said["ok"] else "")
    lines = [(wrong, line) for line in said["broken"]] + [(mark, line) for line in said["lines"]]
    made = [element("p", sign, " ", line, class_="conservation") for sign, line in lines]
    return element("section", element("h2", "Do the sums hold?"), *made)


def block(title: str, values: dict[str, Any] | None, note: str) -> Html:
    """Return a titled list of what a part of the summary says, nothing if the run has no such part."""
    if not values:
        return Html("")
    return element("section", element("h2", title), element("p", note, class_="note"), fact_list(facts.lines(values)))


def _security(values: dict[str, Any] | None) -> Html:
    if values and not any(values.values()):
        return element(
            "section", element("h2", "Security"), element("p", "Nothing was forged or replayed in this run.")
        )
    return block("Security", values, "Forged and replayed notices, and how many the head end took for true.")


def _board_events(run: RunTables) -> Html:
    """Return what the front-end registered, the first `MAX_EVENTS` of it."""
    n = run.rows("board_events")
    if not n:
        return Html("")
    events = run.query(
        "SELECT kind, t_s, sample, after_t0_ms, t0_source, t0_bound_us FROM board_events "
        f"ORDER BY t_s, sample, kind LIMIT {MAX_EVENTS}"
    )
    rows = [
        [str(kind).replace("_", " "), f"{t_s:.6f}", str(sample), f"{ms:+.3f}", source, facts.number(float(bound))]
        for kind, t_s, sample, ms, source, bound in zip(*events.values(), strict=True)
    ]
    head = ("Event", "At [s]", "Sample", "After t0 [ms]", "Source of t0", "Bound on t0 [µs]")
    more = element("p", f"The first {MAX_EVENTS} of {n}.", class_="note") if n > MAX_EVENTS else Html("")
    return element("section", element("h3", "What it registered"), table(head, rows, numeric=(1, 2, 3, 5)), more)


def _boards(boards: list[dict[str, Any]]) -> Html:
    """Return the boards of a run that has several, the first of which is told of above."""
    if not boards:
        return Html("")
    rows = [
        [
            str(board["id"]),
            str(board["runs_on"]),
            str(board["name"]),
            str(board["substation"]),
            "–" if board["detection_latency_ms"] is None else facts.number(board["detection_latency_ms"]),
            str(board.get("outcome", "none made")),
        ]
        for board in boards
    ]
    head = ("Board", "Runs on", "Meter", "Substation", "Detected after [ms]", "Last Gasp")
    note = element("p", "The first is the one above; each has its tables in boards/ID/.", class_="note")
    return element("section", element("h3", "All boards"), table(head, rows, numeric=(4,)), note)


def settings(run: dict[str, Any]) -> Html:
    """Return what is modelled, what is not, and the scenario's own settings."""
    parts = [element("h2", "What is modelled and what is not")]
    for key in MODEL_NOTES:
        entries = run.get(key)
        if entries:
            parts.append(element("h3", facts.label(key)[0]))
            parts.append(element("ul", *(element("li", str(entry)) for entry in entries)))
    scenario = run.get("scenario")
    if scenario:
        details = fact_list(facts.lines(scenario))
        parts.append(element("details", element("summary", "The scenario as it ran"), details))
    return element("section", *parts) if len(parts) > 1 else Html("")


def provenance(run: dict[str, Any]) -> Html:
    """Return where every number comes from: versions, seed, digest, hashes."""
    known = {key: value for key, value in run.items() if key not in ("scenario", "status", *MODEL_NOTES)}
    return element("section", element("h2", "Provenance"), fact_list(facts.lines(known)))
