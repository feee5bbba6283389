"""Whom the wave of commands is for, what it is made of, and who bows to a limit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from twin.chance import Purpose, uniform
from twin.collection.settings import CollectionScenario, Commands

UNDO = {"open": "close", "limit": "lift", "reserve": "cancel"}


def wave_kinds(wave: Commands) -> Iterator[tuple[str, float]]:
    """Yield the kinds of errand that a wave sends, each with its beginning after ``at_h`` [h]."""
    if wave.kind == "none":
        return
    kind = "reserve" if wave.kind == "limit" and wave.starts_after_h else wave.kind
    yield kind, 0.0
    if wave.undo_after_h:
        yield UNDO[kind], wave.undo_after_h


def customers_who_adapt(scenario: CollectionScenario) -> NDArray[np.bool_]:
    """Return (N,) who draws no more than a limit that is commanded."""
    meters = np.arange(scenario.population.meters)
    return uniform(scenario.seed, meters, 1, Purpose.ISLAND) < scenario.load.adapts_share


def drawn_meters(scenario: CollectionScenario) -> NDArray[np.int64]:
    """Return ``commands.meters`` of all meters, drawn; ascending."""
    luck = uniform(scenario.seed, np.arange(scenario.population.meters), 0, Purpose.COMMAND_TARGET)
    return np.sort(np.argsort(luck, kind="stable")[: scenario.commands.meters])
