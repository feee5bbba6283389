"""td_frontend: every bit of what the blocks hold is at its place in the registers, and misuse sets its flags.

Counts and energies would need years of samples for their upper bits, so flip-flops of the blocks are given numbers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cocotb
from cocotb.triggers import FallingEdge, ReadOnly
from cocotbext.axi import AxiProt

from hdl.regs.generated import regs
from hdl.tb.drive import clocks, pulse, seeded
from hdl.tb.td_frontend.test_td_frontend import bus, give


class Field(NamedTuple):
    """Flip-flops of a block and where their bits are read."""

    path: str
    bits: int
    register: int  # of the low word, if there are two
    shift: int = 0  # of the lowest bit, within both words


ACCOUNT, HALF, LIMITER, GASP = (
    "u_metrology.u_account.",
    "u_half_cycle.",
    "u_control.u_limiter.",
    "u_control.u_last_gasp.",
)
STAMPS = (regs.SUSPECT_LO, regs.CONFIRMED_LO, regs.WITHDRAWN_LO, regs.RETURN_LO)
FIELDS = (
    Field("total_q", 48, regs.SAMPLE_LO),
    Field(HALF + "count_o", 32, regs.HALF_COUNT),
    Field(HALF + "u_half_o", 28, regs.U_HALF),
    Field(HALF + "urms_o", 28, regs.URMS_HALF),
    Field(HALF + "period10_o", 32, regs.PERIOD_10),
    Field(HALF + "cross_index_o", 48, regs.CROSS_LO),
    Field(HALF + "cross_fraction_o", 16, regs.CROSS_LO, 48),
    Field(HALF + "period_o", 8, regs.DET_STATE, regs.DET_STATE_PERIOD_SHIFT),
    Field("u_power_fail.envelope_q", 32, regs.ENVELOPE),
    *(Field(f"stamp_q[{place}]", 48, register) for place, register in enumerate(STAMPS)),
    *(Field(f"stamps_q[{place}]", 16, register, 48) for place, register in enumerate(STAMPS)),
    Field("u_trigger.sample_o", 48, regs.TRIG_LO),
    Field("u_trigger.count_o", 16, regs.TRIG_LO, 48),
    Field("u_trigger.ticks_o", 32, regs.TRIG_TICKS),
    Field("u_trigger.period_o", 32, regs.TICKS_PER_SAMPLE),
    Field("u_metrology.u_sums.run_o", 64, regs.E_RUN_LO),
    Field("u_pulse.count_o", 32, regs.CF_COUNT),
    Field("u_control.u_rapid_change.mean_q", 28, regs.RVC_STATE),
    Field(LIMITER + "limit_q", 30, regs.LIM_APPLIED),
    Field(LIMITER + "applied_at_q", 48, regs.LIM_APPLIED_LO),
    Field(LIMITER + "applied_id_q", 16, regs.LIM_APPLIED_LO, 48),
    Field(LIMITER + "current_q", 30, regs.LIM_CURRENT),
    Field(LIMITER + "id_q", 16, regs.LIM_STATE, regs.LIM_STATE_ID_SHIFT),
    Field(LIMITER + "tries_q", 4, regs.LIM_STATE, regs.LIM_STATE_TRIES_SHIFT),
    Field(GASP + "return_o", 48, regs.LG_RETURN_LO),
    Field(GASP + "declared_o", 8, regs.LG_STATE, regs.LG_STATE_DECLARED_SHIFT),
    Field(GASP + "momentary_o", 16, regs.LG_STATE, regs.LG_STATE_MOMENTARY_SHIFT),
    Field("u_control.u_holdup.code_q", 12, regs.HOLD_CODE),
    Field("u_control.u_holdup.energy_q", 24, regs.HOLD_ENERGY),
    Field("u_control.u_intervals.ticks_q", 32, regs.INT_TICKS),
    Field("u_guard.crc_o", 32, regs.GUARD_CRC),
    Field("u_guard.reference_o", 32, regs.GUARD_REFERENCE),
    Field("u_guard.passes_o", 16, regs.GUARD_STATE, regs.GUARD_STATE_PASSES_SHIFT),
    Field("u_capture.trigger_o", 48, regs.CAP_TRIG_LO),
)
EVENT_BITS = (
    ("extra", 32),
    ("value", 32),
    ("urms", 28),
    ("sample", 48),
    ("kind", 6),
)  # an entry of the FIFO, from bit 0


def found(dut: Any, path: str) -> Any:
    """Return the handle of a signal by its path below the front-end."""
    for name in path.split("."):
        name, _, place = name.partition("[")
        dut = getattr(dut, name)
        dut = dut[int(place.rstrip("]"))] if place else dut
    return dut


async def read_long(master: Any, register: int) -> int:
    return await master.read_dword(register) | await master.read_dword(register + 4) << 32


@cocotb.test()
async def every_bit_of_every_result_is_where_the_map_has_it(dut: Any) -> None:
    """A number and its complement in all flip-flops at once: a bit that is stuck or comes from elsewhere shows."""
    master = await bus(dut)
    rng = seeded("bits")
    await master.write_dword(regs.CONTROL, 0x3F)  # blocks that are off hold zeros
    for _ in range(3):
        drawn = {field: rng.getrandbits(field.bits) for field in FIELDS}
        for turn in (0, (1 << 64) - 1):
            given = {field: (value ^ turn) & (1 << field.bits) - 1 for field, value in drawn.items()}
            await FallingEdge(dut.clk_i)
            for field, value in given.items():
                found(dut, field.path).value = value
            await clocks(dut, 3)
            await master.write_dword(regs.SNAPSHOT, 1)
            for field, value in given.items():
                read = await read_long(master, field.register) >> field.shift & (1 << field.bits) - 1
                assert read == value, f"{field.path} {read:x} {value:x}"


@cocotb.test()
async def the_oldest_event_shows_every_bit(dut: Any) -> None:
    master = await bus(dut)
    rng = seeded("event")
    drawn = rng.getrandbits(146)
    for entry in (drawn, drawn ^ (1 << 146) - 1, drawn):
        fields, at = {}, 0
        for name, bits in EVENT_BITS:
            fields[name] = entry >> at & (1 << bits) - 1
            at += bits
        await FallingEdge(dut.clk_i)
        dut.u_event_fifo.store_q[0].value = entry
        dut.u_event_fifo.in_q.value = 1
        await clocks(dut, 4)
        assert await master.read_dword(regs.EVENT) & regs.EVENT_KIND_MASK == fields["kind"]
        assert await read_long(master, regs.EVENT_LO) & (1 << 48) - 1 == fields["sample"]
        assert await master.read_dword(regs.EVENT_URMS) == fields["urms"]
        assert await master.read_dword(regs.EVENT_EXTREME) == fields["value"]
        assert await master.read_dword(regs.EVENT_EXTRA) == fields["extra"]


@cocotb.test()
async def an_event_beyond_sixteen_is_lost_and_told(dut: Any) -> None:
    master = await bus(dut)
    await FallingEdge(dut.clk_i)
    dut.u_event_fifo.in_q.value = 16
    await master.write_dword(regs.CONTROL, regs.CONTROL_HOLDUP_MASK)
    await master.write_dword(regs.HOLD_LOW, 100)
    assert not await master.read_dword(regs.STATUS) & regs.STATUS_EVENT_OVERFLOW_MASK
    await FallingEdge(dut.clk_i)
    dut.holdup_code_i.value = 99
    await pulse(dut, dut.holdup_valid_i)
    await give(dut, [0])
    assert await master.read_dword(regs.STATUS) & regs.STATUS_EVENT_OVERFLOW_MASK
    event = await master.read_dword(regs.EVENT)
    assert (event & regs.EVENT_WAITING_MASK) >> regs.EVENT_WAITING_SHIFT == 16


@cocotb.test()
async def every_rail_of_every_channel_is_told(dut: Any) -> None:
    """The codes at both ends of the range and the one beside the lower, which an ADC of symmetric range ends at."""
    master = await bus(dut)
    flags = {
        dut.u1_i: regs.STATUS_SATURATED_MASK,
        dut.i1_i: regs.STATUS_CURRENT_SATURATED_MASK,
        dut.u2_i: regs.STATUS_U2_SATURATED_MASK,
        dut.i2_i: regs.STATUS_I2_SATURATED_MASK,
    }
    every = sum(flags.values())
    for channel, flag in flags.items():
        for code in (0x7FFFFE, 0x7FFFFF, 0x800000, 0x800001, 0x800002):
            await FallingEdge(dut.clk_i)
            channel.value = code - (1 << 24) if code >> 23 else code
            await pulse(dut, dut.valid_i)
            await clocks(dut, 63)
            status = await master.read_dword(regs.STATUS)
            assert status & every == (0 if code in (0x7FFFFE, 0x800002) else flag), hex(code)
            await master.write_dword(regs.STATUS, every)
        channel.value = 0


@cocotb.test()
async def a_sample_too_early_is_told_if_any_block_is_busy(dut: Any) -> None:
    """A square wave whose half cycles make events, so that each block is busy at times; some samples 3 to 28 apart."""
    master = await bus(dut)
    blocks = [dut.valid_q, dut.busy_cross, dut.busy_half, dut.busy_detect, dut.busy_power, dut.busy_quality]
    blocks += [dut.busy_points, dut.busy_control]
    met = set()
    await master.write_dword(regs.CTRL, 3)
    rng = seeded("early")
    await FallingEdge(dut.clk_i)
    for n in range(900):
        dut.u1_i.value = (1 if n // 80 % 2 else -1) * (1 << 22) * (1 if n % 400 < 200 else 2) // 2
        busy = {block._name for block in blocks if block.value == 1}
        met |= busy
        dut.valid_i.value = 1
        await ReadOnly()
        assert int(dut.overrun.value) == bool(busy), busy
        await FallingEdge(dut.clk_i)
        dut.valid_i.value = 0
        await clocks(dut, rng.choice([63] * 8 + [3, 8, 12, 24, 28]))
    assert met == {block._name for block in blocks if block is not dut.valid_q}, (
        "samples follow each other 3 clocks apart"
    )
    assert await master.read_dword(regs.STATUS) & regs.STATUS_OVERRUN_MASK


@cocotb.test()
async def an_rms_beyond_29_bits_is_limited_for_control(dut: Any) -> None:
    """It cannot be: full scale behind the DC removal is 2^28. Control still must not see a wrapped one."""
    master = await bus(dut)
    await FallingEdge(dut.clk_i)
    for n in range(420):
        dut.u1_i.value = (1 if n // 80 % 2 else -1) << 22
        dut.irms1_next_q.value = 1 << 29 | n
        await pulse(dut, dut.valid_i)
        await clocks(dut, 63)
    assert await master.read_dword(regs.LIM_CURRENT) == (1 << 29) - 1


@cocotb.test()
async def time_without_tick_is_not_counted_and_any_protection_is_taken(dut: Any) -> None:
    """tick_i low for 30 clocks of a sample: the stamp's period is that much shorter. AXI's protection says nothing."""
    master = await bus(dut)
    await give(dut, [0, 0])
    await master.write_dword(regs.SNAPSHOT, 1, prot=AxiProt(0))
    assert await master.read_dword(regs.TICKS_PER_SAMPLE, prot=AxiProt(7)) == 64
    await FallingEdge(dut.clk_i)
    await pulse(dut, dut.valid_i)
    dut.tick_i.value = 0
    await clocks(dut, 30)
    dut.tick_i.value = 1
    await clocks(dut, 33)
    await pulse(dut, dut.valid_i)
    await master.write_dword(regs.SNAPSHOT, 1, prot=AxiProt(7))
    assert await master.read_dword(regs.TICKS_PER_SAMPLE, prot=AxiProt(0)) == 64 - 30
    await master.read_dword(0x2000)  # no register there
    await master.write_dword(0x2000, 1)
    assert await master.read_dword(regs.MISUSE) & regs.MISUSE_UNMAPPED_MASK
    assert (await master.read(regs.ID + 1, 3)).data == (0x54454944).to_bytes(4, "little")[1:]
