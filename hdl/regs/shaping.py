"""Shape the register file that peakrdl-etana writes: fewer LUTs, a shorter longest path, less work when idle.

What software sees is the same, but that a register is answered one clock later. Each change looks for the exact
text of peakrdl-etana 0.8.0, and says so where it does not find it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

GROUP = 16  # words that one multiplexer of the read path chooses from: four inputs to a LUT6, four of those to MUXF7, 8

GATE = """\
    // The compiled model stops the clock of the registers while nothing can change them: they are half of its work.
`ifdef TD_GATE_REGISTERS
    logic awake;
    always_ff @(negedge clk) begin
        awake <= ~rst_n | s_axil_awvalid | s_axil_wvalid | s_axil_arvalid | axil_awvalid | axil_wvalid | axil_arvalid
            | axil_n_in_flight != '0 | |{{{wakers}}};
    end
    wire clk_regs = clk & awake;
`else
    wire clk_regs = clk;
`endif
"""

ADDRESS = """\
            if(decoded_req) pending_rd_addr <= cpuif_addr;
        end
    end
    assign rd_mux_addr = decoded_req ? cpuif_addr : pending_rd_addr;
"""
LATE_ADDRESS = """\
            if(decoded_req) pending_rd_addr <= cpuif_addr;
        end
    end
    assign rd_mux_addr = pending_rd_addr;

    // A register is answered in the clock after its request: choosing among them takes a clock of its own.
    always_ff @(posedge clk) begin
        if(~rst_n) read_pending <= '0;
        else read_pending <= decoded_req & ~decoded_req_is_wr & ~decoded_strb_is_external;
    end
"""
STALLS = """\
    assign cpuif_req_stall_rd = external_pending;
    assign cpuif_req_stall_wr = external_pending;
"""
LATE_STALLS = """\
    logic read_pending;
    assign cpuif_req_stall_rd = external_pending | read_pending;
    assign cpuif_req_stall_wr = external_pending | read_pending;
"""
DONE = "readback_done = decoded_req & ~decoded_req_is_wr & ~decoded_strb_is_external;"
ACKED = "    logic axil_resp_acked;\n"
READ_START, READ_END = "        readback_data_var = '0;\n", "        readback_data = readback_data_var;\n"
MERGE = re.compile(
    r"^( +)next_c = \((\w+) & ~decoded_wr_biten\[(\d+):(\d+)\]\) \| "
    r"\(decoded_wr_data\[\3:\4\] & decoded_wr_biten\[\3:\4\]\);$",
    re.MULTILINE,
)
WORD = re.compile(
    r"^        if\(rd_mux_addr == 15'h([0-9a-f]+)\) begin\n((?:            .*\n)+)        end\n", re.MULTILINE
)
READ_SIDE_EFFECT = re.compile(r"decoded_reg_strb_\w+ && [!~]decoded_req_is_wr")
STROBE = re.compile(r"(decoded_reg_strb_\w+ = cpuif_req_masked & )\(cpuif_addr == (15'h[0-9a-f]+)\);")


class UnknownTextError(ValueError):
    """The generator writes another text than this program knows."""


def replaced(text: str, old: str, new: str) -> str:
    """Return the text with its one ``old`` replaced."""
    if text.count(old) != 1:
        raise UnknownTextError(f"td_regs.sv: {old.strip()!r} is there {text.count(old)} times, expected once; "
                               "pin peakrdl-etana 0.8.0")  # fmt: skip
    return text.replace(old, new)


def by_bytes(text: str) -> str:
    """Return the text with bytes written by their strobes, which flip-flops have an enable for, not bit by bit."""

    def write(found: re.Match[str]) -> str:
        indent, high, low = found[1], int(found[3]), int(found[4])
        lines = []
        for byte in range(low // 8, high // 8 + 1):
            first, last = max(low, 8 * byte), min(high, 8 * byte + 7)
            part = "" if low == high else f"[{last - low}:{first - low}]"
            lines.append(f"{indent}if(decoded_wr_biten[{8 * byte}]) next_c{part} = decoded_wr_data[{last}:{first}];")
        return "\n".join(lines)

    text, count = MERGE.subn(write, text)
    if not count:
        raise UnknownTextError("td_regs.sv: no field is merged bit by bit; pin peakrdl-etana 0.8.0")
    return text


def decoded_early(text: str) -> str:
    """Return the text with the strobes of registers, used by writes only, decoded beside the arbiter."""
    if READ_SIDE_EFFECT.search(text):
        raise UnknownTextError("td_regs.sv: reading a register changes it; its strobe must be decoded for reads too")
    text, count = STROBE.subn(r"\1cpuif_req_is_wr & ({axil_awaddr[14:2], 2'b0} == \2);", text)
    if not count:
        raise UnknownTextError("td_regs.sv: no register is decoded for both directions; pin peakrdl-etana 0.8.0")
    return text


def grouped(words: str) -> str:
    """Return the read path with words chosen by the low bits of their address, groups of words by the high bits."""
    groups: dict[int, dict[int, str]] = {}
    for address, body in WORD.findall(words):
        word = int(address, 16) // 4
        groups.setdefault(word // GROUP, {})[word % GROUP] = body
    ranges = WORD.sub("", words)  # memories
    lines = ["        case(rd_mux_addr[14:6])\n"]
    for number, group in sorted(groups.items()):
        lines.append(f"        9'h{number:x}: case(rd_mux_addr[5:2])\n")
        lines += [f"        4'h{place:x}: begin\n{body}        end\n" for place, body in sorted(group.items())]
        lines += ["        default: ;\n", "        endcase\n"]
    return "".join([*lines, "        default: ;\n", "        endcase\n", ranges])


def shaped(text: str, pulses: Iterable[str]) -> str:
    """Return the register file with its read path in two clocks and its clock gated in the compiled model.

    Parameters
    ----------
    text : str
        td_regs.sv of peakrdl-etana 0.8.0.
    pulses : iterable of str
        Names of the outputs that last one clock.

    Raises
    ------
    UnknownTextError
        If the text is of another generator.
    """
    ports = re.findall(r"(?:hwif_in_\w+_hwset|hwif_out_\w+)(?=[,;\s])", text.partition(");")[0])
    stored = set(re.findall(r"assign (hwif_out_\w+) = field_storage_\w+;", text)) & set(pulses)
    wakers = [name for name in ports if name.endswith("_hwset") or name in stored]
    text = decoded_early(by_bytes(text))
    text = replaced(text, STALLS, LATE_STALLS)
    text = replaced(text, ADDRESS, LATE_ADDRESS)
    text = replaced(text, DONE, "readback_done = read_pending;")
    text = text.replace("@(posedge clk)", "@(posedge clk_regs)")
    gate = GATE.format(wakers=", ".join(wakers))
    text = replaced(text, ACKED, ACKED + gate)
    head, start, rest = text.partition(READ_START)
    words, end, after = rest.partition(READ_END)
    if not (start and end and wakers):
        raise UnknownTextError("td_regs.sv: no read path or nothing that wakes the registers; pin peakrdl-etana 0.8.0")
    body = f"        if(read_pending | external_pending) begin\n{grouped(words)}        end\n"
    return head + start + body + end + after
