"""The fast form gives what the plain one, the specification, gives: bit for bit, in every kind of field."""

import math

import numpy as np
import pytest

import gpu
from teiden.errors import InputError

FSK, OQPSK = "fsk-100k-920", "oqpsk-250k-2450"


def field(form, count=400, per_km2=1500, seed=5, window_s=4, profile=FSK, order=None, cut=None, **radio):
    """Return a field in a storm: offers, priorities, half of the nodes on stored energy, some of them returning."""
    draw = np.random.default_rng(seed)
    xy = draw.uniform(0, math.sqrt(count / per_km2) * 1000, (count, 2))
    extra = np.where(draw.random(count) < 0.2, 15.0, 0.0)
    mesh = gpu.Mesh.build(xy, [0, 1, 2], gpu.profile(profile, **radio), seed, extra_loss_db=extra, form=form,
                           **(cut or {}))  # fmt: skip
    src = np.arange(3, count)
    when = draw.integers(10**9, (1 + window_s) * 10**9, src.size)
    size, priority, offers = (draw.integers(low, high, src.size) for low, high in ((20, 120), (0, 3), (1, 5)))
    pick = np.arange(src.size) if order is None else np.random.default_rng(order).permutation(src.size)
    mesh.inject(when[pick], src[pick], -1, size[pick], priority=priority[pick], max_offers=offers[pick],
                reoffer_min_ns=10**8, reoffer_max_ns=4 * 10**9)  # fmt: skip
    mesh.power_off(src[::2], 10**9, draw.integers(5 * 10**7, 3 * 10**9, src[::2].size))
    mesh.power_on(src[::6], 4 * 10**9)
    return mesh


def result(mesh, end_ns=12 * 10**9):
    mesh.run_until(end_ns)
    drained = mesh.drain()
    return mesh.digest(), mesh.counters(), drained.deliveries.tolist(), drained.ends.tolist(), drained.deaths.tolist()


FIELDS = {
    "as in the twin": {},
    "14 channels": {"channels": 14},
    "5 channels, large": {"channels": 5, "count": 2000},
    "14 channels, some crowded": {"channels": 14, "count": 3000, "per_km2": 20000, "window_s": 1},
    "wider than the reach": {"count": 2500, "per_km2": 300},
    "sparse": {"count": 1500, "per_km2": 60},
    "dense": {"count": 1200, "per_km2": 20000},
    "dense burst": {"count": 800, "per_km2": 20000, "window_s": 1},
    "hard capture": {"capture": "hard", "count": 800, "per_km2": 5000},
    "hard capture, 3 channels": {"capture": "hard", "channels": 3},
    "chunks as ns-3": {"chunks": "ns-3", "per_km2": 5000},
    "no shadowing": {"shadowing_db": 0.0, "count": 1500, "per_km2": 3000},
    "lock below the noise": {"lock_sinr_db": -5.0, "per_km2": 5000},
    "no acknowledgement": {"ack": False, "per_km2": 3000},
    "short reach": {"interference_cut_dbm": -105.0, "count": 1500, "per_km2": 2000},
    "short lock history": {"lock_history_us": 100_000, "max_psdu_bytes": 500, "count": 800, "per_km2": 5000},
    "O-QPSK": {"profile": OQPSK, "window_s": 1, "count": 900},
    "O-QPSK, dense": {"profile": OQPSK, "window_s": 1, "count": 600, "per_km2": 20000},
    "O-QPSK, 14 channels": {"profile": OQPSK, "window_s": 1, "channels": 14, "per_km2": 8000},
}


@pytest.mark.parametrize("about", FIELDS.values(), ids=FIELDS)
def test_both_forms_give_one_result(about):
    plain, cells, tiles = (field("plain", **about), field("cells", **about),
                           field("cells", cut={"tiles": 9, "turns": 5}, **about))  # fmt: skip
    expected = result(plain)
    assert result(cells) == expected
    assert result(tiles) == expected
    assert result(field("kernels", cut={"tiles": 9, "turns": 5}, **about)) == expected
    assert cells.counters()["delivered"] > 0


@pytest.mark.parametrize(
    "about",
    [
        {"count": 2500, "per_km2": 1500, "window_s": 2},
        {"channels": 14, "count": 1500},
        {"count": 1500, "per_km2": 60},  # most nodes are out of the reach of another thread's: they run ahead
        {"count": 3000, "per_km2": 20000, "channels": 14, "window_s": 1},  # so busy that threads meet every turnaround
    ],
)
def test_threads_and_tiles_give_one_result(about):
    """Each tile of a window for itself, in any order, by one thread or several: what a GPU's blocks do, too."""
    cuts = [{}, {"threads": 2}, {"threads": 4, "tiles": 7}, {"threads": 8}] + [
        {"tiles": 40, "turns": k} for k in (1, 2)
    ]
    first, *others = (result(field("cells", cut=cut, **about), 6 * 10**9) for cut in cuts)
    others.append(result(field("kernels", cut={"threads": 4, "tiles": 30}, **about), 6 * 10**9))
    assert all(other == first for other in others)


@pytest.mark.parametrize("about", [{"profile": OQPSK}, {"channels": 14}])
def test_a_tile_of_many_nodes_looks_ahead_and_nothing_changes(tmp_path, about):
    """From 20,000 nodes on a tile fetches what its next events need; nine smaller tiles do not, nor the plain form."""
    about = {"count": 21_000, "per_km2": 3000, "window_s": 6, **about}
    expected = result(field("plain", **about), 2 * 10**9)
    assert result(field("cells", cut={"tiles": 9}, **about), 2 * 10**9) == expected
    mesh = field("cells", **about)
    mesh.run_until(int(1.5e9))
    mesh.save(tmp_path / "a.mesh")
    assert result(mesh, 2 * 10**9) == expected
    loaded = gpu.Mesh.load(tmp_path / "a.mesh")
    loaded.run_until(2 * 10**9)
    assert loaded.digest() == expected[0]


def test_a_mesh_in_tiles_is_saved_and_loaded(tmp_path):
    straight = result(field("cells", count=900))
    mesh = field("cells", count=900, cut={"threads": 2})
    mesh.run_until(int(2.2e9))
    mesh.save(tmp_path / "a.mesh")
    mesh = gpu.Mesh.load(tmp_path / "a.mesh", threads=3)
    assert result(mesh) == straight


@pytest.mark.parametrize("seed", range(20, 28))
def test_random_fields_under_random_radios(seed):
    draw = np.random.default_rng(seed)
    about = {
        "count": int(draw.integers(50, 1200)), "per_km2": float(10 ** draw.uniform(1.5, 4.5)), "seed": seed,
        "window_s": int(draw.integers(1, 5)), "channels": int(draw.choice([1, 1, 2, 14])),
        "shadowing_db": float(draw.choice([0, 6, 10])), "lock_sinr_db": float(draw.uniform(-8, 8)),
        "cca_threshold_dbm": float(draw.uniform(-110, -70)), "capture": str(draw.choice(["sinr", "hard"])),
        "profile": str(draw.choice([FSK, OQPSK, "fsk-300k-920"])),
    }  # fmt: skip
    assert result(field("cells", **about)) == result(field("plain", **about)), about


@pytest.mark.parametrize("channels", [1, 14])
def test_cuts_saves_and_another_order_of_injection_change_nothing(tmp_path, channels):
    about = {"count": 900, "per_km2": 4000, "channels": channels}
    whole = field("plain", **about)
    whole.run_until(12 * 10**9)
    mesh = field("cells", order=3, **about)
    draw = np.random.default_rng(channels)
    for k, t_ns in enumerate(np.sort(draw.integers(0, 12 * 10**9, 12))):
        mesh.run_until(int(t_ns))
        mesh.save(tmp_path / f"{k}.mesh")
        mesh = gpu.Mesh.load(tmp_path / f"{k}.mesh")
        assert mesh.form == "cells"
    mesh.run_until(12 * 10**9)
    assert mesh.digest() == whole.digest()


def test_a_link_table_is_heard_alike_in_both_forms():
    draw = np.random.default_rng(2)
    src, dst = (a.ravel() for a in np.meshgrid(np.arange(120), np.arange(120)))
    kept = (src != dst) & (draw.random(src.size) < 0.3)
    links = (src[kept], dst[kept], draw.uniform(70, 125, kept.sum()))
    digests = set()
    for form in ("plain", "cells"):
        mesh = gpu.Mesh.build(np.zeros((120, 2)), [0], gpu.profile(FSK), 4, links=links, form=form)
        mesh.inject(np.arange(1, 120) * 3_000_000, np.arange(1, 120), -1, 100, max_offers=3, reoffer_max_ns=10**9)
        mesh.run_until(10 * 10**9)
        digests.add(mesh.digest())
    assert len(digests) == 1


@pytest.mark.parametrize("form", ["plain", "cells"])
def test_a_radio_is_locked_to_the_last_tick_of_a_frame(form):
    """A CCA that ends in a frame's last tick finds the radio locked; one that ends a tick later does not."""
    radio = gpu.profile(FSK, shadowing_db=0.0, min_be=0, max_be=0, max_csma_backoffs=0, cca_threshold_dbm=0.0,
                        ack=False, turnaround_us=192)  # fmt: skip
    air_us = radio.air_us(100)
    busy = []
    for late_us in (0, 1):
        mesh = gpu.Mesh.build([[0, 0], [30, 0], [60, 0]], [0], radio, 1, route=False, form=form)
        mesh.inject(0, 1, 0, 100)  # on air from cca + turnaround on
        last_tick = radio.cca_us + radio.turnaround_us + air_us - 1
        mesh.inject((last_tick + late_us - radio.cca_us) * 1000, 2, 0, 100)
        mesh.run_until(10**9)
        busy.append(mesh.counters()["cca_busy"])
    assert busy == [1, 0]


def test_events_far_apart_come_in_order():
    mesh = gpu.Mesh.build([[0, 0], [30, 0]], [0], gpu.profile(FSK), 1)
    mesh.inject([10**17, 10**9, 40 * 10**9, 10**17 - 10**10], 1, -1, 50)
    mesh.run_until(10**18)
    assert mesh.drain().deliveries["frame"].tolist() == [1, 2, 3, 0]


def test_an_unknown_form_is_refused():
    with pytest.raises(InputError, match="form = 'fast'"):
        gpu.Mesh.build([[0, 0]], [0], gpu.profile(FSK), 1, form="fast")


def supplies(count):
    """Return (t_ns, node, energy_nj), energy -1: back on the mains; many hit a transmission under way."""
    draw = np.random.default_rng(8)
    t_ns = np.sort(draw.integers(10**9, 4 * 10**9, 4 * count))
    energy_nj = np.where(draw.random(t_ns.size) < 0.4, -1, (10 ** draw.uniform(3, 7.5, t_ns.size)).astype(np.int64))
    return zip(t_ns.tolist(), draw.integers(1, count, t_ns.size).tolist(), energy_nj.tolist(), strict=True)


def supplied(form, early, count=150):
    """Return a busy field whose supplies change: all announced at the start, or each at the very last moment."""
    draw = np.random.default_rng(4)
    mesh = gpu.Mesh.build(draw.uniform(0, 250, (count, 2)), [0], gpu.profile(FSK), 4, form=form)
    mesh.inject(draw.integers(10**9, 4 * 10**9, 6 * count), draw.integers(1, count, 6 * count), -1, 147, max_offers=3,
                reoffer_min_ns=10**7, reoffer_max_ns=10**9)  # fmt: skip
    for t_ns, node, energy_nj in supplies(count):
        if not early:
            mesh.run_until(t_ns // 1000 * 1000)
        if energy_nj < 0:
            mesh.power_on(node, t_ns)
        else:
            mesh.power_off(node, t_ns, energy_nj)
    return mesh


def test_a_supply_that_changes_without_notice_cuts_and_saves_transmissions_under_way():
    """Nodes foresee their death when they begin to send; what the caller says later must come to the same."""
    meshes = [supplied(form, early) for form in ("plain", "cells") for early in (True, False)]
    first, *others = (result(mesh, 8 * 10**9) for mesh in meshes)
    assert all(other == first for other in others)
    assert first[1]["cut_by_death"] > 20
