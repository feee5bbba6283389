"""The ledger: every message a meter owes, where it is now, and when it passed each stage.

A message is one meter's values of one class up to one interval end; it travels, arrives and is stored as one.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from gpu import rng

NEVER = -1
_DIGEST = 0x7100  # purpose of the draws that mix rows into a digest


class At(IntEnum):
    """Where a message is; the last three are ends."""

    METER = 0
    RADIO = 1
    CONCENTRATOR = 2
    WAN = 3
    HEAD_END = 4
    STORED = 5
    LOST = 6
    EXPIRED = 7


_FIRST_END = int(At.STORED)


ROW = np.dtype(
    [("meter", "i4"), ("kind", "u1"), ("values", "u1"), ("at", "u1"), ("cause", "u1"), ("asked", "u1"),
     ("interval_ns", "i8"), ("offered_ns", "i8"), ("radio_ns", "i8"), ("head_end_ns", "i8"), ("stored_ns", "i8"),
     ("sink", "i4"), ("rider", "i4")]
)  # fmt: skip
"""A message: times of the end of its last interval, of the first offer to the radio, of its first reception at a
concentrator, at the head end and in the store; ``asked`` counts re-requests, ``sink`` is the concentrator and ``rider``
the next message in the same frame."""


class Ledger:
    """Rows of `ROW` that only grow; a row's place is the message's number.

    Attributes
    ----------
    causes : list of str
        Names of the codes in ``cause``; 0 is none.
    """

    def __init__(self) -> None:
        self._rows = np.zeros(1024, ROW)
        self._count = 0
        self._frame_row = np.zeros(1024, np.int32)
        self.causes: list[str] = [""]

    @property
    def rows(self) -> NDArray:
        """All messages so far; a view that changes write through, valid until the next `add`."""
        return self._rows[: self._count]

    def add(
        self, kind: int, meters: NDArray[np.int64], interval_ns: int, values: int, offered_ns: NDArray[np.int64] | int
    ) -> NDArray[np.int64]:
        """Open a row for a message of each meter, at the meter; return their numbers."""
        first, count = self._count, self._count + meters.size
        self._rows = _grown(self._rows, count)
        new = self._rows[first:count]
        new[["radio_ns", "head_end_ns", "stored_ns"]] = NEVER
        new["meter"], new["kind"], new["values"] = meters, kind, values
        new["interval_ns"], new["offered_ns"], new["at"] = interval_ns, offered_ns, At.METER
        new["sink"] = new["rider"] = NEVER
        self._count = count
        return np.arange(first, count)

    def bind(self, frames: NDArray[np.int64], rows: NDArray[np.int64] | int) -> None:
        """Remember which message each frame carries, `NEVER` for one that carries none; frames count up."""
        end = int(frames[-1]) + 1
        self._frame_row = _grown(self._frame_row, end)
        self._frame_row[frames] = rows

    def rows_of(self, frames: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the message in each frame."""
        return self._frame_row[frames].astype(np.int64)

    def with_riders(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return messages and those that ride in the same frames."""
        found = [rows]
        riders = self.rows["rider"]
        while (rows := riders[rows][riders[rows] != NEVER]).size:
            found.append(rows.astype(np.int64))
        return np.concatenate(found)

    def move(self, rows: NDArray[np.int64], at: At) -> None:
        """Let messages that have not ended be somewhere else."""
        places = self._rows["at"]
        places[rows[places[rows] < _FIRST_END]] = at

    def fail(self, rows: NDArray[np.int64], cause: str, final: bool) -> None:
        """Note why messages did not get on; they are lost if nobody will ask for them again, else back at the meter."""
        self.rows["cause"][rows] = self.cause(cause)
        self.move(rows, At.LOST if final else At.METER)

    def cause(self, name: str) -> int:
        """Return the code of a cause."""
        if name not in self.causes:
            self.causes.append(name)
        return self.causes.index(name)

    def digest(self) -> int:
        """Return a sum over all rows that any change of a message changes; 64 bits."""
        rows = self.rows
        total = 0
        for key in ("offered_ns", "radio_ns", "head_end_ns", "stored_ns", "at"):
            total += int(rng.draw_u64(len(key), _DIGEST, np.arange(rows.size), rows[key].astype(np.int64)).sum())
        return total & ((1 << 64) - 1)


def _grown(column: NDArray, count: int) -> NDArray:
    """Return the array with room for so many, at least half as much again when it must grow."""
    if count <= column.size:
        return column
    larger = np.zeros(max(count, column.size * 3 // 2), column.dtype)
    larger[: column.size] = column
    return larger
