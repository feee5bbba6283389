"""Results depend on the scenario and its seed, never on the windows in which time is cut."""

from types import SimpleNamespace

import numpy as np
import pytest

from twin.collection.day import _most_values

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


def test_the_radio_goes_ahead_while_an_answer_is_on_its_way_but_not_a_question(play):
    seen = []

    def look(now_ns, run):
        errands = run.office.errands
        waiting = [errand for errand in errands.all if errand.process.is_alive]
        asked_again = any(errand.kind == "missing" for errand in waiting)
        seen.append((len(waiting), errands.to_send, asked_again, run._ahead is not None))

    play("time.duration_h=0.5", "time.after_h=0.75", "on_demand.reads_per_h=40", "radio.overrides.background_load=0.3",
         "delivery.offers=1", watch=look)  # fmt: skip
    assert any(waiting and not to_send and ahead for waiting, to_send, _, ahead in seen)
    assert not any(to_send and ahead for _, to_send, _, ahead in seen)
    assert all(to_send for _, to_send, asked_again, _ in seen if asked_again)
    assert any(asked_again for _, _, asked_again, _ in seen)


def test_the_radio_may_be_further_than_the_first_piece_of_the_next_window(play):
    # An answer arrives as the radio is ahead by a short window, and a read begins some five seconds later.
    def stay(run):
        run._may_go_ahead = False

    often = ("time.duration_h=0.5", "time.after_h=0.1", "on_demand.reads_per_h=500")
    ahead, beside = play(*often), play(*often, prepare=stay)
    assert ahead.record.checkpoints == beside.record.checkpoints


def test_what_concentrators_keep_is_counted_alike_in_pieces_and_whole(play):
    # Batches go after five seconds: many are acknowledged within the window that brought them.
    asking = [change for change in ASKING if not change.startswith("commands")]  # with them all is read at once
    quick = ("concentrator.hold_s=5", "half_hour.spread_s=200")

    def whole(run):
        run._in_pieces = lambda: False
        run._reads_beside = False

    pieces, one = play(*asking, *quick), play(*asking, *quick, prepare=whole)
    assert pieces.record.runs_ahead > one.record.runs_ahead
    assert pieces.record.checkpoints == one.record.checkpoints
    kept = pieces.office.concentrators.peak_values, one.office.concentrators.peak_values
    assert np.array_equal(*kept)
    assert kept[0].max() > 50
    for name in ("readings", "conflicts"):
        tables = [run.store.connect().sql(f"select * from {name} order by all").fetchall() for run in (pieces, one)]
        assert tables[0] == tables[1]


def test_a_window_is_whole_where_a_concentrator_could_become_full(play):
    seen = []
    play("time.duration_h=0.5", "time.after_h=0.1", "concentrator.storage_values=20000",
         watch=lambda now_ns, run: seen.append(run._in_pieces()))  # fmt: skip
    assert not any(seen)


def test_the_most_a_radio_brings_in_a_window_is_its_air_full_of_the_shortest_frames():
    kinds = ((150, 1, False), (250, 6, False), (20, 1, True), (20, 1, True))
    classes = [SimpleNamespace(psdu_bytes=size, records=records, rides=rides) for size, records, rides in kinds]
    # By hand: a minute at 100 kb/s is 750,000 B, 5,000 frames of 150 B and one begun before; 6 + 2 values in each.
    assert _most_values(60 * 10**9, 100_000, classes) == 5001 * 8
