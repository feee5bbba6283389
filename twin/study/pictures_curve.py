"""Pictures over time: truth against belief, the channel's load, and how long Last Gasps take."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from twin.study import pictures_style as style
from twin.study.pictures_data import Columns, RunTables

MAX_POINTS = 2000

# Column of the curve, label, colour, line style, width; belief dashed so that it shows on top of what it covers.
CURVES = (
    ("truly_dark", "truly dark", style.TRUTH, "-", 3.0),
    ("gasps_sent", "Last Gasps sent", style.SENT, "-", 1.6),
    ("heard_by_concentrators", "heard by a concentrator", style.HEARD, "-", 1.6),
    ("known_at_head_end", "known at the head end", style.KNOWN, "-", 1.6),
    ("believed_dark", "believed dark", style.BELIEF, "--", 2.2),
    ("wrongly_dark", "wrongly believed dark", style.WRONG, "-", 1.8),
)


LOADS = (
    "Transmitting time,\nall nodes [s per s]",
    "Frames put\non air [1/s]",
    "Busiest substation:\nshare of time [%]",
)


def _step_marks(run: RunTables) -> list[tuple[float, str]]:
    return [(t_s - run.origin_s, stage) for t_s, stage, _ in run.steps]


def truth_belief(run: RunTables) -> tuple[Figure, str]:
    """Draw who was dark and who was believed dark, all of the run and the first minutes; return figure, finding."""
    curve = run.query("SELECT * FROM curve ORDER BY t_s")
    t = curve["t_s"] - run.origin_s
    has_fault = bool(run.summary.get("fault"))
    figure = style.new_figure(7.6 if has_fault else 4.6)
    panels = figure.subplots(2 if has_fault else 1, 1, squeeze=False)[:, 0]
    top = max(1.0, max(float(curve[name].max(initial=0)) for name, *_ in CURVES))
    for axes in panels:
        for name, label, colour, dash, width in CURVES:
            look = {"label": label, "color": colour, "linestyle": dash, "linewidth": width}
            axes.plot(*_moved(run, name, t, curve[name]), drawstyle="steps-post", **look)
        axes.set_ylim(-0.02 * top, 1.05 * top)
        axes.set_ylabel("Meters")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    if has_fault:
        panels[0].set_xlim(-5, _first_minutes(run))
        panels[0].set_xlabel("Time after the fault [s] – the first moments")
    panels[-1].set_xlim(-run.origin_s, run.end_s - run.origin_s)
    panels[-1].set_xlabel(run.time_axis + (" – the whole run" if has_fault else ""))
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    title = _curve_title(run, curve)
    style.headline(figure, title)
    figure.draw_without_rendering()
    for axes in panels:
        style.mark_times(axes, _step_marks(run))
    return figure, title


def _moved(run: RunTables, name: str, t: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the truth at the very times of the supply's steps, anything else as it was sampled."""
    steps = run.query("SELECT t_s, dark_meters FROM steps ORDER BY t_s")
    if name != "truly_dark" or not steps["t_s"].size:
        return t, values
    at = np.concatenate([[0.0], steps["t_s"], [run.end_s]]) - run.origin_s
    before = values[:1] if values.size and steps["t_s"][0] > 0 else [0]
    return at, np.concatenate([before, steps["dark_meters"], steps["dark_meters"][-1:]])


def _first_minutes(run: RunTables) -> float:
    """Return how far the zoomed panel goes [s]: past the last arrival, 20 s at least, three minutes at most."""
    last = run.query(
        "SELECT quantile_disc(head_end_s, 0.98) AS t FROM gasps WHERE kind = 'last_gasp' AND outcome = 'delivered'"
    )["t"]
    reach = float(last[0]) - run.fault_s if last.size and np.isfinite(float(last[0] or np.nan)) else 60.0
    return float(np.clip(1.3 * reach, 20.0, min(180.0, max(20.0, run.end_s - run.fault_s))))


def _curve_title(run: RunTables, curve: Columns) -> str:
    peak = int(curve["truly_dark"].max(initial=0))
    if not peak:
        return f"No meter lost supply, yet up to {style.count(curve['wrongly_dark'].max(initial=0))} are believed dark"
    gasps = run.summary.get("gasps") or {}
    half, most = gasps.get("time_to_50_s"), gasps.get("time_to_90_s")
    best = int(curve["rightly_dark"].max(initial=0))
    wrong = int(curve["wrongly_dark"][-1])
    missed = int(curve["truly_dark"][-1] - curve["rightly_dark"][-1])
    text = f"Of {style.count(peak)} dark meters the head end knows up to {style.count(best)}"
    if half is not None and most is not None:
        text += f"; half of what arrives is there after {style.seconds(half)}, 90 % after {style.seconds(most)}"
    return text + f"; at the end it holds {style.count(wrong)} wrongly dark and misses {style.count(missed)}"


def channel_load(run: RunTables) -> tuple[Figure, str]:
    """Draw transmitting time, frames and the busiest substation's load over time; return figure and finding."""
    air, bin_s = _binned_air(run)
    has_fault = bool(run.summary.get("fault"))
    figure = style.new_figure(7.2)
    panels = figure.subplots(3, 1 + has_fault, sharex="col", sharey="row", squeeze=False)
    for column in panels.T:
        _draw_load(column, air, air["t_s"] - run.origin_s)
    whole = panels[:, -1]
    whole[0].set_xlim(-run.origin_s, run.end_s - run.origin_s)
    whole[2].set_xlabel(run.time_axis + (f", largest second of every {bin_s}" if bin_s > 1 else ", the whole run"))
    if has_fault:
        panels[0, 0].set_xlim(-5, _first_minutes(run))
        panels[2, 0].set_xlabel("Time after the fault [s], the first moments")
    for axes, name in zip(panels[:, 0], LOADS, strict=True):
        axes.set_ylabel(name)
        axes.set_ylim(bottom=0)
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    title = _load_title(run, air)
    style.headline(figure, title)
    figure.draw_without_rendering()
    for row in panels:
        for axes in row:
            style.mark_times(axes, _step_marks(run), labelled=axes in panels[0])
    return figure, title


def _draw_load(column: np.ndarray, air: Columns, t: np.ndarray) -> None:
    """Draw the three panels of one span of time."""
    time_on_air, frames, busiest = column
    data, acks = air["data_air_s"], air["ack_air_s"]
    solid = {"step": "post", "linewidth": 0}
    time_on_air.fill_between(t, data, color=style.KNOWN, label="data", **solid)
    time_on_air.fill_between(t, data, data + acks, color=style.HEARD, label="acknowledgements", **solid)
    frames.plot(t, air["data_frames"], drawstyle="steps-post", color=style.KNOWN, linewidth=1.4)
    frames.plot(t, air["ack_frames"], drawstyle="steps-post", color=style.HEARD, linewidth=1.4)
    busiest.fill_between(t, 100 * air["busiest_load"], color=style.QUIET, **solid)
    if air["busiest_load"].max(initial=0) > 0.9:
        busiest.axhline(100, color=style.INK, linewidth=1)
        busiest.annotate(
            "full", (1, 100), xycoords=("axes fraction", "data"), xytext=(-4, 3), textcoords="offset points", ha="right"
        )


def _binned_air(run: RunTables) -> tuple[Columns, int]:
    """Return the channel's seconds, or the largest of every n seconds of a long run, and n."""
    span = run.query("SELECT coalesce(max(t_s) - min(t_s), 0) AS s FROM air")["s"][0]
    bin_s = max(1, int(-(-span // MAX_POINTS)))
    air = run.query(
        f"""
        SELECT floor(t_s / {bin_s}) * {bin_s} AS t_s, max(data_air_s) AS data_air_s, max(ack_air_s) AS ack_air_s,
          max(data_frames) AS data_frames, max(ack_frames) AS ack_frames, max(busiest_load) AS busiest_load,
          arg_max(busiest_substation, busiest_load) AS busiest_substation
        FROM air GROUP BY 1 ORDER BY 1
        """
    )
    return air, bin_s


def _load_title(run: RunTables, air: Columns) -> str:
    if not air["t_s"].size or not air["data_frames"].any():
        return "Nothing was sent"
    k = int(np.argmax(air["busiest_load"]))
    when = air["t_s"][k] - run.origin_s
    names = run.query("SELECT name FROM substations WHERE substation = ?", int(air["busiest_substation"][k]))["name"]
    place = names[0] if names.size else f"substation {int(air['busiest_substation'][k])}"
    relation = "after the fault" if run.summary.get("fault") else "into the run"
    total = float((air["data_air_s"] + air["ack_air_s"]).max())
    return (
        f"In its worst second, {style.seconds(when)} {relation}, the busiest cell, {place}, transmits for "
        f"{style.seconds(float(air['busiest_load'][k]))}; all nodes together for at most {style.seconds(total)}"
    )


def gasp_latency(run: RunTables) -> tuple[Figure, str]:
    """Draw how long Last Gasps take, why others fail, and delivery by hops; return figure and finding."""
    figure = style.new_figure(4.9)
    cdf, fates, hops = figure.subplots(1, 3, gridspec_kw={"width_ratios": [1.45, 1.05, 1]})
    n = int(run.query("SELECT count(*) AS n FROM gasps WHERE kind = 'last_gasp'")["n"][0])
    _draw_latency(cdf, run, n)
    _draw_causes(fates, run, n)
    _draw_by_hops(hops, run)
    title = _latency_title(run, n)
    style.headline(figure, title)
    return figure, title


def _draw_latency(axes: Any, run: RunTables, made: int) -> None:
    """Draw the share of all notices that were there by a time after detection; what never arrives keeps it below 1."""
    longest = 0.0
    for column, label, colour in (
        ("concentrator_s", "heard by a concentrator", style.HEARD),
        ("head_end_s", "verified at the head end", style.KNOWN),
    ):
        delay = run.query(
            f"SELECT {column} - detected_s AS s FROM gasps WHERE kind = 'last_gasp' AND {column} IS NOT NULL ORDER BY 1"
        )["s"]
        if not delay.size:
            continue
        # A thousand quantiles draw the same curve as a million points.
        at = np.unique(np.linspace(0, delay.size - 1, min(delay.size, 1001)).astype(int))
        axes.plot(delay[at], 100 * (at + 1) / made, color=colour, linewidth=2, label=label, drawstyle="steps-post")
        longest = max(longest, float(delay[-1]))
    axes.set_ylim(0, 101)
    axes.set_xlim(0, 1.03 * longest if longest else 1)
    axes.set_xlabel("Time since the meter detected [s]")
    axes.set_ylabel("Share of all Last Gasps made [%]")
    axes.set_title("How long they take")
    axes.legend(loc="lower right")


def _draw_causes(axes: Any, run: RunTables, made: int) -> None:
    """Draw one bar per outcome and cause, each with its number."""
    found = run.query(
        "SELECT outcome, cause, count(*) AS n FROM gasps WHERE kind = 'last_gasp' GROUP BY 1, 2 "
        "ORDER BY outcome = 'delivered' DESC, n DESC, outcome, cause LIMIT 8"
    )
    labels = [
        outcome if cause in ("", outcome) else f"{outcome}: {textwrap.fill(str(cause).replace('_', ' '), 22)}"
        for outcome, cause in zip(found["outcome"], found["cause"], strict=True)
    ]
    share = 100 * found["n"] / made
    place = np.arange(len(labels))[::-1]
    axes.barh(place, share, height=0.42, color=[style.OUTCOMES.get(str(o), style.QUIET) for o in found["outcome"]])
    for y, value, n, label in zip(place, share, found["n"], labels, strict=True):
        axes.annotate(label, (0, y + 0.25), va="bottom", fontsize=9.5, linespacing=1.1)
        inside = value > 60
        axes.annotate(
            style.count(n), (value, y), xytext=(-4 if inside else 4, 0), textcoords="offset points", va="center",
            ha="right" if inside else "left", fontsize=9.5, color="white" if inside else style.INK,
        )  # fmt: skip
    axes.set_yticks([])
    axes.set_xlim(0, 100)
    axes.set_ylim(-0.5, len(labels) - 0.2)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("Share of all Last Gasps [%]")
    axes.set_title("What became of them")


def _draw_by_hops(axes: Any, run: RunTables) -> None:
    """Draw the delivery ratio by the meter's distance in hops, with the 95 % interval of Wilson (1927)."""
    found = run.query(
        "SELECT greatest(coalesce(m.hops, 0), 0) AS hops, count(*) AS n, "
        "count(*) FILTER (g.outcome = 'delivered') AS got "
        "FROM gasps g JOIN meters m USING (meter) WHERE g.kind = 'last_gasp' GROUP BY 1 ORDER BY 1"
    )
    n, got = found["n"].astype(float), found["got"].astype(float)
    z = 1.96
    middle = (got + z**2 / 2) / (n + z**2)
    reach = z / (n + z**2) * np.sqrt(got * (n - got) / n + z**2 / 4)
    axes.vlines(found["hops"], 100 * (middle - reach), 100 * (middle + reach), color=style.QUIET, linewidth=1.6)
    axes.plot(found["hops"], 100 * got / n, "o", color=style.DELIVERED, markersize=7, clip_on=False, zorder=4)
    shown = slice(None, None, -(-len(n) // 11))
    axes.set_xticks(
        found["hops"][shown], [f"{h or 'none'}\n{_short(k)}" for h, k in zip(found["hops"], n, strict=True)][shown]
    )
    axes.tick_params(axis="x", labelsize=10.5 if len(n) < 8 else 8.5)
    axes.set_ylim(0, 101)
    axes.set_xlim(found["hops"].min() - 0.6, found["hops"].max() + 0.6)
    axes.set_xlabel("Hops from meter to concentrator,\nand how many Last Gasps")
    axes.set_ylabel("Delivered [%]")
    axes.set_title("How far they get")


def _short(n: float) -> str:
    """Return a count in few letters: 823, 41k, 1.2M."""
    if n < 1000:
        return f"{n:.0f}"
    return f"{n / 1e3:.0f}k" if n < 1e6 else f"{n / 1e6:.1f}M"


def _latency_title(run: RunTables, made: int) -> str:
    found = run.query(
        "SELECT count(*) FILTER (outcome = 'delivered') AS got, "
        "quantile_disc(head_end_s - detected_s, 0.5) AS half, quantile_disc(head_end_s - detected_s, 0.95) AS most "
        "FROM gasps WHERE kind = 'last_gasp'"
    )
    got = int(found["got"][0])
    text = f"{style.count(got)} of {style.count(made)} Last Gasps arrive ({style.percent(got / made)})"
    if not got:
        return text
    half, most = style.seconds(float(found["half"][0])), style.seconds(float(found["most"][0]))
    return f"{text}, half of those within {half} of detection and 95 % within {most}"
