"""The pictures of a fleet run."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from twin.study import pictures_style as style
from twin.study.pictures import Picture
from twin.study.pictures_data import RunTables

COLOURS = (style.KNOWN, style.SENT, style.DELIVERED)


def in_time(run: RunTables) -> tuple[Figure, str]:
    """Draw how old values are when they are stored, by link, and the strata's shares in time."""
    figure = style.new_figure(6.2)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2.4))
    limit_s, summary = run.summary["limit_s"], run.summary
    for k, name in enumerate(summary["by_link"]):
        curve = run.query("SELECT age_s, stored_share FROM curve WHERE link = ? AND age_s >= 6 ORDER BY age_s", name)
        left.plot(curve["age_s"] / 60, 100 * curve["stored_share"], color=COLOURS[k], label=name, linewidth=2)
    left.axvline(limit_s / 60, color=style.QUIET, linestyle=(0, (4, 3)), linewidth=1)
    left.set_xscale("log")
    left.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    left.set_xlim(0.5, 120)
    left.set_ylim(0, 102)
    left.set_xlabel("Age when stored [min]; dashed: due")
    left.set_ylabel("Share of the half-hour values [%]")
    left.legend(loc="upper left")
    strata = summary["by_stratum"][::-1]
    shares = np.array([100 * s["in_time"]["value"] for s in strata])
    errors = np.array([100 * (s["in_time"]["error"] or 0.0) for s in strata])
    right.errorbar(shares, np.arange(len(strata)), xerr=1.645 * errors, fmt="o", color=style.KNOWN, markersize=4)
    right.axvline(100 * summary["service_levels"][0]["limit"], color=style.QUIET, linestyle=(0, (4, 3)), linewidth=1)
    right.set_yticks(np.arange(len(strata)), [s["name"] for s in strata])
    right.set_xlabel("In time [%]; dashed: the level")
    value = summary["in_time"]["value"]
    title = f"{style.percent(value)} of the half-hour values of {style.count(summary['meters'])} meters are in time"
    style.headline(figure, title)
    return figure, title


def head_end(run: RunTables) -> tuple[Figure, str]:
    """Draw what flows into the nation's head end and how long it waits there."""
    figure = style.new_figure(5.6)
    rate, work = figure.subplots(2, 1, sharex=True)
    found = run.query("SELECT * FROM load ORDER BY t_s")
    minutes = found["t_s"] / 60
    rate.plot(minutes, found["values_per_s"] / 1000, color=style.DELIVERED)
    rate.set_ylabel("Values checked\n[1,000/s]")
    work.plot(minutes, found["busy_workers"], color=style.TRUTH, label="workers' time asked for")
    said = run.summary["head_end"]
    work.axhline(said["workers"], color=style.KNOWN, linewidth=1, label=f"there: {said['workers']:,}")
    work.axhline(said["workers_enough"], color=style.SENT, linewidth=1, linestyle=(0, (4, 3)),
                 label=f"enough: {said['workers_enough']:,}")  # fmt: skip
    work.set_ylabel("Workers")
    work.set_xlabel("Time in the run [min]; the half hour ends at 30")
    work.legend(loc="upper right")
    for axes in (rate, work):
        axes.set_ylim(bottom=0)
        axes.set_xlim(0, 1.1 * float(minutes[found["values_per_s"] > 0].max(initial=1.0)))
    title = (f"{said['peak_values_per_second'] / 1000:.3g} thousand values a second at the peak; "
             f"{said['workers_enough']:,} workers are enough")  # fmt: skip
    style.headline(figure, title)
    return figure, title


PICTURES = (
    ("in_time.png", in_time,
     "Left: weighted over all towns; a curve ends at the share that arrived at all. Right: each utility's dense and "
     "sparse places; bars are 1.645 standard errors, from how much the towns of a stratum differ."),
    ("head_end.png", head_end,
     "Ten-second means of the nation's flows. Where the work asked for lies above the workers that are there, a "
     "backlog builds up and values wait."),
)  # fmt: skip


def draw_pictures(run: RunTables) -> list[Picture]:
    """Draw every picture into the run folder; return them in the report's order."""
    made = []
    with style.styled():
        for file, draw, how_to_read in PICTURES:
            figure, title = draw(run)
            style.save(figure, run.path / file)
            made.append(Picture(file, title, how_to_read))
    return made
