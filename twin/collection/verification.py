"""A sample of all messages as real bytes: encoded and sealed by the meter, opened and compared at the head end."""

from __future__ import annotations

from collections import Counter
from functools import partial

import numpy as np
from numpy.typing import NDArray

from twin.chance import Purpose, uniform
from twin.collection.values import Contents
from twin.metering.payload import Receiver, encode, size_bytes
from twin.metering.readings import Readings
from twin.metering.security import PayloadRefused, meter_keys, seal


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
        for place in np.flatnonzero(self._chosen(held.rows)).tolist():
            readings = held.of(place)
            meter = int(readings.meter[0])
            self._sent[meter] += 1
            apdu = encode(readings, self._sent[meter])
            data = seal(apdu, meter, self._sent[meter], meter_keys(self._seed, meter))
            self.counts[self._judge(held, data, readings)] += 1

    def _chosen(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        return np.asarray(uniform(self._seed, rows, 0, Purpose.VERIFIED) < self._share)

    def _judge(self, held: Contents, data: bytes, readings: Readings) -> str:
        try:
            opened = self._receiver.open(data)
        except PayloadRefused:
            return "refused"
        if not opened.same_as(readings):
            return "other_values"
        plain = not readings.mark.any()  # a mark is one more value in a push
        right = len(data) == size_bytes(held.kind.series, held.kind.records, self._profile) or not plain
        return "right" if right else "other_size"
