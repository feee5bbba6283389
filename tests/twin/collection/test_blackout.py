"""Who is dark owes nothing; what was owed before comes back after the return of supply."""

import numpy as np
import pytest

from twin.collection.blackout import FAR_NS, Blackout
from twin.collection.ledger import NEVER
from twin.collection.restoration import returns
from twin.store.schema import HOUR_NS, MINUTE_NS, Mark, Series

# Dark from 0:35, when most have yet to report the first half hour, to 1:50; the town is one substation.
DARK = ("blackout.at_h=0.5833333333333334", "blackout.hours=1.25", "blackout.share=1", "time.duration_h=3.0",
        "history.share=0", "real_time.share=0")  # fmt: skip


@pytest.fixture(scope="module")
def struck():
    """A blackout of three meters, made by hand."""
    blackout = object.__new__(Blackout)
    blackout.off_ns = np.array([35 * MINUTE_NS, 30 * MINUTE_NS, FAR_NS])
    blackout.on_ns = np.array([95 * MINUTE_NS, 60 * MINUTE_NS, FAR_NS])
    return blackout


def test_intervals_that_end_in_the_dark_are_counted_one_by_one(struck):
    meters = np.arange(3)
    for period_min in (5, 15, 30):
        for until_min in (0, 29, 30, 59, 60, 95, 200):
            ends = np.arange(period_min, until_min + 1, period_min) * MINUTE_NS
            by_hand = sum(int(struck.dark(meters, int(end)).sum()) for end in ends)
            assert struck.intervals_lost(meters, period_min * MINUTE_NS, until_min * MINUTE_NS) == by_hand


def test_nobody_reports_in_the_dark_and_all_that_was_owed_comes_back(play):
    run = play(*DARK)
    rows = run.ledger.rows
    ends_min = np.unique(rows["interval_ns"]) / MINUTE_NS
    assert ends_min.tolist() == [30, 120, 150, 180]  # 60 and 90 ended in the dark
    assert run.record.broken == []
    before = rows[rows["interval_ns"] == 30 * MINUTE_NS]
    waited = before["stored_ns"] > 110 * MINUTE_NS
    assert waited.any()  # those that had yet to report, or whose concentrator had yet to send
    assert (before["stored_ns"] != NEVER).mean() > 0.99  # re-requests bring them, but for a failed try or two
    back = returns(run.blackout, rows, run.end_ns)
    assert back.meters.size == 1000
    # Supply is back at 1:50; the next interval ends at 2:00, the spread is 20 minutes, hold and commit two more.
    assert np.nanmax(back.first_value_s[np.isfinite(back.first_value_s)]) < 32 * 60 + 30 * 60  # or one round later
    assert back.first_value_s.min() > 10 * 60


def test_the_interval_of_the_return_is_marked(play):
    run = play(*DARK)
    readings = run.store.readings(Series.HALF_HOUR, 0, 4 * HOUR_NS)
    marks = readings["mark"].to_numpy()
    ends = readings["interval_end_ns"].to_numpy()
    assert (marks[ends == 120 * MINUTE_NS] == Mark.REBOOT).all()
    assert (marks[ends == 150 * MINUTE_NS] != Mark.REBOOT).all()
