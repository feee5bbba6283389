"""The CUDA form: it compiles without a device, runs the very tiles of the CPU forms, and gives their digest."""

import ctypes
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import gpu
from gpu import device, kernels, native, nvrtc
from gpu.device import _ENGINE
from teiden.errors import InputError, MissingPart

S = 1_000_000_000


def storm(count=600, **build):
    """Return a storm of Last Gasps, everybody on stored energy, and some broadcasts before it."""
    draw = np.random.default_rng(8)
    mesh = gpu.Mesh.build(draw.uniform(0, 400, (count, 2)), [0, 1], gpu.profile("fsk-100k-920"), 8, **build)
    src = np.arange(2, count)
    mesh.power_off(src, S, draw.integers(10**8, 3 * 10**9, src.size))
    mesh.inject(draw.integers(S, 4 * S, src.size), src, -1, 147, max_offers=4, reoffer_max_ns=2 * S)
    mesh.inject(draw.integers(0, S, 40), draw.integers(0, count, 40), -2, 60)
    mesh.run_until(10 * S)
    return mesh


def test_the_kernels_compile_for_an_h100_with_the_layout_of_the_host():
    """Sizes of shared records are static assertions in kernels.cu; no thread needs a stack that grows with its tile."""
    options = [*nvrtc.options(native.layout(), nvrtc.ARCHITECTURE), "--ptxas-options=-v"]
    log, cubin = nvrtc.compile_cubin(_ENGINE / "kernels.cu", options)
    assert cubin.startswith(b"\x7fELF")
    assert all(kernel.encode() in cubin for kernel in nvrtc.KERNELS)
    frames = [int(size) for size in re.findall(r"(\d+) bytes (?:stack frame|cumulative stack size)", log)]
    assert frames
    assert max(frames) <= 1024  # CUDA's default stack of a thread, cudaLimitStackSize
    assert "Stack size" not in log  # recursion: the depth would be unknown


def test_another_layout_than_the_hosts_is_refused():
    sizes = native.layout() | {"node": native.layout()["node"] + 8}
    with pytest.raises(MissingPart, match="a node has the host's layout"):
        nvrtc.compile_cubin(_ENGINE / "kernels.cu", nvrtc.options(sizes, nvrtc.ARCHITECTURE))


def outcome(mesh):
    """Return all that a mesh tells, and the bytes that it saves before and after."""
    states = [saved(mesh)]
    drained = mesh.drain()
    logs = [log.tolist() for log in (drained.deliveries, drained.ends, drained.deaths, drained.memberships)]
    return mesh.digest(), mesh.counters(), logs, [*states, saved(mesh)]


def saved(mesh):
    start = ctypes.c_void_p()
    count = mesh._engine.radio_save(mesh._handle, ctypes.addressof(start))
    return ctypes.string_at(start.value, count)


def test_tiles_that_run_out_of_room_go_on_where_they_were():
    expected = storm(1500)
    mesh = storm(1500, form="kernels", tiles=12, region_bytes=1 << 20)
    assert mesh.launches()["stops"] > 0
    assert outcome(mesh)[:3] == outcome(expected)[:3]


class Tight(kernels.Runner):
    """Every launch begins with no more than a few bytes to spare: tiles stop wherever one takes a block."""

    class Heap(ctypes.Structure):
        """How gpu/engine/heap.h begins."""

        _fields_ = (("next", ctypes.c_void_p), ("end", ctypes.c_void_p), ("reserve", ctypes.c_int64))

    def launcher(self):
        run_windows = kernels._stand_in().run_windows
        run_windows.argtypes = kernels.LAUNCH._argtypes_

        def squeezed(heap, *rest):
            fields = self.Heap.from_address(heap)
            reserve, fields.reserve = fields.reserve, fields.end - fields.next
            failed = run_windows(heap, *rest)
            fields.reserve = reserve
            return failed

        self._launch = kernels.LAUNCH(squeezed)
        return ctypes.cast(self._launch, ctypes.c_void_p)


class Full(kernels.Runner):
    """A launch begins with almost nothing left, and does not know."""

    def launcher(self):
        run_windows = kernels._stand_in().run_windows
        run_windows.argtypes = kernels.LAUNCH._argtypes_

        def emptied(heap, *rest):
            fields = Tight.Heap.from_address(heap)
            fields.reserve, fields.end = 0, fields.next + 1000
            return run_windows(heap, *rest)

        self._launch = kernels.LAUNCH(emptied)
        return ctypes.cast(self._launch, ctypes.c_void_p)


@pytest.mark.parametrize("threads", [1, 4])
def test_a_launch_is_taken_up_wherever_it_was_left(monkeypatch, threads):
    """In any phase: events, outboxes and inboxes all take blocks."""
    expected = outcome(storm(form="kernels", tiles=12))
    monkeypatch.setattr(gpu.mesh, "Runner", Tight)
    mesh = storm(form="kernels", tiles=12, threads=threads)
    assert outcome(mesh) == expected
    assert mesh.launches()["stops"] > 100


def test_a_launch_ends_after_a_thousand_windows_and_where_a_log_is_full():
    mesh = storm(form="kernels", tiles=12)
    done = mesh.launches()
    assert done["full_logs"] > 0
    assert done["windows"] > 3000
    assert done["launches"] >= done["windows"] / 1000
    expected = storm()
    for later in (mesh, expected):
        later.run_until(20 * S)
    assert mesh.digest() == expected.digest()


@pytest.mark.parametrize("turns", [0, 1, 2])
def test_the_order_of_blocks_changes_nothing(turns):
    assert storm(form="kernels", tiles=12, turns=turns).digest() == storm().digest()


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_blocks_that_run_at_once_change_nothing(threads):
    """The entry point itself, on real threads: not even the bytes of a saved mesh tell how many there were."""
    in_turns = outcome(storm(form="kernels", tiles=12))
    assert outcome(storm(form="kernels", tiles=12, threads=threads)) == in_turns
    assert in_turns[:3] == outcome(storm())[:3]


def test_no_room_at_all_ends_a_run_on_threads_with_an_error(monkeypatch):
    """A block that fails does not leave the others waiting for it."""
    monkeypatch.setattr(gpu.mesh, "Runner", Full)
    with pytest.raises(MissingPart, match="no memory left"):
        storm(form="kernels", tiles=12, threads=4)


@pytest.mark.slow
def test_blocks_that_run_at_once_do_not_race():
    """ThreadSanitizer watches the kernel through broadcasts, aggregation and a living tree, in a process of its own."""
    sanitizer = subprocess.run(["g++", "-print-file-name=libtsan.so"], capture_output=True, text=True, check=True)
    script = """
import sys
sys.path.insert(0, sys.argv[1])
import gpu.kernels
gpu.kernels._FLAGS = (*gpu.kernels._FLAGS, "-fsanitize=thread", "-g")
from test_everything import MIXES, S, result, storm
mix = MIXES["hopping, living, aggregating"]
alone, together = storm("cells", mix), storm("kernels", mix, tiles=8, threads=4)
for mesh in (alone, together):
    mesh.run_until(20 * S)
assert result(alone) == result(together)
"""
    run = subprocess.run(
        ["setarch", "-R", sys.executable, "-c", script, str(Path(__file__).parent)], capture_output=True, text=True,
        env=os.environ | {"LD_PRELOAD": sanitizer.stdout.strip(), "TSAN_OPTIONS": "exitcode=66"},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[:5000]


@pytest.mark.parametrize(
    ("given", "message"),
    [({"threads": 2, "backend": "cuda"}, "threads = 2"), ({"region_bytes": 10}, "region_bytes = 10")],
)
def test_what_kernels_cannot_do_is_refused(given, message):
    with pytest.raises(InputError, match=message):
        storm(count=20, form="kernels", **given)


def pretended(blocks_each, calls):
    """Return what gpu/device.py asks of CuPy 14: a device of two multiprocessors, whose kernel the stand-in runs."""

    def run(grid, block, arguments):
        heap, windows = (int(argument) for argument in arguments)
        calls.append((grid, block))
        return kernels._stand_in().run_windows(
            ctypes.c_void_p(heap), ctypes.c_void_p(windows), 0, ctypes.c_uint64(0), grid[0], 0
        )

    kernel = type("Kernel", (), {"kernel": SimpleNamespace(ptr=1), "__call__": staticmethod(run)})()

    def managed(size):
        memory, address = kernels.Runner.region(None, size)
        return SimpleNamespace(
            ptr=address, mem=SimpleNamespace(prefetch=lambda stream: calls.append(size), memory=memory)
        )

    runtime = SimpleNamespace(
        cudaDevAttrCooperativeLaunch="cooperative", cudaDevAttrConcurrentManagedAccess="managed",
        cudaDevAttrMultiProcessorCount="processors", deviceSynchronize=lambda: None,
        deviceGetAttribute=lambda name, device: 2 if name == "processors" else 1,
    )  # fmt: skip
    driver = SimpleNamespace(occupancyMaxActiveBlocksPerMultiprocessor=lambda pointer, threads, shared: blocks_each)
    cuda = SimpleNamespace(runtime=runtime, driver=driver, Device=lambda: SimpleNamespace(id=0), malloc_managed=managed,
                           Stream=SimpleNamespace(null=None))  # fmt: skip
    return SimpleNamespace(cuda=cuda, uint64=np.uint64), SimpleNamespace(get_function=lambda name: kernel)


def test_a_grid_is_no_larger_than_what_the_device_holds_at_once(monkeypatch):
    """More blocks would wait for those that wait for them; memory is brought to the device once a run."""
    calls = []
    cupy, module = pretended(1, calls)
    monkeypatch.setattr(device, "cupy_with_device", lambda: cupy)
    monkeypatch.setattr(device, "_module", lambda given: module)
    mesh = storm(backend="cuda", tiles=40)
    assert mesh.digest() == storm().digest()
    sizes = [call for call in calls if isinstance(call, int)]
    grids = [call for call in calls if not isinstance(call, int)]
    assert sizes == [64 << 20]
    assert set(grids) == {((2,), (128,))}
    assert len(grids) == mesh.launches()["launches"]


@pytest.mark.gpu
@pytest.mark.parametrize("tiles", [1, 12, 40])
def test_a_device_gives_the_digest_of_the_cpu(tiles):
    """Not yet run on hardware."""
    expected = storm()
    mesh = storm(backend="cuda", tiles=tiles)
    assert mesh.digest() == expected.digest()
    assert mesh.counters() == expected.counters()
