"""Clocks: the stated bound holds in every trial, and what cannot be proved is called inconclusive."""

import numpy as np
import pytest

from hil.clock import T0, ClockMap, judge
from teiden.errors import InputError, PartFailed

TRIALS = 10_000
NOMINAL_HZ = 8000.0
TOLERANCE_PPM, WANDER_PPM_PER_S = 50.0, 0.5


class Oscillators:
    """One true counter a trial: rate error and linear wander within tolerance, random phase.

    Host time of count c is found by inverting count(t) = phase + f0 (t + e t + w t^2 / 2).
    """

    def __init__(self, rng, trials):
        self.error = rng.uniform(-40e-6, 40e-6, trials)
        self.wander = rng.uniform(-0.45e-6, 0.45e-6, trials)  # stays within 50 ppm for the 12 s looked at
        self.phase = rng.uniform(0, 1, trials)

    def counts_at(self, t_s):
        return self.phase + NOMINAL_HZ * (t_s * (1 + self.error) + self.wander * t_s**2 / 2)

    def time_of(self, counts):
        wanted = (counts - self.phase) / NOMINAL_HZ
        t_s = wanted / (1 + self.error)
        for _ in range(4):  # Newton's steps on an almost straight line
            t_s -= (t_s * (1 + self.error) + self.wander * t_s**2 / 2 - wanted) / (1 + self.error + self.wander * t_s)
        return t_s


def burst(rng, oscillators, begin_s, pings=16):
    """Readings with one-way delays that are long-tailed and not alike in both directions."""
    trials = oscillators.phase.size
    there, back = (200e-6 * k * rng.pareto(2.0, (trials, pings)) + 10e-6 for k in (1.0, rng.uniform(0, 5)))
    sent = begin_s + rng.uniform(0, 0.1, (trials, pings))
    each = Oscillators.__new__(Oscillators)
    each.error, each.wander, each.phase = (
        a[:, np.newaxis] for a in (oscillators.error, oscillators.wander, oscillators.phase)
    )
    return sent * 1e9, np.floor(each.counts_at(sent + there)), (sent + there + back) * 1e9


@pytest.mark.parametrize("bursts", [1, 2, 8])
def test_the_stated_bound_holds_in_every_trial(bursts):
    rng = np.random.default_rng(bursts)
    oscillators = Oscillators(rng, TRIALS)
    clock = ClockMap(NOMINAL_HZ, TOLERANCE_PPM, WANDER_PPM_PER_S)
    for second in range(bursts):
        clock.add_burst(*burst(rng, oscillators, 1.0 + second))
    counts = np.floor(oscillators.counts_at(rng.uniform(0.5, bursts + 2.5, TRIALS)))  # before, between, after
    stated = clock.host_ns(counts)
    error_ns = np.abs(oscillators.time_of(counts) * 1e9 - stated.middle)
    assert np.all(error_ns <= stated.bound + 1e-3)  # floats of nanoseconds in 10 s resolve 2e-6 ns; Newton's rest


def test_between_bursts_of_a_fine_counter_the_bound_is_about_that_of_a_reading():
    """1 MHz counter, 20 us round trips, a second apart: half the round trip and what a rate error of +-22 us/s adds."""
    clock = ClockMap(1e6, TOLERANCE_PPM, WANDER_PPM_PER_S)
    for second in range(3):
        at_ns = second * 1e9
        clock.add_burst([at_ns], [second * 1e6], [at_ns + 20e3])
    stated = clock.host_ns(1.5e6)
    assert 10e3 < stated.bound < 2 * 10.5e3 + 0.5e-6 * 2 * 0.5e9  # one rate interval over half a second, and wander
    assert clock.host_ns(1e6).bound < 10.6e3  # at an anchor: its own


def test_a_counter_that_was_reset_or_runs_off_is_named():
    clock = ClockMap(NOMINAL_HZ)
    clock.add_burst([0.0], [1000], [1000.0])
    with pytest.raises(InputError, match="stands where it stood"):
        clock.add_burst([1e9], [10], [1e9 + 1000])
    with pytest.raises(PartFailed, match=r"-11111. ppm from nominal, expected within 100 ppm"):
        clock.add_burst([1e9], [1000 + 9000], [1e9 + 1000])


def test_bad_bursts_are_refused():
    clock = ClockMap(NOMINAL_HZ)
    with pytest.raises(InputError, match="no burst yet"):
        clock.host_ns(0)
    with pytest.raises(InputError, match="came before its request"):
        clock.add_burst([2.0], [0], [1.0])
    with pytest.raises(InputError, match="shapes"):
        clock.add_burst([], [], [])
    with pytest.raises(InputError, match="nominal_hz = 0"):
        ClockMap(0)


@pytest.mark.parametrize(
    ("value_s", "limit_s", "bound_ns", "verdict"),
    [
        (0.010, 0.020, 40, "pass"),
        (0.021, 0.020, 40, "fail"),
        (0.001, 0.020, 2_100_000, "inconclusive"),  # host time: the limit is under ten times 2.1 ms
        (0.0195, 0.020, 1_000_000, "inconclusive"),  # nearer to the limit than the bound
        (0.020, 0.020, 0, "pass"),  # at most
    ],
)
def test_a_limit_is_judged_only_where_t0_allows(value_s, limit_s, bound_ns, verdict):
    assert judge(value_s, limit_s, T0(0, "trigger", bound_ns)) == verdict
