"""Threads that run ahead of each other in quiet times give what the plain form, which has no threads, gives."""

from functools import cache

import numpy as np
import pytest

import gpu

COUNT, SINK_EVERY, SECONDS = 1200, 100, 12
FIELDS = {
    "a tree": {},
    "hopping": {"channels": 14},
    "much within reach of everybody": {"per_km2": 3000},
    "wider than the reach": {"per_km2": 60},
    "2.4 GHz, short frames": {"profile": "oqpsk-250k-2450", "per_km2": 3000, "bytes": 20},
    "no acknowledgement": {"ack": False},
    "far destinations, no tree": {"routed": False},
    "nodes that sleep": {"sleep": True},
}


def quiet(form, per_km2=150, profile="fsk-100k-920", routed=True, bytes=152, sleep=False, threads=1, tiles=0, **radio):
    """Return a field with some frames a second: readings, broadcasts, frames down the tree, cuts known beforehand."""
    draw = np.random.default_rng(11)
    xy = draw.uniform(0, (COUNT / per_km2) ** 0.5 * 1000, (COUNT, 2))
    sinks = np.arange(0, COUNT, SINK_EVERY) if routed else []
    mesh = gpu.Mesh.build(xy, sinks, gpu.profile(profile, **radio), 11, form=form, route=routed, threads=threads,
                          tiles=tiles)  # fmt: skip
    src = np.setdiff1d(np.arange(COUNT), sinks)
    dst = -1 if routed else (src + COUNT // 2) % COUNT
    mesh.inject(draw.integers(0, SECONDS * 10**9, src.size), src, dst, bytes, max_offers=2, reoffer_max_ns=10**9)
    mesh.inject(draw.integers(0, SECONDS * 10**9, 10), draw.choice(src, 10, replace=False), -2, bytes)
    mesh.power_off(src[::7], draw.integers(0, SECONDS * 10**9, src[::7].size), 2 * 10**8, sleep=sleep)
    mesh.power_on(src[::14], SECONDS * 10**9)
    return mesh


def cut(mesh, k):
    """Take the mains from a tenth of the nodes without notice, now; some of them send."""
    mesh.power_off(np.arange(k + 1, COUNT, 10), mesh.now_ns, 10**6 * (k + 1))


def result(mesh, cuts=3):
    logs = []
    for k in range(cuts):
        mesh.run_until((k + 1) * SECONDS * 10**9 // (cuts + 1) + 123_000)
        cut(mesh, k)
        mesh.forget_ended()
    mesh.run_until((SECONDS + 5) * 10**9)
    drained = mesh.drain()
    logs += [drained.deliveries.tolist(), drained.ends.tolist(), drained.deaths.tolist()]
    return mesh.digest(), mesh.counters(), logs


@cache
def expected(name):
    return result(quiet("plain", **FIELDS[name]))


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize(("threads", "tiles"), [(2, 0), (4, 7), (8, 2)])
def test_a_quiet_field_is_the_same_on_any_threads(name, threads, tiles):
    mesh = quiet("cells", threads=threads, tiles=tiles, **FIELDS[name])
    digest, counts, logs = result(mesh)
    assert digest == expected(name)[0]
    assert (counts, logs) == expected(name)[1:]
    assert min(counts["delivered"], counts["deaths"]) > 10


@pytest.mark.parametrize("step_ns", [700_000, 10_000_000, 333_333_000])
def test_windows_and_saves_change_nothing(tmp_path, step_ns):
    """Windows that end anywhere in a turnaround, a frame or a page of the wheel; then another number of threads."""
    mesh, plain = (quiet(form, threads=threads) for form, threads in (("cells", 2), ("plain", 1)))
    for k in range(1, 600_000_000 // step_ns + 1):
        mesh.run_until(k * step_ns)
    mesh.save(tmp_path / "a.mesh")
    mesh = gpu.Mesh.load(tmp_path / "a.mesh", threads=3)
    for each in (mesh, plain):
        each.run_until(5 * 10**9)
    assert mesh.digest() == plain.digest()


def test_from_quiet_into_a_storm_and_back():
    """Threads meet every turnaround when much happens; a window in which they run ahead may lie across the change."""
    digests = set()
    for form, threads in (("plain", 1), ("cells", 2), ("cells", 4)):
        mesh = quiet(form, threads=threads, per_km2=3000)
        src = np.arange(1, COUNT, 2)
        mesh.inject(3 * 10**9 + src * 50_000, src, -1, 60, max_offers=3, reoffer_max_ns=10**9)
        mesh.run_until(8 * 10**9)
        digests.add(mesh.digest())
    assert len(digests) == 1
