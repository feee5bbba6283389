"""Fresh values, attainable levels, retailers: hand calculations, and a run held against its own store."""

import numpy as np
import pytest

from twin.collection.attainable import attainable
from twin.collection.freshness import freshness
from twin.collection.ledger import NEVER, ROW
from twin.collection.outcome import Outcome
from twin.collection.summary import Summary
from twin.collection.traffic import BILLING_CODE

SECOND = 10**9


def messages(*told):
    """Return ledger rows of (meter, end of the interval [s], stored [s] or None)."""
    rows = np.zeros(len(told), ROW)
    for row, (meter, interval_s, stored_s) in zip(rows, told, strict=True):
        row["meter"], row["interval_ns"] = meter, interval_s * SECOND
        row["stored_ns"] = NEVER if stored_s is None else stored_s * SECOND
    return rows


def test_the_age_of_the_newest_value_is_a_saw_tooth():
    # Value of 100 s stored at 110, of 400 s at 430, of 700 s never, until 1000: ages 10 to 330, then 30 to 600.
    said = freshness(messages((7, 100, 110), (7, 400, 430), (7, 700, None)), 1000 * SECOND)
    area = (330**2 - 10**2 + 600**2 - 30**2) / 2
    assert said["mean_s"] == pytest.approx(area / (320 + 570))  # rounding of doubles only
    assert said["peak_s"]["p50"] == 330
    assert said["peak_s"]["p99"] == 600
    assert said["older_than_10_min_share"] == 0


def test_a_value_overtaken_by_a_newer_one_or_stored_with_it_changes_nothing():
    plain = freshness(messages((1, 300, 900), (2, 0, 100)), 2000 * SECOND)
    with_old = freshness(messages((1, 300, 900), (1, 0, 950), (1, 0, 900), (2, 0, 100)), 2000 * SECOND)
    assert with_old == plain
    # Meter 1 is 600 to 1700 s old for 1100 s, meter 2 100 to 2000 s for 1900 s: above 600 s for 1100 + 1400 of 3000.
    assert plain["older_than_10_min_share"] == pytest.approx(2500 / 3000)


def test_nothing_stored_has_no_age():
    assert freshness(messages((1, 300, None)), 1000 * SECOND) is None


def test_what_never_came_has_no_time_and_the_rest_its_rank(play):
    run = play("history.share=0", "real_time.share=0", "time.duration_h=0.5", "requests.tries=0")
    rows = run.ledger.rows
    rows["stored_ns"][:] = rows["interval_ns"] + (1 + np.arange(rows.size)) * SECOND  # 1 to 1,000 s old
    rows["stored_ns"][990:] = NEVER
    (said,) = attainable(run)
    assert said["count"] == 1000
    assert said["done_share"] == 0.99
    assert said["after_s"] == {"50 %": 500, "90 %": 900, "95 %": 950, "99 %": 990, "99.9 %": None}


def test_every_value_goes_to_one_retailer_in_time_or_not_and_every_bill_rests_on_something(play):
    # A busy band and no re-requests: values are missing, some between others (estimated), some at the end or always.
    rough = ("history.share=0", "real_time.share=0", "time.duration_h=2.0", "requests.tries=0", "delivery.offers=1",
             "radio.overrides.background_load=0.4", "radio.overrides.max_csma_backoffs=1")  # fmt: skip
    run = play(*rough, "data_management.retailers=4", "on_demand.reads_per_h=20")
    run.store.compact()
    outcome = Outcome(run)
    summary = Summary(outcome).content()
    rows = outcome.of(BILLING_CODE)
    stored = rows["stored_ns"] != NEVER
    told = summary["retailers"]
    assert len(told) == 4
    assert sum(each["meters"] for each in told) == 1000
    assert sum(each["expected"] for each in told) == 4000
    assert sum(each["missing"] for each in told) == (~stored).sum() > 20
    assert all(each["in_time"] + each["late"] + each["missing"] == each["expected"] for each in told)
    assert all(each["measured"] + each["estimated"] + each["open"] == each["meters"] for each in told)
    gaps = np.bincount(rows["meter"][~stored], minlength=1000)
    assert summary["management"]["bills_measured"] == (gaps == 0).sum()
    assert summary["management"]["bills_with_estimates"] > 0
    # Half the missing values have a value before and one after: what lies between two registers can be estimated.
    first, last = (np.zeros(1000, bool) for _ in range(2))
    first[rows["meter"][stored & (rows["interval_ns"] == rows["interval_ns"].min())]] = True
    last[rows["meter"][stored & (rows["interval_ns"] == rows["interval_ns"].max())]] = True
    assert summary["management"]["bills_with_estimates"] >= ((gaps > 0) & first & last).sum()
    levels = {level["id"]: level for level in summary["service_levels"]}
    took = [e.answered_ns - e.asked_ns for e in run.office.errands.of("read") if e.answered_ns is not None]
    assert levels["R15"]["value"] == sum(ns <= 30 * SECOND for ns in took) / 40  # 20 an hour for two hours
    short = 0
    for end_ns in np.unique(rows["interval_ns"]):
        due = rows[rows["interval_ns"] == end_ns]
        short += ((due["stored_ns"] == NEVER) | (due["stored_ns"] - end_ns > 3600 * SECOND)).mean() > 0.01
    assert summary["management"]["breach_min"] == 30 * short
