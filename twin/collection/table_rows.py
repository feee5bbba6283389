"""The rows of a collection run's tables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.collection import kpis
from twin.collection.firmware import Firmware
from twin.collection.firmware_figures import activations_ns
from twin.collection.ledger import NEVER, At, Messages
from twin.collection.links_fleet import Link
from twin.collection.outcome import Outcome
from twin.collection.tables import SCHEMAS
from twin.collection.traffic import BILLING_CODE
from twin.study.tables import write_table


class TableRows:
    """Writes the tables of a finished run.

    Parameters
    ----------
    outcome : Outcome
    trace_meter : int, optional
        The meter whose every message is told stage by stage.
    """

    def __init__(self, outcome: Outcome, trace_meter: int | None = None):
        self.outcome = outcome
        self.trace_meter = trace_meter

    def write(self, folder: Path) -> None:
        """Write all tables into a run folder."""
        for name, columns in self._tables():
            write_table(folder, name, columns, SCHEMAS)

    def _tables(self) -> Iterator[tuple[str, dict[str, Any]]]:
        yield "accounts", self._accounts()
        yield "intervals", self._intervals()
        yield "retailers", self._retailers()
        yield "curve", self._curve()
        yield "concentrators", self._concentrators()
        yield "late_or_missing", self._late_or_missing()
        yield "meters", self._meters()
        yield "missing", self._missing()
        yield "load", self._load()
        yield "errands", self._errands()
        if self.outcome.returns.meters.size:
            yield "returns", self._returns()
        if self.outcome.run.firmware is not None:
            yield "firmware", self._firmware(self.outcome.run.firmware)
        if self.outcome.run.island is not None:
            yield "island", self._island()
        if self.trace_meter is not None:
            yield "trace", self._trace(self.trace_meter)

    def _accounts(self) -> dict[str, Any]:
        sums = self.outcome.run.record.balance
        assert sums is not None
        rows: list[tuple[str, str, str, int]] = []
        for a in sums.accounts:
            if a.generated:
                rows.append((a.name, "delivered", "store", a.delivered))
                rows += [(a.name, "queued", place, n) for place, n in a.queued.items()]
                rows += [(a.name, "lost", cause, n) for cause, n in a.lost.items()]
                rows += [(a.name, "expired", "meter", a.expired)] if a.expired else []
        return dict(zip(("class", "fate", "place", "values"), zip(*rows, strict=True), strict=True))

    def _intervals(self) -> dict[str, Any]:
        found: list[tuple[Any, ...]] = []
        for kind in self.outcome.run.classes:
            rows = self.outcome.of(kind.code)
            order = np.argsort(rows["interval_ns"], kind="stable")
            ends, first = np.unique(rows["interval_ns"][order], return_index=True)
            for end_ns, some in zip(ends.tolist(), np.split(order, first[1:]) if rows.size else [], strict=True):
                part = rows[some]
                ages = kpis.ages_s(part)
                stored = part["stored_ns"] != NEVER
                ranks = kpis.percentiles(ages[stored], (50, 99))
                found.append((kind.name, end_ns / 1e9, part.size, int((stored & (part["asked"] == 0)).sum()),
                              int((ages <= self.outcome.limit_s(kind.name)).sum()), int(stored.sum()), ranks["p50"],
                              ranks["p99"]))  # fmt: skip
        return dict(zip(SCHEMAS["intervals"].names, zip(*found, strict=True), strict=True))

    def _retailers(self) -> dict[str, Any]:
        told = self.outcome.management.deliveries
        columns = {name: told[name].to_numpy() for name in ("retailer", "expected", "in_time", "late", "missing")}
        return {"interval_end_s": told["interval_end_ns"].to_numpy() / 1e9} | columns

    def _curve(self) -> dict[str, Any]:
        kinds = self.outcome.run.classes
        grid = kpis.AGES_S
        return {
            "class": np.repeat([kind.name for kind in kinds], grid.size),
            "age_s": np.tile(grid, len(kinds)),
            "stored_share": np.concatenate([kpis.curve(self.outcome.of(kind.code)) for kind in kinds]),
        }

    def _concentrators(self) -> dict[str, Any]:
        plan, count = self.outcome.run.plan, self.outcome.run.plan.concentrators
        lon, lat = _places(plan.population.concentrator_lon_lat_deg(),
                           (plan.population.concentrator_x_m, plan.population.concentrator_y_m))  # fmt: skip
        routed = plan.hops >= 0
        home = self.outcome.home
        meters = np.bincount(home[home >= 0], minlength=count)
        hops = np.bincount(self.outcome.home[routed], weights=plan.hops[routed], minlength=count)
        most = np.zeros(count, np.int64)
        np.maximum.at(most, self.outcome.home[routed], plan.hops[routed])
        return {
            "concentrator": np.arange(count),
            "lon_deg": lon,
            "lat_deg": lat,
            "meters": meters,
            "hops_mean": hops / np.maximum(np.bincount(self.outcome.home[routed], minlength=count), 1),
            "hops_max": most,
            **{
                name: self.outcome.served[name] for name in ("owed", "first_pass", "on_time", "stored", "on_time_share")
            },
            "airtime_s": plan.mesh.airtime_ns[plan.meters :] / 1e9,
            "peak_kept_values": self.outcome.run.office.concentrators.peak_values[:count],
        }

    def _late_or_missing(self) -> dict[str, Any]:
        ends_ns, owed, missing = self.outcome.late_or_missing
        served = np.flatnonzero(owed.any(axis=1))
        return {
            "concentrator": np.repeat(served, ends_ns.size),
            "interval_end_s": np.tile(ends_ns / 1e9, served.size),
            "owed": owed[served].ravel(),
            "missing": missing[served].ravel(),
        }

    def _meters(self) -> dict[str, Any]:
        plan, rows = self.outcome.run.plan, self.outcome.of(BILLING_CODE)
        lon, lat = _places(plan.population.meter_lon_lat_deg(), (plan.population.meter_x_m, plan.population.meter_y_m))
        ages, stored = kpis.ages_s(rows), rows["stored_ns"] != NEVER
        on_line = plan.fleet.link == Link.PLC
        served = np.where(on_line, plan.fleet.lane, plan.concentrator_of)
        oldest = np.full(plan.meters, np.nan)
        np.fmax.at(oldest, rows["meter"][stored], ages[stored])

        def counted(chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
            return np.bincount(rows["meter"][chosen], minlength=plan.meters)

        return {
            "meter": np.arange(plan.meters),
            "name": plan.population.meter_names(),
            "municipality": self._municipalities(),
            "concentrator": np.ma.MaskedArray(served, served < 0),
            "lon_deg": lon,
            "lat_deg": lat,
            "hops": np.ma.MaskedArray(plan.hops, plan.hops < 0),
            "link": np.array([link.name.lower() for link in Link], object)[plan.fleet.link],
            "cell": np.ma.MaskedArray(plan.fleet.cell, plan.fleet.cell < 0),
            "owed": counted(np.ones(rows.size, bool)),
            "on_time": counted(ages <= self.outcome.limit_s("half_hour")),
            "stored": counted(stored),
            "oldest_age_s": oldest,
            "airtime_ms": plan.mesh.airtime_ns[: plan.meters] / 1e6,
        }

    def _municipalities(self) -> list[str | None]:
        """Return (N,) names, None where no table placed the meters."""
        settled = self.outcome.run.plan.settled
        if settled is None:
            return [None] * self.outcome.run.plan.meters
        found: list[str | None] = settled.names[settled.municipality].tolist()
        return found

    def _missing(self) -> dict[str, Any]:
        rows = self.outcome.rows[self.outcome.rows["stored_ns"] == NEVER]
        return {
            "class": self._names(rows),
            "meter": rows["meter"],
            "interval_end_s": rows["interval_ns"] / 1e9,
            "place": np.array([place.name.lower() for place in At], object)[rows["at"]],
            "cause": np.array(self.outcome.run.ledger.causes, object)[rows["cause"]],
            "asked": rows["asked"],
        }

    def _load(self) -> dict[str, Any]:
        samples = self.outcome.run.record.air
        workers = self.outcome.scenario.head_end.workers
        t_ns = np.array([0] + [s.t_ns for s in samples])
        busy = np.diff(np.array([0] + [s.head_end_busy_ns for s in samples]))
        return {
            "t_s": t_ns[1:] / 1e9,
            "data_air_s": np.array([s.data_us for s in samples]) / 1e6,
            "ack_air_s": np.array([s.ack_us for s in samples]) / 1e6,
            "data_frames": [s.data_frames for s in samples],
            "ack_frames": [s.ack_frames for s in samples],
            "waiting_batches": [s.waiting_batches for s in samples],
            "worker_load": busy / np.diff(t_ns) / workers,
            "stored_values": [self.outcome.run.office.head_end.stored_after(s.commits) for s in samples],
        }

    def _errands(self) -> dict[str, Any]:
        errands = self.outcome.run.office.errands.all
        return {
            "errand": [e.number for e in errands],
            "kind": [e.kind for e in errands],
            "meter": [e.meter for e in errands],
            "asked_s": [e.asked_ns / 1e9 for e in errands],
            "reached_s": [_seconds(e.reached_ns) for e in errands],
            "answered_s": [_seconds(e.answered_ns) for e in errands],
            "tries": [e.tries for e in errands],
            "received": [e.received for e in errands],
            "acted": [e.acted for e in errands],
            "refused": [e.refused for e in errands],
        }

    def _firmware(self, image: Firmware) -> dict[str, Any]:
        meters = np.flatnonzero(image.members)
        complete_ns, activated = image.complete_ns[meters], activations_ns(self.outcome.run)
        return {
            "meter": meters,
            "blocks_held": image.held[meters].sum(axis=1),
            "complete_s": np.ma.MaskedArray(complete_ns / 1e9, complete_ns == NEVER),
            "activated_s": [_seconds(activated.get(meter)) for meter in meters.tolist()],
        }

    def _island(self) -> dict[str, Any]:
        cases = [(name, supply) for name, supply in self.outcome.island_cases if supply.ends_ns]
        return {
            "case": np.repeat([name for name, _ in cases], [sum(p.size for p in s.ends_ns) for _, s in cases]),
            "t_s": np.concatenate([part for _, s in cases for part in s.ends_ns]) / 1e9,
            **{
                name: np.concatenate([part for _, s in cases for part in getattr(s, column)]) / 1000
                for name, column in (("stored_kwh", "level_wh"), ("net_wanted_kw", "wanted_w"),
                                     ("net_drawn_kw", "drawn_w"))
            },
        }  # fmt: skip

    def _returns(self) -> dict[str, Any]:
        back = self.outcome.returns
        return {
            "meter": back.meters,
            "dark_s": back.off_ns / 1e9,
            "returned_s": back.on_ns / 1e9,
            "first_value_s": np.where(np.isfinite(back.first_value_s), back.first_value_s, np.nan),
            "filled_s": np.where(np.isfinite(back.filled_s), back.filled_s, np.nan),
        }

    def _trace(self, meter: int) -> dict[str, Any]:
        rows = self.outcome.rows[self.outcome.rows["meter"] == meter]
        rows = rows[np.argsort(rows["offered_ns"], kind="stable")]

        def seconds(key: str) -> NDArray[np.float64]:
            return np.where(rows[key] == NEVER, np.nan, rows[key] / 1e9)

        return {
            "class": self._names(rows),
            "interval_end_s": rows["interval_ns"] / 1e9,
            "values": rows["values"],
            "offered_s": seconds("offered_ns"),
            "concentrator_s": seconds("radio_ns"),
            "head_end_s": seconds("head_end_ns"),
            "stored_s": seconds("stored_ns"),
            "place": np.array([place.name.lower() for place in At], object)[rows["at"]],
            "cause": np.array(self.outcome.run.ledger.causes, object)[rows["cause"]],
            "asked": rows["asked"],
        }

    def _names(self, rows: Messages) -> NDArray[Any]:
        return np.array([kind.name for kind in self.outcome.run.classes], object)[rows["kind"]]


def _places(degrees: tuple[NDArray, NDArray], metres: tuple[NDArray, NDArray]) -> tuple[NDArray, NDArray]:
    """Return geographic coordinates, or the plane's where the grid has none."""
    return metres if np.isnan(degrees[0]).all() else degrees


def _seconds(t_ns: int | None) -> float | None:
    return None if t_ns is None else t_ns / 1e9
