"""Model of td_trigger: which edges of the trigger line count, and the stamp of the latest, in samples and clocks."""

from __future__ import annotations

from dataclasses import dataclass

SYNCHRONISER = 2  # clocks from the edge to its stamp


@dataclass
class TriggerLine:
    """The line and its stamp; an edge keeps the line high for as many clocks as a sample has."""

    clocks_per_sample: int
    stamp: tuple[int, int] = (0, 0)  # sample, clocks since its strobe
    count: int = 0
    _low_at: int = -1  # clock, counted from the first sample's strobe, at which the line is low again
    _late: tuple[int, int] | None = None  # a stamp whose clock lies in the next sample

    def sample(self, index: int, edge_clock: int | None) -> bool:
        """Take a sample, in which the line may rise at a clock; return whether an edge was stamped in it."""
        before = self.count
        if self._late is not None:
            self._latch(self._late)
            self._late = None
        if edge_clock is not None:
            rises_at = index * self.clocks_per_sample + edge_clock
            if rises_at > self._low_at:
                self._stamp(index, edge_clock + SYNCHRONISER)
            self._low_at = rises_at + self.clocks_per_sample
        return self.count != before

    def _stamp(self, index: int, clocks: int) -> None:
        over = clocks - self.clocks_per_sample
        if over < 0:
            self._latch((index, clocks))
        else:  # with the next strobe the stamp still counts from this one
            self._late = (index, clocks) if over == 0 else (index + 1, over)

    def _latch(self, stamp: tuple[int, int]) -> None:
        self.stamp, self.count = stamp, self.count + 1 & 0xFFFF
