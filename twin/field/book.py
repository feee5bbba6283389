"""The book of notices: one row per Last Gasp or power return, from the moment a meter makes it to its end."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

NEVER = -1
OPEN = -1  # radio outcome not known yet
KINDS = ("last_gasp", "power_return")

ROW = np.dtype(
    [
        ("meter", "i4"),
        ("kind", "i1"),  # index into KINDS
        ("sequence", "i4"),
        ("board", "?"),
        ("detected_ns", "i8"),
        ("counter", "i8"),  # front-end samples at detection
        ("energy_uj", "i8"),  # left in the hold-up store when offered
        ("offered_ns", "i8"),
        ("frame", "i8"),  # the engine's frame
        ("radio", "i1"),  # the engine's outcome, OPEN while it lives
        ("concentrator_ns", "i8"),
        ("head_end_ns", "i8"),
        ("wan_lost", "?"),
    ]
)


class NoticeBook:
    """Rows that grow, and the way back from an engine frame to its row."""

    def __init__(self) -> None:
        self._rows = np.zeros(1024, dtype=ROW)
        self._count = 0
        self._row_of_frame = np.full(1024, NEVER, dtype=np.int64)

    @property
    def rows(self) -> NDArray[Any]:
        """The rows so far, (G,) of `ROW`; a view, write to it to note what happened."""
        return self._rows[: self._count]

    def in_order(self) -> NDArray[Any]:
        """Return a copy of the rows by time of offer, meter and kind, whatever order they were entered in."""
        rows = self.rows
        return rows[np.lexsort((rows["sequence"], rows["kind"], rows["meter"], rows["offered_ns"]))]

    def add(self, frames: NDArray[np.int64], **columns: ArrayLike) -> NDArray[np.int64]:
        """Append one row per engine frame and return the rows' numbers, (M,) int64."""
        first, self._count = self._count, self._count + frames.size
        self._rows = _grown(self._rows, self._count, np.zeros)
        new = self._rows[first : self._count]
        new["frame"] = frames
        for name in ("concentrator_ns", "head_end_ns", "radio"):
            new[name] = NEVER
        for name, values in columns.items():
            new[name] = values
        if frames.size:
            self._row_of_frame = _grown(self._row_of_frame, int(frames.max()) + 1, _unknown)
            self._row_of_frame[frames] = np.arange(first, self._count)
        return np.arange(first, self._count)

    def rows_of(self, frames: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the row of each engine frame, (M,) int64; `NEVER` for frames that carry no notice."""
        known = frames < self._row_of_frame.size
        rows = np.full(frames.shape, NEVER, dtype=np.int64)
        rows[known] = self._row_of_frame[frames[known]]
        return rows


def _unknown(size: int, dtype: Any) -> NDArray[Any]:
    return np.full(size, NEVER, dtype=dtype)


def _grown(array: NDArray[Any], need: int, fresh: Any) -> NDArray[Any]:
    """Return the array, at least doubled if it holds fewer than ``need`` items."""
    if need <= array.size:
        return array
    larger = fresh(max(need, 2 * array.size), dtype=array.dtype)
    larger[: array.size] = array
    return larger
