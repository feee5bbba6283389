"""Pictures of a wave of commands and of an island."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from twin.study import pictures_style as style
from twin.study.pictures_data import RunTables

COLOURS = ((style.SENT, style.KNOWN), (style.HEARD, style.DELIVERED))
CASE_COLOURS = (style.FAULT, style.TRUTH, style.HEARD, style.DELIVERED)


def commands(run: RunTables) -> tuple[Figure, str]:
    """Draw the share of the addressed meters that a command reached and that confirmed it, over time."""
    figure = style.new_figure(3.9)
    axes = figure.subplots()
    said = run.summary["commands"]
    for wave, colours in zip(said["waves"], COLOURS, strict=False):
        for (column, label), colour in zip(
            (("reached_s", "carried out"), ("answered_s", "confirmed")), colours, strict=True
        ):
            found = run.query(f"SELECT {column} AS t FROM errands WHERE kind = ? AND {column} IS NOT NULL ORDER BY 1",
                              wave["kind"])["t"]  # fmt: skip
            share = 100 * np.arange(found.size + 1) / max(said["addressed"], 1)
            axes.plot((np.r_[wave["begin_s"], found] - wave["begin_s"]) / 60, share, color=colour,
                      label=f"{wave['kind']}: {label}", drawstyle="steps-post")  # fmt: skip
    axes.set_xlim(left=0)
    axes.set_ylim(0, 102)
    axes.set_xlabel("Time since the wave began [min]")
    axes.set_ylabel("Share of the addressed [%]")
    axes.legend(loc="lower right")
    first = said["waves"][0]
    title = (f"{style.count(first['acted'])} of {style.count(said['addressed'])} meters carried the command out, "
             f"{style.count(first['confirmed'])} confirmed it")  # fmt: skip
    if first["confirmed_s"]["p50"] is not None:
        title += f", half of those within {style.seconds(first['confirmed_s']['p50'])}"
    style.headline(figure, title)
    return figure, title


def island(run: RunTables) -> tuple[Figure, str]:
    """Draw what the island's battery holds and what its district draws, as it went and under one limit for all."""
    figure = style.new_figure(5.4)
    upper, lower = figure.subplots(2, 1, sharex=True)
    said = run.summary["island"]
    for case, colour in zip(said["cases"], CASE_COLOURS, strict=False):
        found = run.query('SELECT t_s, stored_kwh, net_drawn_kw FROM island WHERE "case" = ? ORDER BY t_s',
                          case["case"])  # fmt: skip
        hours, width = (found["t_s"] - said["begin_s"]) / 3600, 2.2 if case["case"] == "this run" else 1.2
        upper.plot(hours, found["stored_kwh"], color=colour, linewidth=width, label=case["case"])
        lower.plot(hours, found["net_drawn_kw"], color=colour, linewidth=width)
    lower.axhline(0, color=style.QUIET, linewidth=0.8)
    shown = [case["lasted_h"] for case in said["cases"] if case["went_dark"]]
    own = said["cases"][0]["lasted_h"]
    upper.set_xlim(0, 1.05 * max([*shown, own]) or 1)
    upper.set_ylim(bottom=0)
    upper.set_ylabel("In the battery [kWh]")
    upper.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=4)
    lower.set_ylabel("Drawn less fed in [kW]")
    lower.set_xlabel("Time since the district is on its own [h]")
    ending = "went dark after" if said["cases"][0]["went_dark"] else "still had supply after"
    title = (f"The island of {style.count(said['meters'])} meters {ending} {own:.3g}\u00a0h; "
             f"{style.percent(said['commanded_before_dark_share'])} had the command by then")  # fmt: skip
    style.headline(figure, title)
    return figure, title
