"""Places of a grid on the map and in a local plane of metres."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

EARTH_RADIUS_M = 6_371_008.8  # mean radius R1, GRS 80 (Moritz, Geodetic Reference System 1980)


def to_plane_m(lon_deg: Floats, lat_deg: Floats, origin_deg: tuple[float, float]) -> tuple[Floats, Floats]:
    """Return x (east) and y (north) [m] in the equirectangular projection about `origin_deg` (longitude, latitude).

    Over a distribution grid of 50 km the scale error is below 0.5 % up to 60 degrees of latitude.
    """
    east = np.radians(lon_deg - origin_deg[0]) * np.cos(np.radians(origin_deg[1]))
    return EARTH_RADIUS_M * east, EARTH_RADIUS_M * np.radians(lat_deg - origin_deg[1])


def to_lon_lat_deg(x_m: Floats, y_m: Floats, origin_deg: tuple[float, float]) -> tuple[Floats, Floats]:
    """Return longitude and latitude [deg] of points in the plane: the inverse of `to_plane_m`."""
    lon_deg = origin_deg[0] + np.degrees(x_m / (EARTH_RADIUS_M * np.cos(np.radians(origin_deg[1]))))
    return lon_deg, origin_deg[1] + np.degrees(y_m / EARTH_RADIUS_M)


def read_point(geo: Any) -> tuple[float, float]:
    """Return the two coordinates of a GeoJSON point, NaN where there is none."""
    try:
        pair = json.loads(geo)["coordinates"]
        return float(pair[0]), float(pair[1])
    except (TypeError, ValueError, KeyError, IndexError):
        return np.nan, np.nan


def read_polyline(geo: Any) -> Floats | None:
    """Return (P, 2) the vertices of a GeoJSON line, None where there is none."""
    try:
        points = np.array(json.loads(geo)["coordinates"], float)
    except (TypeError, ValueError, KeyError):
        return None
    return points[:, :2] if points.ndim == 2 and len(points) >= 2 else None


def guess_metres_per_unit(start: Floats, end: Floats, length_m: Floats) -> float | None:
    """Return how many metres one unit of the coordinates is; None when they are degrees.

    The reading (degrees, metres or kilometres) whose straight distances come nearest to the lines' lengths wins.

    Parameters
    ----------
    start, end : (L, 2) float
        End points of the lines.
    length_m : (L,) float
        Their lengths.
    """
    units: dict[float | None, Floats] = {scale: np.hypot(*(scale * (end - start)).T) for scale in (1.0, 1000.0)}
    both = np.concatenate([start, end])
    if np.all(np.abs(both) <= (180.0, 90.0)):
        middle = (float(both[:, 0].mean()), float(both[:, 1].mean()))
        a = np.stack(to_plane_m(start[:, 0], start[:, 1], middle))
        b = np.stack(to_plane_m(end[:, 0], end[:, 1], middle))
        units[None] = np.hypot(*(b - a))

    def misfit(scale: float | None) -> float:
        straight_m = units[scale]
        use = (straight_m > 0) & (length_m > 0)
        return float(np.abs(np.median(np.log(straight_m[use] / length_m[use])))) if use.any() else np.inf

    order: list[float | None] = [None, 1.0, 1000.0]
    return min((scale for scale in order if scale in units), key=misfit)
