"""Scenarios: what is accepted, what is refused, and how that is said."""

import tomllib

import pytest

from teiden.errors import InputError, ScenarioError
from twin import scenario


def problems(*changes):
    with pytest.raises(ScenarioError) as caught:
        scenario.load("feeder_fault", changes)
    return caught.value.problems


def test_every_shipped_scenario_is_good():
    assert scenario.shipped()
    for name in scenario.shipped():
        assert scenario.load(name).name == name


def test_what_show_prints_is_the_scenario_itself():
    for name in scenario.shipped():
        loaded = scenario.load(name, ['radio.overrides={ min_be = 4, exponent = 3.5, capture = "hard" }'])
        assert scenario.check(tomllib.loads(scenario.to_toml(loaded)), "printed") == loaded


def test_all_problems_are_told_at_once_with_their_places():
    found = problems("population.meters=5", "tim.x=3", "time.duration=3", "policy.kind=foo", "time.window_ms=3.3",
                     "radio.profile=zzz")  # fmt: skip
    assert len(found) == 6
    assert any("time.window_ms = 3.3, expected a multiple" in line for line in found)
    assert any("radio.profile = 'zzz', expected one of" in line for line in found)
    text = "\n".join(found)
    assert "feeder_fault.toml: population.meters = 5, expected 1000 or more" in text
    assert "time.duration = 3, expected no such key (did you mean duration_s?)" in text
    assert "policy.kind = 'foo', expected 'last_gasp', 'polling' or 'last_gasp+polling'" in text


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("fault.at_s=nan", "finite"),
        ("population.meters=20000.5", "a whole number"),
        ("population.meters=true", "a whole number"),
        ("fault.tie_s=20", "above fault.isolate_s = 90"),
        ("fault.at_s=300", "below time.duration_s = 270"),
        ("meter.stop_v=6", "below meter.start_v = 5"),
        ("meter.transmit_mw=50", "at least meter.listen_mw = 100"),
        ("policy.reoffer_max_s=0.1", "at least policy.reoffer_min_s = 0.2"),
        ("time.window_ms=25", "look-ahead"),
        ("time.window_ms=3.3", "multiple of 0.125"),
        ("source.nominal_hz=55", "50 or 60"),
        ("wan.loss=1.5", "1 or less"),
    ],
)
def test_an_impossible_value_is_refused_with_what_would_do(change, expected):
    assert any(expected in line for line in problems(change)), problems(change)


def test_a_look_ahead_longer_than_any_reaction_is_refused_for_each_of_them():
    assert len(problems("time.window_ms=100")) == 3  # handoff, turnaround, WAN latency


def test_set_takes_toml_values_and_bare_words():
    loaded = scenario.load("feeder_fault", ["policy.kind=polling", "population.meters=1_000", "wan.loss=0.5"], seed=7)
    assert (loaded.policy.kind, loaded.population.meters, loaded.wan.loss, loaded.seed) == ("polling", 1000, 0.5, 7)


def test_a_key_at_the_wrong_place_is_found_where_it_belongs():
    assert "did you mean time.duration_s?" in problems("duration_s=60")[0]


def test_draws_of_the_meter_are_not_set_through_the_radio():
    assert "expected in meter.listen_mw" in problems("radio.overrides={listen_mw=5}")[0]


@pytest.mark.parametrize("change", ["population.meters", "=3", "a..b=3", "seed.x=3"])
def test_set_without_key_or_value_is_refused(change):
    assert "--set" in problems(change)[0]


def test_unknown_file_names_what_is_shipped():
    with pytest.raises(InputError, match="feeder_fault"):
        scenario.load("feder_fault")


def test_broken_toml_names_the_file(tmp_path):
    file = tmp_path / "broken.toml"
    file.write_text("[fault\n")
    with pytest.raises(ScenarioError, match=r"broken\.toml: not valid TOML"):
        scenario.load(file)
