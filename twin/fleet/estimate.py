"""From sampled towns to the nation: stratified totals, shares with their standard errors, weighted percentiles."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.fleet.shard import Shard


@dataclass(frozen=True)
class Estimate:
    """A figure of the nation; ``error`` is its standard error, None where a stratum has one town only."""

    value: float
    error: float | None


class Sampled:
    """Towns of all strata and what they stand for.

    Parameters
    ----------
    stratum_meters : sequence of int
        Meters of each stratum in the nation.
    shards : sequence of Shard
        At least one of each stratum.
    """

    def __init__(self, stratum_meters: Sequence[int], shards: Sequence[Shard]):
        self.stratum_meters = np.array(stratum_meters, float)
        self.shards = list(shards)
        self.stratum = np.array([shard.stratum for shard in shards])
        simulated = np.bincount(self.stratum, weights=[s.meters for s in shards], minlength=self.stratum_meters.size)
        weight = self.stratum_meters / np.maximum(simulated, 1)
        self.weights = weight[self.stratum]
        """Meters of the nation that one simulated meter of each shard stands for."""

    def total(self, of: Callable[[Shard], float]) -> Estimate:
        """Return the nation's sum of a quantity that each town has."""
        values = np.array([of(shard) for shard in self.shards], float)
        error = self._error(values)
        return Estimate(float((self.weights * values).sum()), error)

    def share(self, part: Callable[[Shard], float], whole: Callable[[Shard], float]) -> Estimate | None:
        """Return the nation's ratio of two quantities, None if there is nothing to share; error by linearisation."""
        parts = np.array([part(shard) for shard in self.shards], float)
        wholes = np.array([whole(shard) for shard in self.shards], float)
        below = float((self.weights * wholes).sum())
        if not below:
            return None
        ratio = float((self.weights * parts).sum()) / below
        error = self._error(parts - ratio * wholes)
        return Estimate(ratio, None if error is None else error / below)

    def flow(self, of: Callable[[Shard], NDArray[np.int64]]) -> NDArray[np.float64]:
        """Return the nation's flow by bin."""
        return np.sum([weight * of(shard) for weight, shard in zip(self.weights, self.shards, strict=True)], axis=0)

    def pooled(self, of: Callable[[Shard], NDArray]) -> tuple[NDArray, NDArray[np.float64]]:
        """Return an array of all shards one after the other, and the weight of each entry."""
        parts = [of(shard) for shard in self.shards]
        weights = np.repeat(self.weights, [part.size for part in parts])
        return np.concatenate(parts), weights

    def _error(self, values: NDArray[np.float64]) -> float | None:
        """Return the standard error of the weighted sum: the variance between the towns of each stratum."""
        square = 0.0
        for h, meters in enumerate(self.stratum_meters.tolist()):
            here = self.stratum == h
            count = int(here.sum())
            if count < 2:
                return None
            sampled = sum(shard.meters for shard in self.shards if shard.stratum == h)
            unseen = max(1 - sampled / meters, 0.0)
            weighted = (self.weights * values)[here]
            square += count * float(weighted.var(ddof=1)) * unseen
        return math.sqrt(square)


def weighted_percentiles(
    values: NDArray, weights: NDArray[np.float64], which: Sequence[float]
) -> list[float | None]:  # fmt: skip
    """Return percentiles by nearest rank of weighted values; None where it is infinite or there is none."""
    if not values.size:
        return [None] * len(which)
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[order])
    found = []
    for share in which:
        place = min(int(np.searchsorted(below, share / 100 * below[-1] * (1 - 1e-12))), values.size - 1)
        value = float(values[order[place]])
        found.append(value if math.isfinite(value) else None)
    return found


def concentrator_shares(shard: Shard, limit_s: float, wait_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (C,) share in time at each concentrator that is owed anything; see `aged`."""
    counted = shard.home >= 0
    owed = np.bincount(shard.home[counted], minlength=shard.concentrators)
    good = counted & (aged(shard, wait_s) <= limit_s)
    in_time = np.bincount(shard.home[good], minlength=shard.concentrators)
    return in_time[owed > 0] / owed[owed > 0]


def aged(shard: Shard, wait_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (R,) ages of the billing values with the nation's wait at the head end on top [s]."""
    return shard.age_s.astype(np.float64) + np.where(
        shard.bin >= 0, wait_s[np.minimum(shard.bin, wait_s.size - 1)], 0.0
    )
