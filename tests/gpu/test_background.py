"""Other systems on the band: what their bursts do to CCA and reception, from the error formula and the hash."""

import math

import numpy as np
import pytest

import gpu

MS, S = 1_000_000, 1_000_000_000
FSK = {"min_be": 0, "max_be": 0, "ack": False, "regulation": "none"}


def pair(loss_db, **overrides):
    """Return senders 1 and their receiver 0 over a link of this loss; every burst is on air, at one level."""
    background = {"background_load": 1.0, "background_spread_db": 0.0, "background_dbm": -100.0}
    radio = gpu.profile("fsk-100k-920", **(FSK | background | overrides))
    return gpu.Mesh.build(np.zeros((2, 2)), [], radio, 1, route=False, links=([1, 0], [0, 1], [loss_db] * 2))


@pytest.mark.parametrize("sinr_db", [9.0, 10.0, 11.0])
def test_a_steady_background_is_noise(sinr_db):
    """Delivery (1 - BER)^bits at signal over noise plus background; -100 dBm is 16 dB above the noise."""
    count = 2000
    mesh = pair(13 - (10 * math.log10(10**-10 + 10**-11.6) + sinr_db))
    mesh.inject(np.arange(count) * 50 * MS, 1, 0, 100)
    mesh.run_until(count * 50 * MS + S)
    bit_error = 0.5 * math.exp(-(10 ** (sinr_db / 10)) / 2)
    expected = (1 - bit_error) ** (8 * (16 + 100))
    # four standard errors, and 0.02 for levels kept to 0.01 dB
    assert mesh.counters()["delivered"] / count == pytest.approx(
        expected, abs=0.02 + 4 * math.sqrt(expected * (1 - expected) / count)
    )


@pytest.mark.parametrize(("level_dbm", "goes_out"), [(-81.0, True), (-79.0, False)])
def test_a_background_at_the_cca_threshold_keeps_the_channel_busy(level_dbm, goes_out):
    mesh = pair(40.0, background_dbm=level_dbm)  # the threshold is -80 dBm
    frame = mesh.inject(0, 1, 0, 100)
    mesh.run_until(1 * S)
    assert (mesh.frames(frame)[0]["attempts"] == 1) == goes_out
    assert (gpu.OUTCOMES[mesh.frames(frame)[0]["outcome"]] == "channel_access_failure") == (not goes_out)


@pytest.mark.parametrize("load", [0.1, 0.5])
def test_the_channel_is_busy_for_the_share_that_was_asked_for(load):
    count = 4000
    mesh = pair(40.0, background_load=load, background_dbm=-60.0, max_csma_backoffs=0, background_burst_us=13_000)
    mesh.inject(np.arange(count) * 26_001_000, 1, 0, 20)
    mesh.run_until(200 * S)
    counts = mesh.counters()
    # a window of 128 us sees a burst that starts in it, too: 1 % more of them
    busy = load + (1 - load) * load * 128 / 13_000
    share = counts["cca_busy"] / (counts["cca_busy"] + counts["cca_idle"])
    assert share == pytest.approx(busy, abs=4 * math.sqrt(load * (1 - load) / count))


def test_zones_and_channels_are_independent_and_a_zone_hears_alike():
    """Two nodes of a zone are busy together, those of others by chance."""
    count = 3000
    busy = {}
    for x_m in (0.0, 1.0, 500.0):
        radio = gpu.profile("fsk-100k-920", **FSK, background_load=0.5, background_spread_db=0.0, background_dbm=-60.0,
                            max_csma_backoffs=0, shadowing_db=0.0)  # fmt: skip
        mesh = gpu.Mesh.build([[x_m, 0], [x_m, 1]], [], radio, 1, route=False)
        frames = mesh.inject(np.arange(count) * 13 * MS, 0, 1, 5)
        mesh.run_until(60 * S)
        busy[x_m] = mesh.frames(frames)["attempts"] == 0
    assert (busy[0.0] == busy[1.0]).all()
    # half of the bursts agree by chance; standard error 0.5 / sqrt(3000) = 0.009
    assert (busy[0.0] == busy[500.0]).mean() == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize("overrides", [{}, {"channels": 5}, {"capture": "hard"}, {"chunks": "ns-3"}])
def test_both_forms_hear_it_alike(overrides):
    digests = set()
    for form in ("plain", "cells"):
        draw = np.random.default_rng(5)
        radio = gpu.profile("fsk-100k-920", background_load=0.3, background_dbm=-100.0, **overrides)
        mesh = gpu.Mesh.build(draw.uniform(0, 600, (400, 2)), [0, 1], radio, 5, form=form)
        src = np.arange(2, 400)
        mesh.inject(draw.integers(0, 4 * S, src.size), src, -1, 120, max_offers=3, reoffer_max_ns=3 * S)
        mesh.run_until(20 * S)
        digests.add(mesh.digest())
        assert mesh.counters()["delivered"] > 0
    assert len(digests) == 1


def test_more_of_it_leaves_less():
    delivered = []
    for load in (0.0, 0.2, 0.6):
        draw = np.random.default_rng(5)
        radio = gpu.profile("fsk-100k-920", background_load=load)
        mesh = gpu.Mesh.build(draw.uniform(0, 600, (400, 2)), [0, 1], radio, 5)
        mesh.inject(draw.integers(0, 10 * S, 398), np.arange(2, 400), -1, 120)
        mesh.run_until(30 * S)
        delivered.append(mesh.counters()["delivered"])
    assert delivered[0] > delivered[1] > delivered[2]
