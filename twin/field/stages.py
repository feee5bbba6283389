"""The supply as the meters of one run feel it: a voltage too low to live on is no supply."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twin.field.supply import SupplyTimeline

BEFORE = "before"


@dataclass(frozen=True)
class Stage:
    """One state of the supply, from ``t_ns`` on.

    Attributes
    ----------
    kind : str
        ``fault``, ``trip``, ``isolate``, ``tie`` or ``repair``.
    dark : (S,) bool
        Substations that have lost their supply; never those without supply in the normal state.
    residual_pu : (S,) float
        Voltage over nominal.
    """

    t_ns: int
    kind: str
    dark: NDArray[np.bool_]
    residual_pu: NDArray[np.float64]


@dataclass(frozen=True)
class Supply:
    """All stages that begin within the run.

    Attributes
    ----------
    never : (S,) bool
        Without supply in the normal state; their meters take no part.
    stages : tuple of Stage
        In time order.
    """

    never: NDArray[np.bool_]
    stages: tuple[Stage, ...]

    def dark_at(self, t_ns: int) -> NDArray[np.bool_]:
        """Return (S,) which substations are dark at a moment; a stage holds from its own time on."""
        dark = np.zeros_like(self.never)
        for stage in self.stages:
            if stage.t_ns <= t_ns:
                dark = stage.dark
        return dark

    def kind_at(self, t_ns: int) -> str:
        """Return the kind of the stage at a moment, `BEFORE` if none has begun."""
        kind = BEFORE
        for stage in self.stages:
            if stage.t_ns <= t_ns:
                kind = stage.kind
        return kind

    def find(self, kind: str) -> Stage | None:
        """Return the stage of a kind, None if it does not begin within the run."""
        return next((stage for stage in self.stages if stage.kind == kind), None)

    @property
    def loss_ns(self) -> int | None:
        """When the first meters lose their supply; None if none does within the run."""
        return next((stage.t_ns for stage in self.stages if stage.dark.any()), None)


def supply_of(timeline: SupplyTimeline, loss_pu: float, end_ns: int) -> Supply:
    """Return the stages of a timeline that begin before ``end_ns``.

    Parameters
    ----------
    timeline : SupplyTimeline
    loss_pu : float
        Voltage over nominal below which a meter has lost its supply: its rectifier charges no more and its
        front-end confirms a power failure.
    """
    stages = tuple(
        Stage(step.t_ns, step.kind, (step.residual_pu < loss_pu) & ~timeline.before, step.residual_pu)
        for step in timeline.steps
        if step.t_ns < end_ns
    )
    return Supply(timeline.before, stages)
