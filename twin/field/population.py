"""Meters and concentrators around the substations of a grid."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gpu import rng
from teiden.errors import InputError
from twin.field.coordinates import Floats, to_lon_lat_deg
from twin.field.grid import Grid
from twin.field.topology import Ints

# Purposes of draws, the same numbers for good: a draw is a function of (seed, purpose, meter) alone.
BEARING, DISTANCE, IN_SHAFT, SHAFT_SIDE, BOARD = 0x7101, 0x7102, 0x7103, 0x7104, 0x7105

METER_DIGITS = 7
POLE_CLEARANCE_M = 5.0  # assumed: no meter hangs nearer to its transformer's pole
GOLDEN_ANGLE_RAD = np.pi * (3 - 5**0.5)


@dataclass(frozen=True)
class Population:
    """N meters and C concentrators; a meter's place in the arrays is its global id.

    Attributes
    ----------
    seed : int
    origin_deg : tuple of float, or None
        The grid's; None where it has no geographic coordinates.
    meter_substation : (N,) int
        Ascending: the meters of one substation stand together.
    meter_x_m, meter_y_m : (N,) float
        In the grid's plane.
    meter_concentrator : (N,) int
    concentrator_substation : (C,) int
        Ascending.
    concentrator_x_m, concentrator_y_m : (C,) float
    extra_loss_db : (N,) float
        Added path loss of meters in pipe shafts; 0 elsewhere.
    """

    seed: int
    origin_deg: tuple[float, float] | None
    meter_substation: Ints
    meter_x_m: Floats
    meter_y_m: Floats
    meter_concentrator: Ints
    concentrator_substation: Ints
    concentrator_x_m: Floats
    concentrator_y_m: Floats
    extra_loss_db: Floats

    @property
    def meter_count(self) -> int:
        """Return N."""
        return self.meter_substation.size

    def meter_name(self, meter: int) -> str:
        """Return the name of a meter, ``M`` and its global id."""
        if not 0 <= meter < self.meter_count:
            raise IndexError(f"meter {meter}, expected 0 to {self.meter_count - 1}")
        return f"M{meter:0{METER_DIGITS}d}"

    def meter_names(self) -> list[str]:
        """Return the names of all meters."""
        return [f"M{meter:0{METER_DIGITS}d}" for meter in range(self.meter_count)]

    def find_meter(self, name: str) -> int:
        """Return the global id of a meter by name.

        Raises
        ------
        InputError
            If there is none; the message lists near matches.
        """
        digits = name[1:]
        if name[:1] == "M" and digits.isascii() and digits.isdigit():
            meter = int(digits)
            if meter < self.meter_count and name == self.meter_name(meter):
                return meter
        last = self.meter_name(self.meter_count - 1)
        sample = [self.meter_name(int(digits) % self.meter_count)] if digits.isdigit() and digits.isascii() else []
        near = difflib.get_close_matches(name, [*sample, self.meter_name(0), last], 1, 0.5)
        hint = f"; near: {near[0]}" if near else ""
        raise InputError(f"no meter {name!r}, expected {self.meter_name(0)} to {last}{hint}")

    def meter_lon_lat_deg(self) -> tuple[Floats, Floats]:
        """Return (N,) longitude and latitude [deg] of the meters for maps, NaN without geographic coordinates."""
        return self._lon_lat_deg(self.meter_x_m, self.meter_y_m)

    def concentrator_lon_lat_deg(self) -> tuple[Floats, Floats]:
        """Return (C,) longitude and latitude [deg] of the concentrators, NaN without geographic coordinates."""
        return self._lon_lat_deg(self.concentrator_x_m, self.concentrator_y_m)

    def _lon_lat_deg(self, x_m: Floats, y_m: Floats) -> tuple[Floats, Floats]:
        """Return longitude and latitude [deg] of points in the plane."""
        if self.origin_deg is None:
            return np.full(x_m.size, np.nan), np.full(x_m.size, np.nan)
        return to_lon_lat_deg(x_m, y_m, self.origin_deg)


def populate(
    grid: Grid,
    meters: int,
    seed: int,
    *,
    density_per_km2: float = 1000.0,
    meters_per_concentrator: int = 500,
    pipe_shaft_share: float = 0.1,
    pipe_shaft_loss_db: float = 20.0,
    pipe_shaft_side_db: float = 7.0,
) -> Population:
    """Return meters placed around the substations in proportion to their load.

    Parameters
    ----------
    grid : Grid
    meters : int
        How many, 1 to 9,999,999.
    seed : int
        Together with a meter's global id it decides everything drawn for that meter.
    density_per_km2 : float
        Meters per square kilometre; sets the radius of the disc around each substation.
    meters_per_concentrator : int
        A substation gets its meters over this, rounded up.  # 500: DOMAIN 2.8, assumed there
    pipe_shaft_share : float
        Share of meters behind a metal door in a pipe shaft.  # assumed
    pipe_shaft_loss_db : float
        Their mean added loss [dB].  # assumed: DOMAIN 2.6 gives 15 to 25
    pipe_shaft_side_db : float
        How much more the door's side loses than the wall's [dB]; half is added or taken off.
        7 dB: CRIEPI R13006.

    Raises
    ------
    InputError
        If a number is out of its range.
    """
    _check_ranges(meters, density_per_km2, meters_per_concentrator, pipe_shaft_share, pipe_shaft_loss_db)
    counts = share_out(meters, grid.substation_p_mw)
    station = np.repeat(np.arange(counts.size), counts)
    radius_m = 1000.0 * np.sqrt(counts / (np.pi * density_per_km2))
    radius_m = np.maximum(radius_m, 2 * POLE_CLEARANCE_M)
    ids = np.arange(meters, dtype=np.int64)
    east_m, north_m = _place_in_discs(seed, ids, radius_m[station])
    meter_m = (grid.substation_x_m[station] + east_m, grid.substation_y_m[station] + north_m)
    return with_concentrators(
        seed, grid.origin_deg, station, meter_m, (grid.substation_x_m, grid.substation_y_m), radius_m,
        meters_per_concentrator=meters_per_concentrator, pipe_shaft_share=pipe_shaft_share,
        pipe_shaft_loss_db=pipe_shaft_loss_db, pipe_shaft_side_db=pipe_shaft_side_db,
    )  # fmt: skip


def with_concentrators(
    seed: int,
    origin_deg: tuple[float, float] | None,
    station: Ints,
    meter_m: tuple[Floats, Floats],
    station_m: tuple[Floats, Floats],
    radius_m: Floats,
    *,
    meters_per_concentrator: int,
    pipe_shaft_share: float,
    pipe_shaft_loss_db: float,
    pipe_shaft_side_db: float = 7.0,
) -> Population:
    """Return placed meters with the concentrators of their substations, some of them in pipe shafts.

    Parameters
    ----------
    seed, origin_deg
        See `Population`.
    station : (N,) int
        Of each meter, ascending.
    meter_m, station_m : pair of (N,) and (S,) float
        x and y in the plane.
    radius_m : (S,) float
        Within which a substation's meters stand.
    meters_per_concentrator, pipe_shaft_share, pipe_shaft_loss_db, pipe_shaft_side_db
        See `populate`.
    """
    counts = np.bincount(station, minlength=radius_m.size)
    ids = np.arange(station.size, dtype=np.int64)
    concentrators = -(-counts // meters_per_concentrator)
    where = np.repeat(np.arange(counts.size), concentrators)
    spread_x_m, spread_y_m = _spread(concentrators, radius_m)
    concentrator_m = (station_m[0][where] + spread_x_m, station_m[1][where] + spread_y_m)
    in_shaft = rng.draw_unit(seed, IN_SHAFT, ids) < pipe_shaft_share
    side = np.where(rng.draw_unit(seed, SHAFT_SIDE, ids) < 0.5, 0.5, -0.5)
    return Population(
        seed=seed,
        origin_deg=origin_deg,
        meter_substation=station,
        meter_x_m=meter_m[0],
        meter_y_m=meter_m[1],
        meter_concentrator=_nearest(counts, concentrators, meter_m, concentrator_m),
        concentrator_substation=where,
        concentrator_x_m=concentrator_m[0],
        concentrator_y_m=concentrator_m[1],
        extra_loss_db=np.where(in_shaft, pipe_shaft_loss_db + side * pipe_shaft_side_db, 0.0),
    )


def share_out(meters: int, weight: npt.ArrayLike) -> Ints:
    """Return (S,) meters per substation by largest remainders, at least one each where there are enough.

    Parameters
    ----------
    meters : int
    weight : (S,) float
        Load power; evenly where all is 0. Negative loads (infeed) count as 0.

    Returns
    -------
    (S,) int
        Sums to `meters`; equal remainders go to the lower place.
    """
    share = np.maximum(np.asarray(weight, float), 0.0)
    if share.sum() == 0:
        share = np.ones(share.size)
    exact = meters * (share / share.sum())
    counts = np.floor(exact).astype(np.int64)
    first = np.argsort(-(exact - counts), kind="stable")
    counts[first[: meters - int(counts.sum())]] += 1
    for empty in np.flatnonzero(counts == 0) if meters >= share.size else ():
        counts[int(np.argmax(counts))] -= 1
        counts[empty] += 1
    return counts


def board_meter(
    population: Population, substations: npt.ArrayLike, meter: str = "auto", *, usable: npt.ArrayLike = True
) -> int:
    """Return the global id of the meter that the board stands for.

    Parameters
    ----------
    population : Population
    substations : (S,) bool or (k,) int
        Where it may be: a mask, or places of substations (those of the feeder that goes dark).
    meter : str
        A meter's name, or ``"auto"`` for the one with the lowest draw of the population's seed.
    usable : (N,) bool
        Meters that ``"auto"`` may take.

    Raises
    ------
    InputError
        If there is no such meter, or it is at none of these substations, or they have no meters.
    """
    allowed = np.asarray(substations)
    places = np.flatnonzero(allowed) if allowed.dtype == bool else np.unique(allowed)
    there = np.isin(population.meter_substation, places)
    if meter != "auto":
        chosen = population.find_meter(meter)
        if not there[chosen]:
            station = int(population.meter_substation[chosen])
            raise InputError(
                f"meter {meter} is at substation {station}, expected one of the {places.size} chosen substations; "
                'name another meter or use "auto"'
            )
        return chosen
    ids = np.flatnonzero(there & np.asarray(usable, bool))
    if ids.size == 0:
        raise InputError(f"no usable meter at the {places.size} chosen substations; raise the number of meters")
    return int(ids[np.argmin(rng.draw_u64(population.seed, BOARD, ids))])


def _check_ranges(meters: int, density: float, per_concentrator: int, share: float, loss_db: float) -> None:
    """Raise InputError for the first number out of range."""
    limit = 10**METER_DIGITS - 1
    for name, value, good, expected in (
        ("meters", meters, 1 <= meters <= limit, f"1 to {limit}"),
        ("density_per_km2", density, density > 0, "above 0"),
        ("meters_per_concentrator", per_concentrator, per_concentrator >= 1, "1 or more"),
        ("pipe_shaft_share", share, 0 <= share <= 1, "0 to 1"),
        ("pipe_shaft_loss_db", loss_db, loss_db >= 0, "0 dB or more"),
    ):
        if not good:
            raise InputError(f"population: {name} = {value}, expected {expected}")


def _place_in_discs(seed: int, ids: Ints, radius_m: Floats) -> tuple[Floats, Floats]:
    """Return east and north [m] of points even over a disc, outside the pole's clearance."""
    inner = (POLE_CLEARANCE_M / radius_m) ** 2
    distance_m = radius_m * np.sqrt(inner + (1 - inner) * rng.draw_unit(seed, DISTANCE, ids))
    angle_rad = 2 * np.pi * rng.draw_unit(seed, BEARING, ids)
    return distance_m * np.cos(angle_rad), distance_m * np.sin(angle_rad)


def _spread(concentrators: Ints, radius_m: Floats) -> tuple[Floats, Floats]:
    """Return east and north [m] of each concentrator: the first at the pole, the rest on a sunflower spiral."""
    order = np.concatenate([np.arange(count) for count in concentrators])
    count = np.repeat(concentrators, concentrators)
    distance_m = np.repeat(radius_m, concentrators) * np.sqrt(order / count)
    return distance_m * np.cos(order * GOLDEN_ANGLE_RAD), distance_m * np.sin(order * GOLDEN_ANGLE_RAD)


def _nearest(
    counts: Ints, concentrators: Ints, meter_m: tuple[Floats, Floats], concentrator_m: tuple[Floats, Floats]
) -> Ints:
    """Return (N,) the nearest concentrator of each meter's own substation; the lower one where equally near."""
    nearest = np.repeat(np.cumsum(concentrators) - concentrators, counts)
    meter_end, concentrator_end = np.cumsum(counts), np.cumsum(concentrators)
    for s in np.flatnonzero(concentrators > 1).tolist():
        own = slice(meter_end[s] - counts[s], meter_end[s])
        near = slice(concentrator_end[s] - concentrators[s], concentrator_end[s])
        square_m2 = sum(
            (meter[own, None] - pole[None, near]) ** 2 for meter, pole in zip(meter_m, concentrator_m, strict=True)
        )
        nearest[own] += np.argmin(square_m2, axis=1)
    return nearest
