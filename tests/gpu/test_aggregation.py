"""Frames that share a transmission: sizes by hand, nothing lost or doubled, one result in both forms."""

import math

import numpy as np
import pytest

import gpu
from teiden.errors import InputError

MS, S = 1_000_000, 1_000_000_000
PERFECT_DB = 40.0


def chain(hops, **overrides):
    """Return a mesh 0 - 1 - 2 ... of perfect links; node 0 is the sink."""
    near = np.arange(hops)
    links = (np.r_[near, near + 1], np.r_[near + 1, near], np.full(2 * hops, PERFECT_DB))
    radio = gpu.profile("fsk-100k-920", min_be=0, max_be=0, **overrides)
    return gpu.Mesh.build(np.zeros((hops + 1, 2)), [0], radio, 1, links=links)


def test_what_waits_rides_along_under_one_header():
    mesh = chain(1, aggregate_frames=10, queue_frames=20)
    frames = mesh.inject(0, [1] * 11, -1, 147)
    mesh.run_until(10 * S)
    # the first is taken up alone in the tick it comes; all eleven are there when it is sent, ten of them fit
    one_us, rest_us = mesh.radio.air_us(101 + 10 * 46), mesh.radio.air_us(147)
    assert mesh.airtime_ns[1] == (one_us + rest_us) * 1000
    counts = mesh.counters()
    assert (counts["tx_data"], counts["aggregated"], counts["tx_ack"], counts["delivered"]) == (2, 9, 2, 11)
    rows = mesh.frames(frames)
    assert {gpu.OUTCOMES[code] for code in rows["outcome"]} == {"acked"}
    assert (rows["attempts"] == 1).all()
    arrived = np.unique(rows["first_rx_ns"])
    assert arrived.size == 2
    assert arrived[0] == (128 + 1000 + one_us) * 1000


def test_a_shared_transmission_stays_within_the_longest_psdu():
    mesh = chain(1, aggregate_frames=100, queue_frames=100, max_psdu_bytes=500)
    mesh.inject(0, [1] * 20, -1, 147)
    mesh.run_until(10 * S)
    assert (500 - 101) // 46 == 8
    assert mesh.counters()["tx_data"] == math.ceil(20 / 8)
    assert mesh.counters()["delivered"] == 20


def test_frames_down_and_broadcasts_travel_alone():
    mesh = chain(2, aggregate_frames=10)
    mesh.inject(0, 1, [2, -2, -1, -1], 147)
    mesh.run_until(10 * S)
    assert mesh.counters()["tx_data"] == 3
    assert mesh.counters()["aggregated"] == 1


def test_a_relay_waits_for_more():
    alone, together = (chain(2, aggregate_frames=10, aggregate_wait_us=wait_us) for wait_us in (0, 2_000_000))
    for mesh in (alone, together):
        mesh.inject(np.arange(5) * 300 * MS, 2, -1, 147)
        mesh.run_until(20 * S)
        assert mesh.counters()["delivered"] == 5
    assert alone.counters()["tx_data"] == 10
    assert together.counters()["tx_data"] == 5 + 1  # the relay sends once
    # 2 s from the first one's reception, then CCA, turnaround and the shared frame
    radio = together.radio
    expected_us = (128 + 1000 + radio.air_us(147)) + 2_000_000 + 128 + 1000 + radio.air_us(101 + 5 * 46)
    assert together.drain().deliveries["t_ns"].tolist() == [expected_us * 1000] * 5


def test_a_lost_ack_makes_duplicates_of_all_that_rode():
    radio = gpu.profile("fsk-100k-920", min_be=0, max_be=0, aggregate_frames=4, max_frame_retries=1)
    mesh = gpu.Mesh.build(np.zeros((2, 2)), [0], radio, 1, links=([1], [0], [PERFECT_DB]), parents=[-1, 0])
    frames = mesh.inject(0, [1] * 4, -1, 147)
    mesh.run_until(10 * S)
    rows = mesh.frames(frames)
    # each is head of the queue in its turn, with all behind it aboard, twice
    assert sorted(rows["attempts"].tolist()) == [2, 4, 6, 8]
    assert {gpu.OUTCOMES[code] for code in rows["outcome"]} == {"unacked_delivered"}
    assert mesh.counters()["delivered"] == 4
    assert mesh.counters()["duplicates"] == 2 * (4 + 3 + 2 + 1) - 4


def test_waiting_for_nobody_is_refused():
    with pytest.raises(InputError, match="aggregate_wait_us = 1000, expected 0 with aggregate_frames = 1"):
        gpu.profile("fsk-100k-920", aggregate_wait_us=1000)


def storm(form, count=400, seed=5, **overrides):
    draw = np.random.default_rng(seed)
    xy = draw.uniform(0, math.sqrt(count / 1500) * 1000, (count, 2))
    radio = gpu.profile("fsk-100k-920", queue_frames=30, **overrides)
    mesh = gpu.Mesh.build(xy, [0, 1], radio, seed, form=form)
    src = np.arange(2, count)
    mesh.inject(draw.integers(1 * S, 5 * S, src.size), src, -1, draw.integers(50, 160, src.size), max_offers=3,
                reoffer_max_ns=4 * S)  # fmt: skip
    mesh.power_off(src, 1 * S, draw.integers(5 * 10**7, 3 * 10**9, src.size))
    mesh.power_on(src[::4], 7 * S)
    return mesh


@pytest.mark.parametrize("wait_us", [0, 500_000])
def test_nothing_is_lost_or_doubled_and_both_forms_agree(tmp_path, wait_us):
    whole = storm("plain", aggregate_frames=8, aggregate_wait_us=wait_us)
    mesh = storm("cells", aggregate_frames=8, aggregate_wait_us=wait_us)
    for k, t_ns in enumerate(np.sort(np.random.default_rng(3).integers(0, 20 * S, 60))):
        mesh.run_until(int(t_ns))
        counts = mesh.counters()
        assert counts["injected"] == counts["resolved"] + counts["alive"]
        if k % 10 == 0:
            mesh.save(tmp_path / "mesh")
            mesh = gpu.Mesh.load(tmp_path / "mesh")
    for m in (whole, mesh):
        m.run_until(60 * S)
    assert mesh.digest() == whole.digest()
    counts = whole.counters()
    assert counts["aggregated"] > 100
    assert counts["injected"] == counts["resolved"]
    assert (whole.frames()["copies"] == 0).all()
    assert counts["delivered"] == whole.drain().deliveries.size == (whole.frames()["first_rx_ns"] >= 0).sum()


def test_sharing_carries_more_of_a_storm():
    alone, shared = (storm("cells", aggregate_frames=n) for n in (1, 8))
    for mesh in (alone, shared):
        mesh.run_until(60 * S)
    few, many = (mesh.counters() for mesh in (alone, shared))
    assert many["delivered"] > few["delivered"]
    assert many["on_air_data_us"] / many["delivered"] < few["on_air_data_us"] / few["delivered"]
