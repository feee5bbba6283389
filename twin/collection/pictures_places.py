"""The picture of meters that a table of municipalities placed."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure

from twin.study import pictures_style as style
from twin.study.pictures_data import RunTables

MAX_DOTS = 40_000
KM_PER_DEG = 111.2  # of latitude, on a sphere of the Earth's mean radius


def places(run: RunTables) -> tuple[Figure, str]:
    """Draw where the meters are, by the hops of their routes, and the concentrators."""
    figure = style.new_figure(6.6)
    axes = figure.subplots()
    dots = run.query("SELECT lon_deg, lat_deg, coalesce(hops, -1) AS hops FROM meters ORDER BY hash(meter) "
                     f"LIMIT {MAX_DOTS}")  # fmt: skip
    masts = run.query("SELECT lon_deg, lat_deg FROM concentrators WHERE meters > 0")
    lon0, lat0 = float(dots["lon_deg"].min()), float(dots["lat_deg"].min())
    east_km = KM_PER_DEG * np.cos(np.radians(float(np.mean(dots["lat_deg"]))))
    x_km, y_km = (dots["lon_deg"] - lon0) * east_km, (dots["lat_deg"] - lat0) * KM_PER_DEG
    routed, most = dots["hops"] >= 0, max(int(dots["hops"].max()), 2)
    shown = axes.scatter(x_km[routed], y_km[routed], c=dots["hops"][routed], s=4, cmap="viridis_r",
                         norm=BoundaryNorm(np.arange(0.5, most + 1), 256), linewidths=0, rasterized=True)  # fmt: skip
    axes.plot(x_km[~routed], y_km[~routed], "x", color=style.FAULT, markersize=6, label="meter without a route")
    axes.plot((masts["lon_deg"] - lon0) * east_km, (masts["lat_deg"] - lat0) * KM_PER_DEG, "^", color=style.INK,
              markersize=5, label="concentrator")  # fmt: skip
    figure.colorbar(shown, ax=axes, label="Hops to the concentrator", shrink=0.7, ticks=np.arange(1, most + 1))
    axes.set_aspect(1, anchor="W")
    axes.set_xlabel("East [km]")
    axes.set_ylabel("North [km]")
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2)
    title = (f"{style.count(run.summary['meters'])} meters in {style.count(len(run.summary['municipalities']))} "
             f"municipalities, {style.count(run.summary['without_route'])} without a route")  # fmt: skip
    style.headline(figure, title)
    return figure, title
