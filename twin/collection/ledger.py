"""The ledger: every message a meter owes, where it is now, and when it passed each stage.

A message is one meter's values of one class up to one interval end; it travels, arrives and is stored as one.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, overload

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
_AT_ONCE = 1 << 20  # messages gone through at once: some MB
_PASSED = ("radio_ns", "head_end_ns", "stored_ns")  # stages, each entered once
_DIGESTED = ("offered_ns", *_PASSED, "at")

ROW = np.dtype(
    [("meter", "i4"), ("kind", "u1"), ("values", "u1"), ("at", "u1"), ("cause", "u1"), ("asked", "u1"),
     ("interval_ns", "i8"), ("offered_ns", "i8"), ("radio_ns", "i8"), ("head_end_ns", "i8"), ("stored_ns", "i8"),
     ("sink", "i4"), ("rider", "i4")]
)  # fmt: skip
"""A message: times of the end of its last interval, of the first offer to the radio, of its first reception at a
concentrator, at the head end and in the store; ``asked`` counts re-requests, ``sink`` is the concentrator and ``rider``
the next message in the same frame."""


class Rows:
    """Messages by column: ``rows["at"]`` is a column of `ROW`, ``rows[which]`` are some of the messages.

    Of some messages a column is gathered when it is asked for, so that choosing them copies nothing; a column of all
    of them is the ledger's own.

    Parameters
    ----------
    columns : dict of str to (M,) arrays
    chosen : (R,) int, optional
        Places in the columns; all by default.
    final : bool
        Whether columns do not change any more: each is gathered once.
    """

    def __init__(self, columns: dict[str, NDArray], chosen: NDArray[np.int64] | None = None, final: bool = False):
        self._columns = columns
        self._chosen = chosen
        self._gathered: dict[str, NDArray] | None = {} if final else None

    @property
    def size(self) -> int:
        """Return R."""
        return self._columns["at"].size if self._chosen is None else self._chosen.size

    def final(self) -> Rows:
        """Return the same messages, for when nothing of them changes any more."""
        return Rows(self._columns, self._chosen, final=True)

    @overload
    def __getitem__(self, key: str) -> NDArray[Any]: ...

    @overload
    def __getitem__(self, key: NDArray[Any] | slice) -> Rows: ...

    def __getitem__(self, key: str | NDArray[Any] | slice) -> NDArray[Any] | Rows:
        if isinstance(key, str):
            column = self._columns[key]
            if self._chosen is None:
                return column
            if self._gathered is None:
                return column[self._chosen]
            if key not in self._gathered:
                self._gathered[key] = column[self._chosen]
            return self._gathered[key]
        if self._chosen is not None:
            return Rows(self._columns, self._chosen[key])
        if isinstance(key, slice):
            return Rows(self._columns, np.arange(self.size)[key])
        return Rows(self._columns, np.flatnonzero(key) if key.dtype == bool else key)


Messages = Rows | NDArray[Any]
"""Messages by column; an array of `ROW` does as well."""


class Ledger:
    """Messages that only become more; a message's number is its place.

    Where messages go is noted and written into the columns when these are next looked at: many small moves at once.

    Parameters
    ----------
    room : int
        Messages that are expected: columns that have the room need not be copied into larger ones.

    Attributes
    ----------
    causes : list of str
        Names of the codes in ``cause``; 0 is none.
    """

    def __init__(self, room: int = 1024) -> None:
        self._columns = {name: np.zeros(room, ROW[name]) for name in ROW.names or ()}
        self._count = 0
        self._frame_row = np.zeros(1024, np.int32)
        self._noted: list[tuple[NDArray[np.int64], int, int]] = []  # messages, place, time at the head end or NEVER
        self._digested = 0  # sum over the messages that cannot change any more
        self._open: NDArray[np.int64] = np.empty(0, np.int64)  # of those digested before, the others
        self._seen = 0  # messages that were there at the digest before
        self.causes: list[str] = [""]

    @property
    def rows(self) -> Rows:
        """All messages so far; what is written into a column stays, until the next `add` it is the ledger's own."""
        self._write_noted()
        return Rows({name: column[: self._count] for name, column in self._columns.items()})

    @property
    def size(self) -> int:
        """Return how many messages there are so far."""
        return self._count

    @property
    def bytes_per_message(self) -> int:
        """Return what a message takes [B]."""
        return ROW.itemsize

    def values(self, rows: NDArray[np.int64]) -> int:
        """Return the values in some messages."""
        return int(self._columns["values"][rows].sum())

    def values_by_place(self, kinds: int, messages: int) -> NDArray[np.int64]:
        """Return (kinds, 8) the values of each class at each place, of the first so many messages."""
        rows, places = self.rows, len(At)
        found = np.zeros(kinds * places)
        for start in range(0, messages, _AT_ONCE):
            some = slice(start, min(start + _AT_ONCE, messages))
            where = rows["kind"][some].astype(np.int64) * places + rows["at"][some]
            found += np.bincount(where, rows["values"][some], kinds * places)
        return found.astype(np.int64).reshape(kinds, places)

    def add(
        self, kind: int, meters: NDArray[np.int64], interval_ns: int, values: int, offered_ns: NDArray[np.int64] | int
    ) -> NDArray[np.int64]:
        """Open a row for a message of each meter, at the meter; return their numbers."""
        first, count = self._count, self._count + meters.size
        new = {"meter": meters, "kind": kind, "values": values, "interval_ns": interval_ns, "offered_ns": offered_ns,
               "at": At.METER, "sink": NEVER, "rider": NEVER} | dict.fromkeys(_PASSED, NEVER)  # fmt: skip
        for name in self._columns:
            self._columns[name] = _grown(self._columns[name], count)
        for name, column in new.items():
            self._columns[name][first:count] = column
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

    def with_riders(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return messages and those that ride in the same frames, each with the place in ``rows`` of its carrier."""
        riders, carrier = self._columns["rider"], np.arange(rows.size)
        found = [(rows, carrier)]
        while (riding := riders[rows] != NEVER).any():
            rows, carrier = riders[rows[riding]].astype(np.int64), carrier[riding]
            found.append((rows, carrier))
        every, carriers = (np.concatenate(part) for part in zip(*found, strict=True))
        return every, carriers

    def move(self, rows: NDArray[np.int64], at: At, head_end_ns: int = NEVER) -> None:
        """Let messages that have not ended be somewhere else; with the time at which they reached the head end."""
        self._noted.append((rows, int(at), head_end_ns))
        if at >= _FIRST_END:
            self._write_noted()

    def _write_noted(self) -> None:
        """Write down where messages went since the last time; at most the last of the moves is to an end."""
        if not self._noted:
            return
        noted, self._noted = self._noted, []
        rows = np.concatenate([moved for moved, _, _ in noted])
        sizes = [moved.size for moved, _, _ in noted]
        places = np.repeat(np.array([at for _, at, _ in noted], np.uint8), sizes)
        going = self._columns["at"][rows] < _FIRST_END
        self._columns["at"][rows[going]] = places[going]  # the last of a message's moves counts
        times = np.repeat([t_ns for _, _, t_ns in noted], sizes)
        first = np.flatnonzero((times != NEVER) & (self._columns["head_end_ns"][rows] == NEVER))[::-1]
        self._columns["head_end_ns"][rows[first]] = times[first]  # backwards: the first of its arrivals counts

    def fail(self, rows: NDArray[np.int64], cause: str, final: bool) -> None:
        """Note why messages did not get on; they are lost if nobody will ask for them again, else back at the meter."""
        self._columns["cause"][rows] = self.cause(cause)
        self.move(rows, At.LOST if final else At.METER)

    def cause(self, name: str) -> int:
        """Return the code of a cause."""
        if name not in self.causes:
            self.causes.append(name)
        return self.causes.index(name)

    def digest(self, messages: int) -> int:
        """Return a sum over the first so many messages that any change of one changes; 64 bits.

        A message that is stored and has the times of all stages does not change any more: it is added once. Each time
        there are as many messages as the time before, or more.
        """
        rows = self.rows
        which = np.concatenate([self._open, np.arange(self._seen, messages)])
        done = rows["at"][which] == At.STORED
        for stage in _PASSED:
            done &= rows[stage][which] != NEVER
        self._digested += self._digest_of(which[done])
        self._open, self._seen = which[~done], messages
        return (self._digested + self._digest_of(self._open)) & ((1 << 64) - 1)

    def _digest_of(self, which: NDArray[np.int64]) -> int:
        total = 0
        for key in _DIGESTED:
            drawn = rng.draw_u64(len(key), _DIGEST, which, self._columns[key][which].astype(np.int64))
            total += int(drawn.sum())
        return total


def _grown(column: NDArray, count: int) -> NDArray:
    """Return the array with room for so many, at least half as much again when it must grow."""
    if count <= column.size:
        return column
    larger = np.zeros(max(count, column.size * 3 // 2), column.dtype)
    larger[: column.size] = column
    return larger
