"""Which meters the boards of a run stand for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from teiden.errors import InputError
from twin.field.population import Population, board_meter
from twin.field.stages import Supply
from twin.scenario import BOARD_RULES


def choose_meters(
    rules: Sequence[str],
    population: Population,
    feeder: NDArray[np.bool_],
    dark_ns: NDArray[np.int64],
    routed: NDArray[np.bool_],
) -> tuple[int, ...]:
    """Return the meter of each board; no two boards get the same.

    Parameters
    ----------
    rules : sequence of str
        For each board a meter's name or one of `BOARD_RULES`; meters with a name are taken first, then one rule
        after the other.
    population : Population
        N meters.
    feeder : (S,) bool
        Substations where a board may stand: those of the feeder that goes dark.
    dark_ns : (S,) int
        How long each is dark within the run.
    routed : (N,) bool
        Meters with a radio route to a concentrator.

    Raises
    ------
    InputError
        If there is no such meter, it is elsewhere or without a route, or none is left.
    """
    chosen: dict[int, int] = {}
    for place, rule in enumerate(rules):
        if rule not in BOARD_RULES:
            chosen[place] = board_meter(population, feeder, rule)
            if not routed[chosen[place]]:
                raise InputError(f"board.meter = {rule}, expected a meter with a radio route to a concentrator")
    free = routed.copy()
    free[list(chosen.values())] = False
    for place, rule in enumerate(rules):
        if rule in BOARD_RULES:
            chosen[place] = board_meter(population, _allowed(rule, population, feeder, dark_ns, free), usable=free)
            free[chosen[place]] = False
    return tuple(chosen[place] for place in range(len(rules)))


def dark_times_ns(supply: Supply, end_ns: int) -> NDArray[np.int64]:
    """Return (S,) how long each substation is dark up to the end of the run."""
    dark_ns = np.zeros(supply.never.size, dtype=np.int64)
    ends = [*(stage.t_ns for stage in supply.stages[1:]), end_ns]
    for stage, until_ns in zip(supply.stages, ends, strict=False):
        dark_ns[stage.dark] += until_ns - stage.t_ns
    return dark_ns


def _allowed(
    rule: str,
    population: Population,
    feeder: NDArray[np.bool_],
    dark_ns: NDArray[np.int64],
    free: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Return (S,) the substations of the feeder that a rule allows, among those with free meters."""
    if rule == "auto":
        return feeder
    there = feeder & (np.bincount(population.meter_substation[free], minlength=feeder.size) > 0)
    if not there.any():
        return feeder
    wanted = dark_ns[there].max() if rule == "longest_dark" else dark_ns[there].min()
    return there & (dark_ns == wanted)
