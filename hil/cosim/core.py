"""The core of co-simulation: ``step(t, inputs) -> outputs`` over a whole run, rig and run folder included."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from hil.cosim.repeated import RepeatedInputs, read_inputs
from hil.process import RigProcess
from hil.progress import Watch
from hil.run import Finished, Run, load_scenario, started
from teiden.errors import InputError
from twin.outside import Knowledge, Output, OutsideSupply, Value
from twin.scenario import Scenario, ns
from twin.study.folder import PARTIAL

EXCHANGE = "exchange.jsonl"


class CoSimulation:
    """A run whose supply another simulator gives; `opened` makes it.

    Attributes
    ----------
    supply : OutsideSupply
        Knows the names of substations, feeders and meters.
    knowledge : Knowledge
        What the head end knows now.
    """

    def __init__(self, run: Run, every_ns: int, repeated: RepeatedInputs):
        self._run = run
        self._repeated = repeated
        self._every_ns = every_ns
        self._loop = run.loop
        self.supply = OutsideSupply(run.loop.plan)
        self.knowledge = Knowledge(run.loop)
        self.end_ns = run.loop.end_ns

    @property
    def now_ns(self) -> int:
        """How far it has come."""
        return self._loop.now_ns

    @property
    def next_ns(self) -> int:
        """Until when it need not be stepped if no input changes: the next multiple of the step, or the end."""
        return min((self.now_ns // self._every_ns + 1) * self._every_ns, self.end_ns)

    @property
    def substations(self) -> tuple[str, ...]:
        """Names of the substations, in the order of `Knowledge.substations`."""
        return tuple(self._loop.plan.grid.substation_name)

    @property
    def feeders(self) -> tuple[str, ...]:
        """Names of the feeders."""
        return tuple(self._loop.plan.grid.feeder_name)

    def step(self, t_ns: int, inputs: Mapping[str, Value]) -> dict[str, Output]:
        """Run on to ``t_ns``; take inputs that hold from then on; return what the head end knows then.

        Parameters
        ----------
        t_ns : int
            Not before the last step; beyond the scenario's end it counts as the end.
        inputs : dict
            Names of `twin.outside.INPUTS`; what is not named stays.

        Raises
        ------
        InputError
            For a step backwards, or an input that is wrong.
        PartFailed
            If the run is resumed, and its inputs are not those of the interrupted one.
        """
        if t_ns < self.now_ns:
            raise InputError(
                f"step to t = {t_ns / 1e9:.9g} s after t = {self.now_ns / 1e9:.9g} s, expected no earlier time: "
                "a twin with a board cannot go back"
            )
        self._repeated.check(min(t_ns, self.end_ns), inputs)
        self._run.step(t_ns)
        stage = self.supply.take(self.now_ns, inputs)
        if stage is not None and self.now_ns < self.end_ns:
            self._loop.take_supply(stage)
        outputs = self.knowledge.now()
        self._note(inputs, outputs)
        return outputs

    def finish(self, seconds: Mapping[str, float] | None = None) -> Finished:
        """Run on to the scenario's end and write the run folder; ``seconds`` say where wall time went."""
        self._run.step(self.end_ns)
        return self._run.finish({"wall_of_cosim_s": {name: round(s, 3) for name, s in (seconds or {}).items()}})

    def _note(self, inputs: Mapping[str, Value], outputs: Mapping[str, Output]) -> None:
        line = json.dumps({"t_ns": self.now_ns, "inputs": dict(inputs), "outputs": dict(outputs)}, ensure_ascii=False)
        with open(self._run.folder.path / EXCHANGE, "a", encoding="utf-8") as file:
            file.write(line + "\n")


def load_outage(path: str, changes: Iterable[str], seed: int | None) -> Scenario:
    """Read a scenario that can be co-simulated.

    Raises
    ------
    InputError
        If it is wrong, or is no outage.
    """
    scenario = load_scenario(path, changes, seed)
    if not isinstance(scenario, Scenario):
        raise InputError(f"{path}: a scenario of kind {scenario.kind}, expected an outage: only those have a supply")
    return scenario


@contextmanager
def opened(
    scenario: Scenario,
    place: Path,
    step_s: float,
    giver: str,
    *,
    backend: str = "cpu",
    resume: bool = False,
    watch: Watch | None = None,
    rig: Callable[..., RigProcess] = RigProcess,
) -> Iterator[CoSimulation]:
    """Give a run at its time 0 that another simulator steps; takes and raises what `hil.run.run_scenario` does.

    A resumed run is repeated from its start, as native ones are: the other simulator must give the same inputs again,
    up to where the interrupted run came, and every checkpoint must come out the same.

    Parameters
    ----------
    step_s : float
        How often the head end's knowledge is told at least [s].
    giver : str
        Who gives the supply, for manifest and report.
    """
    if not (math.isfinite(step_s) and ns(step_s) >= 1_000_000):
        raise InputError(f"step_s = {step_s:g}, expected 0.001 s or more")
    given = read_inputs(place.with_name(place.name + PARTIAL) / EXCHANGE) if resume else []
    with started(scenario, place, backend=backend, resume=resume, watch=watch, rig=rig, outside=giver) as run:
        yield CoSimulation(run, ns(step_s), RepeatedInputs(given))
