"""A board's port that another process serves (`hdl.port_server`)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from multiprocessing.connection import Connection

import numpy as np
import numpy.typing as npt

from hdl.port_server import DONE, READ, REQUEST, WAIT, WRITE
from teiden.errors import InputError, MissingPart, PartFailed

ERRORS = {"InputError": InputError, "MissingPart": MissingPart, "PartFailed": PartFailed}
LONGEST_REPLY = 1 << 20  # bytes; the capture's ring takes 64 KiB
ANSWER_S = 60.0  # longest wait for an answer besides what was asked to be waited; a simulated board may stand still


class PortClient(ABC):
    """The four methods over two one-way connections, or one that goes both ways.

    Parameters
    ----------
    replies, requests : Connection
        From and to the other process.
    answer_s : float
        Longest wait for an answer [s].
    """

    def __init__(self, replies: Connection, requests: Connection, answer_s: float = ANSWER_S):
        self._replies = replies
        self._requests = requests
        self._answer_s = answer_s

    def read32(self, address: int) -> int:
        """Return the register at a byte address."""
        return int(self._ask(READ, address, 1)[0])

    def write32(self, address: int, value: int) -> None:
        """Write 32 bits to a byte address."""
        self._ask(WRITE, address, value & 0xFFFFFFFF)

    def wait_irq(self, timeout_s: float) -> bool:
        """Wait until an enabled cause is set and return whether one is."""
        return bool(self._ask(WAIT, round(timeout_s * 1e6), waits_s=timeout_s)[0])

    def read_block(self, address: int, count: int) -> npt.NDArray[np.uint32]:
        """Return ``count`` words from consecutive byte addresses, (count,) uint32."""
        return self._ask(READ, address, count)

    @abstractmethod
    def lost(self) -> str:
        """Return what became of the other process, which answers no more."""

    def hang_up(self) -> None:
        """Close both connections: a late reply must not answer another question."""
        self._requests.close()
        self._replies.close()

    def _ask(
        self, operation: bytes, first: int, second: int = 0, third: int = 0, rest: bytes = b"", waits_s: float = 0.0
    ) -> npt.NDArray[np.uint32]:
        if self._requests.closed:
            raise PartFailed("board: it did not answer in time before; nothing is asked any more")
        try:
            self._requests.send_bytes(REQUEST.pack(operation, first, second, third) + rest)
        except OSError:
            raise PartFailed(self.lost()) from None
        return np.frombuffer(self._answer(waits_s), np.uint32)

    def _answer(self, waits_s: float = 0.0) -> bytes:
        """Return the next reply; raise what it tells of."""
        try:
            if not self._replies.poll(self._answer_s + waits_s):
                self.hang_up()
                raise PartFailed(f"board: no answer within {self._answer_s + waits_s:g} s")
            reply = self._replies.recv_bytes(LONGEST_REPLY)
        except (EOFError, OSError):
            raise PartFailed(self.lost()) from None
        if reply[:1] == DONE:
            return reply[1:]
        kind, _, text = reply[1:].decode(errors="replace").partition("\n")
        raise ERRORS.get(kind, PartFailed)(text)
