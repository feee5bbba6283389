"""From the log into parts, from many parts into one, and what a kill leaves over. Each ends with one new manifest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from twin.store import durable, ledger, log, manifest, parts, sql
from twin.store.estimates import Estimates
from twin.store.manifest import Manifest
from twin.store.parts import Part
from twin.store.receipt import Receipt
from twin.store.schema import Series


def move_log(
    root: Path,
    old: Manifest,
    last: int,
    in_log: Mapping[str, pa.Table],
    batches: ledger.Entries,
    counts: dict[Series, Receipt],
) -> Manifest:
    """Write the log's readings up to batch ``last`` as parts, commit, and drop it."""
    first = old.log_through + 1
    if last < first:
        return old
    new = [found for folder, rows in in_log.items() for found in parts.cut(folder, rows, first, last)]
    durable.write_all([(root / part.file, parts.filler(rows)) for part, rows in new])
    entry = ledger.write(root, f"{first:012d}-{last:012d}", batches)
    made = Manifest(last, [*old.parts, *(part for part, _ in new)], [*old.ledger, entry], counts)
    _commit(root, made)
    log.drop(root, last)
    return made


def merge_parts(root: Path, old: Manifest, above: int) -> Manifest:
    """Merge parts of one series, day and block of meters where there are more than ``above``; all if that is 1."""
    groups: dict[tuple[str, Series, int, int], list[Part]] = defaultdict(list)
    for part in old.parts:
        groups[part.folder, part.series, part.day, part.block].append(part)
    for group in groups.values():
        if len(group) > above:
            old = _merge(root, old, group if above == 1 else newest(group))
    return old


def newest(group: list[Part]) -> list[Part]:
    """Return the newest parts, back to one that is larger than those after it together; two at least.

    So a reading is written again some log2 times the number of parts; merging all of them would write the first
    readings of a day again with every merge.
    """
    in_order = sorted(group, key=lambda part: part.first)
    start = len(in_order) - 2
    rows = sum(part.rows for part in in_order[start:])
    while start > 0 and in_order[start - 1].rows <= rows:
        start -= 1
        rows += in_order[start].rows
    return in_order[start:]


def _merge(root: Path, old: Manifest, group: list[Part]) -> Manifest:
    """Replace parts by one."""
    rows = parts.read(root, group)
    [(part, in_order)] = parts.cut(
        group[0].folder, rows, min(part.first for part in group), max(part.last for part in group)
    )
    durable.write(root / part.file, parts.filler(in_order))
    made = replace(old, parts=[*(kept for kept in old.parts if kept not in group), part])
    _commit(root, made)
    for gone in group:
        (root / gone.file).unlink()
    return made


def _commit(root: Path, made: Manifest) -> None:
    """Make a manifest the store's, then the views: until old files are dropped, old views still read right."""
    manifest.commit(root, made)
    sql.write(root, made, Estimates(root).files())


def remove_leftovers(root: Path, current: Manifest) -> None:
    """Remove what a kill has left: files half written, parts no manifest names, a log that is in parts."""
    for path in root.rglob("*" + durable.UNFINISHED):
        path.unlink()
    named = {root / part.file for part in current.parts} | {root / file for file in current.ledger}
    for folder in ("readings", "conflicts", ledger.FOLDER):
        for path in (root / folder).rglob("*.parquet"):
            if path not in named:
                path.unlink()
    log.drop(root, current.log_through)


CONSERVATION = pa.schema(
    [
        ("series", pa.string()),
        *((name, pa.int64()) for name in ("arrived", "stored", "duplicates", "conflicts", "late")),
        *((name, pa.int64()) for name in ("readings_found", "conflicts_found")),
        ("balanced", pa.bool_()),
    ]
)


def conservation(
    root: Path, current: Manifest, in_log: Mapping[str, pa.Table], counts: Mapping[Series, Receipt]
) -> pa.Table:
    """Return what was counted on arrival beside what the files hold, a row a series that has any."""
    found = {folder: _rows_found(root, current.of(folder), rows) for folder, rows in in_log.items()}
    rows = []
    for series in Series:
        counted = counts.get(series, Receipt())
        there = {folder: int(held[series]) for folder, held in found.items()}
        if not counted.arrived and not any(there.values()):
            continue
        rows.append(
            {
                "series": series.label,
                "arrived": counted.arrived,
                "stored": counted.stored,
                "duplicates": counted.duplicates,
                "conflicts": counted.conflicts,
                "late": counted.late,
                "readings_found": there["readings"],
                "conflicts_found": there["conflicts"],
                "balanced": there == {"readings": counted.stored, "conflicts": counted.conflicts},
            }
        )
    return pa.Table.from_pylist(rows, schema=CONSERVATION)


def _rows_found(root: Path, held: list[Part], in_log: pa.Table) -> np.ndarray:
    """Return (series,) rows in the files and the log, by the files' own footers; a file that is gone has none."""
    found = np.zeros(len(Series), np.int64)
    for part in held:
        path = root / part.file
        found[part.series] += pq.read_metadata(path).num_rows if path.exists() else 0
    for entry in pc.value_counts(in_log["series"]).to_pylist():
        found[entry["values"]] += entry["counts"]
    return found
