"""A CUDA device as the runner of the engine's kernels, through CuPy. Not yet run on hardware."""

from __future__ import annotations

import ctypes
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from gpu import nvrtc
from gpu.kernels import Runner
from gpu.native import layout
from teiden.build import cached_library, content_hash
from teiden.errors import MissingPart

_ENGINE = Path(__file__).parent / "engine"
_THREADS = 1  # a block: tiles go different ways, so the threads of a warp would wait for each other
_Launch = ctypes.CFUNCTYPE(
    ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int32, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p,
    ctypes.c_void_p, ctypes.c_uint64,
)  # fmt: skip


class Device(Runner):
    """The device CuPy has chosen; its memory is managed, so the host follows every address.

    Raises
    ------
    MissingPart
        CuPy, the compiler or a device is missing.
    """

    def __init__(self, region_bytes: int):
        self._cupy = cupy_with_device()
        self._kernel = _module(self._cupy).get_function(nvrtc.KERNELS[0])
        self._launch = _Launch(self._run_tiles)
        self.problem: Exception | None = None
        super().__init__(region_bytes)

    def launcher(self) -> ctypes.c_void_p:
        return ctypes.cast(self._launch, ctypes.c_void_p)

    def region(self, size: int) -> tuple[object, int]:
        memory = self._cupy.cuda.malloc_managed(size)
        return memory, int(memory.ptr)

    def _run_tiles(
        self, heap: int, tiles: int, count: int, start: int, end: int, next_ticks: int, stopped: int, turns: int
    ) -> int:
        int32, int64, address = self._cupy.int32, self._cupy.int64, self._cupy.uint64
        try:
            self._kernel(
                ((count + _THREADS - 1) // _THREADS,), (_THREADS,),
                (address(heap), address(tiles), int32(count), int64(start), int64(end), address(next_ticks),
                 address(stopped)),
            )  # fmt: skip
            self._cupy.cuda.runtime.deviceSynchronize()
        except Exception as problem:  # nothing may be raised through the engine: Mesh.run_until tells
            self.problem = problem
            return 2
        return 0


@cache
def cupy_with_device() -> Any:
    """Return the cupy module.

    Raises
    ------
    MissingPart
        CuPy or a device is missing.
    """
    try:
        cupy = import_module("cupy")
    except ImportError:
        raise MissingPart(
            'backend "cuda" asked for, but CuPy is not installed; pip install "teiden[gpu]", or use backend "cpu"'
        ) from None
    try:
        devices = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as problem:
        raise MissingPart(f'backend "cuda" asked for, but no device answers ({problem}); use backend "cpu"') from None
    if devices == 0:
        raise MissingPart('backend "cuda" asked for, but no CUDA device was found; use backend "cpu"')
    return cupy


@cache
def _module(cupy: Any) -> Any:
    """Return the kernels, compiled for the device once and kept by content."""
    options = nvrtc.options(layout(), f"sm_{cupy.cuda.Device().compute_capability}")

    def compile_in(work: Path) -> Path:
        (work / "kernels.cubin").write_bytes(nvrtc.compile_cubin(_ENGINE / "kernels.cu", options)[1])
        return work / "kernels.cubin"

    key = content_hash(_ENGINE.iterdir(), options)
    return cupy.RawModule(path=str(cached_library("radio-cuda", key, compile_in, ".cubin")))
