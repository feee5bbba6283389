"""Results depend on the scenario and its seed, never on the windows in which time is cut."""

import pytest

ASKING = ("on_demand.reads_per_h=40", "commands.kind='limit'", "commands.at_h=0.7", "commands.meters=20",
          "delivery.offers=1", "radio.overrides.background_load=0.3")  # fmt: skip


def test_same_digest_for_any_window(play):
    runs = [play(*ASKING, window_ns=window_s * 10**9) for window_s in (60, 7)]
    assert runs[0].record.checkpoints == runs[1].record.checkpoints
    assert runs[1].record.windows > runs[0].record.windows
    assert any(errand.kind == "missing" for errand in runs[0].office.errands.all)  # it was a run with re-requests


def test_another_seed_is_another_run(play):
    digests = {play("time.duration_h=0.5", "time.after_h=0.25", f"seed={seed}").digest() for seed in (1, 2)}
    assert len(digests) == 2


def test_the_report_moment_of_a_meter_does_not_depend_on_the_others(play):
    few, all_of_them = (play("time.duration_h=0.5", "time.after_h=0.1", f"history.share={share}") for share in (0, 0.5))
    for run in (few, all_of_them):
        assert (run.ledger.rows["kind"] == 0).sum() == 1000

    def moments(run):
        return run.ledger.rows["offered_ns"][run.ledger.rows["kind"] == 0].tolist()

    assert moments(few) == moments(all_of_them)


@pytest.mark.parametrize("spread_s", [1.0, 900.0])
def test_nobody_reports_before_the_interval_ends_or_after_the_spread(play, spread_s):
    run = play("time.duration_h=0.5", "time.after_h=0.1", f"half_hour.spread_s={spread_s}")
    rows = run.ledger.rows[run.ledger.rows["kind"] == 0]
    wait_s = (rows["offered_ns"] - rows["interval_ns"]) / 1e9
    assert wait_s.min() > 0
    assert wait_s.max() <= spread_s + 1e-8  # they start one nanosecond after the end


def test_same_digest_whether_or_not_the_radio_goes_ahead(play):
    def stay(run):
        run._may_go_ahead = False

    ahead, beside = play(*ASKING), play(*ASKING, prepare=stay)
    assert ahead.record.runs_ahead > 0
    assert beside.record.runs_ahead == 0
    assert ahead.record.checkpoints == beside.record.checkpoints
    assert ahead.record.windows == beside.record.windows
