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

import numpy as np
import numpy.typing as npt

from hdl import scaling
from hdl.codes import as_rows
from hdl.sim.pynq_server import DONE, NO_EDGE, PUSH, READ, REQUEST, WAIT, WRITE
from hdl.sim.toolchain import rtl_hash
from teiden.errors import InputError, MissingPart, PartFailed

ROOT = Path(__file__).resolve().parents[2]
ERRORS = {"InputError": InputError, "MissingPart": MissingPart, "PartFailed": PartFailed}


class SimulatedPynqBoard:
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
        self._link = Connection(ours.detach())
        try:
            self.pynq_version = self._answer().decode()
        except BaseException:
            self.close()
            raise

    def read32(self, address: int) -> int:
        """Return the register at a byte address."""
        return int(self._ask(READ, address, 1)[0])

    def write32(self, address: int, value: int) -> None:
        """Write 32 bits to a byte address."""
        self._ask(WRITE, address, value & 0xFFFFFFFF)

    def wait_irq(self, timeout_s: float) -> bool:
        """Wait until an enabled cause is set and return whether one is."""
        return bool(self._ask(WAIT, round(timeout_s * 1e6))[0])

    def read_block(self, address: int, count: int) -> npt.NDArray[np.uint32]:
        """Return ``count`` words from consecutive byte addresses, (count,) uint32."""
        return self._ask(READ, address, count)

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
        self._link.close()
        self._process.wait()

    def _ask(
        self, operation: bytes, first: int, second: int = 0, third: int = 0, rest: bytes = b""
    ) -> npt.NDArray[np.uint32]:
        try:
            self._link.send_bytes(REQUEST.pack(operation, first, second, third) + rest)
        except OSError:
            raise PartFailed(self._ended()) from None
        return np.frombuffer(self._answer(), np.uint32)

    def _answer(self) -> bytes:
        try:
            reply = self._link.recv_bytes()
        except (EOFError, OSError):
            raise PartFailed(self._ended()) from None
        if reply[:1] == DONE:
            return reply[1:]
        kind, _, text = reply[1:].decode().partition("\n")
        raise ERRORS.get(kind, PartFailed)(text)

    def _ended(self) -> str:
        return f"simulated PYNQ board: its process ended with {self._process.wait()}"
