"""A district cut off from the grid that lives on a battery and its own roofs (R23): how long does it last?

Each minute the battery gives what the district draws less what its roofs feed in; when it is empty the district is
dark. A meter's limit cuts what its customer draws: most switch something off, the breaker of the others trips, closes
again, and locks them out (``twin/metering/breaker.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from twin.chance import Purpose, uniform
from twin.collection.settings import Island as IslandTable
from twin.field.population import Population
from twin.metering.breaker import VOLTS, let_through
from twin.metering.curtailment import Curtailment
from twin.metering.loads import Loads
from twin.store.schema import DAY_NS, HOUR_NS, MINUTE_NS

LONGEST_DAYS = 10

Draw = Callable[[NDArray[np.int64], "Supply"], NDArray[np.float64]]
"""``draw(ends_ns, supply)``: (M, T) what customers draw less what they feed in [W] in the minutes with these ends."""


@dataclass
class Supply:
    """A district from its first minute alone to the last one of which something is known.

    Attributes
    ----------
    stored_wh : float
        In the battery.
    trips : (M,) uint8
        How often each customer's breaker has tripped in a row.
    ends_ns, level_wh, wanted_w, drawn_w : list of (T,) arrays
        Each minute's end; stored at that end; drawn without a limit, and with it, by those that have not been locked
        out, less what roofs feed in.
    dark_ns : int or None
        End of the minute in which the battery was empty.
    """

    stored_wh: float
    trips: NDArray[np.uint8]
    ends_ns: list[NDArray[np.int64]] = field(default_factory=list)
    level_wh: list[NDArray[np.float64]] = field(default_factory=list)
    wanted_w: list[NDArray[np.float64]] = field(default_factory=list)
    drawn_w: list[NDArray[np.float64]] = field(default_factory=list)
    dark_ns: int | None = None


def discharge(stored_wh: float, full_wh: float, drawn_w: NDArray[np.float64]) -> tuple[NDArray[np.float64], int | None]:
    """Return (T,) what a battery holds at the end of each minute, and the place of the first in which it is empty."""
    level = np.zeros(drawn_w.size)
    for k, watts in enumerate(drawn_w.tolist()):
        stored_wh = min(stored_wh - watts / 60, full_wh)
        if stored_wh <= 0:
            return level, k
        level[k] = stored_wh
    return level, None


class Island:
    """The district and its battery.

    Parameters
    ----------
    settings : twin.collection.settings.Island
    population : Population
        The district is the meters nearest to one of them, which is drawn.
    loads : Loads
    adapts : (N,) bool
        Customers who stay below a limit.
    contract_a : float
        A limit from here on is none.
    seed : int

    Attributes
    ----------
    meters : (M,) int
        Ascending.
    begin_ns : int
    """

    def __init__(
        self, settings: IslandTable, population: Population, loads: Loads, adapts: NDArray[np.bool_],
        contract_a: float, seed: int,
    ):  # fmt: skip
        self._loads = loads
        self.begin_ns = round(settings.at_h * HOUR_NS)
        self.meters = _around_one(population, settings.meters, seed)
        self._full_wh = 1000 * settings.battery_kwh_per_meter * self.meters.size
        self._first_wh = settings.charged * self._full_wh
        self._adapts = adapts[self.meters]
        self._contract_a = contract_a

    def alone(self) -> Supply:
        """Return the state in the moment in which the island begins."""
        return Supply(self._first_wh, np.zeros(self.meters.size, np.uint8))

    def advance(self, supply: Supply, from_ns: int, until_ns: int, draw: Draw) -> None:
        """Let minutes pass, no longer than a day, until the battery is empty."""
        ends = np.arange(from_ns + MINUTE_NS, until_ns + 1, MINUTE_NS)
        if supply.dark_ns is not None or not ends.size:
            return
        drawn_w = draw(ends, supply).sum(axis=0)
        level, empty = discharge(supply.stored_wh, self._full_wh, drawn_w)
        supply.stored_wh = float(level[-1])
        supply.dark_ns = None if empty is None else int(ends[empty])
        upto = slice(None if empty is None else empty + 1)
        supply.ends_ns.append(ends[upto])
        supply.level_wh.append(level[upto])
        supply.wanted_w.append(self._wanted_w(ends).sum(axis=0)[upto])
        supply.drawn_w.append(drawn_w[upto])

    def metered(self, curtailed: Curtailment) -> Draw:
        """Return what the district's meters count, under the limits that they have by then."""

        def draw(ends: NDArray[np.int64], supply: Supply) -> NDArray[np.float64]:
            curtailed.advance(int(ends[-1]))
            supply.trips = curtailed.trips_in_a_row(self.meters)
            return curtailed.power(self.meters, ends, MINUTE_NS)[0].astype(float)

        return draw

    def lasting(self, amperes: float) -> Supply:
        """Return how it would go with one limit for everybody from the first minute on, for ten days at most."""
        supply = self.alone()
        limit_w = np.full(self.meters.size, VOLTS * amperes if amperes < self._contract_a else np.inf)

        def draw(ends: NDArray[np.int64], supply: Supply) -> NDArray[np.float64]:
            drawn_w, supply.trips = limited(self._wanted_w(ends), limit_w, self._adapts, supply.trips)
            return drawn_w

        for from_ns, until_ns in _days(self.begin_ns):
            self.advance(supply, from_ns, until_ns, draw)
        return supply

    def _wanted_w(self, ends: NDArray[np.int64]) -> NDArray[np.int64]:
        return self._loads.power(self.meters, ends, MINUTE_NS)[0]


def limited(
    net_w: NDArray[np.int64], limit_w: NDArray[np.float64], adapts: NDArray[np.bool_], trips: NDArray[np.uint8]
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Return (M, T) what customers draw, minute after minute [W], and (M,) trips at the end, as `let_through`."""
    drawn_w = np.empty(net_w.shape)
    for k in range(net_w.shape[1]):
        drawn_w[:, k], trips = let_through(net_w[:, k], limit_w, adapts, trips)
    return drawn_w, trips


def _days(begin_ns: int) -> Iterator[tuple[int, int]]:
    for day in range(LONGEST_DAYS):
        yield begin_ns + day * DAY_NS, begin_ns + (day + 1) * DAY_NS


def _around_one(population: Population, count: int, seed: int) -> NDArray[np.int64]:
    """Return the meters nearest to one that is drawn, itself among them."""
    x_m, y_m = population.meter_x_m, population.meter_y_m
    middle = int(np.argmin(uniform(seed, np.arange(x_m.size), 0, Purpose.ISLAND)))
    distance_m = np.hypot(x_m - x_m[middle], y_m - y_m[middle])
    return np.sort(np.argsort(distance_m, kind="stable")[:count])
