"""td_frontend through AXI4-Lite: register file, interrupts, snapshot, capture window, overrun."""

from __future__ import annotations

import itertools
import logging
import math
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster

from hdl.model import FrontEndModel, Settings
from hdl.regs.generated import regs
from hdl.tb.drive import clocks, pulse, seeded, signed, start

# Register -> bits that software may write and read back.
WRITABLE = {
    "CTRL": 0x3,
    "IRQ_ENABLE": 0x30F,
    "CROSS_HYSTERESIS": 0x0FFFFFFF,
    "CROSS_TIMING": 0x00FFFFFF,
    "DET_K": 0x1FFF,
    "DET_DROP": 0xFFFFFFFF,
    "DET_LOW": 0xFFFFFFFF,
    "DET_FLOOR": 0xFFFFFFFF,
    "DET_SHAPE": 0x1FFF,
    "DET_CONFIRM": 0xFFFF,
    "DET_CONFIRM_RMS": 0x0FFFFFFF,
    "DET_RETURN_RMS": 0x0FFFFFFF,
    "DET_RETURN": 0xFFFF,
    "CAP_POST": 0xFFF,
    "ING_CTRL": 0x3,
    "CAP_ENABLE": 0x7,
    "CAP_PRE": 0xFFF,
    "CAP_WINDOW": 0x3,
    "CAP_STREAM": 0x10F,
    "CAP_MODE": 0x1,
    "QUAL_DIP": 0x0FFFFFFF,
    "QUAL_SWELL": 0x0FFFFFFF,
    "QUAL_INTERRUPTION": 0x0FFFFFFF,
    "QUAL_HYSTERESIS": 0x0FFFFFFF,
    "WIRING": 0x3,
    "NO_LOAD_P": 0xFFFFFFFF,
    "NO_LOAD_Q": 0xFFFFFFFF,
    **{f"CAL_{channel}_GAIN": 0xFFFFFF for channel in ("U1", "I1", "U2", "I2")},
    **{f"CAL_{channel}_OFFSET": 0xFFFFFF for channel in ("U1", "I1", "U2", "I2")},
    **{f"CAL_{channel}_PHASE": 0x1FFFF for channel in ("U1", "I1", "U2", "I2")},
    "CF_CTRL": 0x7,
    "CF_ENERGY_LO": 0xFFFFFFFF,
    "CF_ENERGY_HI": 0xFFFF,
    "CF_WIDTH": 0xFFFF,
    "HARM_CTRL": 0x6,
    "CONTROL": 0x7F,
    "RVC_THRESHOLD": 0x0FFFFFFF,
    "RVC_HYSTERESIS": 0x0FFFFFFF,
    "RVC_WINDOW": 0x7F,
    "OC_THRESHOLD": 0x1FFFFFFF,
    "OC_HYSTERESIS": 0x1FFFFFFF,
    "LIM_MAX": 0x3FFFFFFF,
    "LIM_MIN": 0x3FFFFFFF,
    "LIM_TRIP": 0x0FFFFFFF,
    "LIM_RECLOSE": 0x0FFFFFFF,
    "LIM_CLEAR": 0x0FFFFFFF,
    "LIM_MODE": 0x10F,
    "LIM_VALUE": 0x3FFFFFFF,
    "LIM_AT_LO": 0xFFFFFFFF,
    "LIM_AT_HI": 0xFFFF,
    "LIM_COMMAND": 0xFFFF0000,
    "LG_DECLARE": 0x0FFFFFFF,
    "LG_DELAY": 0xFFFFFFFF,
    "HOLD_LOW": 0x0FFF0FFF,
    "HOLD_STOP": 0xFFF,
    "INT_TICK": 0x1F00,
}


async def bus(dut: Any) -> AxiLiteMaster:
    """Reset the front-end and return a bus master."""
    logging.getLogger("cocotb").setLevel(logging.WARNING)
    master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk_i, dut.rst_ni, reset_active_level=False)
    await start(dut, tick_i=1, valid_i=0, u1_i=0, i1_i=0, u2_i=0, i2_i=0, trig_i=0, fast_i=0, ingress_flag_i=0)
    await clocks(dut, 4)
    return master


async def give(dut: Any, samples: list[int], spacing: int = 64) -> None:
    await FallingEdge(dut.clk_i)  # a bus access returns at a rising one
    for sample in samples:
        dut.u1_i.value = sample
        await pulse(dut, dut.valid_i)
        await clocks(dut, spacing - 1)


@cocotb.test()
async def identity_and_every_writable_bit(dut: Any) -> None:
    master = await bus(dut)
    assert await master.read_dword(regs.ID) == 0x54454944
    assert await master.read_dword(regs.MAP_HASH) == regs.MAP_HASH_EXPECTED
    for name, mask in WRITABLE.items():
        address = getattr(regs, name)
        for pattern in (0xFFFFFFFF, 0xA5A5A5A5, 0x5A5A5A5A, 0):
            await master.write_dword(address, pattern)
            assert await master.read_dword(address) == pattern & mask, name
    for address in (
        regs.ID,
        regs.SAMPLE_LO,
        regs.CAP_DATA,
        regs.METER,
        regs.FUND,
        regs.HARM_DATA,
        0x0100,
    ):  # read-only, memory, unused
        await master.write_dword(address, 0xFFFFFFFF)
    assert await master.read_dword(regs.ID) == 0x54454944
    assert await master.read_dword(0x0100) == 0


@cocotb.test()
async def bus_holds_under_back_pressure_and_byte_writes(dut: Any) -> None:
    master = await bus(dut)
    rng = seeded("pause")

    def pauses() -> Any:
        return itertools.cycle([rng.random() < 0.6 for _ in range(101)])

    for channel in (
        master.write_if.aw_channel,
        master.write_if.w_channel,
        master.write_if.b_channel,
        master.read_if.ar_channel,
        master.read_if.r_channel,
    ):
        channel.set_pause_generator(pauses())
    value = await master.read_dword(regs.DET_DROP)
    for _ in range(60):
        new, offset = rng.getrandbits(8), rng.randrange(4)
        await master.write(regs.DET_DROP + offset, bytes([new]))
        value = value & ~(0xFF << 8 * offset) | new << 8 * offset
        assert await master.read_dword(regs.DET_DROP) == value


@cocotb.test()
async def interrupt_is_a_level_cleared_by_writing_one(dut: Any) -> None:
    master = await bus(dut)
    await give(dut, [0, 0])
    dut.trig_i.value = 1
    await clocks(dut, 6)
    assert dut.irq_o.value == 0
    assert await master.read_dword(regs.IRQ_STATUS) == regs.IRQ_STATUS_TRIGGER_MASK
    await master.write_dword(regs.IRQ_ENABLE, regs.IRQ_ENABLE_TRIGGER_MASK)
    await clocks(dut, 2)
    assert dut.irq_o.value == 1
    await master.write_dword(regs.IRQ_STATUS, 0xFFFFFFFF & ~regs.IRQ_STATUS_TRIGGER_MASK)
    await clocks(dut, 2)
    assert dut.irq_o.value == 1
    await master.write_dword(regs.IRQ_STATUS, regs.IRQ_STATUS_TRIGGER_MASK)
    await clocks(dut, 2)
    assert dut.irq_o.value == 0


@cocotb.test()
async def snapshot_keeps_its_values_while_samples_go_on(dut: Any) -> None:
    master = await bus(dut)
    await give(dut, [0] * 5)
    await master.write_dword(regs.SNAPSHOT, 1)
    assert await master.read_dword(regs.SAMPLE_LO) == 5
    await give(dut, [0] * 3)
    assert await master.read_dword(regs.SAMPLE_LO) == 5
    await master.write_dword(regs.SNAPSHOT, 1)
    assert await master.read_dword(regs.SAMPLE_LO) == 8
    assert await master.read_dword(regs.TICKS_PER_SAMPLE) == 64


@cocotb.test()
async def samples_closer_than_the_budget_raise_overrun(dut: Any) -> None:
    master = await bus(dut)
    await give(dut, [0] * 20, spacing=64)
    assert not await master.read_dword(regs.STATUS) & regs.STATUS_OVERRUN_MASK
    await give(dut, [0, 0], spacing=6)
    assert await master.read_dword(regs.STATUS) & regs.STATUS_OVERRUN_MASK
    await master.write_dword(regs.STATUS, regs.STATUS_OVERRUN_MASK)
    assert not await master.read_dword(regs.STATUS) & regs.STATUS_OVERRUN_MASK


@cocotb.test()
async def reads_during_samples_disturb_nothing_and_the_capture_is_whole(dut: Any) -> None:
    """A loss seen with the bus busy all the time; events and the capture must be the model's."""
    master = await bus(dut)
    wave = list(signed((1 << 22) * math.sin(2 * math.pi * n / 160) for n in range(700))) + [0] * 250
    model = FrontEndModel(Settings(return_samples=20))
    model.push(wave)
    await master.write_dword(regs.DET_RETURN, 20)
    await master.write_dword(regs.CAP_POST, 40)
    await master.write_dword(regs.CTRL, 1)
    feeding = cocotb.start_soon(give(dut, wave))
    reads = 0
    while not feeding.done():
        await master.read_dword(regs.URMS_HALF)
        reads += 1
    assert reads > 1000
    for kind, sample, urms in model.events:
        assert await master.read_dword(regs.EVENT) & regs.EVENT_KIND_MASK == kind
        assert await master.read_dword(regs.EVENT_LO) == sample
        assert await master.read_dword(regs.EVENT_URMS) == urms
        await master.write_dword(regs.EVENT_POP, 1)
    assert await master.read_dword(regs.EVENT) == 0
    assert [kind for kind, _, _ in model.events] == [1, 2]
    status = await master.read_dword(regs.CAP_STATUS)
    count = (status & regs.CAP_STATUS_COUNT_MASK) >> regs.CAP_STATUS_COUNT_SHIFT
    assert status & regs.CAP_STATUS_FROZEN_MASK
    assert count == model.events[0][1] + 40 + 1  # from sample 0 on
    words = await master.read_dwords(regs.CAP_DATA, count)
    assert [word - (1 << 32) if word >> 31 else word for word in words] == wave[:count]


@cocotb.test()
async def the_fast_tap_feeds_the_detector_and_nothing_else(dut: Any) -> None:
    """The voltage behind slow filters goes on while the fast one is lost."""
    master = await bus(dut)
    wave = list(signed((1 << 22) * math.sin(2 * math.pi * n / 160) for n in range(700)))
    model = FrontEndModel(Settings(return_samples=20))
    model.push(wave + [0] * 20)
    await master.write_dword(regs.DET_RETURN, 20)
    await master.write_dword(regs.CTRL, 1)
    dut.fast_i.value = 1
    await FallingEdge(dut.clk_i)
    for n in range(720):
        dut.u1_i.value = wave[n % 160]
        dut.detect_i.value = wave[n] if n < 700 else 0
        await pulse(dut, dut.valid_i)
        await clocks(dut, 63)
    await master.write_dword(regs.SNAPSHOT, 1)
    assert await master.read_dword(regs.EVENT) & regs.EVENT_KIND_MASK == 1
    assert await master.read_dword(regs.EVENT_LO) == model.events[0][1]
    urms = await master.read_dword(regs.URMS_HALF)
    assert abs(urms / 16 / (1 << 22) * 2**0.5 - 1) < 1e-4  # unhurt; the first half cycle starts within 2 %
    dut.fast_i.value = 0


@cocotb.test()
async def flags_of_the_source_stick_until_they_are_cleared(dut: Any) -> None:
    master = await bus(dut)
    for place in range(11):
        await FallingEdge(dut.clk_i)
        await pulse(dut, dut.ingress_flag_i, 1 << place)
        assert await master.read_dword(regs.ING_STATUS) == 1 << place
        await master.write_dword(regs.ING_STATUS, 1 << place)
        assert await master.read_dword(regs.ING_STATUS) == 0
    await master.write_dword(regs.ING_CTRL, 2)
    assert int(dut.source_o.value) == 2
