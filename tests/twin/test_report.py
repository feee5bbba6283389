"""The report of a run folder: it answers, it adds up, it needs nothing but itself."""

from __future__ import annotations

import base64
import importlib.util
import json
import re
import sys
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from types import ModuleType

import pytest
from rich.console import Console

from teiden.errors import InputError
from twin.study.report import render
from twin.study.report_facts import label, limit
from twin.study.report_text import headline
from twin.study.terminal import summary_table


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
    folder = made.make_run(tmp_path_factory.mktemp("run"))
    render(folder)
    return folder


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the drawing, which takes a second and has its own tests."""
    monkeypatch.setattr("twin.study.report.draw_pictures", lambda run: [])


def page(folder: Path) -> str:
    return (folder / "report.html").read_text(encoding="utf-8")


def in_terminal(summary: dict, run: dict, width: int = 100) -> str:
    console = Console(file=StringIO(), width=width)
    console.print(summary_table(summary, run, Path("runs/x/report.html")))
    return console.file.getvalue()


def change(folder: Path, file: str, **values: object) -> None:
    path = folder / file
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


class Tags(HTMLParser):
    """Every element with its attributes, and that all that is opened is closed."""

    def __init__(self, text: str):
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_needs_no_other_file_and_no_network(folder):
    tags = Tags(page(folder))
    assert tags.open == []
    without_pictures = re.sub(r"data:image/png;base64,[A-Za-z0-9+/=]+", "", page(folder))
    assert not re.search(r"https?://|//[a-z]|@import|url\(", without_pictures)
    for tag, attributes in tags.found:
        assert tag not in ("script", "link", "iframe", "object")
        assert "href" not in attributes
        assert str(attributes.get("src", "data:")).startswith("data:")


def test_every_picture_of_the_folder_is_inside_the_page(folder):
    inside = {base64.b64decode(found) for found in re.findall(r"base64,([A-Za-z0-9+/=]+)", page(folder))}
    on_disk = {path.read_bytes() for path in folder.glob("*.png")}
    assert len(on_disk) == 6
    assert inside == on_disk
    assert page(folder).count("How to read this.") == 6


def test_the_sum_is_there_as_told_and_as_counted_again(folder):
    summary = json.loads((folder / "summary.json").read_text())
    gasps = summary["gasps"]
    assert gasps["delivered"] + gasps["lost"] + gasps["died"] == gasps["made"]
    assert summary["conservation"]["text"] in page(folder)
    counted = f"{gasps['delivered']} delivered + {gasps['lost']} lost + {gasps['died']} died"
    assert f"last gasp: {counted} = {gasps['made']} of {gasps['made']} made" in page(folder)
    assert "does not add up" not in page(folder)


def test_a_summary_that_disagrees_with_its_table_is_exposed(tmp_path, no_pictures):
    folder = made.make_run(tmp_path / "run")
    gasps = json.loads((folder / "summary.json").read_text())["gasps"]
    change(folder, "summary.json", gasps=gasps | {"made": gasps["made"] + 1})
    render(folder)
    assert "does not add up" in page(folder)


def test_the_headline_says_what_was_known_when_and_whether_it_was_right(folder):
    text = headline(json.loads((folder / "summary.json").read_text())).replace("\u00a0", " ")
    assert "left 164 of 400 meters dark" in text
    assert re.search(r"\d+ of 164 Last Gasps reached the head end, half of them within [\d.]+ s", text)
    assert "named the right section 1 of 2 times, first 5 min" in text
    assert "last line L5 (right)" in text
    assert re.search(r"held \d+ meters dark that were not and missed \d+ that were", text)


def test_every_service_level_has_its_verdict(folder):
    for verdict in ("✓ pass", "✗ fail", "– not applicable"):
        assert verdict in page(folder)


@pytest.mark.parametrize(
    ("level", "text"),
    [
        ({"limit": 0.9, "unit": "1", "at_least": True}, "≥ 0.9"),
        ({"limit": 60.0, "unit": "s", "at_least": False}, "≤ 60 s"),
        ({"limit": 60.0, "unit": "s"}, "60 s"),
        ({"limit": None}, "–"),
    ],
)
def test_a_limit_shows_its_direction_and_unit(level, text):
    assert limit(level).replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    ("key", "label_and_unit"),
    [
        ("holdup_median_s", ("holdup median", "s")),
        ("busiest_meter_s_per_h", ("busiest meter", "s per hour")),
        ("died", ("died", "")),
        ("time_to_90_s", ("90 % of what arrives is there after", "s")),
    ],
)
def test_a_keys_end_is_its_unit(key, label_and_unit):
    assert label(key) == label_and_unit


def test_equal_answers_in_a_row_are_one_line(tmp_path, no_pictures):
    folder = made.make_run(tmp_path / "run")
    sections = json.loads((folder / "summary.json").read_text())["sections"]
    change(folder, "summary.json", sections=[sections[1] | {"t_s": 300.0 + k} for k in range(40)])
    render(folder)
    assert page(folder).count("✓ right") == 1
    assert "300 to 339" in page(folder)


def test_the_page_tells_where_its_numbers_come_from(folder):
    for value in ("9f2c51aa03be77d1", "verilator 5.048", "b3f1c0de", "12.2.0", "0.1.0"):
        assert value in page(folder)


def test_assumptions_of_the_scenario_are_listed(folder):
    assert "<li>Ideal clocks.</li>" in page(folder)


def test_names_are_escaped(tmp_path, no_pictures):
    odd = made.make_run(tmp_path / "o", made.Shape(name="<script>alert(1)</script>", feeder_prefix='<img src="x">'))
    render(odd)
    assert "<script" not in page(odd)
    assert '<img src="x"' not in page(odd)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page(odd)


def test_rendering_again_changes_nothing(folder):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert render(folder) == folder / "report.html"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    "without",
    [
        {"gasps": False},
        {"board": False},
        {"polls": False},
        {"gasps": False, "board": False, "polls": False, "fault": False},
    ],
)
def test_a_run_without_some_part_still_has_a_report(tmp_path, no_pictures, without):
    folder = made.make_run(tmp_path / "run", made.Shape(**without))
    render(folder)
    text = page(folder)
    assert ("<h2>The board</h2>" in text) == without.get("board", True)
    assert ("<h2>Polls</h2>" in text) == without.get("polls", True)


def test_an_empty_summary_still_has_a_report(tmp_path, no_pictures):
    folder = made.make_run(tmp_path / "run")
    (folder / "summary.json").write_text("{}")
    render(folder)
    assert in_terminal({}, {})


def test_missing_tables_are_all_named(tmp_path):
    folder = made.make_run(tmp_path / "run")
    (folder / "curve.parquet").unlink()
    (folder / "waveform.parquet").unlink()
    with pytest.raises(InputError, match=r"curve\.parquet, waveform\.parquet not found.*teiden run"):
        render(folder)
    assert not (folder / "report.html").exists()


def test_an_incomplete_run_says_how_to_finish_it(tmp_path):
    folder = made.make_run(tmp_path / "run")
    change(folder, "run.json", status="incomplete")
    with pytest.raises(InputError, match=r"status = 'incomplete', expected 'complete'.*--resume"):
        render(folder)


@pytest.mark.parametrize("text", [None, "[]", "{"])
def test_a_folder_that_is_no_run_is_refused(tmp_path, text):
    if text is not None:
        (tmp_path / "run.json").write_text(text)
    with pytest.raises(InputError, match=r"run\.json"):
        render(tmp_path)


def test_latched_flags_are_not_hidden(tmp_path, no_pictures):
    folder = made.make_run(tmp_path / "run")
    change(folder, "run.json", flags=["3 late messages"])
    render(folder)
    assert "3 late messages" in page(folder)
    assert "flags: 3 late messages" in in_terminal({}, {"flags": ["3 late messages"]})


def test_the_terminal_gets_plain_text_that_fits(folder):
    summary, run = (json.loads((folder / name).read_text()) for name in ("summary.json", "run.json"))
    text = in_terminal(summary, run)
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 100
    for part in (
        "Last Gasps delivered",
        "LG-DR",
        "fail",
        "adds up: 164 notices",
        "seed 7",
        "report: runs/x/report.html",
    ):
        assert part in text
