"""The evidence as one page of HTML that needs no other file."""

from __future__ import annotations

import base64
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hil.evidence.measures import RECORDED, Measured
from hil.evidence.pictures import draw_histogram
from twin.study.report_html import CSS, Html, element, fact_list, joined, table

BENCH_PART = "A verdict is about the front-end's part of a requirement, as far as the tests named here go."
MORE_CSS = """
a { color: var(--accent); } section { margin-top: 2rem; } figure { margin-top: 1rem; }
td { overflow-wrap: anywhere; } .id { white-space: nowrap; }
section table { table-layout: fixed; } section th { width: 13%; } section th:first-child { width: 33%; }
section th:nth-child(3) { width: 9%; } section th:nth-child(4) { width: 19%; }
.verdict.error { color: var(--bad); } .verdict.not-run, .verdict.recorded, .verdict.no-test { color: var(--soft); }
"""
SPREAD = 5  # a value that so many tests took is drawn as a histogram
NUMERIC = (1, 3)


def page(content: Mapping[str, Any], folder: Path) -> str:
    """Return the page.

    Parameters
    ----------
    content : mapping
        What evidence.json holds.
    folder : Path
        Where its pictures are.
    """
    summary = content["summary"]
    said = ", ".join(f"{count} {verdict}" for verdict, count in summary.items() if count)
    spreads = list(_spreads(content["tests"]))
    body = element(
        "main",
        element("p", "Evidence of bench tests", class_="kicker"),
        element("h1", f"{len(content['tests'])} tests: {said or 'none'}"),
        *([] if content["complete"] else [element("p", "Interrupted: not all tests ran.", class_="warning")]),
        element("h2", "Bench"),
        _bench(content),
        element("h2", "Verdicts"),
        _verdicts(content["tests"]),
        *([element("h2", "Values that many tests took"), *spreads] if spreads else []),
        element("h2", "Requirements"),
        element("p", BENCH_PART, class_="note"),
        _matrix(content["requirements"]),
        element("h2", "Tests"),
        *(_test(test, folder) for test in content["tests"]),
        element("h2", "Files"),
        table(("file", "SHA-256"), content["files"].items()),
    )
    head = element(
        "head", element("meta", charset="utf-8"), element("title", "Evidence"), element("style", Html(CSS + MORE_CSS))
    )
    return f"<!doctype html>\n{element('html', head, element('body', body), lang='en')}\n"


def _bench(content: Mapping[str, Any]) -> Html:
    identity = content["identity"]
    facts = [(name.replace("_", " "), str(value)) for name, value in identity.items()]
    facts += [("teiden", content["teiden"]), ("commit", content["commit"] or "none: not run from a checkout")]
    facts += [("seed", str(content["station"]["source"]["seed"])), ("date", content["date"])]
    facts += [("digest", content["digest"])]
    station = [
        (f"{name}.{key}", str(value)) for name, keys in content["station"].items() for key, value in keys.items()
    ]
    return joined(fact_list(facts), element("details", element("summary", "The whole station"), fact_list(station)))


def _verdict(verdict: str) -> Html:
    return element("span", verdict, class_=f"verdict {verdict.replace(' ', '-')}")


def _verdicts(tests: Sequence[Mapping[str, Any]]) -> Html:
    rows = [
        (
            element("a", test["title"], href=f"#{_anchor(test)}"),
            " ".join(test["requirements"]),
            _verdict(test["verdict"]),
        )
        for test in tests
    ]
    return table(("test", "requirements", "verdict"), rows)


def _anchor(test: Mapping[str, Any]) -> str:
    return "t-" + "".join(letter if letter.isalnum() else "-" for letter in test["id"])


def _matrix(rows: Sequence[Mapping[str, Any]]) -> Html:
    """Return requirement, tests and verdict; those without a test last, behind a fold."""
    head = ("id", "requirement", "tests", "verdict")
    tested = [_matrix_row(row) for row in rows if row["tests"]]
    untested = [(_id(row), row["text"]) for row in rows if not row["tests"]]
    without = element("summary", f"{len(untested)} requirements without a test here")
    return joined(table(head, tested), element("details", without, table(head[:2], untested)))


def _matrix_row(row: Mapping[str, Any]) -> tuple[object, ...]:
    tests: dict[str, int] = defaultdict(int)
    for test in row["tests"]:
        tests[test.partition("[")[0]] += 1
    named = ", ".join(f"{name} ({count})" if count > 1 else name for name, count in tests.items())
    return _id(row), row["text"], named, _verdict(row["verdict"])


def _id(row: Mapping[str, Any]) -> Html:
    """Return a requirement's id, which is not broken."""
    return element("span", row["id"], class_="id")


def _test(test: Mapping[str, Any], folder: Path) -> Html:
    named = f"{test['id']} {' '.join(test['requirements'])}"
    if test["t0_source"] is not None:
        named += f"; t0 from {test['t0_source']}, within {test['t0_bound_us']:.4g} us"
    why = [element("p", line, class_="note") for line in test["why"].splitlines()]
    return element(
        "section",
        element("h3", test["title"], " ", _verdict(test["verdict"]), id=_anchor(test)),
        element("p", named, class_="note"),
        *why,
        *([_measures(test["measures"])] if test["measures"] else []),
        *(_waveform(waveform, folder) for waveform in test["waveforms"]),
    )


def _measures(measures: Sequence[Mapping[str, Any]]) -> Html:
    rows = [
        (
            one["name"],
            _number(one["value"]),
            one["unit"],
            Measured(**one).allowed(),
            _plus_minus(one),
            _verdict(one["verdict"]),
        )
        for one in measures
    ]
    return table(("measured", "value", "unit", "limits", "uncertainty", "verdict"), rows, NUMERIC)


def _number(value: float | str | None) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else f"{value:.6g}"


def _plus_minus(one: Mapping[str, Any]) -> str:
    text = f"± {one['uncertainty']:.2g}" if one["uncertainty"] else ""
    return f"{text}, t0 from {one['t0_source']}" if one["t0_source"] else text


def _waveform(waveform: Mapping[str, str], folder: Path) -> Html:
    caption = f"{waveform['title']}. Samples: {waveform['comtrade']}"
    return _figure((folder / waveform["picture"]).read_bytes(), caption)


def _figure(png: bytes, caption: str) -> Html:
    source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    return element("figure", element("img", src=source, alt=caption), element("figcaption", caption))


def _spreads(tests: Sequence[Mapping[str, Any]]) -> Iterator[Html]:
    """Yield a histogram of every value that many tests took with the same limits."""
    found: dict[tuple[Any, ...], list[float]] = defaultdict(list)
    for test in tests:
        for one in test["measures"]:
            if one["verdict"] != RECORDED and isinstance(one["value"], float):
                found[one["name"], one["unit"], one["low"], one["high"]].append(one["value"])
    for (name, unit, low, high), values in found.items():
        if len(values) < SPREAD or min(values) == max(values):
            continue
        limits = [limit for limit in (low, high) if limit is not None]
        title = f"{name}: {len(values)} times, {min(values):.4g} to {max(values):.4g} {unit}"
        with tempfile.TemporaryDirectory() as place:
            draw_histogram(Path(place) / "spread.png", title, unit, values, limits)
            yield _figure((Path(place) / "spread.png").read_bytes(), title)
