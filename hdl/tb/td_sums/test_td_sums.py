"""td_sums against the integer model: sums of closed half cycles, energies, the run, with gaps and resets."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, RisingEdge

from hdl.model import Boundary
from hdl.model_meter import (
    COMMON,
    DC_SHIFT,
    II1,
    II2,
    LINE,
    P1,
    P2,
    Q1,
    Q2,
    UU1,
    UU2,
    Meter,
    MeterSettings,
)
from hdl.tb.drive import reset, seeded, start
from hdl.tb.multiplier import multiply
from hdl.tb.td_metrology.test_td_metrology import LAST_SLOT, WORD_SLOT

ORDER = (P1, P2, UU1, II1, UU2, II2, Q1, Q2, LINE, COMMON)  # the model's sums as the block has them
LARGEST = (1 << 28) - 1  # of a word behind DC removal and all-pass, 1/16 code
WIRINGS = (0, 1, 2)


class Words:
    """A channel that changes nothing, so that the model sums the words of the bench."""

    def step(self, word: int) -> int:
        return word


class Sums(Meter):
    """The model as far as the sums go."""

    def __init__(self, wiring: int):
        super().__init__(MeterSettings(wiring))
        self.channels = [Words()] * 4  # type: ignore[list-item]
        self.closings = 0

    def _close(self, energies: list[int], lengths: list[int]) -> None:
        self.closings += 1


class Bench:
    """The block and its model."""

    def __init__(self, dut: Any, wiring: int):
        self.dut, self.model = dut, Sums(wiring)
        dut.opposed_i.value, dut.both_i.value = wiring == 2, wiring != 0

    async def clock(self, slot: int, words: list[int], boundary: Boundary | None) -> None:
        """Pass one clock of a sample."""
        dut = self.dut
        await RisingEdge(dut.clk_i)
        dut.slot_i.value = slot
        dut.write_i.value = WORD_SLOT <= slot < WORD_SLOT + 4
        dut.channel_i.value = slot - WORD_SLOT & 3
        dut.word_i.value = words[slot - WORD_SLOT & 3] & (1 << 31) - 1
        if slot == WORD_SLOT:
            dut.boundary_i.value = boundary is not None
            dut.restart_i.value = boundary is not None and boundary.restart
            dut.fraction_i.value = boundary.fraction if boundary else 0
        await FallingEdge(dut.clk_i)

    async def sample(self, words: list[int], boundary: Boundary | None, gap: int) -> None:
        """Give one sample and compare what it closes."""
        dut, model = self.dut, self.model
        more_before = list(model.more)
        model.step(words, boundary, SimpleNamespace(closed=[]))  # type: ignore[arg-type]
        closes, ends = boundary is not None and not boundary.restart, boundary is not None and boundary.restart
        pieces = [more - old for more, old in zip(model.more, more_before, strict=True)]
        for slot in (*range(1, LAST_SLOT + 1), 0):
            await self.clock(slot, words, boundary)
            assert bool(dut.closed_o.value == 1) == (closes and slot == 0), f"slot {slot}"
            assert bool(dut.gap_o.value == 1) == (ends and slot == 0), f"slot {slot}"
        for _ in range(gap):
            await self.clock(0, words, boundary)
        if closes:
            await self.compare(model.half, former=0)
        if closes and model.closings > 1:  # before, td_half_cycle tells td_account by pair_i not to use it
            await self.compare(model.former, former=1)
        if ends:
            await self.compare(pieces, former=1)
        assert dut.run_o.value.to_signed() == model.total

    async def compare(self, sums: list[int], former: int) -> None:
        """Compare the sums that are kept."""
        dut = self.dut
        dut.former_i.value = former
        for place, index in enumerate(ORDER):
            dut.index_i.value = place
            await FallingEdge(dut.clk_i)
            assert dut.sum_o.value.to_signed() == sums[index], f"sum {place}"
        await RisingEdge(dut.clk_i)


def row(rng: random.Random) -> list[int]:
    return [rng.choice([LARGEST, -LARGEST, 0]) if rng.random() < 0.1 else rng.randrange(-(1 << 25), 1 << 25)
            for _ in range(4)]  # fmt: skip


async def begin(dut: Any) -> None:
    await start(dut, slot_i=0, write_i=0, boundary_i=0, restart_i=0, fraction_i=0, index_i=0, former_i=0)
    cocotb.start_soon(multiply(dut))


@cocotb.test()
async def closed_sums_energies_and_the_run_are_the_models_with_gaps(dut: Any) -> None:
    rng = seeded("sums")
    await begin(dut)
    kinds = set()
    for wiring in WIRINGS:
        await reset(dut)
        assert dut.run_o.value == 0
        bench = Bench(dut, wiring)
        next_at = 24
        for index in range(170):
            boundary = None
            if index == next_at:
                boundary = Boundary(True, rng.random() < 0.4, rng.choice([0, 65_535, rng.randrange(65_536)]))
                kinds.add(boundary.restart)
                next_at += 24
            await bench.sample(row(rng), boundary, rng.choice([0, 0, 0, 33]))
    assert kinds == {False, True}


@cocotb.test()
async def the_dc_removal_starts_after_4096_samples(dut: Any) -> None:
    await begin(dut)
    for count in range(1, (1 << DC_SHIFT) + 2):
        assert dut.settled_o.value == 0, f"sample {count}"
        for slot in (1, 0):
            await RisingEdge(dut.clk_i)
            dut.slot_i.value = slot
        await RisingEdge(dut.clk_i)
        await FallingEdge(dut.clk_i)
    assert dut.settled_o.value == 1  # the 4097th has 4096 before it


@cocotb.test()
async def a_reset_in_any_slot_leaves_nothing_behind(dut: Any) -> None:
    rng = seeded("reset")
    await begin(dut)
    for slot in (1, 5, 15, 17, 18, 22, 27, 29, 33, 37, 40, 44, 48, 55, 61, 62):
        bench = Bench(dut, 1)
        for index in range(3):
            await bench.sample(row(rng), Boundary(True, False, 777) if index == 2 else None, 0)
        words = row(rng)
        for passed in range(1, slot + 1):
            await bench.clock(passed, words, Boundary(True, False, 12_345))
        dut.slot_i.value = dut.write_i.value = dut.boundary_i.value = 0
        await reset(dut)
        assert dut.run_o.value == 0
