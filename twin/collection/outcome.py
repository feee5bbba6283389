"""What came of a collection run: who was served, what is owed, whether the sums hold; for summary and tables."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.chance import Purpose, uniform
from twin.collection import kpis
from twin.collection.command_figures import command_figures, island_cases, island_figures
from twin.collection.conservation import Stage, store_stage
from twin.collection.day import Collection
from twin.collection.island import Supply
from twin.collection.ledger import NEVER, Messages
from twin.collection.links_fleet import Link
from twin.collection.management import Management, manage
from twin.collection.restoration import Returns, returns
from twin.collection.traffic import BILLING_CODE


class Outcome:
    """A finished run, asked for what both its summary and its tables need.

    Parameters
    ----------
    run : Collection
        Its store must be open and compacted while `management` and `conservation` are first asked for.

    Attributes
    ----------
    rows : ledger rows
    home : (N,) int
        The concentrator each meter counts for: that of its route or line, else the nearest of its substation; -1 for
        one with a modem, which has none.
    """

    def __init__(self, run: Collection):
        self.run = run
        self.scenario = run.plan.scenario
        self.rows = run.ledger.rows
        nominal = run.plan.population.meter_concentrator
        routed = np.where(run.plan.concentrator_of >= 0, run.plan.concentrator_of, nominal)
        self.home = np.where(run.plan.fleet.link == Link.CELLULAR, -1, routed)
        self._of: dict[int, Messages] = {}
        self._limits_s = {
            "history": 86_400 * self.scenario.service_levels.history_days,
            "real_time": 60 * self.scenario.service_levels.real_time_min,
        }

    def of(self, code: int) -> Messages:
        """Return the messages of a class."""
        if code not in self._of:
            self._of[code] = self.rows[self.rows["kind"] == code].final()
        return self._of[code]

    def limit_s(self, name: str) -> float:
        """Return within which age a class's values are due [s]."""
        return self._limits_s.get(name, 60 * self.scenario.service_levels.half_hour_min)

    @cached_property
    def management(self) -> Management:
        """What the store says of the billing values; it must be open when this is first asked for."""
        series = self.run.classes[BILLING_CODE].series
        until_ns = self.run.generated_until_ns
        limit_ns = round(self.limit_s("half_hour") * 1e9)
        due_ns = min(until_ns, self.run.end_ns - limit_ns)
        seed, scenario = self.scenario.seed, self.scenario
        luck = uniform(seed, np.arange(self.run.plan.meters), 0, Purpose.RETAILER)
        retailer = np.floor(luck * scenario.data_management.retailers).astype(np.int64)
        return manage(self.run.store, series, retailer, due_ns, limit_ns, scenario.service_levels.half_hour_share,
                      scenario.meter.contract_a)  # fmt: skip

    @cached_property
    def commands(self) -> dict[str, Any] | None:
        """What came of the wave of commands."""
        return command_figures(self.run)

    @cached_property
    def island(self) -> dict[str, Any] | None:
        """How the island fared."""
        return island_figures(self.run, self.island_cases)

    @cached_property
    def island_cases(self) -> list[tuple[str, Supply]]:
        """The island as it went, and under one limit for everybody from the first minute on."""
        return list(island_cases(self.run))

    @cached_property
    def conservation(self) -> dict[str, Any]:
        """Every sum in words, and those that did not hold; the store must be open when it is first asked for."""
        sums = self.run.record.balance
        assert sums is not None
        limit_s = self.limit_s("half_hour")
        on_time = int((kpis.ages_s(kpis.due(self.of(BILLING_CODE), limit_s, self.run.end_ns)) <= limit_s).sum())
        retailers = Stage("retailers: values in time by the store's own times = by the ledger's",
                          self.management.total("in_time"), on_time)  # fmt: skip
        at_the_end = [store_stage(self.run), retailers]
        stages = [*sums.stages, *at_the_end]
        broken = [f"t = {t_ns / 1e9:g} s: {text}" for t_ns, text in self.run.record.broken]
        broken += [f"at the end: {s.text}" for s in at_the_end if s.left != s.right]
        texts = [account.text for account in sums.accounts]
        lines = texts + [f"{s.text}: {s.left:,} = {s.right:,}" for s in stages]
        return {"text": texts[0], "ok": not broken, "lines": lines, "broken": broken}

    @cached_property
    def served(self) -> dict[str, NDArray[Any]]:
        """(C,) counts of due billing messages by concentrator."""
        rows = kpis.due(self.of(BILLING_CODE), self.limit_s("half_hour"), self.run.end_ns)
        rows = rows[self.home[rows["meter"]] >= 0]
        where, count = self.home[rows["meter"]], self.run.plan.concentrators
        stored = rows["stored_ns"] != NEVER
        groups = {
            "owed": np.ones(rows.size, bool), "first_pass": stored & (rows["asked"] == 0), "stored": stored,
            "on_time": kpis.ages_s(rows) <= self.limit_s("half_hour"),
        }  # fmt: skip
        found: dict[str, NDArray[Any]] = {
            name: np.bincount(where[chosen], minlength=count) for name, chosen in groups.items()
        }
        found["on_time_share"] = np.where(found["owed"] > 0, found["on_time"] / np.maximum(found["owed"], 1), np.nan)
        return found

    @cached_property
    def late_or_missing(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """(T,) interval ends [ns], (C, T) due billing messages by concentrator, and those not there in time."""
        rows = kpis.due(self.of(BILLING_CODE), self.limit_s("half_hour"), self.run.end_ns)
        rows = rows[self.home[rows["meter"]] >= 0]
        ends_ns, column = np.unique(rows["interval_ns"], return_inverse=True)
        shape = (self.run.plan.concentrators, ends_ns.size)
        cell = self.home[rows["meter"]] * ends_ns.size + column
        late = ~(kpis.ages_s(rows) <= self.limit_s("half_hour"))
        owed, missing = (np.bincount(part, minlength=shape[0] * shape[1]) for part in (cell, cell[late]))
        return ends_ns, owed.reshape(shape), missing.reshape(shape)

    @cached_property
    def returns(self) -> Returns:
        """How the meters that lost their supply came back."""
        return returns(self.run.blackout, self.of(BILLING_CODE), self.run.end_ns)
