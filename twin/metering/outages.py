"""Which meters were without supply, and when."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from teiden.errors import InputError
from twin.field.topology import Bools, Ints

STILL_OUT = np.iinfo(np.int64).max


class Outages:
    """A growing list of outages of N meters.

    Parameters
    ----------
    meters : int
    """

    def __init__(self, meters: int):
        self._out_since = np.full(meters, -1, np.int64)  # place in the list, -1 with supply
        self._meter: list[Ints] = []
        self._from_ns: list[Ints] = []
        self._to_ns: list[Ints] = []
        self._count = 0
        self._sorted: tuple[Ints, Ints, Ints] | None = None

    def lose(self, meters: npt.ArrayLike, t_ns: int) -> None:
        """Note that meters lose their supply; InputError names one that has none already."""
        which = np.unique(np.asarray(meters, np.int64))
        self._check(which, self._out_since[which] < 0, "is without supply already")
        self._out_since[which] = self._count + np.arange(which.size)
        self._count += which.size
        for column, value in ((self._meter, which), (self._from_ns, t_ns), (self._to_ns, STILL_OUT)):
            column.append(np.broadcast_to(np.asarray(value, np.int64), which.shape).copy())
        self._sorted = None

    def restore(self, meters: npt.ArrayLike, t_ns: int) -> None:
        """Note that meters have supply again; InputError names one that had it, or lost it later."""
        which = np.unique(np.asarray(meters, np.int64))
        place = self._out_since[which]
        self._check(which, place >= 0, "has supply already")
        self._join()
        self._check(which, self._from_ns[0][place] < t_ns, f"lost supply at {t_ns} ns or later")
        self._to_ns[0][place] = t_ns
        self._out_since[which] = -1
        self._sorted = None

    def supplied(self, meters: npt.ArrayLike) -> Bools:
        """Return which of the meters have supply now."""
        return np.asarray(self._out_since[np.asarray(meters, np.int64)] < 0)

    def of(self, meters: Ints) -> tuple[Ints, Ints, Ints]:
        """Return the outages of some meters.

        Parameters
        ----------
        meters : (M,) int

        Returns
        -------
        place : (E,) int
            Where in `meters` each belongs.
        from_ns, to_ns : (E,) int
            ``STILL_OUT`` where it lasts.
        """
        meter, from_ns, to_ns = self._in_order()
        first, last = np.searchsorted(meter, meters, "left"), np.searchsorted(meter, meters, "right")
        count = last - first
        place = np.repeat(np.arange(meters.size), count)
        row = np.repeat(first - np.cumsum(count) + count, count) + np.arange(place.size)
        return place, from_ns[row], to_ns[row]

    def _join(self) -> None:
        """Put the columns into one array each."""
        for column in (self._meter, self._from_ns, self._to_ns):
            if len(column) != 1:
                column[:] = [np.concatenate([np.empty(0, np.int64), *column])]

    def _in_order(self) -> tuple[Ints, Ints, Ints]:
        """Return all outages by meter and time."""
        if self._sorted is None:
            self._join()
            order = np.lexsort((self._from_ns[0], self._meter[0]))
            self._sorted = (self._meter[0][order], self._from_ns[0][order], self._to_ns[0][order])
        return self._sorted

    @staticmethod
    def _check(meters: Ints, good: Bools, text: str) -> None:
        """Raise InputError for the first meter that is not good."""
        if not good.all():
            raise InputError(f"outages: meter {meters[~good][0]} {text} ({(~good).sum()} of {meters.size} meters)")
