"""Shape the register file that peakrdl-etana writes: fewer LUTs, a shorter longest path.

What software sees is the same, but that a register is answered four clocks later. Five things change:

- Settings, registers that software alone writes, are words of a memory, and every access to one goes through it: its
  word is read, takes in the bytes written, is stored, and is loaded into the flip-flops that the blocks see. So
  those need no multiplexer to be read and no enable a byte, and each access, the guard's among them, sets them
  right. A second memory holds what the words are after reset, for those not stored since, and the constants.
- The other registers are chosen in rows of four, what a LUT6 chooses from, each into flip-flops; six rows at a time
  are joined in a clock of their own. Registers of like width share a row: a bit that none of a row has costs nothing.
- A memory says of each address which setting or which row's register it is: nothing compares addresses.
- One access is answered before the next begins: the answer needs no queue.
- Addresses of memories are compared by the bits they have in common.

Each change looks for the exact text of peakrdl-etana 0.8.0, and says so where it does not find it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ROW = 4  # words that one LUT6 chooses from
JOINED = 6  # rows that one LUT6 joins
PLACES = 1024  # words of the address space that registers may lie in
FINE_BITS = 3  # of a setting's number are decoded apart from the others


@dataclass(frozen=True)
class Setting:
    """A register that software alone writes."""

    address: int  # bytes
    reset: int
    mask: int  # bits that there are


PIPELINE = """\
    // Read & write latencies are balanced. Stalls not required
    // except if external
    assign cpuif_req_stall_rd = external_pending;
    assign cpuif_req_stall_wr = external_pending;
"""
LATE_PIPELINE = """\
    // An access takes four clocks behind its request. With the request its place is looked up: the setting, or the row
    // of a register and its number there. Second, registers are chosen by rows, and the word of a setting is read.
    // Third, rows are joined, and the word takes in what is written. Fourth, the setting is stored and loaded, and the
    // answer is given. A memory outside is answered in the clock after its acknowledgement.
    logic first_q, second_q, third_q, fourth_q, write_q;
    logic beyond_q;  // no place has this address
    always_ff @(posedge clk) begin
        if(~rst_n) begin
            first_q <= '0;
            second_q <= '0;
            third_q <= '0;
            fourth_q <= '0;
            write_q <= '0;
        end else begin
            first_q <= decoded_req & ~decoded_strb_is_external;
            second_q <= first_q;
            third_q <= second_q;
            fourth_q <= third_q | external_rd_ack;
            if(decoded_req) write_q <= cpuif_req_is_wr;
        end
    end
    assign cpuif_req_stall_rd = external_pending | first_q | second_q | third_q | fourth_q;
    assign cpuif_req_stall_wr = external_pending | first_q | second_q | third_q | fourth_q;

    (* rom_style = "block" *) logic [{place_high}:0] places [{places}];  // setting, number in the row, rows
    (* ram_style = "block" *) logic [31:0] settings_q [{words}];
    (* rom_style = "block" *) logic [31:0] settings_reset [{words}];  // what the words are after reset
    (* rom_style = "block" *) logic [31:0] settings_mask [{words}];  // bits that there are
    logic [{last}:0] settings_known_q;  // asked for since reset: stored
    logic settings_load, known_q;
    logic [{place_high}:0] place_q;
    logic [{bits}:0] setting_q, setting2_q, setting3_q;
    logic [{rows_high}:0] rows_q;
    logic [1:0] number_q;
    logic [{coarse}-1:0] coarse_q;  // the setting that is loaded: eights and ones of its number
    logic [{fine}-1:0] fine_q;
    logic [31:0] read_q, reset_q, mask_q, data_q, settings_word;
    logic [3:0] strobe_q;
    initial begin
        for(int i=0; i<{words}; i++) begin
            settings_q[i] = '0;
            settings_reset[i] = '0;
            settings_mask[i] = '0;
        end
{resets}        for(int i=0; i<{places}; i++) places[i] = {nowhere};
{where}    end
    always_ff @(posedge clk) begin
        place_q <= places[cpuif_addr[{high}:2]];
        if(decoded_req) begin
            beyond_q <= cpuif_addr[14:{above}] != '0;
            data_q <= cpuif_wr_data;
            strobe_q <= cpuif_req_is_wr ? {strobes} : '0;
        end
        setting_q <= place_q[{place_high}:{place_low}];
        read_q <= settings_q[setting_q];
        reset_q <= settings_reset[setting_q];
        mask_q <= settings_mask[setting_q];
        known_q <= ~setting_q[{bits}] & settings_known_q[setting_q[{low_bits}:0]];
        setting2_q <= setting_q;
        setting3_q <= setting2_q;
        number_q <= place_q[{place_low}-1 -: 2];
        if(~first_q | beyond_q) rows_q <= '0;
        else rows_q <= place_q[{rows_high}:0];
        if(~third_q | beyond_q) settings_word <= '0;
        else for(int i=0; i<4; i++) begin
            settings_word[i*8 +: 8] <= mask_q[i*8 +: 8]
                & (strobe_q[i] ? data_q[i*8 +: 8] : known_q ? read_q[i*8 +: 8] : reset_q[i*8 +: 8]);
        end
        settings_load <= third_q & ~beyond_q & ~setting2_q[{bits}];
        if(~third_q | beyond_q | setting2_q[{bits}]) coarse_q <= '0;
        else coarse_q <= {coarse}'d1 << setting2_q[{low_bits}:{fine_bits}];
        fine_q <= {fine}'d1 << setting2_q[{fine_bits}-1:0];
        if(settings_load) settings_q[setting3_q] <= settings_word;
    end
    always_ff @(posedge clk) begin
        if(~rst_n) settings_known_q <= '0;
        else begin
{learn}        end
    end
"""
STROBES = "{cpuif_wr_biten[24], cpuif_wr_biten[16], cpuif_wr_biten[8], cpuif_wr_biten[0]}"
IN_FLIGHT, ONE_IN_FLIGHT = "if(axil_n_in_flight < 2'd2) begin", "if(axil_n_in_flight == 2'd0) begin"
WRITE_ACK = "    assign cpuif_wr_ack = decoded_req & decoded_req_is_wr;\n"
LATE_WRITE_ACK = "    assign cpuif_wr_ack = fourth_q & write_q;\n"
READ_ACK = "    assign cpuif_rd_ack = readback_done | readback_external_rd_ack;\n"
LATE_READ_ACK = "    assign cpuif_rd_ack = fourth_q & ~write_q;\n"
MEMORY_ACK = "        rd_ack |= hwif_in_harm_data_rd_ack;\n"  # the first of those that etana knows of
READ_START, READ_END = "    // Readback mux address\n", "    assign external_rd_ack = readback_external_rd_ack;\n"
MERGE = re.compile(
    r"^( +)next_c = \((\w+) & ~decoded_wr_biten\[(\d+):(\d+)\]\) \| "
    r"\(decoded_wr_data\[\3:\4\] & decoded_wr_biten\[\3:\4\]\);$",
    re.MULTILINE,
)
WORD = re.compile(
    r"^        if\(rd_mux_addr == 15'h([0-9a-f]+)\) begin\n((?:            .*\n)+)        end\n", re.MULTILINE
)
PART = re.compile(r"readback_data_var\[(\d+)(?::(\d+))?\] = (\S+);")
MEMORY = re.compile(r"readback_data_var = (hwif_in_\w+)_rd_data;")
RANGE = re.compile(r"\(cpuif_addr >= 15'h([0-9a-f]+)\) & \(cpuif_addr <= 15'h\1 \+ 15'h([0-9a-f]+)\)")
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


def changed(pattern: re.Pattern[str], new: str, text: str, what: str) -> str:
    """Return the text with every match replaced; there must be one."""
    text, count = pattern.subn(new, text)
    if not count:
        raise UnknownTextError(f"td_regs.sv: {what}; pin peakrdl-etana 0.8.0")
    return text


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
    new = r"\1cpuif_req_is_wr & ({axil_awaddr[14:2], 2'b0} == \2);"
    return changed(STROBE, new, text, "no register is decoded for both directions")


def loaded(text: str, name: str, setting: Setting, number: int) -> str:
    """Return the text with the fields of a setting loaded from its word."""
    strobe = f"decoded_reg_strb_{name}"
    wanted = f"coarse_q[{number >> FINE_BITS}] & fine_q[{number & (1 << FINE_BITS) - 1}]"
    text = replaced(text, f"{strobe} = cpuif_req_masked & (cpuif_addr == 15'h{setting.address:x});",
                    f"{strobe} = {wanted};")  # fmt: skip
    write = re.compile(
        rf"if\({strobe} && decoded_req_is_wr\) begin // SW write\n"
        r"( +)next_c = \(\w+ & ~decoded_wr_biten\[(\d+:\d+)\]\) .*;\n"
    )
    return changed(write, rf"if({strobe}) begin // SW write\n\1next_c = settings_word[\2];\n", text,
                   f"no field of {name} is merged bit by bit")  # fmt: skip


def compared_by_bits(text: str) -> str:
    """Return the text with the addresses of memories, aligned to their size, compared by the bits in common."""

    def equal(found: re.Match[str]) -> str:
        first, span = int(found[1], 16), int(found[2], 16)
        bits = span.bit_length()
        if span + 1 != 1 << bits or first & span:
            raise UnknownTextError(f"td_regs.sv: the memory at 0x{first:x} is not aligned to its size, a power of two")
        return f"(cpuif_addr[14:{bits}] == {15 - bits}'h{first >> bits:x})"

    text, count = RANGE.subn(equal, text)
    if not count:
        raise UnknownTextError("td_regs.sv: no memory is compared with first and last address; pin peakrdl-etana 0.8.0")
    return text


def word_text(body: str) -> str:
    """Return the word that assignments to its parts make, as a concatenation."""
    parts = sorted(((int(high), int(low or high), value) for high, low, value in PART.findall(body)), reverse=True)
    if not parts:
        raise UnknownTextError(f"td_regs.sv: {body.strip()!r} is no word of parts; pin peakrdl-etana 0.8.0")
    pieces, above = [], 32
    for high, low, value in parts:
        pieces += [f"{above - high - 1}'h0"] if high + 1 < above else []
        pieces.append(value)
        above = low
    pieces += [f"{above}'h0"] if above else []
    return "{" + ", ".join(pieces) + "}"


def mask_of(body: str) -> int:
    """Return the bits of a word that its parts fill."""
    return sum((1 << int(high) + 1) - (1 << int(low or high)) for high, low, _ in PART.findall(body))


def rows_of(masks: Mapping[int, int]) -> list[list[int]]:
    """Return the words in rows of at most four, those that fill most bits first, like beside like."""
    words = sorted(masks, key=lambda word: (-masks[word].bit_count(), masks[word], word))
    return [words[first : first + ROW] for first in range(0, len(words), ROW)]


def row_lines(number: int, row: Sequence[int], words: Mapping[int, str]) -> list[str]:
    """Return a row: its words by their number in it, in flip-flops that are 0 unless one is asked for."""
    value = [words[word] for word in row] + ["32'h0"] * (ROW - len(row))
    return [
        f"    logic [31:0] row_{number}_q;",
        "    always_ff @(posedge clk) begin",
        f"        if(~rows_q[{number}]) row_{number}_q <= '0;",
        f"        else row_{number}_q <= number_q[1]",
        f"            ? (number_q[0] ? {value[3]} : {value[2]})",
        f"            : (number_q[0] ? {value[1]} : {value[0]});",
        "    end",
    ]


def read_path(text: str, rows: Sequence[Sequence[int]]) -> str:
    """Return the read path: rows of registers and memories, each in flip-flops that are 0 unless asked, joined."""
    words = {int(address, 16) // 4: word_text(body) for address, body in WORD.findall(text)}
    lines = []
    for number, row in enumerate(rows):
        lines += row_lines(number, row, words)
    chosen = [f"row_{number}_q" for number in range(len(rows))]
    parts = ["settings_word"]
    for number, first in enumerate(range(0, len(chosen), JOINED)):
        name = f"joined_{number}_q"
        parts.append(name)
        lines += [
            f"    logic [31:0] {name};",
            "    always_ff @(posedge clk) begin",
            f"        {name} <= {' | '.join(chosen[first : first + JOINED])};",
            "    end",
        ]
    for port in MEMORY.findall(text):
        name = f"{port.removeprefix('hwif_in_')}_q"
        parts.append(name)
        lines += [
            f"    logic [31:0] {name};",
            "    always_ff @(posedge clk) begin",
            f"        if(~{port}_rd_ack) {name} <= '0;",
            f"        else {name} <= {port}_rd_data;",
            "    end",
        ]
    lines += ["    logic readback_err;", "    logic [31:0] readback_data;", "    assign readback_err = '0;"]
    lines += [f"    assign readback_data = {' | '.join(parts)};", "", ""]
    return "\n".join(lines)


def pipeline(settings: Mapping[str, Setting], constants: Mapping[int, int], rows: Sequence[Sequence[int]]) -> str:
    """Return the clocks of an access, the memory of places and that of the settings."""
    bits = max(len(settings), len(constants) + 1).bit_length()  # one more marks those that are no settings
    numbers = {setting.address: number for number, setting in enumerate(settings.values())}
    numbers |= {address: (1 << bits) + number for number, address in enumerate(constants)}
    nowhere = (2 << bits) - 1
    masks = {setting.address: setting.mask for setting in settings.values()} | dict(constants)
    first = {setting.address: setting.reset for setting in settings.values()} | dict(constants)
    low = len(rows) + ROW.bit_length() - 1
    places = {address // 4: number << low for address, number in numbers.items()}
    for number, row in enumerate(rows):
        places |= {word: nowhere << low | at << len(rows) | 1 << number for at, word in enumerate(row)}
    if max(places) >= PLACES:
        raise UnknownTextError(f"a register lies at 0x{4 * max(places):x}, above the {PLACES} words that places has")
    learn = "".join(
        f"            if(decoded_reg_strb_{name}) settings_known_q[{place}] <= 1'b1;\n"
        for place, name in enumerate(settings)
    )
    resets = "".join(
        f"        settings_{kind}[{numbers[address]}] = 32'h{value:x};\n"
        for kind, values in (("reset", first), ("mask", masks))
        for address, value in values.items()
        if value
    )
    width = low + bits + 1
    where = "".join(f"        places[{word}] = {width}'h{place:x};\n" for word, place in sorted(places.items()))
    high = PLACES.bit_length()
    return LATE_PIPELINE.format(
        last=len(settings) - 1,
        words=2 << bits,
        places=PLACES,
        high=high,
        above=high + 1,
        bits=bits,
        low_bits=bits - 1,
        place_high=width - 1,
        place_low=low,
        rows_high=len(rows) - 1,
        coarse=1 << bits - FINE_BITS,
        fine_bits=FINE_BITS,
        fine=1 << FINE_BITS,
        nowhere=f"{width}'h{nowhere << low:x}",
        learn=learn,
        resets=resets,
        where=where,
        strobes=STROBES,
    )


def shaped(text: str, settings: Mapping[str, Setting], constants: Mapping[int, int]) -> str:
    """Return the register file with its settings in a memory and its read path in four clocks.

    Parameters
    ----------
    text : str
        td_regs.sv of peakrdl-etana 0.8.0.
    settings : Mapping[str, Setting]
        The registers that software alone writes, by name in small letters.
    constants : Mapping[int, int]
        Words that nothing changes, by address.

    Raises
    ------
    UnknownTextError
        If the text is of another generator.
    """
    for number, (name, setting) in enumerate(settings.items()):
        text = loaded(text, name, setting, number)
    own = {setting.address // 4 for setting in settings.values()} | {address // 4 for address in constants}
    masks = {int(address, 16) // 4: mask_of(body) for address, body in WORD.findall(text)}
    rows = rows_of({word: mask for word, mask in masks.items() if word not in own})
    text = compared_by_bits(decoded_early(by_bytes(text)))
    text = replaced(text, PIPELINE, pipeline(settings, constants, rows))
    text = replaced(text, WRITE_ACK, LATE_WRITE_ACK)
    text = replaced(text, READ_ACK, LATE_READ_ACK)
    silent = [port for port in MEMORY.findall(text) if f"rd_ack |= {port}_rd_ack;" not in text]
    text = replaced(text, MEMORY_ACK, "".join(f"        rd_ack |= {port}_rd_ack;\n" for port in silent) + MEMORY_ACK)
    text = replaced(text, IN_FLIGHT, ONE_IN_FLIGHT)
    text = text.replace("[axil_resp_wptr[0:0]]", "[0]").replace("[axil_resp_rptr[0:0]]", "[0]")
    head, start, rest = text.partition(READ_START)
    words, end, after = rest.partition(READ_END)
    if not (start and end):
        raise UnknownTextError("td_regs.sv: no read path; pin peakrdl-etana 0.8.0")
    return head + read_path(words, rows) + end + after
