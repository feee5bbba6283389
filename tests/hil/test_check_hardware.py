"""``teiden rig check`` on what poses as a PYNQ board and an instrument: over VISA, MMIO and the supervising process."""

import hashlib
import json
import sys
import types
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from hdl.pynq_port import BASE_ADDRESS
from hdl.regs.generated import regs
from hdl.sim.frontend import CompiledFrontEnd
from hil import check_places
from hil.board import Wiring
from hil.cli import main
from hil.source.server import SourceServer

STATION = """
[board]
kind = "pynq"
bitstream = "{folder}/td.bit"
clocks_per_sample = 64
[source]
address = "{address}"
dialect = "{dialect}"
{interlock}
"""
RATE_HZ = 8000


class Lab:
    """The board, the instrument and the wires between them, which move while somebody sleeps."""

    def __init__(self, instrument):
        self.board, self.instrument = CompiledFrontEnd(), instrument
        self.words = {}  # registers that read as something else
        self.ppm = 0.0  # of the board's clock
        self.twist = lambda block: block
        self.load_error = None
        self._wiring = Wiring(self, self.board)
        self.now_ns = 0

    def play(self, n_samples, rate_hz):
        return self.twist(self.instrument.play(n_samples, rate_hz))

    def sleep(self, seconds):
        self.now_ns += round(seconds * 1e9)
        due = int(self.now_ns * 1e-9 * RATE_HZ * (1 + self.ppm * 1e-6))
        self._wiring.run(due - self._wiring.samples)

    def monotonic_ns(self):
        self.sleep(20e-6)  # an access over the bus takes so long
        return self.now_ns

    def overlay(self, bitstream):
        if self.load_error is not None:
            raise self.load_error

    def mmio(self, base, size):
        assert base == BASE_ADDRESS
        words = np.arange(size // 4)
        lab = self

        class Array:
            def __getitem__(self, place):
                taken = words[place]
                return lab.board.read_block(4 * int(taken[0]), len(taken)).copy() if len(taken) else taken

        read = lambda offset: self.words.get(offset, self.board.read32(offset))  # noqa: E731
        return types.SimpleNamespace(array=Array(), read=read, write=self.board.write32)


@pytest.fixture
def lab(monkeypatch, posing):
    made = Lab(posing)
    monkeypatch.setitem(sys.modules, "pynq", types.SimpleNamespace(MMIO=made.mmio, Overlay=made.overlay))
    clock = types.SimpleNamespace(sleep=made.sleep, monotonic_ns=made.monotonic_ns)
    monkeypatch.setattr(check_places, "time", clock)
    with SourceServer(made.instrument) as server:
        made.address = server.resource_name
        yield made
    made.board.close()


def check(lab, folder, *options, dialect="681x", interlock="closed", address=None):
    (folder / "td.bit").write_bytes(b"bits")
    (folder / "interlock").write_text(interlock)
    (folder / "station.toml").write_text(
        STATION.format(
            folder=folder,
            address=address or lab.address,
            dialect=dialect,
            interlock=f'interlock = "{folder}/interlock"' if interlock else "",
        )
    )
    words = ["rig", "check", str(folder / "station.toml"), "--out", str(folder / "out"), *options]
    return CliRunner().invoke(main, words)


def test_a_sound_bench_passes_and_is_off_afterwards(lab, tmp_path):
    ran = check(lab, tmp_path, "--arm")
    assert ran.exit_code == 0, ran.output
    seen = json.loads((tmp_path / "out" / "check.json").read_text())
    assert seen["source"].startswith("KEYSIGHT")
    assert seen["rtl_hash"] == hashlib.sha256(b"bits").hexdigest()
    assert seen["hardware"] == "a real bench"
    assert seen["t0_source"] == "trigger"
    assert any("*IDN?" in text for _, text in seen["scpi"])
    assert "VOLT:PROT as the limit of the peak voltage" in (tmp_path / "out" / "check.md").read_text()
    assert {finding["name"] for finding in seen["findings"]} >= {
        "counter, against the host's clock",
        "noise floor, output off",
        "RMS voltage",
        "edges on the trigger wire, for one sent",
        "output before the check",
        "output after the check",
    }
    assert lab.instrument.switched_on == 1
    assert not lab.instrument.output_on


def test_without_consent_the_output_stays_off_and_the_page_says_what_was_not_looked_at(lab, tmp_path):
    ran = check(lab, tmp_path)
    assert ran.exit_code == 0, ran.output
    assert "not looked at: voltage, frequency, trigger wire and polarity: a real output needs --arm" in ran.output
    assert "noise floor, output off" in ran.output
    assert lab.instrument.switched_on == 0


def test_consent_without_an_interlock_is_refused(lab, tmp_path):
    ran = check(lab, tmp_path, "--arm", interlock="")
    assert ran.exit_code == 2
    assert "needs source.interlock in the station file" in ran.output
    assert lab.instrument.switched_on == 0


def test_an_open_interlock_keeps_the_output_off(lab, tmp_path):
    ran = check(lab, tmp_path, "--arm", interlock="open")
    assert ran.exit_code == 3
    assert 'says "open", expected closed' in ran.output
    assert lab.instrument.switched_on == 0


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ({regs.ID: 0}, "ID register reads 0x00000000, expected 0x54454944; is it loaded"),
        ({regs.MAP_HASH: 1}, "bitstream and software are of different versions"),
    ],
)
def test_a_wrong_bitstream_is_named_before_anything_is_connected(words, named, lab, tmp_path):
    lab.words = words
    ran = check(lab, tmp_path, "--arm", address="TCPIP::127.0.0.1::1::SOCKET")  # nobody there: not even tried
    assert ran.exit_code == 3
    assert named in ran.output
    assert not (tmp_path / "out").exists()


def test_a_bitstream_that_does_not_load_is_named(lab, tmp_path):
    lab.load_error = RuntimeError("no .hwh beside it")
    ran = check(lab, tmp_path, "--arm")
    assert ran.exit_code == 3
    assert "PYNQ does not load it (no .hwh beside it)" in ran.output


def test_a_wrong_dialect_is_named(lab, tmp_path):
    ran = check(lab, tmp_path, "--arm", dialect="kikusui-le")
    assert ran.exit_code == 2
    assert 'calls itself "KEYSIGHT,6812B' in ran.output
    assert lab.instrument.switched_on == 0


def test_an_address_where_nobody_answers_is_named(lab, tmp_path):
    ran = check(lab, tmp_path, "--arm", address="TCPIP::127.0.0.1::1::SOCKET")
    assert ran.exit_code == 3
    assert "TCPIP::127.0.0.1::1::SOCKET" in ran.output
    assert not (tmp_path / "out").exists()


def test_an_output_that_was_left_on_is_named_and_switched_off(lab, tmp_path):
    for command in (b"VOLT 100", b"OUTP ON"):
        lab.instrument.execute(command)
    ran = check(lab, tmp_path, "--arm")
    assert ran.exit_code == 3
    assert "output before the check: on, expected off" in ran.output
    assert not lab.instrument.output_on


@pytest.mark.parametrize(
    ("hurt", "named", "energised"),
    [
        # 3000 ppm of 8000 are 24; 100 ppm are allowed, and two readings are good to a sample and 20 us each
        (lambda lab: setattr(lab, "ppm", 3000.0), "counter, against the host's clock: 802", False),
        (lambda lab: setattr(lab, "ppm", -1e6), "noise floor, output off: – pu, expected 0 within 0.001", False),
        (lambda lab: setattr(lab, "twist", lambda b: replace(b, trigger_edges=())), "edges on the trigger wire", True),
        (lambda lab: setattr(lab, "twist", lambda b: replace(b, volts=1.01 * b.volts)), "RMS voltage: 101", True),
        (
            lambda lab: setattr(lab, "twist", lambda b: replace(b, volts=b.volts + 1.0 * _noise(b))),
            "noise floor",
            False,
        ),
    ],
)
def test_what_is_wrong_on_the_bench_is_named(hurt, named, energised, lab, tmp_path):
    hurt(lab)
    ran = check(lab, tmp_path, "--arm")
    assert ran.exit_code == 3
    assert named in ran.output
    seen = json.loads((tmp_path / "out" / "check.json").read_text(), parse_constant=pytest.fail)  # NaN is no JSON
    assert seen["passed"] is False
    assert any("nothing is energised" in what for what in seen["not_looked_at"]) == (not energised)
    assert bool(lab.instrument.switched_on) == energised  # a board that is not sound guards no output
    assert not lab.instrument.output_on


def _noise(block):
    return np.random.default_rng(block.volts.size).normal(size=block.volts.size)
