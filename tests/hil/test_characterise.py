"""``teiden characterise``: reactions of the compiled front-end, its table, and what the twin takes of it."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from hdl.characterise import HARMONICS, Dip, grid, losses, react, reactions, voltage
from hdl.sim.toolchain import rtl_hash
from hil.characterise import as_table, characterise, detection_table, read_table, rtl_table, write_table
from hil.cli import main
from teiden.errors import InputError
from twin.field.detection import MISSED


def loss(residual_pu, duration_ms=np.inf, degrees=30.0, harmonics="none"):
    return Dip(50, 50.0, residual_pu, duration_ms, degrees, harmonics)


def test_a_case_is_the_voltage_it_says():
    wave, fall_s = voltage(loss(0.2, 10.0, degrees=90.0))
    assert fall_s * 50 % 1 == pytest.approx(0.25)  # 90 degrees into a cycle
    t_s = np.arange(wave.size) / 8000
    inside = (t_s >= fall_s) & (t_s < fall_s + 0.010)
    assert inside.sum() == 80
    share = np.where(inside, 0.2, 1.0)
    assert wave == pytest.approx(share * np.sin(2 * np.pi * 50 * t_s))
    assert set(HARMONICS) == {dip.harmonics for dip in grid(points=1)}


def test_reactions_are_those_the_detector_declares():
    # docs/front-end.md: 0.3 and less is detected within 2 ms, 0.5 trips and is withdrawn, 0.7 never.
    outage, half, shallow, gap = reactions([loss(0.0), loss(0.5, 100), loss(0.7, 100), loss(0.0, 1.0)])
    assert 0 < outage.detection_delay_ms <= 2
    assert outage.confirmation_delay_ms == pytest.approx(outage.detection_delay_ms + 20)  # one period later
    assert outage.withdrawal_delay_ms is None
    assert half.detections == 1
    assert half.confirmation_delay_ms is None
    assert half.withdrawal_delay_ms >= half.detection_delay_ms + 24  # and 32 samples
    assert shallow.detections == gap.detections == 0
    assert shallow.detection_delay_ms is None


def test_reactions_do_not_depend_on_threads_and_order():
    dips = losses(60)[::37]
    assert list(reactions(dips, threads=2)) == [react(dip) for dip in dips]
    assert list(reactions(dips[::-1], threads=1)) == list(reactions(dips))[::-1]


def test_the_rtls_own_table_is_current_and_within_the_bar():
    table = rtl_table(50)
    assert table.rtl_hash == rtl_hash()
    deep = table.delay_ns[table.residual_pu <= 0.3]
    assert deep.min() >= 1_500_000 - 125_000  # 13 samples in a row, less the place of the fall between samples
    assert deep.max() <= 2_000_000
    assert (table.delay_ns != MISSED).all()  # 0.44 of nominal is confirmed by RMS


def test_a_written_table_gives_the_twin_its_longest_falls(tmp_path):
    dips = [loss(0.0, 5.0), loss(0.0, 40.0), loss(0.0, 40.0, 77.0), loss(0.5, 40.0), loss(0.5, 40.0, 77.0)]
    found = list(reactions(dips))
    write_table(tmp_path / "t.parquet", as_table(dips, found))
    table = read_table(tmp_path / "t.parquet", 50)
    assert table.residual_pu.tolist() == [0.0, 0.5]
    assert table.delay_ns[0].tolist() == [round(reaction.detection_delay_ms * 1e6) for reaction in found[1:3]]
    assert table.delay_ns[1].tolist() == [MISSED, MISSED]  # withdrawn
    with pytest.raises(InputError, match="60 Hz"):
        read_table(tmp_path / "t.parquet", 60)


def test_what_a_scenario_names(tmp_path):
    assert detection_table("even", 50, print) is None
    with pytest.raises(InputError, match="no such file"):
        detection_table(str(tmp_path / "none.parquet"), 50, print)
    (tmp_path / "text.parquet").write_text("no table")
    with pytest.raises(InputError, match="not a Parquet file"):
        detection_table(str(tmp_path / "text.parquet"), 50, print)
    pq.write_table(as_table([], []).drop_columns(["confirmed"]), tmp_path / "lacking.parquet")
    with pytest.raises(InputError, match="no column confirmed"):
        detection_table(str(tmp_path / "lacking.parquet"), 50, print)


def test_command_writes_table_and_picture_and_says_what_they_show(tmp_path, monkeypatch):
    monkeypatch.setattr("hil.characterise.grid", lambda points: grid((50,), (0.0, 0.3, 0.7), (2, 40), points))
    out = tmp_path / "detection.parquet"
    result = CliRunner().invoke(main, ["characterise", "--out", str(out), "--points", "2", "--json"])
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["cases"] == 3 * 3 * 2 * 2 * 2
    assert (said["deep_missed"], said["shallow_detected"]) == (0, 0)
    assert said["deep_longest_delay_ms"] <= 2
    table = pq.read_table(out)
    assert table.num_rows == said["cases"]
    assert table.schema.metadata[b"rtl_hash"].decode() == rtl_hash() == said["rtl_hash"]
    assert "<svg" in Path(said["picture"]).read_text()
    assert not [path for path in tmp_path.iterdir() if path.suffix not in (".parquet", ".svg")]
    before = Path(said["picture"]).read_bytes()
    characterise(out, 2)
    assert Path(said["picture"]).read_bytes() == before


class Killed(BaseException):
    """The end of a process."""


def kill_after(cases):
    def heard(done, of):
        if done == cases:
            raise Killed

    return heard


@pytest.fixture
def small_grid(monkeypatch):
    monkeypatch.setattr("hil.characterise.grid", lambda points: grid((50,), (0.0, 0.7), (2, 40), points))


def test_an_interrupted_characterisation_goes_on_and_ends_alike(tmp_path, small_grid):
    characterise(tmp_path / "whole.parquet", 1)
    out = tmp_path / "t.parquet"
    with pytest.raises(Killed):
        characterise(out, 1, kill_after(5))
    assert not out.exists()
    partial = tmp_path / "t.parquet.partial"
    partial.write_bytes(partial.read_bytes() + b"[1.23,")  # the process ended inside a line
    with pytest.raises(Killed):
        characterise(out, 1, kill_after(9))
    taken_up, played = [], []
    characterise(out, 1, lambda done, of: played.append(done), taken_up.append)
    assert taken_up == [9]
    assert played == list(range(10, 3 * 2 * 2 * 2 + 1))
    assert pq.read_table(out).equals(pq.read_table(tmp_path / "whole.parquet"), check_metadata=True)
    assert not partial.exists()


@pytest.mark.parametrize("left", ["another grid", "no line", "no JSON"])
def test_what_was_measured_otherwise_is_not_taken_up(left, tmp_path, small_grid):
    out = tmp_path / "t.parquet"
    if left == "another grid":
        with pytest.raises(Killed):
            characterise(out, 2, kill_after(3))
    else:
        (tmp_path / "t.parquet.partial").write_text({"no line": "", "no JSON": "text\ntext\n"}[left])
    taken_up = []
    characterise(out, 1, taken_up=taken_up.append)
    assert not taken_up
    assert pq.read_table(out).num_rows == 3 * 2 * 2 * 2


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--board", "pynq"], 3, "no pynq package"),
        (["--out", "missing/t.parquet"], 2, "no folder missing"),
        (["--out", "t.csv"], 2, "expected a file ending in .parquet"),
    ],
)
def test_what_cannot_be_done_is_said_at_once(words, code, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["characterise", *words])
    assert result.exit_code == code
    assert message in result.output
    assert not list(tmp_path.iterdir())
