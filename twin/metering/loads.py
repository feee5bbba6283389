"""What every meter draws and feeds in, at any time: P, Q, V and the energy registers.

Nothing is stored per interval. A meter's day is a row of ``shapes.Shapes`` drawn by (seed, meter, day), times the
meter's scale; a register is what stood at midnight and a look-up. Sums are whole numbers, so any subset of meters and
intervals gives the same values, in any order.

Voltage: the meters' draw, brought to the level of the grid's own load table, runs through the medium-voltage feeder
(``feeder.RadialFeeder``); then come the pole transformer and the low-voltage line with the neighbours of the same
substation, and the meter's own service drop with its two legs.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from gpu import rng
from teiden.errors import InputError
from twin.field.coordinates import Floats
from twin.field.topology import Bools, Ints
from twin.metering.calendar import DAY_NS
from twin.metering.feeder import RadialFeeder
from twin.metering.shapes import PV_KW, Shapes
from twin.store.schema import MINUTE_NS

FIRST_DAY = -46  # registers count from here: 45 days of memory before time 0 and one to spare
SCALE_ONE = 1 << 10
TAN_ONE = 1 << 6
MIDNIGHTS_KEPT = 4
SCALE_SIGMA = 0.5  # of the log-normal spread of homes; assumed
REGISTER_SPREAD_WH = 20_000_000  # registers of meters up to five years old; assumed

# Purposes of draws, the same numbers for good.
_SCALE, _TAN, _HAS_ROOF, _ROOF, _LEG, _SHAPE, _WEATHER, _REGISTER, _SERVICE = range(0x7211, 0x721A)


@dataclass(frozen=True)
class LowVoltage:
    """The one-phase three-wire service, 100/200 V; every number is assumed and stands for a street of poles.

    Attributes
    ----------
    nominal_v : float
        Between a leg and the neutral, at nominal medium voltage.
    homes : int
        Meters on a pole transformer.
    shared_r_ohm, shared_x_ohm : float
        Transformer (50 kVA, 2 %) and line, per leg, as met by the sum of the homes.
    service_r_ohm : float
        Drop wire per conductor; that of a meter is 0.5 to 1.5 times this.
    leg_share_spread : float
        The load on leg 1 is 0.5 plus or minus up to this; a roof feeds both legs alike (200 V).
    """

    nominal_v: float = 105.0
    homes: int = 12
    shared_r_ohm: float = 0.012
    shared_x_ohm: float = 0.010
    service_r_ohm: float = 0.025
    leg_share_spread: float = 0.2


class Loads:
    """The loads of N meters behind S substations.

    Parameters
    ----------
    shapes : Shapes
    meter_substation : (N,) int
    seed : int
    feeder : RadialFeeder, optional
        Without one every substation stands at nominal voltage.
    substation_p_mw : (S,) float, optional
        Peak load of each substation by the grid's own table; needed with a feeder.
    pv_share : float
        Share of meters with a roof, 0 to 1.
    peak_to_mean : float
        A substation reaches `substation_p_mw` when its meters draw this times their mean.  # assumed
    low_voltage : LowVoltage

    Raises
    ------
    InputError
        If a share or ratio is out of range, or the substations do not fit.
    """

    def __init__(
        self,
        shapes: Shapes,
        meter_substation: npt.ArrayLike,
        seed: int,
        *,
        feeder: RadialFeeder | None = None,
        substation_p_mw: npt.ArrayLike | None = None,
        pv_share: float = 0.1,
        peak_to_mean: float = 2.0,
        low_voltage: LowVoltage | None = None,
    ):
        if not 0 <= pv_share <= 1:
            raise InputError(f"loads: pv_share = {pv_share}, expected 0 to 1")
        if not peak_to_mean >= 1:
            raise InputError(f"loads: peak_to_mean = {peak_to_mean}, expected 1 or more")
        self.shapes = shapes
        self.seed = seed
        self.feeder = feeder
        self.low_voltage = low_voltage or LowVoltage()
        self._substation = np.asarray(meter_substation, np.int32)
        self._rated_mw = _checked_rating(self._substation, feeder, substation_p_mw)
        self._peak_to_mean = peak_to_mean
        ids = np.arange(self._substation.size, dtype=np.int64)
        self._scale = _scales(seed, ids)
        self._tan = rng.draw_below(TAN_ONE // 3, seed, _TAN, ids).astype(np.int8)  # power factor 1 to 0.95; assumed
        roof = rng.draw_below(len(PV_KW), seed, _ROOF, ids)
        self._roof = np.where(rng.draw_unit(seed, _HAS_ROOF, ids) < pv_share, roof, -1).astype(np.int8)
        self._tables: dict[int, tuple[Floats, Floats]] = {}
        self._midnights: OrderedDict[int, tuple[Ints, Ints]] = OrderedDict()
        self._keeping = Lock()  # of midnights and stations: several threads may ask
        self._stations: OrderedDict[tuple[int, int], tuple[Floats, Floats, Floats]] = OrderedDict()

    @property
    def meter_count(self) -> int:
        """Return N."""
        return self._substation.size

    @property
    def has_roof(self) -> Bools:
        """Return (N,) which meters have a roof."""
        return self._roof >= 0

    @property
    def bytes_per_meter(self) -> float:
        """Return what is held per meter: constants, and the registers of up to ``MIDNIGHTS_KEPT`` midnights."""
        fixed = sum(array.itemsize for array in (self._substation, self._scale, self._tan, self._roof))
        return fixed + MIDNIGHTS_KEPT * 2 * 8

    def registers_wmin(self, meters: npt.ArrayLike, t_ns: npt.ArrayLike) -> tuple[Ints, Ints]:
        """Return what meters have drawn and fed in since ``FIRST_DAY``, as if supply had never failed.

        Parameters
        ----------
        meters : (M,) int
        t_ns : (T,) or (M, T) int
            Simulated times, the same or each meter's own. Within a minute power is constant.

        Returns
        -------
        import, export : (M, T) int
            [W min / 1024].

        Raises
        ------
        InputError
            If a time lies before ``FIRST_DAY``.
        """
        which = np.asarray(meters, np.int64)
        when = np.asarray(t_ns, np.int64)
        when = np.broadcast_to(when, (which.size, when.shape[-1]))
        day = when // DAY_NS
        if day.size and day.min() < FIRST_DAY:
            raise InputError(f"loads: day {day.min()}, expected {FIRST_DAY} or later (registers count from there)")
        drawn, fed = np.empty(when.shape, np.int64), np.empty(when.shape, np.int64)
        for today in np.unique(day).tolist():
            here = np.nonzero(day == today)
            self._fill_registers(which, today, here, when[here] - today * DAY_NS, (drawn, fed))
        return drawn, fed

    def first_register_wh(self, meters: npt.ArrayLike) -> Ints:
        """Return what the import register showed at ``FIRST_DAY``; that of export showed 0."""
        return rng.draw_below(REGISTER_SPREAD_WH, self.seed, _REGISTER, meters)

    def power(self, meters: npt.ArrayLike, ends_ns: npt.ArrayLike, step_ns: int) -> tuple[Ints, Ints]:
        """Return mean active and reactive power over intervals.

        Parameters
        ----------
        meters : (M,) int
        ends_ns : (T,) int
            Ends of intervals, multiples of `step_ns`.
        step_ns : int
            Whole minutes that divide a day.

        Returns
        -------
        p_w : (M, T) int
            Drawn less fed in [W].
        q_var : (M, T) int
            Positive for lagging current.

        Raises
        ------
        InputError
            If the step or an end is none of these.
        """
        which, ends = _checked_intervals(meters, ends_ns, step_ns)
        p_w, q_var = np.empty((which.size, ends.size), np.int64), np.empty((which.size, ends.size), np.int64)
        tan = self._tan[which, None] / TAN_ONE
        for today, at, slot in _by_day(ends, step_ns):
            net_w, load_w = self._means_w(which, today, slot, step_ns)
            p_w[:, at] = np.floor(net_w + 0.5)
            q_var[:, at] = np.floor(load_w * tan + 0.5)
        return p_w, q_var

    def voltage(
        self, meters: npt.ArrayLike, ends_ns: npt.ArrayLike, step_ns: int, cut: tuple[Floats, Floats] | None = None
    ) -> tuple[Floats, Floats]:
        """Return the mean voltage of both legs against the neutral at the meters.

        Per leg (r P + x Q) / U with nominal U. Parameters and errors as for `power`.

        Parameters
        ----------
        cut : pair of (M, T) float, optional
            Net power that does not flow through the meters' own drop wires [W], and the share of their load that does.

        Returns
        -------
        leg1_v, leg2_v : (M, T) float
        """
        which, ends = _checked_intervals(meters, ends_ns, step_ns)
        low, station = self.low_voltage, self._substation[which]
        own = low.service_r_ohm * (0.5 + rng.draw_unit(self.seed, _SERVICE, which))[:, None] / low.nominal_v
        lean = low.leg_share_spread * (2 * rng.draw_unit(self.seed, _LEG, which) - 1)[:, None]
        legs_v = np.empty((2, which.size, ends.size))
        for today, at, slot in _by_day(ends, step_ns):
            net_w, load_w = self._means_w(which, today, slot, step_ns)
            pu, mean_p_w, mean_q_var = (state[:, slot] for state in self._station_state(today, step_ns))
            shared_v = low.homes / 2 * (low.shared_r_ohm * mean_p_w + low.shared_x_ohm * mean_q_var) / low.nominal_v
            before_v = (low.nominal_v * pu - shared_v)[station]
            if cut is not None:
                net_w, load_w = net_w - cut[0][:, at], load_w * cut[1][:, at]
            more_w = 2 * lean * load_w  # leg 1 less leg 2: it flows back in the neutral
            legs_v[0][:, at] = before_v - own * (net_w / 2 + 1.5 * more_w)
            legs_v[1][:, at] = before_v - own * (net_w / 2 - 1.5 * more_w)
        return legs_v[0], legs_v[1]

    def substation_voltage_pu(self, day: int, step_ns: int) -> Floats:
        """Return (S, T) the medium voltage at the substations over nominal, for each interval of a day."""
        return self._station_state(day, step_ns)[0]

    def _rows(self, meters: Ints, day: int) -> tuple[Ints, Ints]:
        """Return the load shapes and the rows of meters on a day; the weather is that of all meters."""
        shape = rng.draw_below(self.shapes.count, self.seed, _SHAPE, meters, day)
        weather = rng.draw_below(self.shapes.weathers, self.seed, _WEATHER, 0, day)
        return shape, self.shapes.row(shape, self._roof[meters].astype(np.int64), weather)

    def _fill_registers(
        self, meters: Ints, day: int, here: tuple[Any, ...], into_ns: Ints, out: tuple[Ints, Ints]
    ) -> None:
        """Write both registers at places `here` of `out`, `into_ns` after midnight."""
        _, row = self._rows(meters, day)
        place = here[0]
        scale = self._scale[meters].astype(np.int64)
        sums = (self.shapes.import_sum, self.shapes.export_sum)
        for total, midnight, register in zip(sums, self._midnight(day), out, strict=True):
            register[here] = midnight[meters][place] + scale[place] * _at(total, row[place], into_ns)

    def _midnight(self, day: int) -> tuple[Ints, Ints]:
        """Return (N,) both registers at the start of a day, from the nearest earlier one that is still held."""
        with self._keeping:
            if day not in self._midnights:
                self._midnights[day] = self._registers_at_midnight(day)
                if len(self._midnights) > MIDNIGHTS_KEPT:
                    self._midnights.popitem(last=False)
            self._midnights.move_to_end(day)
            return self._midnights[day]

    def _registers_at_midnight(self, day: int) -> tuple[Ints, Ints]:
        earlier = [known for known in self._midnights if known < day]
        start = max(earlier, default=FIRST_DAY)
        zeros = np.zeros(self.meter_count, np.int64)
        drawn, fed = (total.copy() for total in self._midnights.get(start, (zeros, zeros)))
        everyone = np.arange(self.meter_count, dtype=np.int64)
        for past in range(start, day):
            _, row = self._rows(everyone, past)
            drawn += self._scale * self.shapes.import_sum[row, -1].astype(np.int64)
            fed += self._scale * self.shapes.export_sum[row, -1].astype(np.int64)
        return drawn, fed

    def _means_w(self, meters: Ints, day: int, slot: Ints | slice, step_ns: int) -> tuple[Floats, Floats]:
        """Return (M, T) mean net power and load alone [W] over slots of a day."""
        shape, row = self._rows(meters, day)
        net_w, load_w = self._step_tables(step_ns)
        scale = self._scale[meters, None]
        return scale * net_w[row][:, slot], scale * load_w[shape][:, slot]

    def _step_tables(self, step_ns: int) -> tuple[Floats, Floats]:
        """Return (D, T) net power and (K, T) load of every row [W / 1024] over the intervals of a day."""
        if step_ns not in self._tables:
            minutes = step_ns // MINUTE_NS
            net = self.shapes.import_sum.astype(np.int64) - self.shapes.export_sum
            sums = (net, self.shapes.load_sum.astype(np.int64))
            tables = (np.diff(total[:, ::minutes], axis=1) / (SCALE_ONE * minutes) for total in sums)
            net_w, load_w = tables
            self._tables[step_ns] = (net_w, load_w)
        return self._tables[step_ns]

    def _station_state(self, day: int, step_ns: int) -> tuple[Floats, Floats, Floats]:
        """Return (S, T) voltage over nominal, and mean active and reactive power per meter [W, var]."""
        key = (day, step_ns)
        with self._keeping:
            if key not in self._stations:
                self._stations[key] = self._solve_stations(day, step_ns)
                if len(self._stations) > MIDNIGHTS_KEPT:
                    self._stations.popitem(last=False)
            self._stations.move_to_end(key)
            return self._stations[key]

    def _solve_stations(self, day: int, step_ns: int) -> tuple[Floats, Floats, Floats]:
        """Sum the meters of each substation by rows, which is exact, and run the feeder."""
        stations = self._rated_mw.size
        everyone = np.arange(self.meter_count, dtype=np.int64)
        shape, row = self._rows(everyone, day)
        weight = self._scale.astype(np.float64)
        minutes = step_ns // MINUTE_NS
        net_sum = self.shapes.import_sum.astype(np.float64) - self.shapes.export_sum

        def total(which: Ints, rows: Floats, by: Floats) -> Floats:
            """Whole numbers, below 2**53 for a million homes at a substation: the sum does not depend on its order."""
            spent = np.diff(rows[:, ::minutes], axis=1)
            share = np.bincount(self._substation * len(rows) + which, by, stations * len(rows))
            used = np.flatnonzero(share.reshape(stations, -1).any(axis=0))
            return np.asarray(share.reshape(stations, -1)[:, used] @ spent[used])

        p_w = total(row, net_sum, weight) / (SCALE_ONE * minutes)
        q_unit = SCALE_ONE * TAN_ONE * minutes
        q_var = total(shape, self.shapes.load_sum.astype(np.float64), weight * self._tan) / q_unit
        count = np.bincount(self._substation, minlength=stations)
        mean_p_w, mean_q_var = (each / np.maximum(count, 1)[:, None] for each in (p_w, q_var))
        if self.feeder is None:
            return np.ones_like(p_w), mean_p_w, mean_q_var
        unit_mw = (self._rated_mw / (self._peak_to_mean * self.shapes.mean_w))[:, None]
        without = (count == 0)[:, None]
        p_mw = np.where(without, self._rated_mw[:, None] / self._peak_to_mean, mean_p_w * unit_mw)
        return self.feeder.voltage_pu(p_mw, np.where(without, 0.0, mean_q_var * unit_mw)), mean_p_w, mean_q_var


def _scales(seed: int, ids: Ints) -> npt.NDArray[np.int32]:
    """Return (N,) each meter's scale [1/1024], log-normal of mean 1 in 256 steps."""
    quantile = (np.arange(256) + 0.5) / 256
    steps = np.exp(SCALE_SIGMA * ndtri(quantile))
    table = np.rint(SCALE_ONE * steps / steps.mean()).astype(np.int32)
    return table[rng.draw_below(256, seed, _SCALE, ids)]


def _at(total: Ints, row: Ints, into_ns: Ints) -> Ints:
    """Return running sums at times of the day [W min], power being constant within a minute."""
    minute, rest_ns = np.divmod(into_ns, MINUTE_NS)
    whole = total[row, minute].astype(np.int64)
    if not rest_ns.any():
        return np.asarray(whole)
    return np.asarray(whole + (total[row, minute + 1] - whole) * rest_ns // MINUTE_NS)


def _checked_intervals(meters: npt.ArrayLike, ends_ns: npt.ArrayLike, step_ns: int) -> tuple[Ints, Ints]:
    """Return meters and ends as arrays; InputError unless the ends lie on the steps of a day."""
    which, ends = np.asarray(meters, np.int64), np.asarray(ends_ns, np.int64)
    if step_ns <= 0 or step_ns % MINUTE_NS or DAY_NS % step_ns or (ends % step_ns).any():
        raise InputError(f"loads: intervals of {step_ns} ns, expected whole minutes that divide a day, ends on them")
    return which, ends


def _by_day(ends: Ints, step_ns: int) -> Iterator[tuple[int, Bools, Ints | slice]]:
    """Return each day, which intervals lie in it, and their places in the day."""
    days = (ends - 1) // DAY_NS
    for today in np.unique(days).tolist():
        at = days == today
        slot = (ends[at] - today * DAY_NS) // step_ns - 1
        whole = slot.size == DAY_NS // step_ns and bool((np.diff(slot) == 1).all())
        yield today, at, slice(None) if whole else slot


def _checked_rating(
    substation: npt.NDArray[np.int32], feeder: RadialFeeder | None, rated_mw: npt.ArrayLike | None
) -> Floats:
    """Return (S,) the rating of the substations, 0 without a feeder; InputError where they do not fit."""
    if feeder is None:
        return np.zeros(int(substation.max(initial=0)) + 1)
    rated = np.asarray([] if rated_mw is None else rated_mw, np.float64)
    if rated.size != feeder.substation_bus.size:
        raise InputError(
            f"loads: {rated.size} ratings of substations, expected the feeder's {feeder.substation_bus.size}"
        )
    outside = np.flatnonzero((substation < 0) | (substation >= rated.size))
    if outside.size:
        meter = int(outside[0])
        raise InputError(f"loads: meter {meter} at substation {substation[meter]}, expected 0 to {rated.size - 1}")
    unfed = np.flatnonzero(~np.isin(feeder.substation_bus, feeder.order)[substation])
    if unfed.size:
        meter = int(unfed[0])
        raise InputError(
            f"loads: meter {meter} at substation {substation[meter]}, which no source feeds in the normal state; "
            "place meters elsewhere or close a switch"
        )
    return rated
