"""Boards of every adapter, and several in one run: the same events, each board's own files, the failing one named."""

import json
import os
import signal
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from hil.adapters import open_board
from hil.process import RigProcess
from hil.run import run_scenario
from teiden.errors import InputError, MissingPart, PartFailed
from twin.study.tables import read_table

SHORT = ("time.duration_s=5", "fault.at_s=1", "fault.isolate_s=1.5", "fault.tie_s=2", "policy.declare_s=0.5",
         "policy.window_s=1", "restoration.confirm_s=0.2", "restoration.notice_window_s=0.5")  # fmt: skip
TABLES = ("board_events", "half_cycles", "waveform")
STAND_IN = Path(__file__).parent / "pynq_stand_in"


def boards(first, second):
    """Return the setting for two boards with these adapters."""
    return f'boards=[{{id="a",adapter="{first}"}},{{id="b",adapter="{second}",meter="shortest_dark"}}]'


@pytest.fixture(scope="module")
def pair(tmp_path_factory, make_small):
    """Two boards, twice, with their adapters exchanged."""

    place = tmp_path_factory.mktemp("runs")
    one = run_scenario(make_small(*SHORT, boards("compiled", "model")), place / "one")
    other = run_scenario(make_small(*SHORT, boards("model", "compiled")), place / "other")
    return one, other


def test_rtl_and_integer_model_give_the_same_run(pair):
    one, other = pair
    assert [board["board"] for board in one.manifest["boards"]] == ["sim", "model"]
    assert [board["board"] for board in other.manifest["boards"]] == ["model", "sim"]
    assert one.manifest["digest"] == other.manifest["digest"]
    for place in (0, 1):
        assert one.manifest["boards"][place]["events_digest"] == other.manifest["boards"][place]["events_digest"]
        assert one.manifest["boards"][place]["events"] >= 4  # t0 and power_fail at least, of loss and return
    for identity in ("a", "b"):
        for table in TABLES:
            file = f"boards/{identity}/{table}.parquet"
            assert (one.folder / file).read_bytes() == (other.folder / file).read_bytes()


def test_every_board_is_the_meter_it_stands_for(pair):
    run = pair[0]
    summary = run.summary["boards"]
    assert [(board["id"], board["runs_on"]) for board in summary] == [("a", "sim"), ("b", "model")]
    assert summary[0]["meter"] != summary[1]["meter"]
    meters = read_table(run.folder, "meters").to_pydict()
    assert [meter for meter, board in zip(meters["meter"], meters["board"], strict=True) if board] == sorted(
        board["meter"] for board in summary
    )
    gasps = read_table(run.folder, "gasps").to_pylist()
    for board in summary:
        # 1.5 to 1.88 ms from ideal samples (HDL.md section 7), plus at most one sample
        assert 1.5 <= board["detection_latency_ms"] <= 1.88 + 0.125
        own = [gasp for gasp in gasps if gasp["meter"] == board["meter"] and gasp["kind"] == "last_gasp"]
        assert [gasp["board"] for gasp in own] == [True]
    texts = [level["text"] for level in run.summary["service_levels"]]
    assert {"a: loss of voltage to detection", "b: loss of voltage to detection"} <= set(texts)
    assert "All boards" in (run.folder / "report.html").read_text()


def test_the_tables_of_the_run_are_those_of_its_first_board(pair):
    folder = pair[0].folder
    for table in TABLES:
        assert read_table(folder, table).equals(read_table(folder / "boards" / "a", table))
    assert not read_table(folder, "board_events").equals(read_table(folder / "boards" / "b", "board_events"))


def test_a_simulated_pynq_board_sees_the_same_and_says_what_it_is(pair, make_small, tmp_path, monkeypatch):
    """Alone as among others: what its front-end sees depends on its own supply only."""
    monkeypatch.setenv("PYTHONPATH", str(STAND_IN))
    alone = run_scenario(make_small(*SHORT, "board.adapter=pynq-simulated"), tmp_path / "run")
    (board,) = alone.manifest["boards"]
    assert board["events_digest"] == pair[0].manifest["boards"][0]["events_digest"]
    assert board["board"] == "pynq-simulated"
    assert "behind pynq.MMIO 0.0-stand-in; not yet run on hardware" in board["simulator"]


def test_a_simulated_pynq_board_without_pynq_is_a_missing_part(tmp_path):
    with (
        pytest.raises(MissingPart, match=r"pip install 'pynq>=3.1.2,<4' in an environment of its own"),
        open_board("pynq-simulated", 64),
    ):
        pass
    with (
        pytest.raises(MissingPart, match=r"board.python = .*no-python.*expected an interpreter with pynq"),
        open_board("pynq-simulated", 64, str(tmp_path / "no-python")),
    ):
        pass


def test_an_adapter_that_is_none_is_refused():
    with (
        pytest.raises(InputError, match=r"board.adapter = 'fpga', expected one of compiled, model"),
        open_board("fpga", 64),
    ):
        pass


def test_a_board_whose_rig_cannot_start_is_named(make_small, tmp_path):
    script = tmp_path / "broken.py"
    script.write_text("raise SystemExit('no such board')\n")

    def start(endpoint, log, **options):
        make = partial(RigProcess, program=(str(script),)) if log.name == "rig_b.log" else RigProcess
        return make(endpoint, log, **options)

    with pytest.raises(PartFailed, match=r"^board b: rig .*no such board.* while the twin waited for hello"):
        run_scenario(make_small(*SHORT, boards("model", "model")), tmp_path / "run", rig=start)


def test_a_board_whose_rig_dies_is_named_and_the_others_are_ended(make_small, tmp_path):
    processes = {}

    def kill_when_under_way():
        checkpoints = tmp_path / "run.partial" / "checkpoints.jsonl"
        deadline = time.monotonic() + 60
        while not checkpoints.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(processes["rig_b"].pid, signal.SIGKILL)

    def start(endpoint, log, **options):
        processes[log.stem] = RigProcess(endpoint, log, **options)
        if log.stem == "rig_b":
            threading.Thread(target=kill_when_under_way, daemon=True).start()
        return processes[log.stem]

    with pytest.raises(PartFailed, match=r"^board b: rig .*killed by SIGKILL while the twin waited for window"):
        run_scenario(make_small(boards("model", "model"), "time.duration_s=600"), tmp_path / "run", rig=start)
    assert all(process.ended() is not None for process in processes.values())
    assert json.loads((tmp_path / "run.partial" / "run.json").read_text())["status"] == "incomplete"
