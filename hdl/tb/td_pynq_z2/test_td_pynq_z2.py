"""The whole board top: a simulated ADC on its pins, registers and stream at its buses."""

from __future__ import annotations

import logging
import math
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge, with_timeout
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiStreamBus, AxiStreamSink

from hdl.regs.generated import regs
from hdl.tb.ads131m04 import Ads131m04

SAMPLES = 48
CLOCKS_PER_MODULATION = 3  # 1536 clocks a sample; a frame takes 1160


class Pins:
    """The pins of the ADC under the names the simulated one knows."""

    def __init__(self, dut: Any):
        self.clk_i = dut.aclk
        self.drdy_ni, self.miso_i, self.adc_rst_no = dut.adc_drdy_n, dut.adc_miso, dut.adc_rst_n
        self.cs_no, self.sclk_o, self.mosi_o = dut.adc_cs_n, dut.adc_sclk, dut.adc_mosi


def wave(number: int) -> tuple[int, int, int, int]:
    """Return four different channels of a conversion."""
    angle = 2 * math.pi * number / 160
    u1 = round((1 << 22) * math.sin(angle))
    return u1, round((1 << 20) * math.cos(angle)), -u1, number


@cocotb.test()
async def samples_go_from_the_pins_of_the_adc_through_the_capture_to_the_stream(dut: Any) -> None:
    logging.getLogger("cocotb").setLevel(logging.WARNING)
    for name in ("adc_miso", "trigger", "minute", "sd_data"):
        getattr(dut, name).value = 0
    dut.adc_drdy_n.value = 1
    dut.aresetn.value = 0
    Clock(dut.aclk, 10, unit="ns").start()
    master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.aclk, dut.aresetn, reset_active_level=False)
    sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.aclk, dut.aresetn, reset_active_level=False)
    adc = Ads131m04(Pins(dut), wave, CLOCKS_PER_MODULATION)
    await ClockCycles(dut.aclk, 5)
    await FallingEdge(dut.aclk)
    dut.aresetn.value = 1
    assert await master.read_dword(regs.ID) == 0x54454944
    await master.write_dword(regs.ING_CTRL, 1)
    await master.write_dword(regs.CAP_PRE, 15)
    await master.write_dword(regs.CAP_POST, 10)
    await master.write_dword(regs.CAP_ENABLE, regs.CAP_ENABLE_TRIGGER_MASK)
    await master.write_dword(regs.CAP_STREAM, 0xF | regs.CAP_STREAM_AUTO_MASK)
    await master.write_dword(regs.IRQ_ENABLE, regs.IRQ_ENABLE_CAPTURE_MASK)
    await master.write_dword(regs.IRQ_STATUS, 0xF)
    while len(adc.sent) < SAMPLES // 2:
        await ClockCycles(dut.aclk, 200)
    dut.trigger.value = 1
    await with_timeout(RisingEdge(dut.irq), 500, "us")
    frame = await with_timeout(sink.recv(), 200, "us")
    words = [int.from_bytes(frame.tdata[at : at + 4], "little", signed=True) for at in range(0, len(frame.tdata), 4)]
    await master.write_dword(regs.SNAPSHOT, 1)
    before = await master.read_dword(regs.TRIG_LO)
    first = await master.read_dword(regs.CAP_FIRST_LO)
    given = adc.sent[2:]  # behind the frames of the set-up
    assert first == before - 15
    assert words == [code for codes in given[first : before + 11] for code in codes]
    assert await master.read_dword(regs.ING_STATUS) == 0
    assert adc.oversampling == 512
    assert await master.read_dword(regs.TICKS_PER_SAMPLE) == 512 * CLOCKS_PER_MODULATION
