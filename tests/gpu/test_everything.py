"""All rules of a production network at once: one result in both forms, any windows, tiles and threads, over saves."""

import numpy as np
import pytest

import gpu

S = 1_000_000_000
MIXES = {
    "hopping, living, aggregating": {"channels": 5, "tree": "living", "aggregate_frames": 6, "max_channel_retries": 2},
    "long carrier sense, background": {"regulation": "arib-5ms", "background_load": 0.2, "background_dbm": -95.0,
                                       "aggregate_frames": 4, "aggregate_wait_us": 300_000},
    "living in a background": {"tree": "living", "channels": 3, "background_load": 0.1, "rx_extra_mw": 20},
    "tight hours": {"channels": 2, "airtime_limit_us": 700_000, "airtime_window_us": 12_000_000},
}  # fmt: skip
QUICK = {
    "discovery_min_us": 1_000_000, "discovery_max_us": 8_000_000, "version_interval_us": 10_000_000,
    "neighbour_timeout_us": 40_000_000, "refresh_us": 25_000_000, "pan_timeout_us": 60_000_000,
    "auth_first_us": 2_000_000, "auth_retry_min_us": 1_000_000, "auth_retry_max_us": 2_000_000,
    "auth_total_us": 10_000_000, "auth_limit": 3, "trickle_redundancy": 2,
}  # fmt: skip


def storm(form, about, count=260, seed=6, **tiling):
    draw = np.random.default_rng(seed)
    radio = gpu.profile("fsk-100k-920", **(QUICK | about))
    mesh = gpu.Mesh.build(draw.uniform(0, 520, (count, 2)), [0, 1], radio, seed, form=form, backed=[0, 5, 9], **tiling)
    src = draw.integers(2, count, 700)
    mesh.inject(draw.integers(0, 35 * S, src.size), src, draw.choice([-1, -1, -1, -2], src.size),
                draw.integers(40, 160, src.size), priority=draw.integers(0, 3, src.size), max_offers=3,
                reoffer_min_ns=S // 10, reoffer_max_ns=5 * S)  # fmt: skip
    down = draw.integers(2, count, 60)
    mesh.inject(draw.integers(0, 35 * S, down.size), draw.choice([0, 1], down.size), down, 80)
    dark = np.arange(1, count, 2)
    mesh.power_off(dark, 5 * S, draw.integers(10**8, 3 * 10**9, dark.size), sleep=draw.random(dark.size) < 0.3)
    mesh.power_on(dark[::2], draw.integers(15 * S, 25 * S, dark[::2].size))
    return mesh


def result(mesh):
    drained = mesh.drain()
    logs = (drained.deliveries, drained.ends, drained.deaths, drained.memberships)
    return mesh.digest(), mesh.counters(), [log.tolist() for log in logs]


@pytest.mark.parametrize("about", MIXES.values(), ids=MIXES)
def test_one_result_whatever_the_form_the_windows_the_tiles_the_saves(tmp_path, about):
    plain, cells = storm("plain", about), storm("cells", about)
    for mesh in (plain, cells):
        mesh.run_until(60 * S)
    expected = result(plain)
    assert result(cells) == expected
    counts = expected[1]
    assert counts["injected"] == counts["resolved"] + counts["alive"]
    assert counts["delivered"] > 100
    assert counts["deaths"] > 30
    assert counts["broadcast_received"] > 100

    for tiling in ({"tiles": 7, "turns": 3}, {"threads": 2}):
        tiled = storm("cells", about, **tiling)
        tiled.run_until(60 * S)
        assert result(tiled) == expected, tiling
    kernels = storm("kernels", about, tiles=5, turns=2)
    kernels.run_until(20 * S)
    kernels.save(tmp_path / "mesh")
    kernels = gpu.Mesh.load(tmp_path / "mesh")
    kernels.run_until(60 * S)
    assert kernels.form == "kernels"
    assert result(kernels) == expected

    cut = storm("cells", about, tiles=3)
    for k, t_ns in enumerate(np.sort(np.random.default_rng(2).integers(0, 60 * S, 150))):
        cut.run_until(int(t_ns))
        if k % 15 == 0:
            cut.save(tmp_path / "mesh")
            cut = gpu.Mesh.load(tmp_path / "mesh")
    cut.run_until(60 * S)
    assert result(cut) == expected


def random_mix(draw):
    """Return a radio with rules and numbers by chance."""
    return gpu.profile(
        str(draw.choice(["fsk-100k-920", "fsk-50k-920", "fsk-300k-920"])), tree=str(draw.choice(["living", "static"])),
        channels=int(draw.choice([1, 1, 2, 9])), aggregate_frames=int(draw.choice([1, 4])),
        background_load=float(draw.choice([0, 0.2])), rx_extra_mw=int(draw.choice([0, 30])),
        regulation=str(draw.choice(["none", *gpu.REGULATIONS])), retry_rule=str(draw.choice([*gpu.RETRY_RULES])),
        capture=str(draw.choice(["sinr", "hard"])), queue_frames=int(draw.choice([2, 8, 30])),
        keys_kept=bool(draw.random() < 0.5), max_parents=int(draw.integers(1, 6)),
        parent_failures=int(draw.integers(1, 4)), **QUICK,
    )  # fmt: skip


def random_run(radio, seed, form, **tiling):
    """Return digest and counters of a random field in a random storm; loops and conservation are checked on the way."""
    draw = np.random.default_rng(seed)
    count = int(draw.integers(1, 120))
    xy = draw.uniform(0, float(draw.choice([1, 50, 300, 800])), (count, 2))
    sinks = draw.choice(count, min(count, int(draw.integers(1, 4))), replace=False)
    mesh = gpu.Mesh.build(
        xy, sinks, radio, seed, form=form, formed=radio.tree == "static" or bool(draw.random() < 0.6), **tiling
    )
    frames = int(draw.integers(1, 200))
    mesh.inject(draw.integers(0, 60 * S, frames), draw.integers(0, count, frames), draw.choice([-1, -1, -2], frames),
                draw.integers(1, 200, frames), priority=draw.integers(0, 3, frames), max_offers=3,
                reoffer_max_ns=3 * S)  # fmt: skip
    for _ in range(6):
        some, t_ns = draw.integers(0, count, max(1, count // 3)), int(draw.integers(0, 50 * S))
        mesh.power_off(some, t_ns, draw.integers(0, 2 * 10**9, some.size), sleep=draw.random(some.size) < 0.3)
        mesh.power_on(some, t_ns + draw.integers(0, 20 * S, some.size))
    for second in range(5, 80, 5):
        mesh.run_until(second * S)
        up = np.append(np.where(mesh.parents < 0, count, mesh.parents), count)
        for _ in range(count.bit_length()):
            up = up[up]
        assert (up == count).all()  # every way up ends
        counts = mesh.counters()
        assert counts["injected"] == counts["resolved"] + counts["alive"]
    return mesh.digest(), counts


@pytest.mark.parametrize("seeds", [range(15), pytest.param(range(15, 200), marks=pytest.mark.slow)])
def test_random_rules_in_random_fields(seeds):
    for seed in seeds:
        radio = random_mix(np.random.default_rng(seed))
        expected = random_run(radio, seed, "plain")
        assert random_run(radio, seed, "cells") == expected, (seed, radio)
        assert random_run(radio, seed, "cells", tiles=5, turns=seed) == expected, (seed, radio)
        assert random_run(radio, seed, "kernels", tiles=5, threads=3) == expected, (seed, radio)
