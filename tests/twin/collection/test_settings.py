"""A collection scenario is checked whole before anything runs."""

import re

import numpy as np
import pytest

from teiden.errors import ScenarioError
from twin import scenario as scenarios
from twin.collection.capacity import air_warnings
from twin.collection.settings import CollectionScenario


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("half_hour.minutes=20", "half_hour.minutes = 20, expected 15 or 30"),
        ("half_hour.spread_s=1800.0", "half_hour.spread_s = 1800.0, expected below the interval, 1800 s"),
        ("history.share=1.5", "history.share = 1.5"),
        ("history.share=0.98", "history.share = 0.98, expected at most 0.97 beside real_time.share = 0.03"),
        ("population.meters=0", "population.meters = 0, expected 1 or more"),
        ("requests.check_after_min=10.0", "requests.check_after_min = 10.0, expected more than half_hour.spread_s"),
        ("meter.profile='present'", "history.share = 0.1, expected 0 with meter.profile"),
        ("commands.meters=5000", "commands.meters = 5000, expected at most population.meters = 1000"),
        ("delivery.offer=3", "did you mean offers?"),
        ("radio.overrides.channel=3", "radio.overrides.channel = 3"),
        ("kind='collecting'", "kind = 'collecting', expected one of outage, collection, fleet"),
        ("time.duration_h=0.2", "time.duration_h = 0.2, expected one interval, 0.5 h, or more"),
    ],
)
def test_bad_settings_are_named_with_what_would_do(make_scenario, change, expected):
    with pytest.raises(ScenarioError) as caught:
        make_scenario(change)
    assert expected in str(caught.value)
    assert str(caught.value).startswith("town.toml: ")


def test_the_shipped_scenario_is_whole_and_comes_back_from_its_own_text(tmp_path):
    loaded = scenarios.load("collection_day")
    assert isinstance(loaded, CollectionScenario)
    file = tmp_path / "again.toml"
    file.write_text(scenarios.to_toml(loaded), encoding="utf-8")
    assert scenarios.load(file) == loaded


def test_too_much_five_minute_data_is_warned_of_with_the_number(make_plan, make_scenario):
    assert air_warnings(make_plan(make_scenario())) == []
    greedy = make_scenario("real_time.share=1.0", "history.share=0.0", "radio.profile='fsk-50k-920'",
                           "radio.overrides={ack_bytes=2000, ack_wait_us=400000, lifs_us=300000}")  # fmt: skip
    plan = make_plan(greedy)
    (warning,) = air_warnings(plan)
    # An ACK of 2,000 B takes 8 x 2,016 / 50,000 s, the pause 0.3 s, message and turnaround some 30 ms more; each
    # meter sends one message in 300 s and another in 1,800 s.
    busiest = np.bincount(plan.concentrator_of[plan.concentrator_of >= 0]).max()
    least = busiest * (8 * 2016 / 50_000 + 0.3) * (1 / 300 + 1 / 1800)
    said = float(re.search(r"asked for (\d+) %", warning).group(1)) / 100
    assert least < said < least * 1.07  # 30 of 623 ms, and a percent of rounding
    assert "of the five-minute meters asked for" in warning


def test_meters_of_today_are_collected_and_read(play):
    run = play("meter.profile='present'", "history.share=0", "real_time.share=0", "on_demand.reads_per_h=20",
               "time.duration_h=0.5", "time.after_h=0.5")  # fmt: skip
    assert run.record.broken == []
    assert all(errand.answered_ns is not None for errand in run.office.errands.all[:5])
