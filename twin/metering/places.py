"""Meters by municipality and town, from a user's tables.

Where there are no tables, ``twin.field.population.populate`` places meters around the substations of the grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

from gpu import rng
from teiden.errors import InputError
from twin.field.coordinates import EARTH_RADIUS_M, Floats
from twin.field.population import share_out
from twin.field.topology import Bools, Ints

MAP_LAT_DEG, MAP_LON_DEG = (20.0, 46.0), (122.0, 154.0)  # Okinotorishima to Etorofu, Yonaguni to Minamitorishima
NUMBERS = ("lat", "lon", "households_2015", "area_km2", "did_households", "did_area_km2")
TEXTS = ("code", "pref", "name", "utility")

# Purposes of draws, the same numbers for good.
_TOWN, _DISTANCE, _BEARING = 0x7231, 0x7232, 0x7233


@dataclass(frozen=True, eq=False)
class Municipalities:
    """G municipalities and the H points of their towns.

    Attributes
    ----------
    code, name, utility : (G,) str
        JIS code of five digits, prefecture and name, supply area.
    households, area_km2, did_households, did_area_km2 : (G,) float
    town_first, town_count : (G,) int
        Which of the town points are a municipality's own; a municipality without any has its office as the only one.
    town_lat_deg, town_lon_deg : (H,) float
    """

    code: npt.NDArray[np.str_]
    name: npt.NDArray[np.str_]
    utility: npt.NDArray[np.str_]
    households: Floats
    area_km2: Floats
    did_households: Floats
    did_area_km2: Floats
    town_first: Ints
    town_count: Ints
    town_lat_deg: Floats
    town_lon_deg: Floats

    @property
    def count(self) -> int:
        """Return G."""
        return self.code.size


@dataclass(frozen=True, eq=False)
class Places:
    """Where N meters are.

    Attributes
    ----------
    meter_municipality : (N,) int
        Ascending: the meters of one municipality stand together.
    town : (N,) int
        Place of the town it is near.
    lat_deg, lon_deg : (N,) float
    """

    meter_municipality: Ints
    town: Ints
    lat_deg: Floats
    lon_deg: Floats


def read_municipalities(path: Path, towns: Path | None = None) -> Municipalities:
    """Read municipalities, and their towns where there is a table of them.

    Parameters
    ----------
    path : Path
        CSV, may be gzipped, with the columns code, pref, name, lat, lon, households_2015, area_km2, did_households,
        did_area_km2, utility; more are ignored. DID is the densely inhabited district (人口集中地区), 0 for none.
    towns : Path, optional
        CSV, may be gzipped: muni_code, lat_e4, lon_e4 (degrees times 10,000).

    Raises
    ------
    InputError
        Names file, row and value: a code twice, a place off the map of Japan, a number below 0, a district larger than
        its municipality, a town of an unknown municipality.
    """
    table = _read(path, (*TEXTS, *NUMBERS), TEXTS)
    text = {name: np.array(table[name].to_pylist(), str) for name in TEXTS}
    number = {name: _floats(table, name, path) for name in NUMBERS}
    _refuse(path, _repeated(text["code"]), "code", text["code"], "a code that no row before has")
    _check_map(path, "lat", number["lat"], MAP_LAT_DEG)
    _check_map(path, "lon", number["lon"], MAP_LON_DEG)
    for name in NUMBERS[2:]:
        _refuse(path, ~(number[name] >= 0), name, number[name], "0 or more")
    for part, whole in (("did_households", "households_2015"), ("did_area_km2", "area_km2")):
        _refuse(path, number[part] > number[whole], part, number[part], f"at most the row's {whole}")
    order, first, count, lat, lon = _towns_of(text["code"], number["lat"], number["lon"], towns)
    return Municipalities(
        code=text["code"],
        name=np.char.add(np.char.add(text["pref"], " "), text["name"]),
        utility=text["utility"],
        households=number["households_2015"],
        area_km2=number["area_km2"],
        did_households=number["did_households"],
        did_area_km2=number["did_area_km2"],
        town_first=first,
        town_count=count,
        town_lat_deg=lat[order],
        town_lon_deg=lon[order],
    )


def place_meters(where: Municipalities, meters: int, seed: int) -> Places:
    """Return meters shared out by households, each near a town of its municipality.

    Towns of a municipality are equally likely (their households are not in the table). A meter lies within the radius
    at which the circles of a municipality's towns have its area together.

    Parameters
    ----------
    where : Municipalities
    meters : int
    seed : int

    Raises
    ------
    InputError
        If no municipality with households is left, or `meters` is below 1.
    """
    if meters < 1:
        raise InputError(f"places: meters = {meters}, expected 1 or more")
    inhabited = np.flatnonzero(where.households > 0)
    if not inhabited.size:
        raise InputError("places: no households in any municipality, expected some to share meters out by")
    at = np.repeat(inhabited, share_out(meters, where.households[inhabited]))
    ids = np.arange(meters, dtype=np.int64)
    town = where.town_first[at] + np.floor(rng.draw_unit(seed, _TOWN, ids) * where.town_count[at]).astype(np.int64)
    radius_m = 1000 * np.sqrt(where.area_km2[at] / (np.pi * where.town_count[at]))
    distance_m = radius_m * np.sqrt(rng.draw_unit(seed, _DISTANCE, ids))
    bearing_rad = 2 * np.pi * rng.draw_unit(seed, _BEARING, ids)
    north_deg = np.degrees(distance_m * np.cos(bearing_rad) / EARTH_RADIUS_M)
    east_deg = np.degrees(distance_m * np.sin(bearing_rad) / EARTH_RADIUS_M)
    lat_deg = where.town_lat_deg[town] + north_deg
    return Places(at, town, lat_deg, where.town_lon_deg[town] + east_deg / np.cos(np.radians(where.town_lat_deg[town])))


def _towns_of(
    code: npt.NDArray[np.str_], office_lat: Floats, office_lon: Floats, path: Path | None
) -> tuple[Ints, Ints, Ints, Floats, Floats]:
    """Return the order that puts towns by municipality, first and count of each, and the towns' places."""
    lat, lon, owner = office_lat, office_lon, np.arange(code.size)
    if path is not None:
        table = _read(path, ("muni_code", "lat_e4", "lon_e4"), ("muni_code",))
        town_code = np.array(table["muni_code"].to_pylist(), str)
        known = {value: place for place, value in enumerate(code.tolist())}
        owner = np.array([known.get(value, -1) for value in town_code.tolist()], np.int64)
        _refuse(path, owner < 0, "muni_code", town_code, "a code of the municipalities")
        lat, lon = (_floats(table, name, path) / 10_000 for name in ("lat_e4", "lon_e4"))
        _check_map(path, "lat_e4", lat, MAP_LAT_DEG)
        _check_map(path, "lon_e4", lon, MAP_LON_DEG)
        without = np.setdiff1d(np.arange(code.size), owner)
        owner = np.concatenate([owner, without])
        lat, lon = np.concatenate([lat, office_lat[without]]), np.concatenate([lon, office_lon[without]])
    count = np.bincount(owner, minlength=code.size)
    return np.argsort(owner, kind="stable"), np.cumsum(count) - count, count, lat, lon


def _read(path: Path, columns: tuple[str, ...], texts: tuple[str, ...]) -> pa.Table:
    """Return the columns of a CSV, texts as they stand."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected a CSV with {', '.join(columns)}")
    options = pa.csv.ConvertOptions(column_types={name: pa.string() for name in texts})
    try:
        table = pa.csv.read_csv(path, convert_options=options)
    except pa.ArrowInvalid as error:
        raise InputError(f"{path}: {error}") from error
    missing = [name for name in columns if name not in table.column_names]
    if missing:
        raise InputError(f"{path}: no column {', '.join(missing)}, expected {', '.join(columns)}")
    if not table.num_rows:
        raise InputError(f"{path}: no rows, expected at least one")
    return table.select(columns)


def _floats(table: pa.Table, name: str, path: Path) -> Floats:
    """Return a column of numbers; InputError names the first row that is none."""
    column = table[name]
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        rows = column.to_pylist()
        row = next(place for place, value in enumerate(rows) if not _is_number(value))
        raise InputError(f"{path}: row {row + 2}: {name} = {rows[row]!r}, expected a number")
    values = np.asarray(column.cast(pa.float64()).to_numpy(), np.float64)
    _refuse(path, ~np.isfinite(values), name, values, "a number")
    return values


def _is_number(value: object) -> bool:
    """Return whether a cell reads as a number."""
    try:
        float(str(value))
    except ValueError:
        return False
    return True


def _repeated(values: npt.NDArray[np.str_]) -> Bools:
    """Return which values stand in an earlier place too."""
    first = np.unique(values, return_index=True)[1]
    again = np.ones(values.size, bool)
    again[first] = False
    return again


def _check_map(path: Path, name: str, deg: Floats, limits: tuple[float, float]) -> None:
    """Raise InputError for the first coordinate off the map of Japan."""
    low, high = limits
    _refuse(path, ~((deg >= low) & (deg <= high)), name, deg, f"{low:g} to {high:g} degrees (the map of Japan)")


def _refuse(path: Path, wrong: Bools, name: str, values: npt.NDArray, expected: str) -> None:
    """Raise InputError for the first wrong row, if there is one."""
    rows = np.flatnonzero(wrong)
    if rows.size:
        row = int(rows[0])
        raise InputError(f"{path}: row {row + 2}: {name} = {values[row]}, expected {expected} ({rows.size} such rows)")
