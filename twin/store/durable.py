"""Files that are on disk, whole, when the call returns: written beside, forced to disk, renamed, folder forced."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

UNFINISHED = ".unfinished"


def force(path: Path) -> None:
    """Force a file's or folder's content to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(path: Path) -> None:
    """Make a folder and its parents, each forced into the one above it."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    force(path.parent)


def write(path: Path, fill: Callable[[Path], None]) -> None:
    """Let ``fill`` write a file beside ``path``, force it to disk and rename it; then force the folder."""
    write_all([(path, fill)])


def write_all(files: list[tuple[Path, Callable[[Path], None]]]) -> None:
    """Write several files as ``write`` does, forcing each folder once; each file is whole, the set is not atomic."""
    for path, fill in files:
        make_folder(path.parent)
        beside = path.with_name(path.name + UNFINISHED)
        fill(beside)
        force(beside)
        os.replace(beside, path)
    for folder in sorted({path.parent for path, _ in files}):
        force(folder)
