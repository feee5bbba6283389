"""Shape the register file that peakrdl-etana writes: fewer LUTs, a shorter longest path.

What software sees is the same, but that a register is answered one clock later. Each change looks for the exact
text of peakrdl-etana 0.8.0, and says so where it does not find it.
"""

from __future__ import annotations

import re

GROUP = 16  # words that one multiplexer of the read path chooses from: four inputs to a LUT6, four of those to MUXF7, 8

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


def shaped(text: str) -> str:
    """Return the register file with its read path in two clocks.

    Parameters
    ----------
    text : str
        td_regs.sv of peakrdl-etana 0.8.0.

    Raises
    ------
    UnknownTextError
        If the text is of another generator.
    """
    text = decoded_early(by_bytes(text))
    text = replaced(text, STALLS, LATE_STALLS)
    text = replaced(text, ADDRESS, LATE_ADDRESS)
    text = replaced(text, DONE, "readback_done = read_pending;")
    head, start, rest = text.partition(READ_START)
    words, end, after = rest.partition(READ_END)
    if not (start and end):
        raise UnknownTextError("td_regs.sv: no read path; pin peakrdl-etana 0.8.0")
    body = f"        if(read_pending | external_pending) begin\n{grouped(words)}        end\n"
    return head + start + body + end + after
