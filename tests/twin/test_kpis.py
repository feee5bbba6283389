"""Key figures against hand counts, and an account that notices when it does not balance."""

import numpy as np
import pytest

import gpu
from twin.field.book import NEVER, OPEN, ROW
from twin.study import kpis

CODE = {name: i for i, name in enumerate(gpu.OUTCOMES)}


def book(*rows):
    """Rows as (radio outcome or None, heard at, known at, WAN lost)."""
    made = np.zeros(len(rows), dtype=ROW)
    for row, (radio, heard, known, wan_lost) in zip(made, rows, strict=True):
        row["radio"] = OPEN if radio is None else CODE[radio]
        row["concentrator_ns"], row["head_end_ns"], row["wan_lost"] = heard, known, wan_lost
    return made


def test_every_notice_has_exactly_one_fate():
    rows = book(
        ("acked", 5, 9, False),
        ("no_ack", 5, 9, False),  # a copy arrived although its sender gave up
        ("no_ack", NEVER, NEVER, False),
        ("died", NEVER, NEVER, False),
        ("acked", 5, NEVER, True),
        ("acked", 5, NEVER, False),  # still between concentrator and head end
        (None, NEVER, NEVER, False),  # still in the mesh
        ("acked", 5, 9, True),  # one copy lost in the WAN, another arrived
    )
    fates = kpis.settle(rows)
    assert fates.outcome.tolist() == ["delivered", "delivered", "lost", "died", "lost", "lost", "lost", "delivered"]
    assert fates.cause.tolist() == ["", "", "no_ack", "died", "wan", "unfinished", "unfinished", ""]
    account = kpis.account(rows, fates, "last_gasp", 0)
    assert (account["made"], account["delivered"], account["lost"], account["died"]) == (8, 3, 4, 1)
    assert account["causes"] == {"died": 1, "no_ack": 1, "unfinished": 2, "wan": 1}
    assert kpis.conservation({"last_gasp": account})["ok"]


@pytest.mark.parametrize("key", ["made", "delivered", "lost", "died"])
def test_an_account_that_does_not_balance_is_noticed(key):
    rows = book(("acked", 5, 9, False), ("died", NEVER, NEVER, False), ("no_ack", NEVER, NEVER, False))
    account = kpis.account(rows, kpis.settle(rows), "last_gasp", 0)
    account[key] += 1
    assert not kpis.conservation({"last_gasp": account})["ok"]


def test_time_to_share_counts_what_arrives():
    arrived = np.array([1.0, 2.0, 3.0, 10.0])
    assert [kpis.time_to_share_s(arrived, s) for s in (0.25, 0.5, 0.9, 0.99)] == [1.0, 2.0, 10.0, 10.0]
    assert kpis.time_to_share_s(np.zeros(0), 0.5) is None


def test_belief_is_replayed_to_each_moment():
    changes = [(10, 0, 1, "last_gasp"), (20, 1, 1, "last_gasp"), (30, 0, 0, "power_return")]
    states = [np.flatnonzero(state).tolist() for state in kpis.believed_at(changes, 3, [5, 10, 25, 30])]
    assert states == [[], [0], [0, 1], [1]]


@pytest.mark.parametrize(
    ("value", "limit", "at_least", "bound", "expected"),
    [
        (0.9, 0.9, True, 0.0, "pass"),
        (0.89, 0.9, True, 0.0, "fail"),
        (1.9, 2.0, False, 0.004, "pass"),
        (1.9, 2.0, False, 0.3, "inconclusive"),  # the limit is under ten times the bound
        (None, 2.0, False, 0.0, "not applicable"),
    ],
)
def test_verdicts(value, limit, at_least, bound, expected):
    assert kpis.verdict(value, limit, at_least, bound) == expected
