"""What outages take out of a block of readings."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from twin.field.topology import Bools, Ints
from twin.metering.curtailment import Curtailment
from twin.metering.outages import STILL_OUT, Outages


@dataclass(frozen=True, eq=False)
class Dark:
    """M meters, T intervals; energies in W min / 1024 as ``Loads.registers_wmin`` gives them.

    Attributes
    ----------
    no_data : (M, T) bool
        No supply when the meter would have read its registers.
    reboot : (M, T) bool
        The first reading after supply came back.
    lost_import, lost_export : (M, T) int
        What outages before the reading kept from the registers.
    lost_within : (M, T) int
        Net energy that outages took from the interval itself, where supply came back in it.
    share : (M, T) float
        Share of that interval without supply.
    """

    no_data: Bools
    reboot: Bools
    lost_import: Ints
    lost_export: Ints
    lost_within: Ints
    share: npt.NDArray[np.float64]

    def later(self) -> Dark:
        """Return the same without the first interval."""
        return Dark(**{field.name: getattr(self, field.name)[:, 1:] for field in fields(self)})


def dark_part(outages: Outages, loads: Curtailment, meters: Ints, ends: Ints, read_ns: Ints, step: int) -> Dark:
    """Return what the outages take; the first interval only tells what came before, so its ``reboot`` is not known.

    Parameters
    ----------
    outages : Outages
    loads : Curtailment
    meters : (M,) int
    ends : (T,) int
        Interval ends, one step apart.
    read_ns : (M, T) int
        When each meter reads its registers for them; within half a step of the ends.
    step : int
        Length of an interval [ns].
    """
    place, from_ns, to_ns = outages.of(meters)
    if not place.size:
        return _all_lit(read_ns.shape)
    last = ends.size
    begin, back = (_first_read(t_ns, ends, read_ns, place) for t_ns in (from_ns, to_ns))
    change = np.zeros((meters.size, last + 1), np.int64)
    np.add.at(change, (place, begin), 1)
    np.add.at(change, (place, back), -1)
    reboot = np.zeros((meters.size, last + 1), bool)
    seen = (back > 0) & (back < last)
    reboot[place[seen], back[seen]] = True
    lost = np.zeros((2, meters.size, last + 1), np.int64)
    within, share = np.zeros((meters.size, last + 1), np.int64), np.zeros((meters.size, last + 1))
    over = to_ns != STILL_OUT
    drawn, fed = _taken(loads, meters[place[over]], from_ns[over], to_ns[over])
    np.add.at(lost[0], (place[over], back[over]), drawn)
    np.add.at(lost[1], (place[over], back[over]), fed)
    start_ns = np.append(ends - step, ends[-1])[back]
    low, high = np.maximum(from_ns, start_ns), np.minimum(to_ns, start_ns + step)
    inside = seen & (low < high)
    drawn, fed = _taken(loads, meters[place[inside]], low[inside], high[inside])
    np.add.at(within, (place[inside], back[inside]), drawn - fed)
    np.add.at(share, (place[inside], back[inside]), (high - low)[inside] / step)
    summed = np.cumsum(lost, axis=2)[:, :, :last]
    no_data = np.cumsum(change, axis=1)[:, :last] > 0
    return Dark(no_data, reboot[:, :last] & ~no_data, summed[0], summed[1], within[:, :last], share[:, :last])


def _all_lit(shape: tuple[int, ...]) -> Dark:
    """Return what no outages take, without memory of its own."""
    no = np.broadcast_to(np.zeros(1, bool), shape)
    nothing = np.broadcast_to(np.zeros(1, np.int64), shape)
    return Dark(no, no, nothing, nothing, nothing, np.broadcast_to(np.zeros(1), shape))


def _taken(loads: Curtailment, meters: Ints, from_ns: Ints, to_ns: Ints) -> tuple[Ints, Ints]:
    """Return (E,) what the registers would have counted between two times, one meter an outage."""
    drawn, fed = loads.registers_wmin(meters, np.stack([from_ns, to_ns], axis=1))
    return drawn[:, 1] - drawn[:, 0], fed[:, 1] - fed[:, 0]


def _first_read(t_ns: Ints, ends: Ints, read_ns: Ints, place: Ints) -> Ints:
    """Return (E,) the first interval that a meter reads at `t_ns` or later, T if none; clocks shift it by one."""
    last = ends.size
    guess = np.searchsorted(ends, t_ns)
    earlier = np.maximum(guess - 1, 0)
    guess = np.where(read_ns[place, earlier] >= t_ns, earlier, guess)
    late = (guess < last) & (read_ns[place, np.minimum(guess, last - 1)] < t_ns)
    return np.asarray(guess + late)
