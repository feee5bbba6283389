"""A whole collection run from the command line: what it leaves, its trace, its report, its repetition."""

import json
import random

import duckdb
import pytest
from click.testing import CliRunner

from hil.cli import main
from hil.collect import run_collection
from hil.progress import Watch
from teiden.errors import InputError, PartFailed
from twin import scenario
from twin.collection.tables import SCHEMAS
from twin.study.tables import read_table

SMALL = ("name=small", "population.meters=1000", "time.duration_h=1.0", "time.after_h=0.5", "head_end.commit_s=60.0")


def small(*changes):
    """Return a small day with changes."""
    return scenario.load("collection_day", [*SMALL, *changes])


class Stopped(Exception):
    """Thrown in the middle of a run."""


class Impatient(Watch):
    """A watch that ends the run some way into it."""

    def __init__(self, stop_s):
        super().__init__(quiet=True)
        self.stop_s = stop_s

    def due(self):
        return True

    def show(self, now_s, duration_s, note):
        if now_s >= self.stop_s:
            raise Stopped


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The finished small run, with a traced meter."""
    return run_collection(small(), tmp_path_factory.mktemp("runs") / "small", trace_meter="M0000007")


def test_the_folder_is_whole_and_its_store_opens_in_duckdb(done):
    for name in set(SCHEMAS) - {"returns", "island", "firmware"}:
        read_table(done.folder, name, SCHEMAS)
    page = (done.folder / "report.html").read_text(encoding="utf-8")
    assert "does not add up" not in page
    for picture in ("in_time.png", "completeness.png", "load.png"):
        assert (done.folder / picture).stat().st_size > 10_000
    found = duckdb.sql(f"select count(*) from '{done.folder}/store/readings/half_hour/*/*.parquet'").fetchall()
    delivered = duckdb.sql(
        f"select values from '{done.folder}/accounts.parquet' where class = 'half_hour' and fate = 'delivered'"
    ).fetchall()
    assert found == delivered


def test_the_tables_add_up_to_what_was_generated(done):
    for name, figures in done.summary["classes"].items():
        sums = duckdb.sql(f"select sum(values) from '{done.folder}/accounts.parquet' where class = '{name}'").fetchall()
        assert sums == [(figures["values"],)]
    assert done.summary["conservation"]["ok"]
    assert done.summary["head_end"]["of_these_faulty"] == 0
    assert done.summary["head_end"]["messages_verified"] > 0


def test_a_traced_value_passes_every_stage_in_order(done):
    rows = duckdb.sql(f"select * from '{done.folder}/trace.parquet' where place = 'stored'").fetchall()
    names = [field.name for field in SCHEMAS["trace"]]
    assert len(rows) >= 2  # two half hours at least
    for row in rows:
        told = dict(zip(names, row, strict=True))
        stages = [told[key] for key in ("interval_end_s", "offered_s", "concentrator_s", "head_end_s", "stored_s")]
        assert stages == sorted(stages)
        # At 100 kb/s the frame of a 152 B message takes 13 ms; the WAN 60 ms at least.
        assert told["concentrator_s"] - told["offered_s"] > 0.012
        assert told["head_end_s"] - told["concentrator_s"] > 0.060


def test_an_interrupted_run_is_repeated_to_the_same_end(done, tmp_path):
    place = tmp_path / "small"
    with pytest.raises(Stopped):
        run_collection(small(), place, watch=Impatient(3700))
    assert not place.exists()
    again = run_collection(small(), place, resume=True, trace_meter="M0000007")
    assert again.manifest["digest"] == done.manifest["digest"]
    assert again.summary == done.summary
    assert any("resumed" in flag for flag in again.manifest["flags"])


@pytest.mark.slow
def test_ten_interruptions_at_random_leave_nothing_behind(tmp_path):
    # One run over three links is stopped and resumed ten times, each time at another moment.
    changes = ("time.after_h=0.1", "head_end.commit_s=600.0", "on_demand.reads_per_h=0", "fleet.mesh_share=0.7",
               "fleet.plc_share=0.1", "fleet.cellular_share=0.2")  # fmt: skip
    whole = run_collection(small(*changes), tmp_path / "whole")
    place = tmp_path / "small"
    stops_s = random.Random(20).sample(range(60, 3900), 10)
    for k, stop_s in enumerate(stops_s):
        with pytest.raises(Stopped):
            run_collection(small(*changes), place, resume=k > 0, watch=Impatient(stop_s))
    last = run_collection(small(*changes), place, resume=True)
    assert last.summary == whole.summary
    assert last.manifest["digest"] == whole.manifest["digest"]
    files = {file.name for folder in (place, tmp_path / "whole") for file in folder.glob("*.parquet")}
    for name in files:
        assert (place / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_resuming_notices_another_past(tmp_path):
    place = tmp_path / "small"
    with pytest.raises(Stopped):
        run_collection(small(), place, watch=Impatient(2000))
    checkpoints = place.with_name("small.partial") / "checkpoints.jsonl"
    t_ns, digest = json.loads(checkpoints.read_text().splitlines()[0])
    checkpoints.write_text(json.dumps([t_ns, digest[::-1]]) + "\n")
    with pytest.raises(PartFailed, match="digest"):
        run_collection(small(), place, resume=True)


def test_an_unknown_meter_to_trace_is_named(tmp_path):
    with pytest.raises(InputError, match="M0000999"):
        run_collection(small(), tmp_path / "small", trace_meter="M0001000")


def test_the_command_prints_one_json_object_and_report_draws_again(done, tmp_path):
    changes = [word for change in SMALL for word in ("--set", change)]
    result = CliRunner().invoke(main, ["run", "collection_day", *changes, "--out", str(tmp_path / "run"), "--json"])
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["digest"] == done.manifest["digest"]
    (tmp_path / "run" / "report.html").unlink()
    drawn = CliRunner().invoke(main, ["report", str(tmp_path / "run")])
    assert drawn.exit_code == 0, drawn.output
    assert (tmp_path / "run" / "report.html").is_file()
    assert "half-hour values of 1,000 meters" in drawn.stdout.replace("\n", " ")


def test_trace_meter_belongs_to_collection(tmp_path):
    result = CliRunner().invoke(
        main, ["run", "feeder_fault", "--trace-meter", "M0000001", "--out", str(tmp_path / "x")]
    )
    assert result.exit_code == 2
    assert "--trace-meter" in result.stderr
