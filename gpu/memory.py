"""Memory: what this process may still take, and what a mesh will."""

from __future__ import annotations

import resource
from pathlib import Path

NODE_BYTES = 600  # all in, with the arrays of set-up: benches/radio_memory.py
FRAME_BYTES = 400  # engine, injection and the table of results together
LINK_BYTES = 80  # of a link table, with its sorting

_LIMITED = ((resource.RLIMIT_AS, 0), (resource.RLIMIT_DATA, 5))  # with the column of /proc/self/statm that it limits
_GROUPS = (  # limit and use of this process's control group, version 2 and 1
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def mesh_bytes(nodes: int, frames: int, links: int = 0) -> int:
    """Return about how much memory a mesh with all its results takes [B]."""
    return nodes * NODE_BYTES + frames * FRAME_BYTES + links * LINK_BYTES


def available_bytes() -> int:
    """Return how much memory this process may still take [B]: the machine's, its control group's, its own limit."""
    found = [_meminfo("MemAvailable")]
    for limit, used in _GROUPS:
        words = [_read(limit), _read(used)]
        if all(word.isdigit() for word in words):
            found.append(int(words[0]) - int(words[1]))
    pages = _read("/proc/self/statm").split()
    for kind, column in _LIMITED:
        most = resource.getrlimit(kind)[0]
        if most != resource.RLIM_INFINITY and pages:
            found.append(most - int(pages[column]) * resource.getpagesize())
    return max(0, min(found))


def _meminfo(key: str) -> int:
    """Return a line of /proc/meminfo [B]."""
    for line in _read("/proc/meminfo").splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    return 1 << 62  # not Linux: no limit known


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
