"""Power-line cells: one frame at a time on a transformer's line, noise, repetition; dead when the line is."""

from __future__ import annotations

import heapq
import math

import numpy as np
from numpy.typing import NDArray

from twin.chance import Purpose, uniform
from twin.collection.blackout import Blackout
from twin.collection.links_medium import Medium, Sending, without_supply
from twin.collection.links_settings import PlcTable
from twin.scenario import ms_ns

SYMBOLS = 511  # most in a frame's payload, ARIB band (DOMAIN 2.7)
SYMBOL_MS = 278 / 1200  # 256 samples, 30 of prefix less 8 of overlap, at 1.2 MHz; the last two are assumed
NOISE, LINE_DEAD = "noise", "line_dead"
MOST_LOSS = 0.95
_BEGIN, _END, _FAIL = range(3)


def frame_bytes(rate_kbps: float) -> int:
    """Return the most bytes of a frame at a rate, at least one."""
    return max(1, int(SYMBOLS * SYMBOL_MS * rate_kbps / 8))


def cell_losses(mean: float, cells: int, seed: int) -> NDArray[np.float64]:
    """Return (cells,) share of frames lost in each: exponential about the mean, so that a few are bad."""
    luck = uniform(seed, np.arange(cells), 0, Purpose.PLC_NOISE)
    return np.minimum(-mean * np.log1p(-luck), MOST_LOSS)


class PlcCells(Medium):
    """The lines of all transformers with a master.

    Parameters
    ----------
    settings : PlcTable
    cell_of : (N,) int
        Cell of each meter.
    cells : int
    blackout : Blackout
        A cell cannot send to or from a meter whose line is dead.
    seed : int
    """

    def __init__(self, settings: PlcTable, cell_of: NDArray[np.int64], cells: int, blackout: Blackout, seed: int):
        super().__init__()
        self._rate_kbps = settings.rate_kbps
        self._frame_ns = ms_ns(settings.frame_ms)
        self._tries = settings.tries
        self._most = frame_bytes(settings.rate_kbps)
        self._cell_of = cell_of
        self._blackout = blackout
        self._loss = cell_losses(settings.frame_loss, cells, seed).tolist()
        self._free_ns = [0] * cells

    def offer(self, t_ns: int, sending: Sending) -> None:
        """Take a sending."""
        self.offered += 1
        self._at(t_ns, int(self._cell_of[sending.meter]), _BEGIN, sending)

    def run_until(self, end_ns: int) -> None:
        """Send in order of offers; what takes the line keeps it until it is through."""
        while self._events and self._events[0][0] < end_ns:
            t_ns, cell, stage, _, sending = heapq.heappop(self._events)
            if stage == _BEGIN:
                self._begin(t_ns, cell, sending)
            elif without_supply(self._blackout, sending.meter, t_ns):
                self._give_up(t_ns, sending, LINE_DEAD)
            elif stage == _END:
                self._arrive(t_ns, sending)
            else:
                self._give_up(t_ns, sending, NOISE)

    def _begin(self, t_ns: int, cell: int, sending: Sending) -> None:
        begin_ns = max(t_ns, self._free_ns[cell])
        frames = self.frames(cell, sending)
        through = frames is not None
        # A message that is given up has taken the line for all tries of its frames.
        parts = -(-sending.psdu_bytes // self._most)
        spent_ns = self.duration_ns(sending.psdu_bytes, parts * self._tries if frames is None else frames)
        self._free_ns[cell] = begin_ns + spent_ns
        self.busy_ns += spent_ns
        self._at(begin_ns + spent_ns, cell, _END if through else _FAIL, sending)

    def frames(self, cell: int, sending: Sending) -> int | None:
        """Return how often a message's frames are sent until all are through; None if one of them never is.

        Parts of a message share its luck: one noise for all of it.
        """
        parts = -(-sending.psdu_bytes // self._most)
        loss = self._loss[cell]
        sendings = 1 if loss <= 0 else 1 + int(math.log(max(1 - sending.luck, 1e-300)) / math.log(loss))
        return parts * sendings if sendings <= self._tries else None

    def duration_ns(self, psdu_bytes: int, frames: int) -> int:
        """Return how long a message takes its line [ns] when so many frames are sent for it."""
        parts = -(-psdu_bytes // self._most)
        data_ms = psdu_bytes * 8 / self._rate_kbps * frames / parts
        return ms_ns(data_ms) + frames * self._frame_ns
