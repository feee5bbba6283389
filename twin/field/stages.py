"""The supply as the meters of one run feel it: a voltage too low to live on is no supply."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from twin.field.supply import SupplyTimeline

BEFORE = "before"


@dataclass(frozen=True)
class OwnSupply:
    """The meters whose voltage is not that of their substation; k meters.

    Attributes
    ----------
    meter : (k,) int
        Each once.
    pu : (k,) float
        Voltage over nominal.
    dark : (k,) bool
    """

    meter: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    pu: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    dark: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, bool))


@dataclass(frozen=True)
class Stage:
    """One state of the supply, from ``t_ns`` on.

    Attributes
    ----------
    kind : str
        ``fault``, ``trip``, ``isolate``, ``tie`` or ``repair``; what the other simulator calls it if it is another's.
    dark : (S,) bool
        Substations that have lost their supply; never those without supply in the normal state.
    residual_pu : (S,) float
        Voltage over nominal.
    tripped : (S,) bool
        Substations behind the breakers that say, by telemetry, that they open now.
    own : OwnSupply
        Meters with a voltage of their own.
    """

    t_ns: int
    kind: str
    dark: NDArray[np.bool_]
    residual_pu: NDArray[np.float64]
    tripped: NDArray[np.bool_]
    own: OwnSupply = OwnSupply()

    def dark_meters(self, substation: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return (N,) which meters are dark; ``substation`` is (N,), that of each."""
        dark = self.dark[substation]
        dark[self.own.meter] = self.own.dark
        return dark

    def meters_pu(self, substation: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return (N,) the voltage of each meter over nominal."""
        pu = self.residual_pu[substation]
        pu[self.own.meter] = self.own.pu
        return pu


@dataclass(frozen=True)
class Supply:
    """All stages that begin within the run.

    Attributes
    ----------
    never : (S,) bool
        Without supply in the normal state; their meters take no part.
    stages : tuple of Stage
        In time order.
    outside : bool
        The stages come from another simulator, while the run goes on.
    """

    never: NDArray[np.bool_]
    stages: tuple[Stage, ...]
    outside: bool = False

    def at(self, t_ns: int) -> Stage | None:
        """Return the stage at a moment, None if none has begun; a stage holds from its own time on."""
        place = bisect_right(self.stages, t_ns, key=lambda stage: stage.t_ns)
        return self.stages[place - 1] if place else None

    def dark_at(self, t_ns: int) -> NDArray[np.bool_]:
        """Return (S,) which substations are dark at a moment."""
        stage = self.at(t_ns)
        return np.zeros_like(self.never) if stage is None else stage.dark

    def dark_meters_at(self, t_ns: int, substation: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return (N,) which meters are dark at a moment; ``substation`` is (N,), that of each."""
        stage = self.at(t_ns)
        return np.zeros(substation.size, dtype=bool) if stage is None else stage.dark_meters(substation)

    def kind_at(self, t_ns: int) -> str:
        """Return the kind of the stage at a moment, `BEFORE` if none has begun."""
        stage = self.at(t_ns)
        return BEFORE if stage is None else stage.kind

    def then(self, stage: Stage) -> Supply:
        """Return this supply with one more stage; it takes the place of one that begins at the same moment."""
        return replace(self, stages=(*(one for one in self.stages if one.t_ns < stage.t_ns), stage))

    def find(self, kind: str) -> Stage | None:
        """Return the stage of a kind, None if it does not begin within the run."""
        return next((stage for stage in self.stages if stage.kind == kind), None)

    @property
    def loss_ns(self) -> int | None:
        """When the first meters lose their supply; None if none does within the run."""
        return next((stage.t_ns for stage in self.stages if stage.dark.any() or stage.own.dark.any()), None)


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
        Stage(
            step.t_ns,
            step.kind,
            (step.residual_pu < loss_pu) & ~timeline.before,
            step.residual_pu,
            timeline.feeder_substations & (step.kind == "trip"),
        )
        for step in timeline.steps
        if step.t_ns < end_ns
    )
    return Supply(timeline.before, stages)
