"""A CUDA device as the runner of the engine's kernels, through CuPy. Not yet run on hardware."""

from __future__ import annotations

import ctypes
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from gpu import nvrtc
from gpu.kernels import LAUNCH, Runner
from gpu.native import layout
from teiden.build import cached_library, content_hash
from teiden.errors import MissingPart

_ENGINE = Path(__file__).parent / "engine"
_LANES = 32  # of a warp


class Device(Runner):
    """The device CuPy has chosen; its memory is managed, so the host follows every address.

    Raises
    ------
    MissingPart
        CuPy, the compiler or a device is missing.
    """

    def __init__(self, region_bytes: int):
        cupy = cupy_with_device()
        self._cupy, self._device = cupy, cupy.cuda.Device()
        if not self._has("CooperativeLaunch"):
            raise MissingPart('backend "cuda" asked for, but the device has no cooperative launch; use backend "cpu"')
        self._kernel = _module(cupy).get_function(nvrtc.KERNELS[0])
        self._most_blocks = self._resident_blocks()
        super().__init__(region_bytes)

    def launcher(self) -> ctypes.c_void_p:
        self._launch = LAUNCH(self._run_windows)
        return ctypes.cast(self._launch, ctypes.c_void_p)

    def region(self, size: int) -> tuple[object, int]:
        memory = self._cupy.cuda.malloc_managed(size)
        return memory, int(memory.ptr)

    def _has(self, attribute: str) -> int:
        runtime = self._cupy.cuda.runtime
        return int(runtime.deviceGetAttribute(getattr(runtime, f"cudaDevAttr{attribute}"), self._device.id))

    def _resident_blocks(self) -> int:
        """Return how many blocks the device holds at once; more would wait for those that wait for them."""
        each = self._cupy.cuda.driver.occupancyMaxActiveBlocksPerMultiprocessor(
            self._kernel.kernel.ptr, nvrtc.THREADS, 0
        )
        return int(each) * self._has("MultiProcessorCount")

    def _run_windows(self, heap: int, windows: int, tiles: int, turns: int, threads: int, begins: int) -> int:
        address = self._cupy.uint64
        blocks = min(-(-tiles * _LANES // nvrtc.THREADS), self._most_blocks)
        try:
            if begins and self._has("ConcurrentManagedAccess"):
                self._bring_regions()
            self._kernel((blocks,), (nvrtc.THREADS,), (address(heap), address(windows)))
            self._cupy.cuda.runtime.deviceSynchronize()
        except BaseException as problem:  # nothing may be raised through the engine: Mesh.run_until does
            self.problem = problem
            return 2
        return 0

    def _bring_regions(self) -> None:
        """Move to the device, in bulk, what the host has touched since the last run."""
        for memory in self.regions:
            memory.mem.prefetch(self._cupy.cuda.Stream.null)


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
    path = cached_library("radio-cuda", key, compile_in, ".cubin")
    return cupy.RawModule(path=str(path), enable_cooperative_groups=True)
