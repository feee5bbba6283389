"""The coverage tools themselves: what they read, merge, waive and miss."""

from __future__ import annotations

from pathlib import Path

import pytest

from hdl.tb import coverage
from hdl.tb.crosses import Cross

RTL = coverage.HDL / "rtl" / "td_trigger.sv"


def data(path: Path, *points: tuple[str, int, int, str, int], file: Path = RTL) -> Path:
    """Write a coverage.dat of (kind, line, column, comment, count)."""
    lines = ["# SystemC::Coverage-3"]
    for kind, line, column, comment, count in points:
        keys = {"f": str(file), "l": line, "n": column, "t": kind, "page": "v", "o": comment, "h": "top"}
        lines.append("C '" + "".join(f"\x01{key}\x02{value}" for key, value in keys.items()) + f"' {count}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_points_are_merged_over_benches_and_other_files_left_out(tmp_path: Path) -> None:
    first = data(tmp_path / "a.dat", ("line", 30, 3, "block", 2), ("branch", 31, 3, "if", 0))
    second = data(tmp_path / "b.dat", ("line", 30, 3, "block", 3), ("branch", 31, 3, "if", 1))
    other = data(tmp_path / "c.dat", ("line", 1, 1, "block", 0), file=Path("/x/tb/bench.sv"))
    counts = coverage.merged([first, second, other])
    assert {(point.module, point.kind): count for point, count in counts.items()} == {
        ("td_trigger", "line"): 5,
        ("td_trigger", "branch"): 1,
    }


def test_a_gate_is_missed_unless_waived(tmp_path: Path) -> None:
    toggles = [("toggle", 15, 1, f"a[{bit}]:0->1", int(bit < 9)) for bit in range(10)]
    counts = coverage.merged([data(tmp_path / "a.dat", ("line", 30, 3, "block", 0), *toggles)])
    found, idle = coverage.scores(counts, [])
    assert found["td_trigger"]["line"].share == 0
    assert found["td_trigger"]["toggle"].share == 0.9
    said = coverage.shortfalls(found)
    assert [line for line in said if not line.startswith(" ")] == [
        "td_trigger: line 0.0 %, expected 100 %",
        "td_trigger: toggle 90.0 %, expected 95 %",
    ]
    assert idle == []
    rules = tmp_path / "w.toml"
    rules.write_text(
        '[[waiver]]\nmodule = "td_trigger"\nkind = "toggle"\nmatch = "a\\\\[9\\\\]"\nreason = "top bit"\n'
        '[[waiver]]\nmodule = "td_trigger"\nkind = "line"\nsource = "no such text"\nreason = "stale"\n'
    )
    found, idle = coverage.scores(counts, coverage.read_waivers(rules))
    assert found["td_trigger"]["toggle"].share == 1
    assert found["td_trigger"]["toggle"].waived == 1
    assert [waiver.reason for waiver in idle] == ["stale"]
    assert "td_trigger" in coverage.table(found)


def test_a_waiver_without_a_reason_is_refused(tmp_path: Path) -> None:
    rules = tmp_path / "w.toml"
    rules.write_text('[[waiver]]\nmodule = "td_trigger"\nkind = "line"\nmatch = "x"\n')
    with pytest.raises(ValueError, match="reason"):
        coverage.read_waivers(rules)


def test_every_waiver_names_a_module_that_is_there() -> None:
    there = {path.stem for path in (coverage.HDL / "rtl").glob("*.sv")}
    assert {waiver.module for waiver in coverage.read_waivers()} <= there


def test_a_cross_is_met_when_every_possible_combination_was() -> None:
    cross = Cross("two", lambda a, b: a == 2 and b, a=(1, 2), b=(False, True))
    cross.hit(a=1, b=False)
    cross.hit(a=1, b=True)
    with pytest.raises(AssertionError, match="1 of 3 combinations not met"):
        cross.check()
    cross.hit(a=2, b=False)
    cross.check()
    with pytest.raises(KeyError):
        cross.hit(a=2, b=True)
