"""Board ports that write down every access, and that answer from what was written."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hdl.driver import BoardPort
from hil.evidence.transcript import Tape, Transcript, pack_words, unpack_words


class RecordedPort:
    """A board port whose accesses go into a transcript.

    Parameters
    ----------
    port : BoardPort
        The board.
    transcript : Transcript
    """

    def __init__(self, port: BoardPort, transcript: Transcript):
        self._port = port
        self._note = transcript.note

    def read32(self, address: int) -> int:
        """Return the register at a byte address."""
        value = self._port.read32(address)
        self._note(op="read32", address=address, value=value)
        return value

    def write32(self, address: int, value: int) -> None:
        """Write 32 bits to a byte address."""
        self._note(op="write32", address=address, value=value)
        self._port.write32(address, value)

    def wait_irq(self, timeout_s: float) -> bool:
        """Return whether the interrupt line is high, after at most so long [s]."""
        level = self._port.wait_irq(timeout_s)
        self._note(op="wait_irq", timeout_s=timeout_s, level=level)
        return level

    def read_block(self, address: int, count: int) -> NDArray[np.uint32]:
        """Return ``count`` words from consecutive byte addresses, (count,) uint32."""
        words = np.asarray(self._port.read_block(address, count), np.uint32)
        self._note(op="read_block", address=address, count=count, words=pack_words(words))
        return words


class ReplayedPort:
    """A board port that answers from a transcript; another access than the recorded one is a `Departure`.

    Parameters
    ----------
    tape : Tape
    """

    def __init__(self, tape: Tape):
        self._tape = tape

    def read32(self, address: int) -> int:
        """Return what the register held."""
        return int(self._tape.take(op="read32", address=address)["value"])

    def write32(self, address: int, value: int) -> None:
        """Compare a write with the recorded one."""
        self._tape.take(op="write32", address=address, value=value)

    def wait_irq(self, timeout_s: float) -> bool:
        """Return the level there was, at once."""
        return bool(self._tape.take(op="wait_irq", timeout_s=timeout_s)["level"])

    def read_block(self, address: int, count: int) -> NDArray[np.uint32]:
        """Return the words there were, (count,) uint32."""
        return unpack_words(self._tape.take(op="read_block", address=address, count=count)["words"])
