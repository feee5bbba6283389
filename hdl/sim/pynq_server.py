"""Serve the simulated PYNQ board to another process: registers through an unmodified ``pynq.MMIO``, samples beside it.

Run as ``python -m hdl.sim.pynq_server FD CLOCKS`` by `hdl.sim.pynq_board`, on an interpreter that has the pynq package.
A message is an operation and its numbers; for samples their rows follow. A reply is "k" and words, or "e" and an error.
"""

from __future__ import annotations

import struct
import sys
from multiprocessing.connection import Connection

import numpy as np
import numpy.typing as npt

from hdl.codes import CHANNELS
from hdl.pynq_port import BASE_ADDRESS, SIZE, PynqPort
from hdl.sim.frontend import CompiledFrontEnd
from hdl.sim.pynq_device import simulated_device
from teiden.errors import TeidenError

REQUEST = struct.Struct("<cqqq")  # operation and three numbers
READ, WRITE, WAIT, PUSH = b"r", b"w", b"i", b"p"
DONE, FAILED = b"k", b"e"
NO_EDGE = -1


class Server:
    """One board and who asks for it.

    Parameters
    ----------
    port : PynqPort
        Its registers.
    board : CompiledFrontEnd
        Its inlet for samples.
    """

    def __init__(self, port: PynqPort, board: CompiledFrontEnd):
        self._port = port
        self._board = board

    def serve(self, link: Connection) -> None:
        """Answer requests until the other process goes."""
        while True:
            try:
                message = link.recv_bytes()
            except EOFError:
                return
            link.send_bytes(self._reply(message))

    def _reply(self, message: bytes) -> bytes:
        operation, first, second, third = REQUEST.unpack_from(message)
        try:
            words = self._act(operation, first, second, third, message[REQUEST.size :])
        except TeidenError as error:
            return failure(error)
        return DONE + np.atleast_1d(np.asarray(words, np.uint32)).tobytes()

    def _act(self, operation: bytes, first: int, second: int, third: int, rest: bytes) -> npt.ArrayLike:
        """Do what is asked and return the words of the answer."""
        if operation == READ:
            return self._port.read32(first) if second == 1 else self._port.read_block(first, second)
        if operation == WAIT:
            return self._port.wait_irq(first / 1e6)
        if operation == PUSH:
            rows = np.frombuffer(rest, np.int32).reshape(-1, CHANNELS)
            return self._board.push(rows, None if first == NO_EDGE else (first, second), bool(third))
        assert operation == WRITE
        self._port.write32(first, second)
        return ()


def failure(error: TeidenError) -> bytes:
    """Return an error as a reply."""
    return FAILED + f"{type(error).__name__}\n{error}".encode()


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
        Server(PynqPort(pynq.MMIO(BASE_ADDRESS, SIZE)), board).serve(link)
        board.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
