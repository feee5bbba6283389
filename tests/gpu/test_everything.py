"""All the rules of a production network at once: one result in both forms, in any windows, over saves and loads."""

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


def storm(form, about, count=260, seed=6):
    draw = np.random.default_rng(seed)
    radio = gpu.profile("fsk-100k-920", **(QUICK | about))
    mesh = gpu.Mesh.build(draw.uniform(0, 520, (count, 2)), [0, 1], radio, seed, form=form, backed=[0, 5, 9])
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
def test_one_result_whatever_the_form_the_windows_the_saves(tmp_path, about):
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

    cut = storm("cells", about)
    for k, t_ns in enumerate(np.sort(np.random.default_rng(2).integers(0, 60 * S, 150))):
        cut.run_until(int(t_ns))
        if k % 15 == 0:
            cut.save(tmp_path / "mesh")
            cut = gpu.Mesh.load(tmp_path / "mesh")
    cut.run_until(60 * S)
    assert result(cut) == expected
