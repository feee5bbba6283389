"""Pictures of a store: how complete it becomes with time, and where values are missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure

from twin.store.schema import HOUR_NS
from twin.study.pictures_style import FAINT, INK, KNOWN, LOST, WRONG, count, headline, new_figure, percent, save, styled

MOST_ROWS = 300  # of the map; more groups share rows
MISSING = LinearSegmentedColormap.from_list("missing", ["#ffffff", LOST, "#5a2d00"])


def draw_completeness(table: pa.Table, path: Path, limit_s: float = 3600.0) -> None:
    """Draw ``completeness``: shares over the age of a value, of all, of the worst percent of groups and of the worst.

    Parameters
    ----------
    table : pyarrow.Table
        Of ``completeness.completeness``, by rising age.
    path : Path
        PNG to write.
    limit_s : float
        Age by which all should be there [s].
    """
    age_min = table["age_s"].to_numpy() / 60
    at = max(0, int(np.searchsorted(table["age_s"].to_numpy(), limit_s, side="right")) - 1)
    lines = (
        ("share", KNOWN, "all", 1.8),
        ("share_worst_percent", LOST, "worst 1 % of groups", 3.6),  # shows where the next one hides it
        ("share_worst", WRONG, "worst group", 1.4),
    )
    with styled():
        figure = new_figure(4.2)
        share, worst = (percent(table[name][at].as_py()) for name in ("share", "share_worst"))
        headline(figure, f"{share} of values are there {age_min[at]:g} min after their interval, {worst} in one group")
        axes = figure.subplots()
        for name, colour, label, width in lines:
            axes.step(age_min, 100 * table[name].to_numpy(), where="post", color=colour, label=label, linewidth=width)
        axes.axvline(limit_s / 60, color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
        axes.set(xlim=(0, age_min.max()), ylim=(0, 101), xlabel="minutes after the interval's end",
                 ylabel=f"there, % of {count(table['expected'][0].as_py())} values")  # fmt: skip
        axes.legend(loc="lower right")
        save(figure, path)


def draw_missing_map(table: pa.Table, path: Path, group_name: str = "concentrators") -> None:
    """Draw ``missing_map`` into a PNG; parameters of `missing_map_figure`."""
    with styled():
        save(missing_map_figure(table, group_name)[0], path)


def missing_map_figure(table: pa.Table, group_name: str = "concentrators") -> tuple[Figure, str]:
    """Return the picture of ``missing_map``, and its title: the worst group on top, darker where more is missing.

    Parameters
    ----------
    table : pyarrow.Table
        Of ``completeness.missing_map``; blank where nothing was expected.
    group_name : str
        What a group is, in the plural.
    """
    groups = np.unique(table["group"].to_numpy()).size
    ends = np.unique(table["interval_end_ns"].to_numpy()) / HOUR_NS
    missing, expected = (table[name].to_numpy().reshape(groups, ends.size) for name in ("missing", "expected"))
    order = np.argsort(-missing.sum(axis=1) / np.maximum(expected.sum(axis=1), 1), kind="stable")
    cuts = np.unique(np.linspace(0, groups, min(groups, MOST_ROWS), endpoint=False).astype(int))
    owed = np.add.reduceat(expected[order], cuts)
    share = np.where(owed > 0, np.add.reduceat(missing[order], cuts) / np.maximum(owed, 1), np.nan)
    step = ends[1] - ends[0] if ends.size > 1 else ends[0]
    touched = int(np.count_nonzero(missing.any(axis=1)))
    title = (f"{count(missing.sum())} of {count(expected.sum())} values were not there in time, "
             f"at {count(touched)} of {count(groups)} {group_name}")  # fmt: skip
    figure = new_figure(4.6)
    headline(figure, title)
    axes = figure.subplots()
    image = axes.imshow(
        100 * share, aspect="auto", interpolation="nearest", cmap=MISSING, norm=PowerNorm(0.5, 0, 100),
        extent=(ends[0] - step, ends[-1], groups, 0),
    )  # fmt: skip
    axes.grid(False)
    axes.set(xlabel="time of measurement, hours", ylabel=f"{group_name}, worst first")
    bar = figure.colorbar(image, ax=axes, label="not there, %", ticks=[0, 1, 5, 10, 25, 50, 100])
    bar.outline.set_edgecolor(FAINT)
    return figure, title
