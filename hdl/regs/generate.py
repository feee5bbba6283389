"""Make everything that follows from teiden_frontend.rdl.

    python -m hdl.regs.generate            write hdl/regs/generated/
    python -m hdl.regs.generate --check    exit 1 if that would change a file

Needs peakrdl and peakrdl-etana (the ``hdl`` extra); what it writes is kept in the repository, so
nothing else needs them.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from systemrdl import RDLCompiler  # type: ignore[import-not-found, unused-ignore]
from systemrdl.node import AddressableNode, AddrmapNode, MemNode, RegNode  # type: ignore[import-not-found, unused-ignore]

from hdl.regs.shaping import Setting, shaped
from teiden.build import require_tool

HERE = Path(__file__).resolve().parent
SOURCE = HERE / "teiden_frontend.rdl"
TARGET = HERE / "generated"
ROW = 16  # words that share the high bits of their address
MADE_BY = "Made by hdl/regs/generate.py from teiden_frontend.rdl; do not edit."


def map_hash() -> int:
    """Return the first 32 bits of the SHA-256 of the register description."""
    return int(hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:8], 16)


def read_map() -> AddrmapNode:
    """Return the elaborated address map."""
    compiler = RDLCompiler()
    compiler.compile_file(str(SOURCE))
    return compiler.elaborate().top


def nodes(top: AddrmapNode) -> Iterator[AddressableNode]:
    """Yield registers, memories and the named words of memories in address order."""
    found = [node for node in top.children(unroll=True) if isinstance(node, AddressableNode)]
    found += [word for node in found if isinstance(node, MemNode) for word in node.registers(unroll=True)]
    yield from sorted(found, key=lambda node: node.absolute_address)


def full_name(node: AddressableNode) -> str:
    """Return the name of a register or memory; a word of a memory that is not plain has the memory's in front."""
    parent = node.parent
    prefixed = isinstance(parent, MemNode) and not parent.get_property("plain", default=False)
    return f"{parent.inst_name}_{node.inst_name}" if prefixed else str(node.inst_name)


def constants_text(top: AddrmapNode) -> str:
    """Return regs.py: an address per register, a mask and a shift per field."""
    lines = ['"""Addresses, field masks and shifts of the front-end.', "", f"{MADE_BY}", '"""', ""]
    lines.append(f"MAP_HASH_EXPECTED = 0x{map_hash():08X}")
    for node in nodes(top):
        place = full_name(node)
        lines += ["", f"{place} = 0x{node.absolute_address:04X}"]
        if isinstance(node, MemNode):
            lines.append(f"{place}_WORDS = {node.get_property('mementries')}")
        elif isinstance(node, RegNode):
            for field in node.fields():
                name = f"{place}_{field.inst_name.upper()}"
                lines.append(f"{name}_MASK = 0x{((1 << field.width) - 1) << field.low:08X}")
                lines.append(f"{name}_SHIFT = {field.low}")
    locked = [n.inst_name for n in nodes(top) if isinstance(n, RegNode) and n.get_property("locked", default=False)]
    lines += ["", "LOCKED = (", *(f"    {name}," for name in locked), ")  # what the write lock and its checksum cover"]
    return "\n".join(lines) + "\n"


def package_text() -> str:
    """Return td_map_pkg.sv: the hash of the map for the register that tells it."""
    return f"// {MADE_BY}\npackage td_map_pkg;\n  localparam logic [31:0] MapHash = 32'h{map_hash():08X};\nendpackage\n"


def _blocks(places: set[int], width: int) -> list[tuple[int, int]]:
    """Return the aligned blocks of powers of two that make up a set of numbers, largest first, as (bits, number)."""
    blocks: list[tuple[int, int]] = []
    left = set(places)
    for bits in reversed(range(width + 1)):
        for number in range(2 ** (width - bits)):
            block = set(range(number << bits, (number + 1) << bits))
            if block <= left:
                blocks.append((bits, number))
                left -= block
    return blocks


def _among(places: set[int], high: int, low: int) -> str:
    """Return the condition that ``address_i[high:low]`` is one of these: equalities, which need no carry chain."""
    width = high + 1 - low
    return " || ".join(
        f"address_i[{high}:{low + bits}] == {width - bits}'h{number:X}" for bits, number in _blocks(places, width)
    )


def _within(words: list[int], width: int) -> str:
    """Return the condition that ``address_i`` is one of these words: whole rows of 16 words, then parts of rows."""
    rows: dict[int, set[int]] = {}
    for word in words:
        rows.setdefault(word // ROW, set()).add(word % ROW)
    whole = {row for row, places in rows.items() if len(places) == ROW}
    terms = [_among(whole, width - 1, 4)] if whole else []
    terms += [
        f"(address_i[{width - 1}:4] == {width - 4}'h{row:X} && ({_among(places, 3, 0)}))"
        for row, places in sorted(rows.items())
        if row not in whole
    ]
    return "\n                 || ".join(terms) or "1'b0"


def map_text(top: AddrmapNode) -> str:
    """Return td_map.sv: which words hold a register, and which of them the write lock covers."""
    width = 13
    mapped: list[int] = []
    locked: list[int] = []
    for node in nodes(top):
        size = node.size if isinstance(node, MemNode) else 4
        words = range(node.absolute_address // 4, (node.absolute_address + size) // 4)
        mapped += words
        locked += words if isinstance(node, RegNode) and node.get_property("locked", default=False) else []
    return f"""// {MADE_BY}
// mapped_o: a register or memory is at this word; locked_o: the write lock covers it; beyond_o: above
// the last word that it covers. Combinational. A parameter that is 0 leaves the output of its name out: 0.
module td_map #(
  parameter bit Mapped = 1'b1,
  parameter bit Locked = 1'b1,
  parameter bit Beyond = 1'b1
) (
  input  logic [{width - 1}:0] address_i,  // words
  output logic        mapped_o,
  output logic        locked_o,
  output logic        beyond_o
);
  assign mapped_o = Mapped && ({_within(mapped, width)});
  assign locked_o = Locked && ({_within(locked, width)});
  assign beyond_o = Beyond && address_i > {width}'h{max(locked, default=0):04X};
endmodule
"""


def page_text(top: AddrmapNode) -> str:
    """Return registers.md: the map as a page for docs/."""
    lines = [f"<!-- {MADE_BY} -->", "# Registers of the front-end", "", str(top.get_property("desc")), ""]
    lines += [f"`MAP_HASH` of this page: `0x{map_hash():08X}`.", ""]
    lines += ["| address | register | bits | field | access | after reset | meaning |"]
    lines += ["| --- | --- | --- | --- | --- | --- | --- |"]
    for node in nodes(top):
        first = f"| `0x{node.absolute_address:04X}` | `{full_name(node)}` |"
        if isinstance(node, MemNode):
            last = node.absolute_address + node.size - 4
            lines.append(f"{first} 31:0 | | r | | {node.get_property('desc')} Up to `0x{last:04X}`. |")
        elif isinstance(node, RegNode):
            lock = " Locked." if node.get_property("locked", default=False) else ""
            lines.append(f"{first} | | | | {node.get_property('desc')}{lock} |")
            for field in node.fields():
                access = str(field.get_property("sw")).rpartition(".")[2]
                access = "w1c" if field.get_property("woclr") else access
                reset = field.get_property("reset")
                lines.append(
                    f"| | | {field.high}:{field.low} | `{field.inst_name}` | {access} | "
                    f"{'' if reset is None else reset} | {field.get_property('desc')} |"
                )
    return "\n".join(lines) + "\n"


def reset_word(node: RegNode) -> int:
    """Return what a register holds after reset."""
    word = 0
    for field in node.fields():
        value = field.get_property("reset", default=0)
        if not isinstance(value, int):
            raise TypeError(f"{node.inst_name}.{field.inst_name}: its reset is {value!r}, expected a number")
        word |= value << field.low
    return word


def settings(top: AddrmapNode) -> dict[str, Setting]:
    """Return the registers that software alone writes, and that act only by what they hold, in address order."""
    found = {}
    for node in nodes(top):
        if not isinstance(node, RegNode) or isinstance(node.parent, MemNode):
            continue
        fields = list(node.fields())
        acting = ("woclr", "hwset", "singlepulse")
        if all(field.is_sw_writable and field.is_sw_readable and not field.is_hw_writable
               and not any(field.get_property(name) for name in acting) for field in fields):  # fmt: skip
            reset = reset_word(node)
            mask = sum((1 << field.width) - 1 << field.low for field in fields)
            found[str(node.inst_name).lower()] = Setting(node.absolute_address, reset, mask)
    return found


def constants(top: AddrmapNode) -> dict[int, int]:
    """Return the words that nothing changes, by address: those without access from hardware, and the map's hash."""
    found = {}
    for node in nodes(top):
        if isinstance(node, RegNode) and not any(f.is_sw_writable or f.is_hw_writable for f in node.fields()):
            found[node.absolute_address] = reset_word(node)
        elif node.inst_name == "MAP_HASH":
            found[node.absolute_address] = map_hash()
    return found


def register_rtl(top: AddrmapNode) -> str:
    """Return td_regs.sv as peakrdl-etana makes it, shaped for the chip."""
    tool = require_tool("peakrdl", "to generate the register file", "pip install 'teiden[hdl]'")
    with tempfile.TemporaryDirectory() as work:
        command = [tool, "etana", str(SOURCE), "-o", work, "--cpuif", "axi4-lite-flat", "--module-name", "td_regs"]
        command += ["--default-reset", "rst_n", "--type-style", "hier"]
        subprocess.run(command, check=True, capture_output=True, text=True)
        text = (Path(work) / "td_regs.sv").read_text()
    kept = [line.rstrip() for line in text.splitlines() if not line.startswith("`timescale")]  # as the other modules
    return shaped("\n".join(kept) + "\n", settings(top), constants(top))


def generate() -> dict[str, str]:
    """Return every generated file by name."""
    top = read_map()
    return {
        "td_regs.sv": register_rtl(top),
        "td_map_pkg.sv": package_text(),
        "td_map.sv": map_text(top),
        "regs.py": constants_text(top),
        "registers.md": page_text(top),
    }


def main(arguments: list[str]) -> int:
    """Write the files, or with ``--check`` only say which would change."""
    check = arguments == ["--check"]
    changed = []
    TARGET.mkdir(exist_ok=True)
    for name, text in generate().items():
        path = TARGET / name
        if path.exists() and path.read_text() == text:
            continue
        changed.append(name)
        if not check:
            path.write_text(text)
    for name in changed:
        print(f"{name}: {'would change' if check else 'written'}", file=sys.stderr)
    return 1 if check and changed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
