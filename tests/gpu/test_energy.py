"""Stored energy: capacitor law, exact accounts, what dies with a node."""

import numpy as np
import pytest

import gpu

MS = 1_000_000


def pair(**overrides):
    radio = gpu.profile("oqpsk-250k-2450", min_be=0, max_be=0, **overrides)
    return gpu.Mesh.build(np.zeros((2, 2)), [0], radio, 1, links=([0, 1], [1, 0], [40.0, 40.0]))


@pytest.mark.parametrize(("cap_f", "from_v", "to_v"), [(0.1, 5, 2.5), (1, 5, 2.5), (10, 2.7, 1.0)])
@pytest.mark.parametrize("listen_mw", [50, 100, 800])
def test_listening_lasts_as_long_as_the_capacitor_law_says(cap_f, from_v, to_v, listen_mw):
    """t = C (V1**2 - V2**2) eta / 2P, DOMAIN 3.4."""
    energy_j = 0.5 * cap_f * (from_v**2 - to_v**2) * 0.85
    mesh = pair(listen_mw=listen_mw)
    mesh.power_off(1, 7 * MS, round(energy_j * 1e9))
    mesh.run_until(10**13)
    death = mesh.drain().deaths
    assert death["node"].tolist() == [1]
    # a tick of 1 us
    assert (death["t_ns"][0] - 7 * MS) / 1e9 == pytest.approx(energy_j / (listen_mw * 1e-3), abs=1.1e-6)
    assert mesh.alive.tolist() == [True, False]


def test_accounts_balance_to_the_nanojoule_at_any_time():
    draw = np.random.default_rng(3)
    count = 60
    radio = gpu.profile("fsk-100k-920")
    mesh = gpu.Mesh.build(draw.uniform(0, 250, (count, 2)), [0], radio, 5)
    given = draw.integers(10**6, 3 * 10**8, count)
    given[0] = 10**12
    mesh.power_off(np.arange(count), 1000 * MS, given)
    frames = mesh.inject(draw.integers(0, 3000 * MS, 200), draw.integers(1, count, 200), -1, 147)
    for t_ms in (500, 1000, 1001, 1400, 2000, 2500, 10_000):
        mesh.run_until(t_ms * MS)
        if t_ms < 1000 or mesh.now_ns == 1000 * MS:
            assert (mesh.energy_nj() == -1).all()
            continue
        listening, sending = mesh.energy_spent_nj()
        assert (given == mesh.energy_nj() + listening + sending).all()
    counts = mesh.counters()
    assert counts["deaths"] > 5
    assert counts["died"] > 0
    assert (mesh.frames(frames)["copies"] == 0).all()


def test_sending_costs_its_extra_draw_times_airtime():
    mesh = pair(listen_mw=100, tx_extra_mw=250)
    mesh.power_off([0, 1], 0, 10**10)
    mesh.inject(1 * MS, 1, -1, 100)
    mesh.run_until(100 * MS)
    listening, sending = mesh.energy_spent_nj()
    assert listening.tolist() == [100 * 100_000] * 2
    assert sending.tolist() == [250 * 352, 250 * 3392]  # the ACK is paid by the receiver


def test_a_transmission_cut_by_death_is_not_decoded_and_interferes_until_then():
    mesh = pair(listen_mw=100, tx_extra_mw=250)
    # CSMA from 0: on air from 320 us; the energy lasts to 2,000 us
    mesh.power_off(1, 0, 100 * 2000 + 250 * (2000 - 320))
    frame = mesh.inject(0, 1, -1, 100)
    mesh.run_until(100 * MS)
    drained = mesh.drain()
    assert drained.deaths["t_ns"].tolist() == [2 * MS]
    assert drained.ends["t_ns"].tolist() == [2 * MS]
    assert gpu.OUTCOMES[mesh.frames(frame)[0]["outcome"]] == "died"
    assert mesh.airtime_ns.tolist() == [0, (2000 - 320) * 1000]
    counts = mesh.counters()
    assert (counts["cut_by_death"], counts["delivered"], counts["tx_ack"]) == (1, 0, 0)


def test_a_transmission_that_ends_with_the_energy_is_whole():
    mesh = pair(listen_mw=100, tx_extra_mw=250)
    mesh.power_off(1, 0, 100 * 3712 + 250 * 3392)
    frame = mesh.inject(0, 1, -1, 100)
    mesh.run_until(100 * MS)
    assert gpu.OUTCOMES[mesh.frames(frame)[0]["outcome"]] == "unacked_delivered"  # it never heard the ACK
    assert mesh.drain().deaths["t_ns"].tolist() == [3712_000]


def test_a_dead_relay_takes_its_copies_along_and_is_silent():
    links = ([0, 1, 1, 2], [1, 0, 2, 1], [40.0] * 4)
    radio = gpu.profile("oqpsk-250k-2450", min_be=0, max_be=0, listen_mw=100, tx_extra_mw=250)
    mesh = gpu.Mesh.build(np.zeros((3, 2)), [0], radio, 1, links=links)
    mesh.power_off(1, 0, 100 * 4300 + 250 * 352)  # its ACK ends at 4,256 us, its own CSMA would start at 4,448
    frames = mesh.inject([0, 50 * MS], 2, -1, 100)
    mesh.run_until(1000 * MS)
    assert [gpu.OUTCOMES[c] for c in mesh.frames(frames)["outcome"]] == ["died", "no_ack"]
    assert mesh.drain().deaths["t_ns"].tolist() == [4300_000]


def test_a_node_comes_back_with_an_empty_queue():
    mesh = pair(listen_mw=100)
    frames = mesh.inject([0, 0, 0], 1, -1, 100)
    mesh.power_off(1, 1 * MS, 0)
    mesh.power_on(1, 20 * MS)
    later = mesh.inject(30 * MS, 1, -1, 100)
    early = mesh.inject(10 * MS, 1, -1, 100)
    mesh.run_until(15 * MS)
    assert mesh.alive.tolist() == [True, False]
    mesh.run_until(100 * MS)
    assert mesh.alive.all()
    assert [gpu.OUTCOMES[c] for c in mesh.frames([*frames, *early])["outcome"]] == ["died"] * 4
    assert gpu.OUTCOMES[mesh.frames(later)[0]["outcome"]] == "acked"
    assert mesh.energy_nj().tolist() == [-1, -1]


def test_power_back_in_time_saves_the_node_and_gives_back_what_is_left():
    mesh = pair(listen_mw=100, tx_extra_mw=0)
    mesh.power_off(1, 0, 10**7)
    mesh.power_on(1, 50 * MS)
    mesh.run_until(1000 * MS)
    counts = mesh.counters()
    assert counts["deaths"] == 0
    assert counts["energy_given_nj"] - counts["energy_unused_nj"] == 100 * 50_000
