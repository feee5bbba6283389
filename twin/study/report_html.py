"""The few HTML elements a report is made of; text is escaped unless it is `Html` already."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

VOID = ("meta", "img")


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def _markup(part: object) -> str:
    return part if isinstance(part, Html) else escape(str(part))


def joined(*parts: object) -> Html:
    """Return parts one after the other."""
    return Html("".join(_markup(part) for part in parts))


def element(tag: str, *children: object, **attributes: str) -> Html:
    """Return one element; a trailing underscore in an attribute's name is dropped (``class_``)."""
    inside = "".join(f' {name.rstrip("_")}="{escape(value)}"' for name, value in attributes.items())
    if tag in VOID:
        return Html(f"<{tag}{inside}>")
    return Html(f"<{tag}{inside}>{joined(*children)}</{tag}>")


def table(head: Sequence[str], rows: Iterable[Sequence[object]], numeric: Sequence[int] = ()) -> Html:
    """Return a table; the columns in ``numeric`` are set flush right."""

    def cells(tag: str, row: Sequence[object]) -> list[Html]:
        return [element(tag, cell, **({"class_": "num"} if k in numeric else {})) for k, cell in enumerate(row)]

    lines = [element("tr", *cells("td", row)) for row in rows]
    inner = element("table", element("thead", element("tr", *cells("th", head))), element("tbody", *lines))
    return element("div", inner, class_="scroll")


def fact_list(lines: Iterable[tuple[str, str]]) -> Html:
    """Return names and values in two columns."""
    return element("dl", *(element("div", element("dt", name), element("dd", value)) for name, value in lines))


CSS = """
:root { --ink: #1b232b; --soft: #5d6a75; --line: #d9dee3; --page: #fff; --card: #f5f7f8; --good: #00704f;
  --bad: #a4161a; --doubt: #8a5a00; --accent: #0072b2; color-scheme: light dark; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaed; --soft: #a3afb9; --line: #38424b; --page: #14191e;
  --card: #1d242b; --good: #4fd0a5; --bad: #ff8f8f; --doubt: #f0c060; --accent: #6ec1f0; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", "Noto Sans", "DejaVu Sans", "Hiragino Sans", "Noto Sans CJK JP", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
.kicker { margin: 0; color: var(--soft); font-size: .85rem; letter-spacing: .06em; text-transform: uppercase; }
h1 { margin: 0 0 .6rem; font-size: 1.9rem; line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin: 2.4rem 0 .7rem; font-size: 1.25rem; } h3 { margin: 1.2rem 0 .3rem; font-size: 1rem; }
.answer { margin: 0 0 1.4rem; padding-left: 1rem; border-left: 4px solid var(--accent); font-size: 1.2rem;
  line-height: 1.45; max-width: 62rem; }
.warning { padding: .7rem 1rem; border: 1px solid var(--bad); border-radius: 6px; color: var(--bad); }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(230px, 1fr)); gap: .8rem; }
.tile { display: flex; flex-direction: column; padding: .8rem 1rem; background: var(--card); border-radius: 8px;
  border-top: 3px solid var(--line); }
.tile.good { border-top-color: var(--good); } .tile.bad { border-top-color: var(--bad); }
.tile .label { color: var(--soft); font-size: .85rem; } .tile .value { font-size: 1.65rem; font-weight: 650;
  line-height: 1.25; overflow-wrap: anywhere; } .tile .note { font-size: .82rem; }
.note { color: var(--soft); font-size: .9rem; margin: 0 0 .6rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .93rem; font-variant-numeric: tabular-nums; }
th, td { padding: .42rem .7rem; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--soft); font-weight: 600; border-bottom-width: 2px; } .num { text-align: right; }
.verdict { white-space: nowrap; font-weight: 600; }
.good, .verdict.pass { color: var(--good); } .bad, .verdict.fail { color: var(--bad); }
.verdict.inconclusive { color: var(--doubt); } .verdict.not-applicable { color: var(--soft); }
.conservation { margin: .5rem 0 0; font-variant-numeric: tabular-nums; }
figure { margin: 0 0 1.8rem; } img { display: block; width: 100%; height: auto; background: #fff; border-radius: 6px;
  border: 1px solid var(--line); }
figcaption { margin-top: .5rem; color: var(--soft); font-size: .9rem; max-width: 60rem; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(320px, 1fr)); gap: 0 2rem; margin: 0;
  font-size: .93rem; }
dl div { display: flex; justify-content: space-between; gap: 1rem; padding: .32rem 0;
  border-bottom: 1px solid var(--line); }
dt { color: var(--soft); } dd { margin: 0; text-align: right; overflow-wrap: anywhere;
  font-variant-numeric: tabular-nums; }
details { margin-top: .8rem; } summary { cursor: pointer; color: var(--accent); }
@media print { :root { color-scheme: light; --ink: #000; --soft: #444; --line: #bbb; --page: #fff; --card: #f4f4f4; }
  body { font-size: 10.5pt; } main { max-width: none; padding: 0; } figure, .tile, tr { break-inside: avoid; }
  h2 { break-after: avoid; } @page { margin: 14mm; } }
"""
