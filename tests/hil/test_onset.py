"""When an output changed, against its trigger edge: changes at known places between samples."""

import math

import numpy as np
import pytest

from hil.clock import Interval
from hil.onset import narrowest, onset

STEP = 50 / 8000  # cycles a sample
PEAK_V = 141.4


def changed(at, residual=0.7, fall=0.0):
    """A sine whose level is another from a place on, which need not be whole; it falls exponentially."""
    k = np.arange(1000)
    late = np.maximum(k - at, 0)
    level = np.where(k > at, residual + (1 - residual) * (np.exp(-late / fall) if fall else 0.0), 1.0)
    return level * PEAK_V * np.sin(2 * np.pi * STEP * (k - at) + math.pi / 2)


@pytest.mark.parametrize("delay", [-3.2, 0.0, 0.4, 7.9])
def test_a_change_lies_between_the_two_samples_that_are_told(delay):
    edge = 600.3
    found = onset(changed(edge + delay), edge, STEP, 0.02 * PEAK_V)
    assert found.low <= delay <= found.high
    assert found.high - found.low == pytest.approx(1.0)


@pytest.mark.parametrize("delay", [-2.0, 0.1, 2.35])
def test_changes_at_other_parts_of_a_sample_narrow_it_down(delay):
    edges = 600 + np.arange(15) / 15
    found = narrowest([onset(changed(edge + delay, fall=0.24), edge, STEP, 0.02 * PEAK_V) for edge in edges])
    # 30 us of fall: a fifteenth of the step has come after 0.07 of that, 0.017 samples
    assert found.low - 0.02 <= delay <= found.high
    assert found.high - found.low <= 1 / 15 + 1e-9


@pytest.mark.parametrize(
    ("volts", "edge"),
    [
        (changed(5000), 600.3),
        (changed(600 + 17), 600.0),
        (changed(620), 100.0),
        (changed(620), 990.0),
        (np.zeros(0), 0.0),
    ],
    ids=["none", "later than 2 ms", "no cycles before it", "the end is near", "no samples"],
)
def test_what_is_not_seen_is_not_a_number(volts, edge):
    found = onset(volts, edge, STEP, 0.02 * PEAK_V)
    assert math.isnan(found.middle)
    assert math.isnan(narrowest([Interval(0.0, 1.0), found]).middle)
    assert math.isnan(narrowest([]).middle)


def test_changes_without_one_delay_are_told_by_a_negative_bound():
    assert narrowest([Interval(0.0, 1.0), Interval(3.0, 4.0)]).bound == -1.0
