"""Checks of what callers hand to the mesh: every error names the place, the value and the remedy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from teiden.errors import InputError

MAX_POSITION_M = 1_000_000.0  # keeps squared millimetres inside 63 bits
MAX_NODES_ON_A_POINT = 10_000  # a tower block has hundreds; beyond, a missing column is likelier than a place


def whole(where: str, value: Any, dtype: type = np.int64) -> NDArray:
    """Return value as an integer array, or raise InputError."""
    array = np.asarray(value)
    if array.size == 0 and array.dtype.kind == "f":
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise InputError(f"{where} has type {array.dtype}, expected whole numbers")
    return np.ascontiguousarray(array, dtype)


def within(where: str, array: NDArray, low: int, high: int, why: str = "") -> None:
    """Raise InputError naming the first entry outside [low, high]."""
    flat = array.ravel()
    bad = np.flatnonzero((flat < low) | (flat > high))
    if bad.size:
        i = int(bad[0])
        place = f"{where}[{i}]" if array.ndim else where
        raise InputError(f"{place} = {flat[i]}, expected {low} to {high}{why} ({bad.size} of {flat.size} wrong)")


def unique(where: str, array: NDArray) -> None:
    """Raise InputError naming the first value that occurs twice."""
    values, counts = np.unique(array, return_counts=True)
    twice = values[counts > 1]
    if twice.size:
        raise InputError(f"{where} holds {twice[0]} {counts[counts > 1][0]} times, expected each node once")


def positions_mm(xy_m: Any) -> NDArray[np.int64]:
    """Return (N, 2) positions in whole millimetres."""
    xy = np.asarray(xy_m, np.float64)
    if xy.ndim != 2 or xy.shape[1] != 2 or xy.shape[0] == 0:
        raise InputError(f"xy_m has shape {xy.shape}, expected (N, 2) with at least one node")
    bad = np.argwhere(~(np.abs(xy) <= MAX_POSITION_M))
    if bad.size:
        i, axis = (int(k) for k in bad[0])
        raise InputError(f"xy_m[{i}, {axis}] = {xy[i, axis]} m, expected -{MAX_POSITION_M:g} to {MAX_POSITION_M:g}")
    return np.rint(xy * 1000).astype(np.int64)


def largest_crowd(x_mm: NDArray, y_mm: NDArray) -> NDArray[np.int64]:
    """Return the nodes, in order, of the most crowded point, if there are more than MAX_NODES_ON_A_POINT; else none."""
    if x_mm.size <= MAX_NODES_ON_A_POINT:
        return np.empty(0, np.int64)
    points = x_mm.astype(np.int64) * (1 << 31) + y_mm.astype(np.int64)
    values, counts = np.unique(points, return_counts=True)
    most = int(np.argmax(counts))
    if counts[most] <= MAX_NODES_ON_A_POINT:
        return np.empty(0, np.int64)
    return np.flatnonzero(points == values[most])


def crowd_text(count: int, x_m: float, y_m: float) -> str:
    """Return what is wrong with a crowded point."""
    return (f"{count:,} nodes at x_m = {x_m:g}, y_m = {y_m:g}, expected at most {MAX_NODES_ON_A_POINT:,} on one point "
            "(all of them hear each other): give the nodes their own places, or a table of links")  # fmt: skip


def extra_losses_centidb(extra_loss_db: Any, count: int) -> NDArray[np.int64]:
    """Return (N,) extra losses in 0.01 dB."""
    if extra_loss_db is None:
        return np.zeros(count, np.int64)
    loss = np.asarray(extra_loss_db, np.float64)
    if loss.shape != (count,):
        raise InputError(f"extra_loss_db has shape {loss.shape}, expected ({count},), one a node")
    bad = np.flatnonzero(~((loss >= 0) & (loss <= 300)))
    if bad.size:
        raise InputError(f"extra_loss_db[{bad[0]}] = {loss[bad[0]]} dB, expected 0 to 300")
    return np.rint(loss * 100).astype(np.int64)


def link_table(links: Any, count: int) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]]:
    """Return (first, dst, loss_db) sorted by source from the three columns (src, dst, loss_db)."""
    try:
        columns = [np.asarray(column) for column in links]
        src_column, dst_column, loss_column = columns
    except (TypeError, ValueError):
        raise InputError("links: expected three arrays (src, dst, loss_db)") from None
    src, dst = whole("links src", src_column), whole("links dst", dst_column)
    loss = np.asarray(loss_column, np.float64)
    if not src.shape == dst.shape == loss.shape or src.ndim != 1:
        raise InputError(f"links: shapes {src.shape}, {dst.shape}, {loss.shape}, expected three (E,) arrays")
    nodes = f" (the mesh has {count} nodes)"
    within("links src", src, 0, count - 1, nodes)
    within("links dst", dst, 0, count - 1, nodes)
    bad = np.flatnonzero(~(np.abs(loss) <= 400))
    if bad.size:
        raise InputError(f"links loss_db[{bad[0]}] = {loss[bad[0]]} dB, expected -400 to 400")
    order = np.lexsort((dst, src))
    src, dst, loss = src[order], dst[order], loss[order]
    twice = np.flatnonzero((src[1:] == src[:-1]) & (dst[1:] == dst[:-1]))
    if twice.size:
        i = int(twice[0])
        raise InputError(f"links: {src[i]} to {dst[i]} is given twice, expected once")
    first = np.searchsorted(src, np.arange(count + 1)).astype(np.int64)
    return first, dst.astype(np.int32), loss


def tree(parents: Any, sinks: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    """Return (N,) parents of a tree without loops whose sinks have no parent."""
    parent = whole("parents", parents, np.int32)
    if parent.shape != (count,):
        raise InputError(f"parents has shape {parent.shape}, expected ({count},), -1 for none")
    within("parents", parent, -1, count - 1)
    for sink in sinks:
        if parent[sink] >= 0:
            raise InputError(f"parents[{sink}] = {parent[sink]}, expected -1 (node {sink} is a sink)")
    up = np.append(np.where(parent < 0, count, parent), count)  # the last entry stands for "no parent"
    for _ in range(count.bit_length()):
        up = up[up]  # twice as many steps up; after more than count of them only loops are left
    loops = np.flatnonzero(up != count)
    if loops.size:
        raise InputError(f"parents: node {loops[0]} is on or below a loop, expected a tree")
    return parent
