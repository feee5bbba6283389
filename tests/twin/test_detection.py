"""Delays of detection: drawn from what was measured."""

import numpy as np
import pytest

from teiden.errors import InputError
from twin.field.detection import MISSED, DetectionTable

MS = 1_000_000


def table(**changes):
    values = {
        "residual_pu": np.array([0.0, 0.2, 0.4]),
        "delay_ns": np.array([[1, 2, 3, 4], [11, 12, 13, 14], [MISSED, MISSED, 23, 24]]) * np.array(MS),
        "rtl_hash": "abc",
    }
    values["delay_ns"][values["delay_ns"] < 0] = MISSED
    return DetectionTable(**(values | changes))


def test_each_case_of_the_nearest_row_comes_equally_often():
    meters = np.arange(40_000)
    delays = table().draw_ns(7, meters, 0, np.full(meters.size, 0.16))
    found, count = np.unique(delays, return_counts=True)
    assert (found == np.array([11, 12, 13, 14]) * MS).all()
    # 10,000 expected; five standard deviations of a binomial with p = 1/4
    assert np.abs(count - 10_000).max() < 5 * (40_000 * 0.25 * 0.75) ** 0.5


@pytest.mark.parametrize(("residual", "row"), [(0.0, 0), (0.09, 0), (0.11, 1), (0.29, 1), (0.31, 2), (0.44, 2)])
def test_the_row_is_that_of_the_nearest_residual(residual, row):
    one = DetectionTable(np.array([0.0, 0.2, 0.4]), np.array([[10], [20], [30]]), "abc")
    assert one.draw_ns(1, np.array([5]), 9, np.array([residual])).tolist() == [10 * (row + 1)]


def test_a_draw_depends_on_the_meter_and_the_moment_alone():
    some = table()
    together = some.draw_ns(1, np.arange(100), 5, np.full(100, 0.2))
    alone = [int(some.draw_ns(1, np.array([k]), 5, np.array([0.2]))[0]) for k in range(100)]
    assert together.tolist() == alone
    assert together.tolist() != some.draw_ns(1, np.arange(100), 6, np.full(100, 0.2)).tolist()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"residual_pu": np.array([0.0, 0.2])}, "3 rows"),
        ({"residual_pu": np.array([0.0, 0.4, 0.2])}, "do not rise"),
        ({"delay_ns": np.full((3, 4), -5)}, "-5 ns"),
        ({"delay_ns": np.zeros((3, 0), np.int64)}, "at least one case"),
    ],
)
def test_a_table_that_is_none_is_refused(changes, words):
    with pytest.raises(InputError, match=words):
        table(**changes)
