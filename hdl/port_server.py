"""Serve the four methods of a board's port to another process, and with them the registers of its front-end.

Runs on the board's own Python (3.10) and numpy below 2. A message is an operation and three numbers; a reply is "k" and
words, or "e" and an error.
"""

from __future__ import annotations

import struct
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from teiden.errors import InputError, TeidenError

if TYPE_CHECKING:
    from hdl.metering import BoardPort

REQUEST = struct.Struct("<cqqq")  # operation and three numbers
READ, WRITE, WAIT = b"r", b"w", b"i"
DONE, FAILED = b"k", b"e"


class PortServer:
    """A port and who asks for it.

    Parameters
    ----------
    port : BoardPort
        The registers.
    """

    def __init__(self, port: BoardPort):
        self._port = port

    def serve(self, requests: Connection, replies: Connection) -> None:
        """Answer requests until the other process goes."""
        while True:
            try:
                message = requests.recv_bytes()
                replies.send_bytes(self._reply(message))
            except (EOFError, BrokenPipeError):
                return

    def _reply(self, message: bytes) -> bytes:
        try:
            if len(message) < REQUEST.size:
                raise InputError(f"board: a request of {len(message)} bytes, expected {REQUEST.size} or more")
            operation, first, second, third = REQUEST.unpack_from(message)
            words = self.act(operation, first, second, third, message[REQUEST.size :])
        except TeidenError as error:
            return failure(error)
        return DONE + np.atleast_1d(np.asarray(words, np.uint32)).tobytes()

    def act(self, operation: bytes, first: int, second: int, third: int, rest: bytes) -> npt.ArrayLike:
        """Do what is asked and return the words of the answer."""
        if operation == READ:
            return self._port.read32(first) if second == 1 else self._port.read_block(first, second)
        if operation == WAIT:
            return self._port.wait_irq(first / 1e6)
        if operation != WRITE:
            raise InputError(f"board: operation {operation!r}, expected one of {READ!r}, {WRITE!r}, {WAIT!r}")
        self._port.write32(first, second)
        return ()


def failure(error: TeidenError) -> bytes:
    """Return an error as a reply."""
    return FAILED + f"{type(error).__name__}\n{error}".encode()
