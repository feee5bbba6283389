"""The office: concentrators, WAN, head end, alarms, polling and naming the section, on one SimPy clock in ns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

from twin.field.grid import Grid
from twin.field.population import Population
from twin.office.concentrator import Concentrators
from twin.office.headend import HeadEnd, Verdict
from twin.office.locate import Section, list_sections, locate_outage
from twin.office.polling import Poll, Polling
from twin.office.wan import Wan
from twin.scenario import Scenario, ns


@dataclass(frozen=True)
class Naming:
    """What the head end named at one moment."""

    t_ns: int
    section: Section


class Office:
    """All that happens beyond the concentrators' antennas.

    Parameters
    ----------
    scenario : Scenario
    grid : Grid
        The utility's own asset data: normal topology and which meter hangs on which substation.
    population : Population
    key_of : callable
        Returns the key of a meter.
    transmit_poll : callable
        ``transmit_poll(poll, t_ns)``: a concentrator's radio may send the poll from ``t_ns`` on.
    """

    def __init__(
        self,
        scenario: Scenario,
        grid: Grid,
        population: Population,
        key_of: Callable[[int], bytes],
        transmit_poll: Callable[[Poll, int], Any],
    ):
        self.scenario = scenario
        self.grid = grid
        self.env = simpy.Environment()
        self.wan = Wan(self.env, scenario.wan, scenario.seed)
        meters = population.meter_substation.size
        self.concentrators = Concentrators(
            self.env, scenario.concentrator, self.wan, population.concentrator_substation.size
        )
        self.head_end = HeadEnd(self.env, scenario.head_end, key_of, meters, self._suspect_around)
        self.namings: list[Naming] = []
        self._meter_substation = population.meter_substation
        self._substations = int(grid.substation_bus.size)
        self.sections = list_sections(grid)
        self._transmit_poll = transmit_poll
        self.polling: Polling | None = None
        if "polling" in scenario.policy.kind:
            self.polling = Polling(
                self.env, scenario.policy, scenario.seed, self.head_end.beliefs, self._members(), self._ask
            )
        self.env.process(self._name_sections())

    def run_until(self, t_ns: int) -> None:
        """Let everything that happens before ``t_ns`` happen."""
        if t_ns > self.env.now:
            self.env.run(until=t_ns)

    def heard(self, t_ns: int, concentrator: int, data: bytes, tell: Callable[[Verdict | None], None]) -> None:
        """Take a message that a concentrator's radio received at ``t_ns``; ``tell`` hears None if the WAN lost it."""
        self._at(
            t_ns,
            lambda: self.concentrators.uplink(
                concentrator, lambda: self.head_end.receive(data, tell), lambda: tell(None)
            ),
        )

    def breaker_alarm(self, t_ns: int, substations: NDArray[np.int64]) -> None:
        """Take the feeder breaker's telemetry: these substations have lost their feed."""
        if self.polling is not None:
            polling = self.polling
            self._at(t_ns + ns(self.scenario.head_end.breaker_alarm_s), lambda: polling.suspect(substations.tolist()))

    def _suspect_around(self, meter: int) -> None:
        if self.polling is not None:
            self.polling.suspect([int(self._meter_substation[meter])])

    def _ask(self, poll: Poll) -> None:
        def lost() -> None:
            poll.cause = "wan"

        self.concentrators.downlink(lambda t_ns: self._transmit_poll(poll, t_ns), lost)

    def _members(self) -> list[NDArray[np.int64]]:
        order = np.argsort(self._meter_substation, kind="stable")
        cuts = np.searchsorted(self._meter_substation[order], np.arange(1, self._substations))
        return np.split(order, cuts)

    def _name_sections(self) -> Any:
        while True:
            yield self.env.timeout(ns(self.scenario.head_end.locate_every_s))
            beliefs = self.head_end.beliefs
            if beliefs.changes:
                self.namings.append(Naming(int(self.env.now), self.name_section()))

    def name_section(self) -> Section:
        """Return the section that explains best what the head end believes now."""
        beliefs = self.head_end.beliefs
        dark = self._per_substation(beliefs.dark)
        lit = self._per_substation(beliefs.heard & ~beliefs.dark)
        unknown = self._per_substation(np.ones_like(beliefs.dark)) - dark - lit
        return locate_outage(self.grid, self.sections, dark, lit, unknown)

    def _per_substation(self, which: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.bincount(self._meter_substation[which], minlength=self._substations)

    def _at(self, t_ns: int, act: Callable[[], Any]) -> None:
        event = self.env.timeout(t_ns - int(self.env.now))
        event.callbacks.append(lambda _: act())
