"""Stands in for the pynq package where it is not installed: what this project uses of it, and no more."""

from pynq.pl_server.device import Device

__version__ = "0.0-stand-in"


class MMIO:
    """Words of the active device's registers."""

    def __init__(self, base, size):
        self._base = base
        self.array = _Words(self, size // 4)

    def read(self, offset):
        return int.from_bytes(Device.active_device.read_registers(self._base + offset, 4), "little")

    def write(self, offset, data):
        Device.active_device.write_registers(self._base + offset, data.to_bytes(4, "little"))


class Overlay:
    """A bitstream: here a compiled front-end that gets no samples."""

    def __init__(self, bitstream):
        from hdl.sim.frontend import CompiledFrontEnd
        from hdl.sim.pynq_device import simulated_device

        print("loading", bitstream)  # as PYNQ may: not among the replies
        if not bitstream.endswith(".bit"):
            raise ValueError("no .hwh beside it")
        simulated_device(CompiledFrontEnd())


class _Words:
    """Reads word by word, as PYNQ's look-alike over a device without memory does."""

    def __init__(self, mmio, count):
        self._mmio = mmio
        self._count = count

    def __getitem__(self, place):
        return [self._mmio.read(4 * k) for k in range(*place.indices(self._count))]
