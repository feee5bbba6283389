"""The picture of ``teiden characterise``: what is detected, over depth and duration, and how soon."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pyarrow as pa

from teiden.files import written_whole
from twin.study import pictures_style as style

LIMIT_MS = 2.0


def draw(table: pa.Table, path: Path) -> None:
    """Draw a table of `hil.characterise` as SVG; the same table gives the same bytes."""
    column = {name: np.array(table[name].to_pylist(), dtype=object) for name in table.column_names}
    with style.styled(), matplotlib.rc_context({"svg.hashsalt": "teiden", "svg.fonttype": "path"}):
        figure = style.new_figure(4.4)
        left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
        _shares(left, column)
        _delays(right, column)
        found = np.array([delay for delay in _deep(column)["detection_delay_ms"] if delay is not None])
        worst = f"{found.max():.3f} ms at the latest" if found.size else "none seen"
        title = f"Falls to 30 % and less that last 5 ms or more are detected {worst}; what keeps 70\u00a0%, never"
        if not column["missed"][column["residual_pu"].astype(float) >= 0.7].all():
            title = (
                f"Falls to 30 % and less that last 5 ms or more are detected {worst}; some that keep 70\u00a0% are too"
            )
        style.headline(figure, title)
        with written_whole(path) as beside:
            figure.savefig(beside, format="svg", metadata={"Date": None})


def _deep(column: dict[str, Any]) -> dict[str, Any]:
    kept = (column["residual_pu"].astype(float) <= 0.3) & (column["duration_ms"].astype(float) >= 5)
    return {name: values[kept] for name, values in column.items()}


def _shares(axes: Any, column: dict[str, Any]) -> None:
    """Draw which share of the cases is detected, and which of those is confirmed, as numbers on a grid."""
    residual, duration = column["residual_pu"].astype(float), column["duration_ms"].astype(float)
    steps, times = np.unique(residual), np.unique(duration)
    shares = np.zeros((steps.size, times.size))
    for row, step in enumerate(steps):
        for place, time in enumerate(times):
            here = (residual == step) & (duration == time)
            shares[row, place] = np.mean(~column["missed"][here].astype(bool))
            sure = np.mean(column["confirmed"][here].astype(bool))
            if shares[row, place]:
                text = f"{100 * shares[row, place]:.0f}\n{100 * sure:.0f}"
                shade = "white" if shares[row, place] > 0.55 else style.INK
                axes.text(place, row, text, ha="center", va="center", fontsize=7.5, color=shade, linespacing=0.95)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.15, aspect="auto", origin="lower")
    axes.set_xticks(range(times.size), [f"{time:g}" for time in times])
    axes.set_yticks(range(steps.size), [f"{step:g}" for step in steps])
    axes.grid(False)
    axes.set_xlabel("Duration of the dip [ms]")
    axes.set_ylabel("Voltage that is left, of nominal")
    axes.set_title("Detected (above) and confirmed by RMS (below) [% of cases]; empty: none")


def _delays(axes: Any, column: dict[str, Any]) -> None:
    """Draw the span and the median of the delays over the residual, with and without harmonics."""
    long = column["duration_ms"].astype(float) >= 20
    names = sorted(set(column["harmonics"]), key=lambda name: (name != "none", name))
    for place, name in enumerate(names):
        colour = (style.KNOWN, style.BELIEF, style.DELIVERED)[place % 3]
        here = long & (column["harmonics"] == name) & ~column["missed"].astype(bool)
        residual, delay = column["residual_pu"][here].astype(float), column["detection_delay_ms"][here].astype(float)
        steps = np.unique(residual)
        span = [(delay[residual == step].min(), delay[residual == step].max()) for step in steps]
        at = steps + 0.012 * (place - (len(names) - 1) / 2)
        axes.vlines(at, *zip(*span, strict=True), color=colour, linewidth=3, label=f"harmonics: {name}")
        axes.plot(at, [np.median(delay[residual == step]) for step in steps], "o", color=colour, markersize=4,
                  markeredgecolor="white")  # fmt: skip
    axes.axhline(LIMIT_MS, color=style.FAULT, linewidth=1)
    axes.text(0.995, LIMIT_MS, "2 ms", color=style.FAULT, ha="right", va="bottom", transform=axes.get_yaxis_transform())
    axes.set_ylim(bottom=0)
    axes.set_xlabel("Voltage that is left, of nominal")
    axes.set_ylabel("Fall to detection [ms]")
    axes.set_title("Dips of 20 ms and more: shortest, median, longest")
    axes.legend(loc="lower right")
