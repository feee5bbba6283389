"""The nation's figures from the sampled towns: levels, links, strata, head end, store, sums."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.collection.links_figures import WORDS
from twin.collection.links_fleet import Link
from twin.fleet import flows
from twin.fleet.estimate import Estimate, Sampled, aged, concentrator_shares, weighted_percentiles
from twin.fleet.settings import FleetScenario
from twin.fleet.shard import BIN_S, Shard
from twin.fleet.strata import Stratum
from twin.store.retention import sizing
from twin.store.schema import Series
from twin.study.kpis import verdict

SURE = 1.645
"""Standard errors below an estimate that 95 % of such estimates stay under: a level must hold there too."""
GRID_S: NDArray[np.float64] = np.unique(np.round(np.r_[0, np.geomspace(1, 7200, 300)], 1))


Chosen = Callable[[Shard], NDArray[np.bool_]]


def over(link: Link) -> Chosen:
    """Return the function that chooses a town's billing values over a link."""
    return lambda shard: np.asarray(shard.link == link)


def _number_over(link: Link) -> Callable[[Shard], float]:
    return lambda shard: float((shard.link == link).sum())


def counter(key: str) -> Callable[[Shard], float]:
    """Return the function that reads a counter of a town's radio engine."""
    return lambda shard: shard.counters[key]


class Nation:
    """All towns of a finished run.

    Parameters
    ----------
    scenario : FleetScenario
    strata : sequence of Stratum
    shards : sequence of Shard
    """

    def __init__(self, scenario: FleetScenario, strata: Sequence[Stratum], shards: Sequence[Shard]):
        self.scenario = scenario
        self.strata = strata
        self.shards = shards
        self.sampled = Sampled([stratum.meters for stratum in strata], shards)
        self.limit_s = 60 * scenario.service_levels.half_hour_min
        self.load = flows.head_end_load(
            self.sampled.flow(lambda s: s.values_in), self.sampled.flow(lambda s: s.batches_in),
            self.sampled.flow(lambda s: s.wan_bytes_in), scenario.head_end,
        )  # fmt: skip
        self.wait_s = flows.waits_s(self.load, scenario.office.workers)

    def digest(self) -> str:
        """Return the SHA-256 over all towns."""
        return hashlib.sha256("".join(shard.digest for shard in self.shards).encode()).hexdigest()

    def broken(self) -> list[str]:
        """Return the sums that did not hold, with their town."""
        found = [f"town {k}: {text}" for k, shard in enumerate(self.shards) for text in shard.broken]
        for k, s in enumerate(self.shards):
            if s.generated != s.delivered + s.queued + s.lost:
                found.append(f"town {k}: {s.generated:,} generated is not delivered + queued + lost")
        meters = sum(stratum.meters for stratum in self.strata)
        stood_for = self.sampled.total(lambda s: s.meters).value
        if round(stood_for) != meters or meters != self.scenario.nation.meters:
            found.append(f"the towns stand for {stood_for:,.0f} meters, the nation has {self.scenario.nation.meters:,}")
        return found

    # ------------------------------------------------------------------ in time

    def in_time(self, where: Chosen | None = None) -> Estimate | None:
        """Return the share of the billing values in time, of those that ``where`` chooses."""

        def chosen(shard: Shard) -> NDArray[np.bool_]:
            return np.ones(shard.age_s.size, bool) if where is None else where(shard)

        return self.sampled.share(
            lambda s: float((chosen(s) & (aged(s, self.wait_s) <= self.limit_s)).sum()),
            lambda s: float(chosen(s).sum()),
        )

    @cached_property
    def d60(self) -> dict[str, float | None]:
        """Share in time by concentrator: of the median one, the first percentile, the worst 1 %, and the worst seen."""
        shares, weights = self.sampled.pooled(lambda s: concentrator_shares(s, self.limit_s, self.wait_s))
        p50, p1 = weighted_percentiles(shares, weights, (50, 1))
        return {"p50": p50, "p1": p1, "worst_1_percent": _mean_of_lowest(shares, weights, 0.01),
                "worst_seen": float(shares.min()) if shares.size else None}  # fmt: skip

    def class_in_time(self, name: str, limit_s: float) -> Estimate | None:
        """Return the share of a class's messages in time; its waits at the head end are those of the longest."""
        longest_s = float(self.wait_s.max())
        none = np.empty(0, np.float32)
        return self.sampled.share(
            lambda s: float((s.class_ages_s.get(name, none) + longest_s <= limit_s).sum()),
            lambda s: float(s.class_ages_s.get(name, none).size),
        )

    def _ages(self, where: Chosen) -> tuple[NDArray, NDArray[np.float64]]:
        """Return ages of the billing values that ``where`` chooses, and what each stands for."""
        return self.sampled.pooled(lambda s: aged(s, self.wait_s)[where(s)])

    def curve(self, where: Chosen) -> NDArray[np.float64]:
        """Return the share of chosen billing values stored at each age of `GRID_S`."""
        ages, weights = self._ages(where)
        order = np.argsort(ages, kind="stable")
        below = np.r_[0.0, np.cumsum(weights[order])]
        return below[np.searchsorted(ages[order], GRID_S, side="right")] / max(float(below[-1]), 1e-9)

    # ------------------------------------------------------------------ summary

    def content(self) -> dict[str, Any]:
        """Return key figures and verdicts."""
        broken = self.broken()
        ages, weights = self.sampled.pooled(lambda s: aged(s, self.wait_s))
        ranks = weighted_percentiles(ages, weights, (50, 99, 99.9))
        total = {
            "generated": self.sampled.total(lambda s: s.generated), "queued": self.sampled.total(lambda s: s.queued),
            "delivered": self.sampled.total(lambda s: s.delivered), "lost": self.sampled.total(lambda s: s.lost),
        }  # fmt: skip
        text = (f"values of {len(self.shards)} towns, each for itself, weighted: {total['generated'].value:,.0f} "
                f"generated = {total['delivered'].value:,.0f} delivered + {total['queued'].value:,.0f} queued + "
                f"{total['lost'].value:,.0f} lost or expired")  # fmt: skip
        return {
            "name": self.scenario.name,
            "kind": "fleet",
            "title": self.scenario.title,
            "sim_s": 3600 * (self.scenario.time.duration_h + self.scenario.time.after_h),
            "meters": self.scenario.nation.meters,
            "simulated_meters": sum(shard.meters for shard in self.shards),
            "towns": len(self.shards),
            "limit_s": self.limit_s,
            "in_time": _plain(self.in_time()),
            "first_pass": _plain(self.sampled.share(lambda s: float((np.isfinite(s.age_s) & ~s.asked).sum()),
                                                    lambda s: float(s.age_s.size))),
            "age_s": dict(zip(("p50", "p99", "p99.9"), ranks, strict=True)),
            "concentrators": round(self.sampled.total(lambda s: s.concentrators).value),
            "concentrator_in_time": self.d60,
            "without_route": _plain(self.sampled.total(lambda s: s.without_route)),
            "by_link": self._by_link(),
            "by_stratum": [self._stratum(h) for h in range(len(self.strata))],
            "service_levels": self._levels(),
            "conservation": {"text": text, "ok": not broken, "lines": [text], "broken": broken},
            "air": self._air(),
            "head_end": self._head_end(),
            "store": self._store(),
            "sizing": self._sizing(),
            "elsewhere": self._elsewhere(),
        }  # fmt: skip

    def _by_link(self) -> dict[str, dict[str, Any]]:
        found = {}
        for link in Link:
            share = self.in_time(over(link))
            if share is not None:
                meters = self.sampled.total(_number_over(link))
                ages, weights = self._ages(over(link))
                there = np.isfinite(ages)
                p50, p99 = weighted_percentiles(ages[there], weights[there], (50, 99))
                found[WORDS[link]] = {"values": round(meters.value), "in_time": _plain(share),
                                      "age_s": {"p50": p50, "p99": p99}}  # fmt: skip
        return found

    def _stratum(self, h: int) -> dict[str, Any]:
        stratum, mine = self.strata[h], [shard for shard in self.shards if shard.stratum == h]
        one = Sampled([stratum.meters], [_as_first(shard) for shard in mine])
        share = one.share(lambda s: float((aged(s, self.wait_s) <= self.limit_s).sum()), lambda s: float(s.age_s.size))
        return {
            "name": stratum.name, "meters": stratum.meters, "density_per_km2": stratum.density_per_km2,
            "towns": len(mine), "in_time": _plain(share),
            "without_route_share": sum(s.without_route for s in mine) / max(sum(s.on_mesh for s in mine), 1),
        }  # fmt: skip

    def _levels(self) -> list[dict[str, Any]]:
        levels = self.scenario.service_levels
        within = f"within {levels.half_hour_min:g} min"
        real_time = self.class_in_time("real_time", 60 * levels.real_time_min)
        history = self.class_in_time("history", 86_400 * levels.history_days)
        found = [
            _level("R8", f"billing values stored {within} of the interval's end", levels.half_hour_share,
                   self.in_time()),
            *(_level("R8", f"... over {WORDS[link]}, {within}", levels.half_hour_share,
                     self.in_time(over(link))) for link in Link),
            _level("R8", f"... at the worst 1 % of the concentrators, {within}", levels.worst_share,
                   _exact(self.d60["worst_1_percent"])),
            _level("R10", "five-minute history stored by the end of the run", levels.history_share, history),
            _level("R11", f"real-time values stored within {levels.real_time_min:g} min", levels.real_time_share,
                   real_time),
            _level("R50", f"values for retailers {within}", levels.half_hour_share, self.in_time()),
        ]  # fmt: skip
        fewest, there = flows.enough_workers(self.load, self.scenario.office.most_wait_s), self.scenario.office.workers
        found.append({"id": "R46", "text": f"head-end workers: {fewest:,} keep waits below "
                      f"{self.scenario.office.most_wait_s:g} s", "limit": float(fewest), "at_least": True,
                      "value": float(there), "unit": "1", "margin": float(there - fewest),
                      "verdict": verdict(float(there), float(fewest), True)})  # fmt: skip
        return found

    def _air(self) -> dict[str, Any]:
        mesh_meters = max(self.sampled.total(lambda s: s.on_mesh).value, 1)
        keys = ("tx_data", "tx_ack", "control_sent", "on_air_data_us", "on_air_ack_us", "missed_lock", "missed_noise")
        total = {key: self.sampled.total(counter(key)) for key in keys}
        time = self.scenario.time
        control = total["control_sent"].value / mesh_meters / (2 * (time.duration_h + time.after_h))
        return {
            "meters_on_the_mesh": round(mesh_meters),
            "data_frames": round(total["tx_data"].value),
            "ack_frames": round(total["tx_ack"].value),
            "airtime_ms_per_meter": (total["on_air_data_us"].value + total["on_air_ack_us"].value) / mesh_meters / 1e3,
            "missed_by_their_receiver_share": (total["missed_lock"].value + total["missed_noise"].value)
            / max(total["tx_data"].value, 1),
            "bursts_per_meter_and_half_hour": (total["tx_data"].value + total["tx_ack"].value) / mesh_meters
            / (2 * time.duration_h) + control,
        }  # fmt: skip

    def _head_end(self) -> dict[str, Any]:
        load = self.load
        return {
            "values": round(float(load.values_per_s.sum() * BIN_S)),
            "peak_values_per_second": round(float(load.values_per_s.max())),
            "peak_batches_per_second": round(float(load.batches_per_s.max())),
            "peak_wan_mbit_per_second": float(load.bytes_per_s.max() * 8 / 1e6),
            "busy_workers_peak": float(load.work.max()),
            "workers": self.scenario.office.workers,
            "longest_wait_s": float(self.wait_s.max()),
            "workers_enough": flows.enough_workers(load, self.scenario.office.most_wait_s),
        }

    def _store(self) -> dict[str, Any]:
        peak, each = float(self.load.values_per_s.max()), self.scenario.office.store_values_per_s
        burst = self.scenario.nation.meters / 60
        return {
            "peak_values_per_second": round(peak),
            "processes_for_the_peak": flows.store_processes(peak, each),
            "values_per_second_if_all_report_within_a_minute": round(burst),
            "processes_for_that_burst": flows.store_processes(burst, each),
        }

    def _sizing(self) -> list[dict[str, Any]]:
        series = {key for shard in self.shards for key in shard.bytes_each}
        each = {}
        for key in sorted(series):
            pairs = [(w, s.bytes_each[key]) for w, s in zip(self.sampled.weights, self.shards, strict=True)
                     if key in s.bytes_each]  # fmt: skip
            each[Series(key)] = float(np.average([b for _, b in pairs], weights=[w for w, _ in pairs]))
        return sizing(each, self.scenario.nation.meters).to_pylist()

    def _elsewhere(self) -> list[dict[str, Any]]:
        interval_s = 60 * self.scenario.half_hour.minutes
        intervals = int(3600 * self.scenario.time.duration_h // interval_s)
        stored = self.sampled.total(lambda s: float(np.isfinite(s.age_s).sum())).value
        return [
            {"text": "billing values a second, mean", "ours": stored / (intervals * interval_s),
             "theirs": self.scenario.nation.meters / interval_s,
             "source": "meters over the interval (DOMAIN 2.8: 33.9 k/s); ours is what arrived"},
            {"text": "concentrators", "ours": self.sampled.total(lambda s: s.concentrators).value,
             "theirs": self.scenario.nation.meters / 500, "source": "DOMAIN 2.8, 500 meters each"},
            {"text": "bursts a meter and half hour", "ours": self._air()["bursts_per_meter_and_half_hour"],
             "theirs": "17 and 23", "source": "JEIC, measured at a detached house and an apartment"},
        ]  # fmt: skip


def _as_first(shard: Shard) -> Shard:
    """Return a shard as one of the only stratum."""
    return Shard(**{**shard.__dict__, "stratum": 0})


def _mean_of_lowest(shares: NDArray[np.float64], weights: NDArray[np.float64], part: float) -> float | None:
    """Return the mean of the lowest part of the shares, by weight; the one on the edge counts in part."""
    if not shares.size:
        return None
    order = np.argsort(shares, kind="stable")
    below = np.cumsum(weights[order])
    taken = np.clip(part * below[-1] - (below - weights[order]), 0.0, weights[order])
    return float(np.average(shares[order], weights=taken))


def _exact(value: float | None) -> Estimate | None:
    return None if value is None else Estimate(value, None)


def _plain(estimate: Estimate | None) -> dict[str, float | None] | None:
    return None if estimate is None else {"value": estimate.value, "error": estimate.error}


def _level(identity: str, text: str, limit: float, found: Estimate | None) -> dict[str, Any]:
    """Return a level's entry: it passes if it holds `SURE` standard errors below the estimate too."""
    value = None if found is None else found.value
    entry = {"id": identity, "text": text, "limit": limit, "at_least": True, "value": value, "unit": "1",
             "margin": None if value is None else value - limit, "verdict": verdict(value, limit, True)}  # fmt: skip
    if found is not None and found.error is not None and abs(found.value - limit) < SURE * found.error:
        entry["verdict"] = "inconclusive"
    return entry


def age_percentiles(nation: Nation) -> dict[str, float | None]:
    """Return percentiles of the ages of the billing values that arrived [s]."""
    ages, weights = nation.sampled.pooled(lambda s: s.age_s)
    there = np.isfinite(ages)
    which = (50, 90, 99, 99.9)
    return {f"p{p:g}": v for p, v in zip(which, weighted_percentiles(ages[there], weights[there], which), strict=True)}
