"""Verdicts follow from value, limits and uncertainty."""

import math

import pytest

from hil.clock import T0
from hil.evidence.measures import Measures, worst
from hil.evidence.record import TestRecord
from teiden.errors import InputError


@pytest.mark.parametrize(
    ("value", "low", "high", "uncertainty", "verdict"),
    [
        (1.0, None, 2.0, 0.0, "pass"),
        (2.0, None, 2.0, 0.0, "pass"),  # at most 2
        (2.1, None, 2.0, 0.0, "fail"),
        (0.9, 1.0, None, 0.0, "fail"),
        (1.0, 1.0, 1.0, 0.0, "pass"),
        (1.9, None, 2.0, 0.2, "inconclusive"),  # the true value may be 2.1
        (2.1, None, 2.0, 0.2, "inconclusive"),
        (2.3, None, 2.0, 0.2, "fail"),
        (0.5, 0.4, 2.0, 0.2, "inconclusive"),  # nearer to the lower limit
        (math.nan, None, 2.0, 0.2, "fail"),
        (math.nan, None, None, 0.0, "recorded"),
        (7.0, None, None, 0.0, "recorded"),
    ],
)
def test_a_number_is_judged_by_its_limits_and_uncertainty(value, low, high, uncertainty, verdict):
    measure = Measures()
    assert measure("x", value, "V", low=low, high=high, uncertainty=uncertainty) == verdict
    assert measure.taken[0].verdict == verdict


@pytest.mark.parametrize(
    ("value_s", "limit_s", "bound_ns", "verdict"),
    [
        (1.6e-3, 2e-3, 3_907, "pass"),
        (2.1e-3, 2e-3, 3_907, "fail"),
        (1.6e-3, 2e-3, 250_000, "inconclusive"),  # the limit is below ten times the bound
        (1.998e-3, 2e-3, 3_907, "inconclusive"),  # nearer to the limit than the bound
        (math.nan, 2e-3, 3_907, "fail"),
        (math.nan, 2e-3, 250_000, "fail"),  # what did not come at all was not in time
    ],
)
def test_a_delay_is_judged_by_the_bound_of_its_t0(value_s, limit_s, bound_ns, verdict):
    measure = Measures()
    assert measure.delay("x", value_s, limit_s, T0(0, "trigger", bound_ns)) == verdict
    (taken,) = measure.taken
    assert (taken.unit, taken.high, taken.uncertainty) == ("ms", limit_s * 1e3, bound_ns / 1e6)
    assert taken.t0_source == "trigger"


def test_a_text_is_the_expected_one_or_not():
    measure = Measures()
    assert measure.same("flags", "none", "none") == "pass"
    assert measure.same("flags", "overrun", "none") == "fail"
    assert measure.taken[1].reads() == "flags: overrun, expected none"


def test_a_line_says_value_bound_and_limits():
    measure = Measures()
    measure.delay("detected after", 0.01, 0.002, T0(0, "host", 50_000_000))
    measure("level", math.nan, "V", low=1, high=2)
    assert measure.taken[0].reads() == "detected after: 10 ± 50 ms (t0 from host), expected at most 2"
    assert measure.taken[1].reads() == "level: none V, expected 1 to 2"


def test_the_worst_verdict_counts():
    assert worst(["pass", "inconclusive", "recorded"]) == "inconclusive"
    assert worst(["inconclusive", "fail", "pass"]) == "fail"
    assert worst(["fail", "error"]) == "error"
    assert worst(["not run", "pass"]) == "pass"
    assert worst(["not run"]) == "not run"
    assert worst([]) == "pass"


def test_a_record_keeps_the_t0_that_is_known_worst():
    record = TestRecord("x", "x")
    assert (record.as_json()["t0_source"], record.as_json()["t0_bound_us"]) == (None, None)
    for source, bound_ns in (("trigger", 20), ("host", 50_000_000), ("trigger", 3907)):
        record.measures.counts_from(T0(0, source, bound_ns))
    assert (record.as_json()["t0_source"], record.as_json()["t0_bound_us"]) == ("host", 50_000.0)


def test_a_negative_uncertainty_is_refused():
    with pytest.raises(InputError, match="measure 'x': uncertainty = -1, expected 0 or more"):
        Measures()("x", 1.0, "V", high=2.0, uncertainty=-1.0)
