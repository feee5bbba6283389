"""td_guard in front of a plain register file in Python: pass-through, lock, checksum, misuse."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, RisingEdge

from hdl.model_control import CHECKSUM_ERROR, checksum
from hdl.regs.generated import regs
from hdl.tb.drive import clocks, pulse, seeded, start

FIRST, SECOND, LOCK = 0x6B657931, 0x6B657932, 0x6C6F636B
INPUTS: tuple[str, ...] = (
    "valid",
    "step",
    "s_awaddr",
    "s_awvalid",
    "s_wdata",
    "s_wstrb",
    "s_wvalid",
    "s_bready",
    "s_araddr",
)
INPUTS += ("s_arvalid", "s_rready", "m_awready", "m_wready", "m_bvalid", "m_arready", "m_rdata", "m_rvalid")


class Registers:
    """A register file of one access at a time, behind the guard."""

    def __init__(self, dut: Any, rng: Any):
        self.dut, self.rng = dut, rng
        self.words: dict[int, int] = {address: rng.getrandbits(32) for address in regs.LOCKED}
        self.reads: list[int] = []

    async def run(self) -> None:
        """Answer for ever."""
        dut = self.dut
        while True:
            await FallingEdge(dut.clk_i)
            dut.m_awready_i.value = dut.m_wready_i.value = dut.m_arready_i.value = 1
            await RisingEdge(dut.clk_i)
            write = int(dut.m_awvalid_o.value) and int(dut.m_wvalid_o.value)
            read = int(dut.m_arvalid_o.value)
            if not (write or read):
                continue
            address, data, strobe = int(dut.s_awaddr_i.value), int(dut.s_wdata_i.value), int(dut.m_wstrb_o.value)
            wanted = int(dut.m_araddr_o.value)
            await FallingEdge(dut.clk_i)
            dut.m_awready_i.value = dut.m_wready_i.value = dut.m_arready_i.value = 0
            await clocks(dut, self.rng.randrange(3))
            if write:
                mask = sum(0xFF << 8 * lane for lane in range(4) if strobe >> lane & 1)
                self.words[address] = self.words.get(address, 0) & ~mask | data & mask
                await self.answer(dut.m_bvalid_i, dut.m_bready_o)
            if read:
                self.reads.append(wanted)
                dut.m_rdata_i.value = self.words.get(wanted, 0)
                await self.answer(dut.m_rvalid_i, dut.m_rready_o)

    async def answer(self, valid: Any, ready: Any) -> None:
        valid.value = 1
        await RisingEdge(self.dut.clk_i)
        while not int(ready.value):
            await RisingEdge(self.dut.clk_i)
        await FallingEdge(self.dut.clk_i)
        valid.value = 0


class Master:
    """Accesses from outside, address and data of a write at different times."""

    def __init__(self, dut: Any, rng: Any):
        self.dut, self.rng = dut, rng

    async def handshake(self, valid: Any, ready: Any) -> None:
        valid.value = 1
        await RisingEdge(self.dut.clk_i)
        while not int(ready.value):
            await RisingEdge(self.dut.clk_i)
        await FallingEdge(self.dut.clk_i)
        valid.value = 0

    async def write(self, address: int, data: int, strobe: int = 0xF) -> None:
        dut = self.dut
        dut.s_awaddr_i.value, dut.s_wdata_i.value, dut.s_wstrb_i.value = address, data, strobe
        pair = [(dut.s_awvalid_i, dut.s_awready_o), (dut.s_wvalid_i, dut.s_wready_o)]
        self.rng.shuffle(pair)
        early = cocotb.start_soon(self.handshake(*pair[0]))
        await clocks(dut, self.rng.randrange(4))
        await self.handshake(*pair[1])
        await early
        await clocks(dut, self.rng.randrange(3))
        await self.handshake(dut.s_bready_i, dut.s_bvalid_o)

    async def read(self, address: int) -> int:
        dut = self.dut
        dut.s_araddr_i.value = address
        await self.handshake(dut.s_arvalid_i, dut.s_arready_o)
        await clocks(dut, self.rng.randrange(3))
        dut.s_rready_i.value = 1
        await RisingEdge(dut.clk_i)
        while not int(dut.s_rvalid_o.value):
            await RisingEdge(dut.clk_i)
        data = int(dut.m_rdata_i.value)
        await FallingEdge(dut.clk_i)
        dut.s_rready_i.value = 0
        return data


async def begin(dut: Any, name: str) -> tuple[Master, Registers, dict[str, int]]:
    """Start everything and count the pulses of misuse."""
    rng = seeded(name)
    await start(dut, **{f"{port}_i": 0 for port in INPUTS})
    registers = Registers(dut, rng)
    cocotb.start_soon(registers.run())
    seen = {"locked_write": 0, "unmapped": 0, "event": 0}

    async def watch() -> None:
        while True:
            await FallingEdge(dut.clk_i)
            for port in seen:
                seen[port] += int(getattr(dut, f"{port}_o").value)

    async def sample() -> None:
        while True:
            await pulse(dut, dut.valid_i)
            await clocks(dut, 20)
            await pulse(dut, dut.step_i)
            await clocks(dut, 42)

    cocotb.start_soon(watch())
    cocotb.start_soon(sample())
    return Master(dut, rng), registers, seen


async def passes(dut: Any, count: int) -> None:
    """Wait for so many closed passes."""
    end = int(dut.passes_o.value) + count
    while int(dut.passes_o.value) != end:
        await clocks(dut, 16)


@cocotb.test()
async def traffic_passes_while_the_guard_reads_and_misuse_is_told(dut: Any) -> None:
    master, registers, seen = await begin(dut, "traffic")
    mirror = dict(registers.words)
    unmapped = 0
    for _ in range(500):
        address = master.rng.choice([*regs.LOCKED, regs.STATUS, regs.LIM_VALUE, 0x3FFC])
        unmapped += address == 0x3FFC
        if master.rng.random() < 0.5:
            data, strobe = master.rng.getrandbits(32), master.rng.randrange(16)
            mask = sum(0xFF << 8 * lane for lane in range(4) if strobe >> lane & 1)
            mirror[address] = mirror.get(address, 0) & ~mask | data & mask
            await master.write(address, data, strobe)
        else:
            assert await master.read(address) == mirror.get(address, 0)
        await clocks(dut, master.rng.randrange(6))
    assert registers.words == {**registers.words, **mirror}
    assert seen == {"locked_write": 0, "unmapped": unmapped, "event": 0}
    await passes(dut, 2)
    assert int(dut.crc_o.value) == checksum(registers.words[address] for address in sorted(regs.LOCKED))
    assert registers.reads[-1] in regs.LOCKED


@cocotb.test()
async def a_locked_register_cannot_be_written_until_both_keys_came_in_order(dut: Any) -> None:
    master, registers, seen = await begin(dut, "lock")
    before = registers.words[regs.DET_DROP]
    await master.write(regs.GUARD_KEY, LOCK)
    assert int(dut.locked_o.value) == 1
    await master.write(regs.DET_DROP, before ^ 1)
    await master.write(regs.LIM_VALUE, 7)  # not locked
    assert (registers.words[regs.DET_DROP], registers.words[regs.LIM_VALUE]) == (before, 7)
    assert seen["locked_write"] == 1
    for keys in ([SECOND], [FIRST, FIRST], [FIRST, 5, SECOND], [SECOND, FIRST]):
        for key in keys:
            await master.write(regs.GUARD_KEY, key)
        assert int(dut.locked_o.value) == 1, keys
    await master.write(regs.GUARD_KEY, LOCK)
    await master.write(regs.GUARD_KEY, FIRST, 0x7)  # not the whole word
    await master.write(regs.GUARD_KEY, SECOND)
    assert int(dut.locked_o.value) == 1
    await master.write(regs.GUARD_KEY, FIRST)
    await master.write(regs.GUARD_KEY, SECOND)
    assert int(dut.locked_o.value) == 0
    await master.write(regs.DET_DROP, before ^ 1)
    assert registers.words[regs.DET_DROP] == before ^ 1
    assert seen["locked_write"] == 1


@cocotb.test()
async def a_flipped_bit_of_a_locked_register_makes_one_event(dut: Any) -> None:
    master, registers, seen = await begin(dut, "flip")
    await clocks(dut, 700)  # within a pass
    await master.write(regs.GUARD_KEY, LOCK)
    await passes(dut, 2)
    good = checksum(registers.words[address] for address in sorted(regs.LOCKED))
    assert (int(dut.learned_o.value), int(dut.reference_o.value), int(dut.crc_o.value)) == (1, good, good)
    await passes(dut, 1)
    assert (int(dut.mismatch_o.value), seen["event"]) == (0, 0)
    address = master.rng.choice(regs.LOCKED)
    registers.words[address] ^= 1 << master.rng.randrange(32)
    await passes(dut, 3)
    assert (int(dut.mismatch_o.value), seen["event"], int(dut.kind_o.value)) == (1, 1, CHECKSUM_ERROR)
    assert int(dut.reference_o.value) == good
    await master.write(regs.GUARD_KEY, FIRST)
    await master.write(regs.GUARD_KEY, SECOND)
    assert (int(dut.mismatch_o.value), int(dut.learned_o.value)) == (0, 0)


@cocotb.test()
async def the_lock_may_turn_at_any_clock_of_the_end_of_a_pass(dut: Any) -> None:
    """Whether the pass then counts or not, the next reference is of the registers as they stood under the lock."""
    master, registers, seen = await begin(dut, "turn")
    last = max(regs.LOCKED) // 4
    counted = set()
    for early in range(8):
        while int(dut.scan_q.value) != last:
            await clocks(dut, 1)
        await RisingEdge(dut.step_i)  # the last word is read; the valid_i that ends the pass comes 43 clocks later
        await clocks(dut, 44 - early)
        before = int(dut.passes_o.value)
        registers.words[master.rng.choice(regs.LOCKED)] = master.rng.getrandbits(32)  # this pass has read another
        dut.s_awaddr_i.value, dut.s_wdata_i.value, dut.s_wstrb_i.value = regs.GUARD_KEY, LOCK, 0xF
        address = cocotb.start_soon(master.handshake(dut.s_awvalid_i, dut.s_awready_o))
        await master.handshake(dut.s_wvalid_i, dut.s_wready_o)
        await address
        await master.handshake(dut.s_bready_i, dut.s_bvalid_o)
        await clocks(dut, 64)
        counted.add(int(dut.passes_o.value) - before)
        await passes(dut, 2)
        good = checksum(registers.words[address] for address in sorted(regs.LOCKED))
        assert (int(dut.learned_o.value), int(dut.reference_o.value), int(dut.crc_o.value)) == (1, good, good)
        assert (int(dut.mismatch_o.value), seen["event"]) == (0, 0)
        await master.write(regs.GUARD_KEY, FIRST)
        await master.write(regs.GUARD_KEY, SECOND)
        assert int(dut.locked_o.value) == 0
    assert counted == {0, 1}


@cocotb.test()
async def every_address_is_looked_up(dut: Any) -> None:
    master, _, seen = await begin(dut, "addresses")
    unmapped = 0
    for bit in range(2, 15):
        for address in (1 << bit, 0x7FFC ^ 1 << bit):
            known = seen["unmapped"]
            await master.write(address, 0)
            await master.read(address)
            await clocks(dut, 2)
            assert seen["unmapped"] - known in (0, 2)  # the map is the same for both
            unmapped += seen["unmapped"] - known
    assert unmapped
