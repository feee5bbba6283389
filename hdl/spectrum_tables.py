"""Kernel of the resampler and sine of the spectrum, and the RTL memories that hold them.

    python -m hdl.spectrum_tables            write hdl/rtl/td_kernel_rom.sv and td_sine_rom.sv
    python -m hdl.spectrum_tables --check    exit 1 if that would change a file

The kernel interpolates 8 kS/s samples at any instant: 14 taps, for each of 64 phases those that take a
complex tone of any frequency up to `EDGE` of the sample rate to that instant with the least squared error,
the band of the fundamental weighed `WEIGHT` times. Between two phases the taps are interpolated linearly.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

TAPS, PHASES = 14, 64
HALF = TAPS // 2
KERNEL_ONE = 131070  # of 2^17: 1 does not fit 18 bits signed, an odd number no symmetric pair; the sine makes it good
EDGE = 0.335  # of the sample rate: 2680 Hz at 8 kS/s, above the 40th of 65 Hz
WEIGHT, WEIGHT_TO = 30.0, 0.0102  # up to 82 Hz
FREQUENCIES = 200  # of the least squares
POINTS = 128  # a cycle
WINDOW_CYCLES = 10
SINE_ONE = 2**0.5 * 2**26 / (POINTS * WINDOW_CYCLES) * 2**17 / KERNEL_ONE  # a window's sum is RMS x 2^26
RTL = Path(__file__).resolve().parent / "rtl"
MADE_BY = "Made by hdl/spectrum_tables.py; do not edit."


def phase_taps(mu: float) -> npt.NDArray[np.float64]:
    """Return the taps, (TAPS,), for the instant ``mu`` (0 to 1) behind sample HALF - 1 of TAPS."""
    turn = np.linspace(0, 2 * np.pi * EDGE, FREQUENCIES)
    weight = np.where(turn < 2 * np.pi * WEIGHT_TO, WEIGHT, 1.0)
    angle = np.outer(turn, np.arange(TAPS) - (HALF - 1) - mu)
    rows = np.vstack([np.cos(angle) * weight[:, None], np.sin(angle) * weight[:, None]])
    taps: npt.NDArray[np.float64] = np.linalg.lstsq(rows, np.concatenate([weight, 0 * weight]), rcond=None)[0]
    return taps


@cache
def kernel() -> tuple[int, ...]:
    """Return the kernel at distances of 0, 1/64, ... 7 samples; the taps of a phase sum to KERNEL_ONE."""
    table = [0] * (HALF * PHASES + 1)
    for p in range(PHASES):
        for j, tap in enumerate(phase_taps(p / PHASES)[HALF - 1 :: -1]):
            table[j * PHASES + p] = int(np.rint(tap * KERNEL_ONE))
    for p in range(1, PHASES // 2 + 1):  # rounding goes to the largest tap
        total = sum(table[j * PHASES + p] + table[j * PHASES + PHASES - p] for j in range(HALF))
        table[p] += (KERNEL_ONE - total) // (2 if p == PHASES // 2 else 1)
    return tuple(table)


def sine() -> list[int]:
    """Return a quarter of the sine, 33 of 128 points a cycle."""
    return [int(np.rint(SINE_ONE * np.sin(2 * np.pi * k / POINTS))) for k in range(POINTS // 4 + 1)]


def kernel_text() -> str:
    """Return td_kernel_rom.sv: the kernel and its slope to the next place."""
    table = kernel()
    lines = [
        "// Half of the resampler's kernel: value_o at distance address_i / 64 samples, 2^-17 (131070 is 1), and",
        "// slope_o to the next place. Latency: 1 clock. Addresses beyond 447 are not used.",
        f"// {MADE_BY}",
        "module td_kernel_rom (",
        "  input  logic               clk_i,",
        "  input  logic        [8:0]  address_i,",
        "  output logic signed [17:0] value_o,",
        "  output logic signed [13:0] slope_o",
        ");",
        "  logic [31:0] table_q [512];",
        "  logic [31:0] word_q;",
        "",
        "  assign {value_o, slope_o} = word_q;",
        "",
        "  always_ff @(posedge clk_i) word_q <= table_q[address_i];",
        "",
        "  initial begin",
    ]
    for place in range(512):
        value, after = (table[place], table[place + 1]) if place < HALF * PHASES else (0, 0)
        word = (value & 0x3FFFF) << 14 | (after - value) & 0x3FFF
        assert -(1 << 13) <= after - value < 1 << 13, "the slope fits its field"
        lines.append(f"    table_q[{place}] = 32'h{word:08X};")
    return "\n".join([*lines, "  end", "endmodule", ""])


def sine_text() -> str:
    """Return td_sine_rom.sv."""
    lines = [
        "// Sine of 128 points a cycle: sine_o = 74146.65 sin(2 pi place_i / 128), rounded. Over 10 cycles of 128",
        "// points the sum of x sine is the RMS value of the part of x in phase with it, x 2^26.",
        "// Latency: 1 clock.",
        f"// {MADE_BY}",
        "module td_sine_rom (",
        "  input  logic               clk_i,",
        "  input  logic        [6:0]  place_i,",
        "  output logic signed [17:0] sine_o",
        ");",
        '  (* ram_style = "block" *) logic signed [17:0] table_q[128];',
        "",
        "  always_ff @(posedge clk_i) sine_o <= table_q[place_i];",
        "",
        "  initial begin",
    ]
    half = [*sine(), *sine()[-2:0:-1]]
    cycle = [*half, *(-value for value in half)]
    lines += [f"    table_q[{place}] = 18'h{value & 0x3FFFF:05X};" for place, value in enumerate(cycle)]
    return "\n".join([*lines, "  end", "endmodule", ""])


def generate() -> dict[str, str]:
    """Return every generated file by name."""
    return {"td_kernel_rom.sv": kernel_text(), "td_sine_rom.sv": sine_text()}


def main(arguments: list[str]) -> int:
    """Write the files, or with ``--check`` only say which would change."""
    check = arguments == ["--check"]
    changed = 0
    for name, text in generate().items():
        path = RTL / name
        if path.exists() and path.read_text() == text:
            continue
        changed += 1
        if not check:
            path.write_text(text)
        print(f"{name}: {'would change' if check else 'written'}", file=sys.stderr)
    return 1 if check and changed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
