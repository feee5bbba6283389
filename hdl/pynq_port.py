"""The board port on PYNQ's MMIO: a real PYNQ-Z2, or the compiled RTL behind `hdl.sim.pynq_device`.

Runs on the board's own Python (3.10) and knows pynq only by what it is handed.
"""

from __future__ import annotations

import time
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from hdl.regs.generated import regs
from teiden.errors import InputError

BASE_ADDRESS = 0x43C00000  # hdl/pynq_z2/build.tcl
SIZE = regs.CAP_DATA + 4 * regs.CAP_DATA_WORDS
POLL_S = 1e-3


class Mmio(Protocol):
    """What is used of ``pynq.MMIO``."""

    array: Any

    def read(self, offset: int) -> int:
        """Return a word."""

    def write(self, offset: int, data: int) -> None:
        """Write a word."""


class PynqPort:
    """Registers through an ``MMIO(BASE_ADDRESS, SIZE)``; interrupts by looking at their cause."""

    def __init__(self, mmio: Mmio):
        self.mmio = mmio

    def read32(self, address: int) -> int:
        """Return the register at a byte address."""
        _check(address, 1)
        return int(self.mmio.read(address))

    def write32(self, address: int, value: int) -> None:
        """Write 32 bits to a byte address."""
        _check(address, 1)
        self.mmio.write(address, value & 0xFFFFFFFF)

    def read_block(self, address: int, count: int) -> npt.NDArray[np.uint32]:
        """Return ``count`` words from consecutive byte addresses, (count,) uint32."""
        _check(address, count)
        first = address // 4
        words = self.mmio.array[first : first + count]
        # On a board a view of the memory; over a device without memory a look-alike of PYNQ's, read word by word.
        return np.array(words if isinstance(words, np.ndarray) else [int(word) for word in words], np.uint32)

    def wait_irq(self, timeout_s: float) -> bool:
        """Wait until an enabled cause is set, as long as the line is high, and return whether one is.

        Looked at every millisecond: PYNQ's ``Interrupt`` needs a running event loop, which a caller that
        has one can wait on before.
        """
        end_s = time.monotonic() + timeout_s
        while True:
            if self.read32(regs.IRQ_STATUS) & self.read32(regs.IRQ_ENABLE):
                return True
            if time.monotonic() >= end_s:
                return False
            time.sleep(min(POLL_S, timeout_s))


def _check(address: int, count: int) -> None:
    if address % 4 or address < 0 or count < 0 or address + 4 * count > SIZE:
        raise InputError(f"address 0x{address:04X}, {count} words: expected words within 0 to 0x{SIZE:04X}")
