"""Reception, sleep, batteries, capacitors by farads and years."""

import numpy as np
import pytest

import gpu
from teiden.errors import InputError

MS, S = 1_000_000, 1_000_000_000


def pair(**overrides):
    radio = gpu.profile("oqpsk-250k-2450", min_be=0, max_be=0, **overrides)
    return gpu.Mesh.build(np.zeros((2, 2)), [0], radio, 1, links=([0, 1], [1, 0], [40.0, 40.0]))


def test_a_reception_costs_its_extra_draw_times_airtime():
    mesh = pair(rx_extra_mw=40)
    mesh.power_off([0, 1], 0, 10**10)
    mesh.inject(1 * MS, 1, -1, 100)
    mesh.run_until(100 * MS)
    spent = mesh.energy_accounts_nj()
    assert spent["receiving"].tolist() == [40 * 3392, 40 * 352]  # the frame; its ACK
    assert (mesh.energy_nj() + sum(spent.values()) == 10**10).all()


def test_a_reception_can_be_the_end():
    mesh = pair(rx_extra_mw=40)
    arrives_us = 128 + 192 + 3392
    mesh.power_off(0, 0, 100 * arrives_us + 40 * 3392)  # pays the reception with its last nanojoule
    frame = mesh.inject(0, 1, -1, 100)
    mesh.run_until(1 * S)
    assert mesh.drain().deaths["t_ns"].tolist() == [arrives_us * 1000]
    assert mesh.counters()["cut_by_death"] == 1  # the ACK it was about to send
    assert gpu.OUTCOMES[mesh.frames(frame)[0]["outcome"]] == "unacked_delivered"


def test_a_sleeper_spends_only_what_sleeping_costs():
    mesh = pair(sleep_mw=2)
    mesh.power_off(1, 5 * MS, 10**9, sleep=True)
    mesh.run_until(10**13)
    # 1 J at 2 mW
    assert mesh.drain().deaths["t_ns"].tolist() == [5 * MS + 500 * S]
    assert mesh.energy_accounts_nj()["asleep"].tolist() == [0, 10**9]


def test_a_sleeper_wakes_to_send_and_hears_its_ack():
    mesh = pair(sleep_mw=2, rx_extra_mw=40)
    mesh.power_off(1, 0, 10**9, sleep=True)
    frame = mesh.inject(1 * S, 1, -1, 100)
    mesh.run_until(2 * S)
    assert gpu.OUTCOMES[mesh.frames(frame)[0]["outcome"]] == "acked"
    awake_us = 128 + 192 + 3392 + 192 + 352
    spent = {key: int(row[1]) for key, row in mesh.energy_accounts_nj().items()}
    assert spent == {
        "listening": 100 * awake_us, "sending": 250 * 3392, "receiving": 40 * 352,
        "asleep": 2 * (2_000_000 - awake_us),
    }  # fmt: skip


def test_a_sleeper_hears_nothing_and_relays_nothing():
    radio = gpu.profile("oqpsk-250k-2450", min_be=0, max_be=0)
    mesh = gpu.Mesh.build(np.zeros((3, 2)), [0], radio, 1, links=([0, 1, 1, 2], [1, 0, 2, 1], [40.0] * 4))
    mesh.power_off(1, 0, 10**12, sleep=True)
    frames = mesh.inject([0, 2 * S], 2, -1, 100)
    mesh.power_on(1, 1 * S)
    mesh.run_until(3 * S)
    assert [gpu.OUTCOMES[c] for c in mesh.frames(frames)["outcome"]] == ["no_ack", "acked"]


def test_a_battery_rides_through():
    radio = gpu.profile("fsk-100k-920")
    mesh = gpu.Mesh.build([[0, 0], [20, 0], [40, 0]], [0], radio, 1, backed=[0, 1])
    mesh.power_off([0, 1, 2], 0, 10**6)
    mesh.run_until(10 * S)
    assert mesh.alive.tolist() == [True, True, False]
    assert mesh.energy_nj().tolist() == [-1, -1, 0]
    assert mesh.counters()["kept_by_battery"] == 2


def test_accounts_balance_in_a_storm_with_sleepers_and_receptions(tmp_path):
    draw = np.random.default_rng(6)
    count = 200
    radio = gpu.profile("fsk-100k-920", rx_extra_mw=35, sleep_mw=3, channels=3)
    mesh = gpu.Mesh.build(draw.uniform(0, 350, (count, 2)), [0, 1], radio, 5, backed=[0])
    given = draw.integers(10**7, 10**9, count)
    mesh.power_off(np.arange(count), 1 * S, given, sleep=draw.random(count) < 0.5)
    mesh.inject(draw.integers(0, 6 * S, 400), draw.integers(2, count, 400), draw.choice([-1, -2], 400), 147,
                max_offers=4, reoffer_max_ns=S)  # fmt: skip
    for t_ms in (1001, 1400, 2000, 2500, 4000, 20_000):
        mesh.run_until(t_ms * MS)
        spent = mesh.energy_accounts_nj()
        assert (given == mesh.energy_nj() + sum(spent.values()))[1:].all()
    assert spent["receiving"].sum() > 0
    counts = mesh.counters()
    assert counts["deaths"] > 20
    assert counts["injected"] == counts["resolved"]


def test_capacitors_hold_what_the_formula_says():
    # DOMAIN 3.4: 1 F from 5 to 2.5 V holds 8.0 J, 25 F from 2.7 to 1 V 66.8 J, at 85 %
    assert gpu.capacitor_nj([1, 25], [5, 2.7], [2.5, 1.0]) / 1e9 == pytest.approx([7.97, 66.8], abs=0.05)
    # a tenth of it lost after a third of the ten years in which 30 % goes
    assert gpu.capacitor_nj(1, 5, 2.5, age_years=[0, 10 / 3, 10]) / gpu.capacitor_nj(1, 5, 2.5) == pytest.approx(
        [1, 0.9, 0.7]
    )
    assert gpu.capacitor_nj(1, 3, 3) == 0


@pytest.mark.parametrize(
    ("values", "message"),
    [((1, 2, 3), "to_v is above from_v"), ((-1, 3, 2), "farad = -1"), ((1, float("nan"), 2), "from_v = nan")],
)
def test_impossible_capacitors_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        gpu.capacitor_nj(*values)
