"""td_channels against the integer model, slot by slot, with gaps and with resets in any slot."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from cocotb.triggers import FallingEdge, RisingEdge

from hdl.model_meter import DC_SHIFT, Calibration, Channel
from hdl.tb.drive import reset, seeded, start
from hdl.tb.multiplier import multiply
from hdl.tb.td_metrology.test_td_metrology import CLIP_SLOT, LAST_SLOT, ODD, WORD_SLOT, packed

PLAIN = (Calibration(),) * 4
RAILS = (-(1 << 23), (1 << 23) - 1, 0, 1, -1)


class Bench:
    """The four channels and their models."""

    def __init__(self, dut: Any, calibration: tuple[Calibration, ...]):
        self.dut = dut
        self.models = [Channel(one) for one in calibration]
        for name, width in (("gain", 24), ("offset", 24), ("phase", 17)):
            getattr(dut, f"{name}_i").value = packed([getattr(one, name) for one in calibration], width)

    def settle(self) -> None:
        """Let the DC removal begin with the next sample."""
        self.dut.settled_i.value = 1
        for model in self.models:
            model.count = 1 << DC_SHIFT

    async def sample(self, codes: list[int], gap: int) -> tuple[int, bool]:
        """Give one sample; check words and clipping in their slots; return channel 0's word and whether any clipped."""
        dut, due = self.dut, [model.step(code) for model, code in zip(self.models, codes, strict=True)]
        clipped = [model.clipped for model in self.models]
        dut.code_i.value = packed(codes, 24)
        dut.next_i.value = 1
        for slot in (*range(1, LAST_SLOT + 1), *[0] * (1 + gap)):
            await RisingEdge(dut.clk_i)
            dut.slot_i.value = slot
            dut.next_i.value = (slot + 1) % (LAST_SLOT + 1) if slot else 0
            await FallingEdge(dut.clk_i)
            writing = WORD_SLOT <= slot < WORD_SLOT + 4
            assert bool(dut.write_o.value == 1) == writing, f"slot {slot}"
            if writing:
                assert int(dut.channel_o.value) == slot - WORD_SLOT
                assert dut.word_o.value.to_signed() == due[slot - WORD_SLOT], f"slot {slot}"
            clips = CLIP_SLOT <= slot < CLIP_SLOT + 4 and clipped[slot - CLIP_SLOT]
            assert bool(dut.clip_o.value == 1) == clips, f"slot {slot}"
        return due[0], any(clipped)


async def begin(dut: Any) -> None:
    await start(dut, slot_i=0, next_i=0, settled_i=0)
    cocotb.start_soon(multiply(dut))


def row(rng: random.Random) -> list[int]:
    return [rng.choice(RAILS) if rng.random() < 0.2 else rng.randrange(-(1 << 23), 1 << 23) for _ in range(4)]


@cocotb.test()
async def words_and_clipping_are_the_models_with_gaps(dut: Any) -> None:
    rng = seeded("channels")
    await begin(dut)
    clips = 0
    for calibration in (PLAIN, ODD):
        await reset(dut)
        dut.settled_i.value = 0
        bench = Bench(dut, calibration)
        for index in range(240):
            if index == 120:
                bench.settle()
            _, clipped = await bench.sample(row(rng), rng.choice([0, 0, 1, 40]))
            clips += clipped
    assert clips > 50


@cocotb.test()
async def a_constant_input_is_taken_off_and_an_alternating_one_passes(dut: Any) -> None:
    """One pole at 2^-12 a sample: behind the mean as start value nothing of a constant is left; magnitude stays."""
    await begin(dut)
    bench = Bench(dut, PLAIN)
    await bench.sample([1000] * 4, 0)
    word, _ = await bench.sample([1000] * 4, 0)
    assert word == 16_000  # 1/16 code, nothing taken off yet
    await reset(dut)
    bench = Bench(dut, PLAIN)
    bench.settle()
    words = [(await bench.sample([1000 if index % 2 else -1000] * 4, 0))[0] for index in range(64)]
    assert all(abs(abs(word) - 16_000) < 24 for word in words[2:])  # 1 + 1.2e-4 of the pole, and its start


@cocotb.test()
async def a_reset_in_any_slot_leaves_nothing_behind(dut: Any) -> None:
    rng = seeded("reset")
    await begin(dut)
    for slot in range(1, 18):
        bench = Bench(dut, ODD)
        for _ in range(2):
            await bench.sample(row(rng), 0)
        dut.code_i.value = packed(row(rng), 24)
        dut.next_i.value = 1
        for passed in range(1, slot + 1):
            await RisingEdge(dut.clk_i)
            dut.slot_i.value = passed
            dut.next_i.value = passed + 1
        dut.slot_i.value = dut.next_i.value = 0
        await reset(dut)
