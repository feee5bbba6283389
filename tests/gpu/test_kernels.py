"""The CUDA form: it compiles without a device, runs the very tiles of the CPU forms, and gives their digest."""

import re

import numpy as np
import pytest

import gpu
from gpu import native, nvrtc
from gpu.device import _ENGINE
from teiden.errors import InputError, MissingPart

S = 1_000_000_000


def storm(count=600, **build):
    """Return a storm of Last Gasps, everybody on stored energy."""
    draw = np.random.default_rng(8)
    mesh = gpu.Mesh.build(draw.uniform(0, 400, (count, 2)), [0, 1], gpu.profile("fsk-100k-920"), 8, **build)
    src = np.arange(2, count)
    mesh.power_off(src, S, draw.integers(10**8, 3 * 10**9, src.size))
    mesh.inject(draw.integers(S, 4 * S, src.size), src, -1, 147, max_offers=4, reoffer_max_ns=2 * S)
    mesh.run_until(10 * S)
    return mesh


def test_the_kernels_compile_for_an_h100_with_the_layout_of_the_host():
    """Sizes of shared records are static assertions in kernels.cu; no thread needs a stack that grows with its tile."""
    options = [*nvrtc.options(native.layout(), nvrtc.ARCHITECTURE), "--ptxas-options=-v"]
    log, cubin = nvrtc.compile_cubin(_ENGINE / "kernels.cu", options)
    assert cubin.startswith(b"\x7fELF")
    assert all(kernel.encode() in cubin for kernel in nvrtc.KERNELS)
    frames = [int(size) for size in re.findall(r"(\d+) bytes stack frame", log)]
    assert frames
    assert max(frames) <= 1024  # CUDA's default stack of a thread, cudaLimitStackSize
    assert "Stack size" not in log  # recursion: the depth would be unknown


def test_another_layout_than_the_hosts_is_refused():
    sizes = native.layout() | {"node": native.layout()["node"] + 8}
    with pytest.raises(MissingPart, match="a node has the host's layout"):
        nvrtc.compile_cubin(_ENGINE / "kernels.cu", nvrtc.options(sizes, nvrtc.ARCHITECTURE))


def test_tiles_that_run_out_of_room_go_on_where_they_were():
    expected = storm(1500)
    mesh = storm(1500, form="kernels", tiles=12, region_bytes=1 << 20)
    assert mesh._engine.radio_heap_stops(mesh._handle) > 0
    assert mesh.digest() == expected.digest()
    assert mesh.counters() == expected.counters()


@pytest.mark.parametrize("turns", [0, 1, 2])
def test_the_order_of_blocks_changes_nothing(turns):
    assert storm(form="kernels", tiles=12, turns=turns).digest() == storm().digest()


@pytest.mark.parametrize(
    ("given", "message"),
    [({"threads": 2}, "threads = 2"), ({"region_bytes": 10}, "region_bytes = 10")],
)
def test_what_kernels_cannot_do_is_refused(given, message):
    with pytest.raises(InputError, match=message):
        storm(count=20, form="kernels", **given)


@pytest.mark.gpu
@pytest.mark.parametrize("tiles", [1, 12, 40])
def test_a_device_gives_the_digest_of_the_cpu(tiles):
    """Not yet run on hardware."""
    expected = storm()
    mesh = storm(backend="cuda", tiles=tiles)
    assert mesh.digest() == expected.digest()
    assert mesh.counters() == expected.counters()
