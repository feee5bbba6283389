"""What meters remember: ring buffers per series, with the gaps, clock errors and reboots they have.

The values are not stored. They follow from the counter-based loads, the list of outages and each meter's clock, so the
memory of a meter costs a few bytes whatever its profile keeps, and a million fit. What can still be read is what the
ring buffers of the profile would still hold.

- A meter reads its registers when its own clock shows the end of an interval: at true time end - offset.
- The clock drifts at a rate of its own and is set right once a period; an interval in which it jumps by more than
  ``jump_ns`` is marked ``clock_adjusted``.
- Without supply nothing is metered and intervals that end have ``no_data``. The interval in which supply comes back is
  marked ``reboot``; its mean power counts the dark part as 0, its voltage is that of the lit part. Buffers survive.
- Ampere limits and open switches keep energy from customers and so from the registers (``curtailment``); the meter
  itself stays lit and its intervals valid.
- Gas and water meters run on batteries. Their registers follow the home's electricity, a stand-in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from gpu import rng
from teiden.errors import InputError
from twin.field.topology import Bools, Ints
from twin.metering.calendar import DAY_NS, SECOND_NS
from twin.metering.curtailment import Curtailment
from twin.metering.dark import Dark, dark_part
from twin.metering.loads import SCALE_ONE, Loads
from twin.metering.outages import Outages
from twin.metering.profile import Profile
from twin.metering.readings import ABSENT, Readings, blank
from twin.store.schema import INTERVAL_NS, MINUTE_NS, Mark, Series

WH_PER_LITRE = {Series.GAS: 10, Series.WATER: 15}  # about 1 m3 of gas and 0.6 m3 of water a day; assumed
INSTALLED_NS = -45 * DAY_NS
WMIN_PER_WH = 60

# Purposes of draws, the same numbers for good.
_DRIFT, _SYNC_PHASE = 0x7221, 0x7222


@dataclass(frozen=True)
class ClockModel:
    """How meters' clocks err; every number is assumed.

    Attributes
    ----------
    drift_ppm : float
        Standard deviation over meters; a crystal without compensation. Drifts beyond 3 of them do not occur.
    sync_every_ns : int
        How often a meter's clock is set; the moment in the period is the meter's own.
    jump_ns : int
        A larger step is marked in the interval it falls into.
    """

    drift_ppm: float = 10.0
    sync_every_ns: int = DAY_NS
    jump_ns: int = SECOND_NS


class MeterMemory:
    """The memories of N meters of one profile.

    Parameters
    ----------
    loads : Loads
    profile : Profile
    clock : ClockModel
    adapts : (N,) bool
        Customers who draw no more than a commanded limit; all by default.
    contract_a : float

    Attributes
    ----------
    curtailed : Curtailment
        What meters count; to be told of every change of a limit or switch.
    outages : Outages
        To be told of every loss and return of supply, in the order of time.

    Raises
    ------
    InputError
        If the clocks could be off by half a minute or more.
    """

    def __init__(
        self, loads: Loads, profile: Profile, clock: ClockModel | None = None, *,
        adapts: Bools | None = None, contract_a: float = 60.0,
    ):  # fmt: skip
        self._clock = clock or ClockModel()
        if not 0 <= 3 * self._clock.drift_ppm * self._clock.sync_every_ns / 1e6 < MINUTE_NS / 2:
            raise InputError(
                f"clock: {self._clock.drift_ppm:g} ppm over {self._clock.sync_every_ns / SECOND_NS:g} s, "
                "expected below 30 s at 3 times the drift"
            )
        self.loads = loads
        self.profile = profile
        self.outages = Outages(loads.meter_count)
        everybody = np.broadcast_to(np.True_, loads.meter_count)
        self.curtailed = Curtailment(loads, everybody if adapts is None else adapts, contract_a)
        ids = np.arange(loads.meter_count, dtype=np.int64)
        steps = np.clip(ndtri((np.arange(256) + 0.5) / 256), -3, 3) * self._clock.drift_ppm * 1000
        self._drift_ppb = np.rint(steps).astype(np.int32)[rng.draw_below(256, loads.seed, _DRIFT, ids)]

    @property
    def bytes_per_meter(self) -> float:
        """Return what is held per meter, loads included; an outage adds 24 bytes, sorted copies as many."""
        return self.loads.bytes_per_meter + self._drift_ppb.itemsize + 8

    def clock_offset_ns(self, meters: npt.ArrayLike, t_ns: npt.ArrayLike) -> Ints:
        """Return (M, T) how far the clocks of meters (M,) are ahead at times (T,)."""
        which = np.asarray(meters, np.int64)
        since_ns = (np.asarray(t_ns, np.int64) - self._sync_phase_ns(which)[:, None]) % self._clock.sync_every_ns
        return np.asarray(self._drift_ppb[which, None] * (since_ns // 1000) // 10**6)

    def readings(self, meters: npt.ArrayLike, series: Series, from_ns: int, to_ns: int, now_ns: int) -> Readings:
        """Return what meters would answer when asked for a range.

        Parameters
        ----------
        meters : (M,) int
        series : Series
        from_ns, to_ns : int
            Intervals that end after `from_ns` and up to `to_ns`.
        now_ns : int
            When they are asked. What the ring buffer has lost by then, or has not seen yet, is left out.

        Returns
        -------
        Readings
            By meter as given, then by time.

        Raises
        ------
        InputError
            If the profile does not have the series.
        """
        kept, step = self.profile.kept(series), INTERVAL_NS[series]
        which = np.asarray(meters, np.int64)
        ends = self._ends_held(step, kept.slots(series), from_ns, to_ns, now_ns)
        columns = blank(np.repeat(which, ends.size), series, np.tile(ends, which.size))
        if not len(columns["meter"]):
            return Readings(**columns)
        if series in WH_PER_LITRE:
            drawn, _ = self.loads.registers_wmin(which, ends)
            columns["import_wh"] = (drawn // (SCALE_ONE * WMIN_PER_WH * WH_PER_LITRE[series])).ravel()
            return Readings(**columns)
        one_more = np.append(ends[0] - step, ends)
        read_ns = one_more - self.clock_offset_ns(which, one_more)
        self.curtailed.advance(int(ends[-1]) + MINUTE_NS)  # clocks read up to half a minute after the end
        dark = dark_part(self.outages, self.curtailed, which, one_more, read_ns, step).later()
        columns["mark"] = self._marks(which, ends, step, dark).ravel()
        if "import_wh" in kept.columns:
            for name, value in zip(
                ("import_wh", "export_wh"), self._registers_wh(which, read_ns[:, 1:], dark), strict=True
            ):
                columns[name] = value.ravel()
        if "p_w" in kept.columns:
            for name, value in zip(("p_w", "q_var", "u_dv"), self._power(which, ends, step, dark), strict=True):
                columns[name] = value.ravel()
        nothing = columns["mark"] == Mark.NO_DATA
        for name in kept.columns:
            columns[name][nothing] = ABSENT
        return Readings(**columns)

    def instantaneous(self, meters: npt.ArrayLike, t_ns: int) -> tuple[Ints, Ints, Ints, Bools]:
        """Return P [W], Q [var], U [0.1 V] of meters (M,) in the minute of `t_ns`, and which answer at all (R15)."""
        which = np.asarray(meters, np.int64)
        end = np.array([(t_ns // MINUTE_NS + 1) * MINUTE_NS])
        self.curtailed.advance(int(end[0]))
        p_w, q_var = self.curtailed.power(which, end, MINUTE_NS)
        leg1_v, _ = self.curtailed.voltage(which, end, MINUTE_NS)
        return p_w[:, 0], q_var[:, 0], _decivolts(leg1_v[:, 0]), self.outages.supplied(which)

    def _ends_held(self, step: int, slots: int, from_ns: int, to_ns: int, now_ns: int) -> Ints:
        """Return the interval ends of a range that the ring buffer holds."""
        newest = min(to_ns, now_ns) // step
        oldest = max(from_ns // step + 1, now_ns // step - slots + 1, INSTALLED_NS // step + 1)
        return np.arange(oldest, newest + 1, dtype=np.int64) * step

    def _sync_phase_ns(self, meters: Ints) -> Ints:
        """Return (M,) when in the period each clock is set."""
        second = rng.draw_below(max(1, self._clock.sync_every_ns // SECOND_NS), self.loads.seed, _SYNC_PHASE, meters)
        return second * SECOND_NS

    def _marks(self, meters: Ints, ends: Ints, step: int, dark: Dark) -> Ints:
        """Return (M, T) marks; no_data before reboot before clock_adjusted."""
        period = self._clock.sync_every_ns
        phase = self._sync_phase_ns(meters)[:, None]
        syncs = (ends - phase) // period > (ends - step - phase) // period
        jumps = np.abs(self._drift_ppb[meters, None].astype(np.int64)) * (period // 1000) // 10**6 > self._clock.jump_ns
        marks = np.where(syncs & jumps, Mark.CLOCK_ADJUSTED, Mark.VALID).astype(np.int64)
        marks[dark.reboot] = Mark.REBOOT
        marks[dark.no_data] = Mark.NO_DATA
        return marks

    def _registers_wh(self, meters: Ints, read_ns: Ints, dark: Dark) -> tuple[Ints, Ints]:
        """Return (M, T) both registers at the times they are read, without what the outages took."""
        drawn, fed = self.curtailed.registers_wmin(meters, read_ns)
        first_wh = self.loads.first_register_wh(meters)[:, None]
        unit = SCALE_ONE * WMIN_PER_WH
        return first_wh + (drawn - dark.lost_import) // unit, (fed - dark.lost_export) // unit

    def _power(self, meters: Ints, ends: Ints, step: int, dark: Dark) -> tuple[Ints, Ints, Ints]:
        """Return (M, T) mean P [W] and Q [var] over the intervals, the dark part as 0, and U [0.1 V] while lit."""
        p_w, q_var = self.curtailed.power(meters, ends, step)
        leg1_v, _ = self.curtailed.voltage(meters, ends, step)
        minutes = SCALE_ONE * (step // MINUTE_NS)
        p_w = p_w - np.rint(dark.lost_within / minutes).astype(np.int64)
        lit_q_var = np.rint(q_var * (1 - dark.share)).astype(np.int64)
        return p_w, lit_q_var, _decivolts(leg1_v)


def _decivolts(volts: npt.NDArray[np.float64]) -> Ints:
    """Return a voltage as meters report it [0.1 V]."""
    return np.rint(10 * volts).astype(np.int64)
