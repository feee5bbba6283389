"""Schedules of channels: DH1CF, own phases, broadcast dwells; who hears a broadcast."""

import numpy as np
import pytest

import gpu
from gpu import rng

MS, S = 1_000_000, 1_000_000_000
PERFECT_DB = 40.0
MASK = 0xFFFFFFFF


def rot(x, k):
    return (x << k | x >> (32 - k)) & MASK


def hashlittle(data, initval=0):
    """Return Bob Jenkins' lookup3 hash of bytes, written from its description."""
    a = b = c = (0xDEADBEEF + len(data) + initval) & MASK
    while len(data) > 12:
        a, b, c = ((w + int.from_bytes(data[i : i + 4], "little")) & MASK for w, i in ((a, 0), (b, 4), (c, 8)))
        for k, (x, y, z) in zip((4, 6, 8, 16, 19, 4), ("acb", "bac", "cba") * 2, strict=True):
            w = {"a": a, "b": b, "c": c}
            w[x] = (w[x] - w[y]) & MASK ^ rot(w[y], k)
            w[y] = (w[y] + w[z]) & MASK
            a, b, c = w["a"], w["b"], w["c"]
        data = data[12:]
    if not data:
        return c
    data = data.ljust(12, b"\0")
    a, b, c = ((w + int.from_bytes(data[i : i + 4], "little")) & MASK for w, i in ((a, 0), (b, 4), (c, 8)))
    for k, (x, y) in zip((14, 11, 25, 16, 4, 14, 24), ("cb", "ac", "ba", "cb", "ac", "ba", "cb"), strict=True):
        w = {"a": a, "b": b, "c": c}
        w[x] = ((w[x] ^ w[y]) - rot(w[y], k)) & MASK
        a, b, c = w["a"], w["b"], w["c"]
    return c


def hashword(*words):
    return hashlittle(b"".join(int(w & MASK).to_bytes(4, "little") for w in words))


def test_the_reference_hash_is_jenkins():
    """The values lookup3.c prints for itself."""
    assert hashlittle(b"") == 0xDEADBEEF
    assert hashlittle(b"Four score and seven years ago") == 0x17770551
    assert hashlittle(b"Four score and seven years ago", 1) == 0xCD628161


def broadcast_dwell(seed, pan, tick, interval=1_020_000, dwell=255_000):
    """Return (number, begin, end) of the dwell under way or next."""
    phase = int(rng.draw_below(interval, seed, rng.PAN, pan, 0))
    number = (tick + phase) // interval + ((tick + phase) % interval >= dwell)
    return number, number * interval - phase, number * interval - phase + dwell


def expected_channel(seed, node, pan, tick, channels):
    number, begin, _ = broadcast_dwell(seed, pan, tick)
    if tick >= begin:
        bsi = int(rng.draw_u64(seed, rng.PAN, pan, 1)) & 0xFFFF
        return hashword(number & 0xFFFF, bsi << 16, 0) % channels
    phase = int(rng.draw_below(255_000, seed, rng.PHASE, node))
    return hashword((tick + phase) // 255_000 & 0xFFFF, node, seed) % channels


@pytest.mark.parametrize("channels", [14, 29])
def test_channels_follow_dh1cf_with_own_phases_and_broadcast_dwells(channels):
    seed, nodes = 9, np.arange(12)
    mesh = gpu.Mesh.build(np.zeros((12, 2)), [], gpu.profile("fsk-50k-920", channels=channels), seed, route=False)
    seen = np.zeros(channels, int)
    for tick in np.random.default_rng(1).integers(0, 10**9, 300).tolist():
        got = mesh.listening_channels(nodes, tick * 1000)
        assert got.tolist() == [expected_channel(seed, node, 0, tick, channels) for node in nodes.tolist()]
        seen += np.bincount(got, minlength=channels)
    assert seen.min() > 0.5 * seen.sum() / channels  # every channel has its share


def star(count, seed=3, **overrides):
    """Return a star of perfect links around the sink 0; the others hear each other too."""
    radio = gpu.profile("fsk-100k-920", **overrides)
    pairs = np.argwhere(~np.eye(count, dtype=bool))
    links = (pairs[:, 0], pairs[:, 1], np.full(len(pairs), PERFECT_DB))
    return gpu.Mesh.build(np.zeros((count, 2)), [0], radio, seed, links=links, parents=[-1] + [0] * (count - 1))


def test_unicasts_meet_their_receiver_and_keep_out_of_broadcast_dwells():
    mesh = star(2, channels=14)
    t_ns = np.arange(400) * 97 * MS
    frames = mesh.inject(t_ns, 1, -1, 100)
    mesh.run_until(60 * S)
    rows = mesh.frames(frames)
    assert (rows["first_rx_ns"] >= 0).all()
    # a frame is lost only where a dwell of the receiver ends between CCA and first bit; 1 ms in 255
    assert (rows["attempts"] == 1).mean() > 0.98
    ticks = (rows["first_tx_ns"] // 1000).tolist()
    assert all(tick < broadcast_dwell(3, 0, tick)[1] for tick in ticks)
    assert max(rows["first_tx_ns"] - t_ns) > 200 * MS  # some had to wait for a dwell to pass


def test_a_broadcast_goes_out_in_the_dwell_and_everybody_awake_hears_it():
    mesh = star(8, channels=14)
    mesh.power_off([5], 0, 0)
    mesh.power_off([6], 0, 10**12, sleep=True)
    frames = mesh.inject(np.arange(30) * 700 * MS + 1, 3, -2, 60)
    mesh.run_until(60 * S)
    rows, drained = mesh.frames(frames), mesh.drain()
    for row in rows:
        tick = int(row["first_tx_ns"]) // 1000
        _, begin, end = broadcast_dwell(3, 0, tick)
        assert begin <= tick
        assert tick + mesh.radio.air_us(60) <= end
        heard = drained.deliveries[drained.deliveries["frame"] == row["frame"]]
        assert sorted(heard["node"].tolist()) == [0, 1, 2, 4, 7]
        assert set(heard["t_ns"].tolist()) == {int(row["first_rx_ns"])}
        assert (gpu.OUTCOMES[row["outcome"]], row["attempts"]) == ("unacked_delivered", 1)
    counts = mesh.counters()
    assert (counts["broadcast_received"], counts["delivered"], counts["tx_ack"]) == (30 * 5, 30, 0)


@pytest.mark.parametrize("form", ["cells", "plain"])
def test_a_lone_broadcast_reaches_whoever_has_the_level_to_lock(form):
    draw = np.random.default_rng(8)
    count = 500
    xy = draw.uniform(0, 2500, (count, 2))
    mesh = gpu.Mesh.build(xy, [0], gpu.profile("fsk-100k-920"), 4, form=form, extra_loss_db=draw.uniform(0, 10, count))
    mesh.inject(np.arange(20) * S, np.arange(20) * 7, -2, 1)
    mesh.run_until(30 * S)
    drained = mesh.drain().deliveries
    assert drained.size > 40
    for k in range(20):
        heard = set(drained["node"][drained["frame"] == k].tolist())
        snr = mesh.link_snr_db(7 * k, np.arange(count))
        snr[7 * k] = -np.inf
        certain = set(np.flatnonzero(snr > 16).tolist())  # 17 bytes at 16 dB: an error in 10^6
        assert certain <= heard <= set(np.flatnonzero(snr >= 3.0).tolist())  # lock_sinr_db


def test_a_broadcast_nobody_hears_ends_without_delivery():
    mesh = gpu.Mesh.build([[0, 0], [50_000, 0]], [0], gpu.profile("fsk-100k-920"), 1)
    frame = mesh.inject(0, 1, -2, 60)
    mesh.run_until(1 * S)
    assert gpu.OUTCOMES[mesh.frames(frame)[0]["outcome"]] == "no_ack"
    assert mesh.drain().ends.size == 1


def test_hidden_broadcasts_collide_where_both_are_heard():
    """1 and 2 do not hear each other; 0 hears both alike, 3 only the first, 4 only the second."""
    links = ([1, 2, 1, 2], [0, 0, 3, 4], [PERFECT_DB] * 4)
    radio = gpu.profile("fsk-100k-920", min_be=0, max_be=0)
    mesh = gpu.Mesh.build(np.zeros((5, 2)), [], radio, 1, links=links, route=False)
    mesh.inject(0, [1, 2], -2, 100)
    mesh.run_until(1 * S)
    assert sorted(mesh.drain().deliveries["node"].tolist()) == [3, 4]
