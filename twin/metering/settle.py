"""A population of meters and concentrators in the towns of a user's municipalities.

Fewer meters than households do not thin a town out, which would leave radios with nobody to talk to: whole towns are
drawn until they have the meters.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from gpu import rng
from teiden.errors import InputError
from twin.field.coordinates import to_plane_m
from twin.field.population import Population, with_concentrators
from twin.field.topology import Bools, Ints
from twin.metering.places import Municipalities, place_meters

FARTHEST_KM = 300.0  # of two towns: beyond, the plane's scale is more than 1 % off
MOSTLY_DENSE = 0.5  # share of households in the densely inhabited district from which it is taken as the settled area

_TOWN_LUCK = 0x7234  # purpose of the draws, the same number for good


@dataclass(frozen=True)
class Settled:
    """Meters in their towns.

    Attributes
    ----------
    population : Population
        Its substations are the towns.
    municipality : (N,) int
        Place of each meter's municipality in `names`.
    names : (G,) str
        Prefecture and name.
    """

    population: Population
    municipality: Ints
    names: npt.NDArray[np.str_]


def choose(
    where: Municipalities, municipalities: Sequence[str] = (), prefecture: str = "", utility: str = ""
) -> Municipalities:
    """Return the municipalities that are named and lie in a prefecture and supply area; all where nothing is asked for.

    Parameters
    ----------
    municipalities : sequence of str
        Codes, or names as in the table, with or without the prefecture.

    Raises
    ------
    InputError
        Names what the table does not have, with what is near.
    """
    keep = np.ones(where.count, bool)
    bare = np.char.partition(where.name, " ")[:, 2]
    if municipalities:
        columns = (where.code, where.name, bare)
        for wanted in municipalities:
            if not any((column == wanted).any() for column in columns):
                raise _unknown("municipalities", wanted, np.concatenate(columns))
        keep &= np.any([np.isin(column, list(municipalities)) for column in columns], axis=0)
    for key, wanted, column in (
        ("prefecture", prefecture, np.char.partition(where.name, " ")[:, 0]),
        ("utility", utility, where.utility),
    ):
        if wanted and not (column == wanted).any():
            raise _unknown(key, wanted, column)
        keep &= (column == wanted) | (not wanted)
    if not (where.households[keep] > 0).any():
        raise InputError("population: no municipality with households has all of municipalities, prefecture, utility")
    return _kept(where, keep, np.ones(where.town_lat_deg.size, bool))


def settle(
    where: Municipalities, meters: int, seed: int, *, meters_per_concentrator: int, pipe_shaft_share: float,
    pipe_shaft_loss_db: float,
) -> Settled:  # fmt: skip
    """Return meters and concentrators in towns, at the density of the settled area.

    A town's households are its municipality's over its towns; a meter stands in the circle that is the town's share of
    the settled area: that of the densely inhabited district where most households are in it, else the whole.

    Raises
    ------
    InputError
        If towns are too far apart for one plane, or a number is out of range.
    """
    where = replace(where, area_km2=_settled_km2(where))
    owner = np.repeat(np.arange(where.count), where.town_count)
    where = _kept(where, np.ones(where.count, bool), _drawn_towns(where, owner, meters, seed))
    _check_extent(where)
    places = place_meters(where, meters, seed)
    order = np.argsort(places.town, kind="stable")
    towns, station = np.unique(places.town[order], return_inverse=True)
    owner = np.repeat(np.arange(where.count), where.town_count)[towns]
    radius_m = 1000 * np.sqrt(where.area_km2[owner] / (np.pi * where.town_count[owner]))
    origin = (float(where.town_lon_deg.mean()), float(where.town_lat_deg.mean()))
    population = with_concentrators(
        seed, origin, station, to_plane_m(places.lon_deg[order], places.lat_deg[order], origin),
        to_plane_m(where.town_lon_deg[towns], where.town_lat_deg[towns], origin), radius_m,
        meters_per_concentrator=meters_per_concentrator, pipe_shaft_share=pipe_shaft_share,
        pipe_shaft_loss_db=pipe_shaft_loss_db,
    )  # fmt: skip
    return Settled(population, places.meter_municipality[order], where.name)


def _unknown(key: str, wanted: str, known: npt.NDArray[np.str_]) -> InputError:
    names = np.unique(known).tolist()
    near = difflib.get_close_matches(wanted, names, 3, 0.5) or names[:3]
    return InputError(f"population.{key} = {wanted!r}, expected one in the table, such as {', '.join(near)}")


def _settled_km2(where: Municipalities) -> npt.NDArray[np.float64]:
    share = where.did_households / np.maximum(where.households, 1)
    dense = (share >= MOSTLY_DENSE) & (where.did_area_km2 > 0)
    return np.where(dense, where.did_area_km2 / np.where(dense, share, 1), where.area_km2)


def _drawn_towns(where: Municipalities, owner: Ints, meters: int, seed: int) -> Bools:
    """Return which towns have meters: in the order of their draw until their households are enough."""
    households = where.households[owner] / where.town_count[owner]
    order = np.argsort(rng.draw_unit(seed, _TOWN_LUCK, np.arange(owner.size)), kind="stable")
    order = order[households[order] > 0]
    enough = int(np.searchsorted(np.cumsum(households[order]), meters)) + 1
    chosen = np.zeros(owner.size, bool)
    chosen[order[:enough]] = True
    return chosen


def _kept(where: Municipalities, municipality: Bools, town: Bools) -> Municipalities:
    """Return some municipalities with some towns; a municipality that keeps a part of them keeps that part of all."""
    owner = np.repeat(np.arange(where.count), where.town_count)
    town = town & municipality[owner]
    count = np.bincount(owner[town], minlength=where.count)
    left = np.flatnonzero(municipality & (count > 0))
    part = count[left] / where.town_count[left]
    return Municipalities(
        code=where.code[left],
        name=where.name[left],
        utility=where.utility[left],
        households=where.households[left] * part,
        area_km2=where.area_km2[left] * part,
        did_households=where.did_households[left] * part,
        did_area_km2=where.did_area_km2[left] * part,
        town_first=np.cumsum(count[left]) - count[left],
        town_count=count[left],
        town_lat_deg=where.town_lat_deg[town],
        town_lon_deg=where.town_lon_deg[town],
    )


def _check_extent(where: Municipalities) -> None:
    lat, lon = where.town_lat_deg, where.town_lon_deg
    origin = (float(lon.mean()), float(lat.mean()))
    x_m, y_m = to_plane_m(lon, lat, origin)
    across_km = float(np.hypot(np.ptp(x_m), np.ptp(y_m))) / 1000
    if across_km > FARTHEST_KM:
        raise InputError(
            f"population: the chosen municipalities are {across_km:,.0f} km across, expected at most {FARTHEST_KM:g}; "
            "name some with population.municipalities, prefecture or utility"
        )
