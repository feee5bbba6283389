"""A sample of all messages as real bytes: encoded and sealed by the meter, opened and compared at the head end."""

from __future__ import annotations

from collections import Counter
from functools import partial

import numpy as np

from twin.chance import Purpose, uniform
from twin.collection.values import Contents
from twin.metering.payload import Receiver, encode, size_bytes
from twin.metering.readings import Readings
from twin.metering.security import PayloadRefused, meter_keys, seal
from twin.store.schema import Series


class Verification:
    """Meters' pushes and the head end that opens them.

    Parameters
    ----------
    seed : int
        Of keys and of the sample.
    share : float
        Of all messages.
    meters : int
    profile : str
        The meters' generation, for the size a push should have.

    Attributes
    ----------
    counts : Counter
        ``right``; ``refused``, ``other_values`` and ``other_size`` are faults.
    """

    FAULTS = ("refused", "other_values", "other_size")

    def __init__(self, seed: int, share: float, meters: int, profile: str):
        self._seed = seed
        self._share = share
        self._profile = profile
        self._sent: Counter[int] = Counter()
        self._receiver = Receiver(partial(meter_keys, seed), meters)
        self.counts: Counter[str] = Counter()

    def check(self, held: Contents) -> None:
        """Send the sample of these messages as bytes."""
        for readings in self.sample(held):
            self.send(held.kind.series, readings)

    def sample(self, held: Contents) -> list[Readings]:
        """Return the readings of each message of the sample."""
        chosen = np.asarray(uniform(self._seed, held.rows, 0, Purpose.VERIFIED) < self._share)
        return [held.of(place) for place in np.flatnonzero(chosen).tolist()]

    def send(self, series: Series, readings: Readings) -> None:
        """Send one message as bytes, and count what the head end makes of it."""
        meter = int(readings.meter[0])
        self._sent[meter] += 1
        apdu = encode(readings, self._sent[meter])
        data = seal(apdu, meter, self._sent[meter], meter_keys(self._seed, meter))
        self.counts[self._judge(series, data, readings)] += 1

    def close(self) -> None:
        """Do nothing: `counts` are those of all messages already."""

    def _judge(self, series: Series, data: bytes, readings: Readings) -> str:
        try:
            opened = self._receiver.open(data)
        except PayloadRefused:
            return "refused"
        if not opened.same_as(readings):
            return "other_values"
        plain = not readings.mark.any()  # a mark is one more value in a push
        right = len(data) == size_bytes(series, len(readings), self._profile) or not plain
        return "right" if right else "other_size"
