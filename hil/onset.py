"""When a source's output changed, against its trigger edge: between two samples, and more exactly from several."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hil.clock import Interval

NEAR = 16  # samples before and behind the edge in which the change is looked for: 2 ms
BEFORE_CYCLES = 2  # of steady supply, which say how it would have gone on
NOT_SEEN = Interval(np.asarray(math.nan), np.asarray(math.nan))


def onset(volts: NDArray[np.float64], at: float, cycles_per_sample: float, seen_v: float) -> Interval:
    """Return between which samples a sine changed, near a trigger edge.

    Parameters
    ----------
    volts : (n,) float
        Samples [V].
    at : float
        Place of the edge among them; need not be whole.
    cycles_per_sample : float
        Frequency over sample rate.
    seen_v : float
        How far a sample must be from the sine before to tell a change [V].

    Returns
    -------
    Interval
        Earliest and latest moment of the change, in samples after the edge; NaN where none was seen.
    """
    end = math.floor(at) - NEAR
    begin = end - round(BEFORE_CYCLES / cycles_per_sample)
    if begin < 0 or end + 2 * NEAR > volts.size:
        return NOT_SEEN
    turns = 2 * np.pi * cycles_per_sample * np.arange(begin, end + 2 * NEAR)
    basis = np.column_stack([np.sin(turns), np.cos(turns), np.ones(turns.size)])
    steady = end - begin
    parts, *_ = np.linalg.lstsq(basis[:steady], volts[begin:end], rcond=None)
    apart = np.abs(volts[end : end + 2 * NEAR] - basis[steady:] @ parts)
    changed = np.flatnonzero(apart > seen_v)
    if not changed.size:
        return NOT_SEEN
    first = end + int(changed[0])
    return Interval(np.asarray(first - 1 - at), np.asarray(first - at))


def narrowest(found: Sequence[Interval]) -> Interval:
    """Return where all changes can have been if they have one delay; NaN if there is none, or one was not seen.

    Its bound is negative where they did not keep to one delay.
    """
    if not found:
        return NOT_SEEN
    return Interval(np.max([one.low for one in found]), np.min([one.high for one in found]))  # of NaN: NaN
