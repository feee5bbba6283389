"""Handy terminals: crews visit who owes old values, read all that is owed, and hand it over in the evening (R45)."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

from twin.collection.blackout import Blackout
from twin.collection.concentrators import Reception
from twin.collection.ledger import NEVER, At, Ledger
from twin.collection.links_settings import HandyTable
from twin.collection.traffic import TrafficClass
from twin.store.schema import DAY_NS, HOUR_NS


class HandyTerminals:
    """The crews of one run.

    Parameters
    ----------
    env : simpy.Environment
        Clock in nanoseconds.
    settings : HandyTable
    classes : list of TrafficClass
        Those that are asked for again are read.
    ledger : Ledger
    blackout : Blackout
        A meter without supply cannot be read.
    lane : int
        Of the terminals at the concentrators' level.
    take : callable
        `Concentrators.take`.

    Attributes
    ----------
    visits, read_values : int
    in_hand : list of (R,) int
        Messages in the terminals that are not handed over yet.
    """

    def __init__(
        self, env: simpy.Environment, settings: HandyTable, classes: list[TrafficClass], ledger: Ledger,
        blackout: Blackout, lane: int, take: Callable[[Reception, NDArray[np.int64], NDArray[np.bool_]], None],
    ):  # fmt: skip
        self._env = env
        self._settings = settings
        self._ledger = ledger
        self._blackout = blackout
        self._lane = lane
        self._take = take
        self._asked_again = np.array([kind.asked_again for kind in classes])
        self.visits = self.read_values = 0
        self.in_hand: list[NDArray[np.int64]] = []
        if settings.crews:
            env.process(self._work())

    @property
    def visits_a_day(self) -> int:
        """Visits of all crews in a day, at most."""
        return self._settings.crews * self._settings.visits_per_day

    def backlog(self) -> NDArray[np.int64]:
        """Return the meters that owe a value older than the limit now, who owes longest first; those in hand do not."""
        rows = self._ledger.rows
        owed = self._owed()
        old = owed[rows["interval_ns"][owed] + round(self._settings.after_h * HOUR_NS) <= self._env.now]
        old = old[np.lexsort((rows["meter"][old], rows["interval_ns"][old]))]
        meters, first = np.unique(rows["meter"][old], return_index=True)
        return meters[np.argsort(first, kind="stable")].astype(np.int64)

    def _owed(self) -> NDArray[np.int64]:
        """Return the messages the head end has not got and would ask for again, those in hand left out."""
        rows = self._ledger.rows
        waits = (rows["head_end_ns"] == NEVER) & (rows["at"] < At.STORED) & self._asked_again[rows["kind"]]
        for part in self.in_hand:
            waits[part] = False
        return np.flatnonzero(waits)

    def _work(self) -> Generator[simpy.Event, Any, None]:
        first_ns, last_ns, upload_ns = (
            round(hour * HOUR_NS) for hour in (self._settings.from_h, self._settings.to_h, self._settings.upload_h)
        )
        per_crew = self._settings.visits_per_day
        step_ns = (last_ns - first_ns) // per_crew
        day_ns = 0
        while True:
            for number in range(per_crew):
                yield self._env.timeout(day_ns + first_ns + number * step_ns - self._env.now)
                self._visit(self.backlog()[: self._settings.crews])
            yield self._env.timeout(day_ns + upload_ns - self._env.now)
            self._hand_over()
            day_ns += DAY_NS

    def _visit(self, meters: NDArray[np.int64]) -> None:
        meters = meters[~self._blackout.dark(meters, int(self._env.now))]
        self.visits += meters.size
        owed = self._owed()
        read = owed[np.isin(self._ledger.rows["meter"][owed], meters)]
        rows = self._ledger.rows
        rows["asked"][read] = np.minimum(rows["asked"][read], 254) + 1
        self.read_values += int(rows["values"][read].sum())
        if read.size:
            self.in_hand.append(read)

    def _hand_over(self) -> None:
        parts, self.in_hand = self.in_hand, []
        if not parts:
            return
        now, rows = int(self._env.now), np.concatenate(parts)
        table = self._ledger.rows
        first = rows[table["radio_ns"][rows] == NEVER]
        table["radio_ns"][first], table["sink"][first] = now, self._lane
        self._ledger.move(rows, At.CONCENTRATOR)
        came = Reception(np.full(rows.size, now), rows, table["values"][rows])
        self._take(came, np.full(rows.size, self._lane), np.zeros(rows.size, bool))
