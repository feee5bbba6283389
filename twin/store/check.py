"""Read everything a store holds and say what is wrong with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from teiden.errors import PartFailed
from twin.store import parts
from twin.store.contents import keys
from twin.store.parts import BLOCK_BITS, Part
from twin.store.schema import Series, day_of
from twin.store.store import Store


def problems(store: Store) -> list[str]:
    """Return what is wrong: unreadable files, rows out of place, keys held twice, counts that do not add up."""
    groups: dict[tuple[Series, int, int], list[Part]] = defaultdict(list)
    for part in store.files.of("readings"):
        groups[part.series, part.day, part.block].append(part)
    found = [problem for group in groups.values() for problem in _of_group(store, group)]
    found += [problem for part in store.files.of("conflicts") for problem in _of_part(store, part)[0]]
    for row in store.conservation().to_pylist():
        if not row["balanced"]:
            found.append(
                f"{row['series']}: {row['stored']:,} readings and {row['conflicts']:,} conflicts were counted, "
                f"{row['readings_found']:,} and {row['conflicts_found']:,} are found"
            )
    return found


def _of_group(store: Store, group: Sequence[Part]) -> list[str]:
    """Return what is wrong with the parts of one series, day and block of meters."""
    found: list[str] = []
    held = []
    for part in group:
        wrong, key = _of_part(store, part)
        found += wrong
        held.append(key)
    together = np.concatenate(held)
    twice = together.size - np.unique(together).size
    if twice:
        found.append(f"{store.root / group[0].file} and its like: {twice:,} keys are held more than once")
    return found


def _of_part(store: Store, part: Part) -> tuple[list[str], np.ndarray]:
    """Return what is wrong with one part, and its keys."""
    path = store.root / part.file
    try:
        rows = parts.read(store.root, [part])
    except PartFailed as error:
        return [str(error)], np.zeros(0, np.int64)
    found = []
    if rows.num_rows != part.rows:
        found.append(f"{path}: {rows.num_rows:,} rows, the manifest says {part.rows:,}")
    day, block = day_of(rows["interval_end_ns"].to_numpy()), rows["meter"].to_numpy() >> BLOCK_BITS
    stray = (rows["series"].to_numpy() != part.series) | (day != part.day) | (block != part.block)
    if stray.any():
        found.append(f"{path}: {int(stray.sum()):,} rows are of another series, day or block of meters")
    return found, keys(part.series, rows)
