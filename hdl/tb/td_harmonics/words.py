"""Words of td_harmonics from the result of its model."""

from __future__ import annotations

from hdl.model_spectrum import Harmonics

WORDS = 84


def words_of(done: Harmonics | None, channel: int) -> list[int]:
    """Return the words in which a result is read, and the unused ones."""
    if done is None:
        return [0] * 128
    parts = [part & 0xFFFFFFFF for pair in (*done.orders, done.reference) for part in pair]
    return [*parts, done.period10, channel << 1 | done.locked, *[0] * (128 - WORDS)]
