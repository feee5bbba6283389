"""Which readings of one day are there: a bit a meter and interval, in pages so that meter numbers may be sparse."""

from __future__ import annotations

import numpy as np

from twin.store.schema import DAY_NS, INTERVAL_NS, Series

PAGE_BITS = 12  # meters of one page: 4096
PAGE = 1 << PAGE_BITS


def slots(series: Series) -> int:
    """Return the intervals of a day."""
    return DAY_NS // INTERVAL_NS[series]


def slot_of(series: Series, interval_end_ns: np.ndarray) -> np.ndarray:
    """Return the place of intervals in their day, from 0."""
    return ((interval_end_ns - 1) % DAY_NS) // INTERVAL_NS[series]


class Presence:
    """The keys of one series and day: 8 B a meter for half hours, in words of 64 intervals."""

    def __init__(self, series: Series):
        self._words = -(-slots(series) // 64)
        self._page_at: dict[int, int] = {}
        self._bits = np.zeros((0, PAGE * self._words), np.uint64)

    @property
    def nbytes(self) -> int:
        """Return the memory taken [B]."""
        return self._bits.nbytes

    def contains(self, meter: np.ndarray, slot: np.ndarray) -> np.ndarray:
        """Return (N,) bool: is this key there?"""
        if not self._page_at or not meter.size:
            return np.zeros(meter.size, bool)
        page, word, bit = self._place(meter, slot)
        there = page >= 0
        return there & ((self._bits[np.where(there, page, 0), word] & bit) != 0)

    def add(self, meter: np.ndarray, slot: np.ndarray) -> None:
        """Set keys; setting one again changes nothing."""
        self._make_pages(np.unique(meter >> PAGE_BITS))
        page, word, bit = self._place(meter, slot)
        np.bitwise_or.at(self._bits, (page, word), bit)

    def _place(self, meter: np.ndarray, slot: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return page (-1: none), word in the page and bit in the word."""
        pages, which = np.unique(meter >> PAGE_BITS, return_inverse=True)
        at = np.array([self._page_at.get(int(page), -1) for page in pages], np.int64)
        word = (meter & (PAGE - 1)).astype(np.int64) * self._words + (slot >> 6)
        return at[which], word, np.uint64(1) << (slot & 63).astype(np.uint64)

    def _make_pages(self, pages: np.ndarray) -> None:
        """Make the pages that are not there; room grows by half, so that adding stays linear."""
        for page in pages.tolist():
            self._page_at.setdefault(page, len(self._page_at))
        need, have = len(self._page_at), len(self._bits)
        if need > have:
            room = np.zeros((max(need, have + have // 2), self._bits.shape[1]), np.uint64)
            room[:have] = self._bits
            self._bits = room
