"""Medium access, relays, queues and offers, to the microsecond where a hand calculation gives one."""

import math

import numpy as np
import pytest

import gpu
from gpu import rng, tables

PLAIN = {"min_be": 0, "max_be": 0}  # no backoff: timing by hand
PERFECT_DB = 40.0
MS = 1_000_000


def chain(hops, radio=None, **build):
    """Return a mesh 0 - 1 - 2 ... of perfect links; node 0 is the sink."""
    near = np.arange(hops)
    links = (np.r_[near, near + 1], np.r_[near + 1, near], np.full(2 * hops, PERFECT_DB))
    radio = radio or gpu.profile("oqpsk-250k-2450", **PLAIN)
    return gpu.Mesh.build(np.zeros((hops + 1, 2)), [0], radio, 1, links=links, **build)


def outcomes(mesh):
    return [gpu.OUTCOMES[code] for code in mesh.frames()["outcome"]]


def test_one_hop_takes_cca_turnaround_and_airtime():
    mesh = chain(1)
    mesh.inject(0, 1, -1, 100)
    mesh.run_until(10 * MS)
    frame = mesh.frames()[0]
    assert frame["first_tx_ns"] == (128 + 192) * 1000
    assert frame["first_rx_ns"] == (128 + 192 + 3392) * 1000
    # ACK: turnaround 192 and 11 B = 352 us
    assert mesh.drain().ends["t_ns"].tolist() == [(3712 + 192 + 352) * 1000]
    assert outcomes(mesh) == ["acked"]


def test_relay_starts_csma_once_its_ack_is_out_and_the_radio_has_turned_round():
    mesh = chain(2)
    mesh.inject(0, 2, -1, 100)
    mesh.run_until(20 * MS)
    relay_csma_us = 3712 + 192 + 352 + 192
    frame = mesh.frames()[0]
    assert frame["first_rx_ns"] == (relay_csma_us + 128 + 192 + 3392) * 1000
    assert (frame["hops"], frame["attempts"], frame["sink"]) == (2, 2, 0)


def test_pause_after_an_acknowledged_frame_holds_back_the_next():
    mesh = chain(1)
    first, second = mesh.inject(0, [1, 1], -1, 100)
    mesh.run_until(20 * MS)
    received = mesh.frames([first, second])["first_rx_ns"]
    cycle_us = 128 + 192 + 3392 + 192 + 352 + 640  # LIFS 640 us
    assert received.tolist() == [3712_000, (3712 + cycle_us) * 1000]


def test_lost_acks_make_duplicates_that_are_acknowledged_again():
    radio = gpu.profile("oqpsk-250k-2450", **PLAIN)
    mesh = gpu.Mesh.build(np.zeros((2, 2)), [0], radio, 1, links=([1], [0], [PERFECT_DB]), route=False)
    mesh.inject(0, 1, 0, 100)
    mesh.run_until(100 * MS)
    counts = mesh.counters()
    assert (counts["tx_data"], counts["tx_ack"], counts["duplicates"], counts["delivered"]) == (4, 4, 3, 1)
    assert outcomes(mesh) == ["unacked_delivered"]
    assert mesh.frames()[0]["no_ack"]  # the sender's verdict
    # every attempt waits 864 us for the ACK and starts CSMA anew
    assert mesh.drain().ends["t_ns"].tolist() == [4 * (128 + 192 + 3392 + 864) * 1000]


def test_a_relay_acknowledges_what_it_has_taken_over_and_drops_it():
    radio = gpu.profile("oqpsk-250k-2450", **PLAIN)
    links = ([2, 1, 0], [1, 0, 1], [PERFECT_DB] * 3)  # nothing from the relay reaches node 2
    mesh = gpu.Mesh.build(np.zeros((3, 2)), [0], radio, 1, links=links, parents=[-1, 0, 1])
    mesh.inject(0, 2, -1, 100)
    mesh.run_until(200 * MS)
    counts = mesh.counters()
    assert counts["delivered"] == 1
    assert counts["duplicates"] == counts["received_data"] - 2  # one taken over, one arrived
    assert outcomes(mesh) == ["unacked_delivered"]


@pytest.mark.parametrize("form", gpu.mesh.FORMS)
@pytest.mark.parametrize(
    ("window_end_us", "idle"), [(319, True), (320, True), (321, False), (3711, False), (3712, True)],
    ids=["before", "start", "after the start", "before the end", "end"],
)  # fmt: skip
def test_a_window_that_ends_as_a_frame_starts_or_ends_finds_the_channel_idle(window_end_us, idle, form):
    """As ns-3 has it: a CCA ends before a signal of the same instant comes, and after one that goes."""
    mesh = chain(2, form=form)
    mesh.inject(0, 1, 0, 100)  # on air from 320 to 3712
    other = mesh.inject((window_end_us - 128) * 1000, 2, 1, 50)
    mesh.run_until(20 * MS)
    assert (mesh.frames(other)[0]["first_tx_ns"] == (window_end_us + 192) * 1000) == idle


def test_busy_channel_drops_the_frame_after_its_backoffs_without_a_retry():
    radio = gpu.profile("oqpsk-250k-2450", max_psdu_bytes=4000, lock_history_us=200_000)
    links = ([1, 1, 2], [0, 2, 0], [PERFECT_DB] * 3)
    mesh = gpu.Mesh.build(np.zeros((3, 2)), [], radio, 1, links=links, route=False)
    mesh.inject(0, 1, 0, 3000)  # 96 ms on air
    late = mesh.inject(10 * MS, 2, 0, 100)
    mesh.run_until(500 * MS)
    frame = mesh.frames(late)[0]
    assert gpu.OUTCOMES[frame["outcome"]] == "channel_access_failure"
    assert (frame["attempts"], frame["access_failure"], frame["no_ack"]) == (0, True, False)
    assert mesh.counters()["cca_busy"] >= 5  # 1 and 4 more backoffs


def test_a_full_queue_drops_the_newcomer_and_counts_the_one_being_sent():
    mesh = chain(1)
    mesh.inject(0, [1] * 10, -1, 100)
    mesh.run_until(100 * MS)
    assert sorted(outcomes(mesh)) == ["acked"] * 8 + ["dropped_queue"] * 2


def test_a_relay_with_a_full_queue_acknowledges_the_newcomer_and_drops_it():
    radio = gpu.profile("oqpsk-250k-2450", queue_frames=2, max_frame_retries=50)  # the relay stays full
    links = ([2, 1, 1], [1, 2, 0], [PERFECT_DB] * 3)  # the sink hears the relay but cannot answer
    mesh = gpu.Mesh.build(np.zeros((3, 2)), [0], radio, 1, links=links, parents=[-1, 0, 1])
    mesh.inject(0, [1, 1], -1, 100)
    late = mesh.inject(5 * MS, 2, -1, 100)
    mesh.run_until(200 * MS)
    frame = mesh.frames(late)[0]
    assert gpu.OUTCOMES[frame["outcome"]] == "dropped_queue"
    assert not frame["no_ack"]  # its sender was acknowledged


def test_higher_priority_goes_ahead_of_what_waits_but_not_of_what_is_being_sent():
    mesh = chain(1)
    low = mesh.inject([0, 1000, 2000], 1, -1, 100)
    high = mesh.inject([3000, 4000], 1, -1, 100, priority=[5, 9])
    mesh.run_until(100 * MS)
    order = mesh.drain().deliveries["frame"].tolist()
    assert order == [low[0], high[1], high[0], low[1], low[2]]


def test_offers_again_until_the_parent_is_back():
    mesh = chain(1)
    mesh.power_off(0, 0, 0)
    mesh.power_on(0, 5_000 * MS)
    once = mesh.inject(10 * MS, 1, -1, 100)
    often = mesh.inject(20 * MS, 1, -1, 100, max_offers=20, reoffer_min_ns=900 * MS, reoffer_max_ns=1100 * MS)
    mesh.run_until(10_000 * MS)
    single, several = mesh.frames(once)[0], mesh.frames(often)[0]
    assert gpu.OUTCOMES[single["outcome"]] == "no_ack"
    assert (single["attempts"], single["offers"]) == (4, 1)
    assert gpu.OUTCOMES[several["outcome"]] == "acked"
    # the power is back after 5 s, offers are 0.9 to 1.1 s and a service of some 20 ms apart
    assert 5 <= several["offers"] <= 7
    assert 5.0e9 < several["first_rx_ns"] < 6.2e9


def test_every_holder_has_its_own_offers():
    mesh = chain(2)
    mesh.power_off(0, 0, 0)
    frame = mesh.inject(10 * MS, 2, -1, 100, max_offers=3, reoffer_min_ns=50 * MS, reoffer_max_ns=80 * MS)
    mesh.run_until(5_000 * MS)
    row = mesh.frames(frame)[0]
    assert (row["offers"], row["attempts"]) == (1 + 3, 1 + 3 * 4)
    assert mesh.drain().ends["node"].tolist() == [1]  # it died at the relay


def test_reoffer_delays_cover_their_range():
    count = 400
    radio = gpu.profile("oqpsk-250k-2450", **PLAIN, max_frame_retries=0)
    links = ([1], [0], [PERFECT_DB])
    mesh = gpu.Mesh.build(np.zeros((2, 2)), [], radio, 1, links=links, route=False)
    t_ns = np.arange(count) * 1000 * MS
    frames = mesh.inject(t_ns, 1, 0, 100, max_offers=2, reoffer_min_ns=100 * MS, reoffer_max_ns=300 * MS)
    mesh.run_until(count * 1000 * MS)
    ends = mesh.drain().ends
    cycle_ns = (128 + 192 + 3392 + 864) * 1000
    delay = ends["t_ns"][np.argsort(ends["frame"])] - t_ns - 2 * cycle_ns
    assert len(frames) == count
    assert delay.min() >= 100 * MS
    assert delay.max() <= 300 * MS
    # uniform: mean 200 ms, standard error 57.7/20 = 2.9 ms
    assert delay.mean() == pytest.approx(200 * MS, abs=9 * MS)


def test_frames_find_their_way_down_and_across_the_tree():
    """0 is the sink; 1 and 2 below it, 3 below 1, 4 below 2."""
    up = [(1, 0), (2, 0), (3, 1), (4, 2)]
    pairs = np.array(up + [(b, a) for a, b in up])
    links = (pairs[:, 0], pairs[:, 1], np.full(len(pairs), PERFECT_DB))
    mesh = gpu.Mesh.build(np.zeros((6, 2)), [0], gpu.profile("oqpsk-250k-2450", **PLAIN), 1, links=links)
    t_ns = np.arange(5) * 100 * MS
    mesh.inject(t_ns, [0, 3, 3, 3, 5], [4, 4, 1, 0, -1], 50)
    mesh.run_until(1000 * MS)
    assert outcomes(mesh) == ["acked"] * 4 + ["no_route"]
    assert mesh.frames()["hops"][:4].tolist() == [2, 4, 1, 2]
    assert mesh.frames()["sink"][:4].tolist() == [4, 4, 1, 0]


def test_a_frame_at_the_sink_has_arrived():
    mesh = chain(1)
    mesh.inject(5 * MS, 0, -1, 50)
    mesh.run_until(10 * MS)
    frame = mesh.frames()[0]
    assert (frame["hops"], frame["attempts"], frame["first_rx_ns"]) == (0, 0, 5 * MS)


def test_without_acks_the_sender_never_learns():
    radio = gpu.profile("oqpsk-250k-2450", **PLAIN, ack=False)
    mesh = gpu.Mesh.build(np.zeros((3, 2)), [], radio, 1, links=([1], [0], [PERFECT_DB]), route=False)
    mesh.inject(0, [1, 2], 0, 100)
    mesh.run_until(100 * MS)
    assert outcomes(mesh) == ["unacked_delivered", "no_ack"]
    assert mesh.counters()["no_ack_verdicts"] == 0


def test_channels_keep_pairs_apart():
    """Twenty pairs at 0 dB on one channel collide; on many channels they share it out."""
    shares = []
    for channels in (1, 14):
        radio = gpu.profile("fsk-100k-920", channels=channels)
        senders, receivers = np.arange(20), np.arange(20, 40)
        every = np.argwhere(~np.eye(40, dtype=bool))
        links = (every[:, 0], every[:, 1], np.full(len(every), 60.0))
        mesh = gpu.Mesh.build(np.zeros((40, 2)), [], radio, 1, links=links, route=False)
        draw = np.random.default_rng(2)
        for _ in range(20):
            mesh.inject(draw.integers(0, 10_000 * MS, 20), senders, receivers, 147)
        mesh.run_until(20_000 * MS)
        counts = mesh.counters()
        shares.append((counts["delivered"] / counts["injected"], counts["tx_data"] / counts["delivered"]))
    assert shares[1][0] > 0.99
    assert shares[1][1] < shares[0][1]


def test_airtime_is_bits_over_rate_and_counted_to_the_sender():
    mesh = chain(1)
    mesh.inject(0, 1, -1, 100)
    mesh.run_until(100 * MS)
    assert mesh.airtime_ns.tolist() == [352_000, 3_392_000]  # the ACK and the frame
    counts = mesh.counters()
    assert (counts["on_air_data_us"], counts["on_air_ack_us"]) == (3392, 352)


@pytest.mark.parametrize(
    ("rate", "gasp_ms", "ack_ms"), [("50", 26.1, 11.5), ("100", 13.0, 5.8), ("150", 8.9, 4.1), ("300", 4.8, 2.3)]
)
def test_wi_sun_frames_last_what_the_byte_budget_says(rate, gasp_ms, ack_ms):
    radio = gpu.profile(f"fsk-{rate}k-920")  # DOMAIN 2.3, rounded there to 0.1 ms
    assert radio.air_us(147) / 1000 == pytest.approx(gasp_ms, abs=0.06)
    assert radio.air_us(56) / 1000 == pytest.approx(ack_ms, abs=0.06)


def test_shadowing_is_the_hashed_draw_and_the_same_both_ways():
    draw = np.random.default_rng(4)
    xy = draw.uniform(0, 300, (60, 2))
    radio = gpu.profile("fsk-100k-920")
    mesh = gpu.Mesh.build(xy, [], radio, 99, route=False, extra_loss_db=np.linspace(0, 20, 60))
    a, b = np.argwhere(~np.eye(60, dtype=bool)).T
    low, high = np.minimum(a, b).astype(np.uint64), np.maximum(a, b).astype(np.uint64)
    index = (rng.draw_u64(99, rng.SHADOW, low << np.uint64(32) | high) & np.uint64(255)).astype(int)
    distance = np.maximum(np.hypot(*(xy[a] - xy[b]).T), 1.0)
    expected = (13 + 116 - 31.7 - 38 * np.log10(distance) + 6 * tables.gauss_table()[index] / 2**16
                - np.linspace(0, 20, 60)[a] - np.linspace(0, 20, 60)[b])  # fmt: skip
    got = mesh.link_snr_db(a, b)
    assert np.abs(got - expected).max() < 0.02  # extra losses are kept to 0.01 dB
    assert (got == mesh.link_snr_db(b, a)).all()
    assert math.isclose(got.mean(), expected.mean(), abs_tol=0.005)
