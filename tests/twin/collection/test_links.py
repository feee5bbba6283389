"""Links beside the mesh: hand calculations of each, sums over all of them, verdicts by link."""

import numpy as np
import pytest

from teiden.errors import InputError
from twin.collection.conservation import balance
from twin.collection.ledger import NEVER, At
from twin.collection.links_cellular import CellularCells
from twin.collection.links_fleet import Link, make_fleet
from twin.collection.links_medium import Sending
from twin.collection.links_plc import PlcCells, cell_losses, frame_bytes
from twin.collection.links_settings import CellularTable, FleetTable, PlcTable
from twin.collection.outcome import Outcome
from twin.collection.summary import Summary
from twin.collection.table_rows import TableRows

MIXED = ("fleet.mesh_share=0.5", "fleet.plc_share=0.3", "fleet.cellular_share=0.2")
FAR_NS = 1 << 62
S = 10**9


class Lights:
    """A blackout of single meters."""

    def __init__(self, meters, off_ns=FAR_NS, on_ns=FAR_NS):
        self.off_ns, self.on_ns = np.full(meters, off_ns), np.full(meters, on_ns)


def plc(meters=1, lights=None, **settings):
    """Return one cell of a power line with so many meters."""
    table = PlcTable(**{"frame_loss": 0.0, **settings})
    return PlcCells(table, np.zeros(meters, np.int64), 1, lights or Lights(meters), 1)


def cellular(meters=1, cells=1, lights=None, covered=True, **settings):
    """Return cells with the meters dealt out to them in turn."""
    of = np.arange(meters) % cells
    there = np.full(meters, covered)
    return CellularCells(CellularTable(**settings), of, there, cells, lights or Lights(meters), 1)


def offer_all(medium, meters, t_ns=0, psdu_bytes=152):
    """Let every meter send one message at a moment."""
    luck = np.random.default_rng(3).random(meters)
    for meter in range(meters):
        medium.offer(t_ns, Sending(meter, meter, psdu_bytes, luck[meter], row=meter))
    medium.run_until(FAR_NS)
    assert medium.offered == medium.arrivals + medium.failures
    return medium.take()


def test_a_power_line_carries_one_message_after_the_other():
    arrived, given_up = offer_all(plc(3), 3)
    # 152 B at 20 kb/s are 60.8 ms, 12 ms more a frame; 511 symbols hold 295 B, so that one frame is enough.
    assert frame_bytes(20.0) == 295
    assert [t_ns / 1e6 for t_ns, _ in arrived] == pytest.approx([72.8, 145.6, 218.4])
    assert given_up == []


def test_a_long_message_takes_several_frames():
    ((t_ns, _),), _ = offer_all(plc(), 1, psdu_bytes=800)
    assert t_ns / 1e6 == pytest.approx(800 * 8 / 20 + 3 * 12)  # 800 B: three frames of 295 B at most


def test_noise_gives_up_as_many_messages_as_all_tries_failing():
    cell = plc(20_000, tries=3)
    cell._loss = [0.3]
    _, given_up = offer_all(cell, 20_000)
    # 0.3 to the third of 20,000: 540, four standard deviations of the binomial are 92
    assert len(given_up) == pytest.approx(540, abs=92)
    assert {cause for _, _, cause in given_up} == {"noise"}


def test_noise_has_its_mean_and_some_bad_cells():
    losses = cell_losses(0.1, 50_000, 7)
    # Mean of 50,000 exponential draws: a standard deviation of 0.1 / sqrt(50,000); the cap takes off 0.1 e^-9.5.
    assert losses.mean() == pytest.approx(0.1, abs=4 * 0.1 / 50_000**0.5)
    assert (losses > 0.3).mean() == pytest.approx(np.exp(-3), abs=0.004)  # four standard deviations: 0.0039


def test_nothing_passes_a_dead_line():
    _, given_up = offer_all(plc(lights=Lights(1, 0, 10 * S)), 1, t_ns=5 * S)
    assert [cause for _, _, cause in given_up] == ["line_dead"]


def test_five_hundred_modems_polled_at_once_wait_two_seconds():
    arrived, given_up = offer_all(cellular(500, tries=200), 500)
    waits = np.array([t_ns for t_ns, _ in arrived]) / S
    # Published for 500 devices on one LTE-M: a mean of more than 2 s (DOMAIN 2.7).
    # Floor: 24 sessions of 200 ms and 152 B at 300 kb/s, one after the other, then 50 ms to the gateway.
    session_s = 0.2 + 152 * 8 / 300e3
    assert given_up == []
    assert 2.0 < waits.mean() < 4.0
    assert waits.max() >= -(-500 // 24) * session_s + 0.05
    assert waits.min() == pytest.approx(session_s + 0.05, abs=0.970)  # one backoff and its opportunity at most


def test_random_access_collides_as_often_as_preambles_coincide():
    cells, each = 400, 20
    medium = cellular(cells * each, cells, tries=1)
    _, given_up = offer_all(medium, cells * each)
    # 20 draw from 54: somebody else has mine with 1 - (53/54)^19 = 0.299; four standard deviations over 8,000
    # draws, doubled as those of a cell hang together.
    assert len(given_up) / (cells * each) == pytest.approx(1 - (53 / 54) ** 19, abs=0.04)
    assert {cause for _, _, cause in given_up} == {"no_access"}


def test_a_modem_registers_again_after_a_blackout_once():
    medium = cellular(1, lights=Lights(1, 10 * S, 100 * S))
    for key, t_s in enumerate((5, 101, 102, 200)):
        medium.offer(t_s * S, Sending(key, 0, 152, 0.5, row=key))
    medium.run_until(FAR_NS)
    arrived, _ = medium.take()
    one_s = 0.2 + 152 * 8 / 300e3 + 0.05
    assert [t_ns / S for t_ns, _ in arrived[:1]] == pytest.approx([5 + one_s])
    # Registration takes 37 s from 101 s on; the one at 102 s waits for it too. They may collide: 0.97 s of backoff.
    assert [t_ns / S for t_ns, _ in arrived[1:3]] == pytest.approx([138 + one_s] * 2, abs=2.0)
    assert arrived[3][0] / S == pytest.approx(200 + one_s)
    assert medium.registrations == 1


def test_without_coverage_or_supply_nothing_is_sent():
    _, given_up = offer_all(cellular(covered=False), 1)
    assert [cause for _, _, cause in given_up] == ["no_coverage"]
    _, given_up = offer_all(cellular(lights=Lights(1, 0, 10 * S)), 1)
    assert [cause for _, _, cause in given_up] == ["no_supply"]


def test_the_mix_is_as_asked_for_and_lines_are_whole(make_plan, make_scenario):
    population = make_plan(make_scenario()).population
    mix = FleetTable(mesh_share=0.2, plc_share=0.5, cellular_share=0.3)
    fleet = make_fleet(population, 4, mix, PlcTable(meters_per_cell=10), CellularTable(meters_per_cell=100))
    counts = np.bincount(fleet.link, minlength=3) / population.meter_count
    # 100 transformers drawn: a standard deviation of 0.05 for lines; modems are drawn from what is left.
    assert counts == pytest.approx([0.2, 0.5, 0.3], abs=0.2)
    on_line = fleet.link == Link.PLC
    assert set(np.bincount(fleet.cell[on_line])) == {10}
    assert fleet.lane[on_line].max() < 4  # a master hands over to a concentrator
    assert fleet.lane[fleet.link == Link.CELLULAR].min() in (-1, 4)  # a cell has a lane of its own
    assert (fleet.lane[fleet.on_mesh] == NEVER).all()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("fleet.plc_share=0.2",), "fleet.mesh_share = 1.0, expected 0.8 beside fleet.plc_share = 0.2"),
        (("fleet.plc_share=0.9", "fleet.cellular_share=0.9"), "expected shares that sum to 1"),
        (("handy.to_h=8.0",), "handy.to_h = 8.0, expected after handy.from_h = 9"),
        (("handy.upload_h=12.0",), "handy.upload_h = 12.0, expected handy.to_h = 17 or later"),
        (("cellular.preambles=0",), "cellular.preambles = 0, expected 1 or more"),
    ],
)
def test_an_impossible_mix_is_refused_with_what_would_do(make_scenario, change, expected):
    with pytest.raises(InputError, match=r"town\.toml") as caught:
        make_scenario(*change)
    assert expected in str(caught.value)


@pytest.fixture
def mixed(play):
    """Give a finished run over three links with riders, reads and re-requests."""
    return play(*MIXED, "gas_water.gas_share=0.3", "on_demand.reads_per_h=60", "plc.frame_loss=0.6",
                "cellular.uncovered_share=0.1")  # fmt: skip


def test_sums_hold_by_class_and_link_and_a_broken_one_is_named(mixed):
    assert mixed.record.broken == []
    texts = [stage.text for stage in balance(mixed).stages]
    assert sum(text.startswith("half_hour over") for text in texts) == 3
    mixed.links.plc.arrivals -= 1
    (broken,) = balance(mixed).broken
    assert broken.startswith("power line: sendings")
    mixed.links.plc.arrivals += 1
    place = np.flatnonzero((mixed.ledger.rows["kind"] == 0) & (mixed.plan.fleet.link[mixed.ledger.rows["meter"]] == 2))
    mixed.ledger.rows["values"][place[0]] += 1
    assert any(text.startswith("half_hour over cellular") for text in balance(mixed).broken)


def test_every_link_asks_answers_and_is_judged(mixed):
    rows, link = mixed.ledger.rows, mixed.plan.fleet.link
    answered = {int(link[e.meter]) for e in mixed.office.errands.all if e.kind == "read" and e.answered_ns is not None}
    assert answered == {0, 1, 2}
    mended = (rows["asked"] > 0) & (rows["stored_ns"] != NEVER) & (link[rows["meter"]] == Link.PLC)
    assert mended.any()  # noise took it, a request brought it
    mixed.store.compact()
    outcome = Outcome(mixed)
    summary = Summary(outcome).content()
    assert outcome.conservation["ok"], outcome.conservation["broken"]
    assert set(summary["by_link"]) == {"mesh", "power line", "cellular"}
    assert sum(found["meters"] for found in summary["by_link"].values()) == 1000
    judged = [level for level in summary["service_levels"] if level["text"].startswith("... over")]
    assert len(judged) == 3
    # One in ten has no coverage: a share of about 0.9 fails the limit of 0.99, whatever the mesh does.
    assert judged[2]["verdict"] == "fail"
    on_time = sum(found["within_limit_share"] * found["values"] for found in summary["by_link"].values())
    whole = summary["classes"]["half_hour"]
    assert on_time == pytest.approx(whole["within_limit_share"] * whole["values"])
    traced_in_order(outcome, link)


def traced_in_order(outcome, link):
    """Check that every stored value of every class and link has the time of every stage, one after the other (R44)."""
    rows, found = outcome.rows, set()
    for kind in outcome.run.classes:
        for code in Link:
            chosen = (rows["kind"] == kind.code) & (link[rows["meter"]] == code) & (rows["stored_ns"] != NEVER)
            stages = [
                rows[name][chosen] for name in ("interval_ns", "offered_ns", "radio_ns", "head_end_ns", "stored_ns")
            ]
            assert (np.diff(stages, axis=0) >= 0).all()
            found |= {(kind.name, code)} if chosen.any() else set()
    assert {(name, code) for name in ("half_hour", "gas") for code in Link} <= found
    meter = int(rows["meter"][rows["kind"] == next(k.code for k in outcome.run.classes if k.name == "gas")][0])
    told = dict(TableRows(outcome, meter)._tables())["trace"]
    assert set(told["class"]) >= {"half_hour", "gas"}  # the gas meter's values are those of the meter beside it


def test_the_digest_of_a_mixed_fleet_does_not_depend_on_windows(play):
    changes = (*MIXED, "on_demand.reads_per_h=40", "plc.frame_loss=0.5", "time.duration_h=0.5", "time.after_h=0.7",
               "handy.crews=1", "handy.from_h=0.9", "handy.to_h=1.1", "handy.upload_h=1.15", "handy.after_h=0.1",
               "cellular.uncovered_share=0.1")  # fmt: skip
    runs = [play(*changes, window_ns=window_s * S) for window_s in (60, 7)]
    assert runs[0].record.checkpoints == runs[1].record.checkpoints
    assert runs[0].handy.visits == runs[1].handy.visits > 0


def test_a_fleet_without_a_mesh_is_collected(play):
    run = play("fleet.mesh_share=0.0", "fleet.plc_share=0.0", "fleet.cellular_share=1.0", "time.duration_h=0.5",
               "cellular.uncovered_share=0.0")  # fmt: skip
    assert (run.ledger.rows["at"] == At.STORED).all()
    assert run.plan.mesh.counters()["tx_data"] == 0


def test_crews_read_whom_no_link_reaches_within_their_capacity(play):
    # Nobody has coverage; 1,000 modems and 2 crews with 30 visits each: 60 meters, all they owe until then.
    run = play("fleet.mesh_share=0.0", "fleet.cellular_share=1.0", "cellular.uncovered_share=1.0",
               "time.duration_h=0.5", "history.share=0", "real_time.share=0", "handy.crews=2",
               "handy.visits_per_day=30", "handy.from_h=0.6", "handy.to_h=0.9", "handy.upload_h=1.2",
               "handy.after_h=0.05")  # fmt: skip
    rows = run.ledger.rows
    stored = rows["stored_ns"] != NEVER
    assert run.record.broken == []
    assert run.handy.visits == 60 == np.unique(rows["meter"][stored]).size
    assert rows["head_end_ns"][stored].min() > 1.2 * 3600 * S  # handed over in the evening, not before
    assert (rows["sink"][stored] == run.plan.fleet.terminals_lane).all()
    assert run.handy.backlog().size == 940
