"""The plugin gives verdicts, writes evidence, and refuses what cannot be evidence."""

import base64
import json
import re
import sys
import xml.etree.ElementTree as ET
from functools import partial
from pathlib import Path

import pytest

from hil.evidence import benches
from hil.source.faults import Fault, FaultScript

OFF_BENCH = """
import pytest

@pytest.mark.requirement("R17", "R22")
def test_good(measure):
    measure("level", 1.0, "V", low=0.5, high=2.0)

@pytest.mark.requirement("R17")
def test_bad(measure):
    measure("level", 3.0, "V", high=2.0)
    measure("also", 9.0, "A", high=2.0)

def test_doubtful(measure):
    measure("level", 1.9, "V", high=2.0, uncertainty=0.5)

def test_broken():
    raise RuntimeError("the rig fell over")

def test_left_out():
    pytest.skip("no phase jump here")

def test_asserts():
    assert 1 + 1 == 3
"""

# The test of the page, so that it stays true.
PAGE = (Path(__file__).parents[3] / "docs" / "bench.md").read_text()
ON_BENCH = PAGE.split("```python")[1].partition("```")[0]


def run(folder, *options):
    """Run the tests of a folder with the plugin, in this process; return pytest's exit code."""
    known = set(sys.modules)
    plain = ["--disable-plugin-autoload", "-p", "no:terminal", "-p", "no:cacheprovider", "-p", "hil.evidence.plugin"]
    try:
        return pytest.main(
            [*plain, "--import-mode=importlib", "--rootdir", str(folder), *map(str, options), str(folder)]
        )
    finally:
        for name in set(sys.modules) - known:
            if name.startswith("test_"):
                del sys.modules[name]  # the next folder has another one of this name


def write_tests(folder, text):
    folder.mkdir(exist_ok=True)
    (folder / "test_it.py").write_text(text)
    return folder


def evidence_of(place):
    return json.loads((place / "evidence.json").read_text())


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """The evidence folder of tests that need no bench."""
    place = tmp_path_factory.mktemp("off_bench")
    tests = write_tests(place / "tests", OFF_BENCH)
    assert run(tests, "--evidence", place / "kept") == pytest.ExitCode.TESTS_FAILED
    return place / "kept"


def test_every_kind_of_end_has_its_verdict(kept):
    content = evidence_of(kept)
    verdicts = {test["id"].partition("::test_")[2]: test["verdict"] for test in content["tests"]}
    assert verdicts == {
        "good": "pass",
        "bad": "fail",
        "doubtful": "inconclusive",
        "broken": "error",
        "left_out": "not run",
        "asserts": "fail",
    }
    assert content["summary"] == {"pass": 1, "fail": 2, "inconclusive": 1, "error": 1, "not run": 1}
    why = {test["id"].partition("::test_")[2]: test["why"] for test in content["tests"]}
    assert why["bad"] == "level: 3 V, expected at most 2\nalso: 9 A, expected at most 2"
    assert why["broken"] == "RuntimeError: the rig fell over"


def test_junit_says_the_same(kept):
    suite = ET.parse(kept / "junit.xml").getroot().find("testsuite")
    assert [suite.get(name) for name in ("tests", "failures", "skipped")] == ["6", "3", "2"]
    good = next(case for case in suite if case.get("name") == "test_good")
    assert good.find("properties/property").get("value") == "level: 1 V, expected 0.5 to 2 (pass)"


def test_the_matrix_traces_requirements_to_tests(kept):
    rows = {row["id"]: row for row in evidence_of(kept)["requirements"]}
    assert len(rows) == 64
    assert [id.partition("::")[2] for id in rows["R17"]["tests"]] == ["test_good", "test_bad"]
    assert (rows["R17"]["verdict"], rows["R22"]["verdict"]) == ("fail", "pass")
    assert (rows["R1"]["tests"], rows["R1"]["verdict"]) == ([], "no test")
    assert "62 requirements without a test here" in (kept / "evidence.html").read_text()


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """A folder with a bench test and its evidence."""
    place = tmp_path_factory.mktemp("on_bench")
    tests = write_tests(place / "tests", ON_BENCH)
    assert run(tests, "--evidence", place / "live") == pytest.ExitCode.OK
    return place


def test_a_bench_test_leaves_everything(live):
    content = evidence_of(live / "live")
    assert content["identity"]["source"] == "TEIDEN,SIMULATED 6812B,SIM0,1"
    assert re.fullmatch("[0-9a-f]{64}", content["identity"]["rtl_hash"])
    measured = content["tests"][0]["measures"][0]
    # Two clocks of 64 a sample, 8000 samples a second; docs/front-end.md: 1.50 to 1.88 ms at 50 Hz and 0 V.
    assert measured["uncertainty"] == pytest.approx(2 / 64 / 8000 * 1e3, abs=1e-6)
    assert 1.50 <= measured["value"] <= 1.88
    assert content["tests"][0]["t0_source"] == "trigger"
    assert content["tests"][0]["t0_bound_us"] == pytest.approx(2 / 64 / 8000 * 1e6, abs=1e-3)
    page = (live / "live" / "evidence.html").read_text()
    assert base64.b64encode((live / "live" / "waves/test_loss_at_the_crest_0.png").read_bytes()).decode() in page
    assert "R17; t0 from trigger, within 3.907 us" in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)  # nothing outside the page


def test_the_same_station_and_version_leave_the_same_bytes(live, tmp_path):
    assert run(live / "tests", "--evidence", tmp_path / "again") == pytest.ExitCode.OK
    assert evidence_of(tmp_path / "again")["digest"] == evidence_of(live / "live")["digest"]
    for name in (
        "scpi.jsonl",
        "registers.jsonl",
        "waves/test_loss_at_the_crest_0.dat",
        "waves/test_loss_at_the_crest_0.png",
    ):
        assert (tmp_path / "again" / name).read_bytes() == (live / "live" / name).read_bytes()


def test_a_recording_answers_in_the_place_of_the_bench(live, tmp_path, monkeypatch):
    monkeypatch.setattr(benches, "stand_ins", None)  # no bench any more
    assert run(live / "tests", "--replay", live / "live", "--evidence", tmp_path / "again") == pytest.ExitCode.OK
    assert evidence_of(tmp_path / "again")["tests"] == evidence_of(live / "live")["tests"]


def test_another_question_to_a_recording_is_an_error_with_its_place(live, tmp_path):
    tests = write_tests(tmp_path / "tests", ON_BENCH.replace("0.1, 90", "0.1, 91"))
    run(tests, "--replay", live / "live", "--evidence", tmp_path / "departed")
    (test,) = evidence_of(tmp_path / "departed")["tests"]
    assert test["verdict"] == "error"
    assert re.search(r"scpi.jsonl:\d+: recorded write TRIG:SYNC:PHAS 90.0;.*, now asked write .*91", test["why"])


def test_a_rig_that_failed_fails_again(tmp_path, monkeypatch):
    """The source drops the connection at its 25th message: an error, in the replay too."""
    cut = partial(benches.SourceServer, faults=FaultScript([Fault(25, "drop")]))
    monkeypatch.setattr(benches, "SourceServer", cut)
    tests = write_tests(tmp_path / "tests", ON_BENCH)
    run(tests, "--evidence", tmp_path / "live")
    run(tests, "--replay", tmp_path / "live", "--evidence", tmp_path / "again")
    for name in ("live", "again"):
        (test,) = evidence_of(tmp_path / name)["tests"]
        assert test["verdict"] == "error"
        assert "closed the connection" in test["why"] or "the connection is given up" in test["why"]


def test_a_changed_transcript_is_no_evidence(kept, tmp_path, capsys):
    for name in ("evidence.json", "scpi.jsonl", "registers.jsonl"):
        (tmp_path / name).write_bytes((kept / name).read_bytes())
    with open(tmp_path / "scpi.jsonl", "a") as file:
        file.write('{"test": "x", "t_s": 0}\n')
    assert run(kept.parent / "tests", "--replay", tmp_path) == pytest.ExitCode.USAGE_ERROR
    assert "the transcript was changed after the test" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--evidence", "."), "exists, and evidence is not overwritten"),
        (("--station", "none.toml"), "none.toml: No such file"),
        (("--replay", "."), "expected an evidence folder"),
        (("--replay", ".", "--station", "none.toml"), "give one of them"),
    ],
)
def test_options_that_cannot_be_met_are_refused(kept, options, named, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(kept.parent / "tests", *options) == pytest.ExitCode.USAGE_ERROR
    assert named in capsys.readouterr().err


def test_a_requirement_that_is_not_in_the_table_is_refused(tmp_path, capsys):
    tests = write_tests(tmp_path / "tests", OFF_BENCH.replace('"R22"', '"R65"'))
    assert run(tests) == pytest.ExitCode.USAGE_ERROR
    assert re.search(r"requirement, expected R1 to R64: .*test_good: 'R65'", capsys.readouterr().err)


def test_an_interrupted_session_stays_partial_and_says_so(tmp_path):
    tests = write_tests(tmp_path / "tests", OFF_BENCH.replace("pytest.skip(", "raise KeyboardInterrupt("))
    assert run(tests, "--evidence", tmp_path / "kept") == pytest.ExitCode.INTERRUPTED
    assert not (tmp_path / "kept").exists()
    assert evidence_of(tmp_path / "kept.partial")["complete"] is False
    assert "Interrupted: not all tests ran" in (tmp_path / "kept.partial" / "evidence.html").read_text()
