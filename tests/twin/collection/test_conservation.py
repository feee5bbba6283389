"""What was generated is delivered, queued, expired or lost; and a sum that is broken on purpose is named."""

import numpy as np
import pytest

from twin.collection.conservation import balance, store_stage
from twin.collection.ledger import At
from twin.store.receipt import Receipt

CLASSES = ("gas_water.gas_share=0.2", "gas_water.water_share=0.1", "on_demand.reads_per_h=20")


def test_every_value_of_every_class_is_accounted_for(play):
    run = play(*CLASSES)
    sums = balance(run)
    assert run.record.broken == []
    # 1,000 meters and two half hours; everybody in a class owes its share of the hour (hand calculation)
    members = {kind.name: kind.members.size for kind in run.classes}
    owed = {"half_hour": 2 * 1000, "history": 12 * members["history"], "real_time": 12 * members["real_time"],
            "gas": members["gas"], "water": members["water"]}  # fmt: skip
    assert {account.name: account.generated for account in sums.accounts} == owed
    assert all(account.generated == account.sum for account in sums.accounts)
    stored = {entry["series"]: entry["stored"] for entry in run.store.conservation().to_pylist()}
    assert stored["half_hour"] == next(a.delivered for a in sums.accounts if a.name == "half_hour")
    assert store_stage(run).left == store_stage(run).right == sum(stored.values())


def break_ledger(run):
    """Forget a message that was delivered."""
    place = np.flatnonzero(run.ledger.rows["at"] == At.STORED)[0]
    run.ledger.rows["at"][place] = At.RADIO


def break_class(run):
    """Count one value more in a message."""
    run.ledger.rows["values"][0] += 1


def break_radio(run):
    """Let an ended frame go unnoticed."""
    run.record.outcomes["acked"] -= 1


def break_concentrator(run):
    """Let a concentrator forget what it keeps."""
    run.office.concentrators.kept_values[0] += 1


def break_head_end(run):
    """Let the store's receipts miss a reading."""
    run.office.head_end._receipt += Receipt(duplicates=1)


@pytest.mark.parametrize(
    ("damage", "named"),
    [(break_ledger, "store"), (break_class, "half_hour"), (break_radio, "radio"), (break_concentrator, "concentrators"),
     (break_head_end, "head end")],
)  # fmt: skip
def test_a_broken_sum_raises_the_alarm(play, damage, named):
    run = play("time.duration_h=0.5", "time.after_h=0.5", "history.share=0", "real_time.share=0")
    assert balance(run).broken == []
    damage(run)
    assert any(text.startswith(named) for text in balance(run).broken)


def test_a_sum_broken_during_the_run_is_reported_with_its_time(play):
    def lose_one(now_ns, run):
        if now_ns == 45 * 60 * 10**9:
            break_ledger(run)

    run = play("time.after_h=0.5", watch=lose_one)
    assert run.record.broken[0][0] == 60 * 60 * 10**9  # the next checkpoint
