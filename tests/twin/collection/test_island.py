"""An island: battery and limits by hand, and a run in which it goes dark."""

import numpy as np
import pytest

from teiden.errors import ScenarioError
from twin.collection.command_figures import island_cases, island_figures
from twin.collection.island import discharge, limited
from twin.collection.report_text import headline

HOUR_NS = 3600 * 10**9


def test_a_battery_is_charged_to_its_brim_and_empty_in_the_minute_that_takes_the_rest():
    # 60 W for a minute are 1 Wh: 10, one in, one over the brim, then six a minute.
    level, empty = discharge(10.0, 11.0, np.array([-60.0, -60.0, 360.0, 360.0]))
    assert level.tolist() == [11, 11, 5, 0]
    assert empty == 3


def test_customers_above_their_limit_adapt_or_trip_until_they_are_locked_out_with_their_roof():
    # Closed again every 15 s, four trips a minute; the eighth in a row is the last (DOMAIN 4.1).
    net_w = np.array([[500, 1500, 1500, 500], [500, 1500, 1500, -700], [1500, -700, 1500, 500], [-700] * 4])
    drawn, trips = limited(
        net_w, np.full(4, 1000.0), np.array([True, False, False, False]), np.zeros(4, np.uint8)
    )  # fmt: skip
    assert drawn.tolist() == [[500, 1000, 1000, 500], [500, 0, 0, 0], [0, -700, 0, 500], [-700] * 4]
    assert trips.tolist() == [0, 8, 0, 0]
    again, _ = limited(net_w[:, :1], np.full(4, 1000.0), np.zeros(4, bool), trips)
    assert again[:, 0].tolist() == [500, 0, 0, -700]


def test_the_answer_begins_with_how_long_it_lasted():
    cases = [("this run", 5.95, True), ("60 A from the start", 4.25, True), ("10 A from the start", 240.0, False)]
    said = headline(
        {
            "meters": 300,
            "classes": {"half_hour": {"within_limit_share": 1.0, "limit_s": 3600.0, "values": 9, "stored_values": 9,
                                      "age_s": {"p50": None, "p99": None}}},
            "worst": {"on_time_share": 1.0},
            "island": {
                "meters": 300,
                "commanded_before_dark": 295,
                "cases": [{"case": case, "lasted_h": hours, "went_dark": dark} for case, hours, dark in cases],
            },
        }
    )  # fmt: skip
    assert said.replace("\u00a0", " ").startswith(
        "The island of 300 meters lasted 5 h 57 min (4 h 15 min with 60 A from the start, more than 240 h with "
        "10 A from the start); 295 meters had the command by then. Of the half-hour values"
    )


ISLAND = ("history.share=0", "real_time.share=0", "time.duration_h=2.0", "time.after_h=0.5", "load.pv_share=0",
          "island.meters=100", "island.at_h=0.25", "island.battery_kwh_per_meter=0.2", "commands.kind='limit'",
          "commands.to='island'", "commands.at_h=0.3", "commands.rate_per_s=5")  # fmt: skip


def test_an_island_lasts_as_long_as_its_battery_and_then_says_nothing_any_more(play):
    run = play(*ISLAND)
    said = island_figures(run, list(island_cases(run)))
    assert run.record.broken == []
    # A slow reference: each meter's registers, minute by minute, under the limits its agent says it had.
    stored_wh, minute = 100 * 200.0, 15
    adapts = run.island._adapts
    trips = np.zeros(100, int)
    while stored_wh > 0:
        ends = np.array([(minute + 1) * 60 * 10**9])
        watts = run.plan.memory.loads.power(run.island.meters, ends, 60 * 10**9)[0][:, 0]
        for k, meter in enumerate(run.island.meters.tolist()):
            agent = run.dialogue.agents.get(meter)
            limit_w = 1000 if agent and agent.limit.at(minute * 60 * 10**9 - 1) == 10 else np.inf
            if watts[k] > limit_w and not adapts[k] and trips[k] < 8:
                trips[k] += 4
                continue
            trips[k] = 8 if trips[k] >= 8 else 0
            stored_wh -= 0 if trips[k] else min(watts[k], limit_w) / 60
        minute += 1
    assert said["dark_s"] == 60 * minute
    assert 0.5 < said["cases"][0]["lasted_h"] < 1.5  # 0.2 kWh at 0.1 to 0.4 kW a home
    assert said["commanded_before_dark"] == run.office.targets.size
    # The meters are dark from the next five minutes on: half hours that end later are not theirs to report.
    rows = run.ledger.rows
    last_ns = rows["interval_ns"][np.isin(rows["meter"], run.island.meters)].max()
    assert last_ns <= said["dark_s"] * 1e9 < last_ns + HOUR_NS / 2 + 300e9


def test_a_lower_limit_lasts_no_shorter(play):
    run = play(*ISLAND, "time.duration_h=0.5", "load.adapts_share=1.0")
    lasted = {case["case"]: case["lasted_h"] for case in island_figures(run, list(island_cases(run)))["cases"]}
    assert lasted["60 A from the start"] <= lasted["30 A from the start"] <= lasted["10 A from the start"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (("commands.kind='limit'", "commands.to='island'"), "commands.to = 'island', expected \"drawn\""),
        (("island.meters=10", "blackout.hours=2"), "island.meters = 10, expected 0 with blackout.hours above 0"),
        (("island.meters=10", "island.at_h=0.99"), "island.at_h = 0.99, expected whole five minutes"),
        (("commands.kind='open'", "commands.starts_after_h=1"), "commands.starts_after_h = 1.0, expected 0 with"),
        (("commands.kind='limit'", "commands.amperes=100"), "commands.amperes = 100.0, expected at most meter.con"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_named(make_scenario, changes, expected):
    with pytest.raises(ScenarioError) as caught:
        make_scenario(*changes)
    assert expected in str(caught.value)
