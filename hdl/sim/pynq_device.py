"""The compiled front-end as a device of PYNQ, so that an unmodified ``pynq.MMIO`` reads and writes its registers.

Needs the pynq package, which pins numpy below 2: an environment of its own (tests/hdl/test_pynq.py makes one).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hdl.pynq_port import BASE_ADDRESS, SIZE
from hdl.sim.frontend import CompiledFrontEnd
from teiden.errors import InputError, MissingPart


def simulated_device(board: CompiledFrontEnd) -> Any:
    """Return a PYNQ device, made the active one, whose memory at `BASE_ADDRESS` is the board's registers.

    Raises
    ------
    MissingPart
        If there is no pynq package here.
    """
    try:
        from pynq.pl_server.device import Device
    except ImportError as error:
        raise MissingPart(
            f"no pynq package ({error}); pip install 'pynq>=3.1.2,<4' in an environment of its own"
        ) from None

    class SimulatedDevice(Device):  # type: ignore[misc, unused-ignore]
        """One front-end, registers only: no bitstream, no memory."""

        _probe_priority_ = 1000  # never found by itself

        def __init__(self) -> None:
            super().__init__("teiden-simulated")
            self.capabilities = {"REGISTER_RW": True}

        def read_registers(self, address: int, length: int) -> bytes:
            """Return bytes of whole words."""
            return board.read_block(_offset(address, length), length // 4).tobytes()

        def write_registers(self, address: int, data: Any) -> None:
            """Write whole words one after the other."""
            words = np.frombuffer(bytes(data), np.uint32)
            first = _offset(address, 4 * words.size)
            for place, word in enumerate(words):
                board.write32(first + 4 * place, int(word))

    device = SimulatedDevice()
    Device.active_device = device
    return device


def _offset(address: int, length: int) -> int:
    offset = address - BASE_ADDRESS
    if offset % 4 or length % 4 or not 0 <= offset <= offset + length <= SIZE:
        raise InputError(
            f"address 0x{address:08X}, {length} bytes: expected whole words of {SIZE} at 0x{BASE_ADDRESS:08X}"
        )
    return offset
