"""td_ingress: each of the three sources through, its flags, and nothing of the others."""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np
from cocotb.simtime import get_sim_time
from cocotb.triggers import FallingEdge, RisingEdge, Timer

from hdl import model_ingress
from hdl.tb.ads131m04 import Ads131m04
from hdl.tb.drive import CLOCK_NS, clocks, pulse, seeded, start
from hdl.tb.modulator import Bits, modulate

OVERSAMPLING, BIT_CLOCKS = 64, 6
PARALLEL, SPI, SIGMA_DELTA = 0, 1, 2
INPUTS = {"source_i": 0, "pcm_valid_i": 0, "pcm_i": 0, "adc_drdy_ni": 1, "adc_miso_i": 0, "sd_data_i": 0}


class Pins:
    """The ADC's pins under the names that the simulated ADC knows."""

    def __init__(self, dut: Any):
        self.clk_i = dut.clk_i
        self.drdy_ni, self.miso_i, self.adc_rst_no = dut.adc_drdy_ni, dut.adc_miso_i, dut.adc_rst_no
        self.cs_no, self.sclk_o, self.mosi_o = dut.adc_cs_no, dut.adc_sclk_o, dut.adc_mosi_o


class Seen:
    """Samples as (samples, detect) and flags that came out."""

    def __init__(self, dut: Any):
        self.samples: list[tuple[int, int]] = []
        self.flags = 0
        self.dut = dut
        cocotb.start_soon(self._watch())

    async def _watch(self) -> None:
        while True:
            await FallingEdge(self.dut.clk_i)
            if self.dut.valid_o.value:
                self.samples.append((int(self.dut.samples_o.value), int(self.dut.detect_o.value)))
            self.flags |= int(self.dut.flag_o.value)


async def modulators(dut: Any, bits: Bits) -> None:
    """Put bits, (n, 4), on the data lines: old ones gone 3.5 ns after each rising edge, new ones there at 15 ns."""
    for row in bits:
        await RisingEdge(dut.sd_mclk_o)
        await Timer(3500, "ps")
        dut.sd_data_i.value = 0xF ^ int(dut.sd_data_i.value)  # neither the old nor the new ones for sure
        await Timer(11500, "ps")
        dut.sd_data_i.value = sum(int(bit) << channel for channel, bit in enumerate(row))


def pack(codes: Any) -> int:
    return sum((int(code) & 0xFFFFFF) << 24 * channel for channel, code in enumerate(codes))


@cocotb.test()
async def parallel_codes_pass_untouched(dut: Any) -> None:
    await start(dut, **INPUTS)
    seen, rng = Seen(dut), seeded("parallel")
    expected = [rng.getrandbits(96) for _ in range(20)]
    for word in expected:
        dut.pcm_i.value = word
        await pulse(dut, dut.pcm_valid_i)
        await clocks(dut, rng.randrange(4))
    assert seen.samples == [(word, word & 0xFFFFFF) for word in expected]
    assert dut.fast_o.value == 0
    assert seen.flags == 0
    assert dut.sd_mclk_o.value == 0


@cocotb.test()
async def samples_of_the_adc_come_out_with_its_flags(dut: Any) -> None:
    await start(dut, **{**INPUTS, "source_i": SPI})
    rng = seeded("spi")
    seen = Seen(dut)
    adc = Ads131m04(Pins(dut), lambda _: tuple(rng.randrange(-(1 << 23), 1 << 23) for _ in range(4)), 2)  # type: ignore[arg-type, return-value]
    while len(adc.sent) < 6:
        await clocks(dut, 50)
    await clocks(dut, 20)
    assert seen.samples == [(pack(codes), codes[0] & 0xFFFFFF) for codes in adc.sent[2:]]
    assert seen.flags == 0
    adc.flip_bit = 40
    while len(adc.sent) < 7:
        await clocks(dut, 50)
    await clocks(dut, 20)
    assert seen.samples[-1] == seen.samples[-2]
    assert seen.flags == 1
    adc.frozen = True
    await clocks(dut, 3500)
    assert seen.flags == 1 | 1 << 4
    dut.source_i.value = PARALLEL  # flags of another source than the chosen one are not shown
    seen.flags = 0
    await clocks(dut, 3500)
    assert seen.flags == 0


@cocotb.test()
async def bit_streams_are_decimated_and_the_detector_sees_them_earlier(dut: Any) -> None:
    await start(dut, **{**INPUTS, "source_i": SIGMA_DELTA})
    seen = Seen(dut)
    outputs = 30
    t_s = np.arange(outputs * 4 * OVERSAMPLING)[:, None] / (8000 * 4 * OVERSAMPLING)
    bits = modulate(0.7 * np.sin(2 * np.pi * np.array([400.0, 130.0, 800.0, 60.0]) * t_s))
    await modulators(dut, bits)
    await clocks(dut, 140)
    dut.source_i.value = PARALLEL
    channels = [model_ingress.decimate(bits[:, channel], OVERSAMPLING) for channel in range(4)]
    expected = [
        (pack([channel.slow[k] for channel in channels]), int(channels[0].fast[k]) & 0xFFFFFF) for k in range(outputs)
    ]
    assert seen.samples == expected
    assert seen.flags == 0


@cocotb.test()
async def a_modulator_beyond_its_range_is_flagged_by_channel(dut: Any) -> None:
    await start(dut, **{**INPUTS, "source_i": SIGMA_DELTA})
    seen = Seen(dut)
    dut.sd_data_i.value = 0b0110
    for _ in range(BIT_CLOCKS * OVERSAMPLING):  # the sinc fills with both, then I1 and U2 are stuck
        await clocks(dut, 1)
        dut.sd_data_i.value = int(dut.sd_data_i.value) ^ 0b1001 if dut.sd_mclk_o.value else int(dut.sd_data_i.value)
    seen.flags = 0
    quiet = np.tile(np.array([[1, 1, 1, 1], [0, 1, 1, 0]], np.int8), (3 * OVERSAMPLING, 1))
    await modulators(dut, quiet)
    assert seen.flags >> 7 == 0b0110


@cocotb.test()
async def the_bit_clock_has_the_period_asked_for_and_stops_low(dut: Any) -> None:
    await start(dut, **{**INPUTS, "source_i": SIGMA_DELTA})
    await RisingEdge(dut.sd_mclk_o)
    begin_ns = get_sim_time("ns")
    await RisingEdge(dut.sd_mclk_o)
    assert get_sim_time("ns") - begin_ns == BIT_CLOCKS * CLOCK_NS
    dut.source_i.value = PARALLEL
    await clocks(dut, 2 * BIT_CLOCKS)
    for _ in range(2 * BIT_CLOCKS):
        await clocks(dut, 1)
        assert dut.sd_mclk_o.value == 0
