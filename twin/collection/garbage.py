"""Python's search for cycles of garbage, held back while very many objects live and hardly any are in cycles."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

NEW_OBJECTS = 100_000  # between two searches among the new ones; Python's own 700 took 6 % of an hour of 600,000 meters


@contextmanager
def seldom_searched() -> Iterator[None]:
    """Let new objects be searched seldom, and those of before not at all; what is in no cycle goes at once as ever."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
