"""As in pynq: the class that devices are made of."""


class Device:
    """A device; the active one is what an MMIO without a device means."""

    active_device = None

    def __init__(self, tag):
        self.tag = tag
