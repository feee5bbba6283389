"""Who runs the engine's kernels, and the memory they share with the host: a CPU in place of a grid, for tests."""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from gpu.native import layout
from teiden.build import cached_library, content_hash, require_tool, run_tool

_FOLDER = Path(__file__).parent
_FLAGS = ("-std=c++17", "-O2", "-pthread", "-fPIC", "-shared", "-fvisibility=hidden", "-Wall", "-Wextra")
_More = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_int64)
LAUNCH = ctypes.CFUNCTYPE(
    ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int32, ctypes.c_uint64, ctypes.c_int32, ctypes.c_int32
)
"""The type of `Runner.launch`."""


class Runner:
    """What a mesh that kernels run needs: regions of memory, and a launcher for many windows of all tiles.

    Attributes
    ----------
    region_bytes : int
        Size of the first region; later ones are larger.
    more : pointer
        Called with a number of bytes; returns a region that host and kernels know by one address.
    launch : pointer
        Called with (heap, windows, count of tiles, turns, threads, whether a run begins); returns 0 when the windows
        pause, or what failed.
    regions : list
        The owners of the regions given out so far.
    problem : exception or None
        Why the launcher failed, if it can tell.
    """

    def __init__(self, region_bytes: int):
        self.region_bytes = region_bytes
        self.regions: list[Any] = []
        self.problem: BaseException | None = None
        self._more = _More(self._add_region)
        self.more = ctypes.cast(self._more, ctypes.c_void_p)
        self.launch = self.launcher()

    def launcher(self) -> ctypes.c_void_p:
        """Return the function that runs windows."""
        return ctypes.cast(_stand_in().run_windows, ctypes.c_void_p)

    def region(self, size: int) -> tuple[object, int]:
        """Return the owner of a new region and its address, a multiple of 64."""
        memory = np.empty(size + 64, np.uint8)
        return memory, (int(memory.ctypes.data) + 63) // 64 * 64

    def _add_region(self, size: int) -> int | None:
        try:
            memory, address = self.region(size)
        except Exception:  # nothing may be raised through the engine: no region, and Mesh.run_until tells
            return None
        self.regions.append(memory)
        return address


@cache
def _stand_in() -> ctypes.CDLL:
    """Return the kernels as g++ compiles them."""
    sizes = [f"-DTEIDEN_{name.upper()}_BYTES={size}" for name, size in layout().items()]
    source = _FOLDER / "kernels_on_cpu.cpp"

    def compile_in(work: Path) -> Path:
        compiler = require_tool("g++", "to build the radio engine's kernels", "install it: apt-get install g++")
        run_tool([compiler, *_FLAGS, *sizes, str(source), "-o", "kernels.so"], work, "building the engine's kernels")
        return work / "kernels.so"

    key = content_hash([source, *(_FOLDER / "engine").iterdir()], (*_FLAGS, *sizes))
    return ctypes.CDLL(str(cached_library("radio-kernels", key, compile_in)))
