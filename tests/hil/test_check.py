"""The check of a station passes a sound bench, and names what is wrong with an unsound one."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from hil import check, check_places
from hil.check import check_station, phase_deg, require_passed
from hil.cli import main
from hil.station import Board, Limits, Load, Source, Station, Supply, load_station
from teiden.errors import InputError, PartFailed


@pytest.mark.parametrize(("dialect", "hertz"), [("681x", 50), ("kikusui-le", 60)])
def test_the_stand_ins_pass_and_the_same_station_gives_the_same_bytes(dialect, hertz, tmp_path):
    station = Station(source=Source(dialect=dialect), supply=Supply(nominal_hz=hertz))
    seen = check_station(station, tmp_path / "a")
    require_passed(seen)
    assert seen["t0_source"] == "trigger"
    # Two clocks, of 64 a sample and 8000 samples a second: docs/front-end.md, trigger input.
    assert seen["t0_bound_us"] == pytest.approx(2 / 64 / 8000 * 1e6, abs=1e-3)
    check_station(station, tmp_path / "b")
    for name in ("check.json", "check.md"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert json.loads((tmp_path / "a" / "check.json").read_text())["scpi"][0][1].endswith("*IDN?")


def test_a_source_without_a_trigger_output_leaves_every_limit_open(tmp_path):
    seen = check_station(Station(source=Source(dialect="chroma")), tmp_path)
    assert (seen["t0_source"], seen["shortest_limit_us"]) == ("none", None)
    assert "every limit that counts from t0 would be inconclusive" in (tmp_path / "check.md").read_text()


class Twisted(check_places.Wiring):
    """A bench whose source reaches the board through `twist`."""

    def __init__(self, source, port):
        super().__init__(source, port)
        self._source = self
        self._real = source

    def play(self, n_samples, rate_hz):
        return self.twist(self._real.play(n_samples, rate_hz))


WRONG = {
    "swapped wires": (lambda block: replace(block, volts=-block.volts), "point on wave at the trigger: -(90|89.99)"),
    "a divider that is 1 % off": (lambda block: replace(block, volts=1.01 * block.volts), "RMS voltage: 101"),
    "no trigger wire": (lambda block: replace(block, trigger_edges=()), "edges on the trigger wire"),
    "a bouncing trigger": (
        lambda block: replace(block, trigger_edges=[e + k for e in block.trigger_edges for k in (0, 10**6)]),
        "trigger wire, for one sent: 2 edges",
    ),
    "noise": (
        lambda block: replace(block, volts=block.volts + np.random.default_rng(1).normal(0, 0.5, block.volts.size)),
        "noise floor, output off: 0.00(49|50)",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_bench_that_is_wired_wrong_is_named(what, tmp_path, monkeypatch):
    twist, named = WRONG[what]
    monkeypatch.setattr(check_places, "Wiring", type("Wrong", (Twisted,), {"twist": staticmethod(twist)}))
    seen = check_station(Station(), tmp_path)
    with pytest.raises(PartFailed, match=named):
        require_passed(seen)
    assert "FAILED" in (tmp_path / "check.md").read_text()


def late_trigger(block):
    """A trigger-out that comes 300 us behind the change of the output."""
    return replace(block, trigger_edges=tuple(edge + 300_000 for edge in block.trigger_edges))


@pytest.mark.parametrize(("stated_us", "named"), [(0.0, "point on wave at the trigger: 95"), (-300.0, "")])
def test_a_delay_of_the_trigger_is_seen_and_counts_once_the_station_tells_it(stated_us, named, tmp_path, monkeypatch):
    monkeypatch.setattr(check_places, "Wiring", type("Late", (Twisted,), {"twist": staticmethod(late_trigger)}))
    seen = check_station(Station(source=Source(trigger_delay_us=stated_us, trigger_delay_bound_us=5.0)), tmp_path)
    (found,) = [one for one in seen["findings"] if one["name"] == "change of the output, after the trigger edge"]
    # two clocks of the trigger input, a fifteenth of a sample, the fall of the output
    assert found["value"] == pytest.approx(-300, abs=3.9 + 125 / 15 / 2 + 2.1)
    assert found["passed"] == (not named)
    assert seen["t0_bound_us"] == pytest.approx(2 / 64 * 125 + 5.0, abs=2e-3)
    if named:
        with pytest.raises(PartFailed, match=named):
            require_passed(seen)
    else:
        require_passed(seen)


class Jittering(Twisted):
    """A trigger-out that comes at once or 600 us late, in turns."""

    late = False

    def twist(self, block):
        if block.trigger_edges:
            Jittering.late = not self.late
        return late_trigger(late_trigger(block)) if block.trigger_edges and self.late else block


def test_a_trigger_that_keeps_to_no_delay_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(check_places, "Wiring", Jittering)
    station = Station(
        source=Source(trigger_delay_us=-300.0, trigger_delay_bound_us=20.0), limits=Limits(angle_deg=20.0)
    )
    seen = check_station(station, tmp_path)
    spread = next(one for one in seen["findings"] if one["name"].startswith("spread of that"))
    # half of 600 us, less half the parts of a sample that every second change tells apart
    assert spread["value"] == pytest.approx(300 - 125 * 2 / 15 / 2, abs=5)
    assert not spread["passed"]


def test_another_register_map_is_refused_before_the_source_is_switched_on(tmp_path, monkeypatch):
    sources = []
    make = check_places.stand_in_source
    monkeypatch.setattr(check_places, "stand_in_source", lambda *key: sources.append(make(*key)) or sources[0])
    monkeypatch.setattr(check.regs, "MAP_HASH_EXPECTED", 1)
    with pytest.raises(PartFailed, match="bitstream and software are of different versions"):
        check_station(Station(), tmp_path / "out")
    assert not sources[0].output_on
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["model", "compiled"])
def test_every_board_that_is_fed_is_checked(kind, tmp_path):
    seen = check_station(Station(board=Board(kind=kind)), tmp_path)
    require_passed(seen)
    assert seen["board"].startswith("integer model" if kind == "model" else "compiled RTL")
    assert seen["not_looked_at"] == ["current: the station has no load"]


@pytest.mark.parametrize(
    ("twist", "names", "said"),
    [
        (lambda block: block, [], ""),
        (lambda block: replace(block, amps=-block.amps), ["way of the load's power"], "reverse, expected forward"),
        (lambda block: replace(block, amps=1.05 * block.amps), ["RMS current", "active power"], "RMS current: "),
    ],
    ids=["right", "swapped", "another ratio"],
)
def test_with_a_load_the_current_channel_is_looked_at(twist, names, said, tmp_path, monkeypatch):
    monkeypatch.setattr(check_places, "Wiring", type("Loaded", (Twisted,), {"twist": staticmethod(twist)}))
    seen = check_station(Station(load=Load(power_w=60.0)), tmp_path)
    failed = [finding["name"] for finding in seen["findings"] if not finding["passed"]]
    assert failed == names
    (current,) = [finding for finding in seen["findings"] if finding["name"] == "RMS current"]
    assert 0.6 < current["expected"] < 3  # 60 W at 100 V are 0.6 A at least; a rectifier draws them in pulses
    if names:
        with pytest.raises(PartFailed, match=said):
            require_passed(seen)


@pytest.mark.parametrize("angle", [0.0, 90.0, 217.5])
def test_the_angle_is_that_of_the_sine(angle):
    turns = 2 * np.pi * (50 / 8000) * (np.arange(400) - 123.25)
    assert phase_deg(3 * np.sin(turns + np.radians(angle)) + 0.5, 123.25, 50 / 8000) == pytest.approx(angle, abs=1e-9)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[source]\ndialect = 'pacific'", r"source.dialect = 'pacific', input should be '681x', 'kikusui-le' or 'chr"),
        ("[source]\nvolts = 3", "source.volts: unknown, expected one of dialect, seed, current_limit_a"),
        ("[sauce]", "sauce: unknown, expected one of board, source, supply, limits"),
        (
            "[supply]\nnominal_hz = 55\nnominal_v = 'x'",
            r"nominal_v = 'x'.*\n.*nominal_hz = 55, input should be 50 or 6",
        ),
        ("[supply]\nnominal_v = 150.0", "supply.nominal_v = 150, expected at most source.voltage_limit_v = 120 V"),
        ("board = 3", r"board = 3, expected a table \[board\]"),
        ("[source", "expected TOML"),
    ],
)
def test_every_problem_of_a_station_file_is_named_with_its_place(text, named, tmp_path):
    path = tmp_path / "station.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=named):
        load_station(path)


def test_the_command_writes_both_files_and_refuses_a_bad_station(tmp_path):
    station = tmp_path / "station.toml"
    block = (
        (Path(__file__).parents[2] / "docs" / "bench.md").read_text().split("```toml")[1].split("```")[0]
    )  # of the page, so that it stays true
    station.write_text(block)
    assert load_station(station) == Station()
    ran = CliRunner().invoke(main, ["rig", "check", str(station), "--out", str(tmp_path / "out")])
    assert ran.exit_code == 0, ran.output
    assert "Rig check: passed" in ran.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["check.json", "check.md"]
    station.write_text("[supply]\nnominal_hz = 55")
    assert CliRunner().invoke(main, ["rig", "check", str(station)]).exit_code == 2


def test_a_station_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none.toml: No such file"):
        load_station(tmp_path / "none.toml")
