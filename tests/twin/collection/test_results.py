"""What a run leaves, for runs in which something is missing altogether."""

import json

import pyarrow.parquet as pq
import pytest

from twin.collection.outcome import Outcome
from twin.collection.report_text import headline, tiles
from twin.collection.summary import Summary
from twin.collection.table_rows import TableRows
from twin.collection.tables import SCHEMAS


@pytest.mark.parametrize(
    "changes",
    [
        # too short for an hourly gas value, or for a billing value to come due
        ("time.duration_h=0.5", "time.after_h=0.25", "gas_water.gas_share=0.3"),
        # everybody's concentrator silent from the first report to the end
        ("time.duration_h=0.5", "time.after_h=0.75", "wan_outage.hours=3", "wan_outage.share=1"),
        # a blackout that outlasts the run
        ("time.duration_h=1.0", "time.after_h=0.5", "blackout.at_h=0.6", "blackout.hours=5", "blackout.share=1"),
    ],
)
def test_tables_and_summary_of_a_run_with_holes(play, tmp_path, changes):
    run = play(*changes)
    run.store.compact()
    outcome = Outcome(run)
    TableRows(outcome, trace_meter=3).write(tmp_path)
    for name in set(SCHEMAS) - {"returns", "island", "firmware"}:
        assert pq.read_schema(tmp_path / f"{name}.parquet").names == SCHEMAS[name].names
    summary = Summary(outcome).content()
    assert summary["conservation"]["ok"]
    json.dumps(summary, allow_nan=False)  # as it is written
    assert headline(summary)
    assert tiles(summary)


def test_power_that_commands_cut_off_is_judged(play):
    run = play("commands.kind='open'", "commands.at_h=0.1", "commands.meters=100", "time.duration_h=1.0",
               "time.after_h=0.5", "service_levels.disruption_kw=1")  # fmt: skip
    run.store.compact()
    levels = {entry["id"]: entry for entry in Summary(Outcome(run)).content()["service_levels"]}
    # A hundred homes at night: between the standing load and the mean, 0.05 to 0.5 kW each
    assert 5 < levels["R47"]["value"] < 50
    assert levels["R47"]["verdict"] == "fail"
    assert levels["R48"]["verdict"] == "pass"
