"""Odd but legal scenarios: every one ends with a report that says nothing false."""

import duckdb
import pandapower
import pandapower.networks
import pytest

from hil.run import run_scenario

SHORT = ("time.duration_s=24", "fault.isolate_s=8", "fault.tie_s=12")


@pytest.fixture
def run(make_small, tmp_path):
    """Run a variant of the small scenario."""

    def go(*changes):
        return run_scenario(make_small(*changes), tmp_path / "run")

    return go


def verdicts(done):
    return {level["text"]: level["verdict"] for level in done.summary["service_levels"]}


def test_a_run_that_ends_before_the_fault_or_with_a_shallow_dip_has_nobody_dark(run):
    done = run("time.duration_s=4.2", "fault.trip_s=0.5", "fault.fault_ohm=50")
    assert done.summary["dark"]["peak"] == 0
    assert done.summary["conservation"]["ok"]
    assert set(verdicts(done).values()) == {"not applicable"}


def test_a_run_that_ends_within_a_deep_dip_knows_who_lost_the_supply(run):
    done = run("time.duration_s=4.2", "fault.trip_s=0.5", "fault.fault_ohm=0")
    assert done.summary["dark"]["peak"] > 0
    assert done.summary["gasps"]["made"] == 0
    assert "fail" not in verdicts(done).values()


def test_a_stage_at_the_very_end_is_no_stage(run):
    done = run("time.duration_s=12", "fault.at_s=4", "fault.isolate_s=8", "fault.tie_s=12")
    assert done.summary["dark"]["at_end"] == done.summary["dark"]["peak"] > 0
    assert "after_isolation" not in done.summary["dark"]
    assert done.summary["belief"][-1]["wrongly_dark"] == 0


def test_a_slow_trip_belief_follows_the_voltage_not_the_breaker(run):
    """A deep dip of 20 s: meters below the limit have lost their supply and say so; none of that is wrong."""
    done = run("fault.trip_s=10", "fault.isolate_s=20", "fault.tie_s=30", "time.duration_s=14")
    assert done.summary["gasps"]["made"] > 0
    assert all(moment["wrongly_dark"] == 0 for moment in done.summary["belief"])
    assert all(done.summary["gasps"][f"time_to_{share}_s"] > 0 for share in (50, 90, 99))


def test_substations_that_are_dead_anyway_take_no_part(run, tmp_path):
    net = pandapower.networks.mv_oberrhein()
    net.switch.loc[272, "closed"] = False
    dead = pandapower.topology.unsupplied_buses(net)
    assert dead
    pandapower.to_json(net, str(tmp_path / "dead.json"))
    done = run(f"grid.network={tmp_path}/dead.json", *SHORT)
    first = done.summary["belief"][0]
    assert first["truly_dark"] <= done.summary["dark"]["peak"]
    assert done.summary["sections"][0]["truth"].startswith("feeder")
    assert done.summary["gasps"]["made"] <= done.summary["dark"]["peak"]


def test_a_fault_near_the_feeder_head_has_no_tie(run):
    done = run("fault.line=Line 193", *SHORT)
    assert "after_tie" not in done.summary["dark"]
    assert done.summary["conservation"]["ok"]


def test_a_repair_brings_everybody_back(run):
    done = run("fault.repair_s=16", "time.duration_s=40", "fault.isolate_s=8", "fault.tie_s=12")
    assert done.summary["dark"]["at_end"] == 0


def test_a_fraction_of_a_second_at_the_end_is_counted(run):
    done = run(*SHORT[1:], "time.duration_s=13.37")
    attempts = done.summary["air"]["data_frames"]
    assert attempts > 0
    (binned,) = duckdb.sql(f"select sum(data_frames) from '{done.folder}/air.parquet'").fetchall()[0]
    assert binned == attempts


def test_a_wan_that_loses_everything_delivers_nothing(run):
    done = run("wan.loss=1.0", "wan.tries=1", *SHORT)
    assert done.summary["gasps"]["delivered"] == 0
    assert done.summary["gasps"]["causes"]["wan"] > 0
    assert done.summary["belief"][-1]["believed_dark"] == 0
    assert done.summary["wan"]["messages_given_up"] >= done.summary["gasps"]["causes"]["wan"]


def test_a_replay_that_arrives_first_is_the_notice_itself(run):
    """Most originals are lost in the WAN; what the attacker repeats is genuine, counted once and no success of his."""
    done = run(
        "wan.loss=0.8", "wan.tries=1", "adversary.replayed=200", "adversary.replay_after_s=4", "time.duration_s=40"
    )
    security = done.summary["security"]
    assert security["replayed_first_copy"] > 0
    assert security["replayed_accepted"] == 0
    accepted = done.summary["gasps"]["delivered"] + done.summary["returns"]["delivered"]
    changes = f"select count(*) from '{done.folder}/beliefs.parquet' where source = 'last_gasp'"
    assert duckdb.sql(changes).fetchall()[0][0] <= accepted


@pytest.mark.parametrize("changes", [
    ("source.nominal_hz=60", "source.point_on_wave_deg=359"),
    ("policy.window_s=0", "policy.offers=1"),
    ("seed=0", "board.meter=auto"),
    (f"seed={2**62}", "time.window_ms=1"),
    ("policy.declare_s=20",),
])  # fmt: skip
def test_other_corners_end_well(run, changes):
    done = run(*SHORT, *changes)
    assert done.summary["conservation"]["ok"]
    assert done.summary["board"]["t0_source"] == "trigger"
    assert done.summary["board"]["detection_latency_ms"] <= 2.0
    assert done.manifest["flags"] == []


def test_another_network_with_plain_coordinates(run, tmp_path):
    """CIGRE's medium-voltage network: no lines of longitude, few switches, no tie that helps."""
    net = pandapower.networks.create_cigre_network_mv()
    pandapower.to_json(net, str(tmp_path / "cigre.json"))
    done = run(f"grid.network={tmp_path}/cigre.json", "fault.line=Line 4-5", *SHORT)
    assert done.summary["dark"]["peak"] > 0
    assert done.summary["conservation"]["ok"]
