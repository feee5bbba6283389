"""Days of load and of sun that meters draw from, minute by minute.

A meter's day is one row: a load shape, less a roof of one of ``PV_KW`` under one of the weathers where it has one.
Import and export are tabulated as running sums per row, so that any register is one look-up and the same for every
subset of meters and intervals.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv

from gpu import rng
from teiden.errors import InputError
from twin.field.coordinates import Floats
from twin.field.topology import Ints

DAY_MINUTES = 1440
MEAN_W = 400  # mean of the generated library; DOMAIN fact 9: 0.3 to 0.5 kW a home
MAX_KW = 60.0  # what a low-voltage contract can draw: below 50 kW (低圧); assumed with some room
PV_KW = (3, 4, 5)  # roofs, for a meter of scale 1; assumed
SUNRISE, SUNSET = 360, 1080  # minutes; an equinox day, assumed
WEATHER_CLEAR = (1.0, 0.9, 0.75, 0.5, 0.3, 0.15)  # share of the clear-sky output on six kinds of day, assumed

# Purposes of draws, the same numbers for good.
_BASE, _HUMP, _APPLIANCE, _CLOUD = 0x7201, 0x7202, 0x7203, 0x7204


@dataclass(frozen=True, eq=False)
class Shapes:
    """The rows of all days; K load shapes, W weathers, D rows.

    Attributes
    ----------
    name : tuple of str
        Of the K load shapes.
    load_sum : (K, 1441) int
        Load since midnight [W min] at the start of each minute.
    import_sum, export_sum : (D, 1441) int
        Drawn and fed in since midnight [W min]. Rows 0 to K - 1 are without a roof; row K (1 + W j + w) + k has roof j
        of ``PV_KW`` under weather w.
    weathers : int
        W.
    """

    name: tuple[str, ...]
    load_sum: Ints
    import_sum: Ints
    export_sum: Ints
    weathers: int

    @property
    def count(self) -> int:
        """Return K."""
        return len(self.name)

    @property
    def mean_w(self) -> float:
        """Return the mean load over all shapes [W]."""
        return float(self.load_sum[:, -1].mean() / DAY_MINUTES)

    def row(self, shape: Ints, roof: Ints, weather: Ints) -> Ints:
        """Return the rows of days; `roof` is a place in ``PV_KW`` or -1; arguments broadcast."""
        with_roof = self.count * (1 + self.weathers * roof + weather) + shape
        return np.where(roof < 0, shape, with_roof)


def build_shapes(name: tuple[str, ...], load_w: Ints, sun_pu: Floats) -> Shapes:
    """Return the rows of load shapes and weathers.

    Parameters
    ----------
    name : tuple of str
    load_w : (K, 1440) int
        Load of each minute [W].
    sun_pu : (W, 1440) float
        Output of a roof over its rating.
    """
    roofs_w = np.rint(1000 * np.array(PV_KW)[:, None, None] * sun_pu).astype(np.int64)  # (J, W, 1440)
    roofs_w = np.concatenate([np.zeros((1, DAY_MINUTES), np.int64), roofs_w.reshape(-1, DAY_MINUTES)])
    net_w = (load_w[None] - roofs_w[:, None]).reshape(-1, DAY_MINUTES)
    return Shapes(
        name=name,
        load_sum=_running_sum(load_w),
        import_sum=_running_sum(np.maximum(net_w, 0)),
        export_sum=_running_sum(np.maximum(-net_w, 0)),
        weathers=len(sun_pu),
    )


def generate_shapes(seed: int, count: int = 48) -> Shapes:
    """Return a library of made-up homes: standing load, fridge, morning and evening, appliances; mean ``MEAN_W``.

    A stand-in where no table of measured days is given; its forms are assumed.
    """
    load_w = np.stack([_home_w(seed, home) for home in range(count)])
    load_w = np.rint(load_w * (MEAN_W / load_w.mean())).astype(np.int64)
    return build_shapes(tuple(f"home{home:02d}" for home in range(count)), load_w, sun_pu(seed))


def read_shapes(path: Path, seed: int) -> Shapes:
    """Read a user's table of days (CSV): ``minute`` from midnight in even steps, then one column of kW per shape.

    The step divides a day (1, 5, 15, 30 ... minutes); a value holds until the next row. The sun is generated.

    Raises
    ------
    InputError
        If the file is missing or a row or column is wrong; the message names it.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected a CSV with minute and a column of kW per shape")
    try:
        table = pa.csv.read_csv(path)
    except pa.ArrowInvalid as error:
        raise InputError(f"{path}: {error}") from error
    names = table.column_names
    if len(names) < 2 or names[0] != "minute" or len(set(names)) != len(names):
        raise InputError(f"{path}: columns {', '.join(names[:5])}, expected minute and then shapes, each name once")
    values = [_numbers(table, name, path) for name in names]
    minute = values[0]
    step = DAY_MINUTES // len(minute) if len(minute) else 0
    wrong = np.flatnonzero(minute != np.arange(len(minute)) * step)
    if not step or step * len(minute) != DAY_MINUTES or wrong.size:
        at = f"row {wrong[0] + 2}: minute = {minute[wrong[0]]:g}; " if wrong.size else ""
        raise InputError(
            f"{path}: {at}{len(minute)} rows, expected even steps that fill the {DAY_MINUTES} minutes of a day"
        )
    kw = np.stack(values[1:])
    bad = np.argwhere(~((kw >= 0) & (kw <= MAX_KW)))
    if bad.size:
        shape, row = bad[0]
        raise InputError(f"{path}: row {row + 2}: {names[shape + 1]} = {kw[shape, row]:g}, expected 0 to {MAX_KW:g} kW")
    load_w = np.repeat(np.rint(1000 * kw).astype(np.int64), step, axis=1)
    return build_shapes(tuple(names[1:]), load_w, sun_pu(seed))


def sun_pu(seed: int) -> Floats:
    """Return (W, 1440) what a roof gives over its rating, one row per kind of day; a parabola with passing clouds."""
    minute = np.arange(DAY_MINUTES)
    noon, half = (SUNRISE + SUNSET) / 2, (SUNSET - SUNRISE) / 2
    clear = np.maximum(0.0, 1 - ((minute + 0.5 - noon) / half) ** 2)
    weathers = np.arange(len(WEATHER_CLEAR))[:, None]
    share = np.array(WEATHER_CLEAR)[:, None]
    cloud = rng.draw_unit(seed, _CLOUD, weathers, minute // 10)
    depth = np.minimum(share, 1 - share)  # broken clouds swing most on half-clear days
    return np.asarray(0.8 * clear * (share + depth * (cloud - 0.5)))  # 0.8: heat, inverter and tilt, assumed


def _numbers(table: pa.Table, name: str, path: Path) -> Floats:
    """Return a column as floats, InputError at the first that is none."""
    try:
        column = table[name].cast(pa.float64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InputError(f"{path}: column {name}: {error}; expected numbers") from error
    if column.null_count:
        row = column.is_null().to_numpy().argmax()
        raise InputError(f"{path}: row {row + 2}: {name} is empty, expected a number")
    return np.asarray(column.to_numpy(), np.float64)


def _running_sum(minute_w: Ints) -> Ints:
    """Return sums since midnight at the start of each minute, and of the day's end."""
    total = np.zeros((len(minute_w), DAY_MINUTES + 1), np.int64)
    np.cumsum(minute_w, axis=1, out=total[:, 1:])
    return total.astype(np.int32)  # 60 kW all day are 86,400,000 W min


def _home_w(seed: int, home: int) -> Floats:
    """Return (1440,) the load of one made-up day [W]."""
    minute = np.arange(DAY_MINUTES)
    base = rng.draw_unit(seed, _BASE, home, np.arange(3))
    load = 60 + 120 * base[0] + 90 * ((minute + int(60 * base[1])) % 45 < 18)  # standing load; a fridge's cycle
    draw = rng.draw_unit(seed, _HUMP, home, np.arange(6))
    for centre, width, height in (
        (420 + 90 * draw[0], 80 + 60 * draw[1], 200 + 400 * draw[2]),
        (1170 + 120 * (draw[3] - 0.5), 180 + 90 * draw[4], 300 + 700 * draw[5]),
    ):
        load = load + height * np.maximum(0.0, 1 - np.abs(minute - centre) / width)
    uses = rng.draw_unit(seed, _APPLIANCE, home, np.arange(24)).reshape(8, 3)
    for when, length, power in uses:  # kettle, microwave, iron, washing machine ...
        start = int(390 + 990 * when)
        load[start : start + 3 + int(25 * length * length)] += 500 + 900 * power
    return np.asarray(load)
