"""The pictures of a collection run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from twin.collection.pictures_commands import commands, island
from twin.collection.pictures_firmware import firmware
from twin.collection.pictures_places import places
from twin.collection.report_text import words
from twin.store.pictures import missing_map_figure
from twin.study import pictures_style as style
from twin.study.pictures import Picture
from twin.study.pictures_data import RunTables

COLOURS = (style.KNOWN, style.SENT, style.DELIVERED, style.WRONG, style.HEARD)
MAX_DOTS = 40_000


def _always(run: RunTables) -> bool:
    return True


def _something_missing(run: RunTables) -> bool:
    return bool(run.query("SELECT count(*) AS n FROM meters WHERE stored < owed")["n"][0])


def _something_late(run: RunTables) -> bool:
    return run.rows("late_or_missing") > 0 and bool(run.query("SELECT sum(missing) AS n FROM late_or_missing")["n"][0])


def in_time(run: RunTables) -> tuple[Figure, str]:
    """Draw how old values are when they are stored, and the share in time by concentrator."""
    figure = style.new_figure(4.8)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    classes = run.summary["classes"]
    for k, (name, found) in enumerate(classes.items()):
        curve = run.query("SELECT age_s, stored_share FROM curve WHERE class = ? AND age_s >= 1 ORDER BY age_s", name)
        left.plot(curve["age_s"] / 60, 100 * curve["stored_share"], color=COLOURS[k], label=words(name), linewidth=2)
        if found["limit_s"] <= 86_400:
            left.axvline(found["limit_s"] / 60, color=COLOURS[k], linestyle=(0, (4, 3)), linewidth=1)
    left.set_xscale("log")
    left.set_xlim(0.1, 1440)
    left.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    left.set_ylim(0, 102)
    left.set_xlabel("Age when stored [min]; dashed: due")
    left.set_ylabel("Share of what was owed [%]")
    left.legend(loc="upper left")
    _by_concentrator(run, right)
    share, worst = next(iter(classes.values()))["within_limit_share"], run.summary["worst"]["on_time_share"]
    name = words(next(iter(classes)))
    title = (f"{_percent(share)} of the {name} values are stored in time, {_percent(worst)} at the worst 1 % of the "
             "concentrators")  # fmt: skip
    style.headline(figure, title)
    return figure, title


def _by_concentrator(run: RunTables, axes: Any) -> None:
    shares = np.sort(run.query("SELECT on_time_share AS s FROM concentrators WHERE owed > 0")["s"])
    if not shares.size:
        return
    place = 100 * (np.arange(shares.size) + 0.5) / shares.size
    worst = max(1, -(-shares.size // 100))
    axes.plot(place, 100 * shares, color=style.KNOWN, linewidth=1.5)
    axes.plot(place[:worst], 100 * shares[:worst], "o", color=style.FAULT, markersize=5, label="worst 1 %")
    axes.set_xlabel(f"Concentrators, worst first [% of {style.count(shares.size)}]")
    axes.set_ylabel("Billing values in time [%]")
    axes.legend(loc="lower right")


def completeness(run: RunTables) -> tuple[Figure, str]:
    """Draw first pass, in time and stored by interval."""
    figure = style.new_figure(3.9)
    axes = figure.subplots()
    name = next(iter(run.summary["classes"]))
    found = run.query("SELECT * FROM intervals WHERE class = ? ORDER BY interval_end_s", name)
    hours = found["interval_end_s"] / 3600
    for key, label, colour in (("stored", "stored by the end", style.TRUTH), ("on_time", "in time", style.KNOWN),
                               ("first_pass", "first pass", style.SENT)):  # fmt: skip
        axes.plot(hours, 100 * found[key] / found["owed"], color=colour, label=label, drawstyle="steps-mid")
    lowest = 100 * min(float((found[key] / found["owed"]).min()) for key in ("stored", "on_time", "first_pass"))
    axes.set_ylim(np.floor(lowest) - 1, 100.5)
    axes.set_xlabel("End of the interval [h in the run]")
    axes.set_ylabel(f"Share of {words(name)} values [%]")
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3)
    low = int(np.argmin(found["on_time"] / found["owed"]))
    title = (f"The interval with the fewest values in time ends at {hours[low]:g}\u00a0h: "
             f"{_percent(found['on_time'][low] / found['owed'][low])}")  # fmt: skip
    style.headline(figure, title)
    return figure, title


def restoration(run: RunTables) -> tuple[Figure, str]:
    """Draw how long after the return of supply meters are heard again and their gaps filled."""
    figure = style.new_figure(3.9)
    axes = figure.subplots()
    back = run.query("SELECT coalesce(first_value_s, 1e12) AS first, coalesce(filled_s, 1e12) AS filled FROM returns")
    for label, values, colour in (
        ("first value after the return stored", back["first"], style.KNOWN),
        ("last gap from before the loss filled", back["filled"][back["filled"] > 0], style.SENT),
    ):
        if values.size:
            axes.plot(np.sort(values) / 3600, 100 * np.arange(1, values.size + 1) / values.size, color=colour,
                      label=f"{label} ({style.count(values.size)} meters)", drawstyle="steps-post")  # fmt: skip
    last = max((float(values[values < 1e12].max(initial=0)) for values in back.values()), default=0.0)
    axes.set_xlim(0, max(1.0, 1.05 * last / 3600))
    axes.set_ylim(0, 102)
    axes.set_xlabel("Time after the return of the meter's supply [h]")
    axes.set_ylabel("Share of the meters [%]")
    axes.legend(loc="lower right")
    said = run.summary["restoration"]
    half = said["first_value_after_return_s"]["p50"]
    again, all_back = style.count(said["heard_again"]), style.count(said["meters_back"])
    title = f"{again} of {all_back} meters that came back are heard again"
    if half is not None:
        title += f", half of them within {style.seconds(half)}"
    style.headline(figure, title)
    return figure, title


def missing_map(run: RunTables) -> tuple[Figure, str]:
    """Draw which concentrators lacked which intervals in time, as ``teiden store draw`` does for groups of meters."""
    found = run.query("SELECT * FROM late_or_missing ORDER BY concentrator, interval_end_s")
    ends_ns = np.rint(found["interval_end_s"] * 1e9).astype(np.int64)
    columns = {"group": found["concentrator"], "interval_end_ns": ends_ns}
    return missing_map_figure(pa.table(columns | {"expected": found["owed"], "missing": found["missing"]}))


def missing_places(run: RunTables) -> tuple[Figure, str]:
    """Draw where the meters are whose values are missing at the end."""
    figure = style.new_figure(6.2)
    axes = figure.subplots()
    whole = run.query(f"SELECT lon_deg, lat_deg FROM meters WHERE stored = owed ORDER BY hash(meter) LIMIT {MAX_DOTS}")
    gaps = run.query("SELECT lon_deg, lat_deg, owed - stored AS gone, owed FROM meters WHERE stored < owed")
    masts = run.query("SELECT lon_deg, lat_deg FROM concentrators WHERE meters > 0")
    axes.plot(whole["lon_deg"], whole["lat_deg"], ".", color=style.FAINT, markersize=1.5, rasterized=True)
    axes.plot(masts["lon_deg"], masts["lat_deg"], "^", color=style.QUIET, markersize=3, label="concentrator", zorder=1)
    dots = axes.scatter(gaps["lon_deg"], gaps["lat_deg"], c=100 * gaps["gone"] / gaps["owed"], s=20, cmap="YlOrRd",
                        vmin=0, vmax=100, edgecolors=style.INK, linewidths=0.3, zorder=3)  # fmt: skip
    figure.colorbar(dots, ax=axes, label="Missing at the end [%]", shrink=0.7)
    axes.set_aspect(1 / np.cos(np.radians(float(np.mean(masts["lat_deg"])))) if abs(masts["lat_deg"]).max() < 90 else 1)
    axes.set_xlabel("East")
    axes.set_ylabel("North")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    never = int((gaps["gone"] == gaps["owed"]).sum())
    title = (f"{style.count(gaps['gone'].size)} of {style.count(run.summary['meters'])} meters have gaps at the end, "
             f"of which {style.count(never)} were never heard")  # fmt: skip
    style.headline(figure, title)
    return figure, title


def load(run: RunTables) -> tuple[Figure, str]:
    """Draw what the air and the head end carried over the day, and what the airtime was spent on."""
    figure = style.new_figure(6.6)
    grid = figure.add_gridspec(3, 2, width_ratios=(3, 1.3))
    found = run.query("SELECT * FROM load ORDER BY t_s")
    hours, step_s = found["t_s"] / 3600, np.diff(np.r_[0, found["t_s"]])
    air = figure.add_subplot(grid[0, 0])
    meters = run.summary["meters"] / 1000
    air.plot(hours, found["data_air_s"] / step_s / meters * 3600, color=style.KNOWN, label="data")
    air.plot(hours, found["ack_air_s"] / step_s / meters * 3600, color=style.SENT, label="acknowledgements")
    air.set_ylabel("On air [s per h\nand 1,000 nodes]")
    air.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2)
    rate = figure.add_subplot(grid[1, 0], sharex=air)
    rate.plot(hours, np.diff(np.r_[0, found["stored_values"]]) / step_s, color=style.DELIVERED)
    rate.set_ylabel("Values stored\n[1/s]")
    work = figure.add_subplot(grid[2, 0], sharex=air)
    work.plot(hours, 100 * found["worker_load"], color=style.TRUTH)
    work.set_ylabel("Workers busy [%]")
    work.set_xlabel("Time in the run [h]")
    for axes in (air, rate, work):
        axes.set_ylim(bottom=0)
    _causes(run, figure.add_subplot(grid[:2, 1]))
    head_end, air_said = run.summary["head_end"], run.summary["air"]
    title = (f"{head_end['values_per_s_peak_5_min']:.3g} values a second at the peak; the busiest radio, "
             f"{air_said['busiest_node']}, sends {air_said['busiest_node_s_per_h']:.3g} s an hour")  # fmt: skip
    style.headline(figure, title)
    return figure, title


def _causes(run: RunTables, axes: Any) -> None:
    shares = {key.removesuffix("_share"): share for key, share in run.summary["air"]["data_airtime"].items()}
    names = list(shares)[::-1]
    axes.barh([words(name) for name in names], [100 * shares[name] for name in names], color=style.HEARD)
    axes.xaxis.set_major_formatter(PercentFormatter(decimals=0))
    axes.set_xlabel("Share of the data's airtime")
    axes.grid(axis="y", visible=False)


def _percent(share: float | None) -> str:
    return "–" if share is None else style.percent(share)


PICTURES: tuple[tuple[str, Callable, Callable[[RunTables], bool], str], ...] = (
    ("in_time.png", in_time, _always,
     "Left: a curve ends at the share that arrived at all; where it crosses its dashed line is the share in time. "
     "Right: every concentrator's own share, so that a good mean cannot hide a bad place."),
    ("completeness.png", completeness, _always,
     "First pass: without having been asked for again. The gap between first pass and in time is what re-requests "
     "mended; the last intervals may lie too late to be judged."),
    ("places.png", places, lambda run: bool(run.summary["municipalities"]),
     "Each dot is a meter, by the hops of its route; triangles are concentrators. Empty land between clusters is towns "
     "that were not drawn, for lack of meters."),
    ("restoration.png", restoration, lambda run: run.rows("returns") > 0,
     "A curve that does not reach 100 % ends at the share that came back at all. A first value cannot be stored before "
     "the next interval has ended and its meter has reported."),
    ("commands.png", commands, lambda run: run.summary["commands"] is not None,
     "Of all that were addressed, those without a route included. Confirmed: the head end knows, by a sealed answer. "
     "The slope is the limiter's; what is missing at the end could not be reached."),
    ("island.png", island, lambda run: run.summary["island"] is not None,
     "A curve ends where the battery is empty. The contract's limit from the start is the island without a command; "
     "the commanded one from the start is what an immediate command would have given."),
    ("firmware.png", firmware, lambda run: run.summary["firmware"] is not None,
     "Steps are five minutes, in which blocks are handed to the radio; the steep end is the repair. Below: whether "
     "half hours get older while the image is on air."),
    ("missing_map.png", missing_map, _something_late,
     "A row is a concentrator, the worst on top: a dark row is a bad place, a dark column a bad hour, a dark patch a "
     "concentrator that was cut off."),
    ("missing_places.png", missing_places, _something_missing,
     "Coloured dots are meters with values missing at the end; grey ones have none missing. Lone dots are basements "
     "and pipe shafts, patches are a concentrator or its line."),
    ("load.png", load, _always,
     "Five-minute means. Airtime is summed over all nodes, so that it may pass 3,600 s an hour where cells are apart. "
     "Right: attempts times length by class; messages that shared a transmission count whole."),
)  # fmt: skip


def draw_pictures(run: RunTables) -> list[Picture]:
    """Draw every picture that applies into the run folder; return them in the report's order."""
    made = []
    with style.styled():
        for file, draw, applies, how_to_read in PICTURES:
            if applies(run):
                figure, title = draw(run)
                style.save(figure, run.path / file)
                made.append(Picture(file, title, how_to_read))
    return made
