"""The simulated PYNQ board as a board of this process: its registers go through PYNQ's own MMIO in another.

pynq pins numpy below 2, so it lives in an environment of its own, whose interpreter is named. Not a test of hardware.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import numpy.typing as npt

from hdl import scaling
from hdl.codes import as_rows
from hdl.port_client import PortClient
from hdl.sim.pynq_server import NO_EDGE, PUSH
from hdl.sim.toolchain import rtl_hash
from teiden.errors import MissingPart

ROOT = Path(__file__).resolve().parents[2]
COMPILING_S = 600.0  # the other process may have to compile the RTL first


class SimulatedPynqBoard(PortClient):
    """A compiled front-end behind ``pynq.MMIO``, in a process of another interpreter.

    Parameters
    ----------
    clocks_per_sample : int
        Clocks the RTL gets for a sample.
    python : str
        Interpreter that has the pynq package; empty: this one.

    Raises
    ------
    MissingPart
        If there is no such interpreter, or no pynq in it.
    """

    sample_rate_hz = scaling.SAMPLE_RATE_HZ

    def __init__(self, clocks_per_sample: int, python: str = ""):
        self.clocks_per_sample = clocks_per_sample
        self.rtl_hash = rtl_hash()
        ours, theirs = socket.socketpair()
        with theirs:
            command = [python or sys.executable, "-m", "hdl.sim.pynq_server", str(theirs.fileno())]
            path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
            try:
                self._process = subprocess.Popen(
                    [*command, str(clocks_per_sample)],
                    stdin=subprocess.DEVNULL,
                    stdout=sys.stderr,
                    pass_fds=[theirs.fileno()],
                    env={**os.environ, "PYTHONPATH": path},
                )
            except OSError as error:
                ours.close()
                raise MissingPart(
                    f"board.python = {python!r}: {error.strerror}; expected an interpreter with pynq"
                ) from None
        link = Connection(ours.detach())
        super().__init__(link, link)
        try:
            self.pynq_version = self._answer(COMPILING_S).decode()
        except BaseException:
            self.close()
            raise

    def push(
        self,
        samples: npt.ArrayLike,
        trigger: tuple[int, int] | None = None,
        stop_on_irq: bool = False,
        currents: npt.ArrayLike | None = None,
    ) -> int:
        """Give the front-end samples and return how many it took, as `hdl.sim.frontend.CompiledFrontEnd.push`."""
        rows = as_rows(samples, currents)
        place, clock = trigger if trigger is not None else (NO_EDGE, 0)
        return int(self._ask(PUSH, place, clock, int(stop_on_irq), rows.tobytes())[0])

    def close(self) -> None:
        """End the other process."""
        self.hang_up()
        self._process.wait()

    def lost(self) -> str:
        """Return how the other process ended."""
        return f"simulated PYNQ board: its process ended with {self._process.wait()}"
