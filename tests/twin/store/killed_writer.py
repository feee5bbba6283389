"""A process that ingests batches and kills itself at the n-th thing it does to the disk.

``python killed_writer.py STORE SEED BATCHES ACKNOWLEDGED KILL_AT`` writes the number of each acknowledged batch on a
line of the file ACKNOWLEDGED and goes on from there; KILL_AT 0 never kills.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from store_readings import random_batches

from twin.store.store import Store

LOG_ROWS = 90  # a compaction every few batches
WRITE = os.write


def killing(function: Callable[..., Any], fuse: list[int]) -> Callable[..., Any]:
    """Return the function, which at the end of the fuse kills the process: before it acts, half way, or after."""

    def burning(*args: Any, **kwargs: Any) -> Any:
        if fuse[0] == 2 and function is WRITE:
            WRITE(args[0], args[1][: len(args[1]) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        for act in (lambda: None, lambda: function(*args, **kwargs)):
            result = act()
            fuse[0] -= 1
            if fuse[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return result

    return burning


def main(store: str, seed: str, count: str, acknowledged: str, kill_at: str) -> None:
    """Ingest what is not acknowledged yet; merge at the end."""
    fuse = [int(kill_at)]
    os.fsync = lambda handle: None  # a kill, unlike a power cut, takes nothing from the system's cache
    for name in ("write", "replace", "fsync", "unlink", "mkdir"):
        setattr(os, name, killing(getattr(os, name), fuse))
    done = Path(acknowledged).read_text().split()
    with Path(acknowledged).open("a", buffering=1) as acks, Store.open(store, log_rows=LOG_ROWS) as held:
        for number, batch in enumerate(random_batches(int(seed), int(count))):
            if str(number) not in done:
                held.ingest(batch, f"batch {number}")
                acks.write(f"{number}\n")
        held.compact(merge=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
