"""Every picture of a run folder: which apply, what they are called, how they are read."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.figure import Figure

from twin.study import pictures_style as style
from twin.study.pictures_board import board_waveform
from twin.study.pictures_curve import channel_load, gasp_latency, truth_belief
from twin.study.pictures_data import RunTables, open_run
from twin.study.pictures_map import grid_map, meter_map
from twin.study.pictures_style import Picture

__all__ = ["Picture", "RunTables", "draw_pictures", "open_run"]

Draw = Callable[[RunTables], tuple[Figure, str]]


def _outage(run: RunTables) -> bool:
    return run.rows("beliefs") > 0 or bool(run.query("SELECT count(dark_s) > 0 AS any FROM meters")["any"][0])


def _last_gasps(run: RunTables) -> bool:
    return bool(run.query("SELECT count(*) > 0 AS any FROM gasps WHERE kind = 'last_gasp'")["any"][0])


def _waveform(run: RunTables) -> bool:
    return run.rows("waveform") > 0


def _air(run: RunTables) -> bool:
    return run.rows("air") > 0


# File, how to draw it, when it applies, how it is read.
PICTURES: tuple[tuple[str, Draw, Callable[[RunTables], bool], str], ...] = (
    (
        "grid_map.png",
        grid_map,
        _outage,
        "Upper row: what was so. Lower row: what the head end believed at the same moment. A circle is a substation, "
        "its area the number of meters, its filling the share of them dark; of other feeders only dots are drawn. Each "
        "column shows the state just before the next step of the supply, when the head end had had all the time it "
        "would get. Above each belief: how many meters it held dark, how many of those wrongly, how many dark ones it "
        "missed, and the section it named.",
    ),
    (
        "truth_belief.png",
        truth_belief,
        _outage,
        "The dark line is the truth, the dashed one what the head end believed; where they part, it was wrong or late. "
        "Sent, heard and known count Last Gasps so far and never fall. Vertical lines are steps of the supply.",
    ),
    (
        "gasp_latency.png",
        gasp_latency,
        _last_gasps,
        "Left: the curve ends at the share that arrived at all, so that what was lost stays visible. Right: delivery "
        "by the hops of the meter's route; grey bars are 95 % intervals, the numbers below how many stand "
        "behind each point.",
    ),
    (
        "meter_map.png",
        meter_map,
        _outage,
        "A dot is a meter of the affected feeders, its colour the fate of its first Last Gasp; losses lie on top. "
        "Patches of one colour mean a place, not chance: a hidden relay, a dead concentrator, a basement.",
    ),
    (
        "board_waveform.png",
        board_waveform,
        _waveform,
        "The voltage as the metering front-end sampled it, read out of its own buffer. Zero is the trigger latched "
        "from the source; each mark stands at the time the front-end gave for it, never set back to the onset.",
    ),
    (
        "channel_load.png",
        channel_load,
        _air,
        "Upper: seconds of transmission per second, summed over all nodes, so it may pass 1 where cells are apart. "
        "Lower: the same for the busiest substation alone; above 100 % its nodes must overlap.",
    ),
)


def draw_pictures(run: RunTables) -> list[Picture]:
    """Draw every picture that applies into the run folder, each file whole; return them in the report's order."""
    made = []
    with style.styled():
        for file, draw, applies, how_to_read in PICTURES:
            if applies(run):
                figure, title = draw(run)
                style.save(figure, run.path / file)
                made.append(Picture(file, title, how_to_read))
    return made
