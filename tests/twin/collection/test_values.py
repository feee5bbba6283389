"""What messages hold is what the meters remember, as bytes too."""

import numpy as np

from twin.collection.traffic import TrafficClass
from twin.collection.values import contents
from twin.store.schema import HOUR_NS, MINUTE_NS, Series

BUSY = ("time.duration_h=1.0", "time.after_h=0.5", "history.share=0.3", "gas_water.gas_share=0.1")


def test_the_store_holds_what_the_meters_remember(play):
    run = play(*BUSY)
    for series in (Series.HALF_HOUR, Series.FIVE_MINUTE, Series.GAS):
        stored = run.store.readings(series, 0, HOUR_NS)
        assert stored.num_rows
        meters = np.unique(stored["meter"].to_numpy())
        told = run.plan.memory.readings(meters, series, 0, HOUR_NS, HOUR_NS).to_table(0, 0)
        keys = ["meter", "interval_end_ns"]
        values = ["import_wh", "export_wh", "p_w", "q_var", "u_dv", "mark"]
        mine = {tuple(row[k] for k in keys): [row[v] for v in values] for row in told.to_pylist()}
        for row in stored.to_pylist():
            assert [row[v] for v in values] == mine[tuple(row[k] for k in keys)]


def test_every_message_passes_as_sealed_bytes_when_all_are_tried(play):
    once = ("requests.tries=0", "concentrator.ack_timeout_s=300")  # nothing comes a second time
    run = play(*BUSY, "head_end.verified_share=1", *once)
    right = run.verification.counts
    sent = (run.ledger.rows["stored_ns"] >= 0).sum()
    assert right["right"] == sent > 2000
    assert set(right) == {"right"}


def test_a_wrong_key_is_refused_and_counted(play):
    def spoil(run):
        run.verification._receiver._keys_of = lambda meter: run_keys(meter)

    from twin.metering.security import MeterKeys

    def run_keys(meter):
        return MeterKeys(bytes(16), bytes(16))

    run = play("time.duration_h=0.5", "time.after_h=0.5", "history.share=0", "real_time.share=0",
               "head_end.verified_share=0.05", prepare=spoil)  # fmt: skip
    assert run.verification.counts["refused"] > 0
    assert run.verification.counts["right"] == 0


def test_a_message_of_six_holds_its_six_in_order(play):
    run = play("time.duration_h=0.5", "time.after_h=0.1", "real_time.share=0", "history.share=0.1")
    kind: TrafficClass = next(c for c in run.classes if c.name == "history")
    rows = np.flatnonzero(run.ledger.rows["kind"] == kind.code)[[3, 0, 7]]
    (held,) = contents(run.plan.memory, run.ledger.rows, run.classes, rows)
    for place, row in enumerate(held.rows):
        assert (held.of(place).interval_end_ns / MINUTE_NS).tolist() == [5, 10, 15, 20, 25, 30]
        assert set(held.of(place).meter.tolist()) == {int(run.ledger.rows["meter"][row])}


def test_riders_arrive_with_the_message_that_carries_them(play):
    run = play("time.duration_h=1.0", "time.after_h=0.5", "gas_water.gas_share=0.5", "gas_water.water_share=0.5")
    rows = run.ledger.rows
    carriers = np.flatnonzero(rows["rider"] >= 0)
    riders = rows["rider"][carriers]
    both = np.isin(carriers, riders)  # a gas message that itself carries a water message
    assert both.sum() > 100
    for key in ("meter", "offered_ns", "radio_ns", "sink"):
        assert np.array_equal(rows[key][carriers], rows[key][riders]), key
