"""Serve the simulated PYNQ board to another process: registers through an unmodified ``pynq.MMIO``, samples beside it.

Run as ``python -m hdl.sim.pynq_server FD CLOCKS`` by `hdl.sim.pynq_board`, on an interpreter that has the pynq package.
What is said is in `hdl.port_server`.
"""

from __future__ import annotations

import sys
from multiprocessing.connection import Connection

import numpy as np
import numpy.typing as npt

from hdl.codes import CHANNELS
from hdl.port_server import DONE, PortServer, failure
from hdl.pynq_port import BASE_ADDRESS, SIZE, PynqPort
from hdl.sim.frontend import CompiledFrontEnd
from hdl.sim.pynq_device import simulated_device
from teiden.errors import TeidenError

PUSH = b"p"
NO_EDGE = -1


class Server(PortServer):
    """One board and who asks for it.

    Parameters
    ----------
    port : PynqPort
        Its registers.
    board : CompiledFrontEnd
        Its inlet for samples.
    """

    def __init__(self, port: PynqPort, board: CompiledFrontEnd):
        super().__init__(port)
        self._board = board

    def act(self, operation: bytes, first: int, second: int, third: int, rest: bytes) -> npt.ArrayLike:
        """Do what is asked and return the words of the answer; for samples their rows follow."""
        if operation == PUSH:
            rows = np.frombuffer(rest, np.int32).reshape(-1, CHANNELS)
            return self._board.push(rows, None if first == NO_EDGE else (first, second), bool(third))
        return super().act(operation, first, second, third, rest)


def main(arguments: list[str]) -> int:
    """Serve one board; return the exit code."""
    with Connection(int(arguments[0])) as link:
        try:
            board = CompiledFrontEnd(int(arguments[1]))
            simulated_device(board)
        except TeidenError as error:
            link.send_bytes(failure(error))
            return error.exit_code
        import pynq

        link.send_bytes(DONE + str(pynq.__version__).encode())
        Server(PynqPort(pynq.MMIO(BASE_ADDRESS, SIZE)), board).serve(link, link)
        board.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
