"""How every picture of a report looks: colours that keep one meaning, type sizes, time marks, files."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from teiden.files import written_whole

# Okabe and Ito, "Color Universal Design", 2008: told apart with every common colour blindness.
TRUTH = "#1f2d3d"
BELIEF = "#d55e00"
WRONG = "#aa3377"
SENT = "#e69f00"
HEARD = "#56b4e9"
KNOWN = "#0072b2"
DELIVERED, LOST, DIED = "#009e73", "#e69f00", "#aa3377"
QUIET = "#8a939c"
SOFT = "#5d6a75"
FAINT = "#d5dade"
INK = "#1b232b"
FAULT = "#c1121f"
OUTCOMES = {"delivered": DELIVERED, "lost": LOST, "died": DIED}

WIDTH_IN = 11.0
DPI = 150
TITLE_LETTERS = 98  # a line of the headline
# Tried in this order; a Japanese name needs one of the later ones, a missing one is passed over.
FONTS = ("DejaVu Sans", "Noto Sans CJK JP", "Noto Sans JP", "IPAexGothic", "IPAGothic", "TakaoGothic")

STYLE: dict[str, Any] = {
    "figure.facecolor": "white",
    "figure.dpi": DPI,
    "font.size": 10.5,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 10.5,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e8ebee",
    "grid.linewidth": 0.8,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "text.parse_math": False,  # a name may hold a dollar sign
    "legend.frameon": False,
    "legend.fontsize": 10,
    "path.simplify": True,
}


@dataclass(frozen=True)
class Picture:
    """One picture of a run folder.

    Attributes
    ----------
    file : str
        File name inside the run folder.
    title : str
        The finding, one sentence.
    how_to_read : str
        What the reader must know to read it.
    """

    file: str
    title: str
    how_to_read: str


@contextmanager
def styled() -> Iterator[None]:
    """Use the project's style inside the block and leave the caller's as it was."""
    there = {font.name for font in font_manager.fontManager.ttflist}
    fonts = [name for name in FONTS if name in there] or ["sans-serif"]
    with matplotlib.rc_context(STYLE | {"font.family": fonts}):
        yield


def new_figure(height_in: float) -> Figure:
    """Return an empty figure as wide as a report, outside pyplot's global state."""
    return Figure(figsize=(WIDTH_IN, height_in), layout="constrained")


def headline(figure: Figure, title: str) -> None:
    """Write the finding over the whole figure, wrapped to its width."""
    wrapped = textwrap.fill(title, TITLE_LETTERS)
    figure.suptitle(wrapped, x=0.008, ha="left", fontsize=13, fontweight="bold", linespacing=1.25)


def save(figure: Figure, path: Path) -> None:
    """Write the figure as PNG, whole and with the same bytes for the same content."""
    FigureCanvasAgg(figure)
    with written_whole(path) as beside:
        figure.savefig(beside, format="png", dpi=DPI, metadata={"Software": None})


def mark_times(axes: Any, marks: Sequence[tuple[float, str]], labelled: bool = True) -> None:
    """Draw labelled vertical lines at times, the labels above the axes and never on top of each other.

    Parameters
    ----------
    axes : matplotlib Axes
        Its x limits must be final; marks outside them are left out.
    marks : sequence of (x, label)
        In the unit of the x axis.
    labelled : bool
        Whether to write the labels.
    """
    size = 9.0
    low, high = axes.get_xlim()
    width_pt = axes.get_position().width * axes.figure.get_figwidth() * 72
    row_ends: list[float] = []
    for share, label in _merged([((x - low) / (high - low), label) for x, label in marks if low <= x <= high]):
        axes.axvline(low + share * (high - low), color=QUIET, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        if not labelled:
            continue
        length = 0.56 * size * len(label) / width_pt
        start = max(0.0, min(share, 1.0 - length))
        row = next((k for k, end in enumerate(row_ends) if end < start), len(row_ends))
        row_ends[row : row + 1] = [start + length + 0.015]
        place = {"xycoords": "axes fraction", "textcoords": "offset points", "annotation_clip": False}
        axes.annotate(label, (start, 1.0), xytext=(0, 3 + row * (size + 4)), fontsize=size, color=INK, **place)


def _merged(marks: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """Return marks in order, those closer than 2 % of the axis as one with all their labels."""
    found: list[tuple[float, str]] = []
    for share, label in sorted(marks):
        if found and share - found[-1][0] < 0.02:
            found[-1] = (found[-1][0], f"{found[-1][1]}, {label}")
        else:
            found.append((share, label))
    return found


def count(n: float) -> str:
    """Return a whole number with thousands apart."""
    return f"{round(n):,}"


def seconds(value: float) -> str:
    """Return a span of time to read: ms, s, min and s, or h and min."""
    size = abs(value)
    if size < 1:
        return f"{value * 1e3:.3g}\u00a0ms"
    if size < 120:
        return f"{value:.3g}\u00a0s"
    large, small, names = (60, 1, ("min", "s")) if size < 7200 else (3600, 60, ("h", "min"))
    whole, rest = divmod(round(value / small), large // small)
    return f"{whole}\u00a0{names[0]}" + (f"\u00a0{rest}\u00a0{names[1]}" if rest else "")


def percent(share: float) -> str:
    """Return a share as percent; neither 0 % nor 100 % unless exact."""
    value = 100 * share
    if 99.9 < value < 100:
        return ">\u00a099.9\u00a0%"
    if 0 < value < 0.1:
        return "<\u00a00.1\u00a0%"
    return f"{value:.3g}\u00a0%"
