"""Recordings as a campaign: generated disturbances whose outcome is known beforehand."""

import hashlib
import json

import numpy as np
import pytest
from click.testing import CliRunner

from hdl.driver import FrontEnd
from hdl.model_settings import settings_of
from hdl.sim.frontend import CompiledFrontEnd
from hil.campaign import recordings
from hil.campaign import run as campaign
from hil.cli import main
from hil.evidence.comtrade_file import write_comtrade
from hil.evidence.session import EvidenceFolder, Session
from hil.source.dialects import find_kind, open_source, simulate
from hil.source.program import check_program
from hil.source.server import SourceServer
from hil.station import Station
from teiden.errors import InputError

RATE_HZ = 4800  # a common rate of fault recorders, not the board's
NOMINAL_V = 63.5  # secondary volts of a transformer


def wave(hz=50, seconds=0.6, level=lambda t: np.ones_like(t), phase_turns=-0.5):
    """Return times and voltage of a recording."""
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return t, NOMINAL_V * np.sqrt(2) * level(t) * np.sin(2 * np.pi * (hz * t + phase_turns))


def lost(residual, begin_s, end_s):
    """Return a level that falls for a while."""
    return lambda t: np.where((t >= begin_s) & (t < end_s), residual, 1.0)


def write(folder, name, t, volts):
    """Write a CSV recording."""
    rows = [f"{at:.9f},{v:.6f}" for at, v in zip(t.tolist(), volts.tolist(), strict=True)]
    (folder / f"{name}.csv").write_text("\n".join(["t_s,u_v", *rows]) + "\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of recordings, one of each kind."""
    place = tmp_path_factory.mktemp("recordings")
    write(place, "loss_50", *wave(level=lost(0.0, 0.215, 0.415)))
    write(place, "loss_60", *wave(hz=60, level=lost(0.0, 0.215, 0.415)))
    write(place, "shallow", *wave(level=lost(0.8, 0.2, 0.4)))
    write(place, "high", *wave(level=lost(1.5, 0.2, 0.3)))
    write(place, "flickering", *wave(seconds=3.0, level=lambda t: 0.8 + 0.2 * np.cos(2 * np.pi * 3.7 * t)))
    write(place, "short", *wave(seconds=0.045))
    write(place, "long", *wave(seconds=4.0, level=lost(0.0, 3.215, 3.415)))
    write(place, "drifting", *wave(seconds=2.0, level=lambda t: 1 - 0.45 * np.maximum(t - 0.1, 0)))
    write(place, "dead", *wave(level=lambda t: np.zeros_like(t)))
    (place / "broken.csv").write_text("t_s,u_v\n0,1\n0.1,x\n")
    (place / "notes.txt").write_text("not a recording")
    return place


def invoke(*words):
    return CliRunner().invoke(main, ["rig", *map(str, words)])


@pytest.fixture(scope="module")
def kept(folder, tmp_path_factory):
    """The evidence of the campaign."""
    place = tmp_path_factory.mktemp("evidence")
    (place / "station.toml").write_text("")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(campaign, "ALWAYS", ())
        ran = invoke("run", place / "station.toml", "--campaign", folder, "--out", place / "kept", "--json")
    assert ran.exit_code == 0, ran.output
    return place / "kept", json.loads((place / "kept" / "evidence.json").read_text())


def found(content, name):
    (test,) = [test for test in content["tests"] if test["id"].endswith(f"[{name}.csv]")]
    return test, {one["name"]: one for one in test["measures"]}


@pytest.mark.parametrize(("name", "hz", "at_s"), [("loss_50", 50, 0.215), ("loss_60", 60, 0.215), ("long", 50, 3.215)])
def test_a_loss_is_detected_when_the_model_says(kept, name, hz, at_s):
    """The fall is where the recording has it: at 90 degrees at 50 Hz; the detector takes up to 2 ms from there."""
    test, measured = found(kept[1], name)
    assert test["verdict"] == "pass", test["why"]
    assert measured["frequency of the recording"]["value"] == hz
    assert measured["begin in the recording"]["value"] == pytest.approx(0.5 / hz, abs=1 / RATE_HZ)
    assert measured["volts of the source per unit of the file"]["value"] == pytest.approx(100 / NOMINAL_V, rel=1e-3)
    count = measured["power failures suspected, as the model does"]
    assert (count["value"], count["low"], count["high"]) == (1, 1, 1)
    first = measured["first one after the begin, as the model does"]
    begin_s = measured["begin in the recording"]["value"]
    assert 0 < first["value"] - (at_s - begin_s) < 2e-3 + 1 / RATE_HZ
    assert first["high"] - first["low"] < 1.5e-3  # the expectation says something
    assert measured["power failure of the model, after the board's"]["value"] == 0


def test_a_shallow_dip_is_no_power_failure_but_a_dip(kept):
    test, measured = found(kept[1], "shallow")
    assert test["verdict"] == "pass", test["why"]
    count = measured["power failures suspected, as the model does"]
    assert (count["value"], count["low"], count["high"]) == (0, 0, 0)
    assert measured["power failures of the model in what the board captured"]["value"] == 0
    (kept_wave,) = test["waveforms"]
    volts = np.loadtxt(kept[0] / kept_wave["comtrade"].replace(".cfg", ".dat"), delimiter=",", usecols=2)
    cycles = np.ptp(volts[: volts.size // 160 * 160].reshape(-1, 160), axis=1)
    assert cycles.min() < 0.81 * cycles.max()  # the dip is in it, with 0.2 s before it
    assert cycles[:10].min() > 0.99 * cycles.max()
    assert measured["dips"]["value"] == 1
    assert measured["lowest residual voltage"]["value"] == pytest.approx(80, abs=0.2)  # class A: 0.2 % of nominal


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("high", "cycle 9 has 12"),
        ("short", "1 whole cycles of 50 Hz, expected 3 or more"),
        ("flickering", "a 6812B keeps 50 different ones and 100 steps, enough for the first"),
        ("dead", "its first cycles are 0 V"),
        ("broken", "line 3, column u_v: 'x', expected a finite number"),
    ],
)
def test_what_cannot_be_played_says_why(kept, name, why):
    test, _ = found(kept[1], name)
    assert test["verdict"] == "not run"
    assert why in test["why"]
    assert ".partial" not in test["why"]


def test_a_long_recording_is_played_from_few_waveforms(kept):
    _, measured = found(kept[1], "long")
    assert measured["steps of the program"]["value"] <= 8  # steady, falling, gone, back, and the supply behind
    # The cycle that is lost from its crest on has a mean of 1 / (2 pi) of the peak, which no source gives; 0.01: 96
    # samples a cycle, of which the last one before the loss is joined to it by a line.
    different = measured["largest difference from the recording, of nominal peak"]["value"]
    assert different == pytest.approx(1 / (2 * np.pi), abs=0.01)


def test_of_a_fall_that_began_before_the_capture_the_model_is_not_asked(kept):
    """45 % a second: half a second before the failure the voltage is below what arms a detector."""
    test, measured = found(kept[1], "drifting")
    assert test["verdict"] == "pass", test["why"]
    assert measured["power failures suspected, as the model does"]["value"] == 1
    assert "power failure of the model, after the board's" not in measured
    # alike within 1 %; a sine that loses 0.9 % in its cycle has a mean of 0.009 / (2 pi)
    different = measured["largest difference from the recording, of nominal peak"]["value"]
    assert 0.001 < different <= 0.01 + 0.009 / (2 * np.pi) + 1e-4


def test_the_evidence_holds_the_recordings_and_plays_again_without_them(kept, folder):
    place, content = kept
    for file in folder.glob("*.csv"):
        assert content["files"][f"recordings/{file.name}"] == hashlib.sha256(file.read_bytes()).hexdigest()
    again = invoke("replay", place)
    assert again.exit_code == 0, again.output
    assert "every test came out the same" in again.output


@pytest.mark.parametrize(("percent", "failures"), [(30, (1, 1)), (70, (0, 0))])
def test_the_expectation_keeps_to_what_the_detector_promises(percent, failures, settings, tmp_path):
    """docs/front-end.md: a fall to 30 % is always detected, one to 70 % never; 1 % beyond, for the spread of levels."""
    level = (percent + (-1 if percent == 30 else 1)) / 100
    write(tmp_path, "fall", *wave(level=lost(level, 0.215, 0.415)))
    assert recordings.expect(recordings.ready(tmp_path / "fall.csv", Station()), settings).failures == failures


@pytest.mark.parametrize("dialect", ["kikusui-le", "chroma"])
def test_dialects_without_an_upload_play_the_level_of_each_cycle_if_told_to(dialect, settings, tmp_path):
    """Eleven cycles, ten without voltage, nine more."""
    write(tmp_path, "fall", *wave(level=lost(0.0, 0.22, 0.42), phase_turns=0.0))
    source = {"dialect": dialect}
    with pytest.raises(InputError, match=r"no command to upload a waveform .* campaign.recorded_as = \"rms\" plays"):
        recordings.ready(tmp_path / "fall.csv", Station(source=source))
    ready = recordings.ready(tmp_path / "fall.csv", Station(source=source, campaign={"recorded_as": "rms"}))
    check_program(ready.program.unmarked(), find_kind(dialect).instrument)
    levels = [(step.voltage_v, round(step.duration_s * 50)) for step in ready.program.steps[:-1]]
    # 0.02 %: 96 samples a cycle, linearly interpolated, have an RMS that is (2 pi / 96)**2 / 12 too low
    nominal = pytest.approx(100, rel=4e-4)
    assert levels[:2] == [(nominal, 11), (pytest.approx(0, abs=1), 10)]
    assert all(volts == nominal for volts, _ in levels[2:])
    assert sum(count for _, count in levels[2:]) == 9
    assert recordings.expect(ready, settings).failures == (1, 1)


def test_a_long_list_of_levels_fits_the_lines_of_the_instrument(tmp_path):
    """98 different levels and the supply behind them, on a source whose lines are 1024 characters."""
    t, volts = wave(seconds=98 / 50 + 0.001, phase_turns=0.0)
    write(tmp_path, "steps", t, volts * (1 - 0.008 * np.floor(t * 50)))
    station = Station(source={"dialect": "chroma"}, campaign={"recorded_as": "rms"})
    program = recordings.ready(tmp_path / "steps.csv", station).program
    assert len(program) == 99
    simulated = simulate("chroma")
    with SourceServer(simulated) as server, open_source(server.resource_name, "chroma") as source:
        source.arm(program.unmarked())
        assert source.errors() == []


def test_the_station_names_the_channel(tmp_path):
    t, volts = wave(level=lost(0.5, 0.2, 0.4))
    _, other = wave()
    rows = [f"{at:.9f},{a:.6f},{b:.6f}" for at, a, b in zip(t.tolist(), other.tolist(), volts.tolist(), strict=True)]
    (tmp_path / "two.csv").write_text("\n".join(["t_s,u1_v,u2_v", *rows]) + "\n")
    lowest = {}
    for name in ("", "u1_v", "u2_v", "2"):
        program = recordings.ready(tmp_path / "two.csv", Station(campaign={"recorded_channel": name})).program
        lowest[name] = min(step.voltage_v for step in program)
    assert lowest[""] == lowest["u1_v"] == pytest.approx(100, abs=0.1)
    assert lowest["u2_v"] == lowest["2"] == pytest.approx(50, abs=0.1)
    with pytest.raises(InputError, match="no channel 'u3_v'; it has 1 u1_v, 2 u2_v"):
        recordings.ready(tmp_path / "two.csv", Station(campaign={"recorded_channel": "u3_v"}))


def test_direct_voltage_is_not_played_and_counts_as_a_difference(tmp_path):
    """An offset of a tenth of the peak: what is played is nominal, and a tenth of the peak away from the recording."""
    t, volts = wave()
    write(tmp_path, "offset", t, volts + 0.1 * NOMINAL_V * np.sqrt(2))
    ready = recordings.ready(tmp_path / "offset.csv", Station())
    # 0.02 %: see the levels above; the zero of the fundamental, where the program begins, moves by 2 degrees
    assert ready.program[0].voltage_v == pytest.approx(100, rel=4e-4)
    assert ready.apart_pu == pytest.approx(0.1, abs=2e-3)


def test_a_current_is_not_played_as_a_voltage(tmp_path):
    _, volts = wave()
    config = tmp_path / "fault.cfg"
    write_comtrade(config, volts, RATE_HZ, 50, [], "test")
    assert recordings.ready(config, Station()).scale == pytest.approx(100 / NOMINAL_V, rel=1e-3)
    text = config.read_text()
    for unit in ("MV", "pu", ""):
        config.write_text(text.replace(",V,", f",{unit},"))
        assert recordings.ready(config, Station()).scale == pytest.approx(100 / NOMINAL_V, rel=1e-3)
    config.write_text(text.replace(",V,", ",A,"))
    with pytest.raises(InputError, match="has the unit 'A', expected V, kV, MV, mV, uV or none; campaign"):
        recordings.ready(config, Station())


@pytest.fixture(scope="module")
def settings():
    """The model's settings as a board has them."""
    board = CompiledFrontEnd()
    front_end = FrontEnd(board)
    front_end.configure(50, 100.0, quality=True)
    yield settings_of(front_end.port.read32)
    board.close()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda place: place / "nowhere", "nowhere: neither a campaign's name nor a file or folder of recordings"),
        (lambda place: place, "no recording in it, expected .cfg"),
    ],
)
def test_a_place_without_recordings_is_bad_input(make, said, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    (tmp_path / "station.toml").touch()
    ran = invoke("run", tmp_path / "station.toml", "--campaign", make(empty), "--out", tmp_path / "kept")
    assert ran.exit_code == 2
    assert said in ran.output
    assert not (tmp_path / "kept").exists()


def test_the_evidence_keeps_the_data_file_whatever_the_case_of_its_suffix(tmp_path):
    _, volts = wave()
    for config, data in (("a.cfg", "a.DAT"), ("b.CFG", "b.dat")):
        write_comtrade(tmp_path / "made.cfg", volts, RATE_HZ, 50, [], "test")
        (tmp_path / "made.cfg").rename(tmp_path / config)
        (tmp_path / "made.dat").rename(tmp_path / data)
    (tmp_path / "c.cfg").write_text("without data")
    files = [tmp_path / name for name in ("a.cfg", "b.CFG", "c.cfg")]
    folder = EvidenceFolder(tmp_path / "kept")
    session = Session(Station(), folder, None, False, files)
    session.transcripts.close()
    assert [path.parent for path in session.recordings] == [folder.path / "recordings"] * 3
    kept = sorted(path.name for path in (folder.path / "recordings").iterdir())
    assert kept == ["a.DAT", "a.cfg", "b.CFG", "b.dat", "c.cfg"]


def test_two_recordings_of_one_name_are_refused(folder, tmp_path):
    write(tmp_path, "loss_50", *wave())
    (tmp_path / "station.toml").touch()
    words = ("--campaign", folder, "--campaign", tmp_path / "loss_50.csv", "--out", tmp_path / "kept")
    ran = invoke("run", tmp_path / "station.toml", *words)
    assert ran.exit_code == 2
    assert "two recordings of one name" in ran.output
