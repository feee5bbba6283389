"""The picture of the front-end: what it sampled around the trigger, and when it said what."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from twin.study import pictures_style as style
from twin.study.pictures_data import Columns, RunTables

SUSPECT, CONFIRMED, WITHDRAWN = style.SENT, style.KNOWN, style.WRONG
ROW_PT = 15.0
MAX_MARKS = 12
PLOT_WIDTH = 0.91  # of the figure


def event_colour(kind: str) -> str:
    """Return the colour of a front-end event: suspicion, verdict, withdrawal or Last Gasp."""
    for part, colour in (
        ("withdrawn", WITHDRAWN),
        ("confirm", CONFIRMED),
        ("gasp", style.BELIEF),
        ("power_fail", SUSPECT),  # until RMS confirms it or takes it back
    ):
        if part in kind:
            return colour
    return style.QUIET


def board_waveform(run: RunTables) -> tuple[Figure, str]:
    """Draw the captured waveform with t0 and the front-end's events; return the figure and its finding."""
    t0_s = _t0_s(run)
    wave = run.query("SELECT (t_s - $1) * 1e3 AS ms, u_v FROM waveform ORDER BY t_s", t0_s)
    half = run.query("SELECT (t_s - $1) * 1e3 AS ms, u_rms_half_v AS u FROM half_cycles ORDER BY t_s", t0_s)
    events = run.query(
        "SELECT kind, (t_s - $1) * 1e3 AS ms, t0_source, t0_bound_us FROM board_events ORDER BY t_s, kind", t0_s
    )
    low, high = _window_ms(wave, events)
    marks = _marks(events, low, high)
    figure, axes = _canvas(len(marks))
    axes.plot(wave["ms"], wave["u_v"], color=style.TRUTH, linewidth=1.2, label="sampled voltage", zorder=3)
    _draw_rms(axes, half, low, high)
    peak = float(np.nanmax(np.abs(wave["u_v"]))) or 1.0
    axes.set_ylim(-1.2 * peak, 1.25 * peak)
    axes.set_xlim(low, high)
    axes.axhline(0, color=style.FAINT, linewidth=0.8, zorder=1)
    _draw_events(axes, marks, low, high)
    axes.set_xlabel("Time after t0 [ms]")
    axes.set_ylabel("Voltage at the front-end [V]")
    axes.legend(loc="upper right", bbox_to_anchor=(1.0, -0.07), ncols=2)
    title = _title(run, events)
    style.headline(figure, title)
    return figure, title


def _t0_s(run: RunTables) -> float:
    """Return the trigger that the declared failure is counted from [s].

    A dip before the failure has a t0 of its own; the summary says which one counts, else it is the first.
    """
    told = (run.summary.get("board") or {}).get("t0_s")
    if told is not None:
        return float(told)
    return float(run.query("SELECT t_s - after_t0_ms / 1e3 AS t FROM waveform ORDER BY t_s LIMIT 1")["t"][0])


def _canvas(marks: int) -> tuple[Figure, Any]:
    """Return a figure whose axes leave room above for a row of text per mark."""
    above_in, plot_in, below_in = 0.85 + marks * ROW_PT / 72, 3.5, 0.6
    height_in = above_in + plot_in + below_in
    figure = Figure(figsize=(style.WIDTH_IN, height_in))
    return figure, figure.add_axes((0.075, below_in / height_in, PLOT_WIDTH, plot_in / height_in))


def _window_ms(wave: Columns, events: Columns) -> tuple[float, float]:
    """Return the span to show: some cycles before the first and past the last event that the capture holds."""
    low, high = float(np.nanmin(wave["ms"])), float(np.nanmax(wave["ms"]))
    held = events["ms"][(events["ms"] >= low) & (events["ms"] <= high)]
    first, last = float(held.min(initial=0.0)), float(held.max(initial=0.0))
    left = max(low, first - 80.0)
    return left, min(high, last + max(60.0, 0.35 * (last - left)))


def _draw_rms(axes: Any, half: Columns, low: float, high: float) -> None:
    """Lay the half-cycle RMS over the wave where the run has both."""
    inside = (half["ms"] >= low) & (half["ms"] <= high)
    if inside.any():
        look = {"color": style.HEARD, "linewidth": 2.2, "label": "half-cycle RMS", "zorder": 4}
        axes.step(half["ms"][inside], half["u"][inside], where="post", **look)


def _draw_events(axes: Any, marks: list[tuple[float, str, str]], low: float, high: float) -> None:
    """Mark t0 and the events, each label on a row of its own."""
    for row, (ms, text, colour) in enumerate(marks):
        room_pt = (high - ms) / (high - low) * PLOT_WIDTH * style.WIDTH_IN * 72
        _flag(axes, ms, text, colour, len(marks) - 1 - row, left=room_pt < 5.8 * len(text))


def _marks(events: Columns, low: float, high: float) -> list[tuple[float, str, str]]:
    """Return time [ms], label and colour of t0 and of the events inside the picture, in order."""
    bound = events["t0_bound_us"][0] if events["kind"].size else np.nan
    origin = f"t0 ({events['t0_source'][0]}, ±{bound:.3g} µs)" if np.isfinite(bound) else "t0"
    marks = [(0.0, origin, style.FAULT)]
    for kind, ms in zip(events["kind"].astype(str), events["ms"].tolist(), strict=True):
        itself = kind == "t0" and abs(ms) < 1e-3
        if low <= ms <= high and not itself:
            name = "another t0" if kind == "t0" else kind.replace("_", " ")
            marks.append((ms, f"{name} {ms:+.1f} ms".replace("-", "−"), event_colour(kind)))
    return sorted(marks)[:MAX_MARKS]


def _flag(axes: Any, ms: float, text: str, colour: str, row: int, left: bool) -> None:
    """Draw a line from the foot of the axes up to its label, on a row above them."""
    height_pt = axes.get_position().height * axes.figure.get_figheight() * 72
    top = 1.0 + (5 + ROW_PT * row + 11) / height_pt
    axes.plot(
        [ms, ms], [0, top], color=colour, linewidth=1.8, transform=axes.get_xaxis_transform(), clip_on=False, zorder=5
    )
    axes.annotate(
        text,
        (ms, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(-5 if left else 5, 5 + ROW_PT * row),
        textcoords="offset points",
        ha="right" if left else "left",
        fontsize=10,
        annotation_clip=False,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        zorder=6,
    )


def _title(run: RunTables, events: Columns) -> str:
    """Tell when the failure was suspected and confirmed, each after the trigger before it."""
    kinds, ms = events["kind"].astype(str), events["ms"]
    taken_back = int(np.sum(kinds == "power_fail_withdrawn"))
    more = f"; {taken_back} earlier suspicion{'s' if taken_back > 1 else ''} taken back" if taken_back else ""
    confirmed = ms[kinds == "power_fail_confirmed"]
    if confirmed.size:
        told = confirmed[0]
        t0 = ms[(kinds == "t0") & (ms <= told)].max(initial=0.0)
        suspected = ms[(kinds == "power_fail") & (ms >= t0) & (ms <= told)]
        first = f"suspects the failure {suspected[0] - t0:.1f} ms after its trigger and " if suspected.size else ""
        return f"The front-end {first}is sure after {told - t0:.1f} ms{more}"
    latency = (run.summary.get("board") or {}).get("detection_latency_ms")
    if latency is None:
        return f"The front-end declares no power failure{more}"
    return f"The front-end declares the failure {latency:.1f} ms after the trigger{more}"
