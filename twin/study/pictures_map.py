"""Maps of a run: the outage in truth and in belief, and what became of each dark meter's Last Gasp."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from twin.study import pictures_style as style
from twin.study.pictures_data import Columns, RunTables, section_name

MAX_MOMENTS = 5
MAX_DOTS = 30_000
SCALE_BAR_IN = 0.13  # below the axes
KM_PER_DEG = 111.32  # one degree of latitude on a sphere of 6378 km


@dataclass(frozen=True)
class Grid:
    """The MV grid in kilometres east and north of its middle.

    Attributes
    ----------
    centre_deg : tuple of float
        Longitude and latitude of the middle [deg].
    polylines : list of (n, 2) array
        One per MV line [km].
    numbers, names, feeders : (L,) array
        Of the lines.
    ends : (L, 2) array of int
        Node at either end; lines of one feeder that meet share a node.
    nodes_at : dict
        Nodes by rounded position, to find the substations; a busbar has one per feeder.
    """

    centre_deg: tuple[float, float]
    polylines: list[np.ndarray]
    numbers: np.ndarray
    names: np.ndarray
    feeders: np.ndarray
    ends: np.ndarray
    nodes_at: dict[tuple[float, float], list[int]]

    def to_km(self, lon_deg: np.ndarray, lat_deg: np.ndarray) -> np.ndarray:
        """Project positions onto the local plane [km]."""
        return _to_km(self.centre_deg, lon_deg, lat_deg)

    def find(self, line: Any) -> int | None:
        """Return the row of a line given by its name or its number, or None."""
        hits = np.flatnonzero((self.names == str(line)) | (self.numbers.astype(str) == str(line)))
        return int(hits[0]) if hits.size else None


def _to_km(centre_deg: tuple[float, float], lon_deg: np.ndarray, lat_deg: np.ndarray) -> np.ndarray:
    if abs(centre_deg[1]) > 90:  # no such latitude: a grid without coordinates on earth gives metres
        return np.column_stack([np.asarray(lon_deg) - centre_deg[0], np.asarray(lat_deg) - centre_deg[1]]) / 1000
    shrink = np.cos(np.radians(centre_deg[1]))
    return np.column_stack(
        [
            (np.asarray(lon_deg) - centre_deg[0]) * shrink * KM_PER_DEG,
            (np.asarray(lat_deg) - centre_deg[1]) * KM_PER_DEG,
        ]
    )


def _node_key(lon_deg: float, lat_deg: float) -> tuple[float, float]:
    return round(lon_deg, 6), round(lat_deg, 6)  # 0.1 m


def read_grid(run: RunTables) -> Grid:
    """Read the lines and find where they meet."""
    lines = run.query("SELECT line, name, feeder, lon_deg, lat_deg FROM lines ORDER BY line")
    middle = run.query(
        "SELECT (min(lon_deg) + max(lon_deg)) / 2 AS lon, (min(lat_deg) + max(lat_deg)) / 2 AS lat FROM substations"
    )
    centre = (float(np.nan_to_num(middle["lon"][0])), float(np.nan_to_num(middle["lat"][0])))
    node_of: dict[tuple[tuple[float, float], str], int] = {}
    ends = []
    for lon, lat, feeder in zip(lines["lon_deg"], lines["lat_deg"], lines["feeder"], strict=True):
        keys = [(_node_key(lon[k], lat[k]), feeder) for k in (0, -1)]
        ends.append([node_of.setdefault(key, len(node_of)) for key in keys])
    nodes_at: dict[tuple[float, float], list[int]] = {}
    for (place, _), node in node_of.items():
        nodes_at.setdefault(place, []).append(node)
    return Grid(
        centre,
        [
            _to_km(centre, np.array(lon), np.array(lat))
            for lon, lat in zip(lines["lon_deg"], lines["lat_deg"], strict=True)
        ],
        lines["line"],
        lines["name"],
        lines["feeder"],
        np.array(ends, dtype=int).reshape(-1, 2),
        nodes_at,
    )


def lines_dark(grid: Grid, substations: Columns, share: np.ndarray) -> np.ndarray:
    """Tell which lines are dark, from the share of dark meters of the substations they touch.

    A node without a substation takes the mean of its neighbours on the same feeder. A line is dark if its ends are
    so by more than half on average; one between a dark and a lit end counts as lit, as an open switch may sit
    anywhere on it.

    Returns
    -------
    (L,) bool
    """
    nodes = np.full(grid.ends.max(initial=0) + 1, np.nan)
    for lon, lat, dark in zip(substations["lon_deg"], substations["lat_deg"], share, strict=True):
        nodes[grid.nodes_at.get(_node_key(lon, lat), [])] = dark
    a, b = grid.ends[:, 0], grid.ends[:, 1]
    for _ in range(8):
        unknown = np.isnan(nodes)
        if not unknown.any():
            break
        total, n = np.zeros(nodes.size), np.zeros(nodes.size)
        for here, there in ((a, b), (b, a)):
            told = ~np.isnan(nodes[there])
            np.add.at(total, here[told], nodes[there[told]])
            np.add.at(n, here[told], 1)
        fill = unknown & (n > 0)
        nodes[fill] = total[fill] / n[fill]
    return np.nan_to_num(nodes[grid.ends]).mean(axis=1) > 0.5


def moments(run: RunTables) -> list[tuple[float, str]]:
    """Return the moments to show and their names: before the fault, then each stage once things settled."""
    stages: dict[float, str] = {}
    for t_s, stage, _ in run.steps:
        if t_s >= run.fault_s:
            stages.setdefault(t_s, stage)
    if not stages:
        return [(run.end_s, "at the end")]
    starts = sorted(stages)
    spans = list(zip(starts, [*starts[1:], run.end_s], strict=True))
    # Just before the next step, so that nothing of that step is in it; a stage of a blink gets no picture.
    settled = [(stop if stop == run.end_s else stop - 1e-6, stages[start]) for start, stop in spans if stop - start > 2]
    early = [(run.fault_s + 30.0, stages[start]) for start, stop in spans if start < run.fault_s + 30.0 < stop - 15.0]
    found = sorted({(max(0.0, run.fault_s - 1.0), "before the fault"), *settled})
    if len(found) < MAX_MOMENTS:
        found = sorted({*found, *early})
    return found if len(found) <= MAX_MOMENTS else [*found[: MAX_MOMENTS - 1], found[-1]]


def _window(points: np.ndarray, aspect: float) -> tuple[float, float, float, float]:
    """Return (left, right, bottom, top) around points with a margin, grown to height / width = aspect."""
    (left, bottom), (right, top) = points.min(axis=0), points.max(axis=0)
    width, height = max(right - left, 0.2) * 1.16, max(top - bottom, 0.2) * 1.16
    width, height = max(width, height / aspect), max(height, width * aspect)
    x, y = (left + right) / 2, (bottom + top) / 2
    return x - width / 2, x + width / 2, y - height / 2, y + height / 2


def _affected_points(run: RunTables, grid: Grid, substations: Columns) -> np.ndarray:
    """Return the positions that a zoomed map must show [km]."""
    everything = grid.to_km(substations["lon_deg"], substations["lat_deg"])
    inside = np.isin(substations["feeder"].astype(str), run.affected)
    points = [everything[inside]] if inside.any() else [everything]
    chosen = np.flatnonzero(np.isin(grid.feeders.astype(str), run.affected))
    points += [grid.polylines[k] for k in chosen]
    found = np.concatenate([p for p in points if len(p)] or [np.zeros((1, 2))])
    return found


def _bare(axes: Any, window: tuple[float, float, float, float]) -> None:
    axes.set_xlim(window[0], window[1])
    axes.set_ylim(window[2], window[3])
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color(style.FAINT)


def _scale_bar(axes: Any) -> None:
    """Draw a bar of a round length under the axes, where it hides nothing."""
    left, right = axes.get_xlim()
    room = 0.3 * (right - left)
    power = 10.0 ** np.floor(np.log10(room))
    length = max(step * power for step in (1, 2, 5) if step * power <= room)
    share = length / (right - left)
    text = f"{length:g} km" if length >= 1 else f"{1000 * length:g} m"
    y = -SCALE_BAR_IN / (axes.get_position().height * axes.figure.get_figheight())
    axes.plot([0, share], [y, y], color=style.INK, linewidth=2.5, transform=axes.transAxes, clip_on=False)
    beside = {"xycoords": axes.transAxes, "xytext": (5, 0), "textcoords": "offset points", "annotation_clip": False}
    axes.annotate(text, (share, y), va="center", fontsize=8.5, **beside)


def _scale(colour: str) -> LinearSegmentedColormap:
    return LinearSegmentedColormap.from_list(colour, ["#ffffff", colour])


def _draw_lines(axes: Any, grid: Grid, dark: np.ndarray, colour: str, width: float) -> None:
    lit = [line for line, is_dark in zip(grid.polylines, dark, strict=True) if not is_dark]
    out = [line for line, is_dark in zip(grid.polylines, dark, strict=True) if is_dark]
    axes.add_collection(LineCollection(lit, colors="#b4bdc6", linewidths=width * 0.6, zorder=2))
    axes.add_collection(LineCollection(out, colors=colour, linewidths=width * 1.6, zorder=3))


def _mark_fault(axes: Any, polyline: np.ndarray) -> None:
    """Mark the faulted line, with an arrow to its middle from outside, so that it hides no substation."""
    axes.plot(*polyline.T, color=style.FAULT, linewidth=2.4, zorder=5, solid_capstyle="round")
    walked = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(polyline, axis=0).T))])
    middle = [np.interp(walked[-1] / 2, walked, polyline[:, k]) for k in (0, 1)]
    arrow = {"arrowstyle": "-|>", "color": style.FAULT, "linewidth": 1.8, "shrinkA": 0, "shrinkB": 1}
    axes.annotate("", middle, xytext=(-15, 19), textcoords="offset points", arrowprops=arrow, zorder=8)


@dataclass(frozen=True)
class _Scene:
    """What all panels of the map share."""

    run: RunTables
    grid: Grid
    window: tuple[float, float, float, float]
    fault_row: int | None
    area_per_meter: float


def _panel(axes: Any, scene: _Scene, t_s: float, believed: bool) -> None:
    """Draw one moment, in truth or in belief."""
    subs = scene.run.substations_at(t_s)
    share, colour = (subs["believed_share"], style.BELIEF) if believed else (subs["true_share"], style.TRUTH)
    _bare(axes, scene.window)
    _draw_lines(axes, scene.grid, lines_dark(scene.grid, subs, share), colour, 1.4)
    at = scene.grid.to_km(subs["lon_deg"], subs["lat_deg"])
    near = np.isin(subs["feeder"].astype(str), scene.run.affected) | (share > 0)
    off = believed & (np.abs(subs["believed_share"] - subs["true_share"]) > 0.5)
    top = np.argsort(share + 2.0 * off, kind="stable")  # the dark over the lit, the wrong over all
    axes.scatter(
        at[top, 0],
        at[top, 1],
        s=np.where(near, np.maximum(subs["meters"] * scene.area_per_meter, 5.0), 5.0)[top],
        c=share[top],
        cmap=_scale(colour),
        vmin=0,
        vmax=1,
        edgecolors=np.where(off, style.WRONG, np.where(near, style.SOFT, "#b4bdc6"))[top],
        linewidths=np.where(off, 2.0, 0.8)[top],
        zorder=6,
    )
    if believed:
        axes.set_title(_belief_title(scene, axes, t_s, subs), fontsize=9, pad=4, linespacing=1.25)
    else:
        n = int(subs["truly"].sum())
        axes.set_title(f"{style.count(n)} meters dark" if n else "none dark", fontsize=9, pad=4)
        if scene.fault_row is not None and t_s >= scene.run.fault_s:
            _mark_fault(axes, scene.grid.polylines[scene.fault_row])


def _belief_title(scene: _Scene, axes: Any, t_s: float, subs: Columns) -> str:
    believed, right, truly = (int(subs[name].sum()) for name in ("believed", "rightly", "truly"))
    text = f"{style.count(believed)} believed dark"
    if believed or truly:
        text += f"\n{style.count(believed - right)} wrong, {style.count(truly - right)} missed"
    section = scene.run.section_at(t_s)
    if section is None or not section["named"]:
        return text + ("\nno section named" if truly else "")
    _mark_named(axes, scene, subs, section)
    name = section_name(section["named"])
    name = name if len(name) <= 20 else name[:19] + "…"
    return text + f"\nnames {name} {'✓' if section['right'] else '✗'}"


def grid_map(run: RunTables) -> tuple[Figure, str]:
    """Draw the supply in truth and in belief at the moments that matter; return the figure and its finding."""
    shown = moments(run)
    grid, subs = read_grid(run), run.substations_at(run.fault_s)
    panel_w = min(2.9, (style.WIDTH_IN - 0.55) / len(shown) - 0.08)
    points = _affected_points(run, grid, subs)
    spread = np.ptp(points, axis=0)
    aspect = float(np.clip(spread[1] / max(spread[0], 1e-6), 0.75, 1.45))
    window = _window(points, aspect)
    title = _map_title(run)
    head_h = 1.25 if len(title) <= style.TITLE_LETTERS else 1.5
    panel_h, strip_h, gap_h = panel_w * aspect, 2.1, 0.72
    height = head_h + 2 * panel_h + gap_h + 0.3 + strip_h
    figure = Figure(figsize=(style.WIDTH_IN, height))
    fault_row = grid.find((run.summary.get("fault") or {}).get("line"))
    inside = max(1, int(np.isin(subs["feeder"].astype(str), run.affected).sum()) or len(subs["feeder"]))
    most = max(1, int(subs["meters"].max(initial=1)))
    scene = _Scene(run, grid, window, fault_row, float(np.clip(2400 / inside, 40, 150)) / most)
    tops = (height - head_h, height - head_h - panel_h - gap_h)
    for column, (t_s, stage) in enumerate(shown):
        left = 0.5 + column * (panel_w + 0.08)
        for believed, top in zip((False, True), tops, strict=True):
            box = (left / style.WIDTH_IN, (top - panel_h) / height, panel_w / style.WIDTH_IN, panel_h / height)
            axes = figure.add_axes(box)
            _panel(axes, scene, t_s, believed)
            if column == 0:
                axes.set_ylabel("Belief" if believed else "Truth", fontsize=12, fontweight="bold")
                axes.yaxis.label.set_color(style.BELIEF if believed else style.TRUTH)
        if column == 0:
            _scale_bar(axes)
        figure.text(
            left / style.WIDTH_IN, (tops[0] + 0.3) / height, _moment_name(run, t_s, stage), fontsize=9.5,
            fontweight="bold", va="bottom", linespacing=1.2,
        )  # fmt: skip
    _overview(figure, scene, height, strip_h)
    _key(figure, scene, most, height, strip_h)
    style.headline(figure, title)
    return figure, title


def _mark_named(axes: Any, scene: _Scene, subs: Columns, section: dict[str, Any]) -> None:
    """Lay a broad band on the line, or around the substation, that the head end named."""
    name = str(section["named"])
    for bare in (name, name.removeprefix(f"{section['kind']} ")):
        row = scene.grid.find(bare)
        if row is not None and section["kind"] != "substation":
            line = scene.grid.polylines[row]
            axes.plot(line[:, 0], line[:, 1], color=style.WRONG, linewidth=6, alpha=0.45, zorder=4)
            return
        here = subs["name"] == bare
        if here.any():
            at = scene.grid.to_km(subs["lon_deg"][here], subs["lat_deg"][here])
            axes.scatter(at[:, 0], at[:, 1], s=260, color=style.WRONG, alpha=0.45, linewidths=0, zorder=4)
            return


def _moment_name(run: RunTables, t_s: float, stage: str) -> str:
    after = t_s - run.fault_s
    when = f"{style.seconds(abs(after))} {'after' if after >= 0 else 'before'} fault"
    return stage if stage in ("before the fault", "at the end") else f"{stage}\n{when}"


def _overview(figure: Figure, scene: _Scene, height: float, strip_h: float) -> None:
    """Draw the whole grid with the zoomed window and the affected feeders in it."""
    everything = np.concatenate(scene.grid.polylines) if scene.grid.polylines else np.zeros((1, 2))
    left, right, bottom, top = scene.window
    whole = _window(np.concatenate([everything, [[left, bottom], [right, top]]]), 0.62)
    size_h = strip_h - 0.6
    axes = figure.add_axes((0.5 / style.WIDTH_IN, 0.26 / height, size_h / 0.62 / style.WIDTH_IN, size_h / height))
    _bare(axes, whole)
    hit = np.isin(scene.grid.feeders.astype(str), scene.run.affected)
    _draw_lines(axes, scene.grid, hit, style.TRUTH, 1.1)
    frame: dict[str, Any] = {"fill": False, "edgecolor": style.FAULT, "linewidth": 1.3, "zorder": 7}
    axes.add_patch(Rectangle((left, bottom), right - left, top - bottom, **frame))
    _scale_bar(axes)
    axes.set_title("The whole grid; framed: the area above", fontsize=9, pad=4)


def _key(figure: Figure, scene: _Scene, most: int, height: float, strip_h: float) -> None:
    """Explain colours, sizes and marks beside the overview."""
    left = 0.5 + (strip_h - 0.6) / 0.62 + 0.5
    for k, (text, colour) in enumerate((("truth", style.TRUTH), ("belief", style.BELIEF))):
        axes = figure.add_axes(
            (left / style.WIDTH_IN, (strip_h - 0.7 - 0.62 * k) / height, 1.9 / style.WIDTH_IN, 0.14 / height)
        )
        axes.imshow(np.linspace(0, 1, 128)[None, :], aspect="auto", cmap=_scale(colour), extent=(0, 100, 0, 1))
        axes.set_yticks([])
        axes.set_xticks([0, 50, 100], ["0", "50", "100 %"], fontsize=8.5)
        axes.grid(False)
        axes.set_title(f"meters dark in {text}", fontsize=9, pad=3)
    width = style.WIDTH_IN - left - 2.3
    axes = figure.add_axes(
        ((left + 2.2) / style.WIDTH_IN, 0.05 / height, width / style.WIDTH_IN, (strip_h - 0.2) / height)
    )
    axes.axis("off")
    marks = [
        Line2D([], [], color="#b4bdc6", linewidth=1.2, label="MV line, lit"),
        Line2D([], [], color=style.TRUTH, linewidth=2.4, label="MV line, dark (truth)"),
        Line2D([], [], color=style.BELIEF, linewidth=2.4, label="MV line, believed dark"),
        _faulted(),
        Line2D([], [], color=style.WRONG, linewidth=6, alpha=0.45, label="line the head end named"),
        _dot("white", style.WRONG, 7, "substation: belief wrong for most meters", 2.0),
    ]
    for n in sorted({most, max(1, most // 4)}):
        size = np.sqrt(max(n * scene.area_per_meter, 5))
        marks.append(_dot("white", style.SOFT, size, f"substation, {style.count(n)} meters"))
    spacing = {"borderaxespad": 0, "labelspacing": 0.55, "columnspacing": 1.2}
    axes.legend(handles=marks, loc="upper left", fontsize=9, ncols=2, **spacing)


def _faulted() -> Line2D:
    return Line2D([], [], color=style.FAULT, linewidth=2.4, label="faulted line, at the arrow")


def _dot(face: str, edge: str, size: float, label: str, width: float = 0.8) -> Line2D:
    return Line2D(
        [], [], linestyle="none", marker="o", markersize=size, markerfacecolor=face, markeredgecolor=edge,
        markeredgewidth=width, label=label,
    )  # fmt: skip


def _map_title(run: RunTables) -> str:
    fault = run.summary.get("fault")
    peak = int(run.query("SELECT count(*) AS n FROM meters WHERE dark_s IS NOT NULL")["n"][0])
    if not peak:
        return "No meter lost supply"
    where = f"A fault on {fault['line']} darkens" if fault and fault.get("line") is not None else "The outage darkens"
    section = run.section_at(run.end_s)
    if section is None or not section["named"]:
        verdict = "the head end names no section"
    else:
        word = "right" if section["right"] else "wrong"
        verdict = f"the head end's last word, {section_name(section['named'])}, is {word}"
    return f"{where} {style.count(peak)} of {style.count(run.rows('meters'))} meters; {verdict}"


def meter_map(run: RunTables) -> tuple[Figure, str]:
    """Draw every meter of the affected feeders by the fate of its Last Gasp; return the figure and its finding."""
    grid, subs = read_grid(run), run.substations_at(run.fault_s)
    dots, of = _meters_to_draw(run)
    at = grid.to_km(dots["lon_deg"], dots["lat_deg"])
    hosts = (subs["concentrators"] > 0) & (np.isin(subs["feeder"].astype(str), run.affected) | (not run.affected))
    masts = grid.to_km(subs["lon_deg"], subs["lat_deg"])[hosts]
    points = np.concatenate([at, masts]) if len(at) + len(masts) else np.zeros((1, 2))
    aspect = float(np.clip(np.ptp(points[:, 1]) / max(np.ptp(points[:, 0]), 1e-6), 0.45, 0.8))
    map_w = 7.8
    title = _meter_title(run, dots, of)
    head_h = 0.75 if len(title) > style.TITLE_LETTERS else 0.52
    foot_h = 0.3
    height = map_w * aspect + foot_h + head_h
    figure = Figure(figsize=(style.WIDTH_IN, height))
    axes = figure.add_axes((0.15 / style.WIDTH_IN, foot_h / height, map_w / style.WIDTH_IN, map_w * aspect / height))
    _bare(axes, _window(points, aspect))
    _draw_lines(axes, grid, np.zeros(len(grid.polylines), bool), style.TRUTH, 1.4)
    handles = _draw_fates(axes, at, dots) + _draw_places(axes, run, grid, masts, at[dots["board"]])
    _scale_bar(axes)
    corner = ((map_w + 0.25) / style.WIDTH_IN, 1 - (head_h - 0.05) / height)
    figure.legend(handles=handles, loc="upper left", bbox_to_anchor=corner, labelspacing=0.8)
    style.headline(figure, title)
    return figure, title


def _draw_places(axes: Any, run: RunTables, grid: Grid, masts: np.ndarray, board: np.ndarray) -> list[Line2D]:
    """Mark substations with concentrators, the board's meter and the faulted line; return their keys."""
    axes.scatter(masts[:, 0], masts[:, 1], marker="^", s=70, color=style.INK, edgecolors="white", zorder=8)
    handles = [_sign("^", 8, style.INK, "substation with concentrators")]
    if len(board):
        axes.scatter(board[:, 0], board[:, 1], marker="*", s=230, color=style.FAULT, edgecolors="white", zorder=9)
        handles.append(_sign("*", 13, style.FAULT, "the board's meter"))
    row = grid.find((run.summary.get("fault") or {}).get("line"))
    if row is not None:
        _mark_fault(axes, grid.polylines[row])
        handles.append(_faulted())
    return handles


def _sign(marker: str, size: float, colour: str, label: str) -> Line2D:
    return Line2D([], [], linestyle="none", marker=marker, markersize=size, color=colour, label=label)


FATES = (
    ("never dark", "#cdd3d8", "never dark"),
    ("silent", "#56b4e9", "dark, made no Last Gasp"),
    ("delivered", style.DELIVERED, "Last Gasp delivered"),
    ("lost", style.LOST, "Last Gasp lost"),
    ("died", style.DIED, "meter died before delivery"),
)


def _draw_fates(axes: Any, at: np.ndarray, dots: Columns) -> list[Line2D]:
    """Draw the meters, the rarer fates on top; return their keys."""
    size = float(np.clip(9000 / max(len(at), 1), 1.5, 26))
    handles = []
    for layer, (fate, colour, label) in enumerate(FATES):
        here = at[dots["fate"] == fate]
        if len(here):
            axes.scatter(here[:, 0], here[:, 1], s=size, color=colour, linewidths=0, zorder=4 + 0.1 * layer)
            handles.append(_sign("o", 7, colour, f"{label}: {style.count(len(here))}"))
    return handles


def _meters_to_draw(run: RunTables) -> tuple[Columns, int]:
    """Return the meters of the affected feeders, every k-th beyond `MAX_DOTS`, and how many there are in all.

    The board's meter is always among them.
    """
    names = run.affected
    where = "WHERE list_contains($1, s.feeder)" if names else "WHERE $1 IS NOT NULL"
    source = f"FROM meters m JOIN substations s USING (substation) {where}"
    total = int(run.query(f"SELECT count(*) AS n {source}", names)["n"][0])
    every = max(1, -(-total // MAX_DOTS))
    dots = run.query(
        f"""
        WITH first_gasp AS (
          SELECT meter, arg_min(outcome, gasp) AS outcome FROM gasps WHERE kind = 'last_gasp' GROUP BY meter)
        SELECT m.meter, m.lon_deg, m.lat_deg, m.board,
          CASE WHEN g.outcome IS NOT NULL THEN g.outcome WHEN m.dark_s IS NULL THEN 'never dark'
               ELSE 'silent' END AS fate
        FROM (SELECT m.* {source} AND (m.meter % {every} = 0 OR m.board)) m LEFT JOIN first_gasp g USING (meter)
        ORDER BY m.meter
        """,
        names,
    )
    return dots, total


def _meter_title(run: RunTables, dots: Columns, total: int) -> str:
    dark = int((dots["fate"] != "never dark").sum())
    if not dark:
        return "No meter lost supply"
    told = int((dots["fate"] == "delivered").sum())
    silent = run.query(
        "SELECT count(DISTINCT m.substation) AS n FROM meters m WHERE dark_s IS NOT NULL AND m.substation NOT IN "
        "(SELECT substation FROM meters JOIN gasps USING (meter) WHERE outcome = 'delivered' AND kind = 'last_gasp')"
    )["n"][0]
    text = f"{style.percent(told / dark)} of the dark meters' Last Gasps reach the head end"
    unheard = f"; {style.count(silent)} dark substations stay unheard"
    text += unheard if silent else ", at least one from every dark substation"
    if len(dots["fate"]) < total:
        text += f" (a sample of {style.count(len(dots['fate']))} of {style.count(total)} meters is drawn)"
    return text
