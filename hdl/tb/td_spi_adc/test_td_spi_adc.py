"""td_spi_adc on a simulated ADS131M04: set-up, samples, wrong CRC, a reset ADC, a silent one."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, RisingEdge

from hdl.tb.ads131m04 import CLOCK, MODE, Ads131m04, crc_ccitt, to_bits
from hdl.tb.drive import clocks, reset, seeded, start

FLAGS = ("crc_error_o", "setup_error_o", "adc_reset_o", "late_o", "silent_o")


class Watch:
    """Every output of the reader, and how often each flag was high."""

    def __init__(self, dut: Any):
        self.dut = dut
        self.samples: list[tuple[int, ...]] = []
        self.flags = dict.fromkeys(FLAGS, 0)
        cocotb.start_soon(self._valid())
        for name in FLAGS:
            cocotb.start_soon(self._flag(name))

    async def _valid(self) -> None:
        while True:
            await RisingEdge(self.dut.valid_o)
            await FallingEdge(self.dut.clk_i)
            packed = int(self.dut.samples_o.value)
            codes = [packed >> 24 * channel & 0xFFFFFF for channel in range(4)]
            self.samples.append(tuple(code - (1 << 24) if code >> 23 else code for code in codes))

    async def _flag(self, name: str) -> None:
        while True:
            await RisingEdge(getattr(self.dut, name))
            self.flags[name] += 1


def codes(name: str) -> Any:
    """Return a converter with random codes, the rails among them."""
    rng = seeded(name)

    def convert(number: int) -> tuple[int, int, int, int]:
        if number % 5 == 3:
            return (-(1 << 23), (1 << 23) - 1, -1, 0)
        return (*(rng.randrange(-(1 << 23), 1 << 23) for _ in range(4)),)  # type: ignore[return-value]

    return convert


async def begin(dut: Any, name: str) -> tuple[Ads131m04, Watch]:
    dut.drdy_ni.value, dut.miso_i.value = 1, 0
    await start(dut)
    return Ads131m04(dut, codes(name), clocks_per_modulation=2), Watch(dut)


async def until(dut: Any, adc: Ads131m04, frames: int) -> None:
    """Wait until the ADC has sent so many more frames."""
    target = len(adc.sent) + frames
    while len(adc.sent) < target:
        await clocks(dut, 50)
    await clocks(dut, 20)


@cocotb.test()
async def the_adc_is_set_to_8_khz_and_every_sample_comes_once(dut: Any) -> None:
    # The seed and polynomial are those of CRC-16/IBM-3740, whose check value is published.
    assert crc_ccitt([bit for byte in b"123456789" for bit in to_bits(byte, 8)]) == 0x29B1
    adc, watch = await begin(dut, "plain")
    assert dut.adc_rst_no.value == 0
    await until(dut, adc, 14)
    assert adc.commands[:3] == [0x6101, 0, 0]
    assert adc.registers[CLOCK] == 0x0F0A  # OSR 512: 8 kS/s from 8.192 MHz
    assert adc.registers[MODE] & 1 << 10 == 0
    assert watch.samples == adc.sent[2:]
    assert watch.flags == dict.fromkeys(FLAGS, 0)


@cocotb.test()
async def a_frame_spoiled_anywhere_repeats_the_sample_before_and_is_flagged(dut: Any) -> None:
    adc, watch = await begin(dut, "spoiled")
    await until(dut, adc, 5)
    expected = list(adc.sent[2:])
    spoiled = (0, 23, 24, 95, 119, 120, 135)  # status, data, CRC
    for bit in spoiled:
        adc.flip_bit = bit
        await until(dut, adc, 2)
        expected += [expected[-1], adc.sent[-1]]
    assert watch.samples == expected
    assert watch.flags["crc_error_o"] == len(spoiled)
    assert watch.flags["adc_reset_o"] == 0  # a spoiled status word says nothing


@cocotb.test()
async def an_adc_that_lost_its_settings_is_set_up_again(dut: Any) -> None:
    adc, watch = await begin(dut, "brown-out")
    await until(dut, adc, 5)
    before = len(watch.samples)
    adc.power_on_reset()
    adc.response = 0  # the next frame is an answer to NULL: the status with its reset flag
    await until(dut, adc, 3)
    assert len(watch.samples) == before
    assert watch.flags["adc_reset_o"] == 1
    await until(dut, adc, 4)
    assert watch.samples[before:] == adc.sent[-4:]
    assert adc.registers[CLOCK] == 0x0F0A


@cocotb.test()
async def a_spoiled_answer_to_the_set_up_is_asked_for_again(dut: Any) -> None:
    adc, watch = await begin(dut, "set-up")
    await until(dut, adc, 1)
    adc.flip_bit = 3
    await until(dut, adc, 1)
    assert watch.flags["setup_error_o"] == 1
    assert watch.samples == []
    await until(dut, adc, 5)
    assert adc.commands[:4] == [0x6101, 0, 0x6101, 0]
    assert watch.samples == adc.sent[4:]


@cocotb.test()
async def a_silent_adc_is_noticed_and_goes_on(dut: Any) -> None:
    adc, watch = await begin(dut, "silent")
    await until(dut, adc, 4)
    adc.frozen = True
    await clocks(dut, 9000)
    assert watch.flags["silent_o"] in (2, 3)  # every 3000 clocks without DRDY
    adc.frozen = False
    await until(dut, adc, 2)
    assert watch.samples == adc.sent[2:]


@cocotb.test()
async def conversions_too_fast_for_the_frames_are_noticed(dut: Any) -> None:
    adc, watch = await begin(dut, "late")
    await until(dut, adc, 4)
    adc.clocks = 1  # 512 clocks a conversion, a frame takes 582
    await until(dut, adc, 6)
    assert watch.flags["late_o"] >= 1


@cocotb.test()
async def reset_in_a_frame_starts_over(dut: Any) -> None:
    adc, _ = await begin(dut, "reset")
    await until(dut, adc, 3)
    while dut.cs_no.value:
        await clocks(dut, 1)
    await clocks(dut, 100)
    await reset(dut)
    assert dut.cs_no.value == 1
    assert dut.adc_rst_no.value == 0
