"""The nation's head end, WAN and store under weighted flows: fluid queues, and how many of each are enough."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.collection.settings import Workers
from twin.fleet.shard import BIN_S


@dataclass(frozen=True)
class HeadEndLoad:
    """What flows into the head end, by bins of `BIN_S`.

    Attributes
    ----------
    values_per_s, batches_per_s, bytes_per_s : (B,) float
    work : (B,) float
        Workers that would be busy all the time.
    """

    values_per_s: NDArray[np.float64]
    batches_per_s: NDArray[np.float64]
    bytes_per_s: NDArray[np.float64]
    work: NDArray[np.float64]


def head_end_load(
    values: NDArray[np.float64], batches: NDArray[np.float64], sizes: NDArray[np.float64], each: Workers
) -> HeadEndLoad:
    """Return the load of values, batches and bytes that came in each bin."""
    work_s = batches * each.batch_ms / 1e3 + values * each.value_us / 1e6
    return HeadEndLoad(values / BIN_S, batches / BIN_S, sizes / BIN_S, work_s / BIN_S)


def waits_s(load: HeadEndLoad, workers: int) -> NDArray[np.float64]:
    """Return (B,) how long what comes at the end of each bin waits for so many workers; work is a fluid."""
    waits, left = np.zeros(load.work.size), 0.0
    for k, asked in enumerate(load.work.tolist()):
        left = max(0.0, left + (asked - workers) * BIN_S)
        waits[k] = left / workers
    return waits


def enough_workers(load: HeadEndLoad, most_wait_s: float) -> int:
    """Return the fewest workers with which nothing waits longer, at least enough for the mean."""
    low, high = 0, max(1, math.ceil(float(load.work.max())))
    while high - low > 1:
        middle = (low + high) // 2
        if middle > load.work.mean() and waits_s(load, middle).max() <= most_wait_s:
            high = middle
        else:
            low = middle
    return high


def store_processes(values_per_s: float, each_per_s: float) -> int:
    """Return how many store processes take so many values a second."""
    return max(1, math.ceil(values_per_s / each_per_s))
