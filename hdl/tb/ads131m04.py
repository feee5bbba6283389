"""Simulated ADS131M04 on the pins of a bench, from its data sheet (TI SBASA13A, ADS131M04-Q1, 2022).

What it does: the reset pin and its response FF24h, registers MODE and CLOCK (Table 8-12 with their
reset values), NULL, RREG of one register and WREG (8.5.1.10), answers one frame late, conversions at the
rate that CLOCK sets, status word, CRC-CCITT over response and data (8.3.12, seed FFFFh), SPI mode 1
(data launched at the rising edge of SCLK, taken at the falling one), DRDY that falls with a new
conversion and rises when its data are read or just before the next one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, RisingEdge, Timer

from hdl.tb.drive import CLOCK_NS

RESET_VALUES = {0x00: 0x2400, 0x02: 0x0510, 0x03: 0x0F0E}
STATUS_ADDRESS, MODE, CLOCK = 0x01, 0x02, 0x03
RESET_FLAG = 1 << 10
OSR = (128, 256, 512, 1024, 2048, 4096, 8192, 16256)  # by CLOCK[4:2]
WORD_BITS = 24
HIGH_NS = 40  # of DRDY ahead of a conversion when its data were not read; shortened, as the clock is


def crc_ccitt(bits: list[int]) -> int:
    """Return the CRC, x^16 + x^12 + x^5 + 1, seed FFFFh, of bits in the order they are sent."""
    crc = 0xFFFF
    for bit in bits:
        crc ^= bit << 15
        crc = crc << 1 ^ (0x1021 if crc & 0x8000 else 0)
        crc &= 0xFFFF
    return crc


def to_bits(value: int, width: int = WORD_BITS) -> list[int]:
    """Return bits, most significant first."""
    return [value >> place & 1 for place in range(width - 1, -1, -1)]


class Ads131m04:
    """One ADC.

    Parameters
    ----------
    dut : cocotb handle
        With clk_i, drdy_ni, miso_i, adc_rst_no, cs_no, sclk_o, mosi_o.
    convert : callable
        Called with the number of a conversion, returns four codes.
    clocks_per_modulation : int
        clk_i clocks of one modulator clock; a conversion takes that times the oversampling.
    """

    def __init__(self, dut: Any, convert: Callable[[int], tuple[int, int, int, int]], clocks_per_modulation: int = 8):
        self.dut = dut
        self.convert = convert
        self.clocks = clocks_per_modulation
        self.registers = dict(RESET_VALUES)
        self.response = 0xFF24
        self.conversions = 0  # since the last reset
        self.sent: list[tuple[int, int, int, int]] = []  # data of each whole frame
        self.commands: list[int] = []
        self.flip_bit: int | None = None  # of the next frame, spoils it on the wire
        self.fresh = False  # a conversion since the frame began
        self.frozen = False  # no conversions, as with its clock gone
        self.data = (0, 0, 0, 0)
        dut.drdy_ni.value = 1
        dut.miso_i.value = 0
        for task in (self._conversions(), self._frames(), self._reset_pin()):
            cocotb.start_soon(task)

    @property
    def oversampling(self) -> int:
        """What CLOCK says."""
        return OSR[self.registers[CLOCK] >> 2 & 7]

    def power_on_reset(self) -> None:
        """Lose every setting, as in a brown-out."""
        self.registers = dict(RESET_VALUES)
        self.response = 0xFF24

    async def _reset_pin(self) -> None:
        while True:
            await FallingEdge(self.dut.adc_rst_no)
            self.power_on_reset()

    async def _conversions(self) -> None:
        await Timer(3, "ns")  # off the edges of clk_i
        while True:
            await Timer(self.oversampling * self.clocks * CLOCK_NS - HIGH_NS, "ns")
            running = not self.frozen and bool(self.dut.adc_rst_no.value)
            if running and self.dut.cs_no.value:  # "blocked when new conversions complete while data are read"
                self.dut.drdy_ni.value = 1
            await Timer(HIGH_NS, "ns")
            if running:
                self.data = self.convert(self.conversions)
                self.conversions += 1
                self.fresh = True
                self.dut.drdy_ni.value = 0

    def _status(self) -> int:
        mode = self.registers[MODE]
        return mode & 0x0F00 & ~0x0800 | 0xF  # CRC type, reset flag and word length as MODE has them; four new data

    def _words(self) -> list[int]:
        bits = to_bits(self.response << 8)
        for code in self.data:
            bits += to_bits(code & 0xFFFFFF)
        return bits + to_bits(crc_ccitt(bits) << 8)

    async def _frames(self) -> None:
        dut = self.dut
        while True:
            await FallingEdge(dut.cs_no)
            if self.response == 0:
                self.response = self._status()
            out, data, taken = self._words(), self.data, []
            self.fresh = False
            if self.flip_bit is not None:
                out[self.flip_bit] ^= 1
                self.flip_bit = None
            for place, bit in enumerate(out):
                await RisingEdge(dut.sclk_o)
                await Timer(7, "ns")  # propagation
                dut.miso_i.value = bit
                await FallingEdge(dut.sclk_o)
                taken.append(int(dut.mosi_o.value))
                if place == 5 * WORD_BITS and not self.fresh:  # the data are out, the CRC follows
                    dut.drdy_ni.value = 1
            self.sent.append(data)
            self._obey([int("".join(map(str, taken[at : at + 16])), 2) for at in range(0, len(taken), WORD_BITS)])
            assert dut.cs_no.value == 0
            await RisingEdge(dut.cs_no)

    def _obey(self, words: list[int]) -> None:
        command, address, count = words[0], words[0] >> 7 & 0x3F, words[0] & 0x7F
        self.commands.append(command)
        self.response = 0  # of NULL: the status, as it is when the next frame starts
        if command >> 13 == 0b011:
            for place in range(count + 1):
                if address + place in (MODE, CLOCK):
                    self.registers[address + place] = words[1 + place]
            self.response = 0x4000 | address << 7 | count
        elif command >> 13 == 0b101:
            self.response = self._status() if address == STATUS_ADDRESS else self.registers.get(address, 0)
