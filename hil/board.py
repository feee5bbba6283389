"""The simulated bench: an AC source wired to the compiled front-end, both moved by one sample clock."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hdl import scaling
from hdl.driver import MAX_A, BoardPort
from hil.source.machine import PlayedBlock


class Player(Protocol):
    """A source whose output is computed: it advances by what it plays."""

    def play(self, n_samples: int, rate_hz: int) -> PlayedBlock:
        """Return the next samples and advance time by them."""


class FedPort(BoardPort, Protocol):
    """A board whose samples come from this process."""

    clocks_per_sample: int

    def push(
        self,
        samples: NDArray[np.int32],
        trigger: tuple[int, int] | None = None,
        stop_on_irq: bool = False,
        currents: NDArray[np.int32] | None = None,
    ) -> int:
        """Feed samples of voltage and, if there is one, current; return how many were taken."""


class Wiring:
    """The wires of the bench: voltage and current into the ADC, trigger-out into the board's trigger input.

    Parameters
    ----------
    source : Player
    port : FedPort
        Sees voltage and current of the first element as 24-bit codes, sample k taken at k / 8000 s, and trigger edges
        at their clock.
    """

    def __init__(self, source: Player, port: FedPort):
        self._source = source
        self._port = port
        self.samples = 0
        self.saturated = False

    def run(self, n_samples: int) -> int:
        """Play so many samples from source to board; return how many trigger edges came."""
        block = self._source.play(n_samples, scaling.SAMPLE_RATE_HZ)
        codes, saturated = scaling.codes_from_volts(block.volts)
        self.saturated |= saturated
        flowing, too_large = scaling.codes_from_amps(block.amps, MAX_A)
        self.saturated |= too_large
        taken = 0
        for edge_ns in block.trigger_edges:
            place, clock = self._clock_of(edge_ns)
            upto = slice(taken, place + 1)
            taken += self._port.push(codes[upto], trigger=(place - taken, clock), currents=flowing[upto])
        self._port.push(codes[taken:], currents=flowing[taken:])
        self.samples += n_samples
        return len(block.trigger_edges)

    def _clock_of(self, edge_ns: int) -> tuple[int, int]:
        """Return the sample in the block before the edge, and the clock after that sample's strobe."""
        clocks, _ = divmod(edge_ns * scaling.SAMPLE_RATE_HZ * self._port.clocks_per_sample, 10**9)
        sample, clock = divmod(clocks, self._port.clocks_per_sample)
        return sample - self.samples, clock
