"""The twin as a mosaik simulator: entities for the office, each substation, each feeder, and meters that are asked for.

In a mosaik scenario: ``{"Teiden": {"python": "hil.cosim.mosaik:TwinSimulator"}}``, or in a process of its own
``{"Teiden": {"cmd": "teiden cosim mosaik %(addr)s"}}``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import mosaik_api_v3

from hil.cosim.core import CoSimulation, load_outage, opened
from hil.progress import Watch
from hil.run import Finished
from teiden.errors import InputError, PartFailed
from twin.outside import BREAKER, FEEDER, METER, OUTPUTS, STAGE, SUBSTATION, VOLTAGE, Value

META = {
    "type": "hybrid",
    "models": {
        "Office": {"public": True, "params": [], "attrs": [STAGE, *OUTPUTS], "trigger": [STAGE]},
        "Substation": {
            "public": False,
            "params": [],
            "attrs": [VOLTAGE, "meters_believed_out"],
            "trigger": [VOLTAGE],
        },
        "Feeder": {"public": False, "params": [], "attrs": [BREAKER], "trigger": [BREAKER]},
        "Meter": {"public": True, "params": ["name"], "attrs": [VOLTAGE, "believed_out"], "trigger": [VOLTAGE]},
    },
}
OFFICE = "office"


class TwinSimulator(mosaik_api_v3.Simulator):
    """One run of the twin in a mosaik world.

    Its parameters, given with ``world.start``: ``scenario``, ``out`` (run folder), ``changes`` (list of
    TABLE.KEY=VALUE), ``seed``, ``step_s`` (how often it is stepped at least), ``quiet``, ``resume``
    (repeat an interrupted run). The world's ``until`` must be the scenario's end.
    """

    def __init__(self) -> None:
        super().__init__(META)
        self._stack = ExitStack()
        self._twin: CoSimulation | None = None
        self._substations: dict[str, int] = {}
        self._meters: dict[str, int] = {}
        self._outputs: dict[str, Any] = {}
        self.finished: Finished | None = None

    @property
    def twin(self) -> CoSimulation:
        """The run; there is one between the first `create` and `finalize`."""
        assert self._twin is not None
        return self._twin

    def init(
        self,
        sid: str,
        time_resolution: float = 1.0,
        *,
        scenario: str,
        out: str = "",
        changes: list[str] | None = None,
        seed: int | None = None,
        step_s: float = 1.0,
        quiet: bool = True,
        resume: bool = False,
    ) -> Any:
        """Read the scenario; the run starts with the first entity, because mosaik gives this call little time."""
        self._tick_ns = round(time_resolution * 1e9)
        loaded = load_outage(scenario, changes or [], seed)
        for name, seconds in (("step_s", step_s), ("time.duration_s", loaded.time.duration_s)):
            if self._tick_ns < 1 or round(seconds * 1e9) % self._tick_ns:
                raise InputError(
                    f"{name} = {seconds:g} s, expected a multiple of time_resolution = {time_resolution:g}"
                )
        place = Path(out) if out else Path("runs") / loaded.name
        self._run = opened(loaded, place, step_s, "mosaik", resume=resume, watch=Watch(quiet=quiet))
        return self.meta

    def create(self, num: int, model: str, **parameters: Any) -> list[dict[str, Any]]:
        """Create the office with all substations and feeders, or a meter by name."""
        if num != 1:
            raise InputError(f"{num} entities of {model}, expected 1 at a time")
        if self._twin is None:
            self._twin = self._stack.enter_context(self._run)
            self._substations = {f"{SUBSTATION}/{name}": k for k, name in enumerate(self.twin.substations)}
        if model == "Meter":
            name = str(parameters["name"])
            self._meters[f"{METER}/{name}"] = self.twin.supply.meter(name)
            return [{"eid": f"{METER}/{name}", "type": "Meter"}]
        children = [{"eid": eid, "type": "Substation"} for eid in self._substations]
        children += [{"eid": f"{FEEDER}/{name}", "type": "Feeder"} for name in self.twin.feeders]
        return [{"eid": OFFICE, "type": "Office", "children": children}]

    def step(self, time: int, inputs: dict[str, Any], max_advance: int) -> int | None:
        """Run on to ``time`` and take inputs that hold from then on; return when to be stepped again."""
        try:
            self._outputs = self.twin.step(time * self._tick_ns, dict(_named(inputs)))
        except BaseException:  # whatever it is, the rig must not outlive it; mosaik may not call finalize
            self._twin = None
            self._stack.close()
            raise
        next_ns = self.twin.next_ns
        return next_ns // self._tick_ns if next_ns < self.twin.end_ns else None

    def get_data(self, outputs: dict[str, list[str]]) -> dict[str, dict[str, Any]]:
        """Return what the head end knows at the time of the last step."""
        return {eid: {name: self._value(eid, name) for name in names} for eid, names in outputs.items()}

    def finalize(self) -> None:
        """Run on to the end and write the run folder, unless the world ended before; stop the rig.

        Raises
        ------
        PartFailed
            If the world ended more than a step before the scenario; the folder stays ``.partial``.
        """
        twin, self._twin = self._twin, None
        with self._stack:
            if twin is None:
                return
            if twin.next_ns < twin.end_ns:
                raise PartFailed(
                    f"mosaik: the world ended at t = {twin.now_ns / 1e9:g} s, the scenario lasts to "
                    f"{twin.end_ns / 1e9:g} s: until must be that"
                )
            self.finished = twin.finish()

    def _value(self, eid: str, name: str) -> Any:
        if eid == OFFICE:
            return self._outputs[name]
        if eid in self._meters:
            return self.twin.knowledge.meter(self._meters[eid])
        return self.twin.knowledge.substations()[self._substations[eid]]


def _named(inputs: dict[str, dict[str, dict[str, Value]]]) -> Iterator[tuple[str, Value]]:
    """Yield the inputs by the names of `twin.outside`; several sources of one input are refused."""
    for eid, attributes in inputs.items():
        for attribute, sources in attributes.items():
            name = attribute if eid == OFFICE else f"{eid}/{attribute}"
            if len(sources) > 1:
                raise InputError(f"{name}: given by {', '.join(sorted(sources))}, expected one of them")
            yield from ((name, value) for value in sources.values())
