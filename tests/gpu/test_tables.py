"""The integer tables: the same bytes everywhere, and close to what float64 computes."""

import math

import numpy as np
import pytest

from gpu import rng, tables

PINNED = {
    "log2": "24f182d52f497a645538524349b1fe22a49de7697850eb0583c9b37501b3de89",
    "exp2": "02abafe3d4d3d126ba4f46a2f06f9a586792fbb70d582b733183a41a380ca9e6",
    "gauss": "2dc7f55d07c18906a9d2ceb30c15ffa2eedb2dca05342f02de40d39624238746",
    "oqpsk": "0cf086a851654d7795e882f3775081237910e7a982510cc255c4edb89d6b78c7",
    "fsk100": "924d42b1fdb4949bc102c8be7e4a064b16e2709571bc751347c5b9b3a01310f5",
}


def table(name):
    made = {
        "log2": tables.log2_table,
        "exp2": tables.exp2_table,
        "gauss": tables.gauss_table,
        "oqpsk": lambda: tables.cost_table("oqpsk", 250_000),
        "fsk100": lambda: tables.cost_table("fsk", 100_000),
    }
    return made[name]()


@pytest.mark.parametrize("name", PINNED)
def test_tables_have_the_same_bytes_on_every_machine(name):
    assert tables.sha256(table(name)) == PINNED[name]


def test_logarithm_and_power_tables_are_within_half_a_unit_of_float64():
    i = np.arange(1025) / 1024
    # half a unit is the rounding; float64's own error here is below 1e-6 units
    assert np.abs(tables.log2_table() - 2**20 * np.log2(1 + i)).max() <= 0.5 + 1e-5
    assert np.abs(tables.exp2_table() - 2**30 * 2**i).max() <= 0.5 + 1e-5


def test_shadowing_table_has_mean_0_variance_1_and_is_symmetric():
    gauss = tables.gauss_table() / 2**16
    assert gauss.sum() == 0
    assert gauss.var() == pytest.approx(1, abs=1e-5)  # rounding to 2^-16 over 256 entries
    assert (gauss == -gauss[::-1]).all()
    normal_cdf = np.array([0.5 * math.erfc(-x / math.sqrt(2)) for x in gauss])
    # the quantiles (i + 1/2)/256, spread by 1.4 % to restore the variance that cutting the tails costs
    assert np.abs(normal_cdf - (np.arange(256) + 0.5) / 256).max() < 0.005


def bit_error(name, sinr):
    if name == "fsk100":
        return 0.5 * np.exp(-sinr / 2)
    return 8 / 15 / 16 * sum((-1) ** k * math.comb(16, k) * np.exp(20 * sinr * (1 / k - 1)) for k in range(2, 17))


@pytest.mark.parametrize(("name", "bit_rate_bps"), [("oqpsk", 250_000), ("fsk100", 100_000)])
def test_error_cost_agrees_with_float64(name, bit_rate_bps):
    sinr = 2.0 ** (np.arange(1537) / 128 - 4)
    ber = np.minimum(bit_error(name, sinr), 0.5)
    per_us = -np.log2(1 - ber) * bit_rate_bps / 1e6 * 2**40
    # float64 loses digits in 1 - BER and in the alternating sum: compare where BER is above 1e-9
    seen = ber > 1e-9
    assert np.allclose(table(name)[seen], per_us[seen], rtol=1e-5, atol=1)


def test_levels_and_noise_multiples_agree_with_float64():
    for decibel in (-106.99, -5, 0, 0.01, 13, 97.3):
        assert tables.level_lu(decibel) == pytest.approx(decibel / 10 * math.log2(10) * 2**20, abs=0.51)
        expected = max(1, 10 ** (decibel / 10) * 2**20)
        assert tables.noise_multiple(decibel) == pytest.approx(expected, rel=1e-12, abs=0.51)


def test_draws_are_uniform_and_scalars_equal_arrays():
    ids = np.arange(100_000)
    unit = rng.draw_unit(7, 1000, ids, 3)
    assert ((unit >= 0) & (unit < 1)).all()
    counts = np.histogram(unit, 100, (0, 1))[0]
    chi2 = ((counts - 1000) ** 2 / 1000).sum()
    assert chi2 < 149  # 99.9 % quantile of chi-squared with 99 degrees of freedom
    assert (rng.draw_below(10, 7, 1000, ids) < 10).all()
    assert int(rng.draw_u64(7, 1000, 5, 3)) == int(rng.draw_u64(7, 1000, ids, 3)[5])
    # of 17 and 2^32 - 1 equal shares: the exact product, in Python integers
    for n in (1, 17, (1 << 32) - 1, 1 << 32):
        exact = [int(d) * n >> 64 for d in rng.draw_u64(7, 1000, ids[:100])]
        assert rng.draw_below(n, 7, 1000, ids[:100]).tolist() == exact


def test_neighbouring_ids_ticks_and_purposes_are_uncorrelated():
    ids = np.arange(50_000)
    one = rng.draw_unit(1, 1000, ids, 0)
    for other in (rng.draw_unit(1, 1000, ids + 1, 0), rng.draw_unit(1, 1000, ids, 1), rng.draw_unit(1, 1001, ids, 0)):
        assert abs(np.corrcoef(one, other)[0, 1]) < 4 / math.sqrt(ids.size)  # 4 standard errors


def test_splitmix64_gives_its_published_first_value():
    # Vigna's splitmix64.c with state 0: first output
    assert int(rng.splitmix64(0)) == 0xE220A8397B1DCDAF
