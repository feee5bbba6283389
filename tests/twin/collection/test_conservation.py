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


EVERYTHING = (*CLASSES, "time.duration_h=1.0", "fleet.mesh_share=0.8", "fleet.plc_share=0.1",
              "fleet.cellular_share=0.1", "commands.kind='open'", "commands.meters=20", "commands.at_h=0.2",
              "commands.undo_after_h=0.3", "firmware.image_kb=1", "firmware.at_h=0.1",
              "firmware.airtime_share=0.5")  # fmt: skip


def raised(array, place):
    """Yield while an entry of an array is one too high."""
    array[place] += 1
    yield
    array[place] -= 1


def counted(owner, name):
    """Yield while a count is one too high."""
    setattr(owner, name, getattr(owner, name) + 1)
    yield
    setattr(owner, name, getattr(owner, name) - 1)


def acknowledged(head_end, name):
    """Yield while the store has told of one value too many."""
    told = head_end.receipt
    head_end._receipt = told + Receipt(**{name: 1})
    yield
    head_end._receipt = told


def undelivered(run):
    """Yield while a message that was delivered is taken for one on the radio."""
    place = np.flatnonzero(run.ledger.rows["at"] == At.STORED)[0]
    run.ledger.rows["at"][place] = At.RADIO
    yield
    run.ledger.rows["at"][place] = At.STORED


def forgotten(run, kind):
    """Yield while the head end has forgotten a command."""
    place = next(k for k, errand in enumerate(run.office.errands.all) if errand.kind == kind)
    errand = run.office.errands.all.pop(place)
    yield
    run.office.errands.all.insert(place, errand)


def unheard(run):
    """Yield while a meter lacks a block that was brought to it."""
    place = tuple(np.argwhere(run.firmware.held)[0])
    run.firmware.held[place] = False
    yield
    run.firmware.held[place] = True


def damages(run):
    """Yield (sum by the beginning of its text, damage) for every sum of a run with everything in it."""
    rows, link = run.ledger.rows, run.plan.fleet.link
    for kind in run.classes:
        yield f"{kind.name}:", raised(rows["values"], np.flatnonzero(rows["kind"] == kind.code)[0])
        for code, name in ((0, "mesh"), (1, "power line"), (2, "cellular")):
            mine = np.flatnonzero((rows["kind"] == kind.code) & (link[rows["meter"]] == code))
            yield f"{kind.name} over {name}:", raised(rows["values"], mine[0])
    yield "radio:", raised(run.record.outcomes, "acked")
    for name in ("taken_values", "acknowledged_values", "dropped_values"):
        yield "concentrators:", counted(run.office.concentrators, name)
    yield "concentrators:", raised(run.office.concentrators.kept_values, 0)
    yield "head end:", counted(run.office.head_end, "checked_values")
    for name in ("stored", "duplicates", "conflicts"):
        yield "head end:", acknowledged(run.office.head_end, name)
    yield "store: readings it acknowledged", undelivered(run)
    yield "power line:", counted(run.links.plc, "failures")
    yield "cellular:", counted(run.links.cellular, "arrivals")
    yield "requests:", counted(next(iter(run.dialogue.agents.values())), "acted")
    yield "open:", forgotten(run, "open")
    yield "close:", forgotten(run, "close")
    yield "firmware:", unheard(run)


def test_every_sum_of_every_class_stage_and_link_is_broken_once_and_named(play):
    run = play(*EVERYTHING)
    sums = balance(run)
    assert sums.broken == []
    named = set()
    for begins, damage in damages(run):
        next(damage)
        assert any(text.startswith(begins) for text in balance(run).broken), begins
        next(damage, None)
        assert balance(run).broken == [], begins
        named.add(begins)
    # A sum that is added to a run needs a damage here.
    texts = [f"{account.name}:" for account in sums.accounts] + [stage.text for stage in sums.stages]
    assert [text for text in texts if not any(text.startswith(begins) for begins in named)] == []


def test_a_batch_that_the_head_end_lets_fall_before_the_store_is_missed(play):
    def let_fall(now_ns, run):
        if now_ns == 45 * 60 * 10**9:
            run.office.head_end._checked.pop(0)

    run = play("time.after_h=0.1", "head_end.commit_s=600", watch=let_fall)
    assert any(text.startswith("head end") for _, text in run.record.broken)


def test_a_file_that_the_store_lost_is_missed(play):
    run = play("time.duration_h=0.5", "time.after_h=0.5", "history.share=0", "real_time.share=0")
    run.store.compact()
    assert store_stage(run).left == store_stage(run).right
    next((run.store.root / "readings").rglob("*.parquet")).unlink()
    lost = store_stage(run)
    assert lost.left < lost.right == run.office.head_end.stored_values
