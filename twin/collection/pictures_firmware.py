"""The picture of a new image on its way."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from twin.collection.report_text import words
from twin.study import pictures_style as style
from twin.study.pictures_data import RunTables


def firmware(run: RunTables) -> tuple[Figure, str]:
    """Draw the share of the meters that have the image, and what half hours took meanwhile."""
    figure = style.new_figure(5.4)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    said, meters = run.summary["firmware"], max(run.summary["firmware"]["meters"], 1)
    for column, label, colour in (("complete_s", "all blocks there", style.KNOWN),
                                  ("activated_s", "activated", style.DELIVERED)):  # fmt: skip
        found = run.query(f"SELECT {column} AS t FROM firmware WHERE {column} IS NOT NULL ORDER BY 1")["t"]
        hours = np.r_[said["begin_s"], found] / 3600
        upper.plot(hours, 100 * np.arange(found.size + 1) / meters, color=colour, label=label, drawstyle="steps-post")
    upper.set_ylim(0, 102)
    upper.set_ylabel("Share of the meters [%]")
    upper.legend(loc="lower right")
    name = next(iter(run.summary["classes"]))
    ages = run.query("SELECT interval_end_s, age_p50_s, age_p99_s FROM intervals WHERE class = ? ORDER BY 1", name)
    for column, colour in (("age_p50_s", style.SENT), ("age_p99_s", style.TRUTH)):
        lower.plot(ages["interval_end_s"] / 3600, ages[column] / 60, color=colour, label=column[4:7], marker=".")
    lower.axvspan(said["begin_s"] / 3600, said["end_s"] / 3600, color=style.FAINT, alpha=0.5, label="image on air")
    lower.set_xlim(max(0.0, said["begin_s"] / 3600 - 1), said["end_s"] / 3600 + 1)
    lower.set_ylim(bottom=0)
    lower.set_ylabel(f"Age of {words(name)}\nvalues [min]")
    lower.set_xlabel("Time in the run [h]")
    lower.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3)
    title = (f"{style.count(said['complete'])} of {style.count(said['meters'])} meters have the image, "
             f"{style.count(said['activated'])} use it")  # fmt: skip
    if said["complete_after_s"]["p50"] is not None:
        title += f"; half had it after {style.seconds(said['complete_after_s']['p50'])}"
    style.headline(figure, title)
    return figure, title
