"""The summary of a collection run: key figures and verdicts."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from twin.collection import kpis, links_figures
from twin.collection.attainable import attainable
from twin.collection.command_figures import openings
from twin.collection.errands import COMMANDS, REPAIRS
from twin.collection.firmware_figures import firmware_figures
from twin.collection.freshness import freshness
from twin.collection.ledger import NEVER, Messages
from twin.collection.outcome import Outcome
from twin.collection.traffic import BILLING_CODE, TrafficClass
from twin.collection.verdicts import Figures, service_levels
from twin.collection.verification import Verification
from twin.scenario import ns
from twin.store.schema import Series

WORST_SHOWN = 10
FIVE = Series.FIVE_MINUTE
NATION = 61_050_000  # meters in Japan, March 2020 (R1)


class Summary:
    """Figures of a finished run.

    Parameters
    ----------
    outcome : Outcome
    """

    def __init__(self, outcome: Outcome):
        self.outcome = outcome

    def content(self) -> dict[str, Any]:
        """Return key figures and verdicts."""
        plan, record, figures = self.outcome.run.plan, self.outcome.run.record, self._figures()
        return {
            "name": self.outcome.scenario.name,
            "kind": "collection",
            "title": self.outcome.scenario.title,
            "sim_s": self.outcome.run.end_ns / 1e9,
            "meters": plan.meters,
            "without_route": int((plan.fleet.on_mesh & (plan.concentrator_of < 0)).sum()),
            "concentrators": plan.concentrators,
            "municipalities": self._municipalities(),
            "classes": {kind.name: self._class(kind.code) for kind in self.outcome.run.classes},
            "by_link": self._by_link,
            "links": links_figures.limits(self.outcome.run),
            "worst": self._worst(),
            "conservation": self.outcome.conservation,
            "service_levels": self._levels(figures),
            "restoration": self._restoration(),
            "errands": self._errand_figures(),
            "commands": self.outcome.commands,
            "island": self.outcome.island,
            "firmware": firmware_figures(self.outcome.run),
            "head_end": self._head_end(),
            "store": self._store(),
            "management": self.outcome.management.summary() | self._asked_again(),
            "retailers": self.outcome.management.retailers(),
            "attainable": attainable(self.outcome.run),
            "sizing": self.outcome.management.sizes,
            "air": self._air(),
            "elsewhere": self._elsewhere(),
            "speed": {"windows": record.windows},
        }

    @cached_property
    def _by_link(self) -> dict[str, dict[str, Any]]:
        return links_figures.by_link(self.outcome, self.outcome.of(BILLING_CODE))

    def _levels(self, figures: Figures) -> list[dict[str, Any]]:
        """Return the verdicts, those of single links after the one over all."""
        levels = self.outcome.scenario.service_levels
        found = service_levels(levels, figures)
        after = sum(level["id"] == "R8" for level in found)
        return [*found[:after], *links_figures.link_levels(levels, self._by_link), *found[after:]]

    def _municipalities(self) -> list[dict[str, Any]]:
        """Return where a table placed the meters, and how each municipality is served."""
        plan = self.outcome.run.plan
        if plan.settled is None:
            return []
        rows = kpis.due(self.outcome.of(BILLING_CODE), self.outcome.limit_s("half_hour"), self.outcome.run.end_ns)
        where, count = plan.settled.municipality, plan.settled.names.size
        in_time = kpis.ages_s(rows) <= self.outcome.limit_s("half_hour")
        owed = np.bincount(where[rows["meter"]], minlength=count)
        kept = np.bincount(where[rows["meter"][in_time]], minlength=count)
        meters, lone = (np.bincount(chosen, minlength=count) for chosen in (where, where[plan.hops < 0]))
        return [
            {"name": str(plan.settled.names[m]), "meters": int(meters[m]), "without_route": int(lone[m]),
             "on_time_share": float(kept[m] / owed[m]) if owed[m] else None}
            for m in range(count) if meters[m]
        ]  # fmt: skip

    def _class(self, code: int) -> dict[str, Any]:
        kind, rows = self.outcome.run.classes[code], self.outcome.of(code)
        limit_s = self.outcome.limit_s(kind.name)
        ages = kpis.ages_s(rows)
        stored = rows["stored_ns"] != NEVER
        found = {
            "meters": kind.members.size,
            "values": int(rows["values"].sum()),
            "stored_values": int(rows["values"][stored].sum()),
            "limit_s": limit_s,
            "within_limit_share": kpis.share_within(rows, limit_s, self.outcome.run.end_ns),
            "first_pass_share": float((stored & (rows["asked"] == 0)).mean()) if rows.size else None,
            "age_s": kpis.percentiles(ages[stored]),
            "by_stage_s": self._by_stage(rows[stored]),
            "freshness": freshness(rows, self.outcome.run.generated_until_ns) if kind.series == FIVE else None,
        }
        return found

    @staticmethod
    def _by_stage(rows: Messages) -> dict[str, dict[str, float | None]]:
        """Return percentiles of the time from stage to stage [s]; their medians add up only roughly."""
        steps = (
            ("in_the_meter", "offered_ns"),
            ("on_the_radio", "radio_ns"),
            ("concentrator_and_wan", "head_end_ns"),
            ("into_the_store", "stored_ns"),
        )
        found, before = {}, rows["interval_ns"]
        for name, stage in steps:
            there = rows[stage]
            found[name] = kpis.percentiles((there - before) / 1e9, (50, 99))
            before = there
        return found

    def _worst(self) -> dict[str, Any]:
        served = self.outcome.served
        if not served["owed"].any():
            return {"concentrators": [], "on_time_share": None}
        worst, share = kpis.worst_percent(served["on_time_share"], served["owed"])
        shares = served["on_time_share"][served["owed"] > 0]
        order = np.argsort(np.where(served["owed"] > 0, served["on_time_share"], np.inf), kind="stable")
        shown = order[: min(max(worst.size, WORST_SHOWN), shares.size)]
        plan, home = self.outcome.run.plan, self.outcome.home
        meters = np.bincount(home[home >= 0], minlength=plan.concentrators)
        astray = plan.fleet.on_mesh & (plan.concentrator_of < 0)
        return {
            "on_time_share": share,
            "count": worst.size,
            "p50_share": float(np.median(shares)),
            "p1_share": kpis.percentiles(shares, (1,))["p1"],
            "concentrators": [
                {"concentrator": int(c), "meters": int(meters[c]), "on_time_share": float(served["on_time_share"][c]),
                 "first_pass_share": float(served["first_pass"][c] / served["owed"][c]),
                 "without_route": int(astray[home == c].sum())}
                for c in shown
            ],
        }  # fmt: skip

    def _figures(self) -> Figures:
        levels, end_ns = self.outcome.scenario.service_levels, self.outcome.run.end_ns
        billing = self.outcome.of(BILLING_CODE)
        by_name = {kind.name: self.outcome.of(kind.code) for kind in self.outcome.run.classes}
        whole = np.ones(self.outcome.run.plan.meters, bool)
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
            breach_min=self.outcome.management.breach_min,
            estimated_bills=self.outcome.management.billed("estimated"),
            open_bills=self.outcome.management.billed("open"),
            reads=self._reads_in_time(),
            commands=self._commands_in_time(),
            command=self.outcome.scenario.commands.kind,
            cut_off_kw={hold_s: self._cut_off_kw(hold_s) for hold_s in (600, 3600)},
        )

    def _reads_in_time(self) -> float | None:
        reads = self.outcome.run.office.errands.of("read")
        limit_ns = ns(self.outcome.scenario.service_levels.read_s)
        due = [e for e in reads if e.asked_ns + limit_ns <= self.outcome.run.end_ns]
        in_time = sum(e.answered_ns is not None and e.answered_ns - e.asked_ns <= limit_ns for e in due)
        return in_time / len(due) if due else None

    def _commands_in_time(self) -> float | None:
        """Return the share of all that were addressed, those without a route included."""
        said = self.outcome.commands
        if said is None or not said["addressed"]:
            return None
        wave, limit_ns = said["waves"][0], ns(60 * self.outcome.scenario.service_levels.command_min)
        if ns(wave["begin_s"]) + limit_ns > self.outcome.run.end_ns:
            return None
        sent = self.outcome.run.office.errands.of(wave["kind"])
        in_time = sum(e.answered_ns is not None and e.answered_ns - e.asked_ns <= limit_ns for e in sent)
        return float(in_time / said["addressed"])

    def _history(self, rows: Messages | None) -> float | None:
        """Return the share of the history that is stored: in a run shorter than the limit, of all that was owed."""
        if rows is None or not rows.size:
            return None
        return float((kpis.ages_s(rows) <= 86_400 * self.outcome.scenario.service_levels.history_days).mean())

    def _cut_off_kw(self, hold_s: int) -> float | None:
        if self.outcome.scenario.commands.kind != "open":
            return None
        meters, times, until_ns = openings(self.outcome.run)
        return kpis.lost_power(times, until_ns, self.outcome.run.load_kw(meters, times), ns(hold_s))

    def _asked_again(self) -> dict[str, int]:
        """Return what became of the billing values that were asked for again over the radio."""
        rows = self.outcome.of(BILLING_CODE)
        again = rows[rows["asked"] > 0]
        came = int((again["stored_ns"] != NEVER).sum())
        return {"asked_for_again": again.size, "came_when_asked": came}

    def _restoration(self) -> dict[str, Any] | None:
        back, struck = self.outcome.returns, self.outcome.run.blackout.struck.size
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

    def _errand_figures(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in ("missing", "read", *COMMANDS, *REPAIRS):
            chosen = self.outcome.run.office.errands.of(name)
            if not chosen:
                continue
            took = np.array([(e.answered_ns - e.asked_ns) / 1e9 for e in chosen if e.answered_ns is not None])
            found[name] = {
                "sent": len(chosen),
                "reached": sum(e.reached_ns is not None for e in chosen),
                "answered": int(took.size),
                "answered_share": took.size / len(chosen),
                "received_twice": sum(e.received > 1 for e in chosen),
                "latency_s": kpis.percentiles(took),
            }
        return found

    def _head_end(self) -> dict[str, Any]:
        head_end, office = self.outcome.run.office.head_end, self.outcome.run.office
        busy_s = head_end.busy_ns / 1e9
        mean = head_end.checked_values / (self.outcome.run.end_ns / 1e9)
        stored = np.array([head_end.stored_after(sample.commits) for sample in self.outcome.run.record.air])
        steps = np.diff(np.r_[0, stored]) / 300 if stored.size else np.zeros(1)
        return {
            "values_checked": head_end.checked_values,
            "worker_share_busy": busy_s / (self.outcome.run.end_ns / 1e9) / self.outcome.scenario.head_end.workers,
            "longest_queue_batches": head_end.peak_queue,
            "turned_away_batches": head_end.turned_away,
            "values_per_s_mean": mean,
            "values_per_s_peak_5_min": float(steps.max()),
            "nation_values_per_s_mean": head_end.checked_values
            / (self.outcome.run.end_ns / 1e9)
            * NATION
            / self.outcome.run.plan.meters,
            "messages_verified": self.outcome.run.verification.counts["right"],
            "of_these_faulty": sum(self.outcome.run.verification.counts[name] for name in Verification.FAULTS),
            "batches_sent_again": office.concentrators.resent,
            "most_values_kept_by_a_concentrator": int(office.concentrators.peak_values.max(initial=0)),
        }

    def _store(self) -> dict[str, Any]:
        head_end, root = self.outcome.run.office.head_end, self.outcome.run.store.root
        size = sum(file.stat().st_size for file in root.rglob("*.parquet"))
        return {
            "readings": head_end.stored_values,
            "duplicates": head_end.receipt.duplicates,
            "conflicts": head_end.receipt.conflicts,
            "parquet_bytes": size,
            "bytes_per_reading": size / head_end.stored_values if head_end.stored_values else None,
        }

    def _air(self) -> dict[str, Any]:
        plan, record = self.outcome.run.plan, self.outcome.run.record
        counts = plan.mesh.counters()
        airtime_ns = plan.mesh.airtime_ns
        hours = self.outcome.run.end_ns / 3.6e12
        total = max(sum(record.air_us_of_class.values()), 1)
        busiest = int(np.argmax(airtime_ns))
        meters = airtime_ns[: plan.meters]
        senders = max(int(plan.fleet.on_mesh.sum()), 1)
        halves = senders * self.outcome.run.generated_until_ns / 1.8e12
        control = counts["control_sent"] / senders / (2 * hours)  # goes on when nothing is reported any more
        return {
            "data_frames": counts["tx_data"],
            "ack_frames": counts["tx_ack"],
            "control_frames": counts["control_sent"],
            "bursts_per_meter_and_half_hour": (counts["tx_data"] + counts["tx_ack"]) / halves + control,
            "data_airtime": {f"{name}_share": spent / total for name, spent in record.air_us_of_class.items() if spent},
            "busiest_node": f"concentrator {busiest - plan.meters}" if busiest >= plan.meters else f"meter {busiest}",
            "busiest_node_s_per_h": float(airtime_ns[busiest]) / 1e9 / hours,
            "meter_airtime_ms_per_half_hour": kpis.percentiles(meters[plan.fleet.on_mesh] / 1e6 / (2 * hours),
                                                               (50, 99)),
            "outcomes": dict(sorted(record.outcomes.items())),
        }  # fmt: skip

    def _elsewhere(self) -> list[dict[str, Any]]:
        """Return figures of this run beside closed forms and measurements of others."""
        run, air = self.outcome.run, self._air()
        burst_us = run.plan.mesh.radio.air_us(run.classes[BILLING_CODE].psdu_bytes)
        measured = "JEIC, measured at a detached house and an apartment; a static tree sends no control frames"
        return [
            *(self._rate(kind) for kind in run.classes),
            {"text": "bursts a meter and half hour", "ours": air["bursts_per_meter_and_half_hour"],
             "theirs": "17 and 23", "source": measured},
            {"text": "commonest burst [ms]", "ours": burst_us / 1000, "theirs": 13.0, "source": "JEIC, measured"},
        ]  # fmt: skip

    def _rate(self, kind: TrafficClass) -> dict[str, Any]:
        """Return the values of a class that arrived a second, scaled to the nation, beside members times intervals."""
        run, rows = self.outcome.run, self.outcome.of(kind.code)
        scale = NATION / run.plan.meters
        arrived = int(rows["values"][rows["stored_ns"] != NEVER].sum())
        return {
            "text": f"{kind.name} values a second, scaled to the nation",
            "ours": arrived / (run.generated_until_ns / 1e9) * scale,
            "theirs": kind.members.size * scale * kind.records / (kind.period_ns / 1e9),
            "source": "members times intervals (DOMAIN 2.8); ours is what arrived",
        }

    def _command_flags(self) -> list[str]:
        """Return what must never happen to a command."""
        said = self.outcome.commands or {}
        names = {"acted_twice": "carried out twice", "misdirected_and_acted": "carried out by a meter it was not for"}
        return [f"commands: {said[key]:,} {text}" for key, text in names.items() if said.get(key)]

    def flags(self) -> list[str]:
        """Return what a reader must know before trusting the run."""
        broken = self.outcome.conservation["broken"]
        more = f" (and {len(broken) - 1} more)" if broken[1:] else ""
        found = [f"conservation: {broken[0]}{more}"] if broken else []
        faulty = {name: self.outcome.run.verification.counts[name] for name in Verification.FAULTS}
        found += self._command_flags()
        return found + [f"payload: {count:,} messages {name}" for name, count in faulty.items() if count]
