"""The plugin gives verdicts, writes evidence, and refuses what cannot be evidence."""

import base64
import json
import re
import xml.etree.ElementTree as ET

import pytest

# pytester forgets what its run imported: half of a package imported anew would not know the other half's classes.
import hil.evidence.benches
import hil.evidence.page  # noqa: F401
from teiden.build import cache_dir

pytest_plugins = ["pytester"]
CACHE = str(cache_dir())  # before pytester gives another home

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

ON_BENCH = """
from hil.source.program import interruption

def test_loss(bench, measure, attach):
    bench.supply(50)
    played = bench.play(interruption(100, 50, 0, 0.1, 90, off_s=0.0))
    measure.delay("detected after", played.delay_s("power_fail"), 2e-3, played.t0)
    first, volts = played.capture
    attach.waveform("A loss", volts[:800], bench.rate_hz, 50, first, [("TRIGGER", first + 80.0)])
"""


@pytest.fixture(autouse=True)
def _cache(monkeypatch):
    monkeypatch.setenv("TEIDEN_CACHE", CACHE)


def run(pytester, *options, **how):
    return pytester.runpytest_inprocess("-p", "hil.evidence.plugin", "-p", "no:cacheprovider", *options, **how)


def evidence_of(place):
    return json.loads((place / "evidence.json").read_text())


@pytest.fixture
def kept(pytester):
    """The evidence folder of tests that need no bench."""
    pytester.makepyfile(OFF_BENCH)
    run(pytester, "--evidence", "kept").assert_outcomes(passed=1, failed=3, skipped=2)
    return pytester.path / "kept"


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


def test_a_bench_test_leaves_everything_and_the_same_bytes_each_time(pytester):
    pytester.makepyfile(ON_BENCH)
    for name in ("one", "two"):
        run(pytester, "--evidence", name).assert_outcomes(passed=1)
    one, two = pytester.path / "one", pytester.path / "two"
    content = evidence_of(one)
    assert content["digest"] == evidence_of(two)["digest"]
    for name in ("scpi.jsonl", "registers.jsonl", "waves/test_loss_0.cfg", "waves/test_loss_0.png"):
        assert (one / name).read_bytes() == (two / name).read_bytes()
    assert content["identity"]["source"] == "TEIDEN,SIMULATED 6812B,SIM0,1"
    assert re.fullmatch("[0-9a-f]{64}", content["identity"]["rtl_hash"])
    (measured,) = content["tests"][0]["measures"]
    # Two clocks of 64 a sample, 8000 samples a second; docs/front-end.md: 1.50 to 1.88 ms at 50 Hz and 0 V.
    assert measured["uncertainty"] == pytest.approx(2 / 64 / 8000 * 1e3, abs=1e-6)
    assert 1.50 <= measured["value"] <= 1.88
    page = (one / "evidence.html").read_text()
    assert base64.b64encode((one / "waves/test_loss_0.png").read_bytes()).decode() in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)  # nothing outside the page


def test_a_recording_answers_in_the_place_of_the_bench(pytester, monkeypatch):
    pytester.makepyfile(ON_BENCH)
    run(pytester, "--evidence", "live").assert_outcomes(passed=1)
    monkeypatch.setattr("hil.evidence.benches.stand_ins", None)  # no bench any more
    run(pytester, "--replay", "live", "--evidence", "again").assert_outcomes(passed=1)
    live, again = (evidence_of(pytester.path / name)["tests"] for name in ("live", "again"))
    assert live == again
    pytester.makepyfile(ON_BENCH.replace("0.1, 90", "0.1, 91"))
    result = run(pytester, "--replay", "live", "--evidence", "departed")
    result.assert_outcomes(failed=1, errors=1)  # the bench cannot be closed as it was, either
    (test,) = evidence_of(pytester.path / "departed")["tests"]
    assert re.search(r"scpi.jsonl:\d+: recorded write TRIG:SYNC:PHAS 90.0;.*, now asked write .*91", test["why"])


def test_a_changed_transcript_is_no_evidence(pytester):
    pytester.makepyfile(OFF_BENCH)
    run(pytester, "--evidence", "kept")
    with open(pytester.path / "kept" / "scpi.jsonl", "a") as file:
        file.write('{"test": "x", "t_s": 0}\n')
    result = run(pytester, "--replay", "kept")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*scpi.jsonl: SHA-256 *the transcript was changed after the test*"])


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--evidence", "there"), "there: exists, and evidence is not overwritten"),
        (("--station", "none.toml"), "none.toml: No such file"),
        (("--replay", "there"), "expected an evidence folder"),
        (("--replay", "there", "--station", "none.toml"), "give one of them"),
    ],
)
def test_options_that_cannot_be_met_are_refused(pytester, options, named):
    pytester.makepyfile(OFF_BENCH)
    pytester.mkdir("there")
    result = run(pytester, *options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{named}*"])


def test_a_requirement_that_is_not_in_the_table_is_refused(pytester):
    pytester.makepyfile(OFF_BENCH.replace('"R22"', '"R65"'))
    result = run(pytester)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*requirement, expected R1 to R64: *test_good: 'R65'*"])


def test_an_interrupted_session_stays_partial_and_says_so(pytester):
    pytester.makepyfile(OFF_BENCH.replace("pytest.skip(", "raise KeyboardInterrupt("))
    run(pytester, "--evidence", "kept", no_reraise_ctrlc=True)
    assert not (pytester.path / "kept").exists()
    partial = pytester.path / "kept.partial"
    assert evidence_of(partial)["complete"] is False
    assert "Interrupted: not all tests ran" in (partial / "evidence.html").read_text()
