"""Retry rules of the stacks, and the Japanese limits on sending: pause, burst, 360 s an hour."""

import numpy as np
import pytest

import gpu
from teiden.errors import InputError

MS, S = 1_000_000, 1_000_000_000
PERFECT_DB = 40.0


def pair(deaf_sender=False, **overrides):
    """Return node 1 and its sink 0, without backoff; the sender may be unable to hear the ACKs."""
    radio = gpu.profile("fsk-100k-920", min_be=0, max_be=0, **overrides)
    links = ([1], [0], [PERFECT_DB]) if deaf_sender else ([1, 0], [0, 1], [PERFECT_DB] * 2)
    return gpu.Mesh.build(np.zeros((2, 2)), [0], radio, 1, links=links, route=False)


@pytest.mark.parametrize(
    ("rule", "attempts"),
    [
        ({}, 8),
        ({"retry_rule": "802.15.4"}, 4),
        ({"retry_rule": "mbed-os"}, 20),
        ({"retry_rule": "mbed-os-bootstrap"}, 20),
        ({"retry_rule": "mbed-os", "max_channel_retries": 1}, 8),
        ({"max_frame_retries": 0}, 1),
    ],
    ids=["wisun-br-linux", "802.15.4", "mbed-os", "bootstrap", "mbed-os, one more channel", "none"],
)
@pytest.mark.parametrize("channels", [1, 14])
def test_a_frame_nobody_acknowledges_is_sent_as_often_as_the_stack_says(rule, attempts, channels):
    mesh = pair(deaf_sender=True, channels=channels, **rule)
    frame = mesh.inject(0, 1, 0, 100)
    mesh.run_until(60 * S)
    row = mesh.frames(frame)[0]
    assert (row["attempts"], gpu.OUTCOMES[row["outcome"]]) == (attempts, "unacked_delivered")
    assert mesh.counters()["channel_retries"] == mesh.radio.max_channel_retries


def test_channel_retries_wait_for_the_receivers_next_dwell():
    mesh = pair(deaf_sender=True, channels=14, max_frame_retries=0, max_channel_retries=4, broadcast_dwell_us=0)
    mesh.inject(0, 1, 0, 100)
    mesh.run_until(60 * S)
    # the dwells are 255 ms long; a round takes CCA, turnaround, frame and ACK wait: under 20 ms
    ended = mesh.drain().ends["t_ns"][0]
    assert 3 * 255 * MS < ended < (4 * 255 + 20) * MS


def test_a_busy_channel_costs_every_round_its_csma():
    radio = gpu.profile("oqpsk-250k-2450", max_psdu_bytes=4000, lock_history_us=200_000, max_channel_retries=2)
    mesh = gpu.Mesh.build(np.zeros((3, 2)), [], radio, 1, links=([1, 1, 2], [0, 2, 0], [PERFECT_DB] * 3), route=False)
    mesh.inject(0, 1, 0, 4000)  # 128 ms on air; three rounds of five CCAs take 3 * (7 + 15 + 3 * 31) * 0.32 ms at most
    late = mesh.inject(5 * MS, 2, 0, 100)
    mesh.run_until(500 * MS)
    assert gpu.OUTCOMES[mesh.frames(late)[0]["outcome"]] == "channel_access_failure"
    assert mesh.counters()["cca_busy"] == 3 * 5


def test_a_sender_is_held_back_at_exactly_360_s_an_hour():
    mesh = pair()
    air_us = mesh.radio.air_us(2000)  # 161,280 us
    wanted = 400 * S // (air_us * 1000)
    mesh.inject(np.arange(wanted) * (3590 * S // wanted), 1, 0, 2000)
    mesh.run_until(3600 * S)
    allowed = 360_000_000 // air_us
    assert wanted > allowed
    assert mesh.airtime_ns[1] == allowed * air_us * 1000
    counts = mesh.counters()
    assert counts["held_by_hour"] == 1
    # the queue of 8 is full while it waits for the sixth of the hour in which it began to leave the window, at 4200 s
    assert counts["queue_drops"] == wanted - allowed - 8
    held_from_s = (3590 * allowed / wanted) + 0.2
    mesh.run_until(4199 * S)  # the frame that starts at 4200 s is decided a CCA and a turnaround before
    assert mesh.airtime_ns[1] == allowed * air_us * 1000
    mesh.run_until(4203 * S)
    assert mesh.counters()["held_by_hour_us"] / 1e6 == pytest.approx(4200 - held_from_s, abs=2)  # a frame gap
    assert mesh.airtime_ns[1] == (allowed + 8) * air_us * 1000
    assert mesh.airtime_ns[0] > 0  # its ACKs, which do not count


def test_no_hour_ever_holds_more_than_the_limit():
    """Any window, wherever it begins; a shorter window and limit to have many of them."""
    mesh = pair(airtime_limit_us=3_600_000, airtime_window_us=36_000_000)
    draw = np.random.default_rng(3)
    t_ns = np.sort(draw.integers(0, 300 * S, 6000))
    frames = mesh.inject(t_ns, 1, 0, draw.integers(20, 400, t_ns.size))
    mesh.run_until(400 * S)
    rows = mesh.frames(frames)
    sent = rows[rows["first_tx_ns"] >= 0]
    start = np.sort(sent["first_tx_ns"]) / 1000
    size = sent["psdu_bytes"][np.argsort(sent["first_tx_ns"])]
    end = start + [mesh.radio.air_us(int(n)) for n in size]
    assert (sent["attempts"] == 1).all()
    done = np.r_[0, np.cumsum(end - start)]
    for begin in np.r_[start, end - 36e6]:  # the sum is largest for windows that begin or end with a transmission
        stop = begin + 36e6

        def before(t):
            k = np.searchsorted(start, t)
            return done[k] - (max(end[k - 1] - t, 0) if k else 0)

        assert before(stop) - before(begin) <= 3_600_000
    assert mesh.airtime_ns[1] > 0.8 * 300e9 * 6 / 70  # at least 6/7 of a tenth, as docs/engine.md says


@pytest.mark.parametrize(("regulation", "cca_us", "pause_us"), [("arib-128us", 128, 2000), ("arib-5ms", 5000, 50_000)])
def test_the_pause_is_kept_to_the_microsecond(regulation, cca_us, pause_us):
    mesh = pair(regulation=regulation, lifs_us=0)
    frames = mesh.inject(0, [1, 1, 1], 0, 100)
    mesh.run_until(1 * S)
    rows = mesh.frames(frames)
    start_us = rows["first_tx_ns"] // 1000
    assert start_us[0] == cca_us + 1000
    cycle = mesh.radio.air_us(100) + 1000 + mesh.radio.air_us(56) + cca_us + 1000  # the ACK has to come first
    gap = max(cycle, mesh.radio.air_us(100) + pause_us)
    assert np.diff(start_us).tolist() == [gap, gap]
    counts = mesh.counters()
    held_us = gap - cycle
    assert counts["held_by_pause"] == (2 if held_us else 0)
    assert counts["held_by_pause_us"] == 2 * held_us


def test_a_receiver_pauses_after_its_ack_too():
    mesh = pair(regulation="arib-5ms")
    mesh.inject(0, 1, 0, 100)
    back = mesh.inject(2 * MS, 0, 1, 100)
    mesh.run_until(1 * S)
    ack_end_us = 5000 + 1000 + mesh.radio.air_us(100) + 1000 + mesh.radio.air_us(56)
    assert mesh.frames(back)[0]["first_tx_ns"] // 1000 == ack_end_us + 50_000


def test_profiles_are_regulated_and_another_class_brings_its_numbers():
    assert gpu.profile("oqpsk-250k-2450").regulation == "none"
    fsk = gpu.profile("fsk-50k-920")
    assert (fsk.regulation, fsk.burst_limit_us, fsk.pause_us, fsk.airtime_limit_us) == (
        "arib-128us", 400_000, 2_000, 360_000_000)  # fmt: skip
    long = gpu.profile("fsk-100k-920", regulation="arib-5ms")
    assert (long.cca_us, long.unit_backoff_us, long.burst_limit_us, long.pause_us) == (5000, 6000, 4_000_000, 50_000)
    free = gpu.profile("fsk-100k-920", regulation="none")
    assert (free.burst_limit_us, free.pause_us, free.airtime_limit_us, free.cca_us) == (0, 0, 0, 128)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pause_us": 1000}, 'pause_us = 1000, expected at least 2000 .regulation = "arib-128us"'),
        ({"regulation": "arib-5ms", "cca_us": 128}, "cca_us = 128, expected at least 5000"),
        ({"burst_limit_us": 500_000}, "burst_limit_us = 500000, expected 1 to 400000"),
        ({"airtime_limit_us": 400_000_000}, "airtime_limit_us = 400000000, expected at most a tenth"),
        ({"turnaround_us": 3000, "ack_wait_us": 16000}, "turnaround_us = 3000, expected at most 2000"),
        ({"max_psdu_bytes": 3000, "lock_history_us": 300_000}, "burst_limit_us = 200000 us on air, not 241280"),
        ({"regulation": "fcc"}, "regulation = 'fcc', expected one of none, arib-128us, arib-5ms"),
    ],
)
def test_what_the_rule_forbids_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        gpu.profile("fsk-100k-920", **changes)
