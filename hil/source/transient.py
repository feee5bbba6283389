"""Transients: what a trigger makes the source play, in the terms of no particular dialect."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hil.source.waveform import Shape, sine


@dataclass(frozen=True)
class Levels:
    """The settings in force while no transient holds them.

    Parameters
    ----------
    voltage_v : float
        RMS voltage [V].
    slew_v_per_s : float
        How fast a new voltage is approached [V/s]; infinite for a step.
    frequency_uhz : int
        Frequency [µHz].
    offset : int
        Output phase against the internal reference [1e-15 turn].
    shape : Shape
        Waveform.
    """

    voltage_v: float = 0.0
    slew_v_per_s: float = math.inf
    frequency_uhz: int = 60_000_000
    offset: int = 0
    shape: Shape = field(default_factory=sine)


@dataclass(frozen=True)
class Point:
    """One point of a transient; a setting that is None is not this transient's business."""

    duration_ns: int
    voltage_v: float | None = None
    slew_v_per_s: float | None = None
    frequency_uhz: int | None = None
    offset: int | None = None
    shape: Shape | None = None
    trigger_out: bool = False

    def settings(self) -> dict[str, Any]:
        """Return the output settings this point makes, by name."""
        named = {name: getattr(self, name) for name in ("voltage_v", "frequency_uhz", "offset", "shape")}
        return {name: value for name, value in named.items() if value is not None}


@dataclass(frozen=True)
class Transient:
    """What happens between a trigger and the return to the levels.

    Parameters
    ----------
    points : tuple of Point
        Played in order; all make the same settings. May be empty.
    count : int or None
        How often the points are played; None until aborted.
    by_trigger : bool
        Each point waits for a trigger of its own.
    new_levels : mapping
        Levels that change for good when the transient begins.
    edge_at_start, edge_at_end : bool
        A trigger-out pulse when the transient begins, when it ends.
    """

    points: tuple[Point, ...] = ()
    count: int | None = 1
    by_trigger: bool = False
    new_levels: Mapping[str, Any] = field(default_factory=dict)
    edge_at_start: bool = False
    edge_at_end: bool = False

    def controls(self) -> frozenset[str]:
        """Return the names of the settings that this transient holds while it plays."""
        return frozenset(self.points[0].settings()) if self.points else frozenset()
