"""The supply as another simulator gives it, and what that simulator gets to know: the names both sides use.

Inputs change what they name and leave the rest as it is; they hold from the moment at which they are given.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from teiden.errors import InputError
from twin.field.book import KINDS, NEVER
from twin.field.stages import OwnSupply, Stage
from twin.loop import Loop
from twin.office.locate import NOTHING
from twin.plan import Plan

Value = float | bool | str
Output = int | float | bool | str | list[str]

STAGE = "stage"
VOLTAGE, BREAKER = "voltage_pu", "breaker_open"
SUBSTATION, FEEDER, METER = "substation", "feeder", "meter"
UNNAMED = "supply"  # the kind of a stage that the other simulator gives no name
MOST_PU = 1.2  # above, a meter's supply is another study
SOURCE_READY_NS = 1_000_000_000  # the AC source of the board's meter needs so long before its first change
SOURCE_STEP_NS = 50_000_000  # and so long for each

INPUTS = {
    "substation/NAME/voltage_pu": "RMS voltage behind that transformer over nominal, 0 to 1.2; 1 until given",
    "meter/ID/voltage_pu": "the same at one meter; until given, that of its substation",
    "feeder/NAME/breaker_open": "1 when the breaker's telemetry says open: the head end gets the alarm",
    "stage": "what the state is called in tables and pictures (fault, trip, isolate, tie, repair or any word)",
}
OUTPUTS = {
    "t_s": "simulated time [s]",
    "meters_out": "meters without supply, as they feel it",
    "meters_believed_out": "meters the head end believes without supply",
    "gasps_received": "Last Gasps the head end has accepted",
    "returns_received": "notices of power return it has accepted",
    "polls_sent": "questions it has sent",
    "polls_answered": "answers it has got",
    "section": 'name of the section it believes dark; "nothing"',
    "section_kind": "nothing, feeder, line, substation or segment",
    "section_substations": "names of that section's substations",
}
PLACE_OUTPUTS = {
    "substation/NAME/meters_believed_out": "meters there that the head end believes without supply",
    "meter/ID/believed_out": "whether it believes that of one meter",
}


class OutsideSupply:
    """Makes stages of the supply from another simulator's inputs.

    Parameters
    ----------
    plan : Plan
        Of a run whose supply comes from outside.
    """

    def __init__(self, plan: Plan):
        self._plan = plan
        self._loss_pu = plan.scenario.meter.loss_pu
        self._substations = {name: place for place, name in enumerate(plan.grid.substation_name)}
        self._feeders = {name: place for place, name in enumerate(plan.grid.feeder_name)}
        self._pu = np.where(plan.supply.never, 0.0, 1.0)
        self._own_pu: dict[int, float] = {}
        self._open = np.zeros(len(self._feeders), dtype=bool)
        self._opened = self._open.copy()  # by inputs of the newest moment
        self._newest_ns = 0
        self._kind = UNNAMED
        self._sources = {meter: _Source() for meter in plan.boards}

    def take(self, t_ns: int, inputs: Mapping[str, Value]) -> Stage | None:
        """Return the stage that inputs begin at ``t_ns``; None if they change nothing.

        Raises
        ------
        InputError
            For an unknown name, a value out of range, or a voltage at the board's meter that changes too soon.
        """
        before, was_open = self._state(), self._open.copy()
        for name, value in inputs.items():
            self._set(name, value)
        if self._state() == before and np.array_equal(was_open, self._open):
            return None
        if t_ns > self._newest_ns:
            self._opened[:] = False
        self._newest_ns = t_ns
        self._opened |= self._open & ~was_open
        stage = self._stage(t_ns, np.isin(self._plan.grid.substation_feeder, np.flatnonzero(self._opened)))
        self._check_source(stage)
        return stage

    def meter(self, name: str) -> int:
        """Return a meter by name; InputError if there is none."""
        return self._plan.population.find_meter(name)

    def substation(self, name: str) -> int:
        """Return a substation by name; InputError if there is none."""
        return _find("substation", name, self._substations)

    def feeder(self, name: str) -> int:
        """Return a feeder by name; InputError if there is none."""
        return _find("feeder", name, self._feeders)

    def _state(self) -> tuple[bytes, dict[int, float], str]:
        return self._pu.tobytes(), dict(self._own_pu), self._kind

    def _set(self, name: str, value: Value) -> None:
        kind, _, rest = name.partition("/")
        place, _, quantity = rest.rpartition("/")
        if name == STAGE:
            self._kind = _word(value)
        elif (kind, quantity) == (SUBSTATION, VOLTAGE):
            self._pu[self.substation(place)] = _voltage(name, value)
        elif (kind, quantity) == (METER, VOLTAGE):
            self._own_pu[self.meter(place)] = _voltage(name, value)
        elif (kind, quantity) == (FEEDER, BREAKER):
            self._open[self.feeder(place)] = _switch(name, value)
        else:
            raise InputError(f"input {name!r}, expected one of {', '.join(INPUTS)}")

    def _stage(self, t_ns: int, tripped: np.ndarray) -> Stage:
        never, station = self._plan.supply.never, self._plan.population.meter_substation
        meters = np.array(sorted(self._own_pu), dtype=np.int64)
        own_pu = np.array([self._own_pu[meter] for meter in meters.tolist()])
        own = OwnSupply(meters, own_pu, (own_pu < self._loss_pu) & ~never[station[meters]])
        return Stage(t_ns, self._kind, (self._pu < self._loss_pu) & ~never, self._pu.copy(), tripped, own)

    def _check_source(self, stage: Stage) -> None:
        """Refuse a change at a board's meter that its AC source cannot play."""
        pu = stage.meters_pu(self._plan.population.meter_substation)
        for meter, source in self._sources.items():
            source.change(self._plan.population.meter_name(meter), stage.t_ns, float(pu[meter]))


@dataclass
class _Source:
    """What the AC source of a board plays, and when it can change that."""

    pu: float = 1.0
    changed_ns: int = -1
    ready_ns: int = SOURCE_READY_NS

    def change(self, meter: str, t_ns: int, pu: float) -> None:
        """Take a change at its meter, which may be none; InputError if it comes too soon."""
        if pu == self.pu:
            return
        if t_ns < self.ready_ns and t_ns != self.changed_ns:
            raise InputError(
                f"t = {t_ns / 1e9:g} s: the voltage at the board's meter {meter} changes, expected no change before "
                f"t = {self.ready_ns / 1e9:g} s: its AC source needs "
                f"{SOURCE_READY_NS / 1e9:g} s to begin with and {SOURCE_STEP_NS / 1e6:g} ms for each"
            )
        self.pu, self.changed_ns = pu, t_ns
        self.ready_ns = t_ns + SOURCE_STEP_NS


class Knowledge:
    """Tells what the head end knows at the end of the last window.

    Parameters
    ----------
    loop : Loop
    """

    def __init__(self, loop: Loop):
        self._loop = loop

    def now(self) -> dict[str, Output]:
        """Return a value for every name of `OUTPUTS`."""
        loop, office = self._loop, self._loop.office
        rows = loop.meters.book.rows
        received = rows["kind"][rows["head_end_ns"] != NEVER]
        polls = office.polling.polls if office.polling is not None else []
        section = office.namings[-1].section if office.namings else None
        names = loop.plan.grid.substation_name
        return {
            "t_s": loop.now_ns / 1e9,
            "meters_out": int(loop.meters.dark.sum()),
            "meters_believed_out": int(office.head_end.beliefs.dark.sum()),
            "gasps_received": int((received == KINDS.index("last_gasp")).sum()),
            "returns_received": int((received == KINDS.index("power_return")).sum()),
            "polls_sent": len(polls),
            "polls_answered": sum(poll.answered_ns is not None for poll in polls),
            "section": NOTHING if section is None else section.name,
            "section_kind": NOTHING if section is None else section.kind,
            "section_substations": [] if section is None else [names[place] for place in section.substations.tolist()],
        }

    def substations(self) -> Sequence[int]:
        """Return (S,) how many meters of each substation the head end believes without supply."""
        believed = self._loop.office.head_end.beliefs.dark
        station = self._loop.plan.population.meter_substation[believed]
        counts: list[int] = np.bincount(station, minlength=len(self._loop.plan.grid.substation_name)).tolist()
        return counts

    def meter(self, meter: int) -> bool:
        """Return whether the head end believes a meter without supply."""
        return bool(self._loop.office.head_end.beliefs.dark[meter])


def _find(kind: str, name: str, known: Mapping[str, int]) -> int:
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, 1, 0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise InputError(f"no {kind} {name!r} among {len(known)} (teiden cosim names SCENARIO lists them){hint}")


def _voltage(name: str, value: Value) -> float:
    if isinstance(value, str) or not math.isfinite(value) or not 0 <= value <= MOST_PU:
        raise InputError(f"{name} = {value!r}, expected a voltage over nominal of 0 to {MOST_PU:g}")
    return float(value)


def _switch(name: str, value: Value) -> bool:
    if value not in (0, 1):
        raise InputError(f"{name} = {value!r}, expected 0 (closed) or 1 (open)")
    return bool(value)


def _word(value: Value) -> str:
    if not isinstance(value, str) or not value.isidentifier():
        raise InputError(f"stage = {value!r}, expected a word of letters, digits and _")
    return value
