"""The pictures of a run folder: which there are, that they tell the truth, that they are always the same."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow.parquet as pq
import pytest

from teiden.errors import InputError
from twin.study import pictures_board, pictures_map
from twin.study.pictures import draw_pictures, open_run
from twin.study.pictures_data import section_name
from twin.study.pictures_style import count, percent, seconds
from twin.study.tables import write_table


def _synthetic_run() -> ModuleType:
    """Load the generator beside this file; tests/ is no package."""
    if "synthetic_run" not in sys.modules:
        spec = importlib.util.spec_from_file_location("synthetic_run", Path(__file__).with_name("synthetic_run.py"))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["synthetic_run"] = module
        spec.loader.exec_module(module)
    return sys.modules["synthetic_run"]


made = _synthetic_run()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made.make_run(tmp_path_factory.mktemp("run"))


def test_the_same_folder_gives_the_same_bytes(folder, tmp_path):
    again = made.make_run(tmp_path / "again")
    first = draw_pictures(open_run(folder))
    second = draw_pictures(open_run(again))
    assert [p.file for p in first] == [
        "grid_map.png",
        "truth_belief.png",
        "gasp_latency.png",
        "meter_map.png",
        "board_waveform.png",
        "channel_load.png",
    ]
    assert first == second
    for picture in first:
        assert (folder / picture.file).read_bytes() == (again / picture.file).read_bytes(), picture.file


def test_truth_and_belief_per_substation_add_up_to_the_curve(folder):
    run = open_run(folder)
    curve = run.query("SELECT * FROM curve ORDER BY t_s")
    for t in (0, 59, 61, 75, 179, 200, 419, 500, 900):
        found = run.substations_at(float(t))
        assert found["truly"].sum() == curve["truly_dark"][t]
        assert found["believed"].sum() == curve["believed_dark"][t]
        assert found["rightly"].sum() == curve["rightly_dark"][t]


def test_of_two_beliefs_of_one_moment_the_later_row_holds(tmp_path):
    folder = made.make_run(tmp_path / "run")
    write_table(
        folder,
        "beliefs",
        {"t_s": [70.0, 70.0, 70.0], "meter": [5, 5, 6], "state": ["dark", "lit", "dark"], "source": ["a", "b", "c"]},
    )
    assert open_run(folder).substations_at(70.0)["believed"].sum() == 1


def test_a_line_is_dark_where_both_its_ends_are_and_lit_at_the_open_switch(folder):
    # feeder 1 holds lines 4 to 7 in a row from the root; after isolation its head, substation 4, is lit again.
    run = open_run(folder)
    grid = pictures_map.read_grid(run)
    at = run.substations_at(made.ISOLATED_S + 10)
    dark = pictures_map.lines_dark(grid, at, at["true_share"])
    assert np.flatnonzero(dark).tolist() == [6, 7]
    before = run.substations_at(made.T0_S + 10)
    assert np.flatnonzero(pictures_map.lines_dark(grid, before, before["true_share"])).tolist() == [4, 5, 6, 7]


def test_each_stage_of_the_supply_has_its_moment_before_the_next_one(folder):
    shown = pictures_map.moments(open_run(folder))
    assert [stage for _, stage in shown] == ["before the fault", "trip", "trip", "isolate", "tie"]
    assert [t for t, _ in shown] == pytest.approx([58.7, 89.7, 180.0, 420.0, 900.0], abs=1e-5)
    assert all(t < step for t, step in zip([t for t, _ in shown[2:4]], (made.ISOLATED_S, made.TIE_S), strict=True))


def test_a_kilometre_is_a_kilometre_both_ways():
    # 0.01 degrees of latitude are 1.1132 km anywhere; of longitude, at 60 degrees north, half of that.
    at = pictures_map._to_km((10.0, 60.0), np.array([10.01]), np.array([60.01]))
    assert at[0] == pytest.approx([0.5566, 1.1132], rel=1e-3)


def test_a_grid_in_metres_is_drawn_in_metres():
    assert pictures_map._to_km((3000.0, 5000.0), np.array([4000.0]), np.array([4500.0]))[0] == pytest.approx(
        [1.0, -0.5]
    )


def test_a_crowd_of_meters_is_thinned_and_keeps_the_board(folder, monkeypatch):
    monkeypatch.setattr(pictures_map, "MAX_DOTS", 20)
    dots, total = pictures_map._meters_to_draw(open_run(folder))
    assert total == 164  # all meters of feeder 1
    assert len(dots["meter"]) <= 21
    assert dots["board"].sum() == 1


def test_the_fates_drawn_are_the_outcomes_of_the_notices(folder):
    dots, _ = pictures_map._meters_to_draw(open_run(folder))
    outcomes = pq.read_table(folder / "gasps.parquet").column("outcome").to_pylist()
    for fate in ("delivered", "lost", "died"):
        assert int((dots["fate"] == fate).sum()) == outcomes.count(fate)


def test_a_quiet_run_has_only_the_picture_of_its_channel(tmp_path):
    quiet = made.make_run(tmp_path / "q", made.Shape(gasps=False, board=False, polls=False, fault=False))
    assert [p.file for p in draw_pictures(open_run(quiet))] == ["channel_load.png"]


def test_an_outage_without_last_gasps_still_has_its_maps(tmp_path):
    silent = made.make_run(tmp_path / "s", made.Shape(gasps=False, board=False, polls=False))
    files = [p.file for p in draw_pictures(open_run(silent))]
    assert files == ["grid_map.png", "truth_belief.png", "meter_map.png", "channel_load.png"]


def test_dollars_and_kanji_in_names_do_not_stop_a_picture(tmp_path):
    odd = made.make_run(tmp_path / "o", made.Shape(feeder_prefix="変電所 $x_$ <b> ", board=False))
    draw_pictures(open_run(odd))


def test_every_event_inside_the_capture_is_marked(folder):
    run = open_run(folder)
    events = run.query("SELECT kind, after_t0_ms AS ms, t0_source, t0_bound_us FROM board_events ORDER BY t_s")
    marks = pictures_board._marks(events, -80.0, 80.0)
    assert [ms for ms, _, _ in marks] == pytest.approx([0.0, 6.5, 21.4, 24.0])
    wave = run.query("SELECT (t_s - $1) * 1e3 AS ms FROM waveform", pictures_board._t0_s(run))
    low, high = pictures_board._window_ms(wave, events)
    assert low <= -80 < 24 < high


def test_the_front_ends_verdict_is_counted_from_its_own_trigger(tmp_path):
    # A dip with a suspicion that is taken back, then the loss: 301.9 - 300.0 ms and 321.9 - 300.0 ms after its t0.
    folder = made.make_run(tmp_path / "run")
    marks = [
        ("t0", 0.0),
        ("power_fail", 1.9),
        ("power_fail_withdrawn", 28.1),
        ("t0", 300.0),
        ("power_fail", 301.9),
        ("power_fail_confirmed", 321.9),
    ]
    write_table(
        folder,
        "board_events",
        {
            "kind": [kind for kind, _ in marks],
            "t_s": [made.T0_S + ms / 1e3 for _, ms in marks],
            "sample": range(6),
            "after_t0_ms": [ms for _, ms in marks],
            "t0_source": ["trigger"] * 6,
            "t0_bound_us": [3.9] * 6,
        },
    )
    _, title = pictures_board.board_waveform(open_run(folder))
    assert "suspects the failure 1.9 ms after its trigger and is sure after 21.9 ms; 1 earlier" in title


@pytest.mark.parametrize(
    ("named", "text"), [("line Line 21", "Line 21"), ("feeder Line 62", "feeder Line 62"), (None, "none")]
)
def test_a_sections_kind_is_not_said_twice(named, text):
    assert section_name(named) == text


def test_tables_of_another_version_are_refused(tmp_path):
    folder = made.make_run(tmp_path / "run")
    pq.write_table(pq.read_table(folder / "air.parquet").drop_columns(["busiest_load"]), folder / "air.parquet")
    with pytest.raises(InputError, match=r"air\.parquet: columns"):
        open_run(folder)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0214, "21.4 ms"), (6.283, "6.28 s"), (119, "119 s"), (359, "5 min 59 s"), (7260, "2 h 1 min")],
)
def test_spans_of_time_read_well(value, text):
    assert seconds(value).replace("\u00a0", " ") == text


@pytest.mark.parametrize(("share", "text"), [(1.0, "100 %"), (0.99999, "> 99.9 %"), (0.0, "0 %"), (1e-6, "< 0.1 %")])
def test_a_share_is_all_or_nothing_only_when_it_is(share, text):
    assert percent(share).replace("\u00a0", " ") == text


def test_counts_have_their_thousands_apart():
    assert count(1234567) == "1,234,567"
