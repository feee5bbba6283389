"""What a collection run leaves: tables, summary, verdicts."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.collection import kpis
from twin.collection.conservation import Stage, store_stage
from twin.collection.day import Collection
from twin.collection.ledger import NEVER, At
from twin.collection.management import Management, manage
from twin.collection.restoration import Returns, returns
from twin.collection.tables import SCHEMAS
from twin.collection.traffic import BILLING_CODE
from twin.collection.verdicts import Figures, service_levels
from twin.collection.verification import Verification
from twin.scenario import ns
from twin.study.tables import write_table

WORST_SHOWN = 10
NATION = 61_050_000  # meters in Japan, March 2020 (R1)


class Results:
    """Tables and summary of a finished run.

    Parameters
    ----------
    run : Collection
    trace_meter : int, optional
        The meter whose every message is told stage by stage.
    """

    def __init__(self, run: Collection, trace_meter: int | None = None):
        self.run = run
        self.trace_meter = trace_meter
        self.scenario = run.plan.scenario
        self.rows = run.ledger.rows
        nominal = run.plan.population.meter_concentrator
        self.home = np.where(run.plan.concentrator_of >= 0, run.plan.concentrator_of, nominal)
        self.limits_s = {
            "history": 86_400 * self.scenario.service_levels.history_days,
            "real_time": 60 * self.scenario.service_levels.real_time_min,
        }

    def of(self, code: int) -> NDArray:
        """Return the messages of a class."""
        return self.rows[self.rows["kind"] == code]

    def limit_s(self, name: str) -> float:
        """Return within which age a class's values are due."""
        return self.limits_s.get(name, 60 * self.scenario.service_levels.half_hour_min)

    # ------------------------------------------------------------------ summary

    def summary(self) -> dict[str, Any]:
        """Return key figures and verdicts."""
        plan, record, figures = self.run.plan, self.run.record, self._figures()
        return {
            "name": self.scenario.name,
            "kind": "collection",
            "title": self.scenario.title,
            "sim_s": self.run.end_ns / 1e9,
            "meters": plan.meters,
            "without_route": int((plan.concentrator_of < 0).sum()),
            "concentrators": plan.concentrators,
            "classes": {kind.name: self._class(kind.code) for kind in self.run.classes},
            "worst": self._worst(),
            "conservation": self.conservation,
            "service_levels": service_levels(self.scenario.service_levels, figures),
            "restoration": self._restoration(),
            "errands": self._errand_figures(),
            "head_end": self._head_end(),
            "store": self._store(),
            "management": self.management.summary(),
            "sizing": self.management.sizes,
            "air": self._air(),
            "speed": {"windows": record.windows},
        }

    def _class(self, code: int) -> dict[str, Any]:
        kind, rows = self.run.classes[code], self.of(code)
        limit_s = self.limit_s(kind.name)
        ages = kpis.ages_s(rows)
        stored = rows["stored_ns"] != NEVER
        found = {
            "meters": kind.members.size,
            "values": int(rows["values"].sum()),
            "stored_values": int(rows["values"][stored].sum()),
            "limit_s": limit_s,
            "within_limit_share": kpis.share_within(rows, limit_s, self.run.end_ns),
            "first_pass_share": float((stored & (rows["asked"] == 0)).mean()) if rows.size else None,
            "age_s": kpis.percentiles(ages[stored]),
            "by_stage_s": self._by_stage(rows[stored]),
        }
        if kind.urgent and stored.any():
            found["peak_age_s"] = kpis.percentiles(ages[stored] + kind.period_ns / 1e9)
        return found

    @staticmethod
    def _by_stage(rows: NDArray) -> dict[str, dict[str, float | None]]:
        """Return percentiles of the time from stage to stage [s]; their medians add up only roughly."""
        steps = (
            ("in_the_meter", "interval_ns", "offered_ns"),
            ("on_the_radio", "offered_ns", "radio_ns"),
            ("concentrator_and_wan", "radio_ns", "head_end_ns"),
            ("into_the_store", "head_end_ns", "stored_ns"),
        )
        return {name: kpis.percentiles((rows[end] - rows[start]) / 1e9, (50, 99)) for name, start, end in steps}

    @cached_property
    def management(self) -> Management:
        """What the store says of the billing values; it must be open when this is first asked for."""
        series = self.run.classes[BILLING_CODE].series
        until_ns = self.run.generated_until_ns
        limit_ns = round(self.limit_s("half_hour") * 1e9)
        due_ns = min(until_ns, self.run.end_ns - limit_ns)
        return manage(self.run.store, series, self.run.plan.meters, due_ns, limit_ns)

    @cached_property
    def conservation(self) -> dict[str, Any]:
        """Every sum in words, and those that did not hold; the store must be open when it is first asked for."""
        sums = self.run.record.balance
        assert sums is not None
        on_time = int(self.served["on_time"].sum())
        retailers = Stage("retailers: values in time by the store's own times = by the ledger's",
                          self.management.in_time, on_time)  # fmt: skip
        at_the_end = [store_stage(self.run), retailers]
        stages = [*sums.stages, *at_the_end]
        broken = [f"t = {t_ns / 1e9:g} s: {text}" for t_ns, text in self.run.record.broken]
        broken += [f"at the end: {s.text}" for s in at_the_end if s.left != s.right]
        texts = [account.text for account in sums.accounts]
        lines = texts + [f"{s.text}: {s.left:,} = {s.right:,}" for s in stages]
        return {"text": texts[0], "ok": not broken, "lines": lines, "broken": broken}

    # ------------------------------------------------------------------ concentrators

    @cached_property
    def served(self) -> dict[str, NDArray[Any]]:
        """(C,) counts of due billing messages by concentrator."""
        rows = kpis.due(self.of(BILLING_CODE), self.limit_s("half_hour"), self.run.end_ns)
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

    def _worst(self) -> dict[str, Any]:
        served = self.served
        if not served["owed"].any():
            return {"concentrators": [], "on_time_share": None}
        worst, share = kpis.worst_percent(served["on_time_share"], served["owed"])
        shares = served["on_time_share"][served["owed"] > 0]
        order = np.argsort(np.where(served["owed"] > 0, served["on_time_share"], np.inf), kind="stable")
        shown = order[: min(max(worst.size, WORST_SHOWN), shares.size)]
        meters = np.bincount(self.home, minlength=self.run.plan.concentrators)
        return {
            "on_time_share": share,
            "count": worst.size,
            "p50_share": float(np.median(shares)),
            "p1_share": kpis.percentiles(shares, (1,))["p1"],
            "concentrators": [
                {"concentrator": int(c), "meters": int(meters[c]), "on_time_share": float(served["on_time_share"][c]),
                 "first_pass_share": float(served["first_pass"][c] / served["owed"][c]),
                 "without_route": int((self.run.plan.concentrator_of[self.home == c] < 0).sum())}
                for c in shown
            ],
        }  # fmt: skip

    # ------------------------------------------------------------------ verdicts

    def _figures(self) -> Figures:
        levels, end_ns = self.scenario.service_levels, self.run.end_ns
        billing = self.of(BILLING_CODE)
        by_name = {kind.name: self.of(kind.code) for kind in self.run.classes}
        whole = np.ones(self.run.plan.meters, bool)
        whole[billing["meter"][billing["stored_ns"] == NEVER]] = False
        late = kpis.ages_s(kpis.due(billing, 60 * levels.half_hour_min, end_ns)) > 60 * levels.half_hour_min
        return Figures(
            half_hour=kpis.share_within(billing, 60 * levels.half_hour_min, end_ns),
            worst=self._worst()["on_time_share"],
            history=self._history(by_name.get("history")),
            real_time=kpis.share_within(by_name["real_time"], 60 * levels.real_time_min, end_ns)
            if "real_time" in by_name
            else None,
            billing=float((billing["stored_ns"] != NEVER).mean()) if billing.size else None,
            usage=float(whole.mean()),
            late_values=int(late.sum()),
            estimated_bills=int((~whole).sum()),
            cut_off_kw={hold_s: self._cut_off_kw(hold_s) for hold_s in (600, 3600)},
        )

    def _history(self, rows: NDArray | None) -> float | None:
        """Return the share of the history that is stored: in a run shorter than the limit, of all that was owed."""
        if rows is None or not rows.size:
            return None
        return float((kpis.ages_s(rows) <= 86_400 * self.scenario.service_levels.history_days).mean())

    def _cut_off_kw(self, hold_s: int) -> float | None:
        opened = [e for e in self.run.office.errands.all if e.kind == "open" and e.reached_ns is not None]
        if self.scenario.commands.kind != "open":
            return None
        times = np.array([e.reached_ns for e in opened], np.int64)
        meters = np.array([e.meter for e in opened], np.int64)
        return kpis.lost_power(times, self.run.load_kw(meters, times), self.run.end_ns, ns(hold_s))

    @cached_property
    def returns(self) -> Returns:
        """How the meters that lost their supply came back."""
        return returns(self.run.blackout, self.of(BILLING_CODE), self.run.end_ns)

    def _restoration(self) -> dict[str, Any] | None:
        back, struck = self.returns, self.run.blackout.struck.size
        if not struck:
            return None
        gaps = back.filled_s > 0
        return {
            "meters_struck": struck,
            "meters_back": back.meters.size,
            "heard_again": int(np.isfinite(back.first_value_s).sum()),
            "first_value_after_return_s": kpis.percentiles(back.first_value_s),
            "meters_with_gaps": int(gaps.sum()),
            "gaps_filled": int(np.isfinite(back.filled_s[gaps]).sum()),
            "gaps_filled_after_return_s": kpis.percentiles(back.filled_s[gaps]),
        }

    # ------------------------------------------------------------------ office and air

    def _errand_figures(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in ("missing", "read", "limit", "open"):
            chosen = [e for e in self.run.office.errands.all if e.kind == name]
            if not chosen:
                continue
            took = np.array([(e.answered_ns - e.asked_ns) / 1e9 for e in chosen if e.answered_ns is not None])
            found[name] = {
                "sent": len(chosen),
                "reached": sum(e.reached_ns is not None for e in chosen),
                "answered": int(took.size),
                "answered_share": took.size / len(chosen),
                "received_twice": sum(e.carried_out > 1 for e in chosen),
                "latency_s": kpis.percentiles(took),
            }
        return found

    def _head_end(self) -> dict[str, Any]:
        head_end, office = self.run.office.head_end, self.run.office
        busy_s = head_end.busy_ns / 1e9
        mean = head_end.checked_values / (self.run.end_ns / 1e9)
        stored = np.array([sample.stored_values for sample in self.run.record.air])
        steps = np.diff(np.r_[0, stored]) / 300 if stored.size else np.zeros(1)
        return {
            "values_checked": head_end.checked_values,
            "worker_share_busy": busy_s / (self.run.end_ns / 1e9) / self.scenario.head_end.workers,
            "longest_queue_batches": head_end.peak_queue,
            "turned_away_batches": head_end.turned_away,
            "values_per_s_mean": mean,
            "values_per_s_peak_5_min": float(steps.max()),
            "nation_values_per_s_mean": head_end.checked_values
            / (self.run.end_ns / 1e9)
            * NATION
            / self.run.plan.meters,
            "messages_verified_as_bytes": self.run.verification.counts["right"],
            "of_these_faulty": sum(self.run.verification.counts[name] for name in Verification.FAULTS),
            "batches_sent_again": office.concentrators.resent,
            "most_values_kept_by_a_concentrator": int(office.concentrators.peak_values.max(initial=0)),
        }

    def _store(self) -> dict[str, Any]:
        head_end, root = self.run.office.head_end, self.run.store.root
        size = sum(file.stat().st_size for file in root.rglob("*.parquet"))
        return {
            "readings": head_end.stored_values,
            "duplicates": head_end.duplicate_values,
            "conflicts": head_end.conflict_values,
            "parquet_bytes": size,
            "bytes_per_reading": size / head_end.stored_values if head_end.stored_values else None,
        }

    def _air(self) -> dict[str, Any]:
        plan, record = self.run.plan, self.run.record
        counts = plan.mesh.counters()
        airtime_ns = plan.mesh.airtime_ns
        hours = self.run.end_ns / 3.6e12
        total = max(sum(record.air_us_of_class.values()), 1)
        busiest = int(np.argmax(airtime_ns))
        meters = airtime_ns[: plan.meters]
        halves = plan.meters * self.run.generated_until_ns / 1.8e12
        return {
            "data_frames": counts["tx_data"],
            "ack_frames": counts["tx_ack"],
            "bursts_per_meter_and_half_hour": (counts["tx_data"] + counts["tx_ack"]) / halves,
            "data_airtime_share_by_class": {
                name: spent / total for name, spent in record.air_us_of_class.items() if spent
            },
            "busiest_node": f"concentrator {busiest - plan.meters}" if busiest >= plan.meters else f"meter {busiest}",
            "busiest_node_s_per_h": float(airtime_ns[busiest]) / 1e9 / hours,
            "meter_airtime_ms_per_half_hour": kpis.percentiles(meters / 1e6 / (2 * hours), (50, 99)),
            "outcomes": dict(sorted(record.outcomes.items())),
        }

    def flags(self) -> list[str]:
        """Return what a reader must know before trusting the run."""
        broken = self.conservation["broken"]
        more = f" (and {len(broken) - 1} more)" if broken[1:] else ""
        found = [f"conservation: {broken[0]}{more}"] if broken else []
        faulty = {name: self.run.verification.counts[name] for name in Verification.FAULTS}
        return found + [f"payload: {count:,} messages {name}" for name, count in faulty.items() if count]

    # ------------------------------------------------------------------ tables

    def write(self, folder: Path) -> None:
        """Write all tables."""
        for name, columns in self._tables():
            write_table(folder, name, columns, SCHEMAS)

    def _tables(self) -> Iterator[tuple[str, dict[str, Any]]]:
        yield "accounts", self._accounts()
        yield "intervals", self._intervals()
        yield "curve", self._curve()
        yield "concentrators", self._concentrators()
        yield "meters", self._meters()
        yield "missing", self._missing()
        yield "load", self._load()
        yield "errands", self._errands()
        if self.returns.meters.size:
            yield "returns", self._returns()
        if self.trace_meter is not None:
            yield "trace", self._trace(self.trace_meter)

    def _accounts(self) -> dict[str, Any]:
        sums = self.run.record.balance
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
        for kind in self.run.classes:
            rows = self.of(kind.code)
            rows = rows[np.argsort(rows["interval_ns"], kind="stable")]
            ends, first = np.unique(rows["interval_ns"], return_index=True)
            for end_ns, part in zip(ends.tolist(), np.split(rows, first[1:]), strict=True):
                ages = kpis.ages_s(part)
                stored = part["stored_ns"] != NEVER
                ranks = kpis.percentiles(ages[stored], (50, 99))
                found.append((kind.name, end_ns / 1e9, part.size, int((stored & (part["asked"] == 0)).sum()),
                              int((ages <= self.limit_s(kind.name)).sum()), int(stored.sum()), ranks["p50"],
                              ranks["p99"]))  # fmt: skip
        return dict(zip(SCHEMAS["intervals"].names, zip(*found, strict=True), strict=True))

    def _curve(self) -> dict[str, Any]:
        kinds = self.run.classes
        grid = kpis.AGES_S
        return {
            "class": np.repeat([kind.name for kind in kinds], grid.size),
            "age_s": np.tile(grid, len(kinds)),
            "stored_share": np.concatenate([kpis.curve(self.of(kind.code)) for kind in kinds]),
        }

    def _concentrators(self) -> dict[str, Any]:
        plan, count = self.run.plan, self.run.plan.concentrators
        lon, lat = _places(plan.population.concentrator_lon_lat_deg(),
                           (plan.population.concentrator_x_m, plan.population.concentrator_y_m))  # fmt: skip
        routed = plan.hops >= 0
        meters = np.bincount(self.home, minlength=count)
        hops = np.bincount(self.home[routed], weights=plan.hops[routed], minlength=count)
        most = np.zeros(count, np.int64)
        np.maximum.at(most, self.home[routed], plan.hops[routed])
        return {
            "concentrator": np.arange(count),
            "lon_deg": lon,
            "lat_deg": lat,
            "meters": meters,
            "hops_mean": hops / np.maximum(np.bincount(self.home[routed], minlength=count), 1),
            "hops_max": most,
            **{name: self.served[name] for name in ("owed", "first_pass", "on_time", "stored", "on_time_share")},
            "airtime_s": plan.mesh.airtime_ns[plan.meters :] / 1e9,
            "peak_kept_values": self.run.office.concentrators.peak_values,
        }

    def _meters(self) -> dict[str, Any]:
        plan, rows = self.run.plan, self.of(BILLING_CODE)
        lon, lat = _places(plan.population.meter_lon_lat_deg(), (plan.population.meter_x_m, plan.population.meter_y_m))
        ages, stored = kpis.ages_s(rows), rows["stored_ns"] != NEVER
        oldest = np.full(plan.meters, np.nan)
        np.fmax.at(oldest, rows["meter"][stored], ages[stored])

        def counted(chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
            return np.bincount(rows["meter"][chosen], minlength=plan.meters)

        return {
            "meter": np.arange(plan.meters),
            "name": plan.population.meter_names(),
            "concentrator": np.ma.MaskedArray(plan.concentrator_of, plan.concentrator_of < 0),
            "lon_deg": lon,
            "lat_deg": lat,
            "hops": np.ma.MaskedArray(plan.hops, plan.hops < 0),
            "owed": counted(np.ones(rows.size, bool)),
            "on_time": counted(ages <= self.limit_s("half_hour")),
            "stored": counted(stored),
            "oldest_age_s": oldest,
            "airtime_ms": plan.mesh.airtime_ns[: plan.meters] / 1e6,
        }

    def _missing(self) -> dict[str, Any]:
        rows = self.rows[self.rows["stored_ns"] == NEVER]
        return {
            "class": self._names(rows),
            "meter": rows["meter"],
            "interval_end_s": rows["interval_ns"] / 1e9,
            "place": np.array([place.name.lower() for place in At], object)[rows["at"]],
            "cause": np.array(self.run.ledger.causes, object)[rows["cause"]],
            "asked": rows["asked"],
        }

    def _load(self) -> dict[str, Any]:
        samples = self.run.record.air
        workers = self.scenario.head_end.workers
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
            "stored_values": [s.stored_values for s in samples],
        }

    def _errands(self) -> dict[str, Any]:
        errands = self.run.office.errands.all
        return {
            "errand": [e.number for e in errands],
            "kind": [e.kind for e in errands],
            "meter": [e.meter for e in errands],
            "asked_s": [e.asked_ns / 1e9 for e in errands],
            "reached_s": [_seconds(e.reached_ns) for e in errands],
            "answered_s": [_seconds(e.answered_ns) for e in errands],
            "tries": [e.tries for e in errands],
            "carried_out": [e.carried_out for e in errands],
        }

    def _returns(self) -> dict[str, Any]:
        back = self.returns
        return {
            "meter": back.meters,
            "dark_s": back.off_ns / 1e9,
            "returned_s": back.on_ns / 1e9,
            "first_value_s": np.where(np.isfinite(back.first_value_s), back.first_value_s, np.nan),
            "filled_s": np.where(np.isfinite(back.filled_s), back.filled_s, np.nan),
        }

    def _trace(self, meter: int) -> dict[str, Any]:
        rows = self.rows[self.rows["meter"] == meter]
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
            "cause": np.array(self.run.ledger.causes, object)[rows["cause"]],
            "asked": rows["asked"],
        }

    def _names(self, rows: NDArray) -> NDArray[Any]:
        return np.array([kind.name for kind in self.run.classes], object)[rows["kind"]]


def _places(degrees: tuple[NDArray, NDArray], metres: tuple[NDArray, NDArray]) -> tuple[NDArray, NDArray]:
    """Return geographic coordinates, or the plane's where the grid has none."""
    return metres if np.isnan(degrees[0]).all() else degrees


def _seconds(t_ns: int | None) -> float | None:
    return None if t_ns is None else t_ns / 1e9
