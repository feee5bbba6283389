"""A wave of commands: once each, to the right meter, at the limiter's pace, taken back; sums broken on purpose."""

import numpy as np
import pytest

from twin.collection import dialogue
from twin.collection.command_figures import command_figures
from twin.collection.conservation import balance
from twin.collection.kpis import lost_power
from twin.metering.agent import MeterAgent
from twin.metering.security import meter_keys
from twin.store.schema import Series

SHORT = ("history.share=0", "real_time.share=0", "time.duration_h=0.5", "time.after_h=0.3", "commands.at_h=0.1",
         "commands.meters=40", "commands.rate_per_s=20")  # fmt: skip
MINUTE_NS = 60 * 10**9
HOUR_NS = 60 * MINUTE_NS


def test_a_limit_that_is_sent_twice_acts_once_and_is_confirmed_in_sealed_bytes(play):
    run = play(*SHORT, "commands.kind='limit'", "commands.repeated_share=1.0")
    said = command_figures(run)
    assert run.record.broken == []
    (wave,) = said["waves"]
    assert wave["sent"] == wave["acted"] == wave["confirmed"] == run.office.targets.size > 30
    assert said["received_twice"] > 30
    assert said["acted_twice"] == said["answers_faulty"] == 0
    for meter in run.office.targets.tolist():
        errand = next(e for e in run.office.errands.all if e.meter == meter)
        assert run.dialogue.agents[meter].limit.at(errand.reached_ns) == 10
        assert run.dialogue.agents[meter].limit.at(errand.reached_ns - 1) == 60


def test_a_misdirected_command_is_refused_by_the_meter_it_was_not_sealed_for(play):
    run = play(*SHORT, "commands.kind='open'", "commands.misdirected_share=1.0", "requests.timeout_s=5")
    said = command_figures(run)
    assert run.record.broken == []
    assert said["waves"][0]["acted"] == said["waves"][0]["confirmed"] == said["misdirected_and_acted"] == 0
    assert said["misdirected"] == said["misdirected_and_refused"] > 30
    assert all(agent.switch == [] for agent in run.dialogue.agents.values())
    assert said["switched_kw"] == 0


def test_meters_that_do_not_check_their_keys_raise_the_alarm(play, monkeypatch):
    one_for_all = meter_keys(1, 0)
    monkeypatch.setattr(dialogue, "meter_keys", lambda seed, meter: one_for_all)
    run = play(*SHORT, "commands.kind='open'", "commands.misdirected_share=0.5", "requests.timeout_s=5")
    assert command_figures(run)["misdirected_and_acted"] > 5
    assert any(text.startswith("requests: carried out by meters") for text in balance(run).broken)


def test_meters_that_act_on_what_they_know_already_raise_the_alarm(play, monkeypatch):
    class Forgetful(MeterAgent):
        def take(self, data, t_ns):
            self._known.clear()
            self._window = type(self._window)()
            return super().take(data, t_ns)

    monkeypatch.setattr(dialogue, "MeterAgent", Forgetful)
    run = play(*SHORT, "commands.kind='open'", "commands.repeated_share=1.0")
    assert command_figures(run)["acted_twice"] > 30
    assert any(text.startswith("requests: carried out by meters") for text in balance(run).broken)


def test_the_limiter_holds_its_pace_for_the_wave_and_for_what_takes_it_back(play):
    run = play(*SHORT, "commands.kind='open'", "commands.rate_per_s=2", "commands.undo_after_h=0.2")
    said = command_figures(run)
    assert said["most_sent_in_a_second"] <= 2
    assert [wave["kind"] for wave in said["waves"]] == ["open", "close"]
    switches = [[closed for _, closed in agent.switch] for agent in run.dialogue.agents.values()]
    assert switches == [[False, True]] * run.office.targets.size


@pytest.mark.parametrize(("undo_h", "expected_a"), [(0.0, 10), (0.2, 60)])
def test_a_reservation_begins_by_itself_unless_it_was_cancelled(play, undo_h, expected_a):
    run = play(*SHORT, "commands.kind='limit'", "commands.starts_after_h=0.4", "commands.lasts_h=0.1",
               f"commands.undo_after_h={undo_h}")  # fmt: skip
    assert {wave["kind"]: wave["confirmed"] for wave in command_figures(run)["waves"]}["reserve"] > 30
    agents = [run.dialogue.agents[meter] for meter in run.office.targets.tolist()]
    # Clocks are seconds off at most: 10 ppm over a day is 0.9 s. A minute inside the reservation is inside for all.
    held = [agent.limit.at(round(0.5 * HOUR_NS) + MINUTE_NS) for agent in agents]
    assert held == [expected_a] * len(agents)
    assert [agent.limit.at(round(0.6 * HOUR_NS) + MINUTE_NS) for agent in agents] == [60] * len(agents)


def test_power_that_is_given_back_counts_as_long_as_it_was_away():
    # Two meters of 2 and 3 kW: away from 0 to 10 and from 5 to 30. For 5 both are away together from 5 to 10.
    t, until, kw = np.array([0, 5]), np.array([10, 30]), np.array([2.0, 3.0])
    assert [lost_power(t, until, kw, hold) for hold in (5, 6, 10, 20, 26)] == [5, 3, 3, 3, 0]


def registers_of(run, meters):
    """Return (M, T) import registers that the store has of meters' half hours, in order."""
    table = run.store.readings(Series.HALF_HOUR, 0, 2 * HOUR_NS).to_pandas()
    found = table[table.meter.isin(meters)].sort_values(["meter", "interval_end_ns"])
    return found.import_wh.to_numpy().reshape(len(meters), -1)


def test_the_store_has_what_limits_and_open_switches_let_through(play):
    longer = ("time.duration_h=1.5", "time.after_h=0.5", "load.adapts_share=0.5")
    free = play(*SHORT, *longer)
    opened = play(*SHORT, *longer, "commands.kind='open'")
    limited = play(*SHORT, *longer, "commands.kind='limit'", "commands.amperes=1")
    meters = [k for k in opened.office.targets.tolist() if opened.dialogue.agents[k].switch]
    assert len(meters) > 30
    # All were opened six minutes after the beginning: from the first half hour on nothing is drawn.
    assert not np.diff(registers_of(opened, meters), axis=1).any()
    drawn, wanted = (np.diff(registers_of(run, meters), axis=1) for run in (limited, free))
    assert drawn.max() <= 50 + 1  # 100 W for half an hour, and the rounding of two registers
    assert drawn.sum() < 0.8 * wanted.sum()
    assert (drawn <= wanted + 1).all()
    others = [k for k in range(0, 1000, 25) if k not in opened.office.targets]
    assert (registers_of(opened, others) == registers_of(free, others)).all()
    assert opened.record.broken == limited.record.broken == []
    assert sum(opened.store.conservation()["conflicts"].to_pylist()) == 0


def test_what_is_let_through_does_not_depend_on_windows(play):
    changes = (*SHORT, "time.duration_h=1.0", "commands.kind='limit'", "commands.amperes=2", "history.share=0.2",
               "commands.repeated_share=0.3", "on_demand.reads_per_h=60")  # fmt: skip
    one, other = play(*changes), play(*changes, window_ns=7 * 10**9)
    assert one.digest() == other.digest()
    for series in (Series.HALF_HOUR, Series.FIVE_MINUTE):
        tables = [run.store.readings(series, 0, 2 * HOUR_NS).sort_by("interval_end_ns") for run in (one, other)]
        columns = ["meter", "interval_end_ns", "import_wh", "p_w", "q_var", "u_dv"]
        rows = [sorted(map(str, table.select(columns).to_pylist())) for table in tables]
        assert rows[0] == rows[1]
