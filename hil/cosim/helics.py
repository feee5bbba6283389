"""The twin as a HELICS federate; its input and publication names are those of `twin.outside`, after its own name."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hil.cosim.core import CoSimulation
from hil.run import Finished
from teiden.errors import InputError, MissingPart, PartFailed
from twin.outside import BREAKER, FEEDER, METER, STAGE, SUBSTATION, VOLTAGE, Output, Value

RETRY_S = 0.2
DEFAULT_BROKER = "tcp://127.0.0.1:23404"  # HELICS' own port for its zmq core


@dataclass(frozen=True)
class Federation:
    """Where and as what the twin takes part.

    Attributes
    ----------
    name : str
        Of the federate, in front of all its names.
    broker : str
        Address, ``tcp://HOST:PORT``.
    timeout_s : float
        Longest wait for the broker, and for an answer of it.
    meters : tuple of str
        Meters with a voltage input and a belief of their own.
    """

    name: str = "teiden"
    broker: str = DEFAULT_BROKER
    timeout_s: float = 30.0
    meters: tuple[str, ...] = ()


def import_helics() -> Any:
    """Return the package; MissingPart if it is not installed."""
    try:
        import helics
    except ImportError:
        raise MissingPart("HELICS is not installed; pip install 'teiden[helics]'") from None
    return helics


def wait_for_broker(federation: Federation) -> None:
    """Wait until something listens at the broker's address.

    HELICS' own wait is longer than its time-out and says less.

    Raises
    ------
    InputError
        If the address is none.
    MissingPart
        If nothing listens there within the time-out.
    """
    scheme, _, place = federation.broker.partition("://")
    host, _, port = place.rpartition(":")
    if scheme != "tcp" or not host or not (port.isascii() and port.isdigit()):
        raise InputError(f"broker {federation.broker!r}, expected tcp://HOST:PORT")
    until_s = time.monotonic() + federation.timeout_s
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=federation.timeout_s).close()
            return
        except OSError as error:
            if time.monotonic() >= until_s:
                raise MissingPart(
                    f"no HELICS broker at {federation.broker} within {federation.timeout_s:g} s ({error}); start one: "
                    "helics_broker --federates=2"
                ) from None
        time.sleep(RETRY_S)


class Federate:
    """Inputs, publications and time of one federate.

    Parameters
    ----------
    twin : CoSimulation
    federation : Federation
    """

    def __init__(self, twin: CoSimulation, federation: Federation):
        self._helics = import_helics()
        self._twin = twin
        self._name = federation.name
        self._meters = {name: twin.supply.meter(name) for name in federation.meters}
        self._published: dict[str, Output] = {}
        self.seconds = {"twin": 0.0, "exchange": 0.0, "waiting": 0.0}
        self._federate = self._join(federation)
        self._inputs = {name: self._input(name, kind, unit) for name, kind, unit in self._input_names()}
        values = self._with_places(twin.knowledge.now())
        self._publications = {name: self._publication(name, value) for name, value in values.items()}

    def run(self) -> None:
        """Take part until the scenario's end."""
        self._timed("waiting", self._helics.helicsFederateEnterExecutingMode, self._federate)
        t_s = 0.0
        while True:
            inputs = self._timed("exchange", self._changed)
            outputs = self._timed("twin", self._twin.step, round(t_s * 1e9), inputs)
            self._timed("exchange", self._publish, outputs)
            if self._twin.now_ns >= self._twin.end_ns:
                return
            t_s = self._timed("waiting", self._request, self._twin.next_ns / 1e9)

    def close(self) -> None:
        """Leave the federation."""
        self._helics.helicsFederateDisconnect(self._federate)
        self._helics.helicsFederateFree(self._federate)

    def _join(self, federation: Federation) -> Any:
        h = self._helics
        info = h.helicsCreateFederateInfo()
        info.core_type = "zmq"
        info.core_init = f"--federates=1 --broker={federation.broker} --timeout={federation.timeout_s:g}s"
        # A grant comes when all others have passed its time: what they publish at a moment is there at that moment.
        h.helicsFederateInfoSetFlagOption(info, h.HELICS_FLAG_WAIT_FOR_CURRENT_TIME_UPDATE, True)
        try:
            return h.helicsCreateValueFederate(federation.name, info)
        except h.HelicsException as error:
            raise PartFailed(f"HELICS at {federation.broker}: {error}") from None

    def _request(self, t_s: float) -> float:
        """Return the granted time, at most that asked for: earlier if an input changes before it."""
        h = self._helics
        granted_s = float(h.helicsFederateRequestTime(self._federate, t_s))
        state = h.helicsFederateGetState(self._federate)
        if granted_s > t_s or state != h.HELICS_STATE_EXECUTION:
            raise PartFailed(
                f"HELICS: the federation ended at t = {self._twin.now_ns / 1e9:g} s, the scenario lasts to "
                f"{self._twin.end_ns / 1e9:g} s"
            )
        return granted_s

    def _input_names(self) -> Iterator[tuple[str, type, str]]:
        """Yield name, type and unit of each input."""
        for place in self._twin.substations:
            yield f"{SUBSTATION}/{place}/{VOLTAGE}", float, "pu"
        for meter in self._meters:
            yield f"{METER}/{meter}/{VOLTAGE}", float, "pu"
        for feeder in self._twin.feeders:
            yield f"{FEEDER}/{feeder}/{BREAKER}", bool, ""
        yield STAGE, str, ""

    def _input(self, name: str, kind: type, unit: str) -> tuple[Any, Callable[[Any], Value]]:
        """Register an input; return it and what reads it."""
        h = self._helics
        read = {float: h.helicsInputGetDouble, bool: h.helicsInputGetBoolean, str: h.helicsInputGetString}[kind]
        return h.helicsFederateRegisterGlobalInput(self._federate, f"{self._name}/{name}", self._code(kind), unit), read

    def _publication(self, name: str, value: Output) -> Any:
        key = f"{self._name}/{name}"
        return self._helics.helicsFederateRegisterGlobalPublication(self._federate, key, self._code(type(value)), "")

    def _code(self, kind: type) -> int:
        h = self._helics
        numbers = {float: h.HELICS_DATA_TYPE_DOUBLE, int: h.HELICS_DATA_TYPE_INT, bool: h.HELICS_DATA_TYPE_BOOLEAN}
        return int(numbers.get(kind, h.HELICS_DATA_TYPE_STRING))

    def _changed(self) -> dict[str, Value]:
        is_updated = self._helics.helicsInputIsUpdated
        return {name: read(one) for name, (one, read) in self._inputs.items() if is_updated(one)}

    def _publish(self, outputs: dict[str, Output]) -> None:
        """Publish what has changed."""
        found = self._with_places(outputs)
        for name, value in found.items():
            if name not in self._published or self._published[name] != value:
                self._send(self._publications[name], value)
        self._published = found

    def _with_places(self, outputs: dict[str, Output]) -> dict[str, Output]:
        """Return outputs, and what the head end believes of each substation and of the meters asked for."""
        knowledge = self._twin.knowledge
        found = dict(outputs)
        for name, count in zip(self._twin.substations, knowledge.substations(), strict=True):
            found[f"{SUBSTATION}/{name}/meters_believed_out"] = count
        for name, meter in self._meters.items():
            found[f"{METER}/{name}/believed_out"] = knowledge.meter(meter)
        return found

    def _send(self, publication: Any, value: Output) -> None:
        h = self._helics
        if isinstance(value, bool):
            h.helicsPublicationPublishBoolean(publication, value)
        elif isinstance(value, int):
            h.helicsPublicationPublishInteger(publication, value)
        elif isinstance(value, float):
            h.helicsPublicationPublishDouble(publication, value)
        else:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            h.helicsPublicationPublishString(publication, text)

    def _timed(self, what: str, act: Callable[..., Any], *arguments: Any) -> Any:
        began_s = time.monotonic()
        try:
            return act(*arguments)
        except self._helics.HelicsException as error:
            raise PartFailed(f"HELICS at t = {self._twin.now_ns / 1e9:g} s: {error}") from None
        finally:
            self.seconds[what] += time.monotonic() - began_s


@contextmanager
def joined(twin: CoSimulation, federation: Federation) -> Iterator[Federate]:
    """Give the twin as a member of a federation; it leaves it on every way out."""
    federate = Federate(twin, federation)
    try:
        yield federate
    finally:
        federate.close()


def take_part(twin: CoSimulation, federation: Federation) -> Finished:
    """Join a federation, run to the scenario's end, write the run folder.

    Raises
    ------
    MissingPart
        If HELICS or its broker is missing.
    PartFailed
        If the federation ends before the scenario.
    """
    wait_for_broker(federation)
    with joined(twin, federation) as federate:
        federate.run()
    return twin.finish(federate.seconds)
